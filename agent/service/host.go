package service

import (
	"bufio"
	"cmp"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"baton/wire"
)

// maxText is the longest text that C1 accepts in a Hello.
const maxText = 256

// thisHost describes this process and machine. id is the configured host id.
func thisHost(id, version string) wire.Host {
	h := wire.Host{
		GoVersion: runtime.Version(), Package: "/dummy/path", PackageVersion: cmp.Or(version, "0.0.0"),
		OS: runtime.GOOS,
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "" {
		h.Package = info.Path
	}
	h.Hostname, _ = os.Hostname()
	h.KernelVersion, h.KernelArch = kernel()
	describe(&h, os.DirFS("/"))
	h.ID = cmp.Or(id, h.Hostname, "baton")
	complete(&h)
	return h
}

// complete fills unknown fields, because C1 requires all of them.
func complete(h *wire.Host) {
	fill := func(field *string, values ...string) {
		for _, v := range values {
			*field = cmp.Or(*field, v)
		}
		*field = strings.ToValidUTF8(*field, "?")
		if len(*field) > maxText {
			*field = strings.ToValidUTF8((*field)[:maxText], "")
		}
	}
	fill(&h.ID)
	fill(&h.GoVersion)
	fill(&h.Package)
	fill(&h.PackageVersion)
	fill(&h.Hostname, "unknown")
	fill(&h.KernelVersion, "unknown")
	fill(&h.KernelArch, runtime.GOARCH)
	fill(&h.Platform, h.OS)
	fill(&h.PlatformFamily, h.Platform)
	fill(&h.PlatformVersion, h.KernelVersion)
	fill(&h.Virtualization, "none")
}

// describe reads the files with which a Unix system describes itself. root is the root of
// the file system.
func describe(h *wire.Host, root fs.FS) {
	release := osRelease(root)
	h.Platform = release["ID"]
	h.PlatformVersion = release["VERSION_ID"]
	if b, err := fs.ReadFile(root, "etc/debian_version"); err == nil && h.Platform == "debian" {
		h.PlatformVersion = cmp.Or(strings.TrimSpace(string(b)), h.PlatformVersion) // includes the minor version
	}
	h.PlatformFamily = family(h.Platform, release["ID_LIKE"])
	h.Virtualization = container(root)
}

// osRelease parses os-release(5).
func osRelease(root fs.FS) map[string]string {
	values := map[string]string{}
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		f, err := root.Open(name)
		if err != nil {
			continue
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if k, v, ok := strings.Cut(strings.TrimSpace(lines.Text()), "="); ok && k != "" && k[0] != '#' {
				values[k] = strings.Trim(v, `"'`)
			}
		}
		break
	}
	return values
}

// family returns the distribution that a platform is derived from.
func family(id, like string) string {
	switch id {
	case "debian", "ubuntu", "linuxmint", "raspbian":
		return "debian"
	case "fedora":
		return "fedora"
	case "rhel", "centos", "rocky", "almalinux", "ol", "amzn":
		return "rhel"
	case "sles", "opensuse-leap", "opensuse-tumbleweed":
		return "suse"
	}
	first, _, _ := strings.Cut(like, " ")
	return cmp.Or(first, id)
}

// container returns the kind of container that the process runs in, or "".
func container(root fs.FS) string {
	for _, mark := range []struct{ path, name string }{{".dockerenv", "docker"}, {"run/.containerenv", "podman"}} {
		if _, err := fs.Stat(root, mark.path); err == nil {
			return mark.name
		}
	}
	kinds := []struct{ word, name string }{{"kubepods", "kubernetes"}, {"docker", "docker"}, {"libpod", "podman"}, {"lxc", "lxc"}}
	for _, name := range []string{"proc/1/cgroup", "proc/self/mountinfo"} {
		b, _ := fs.ReadFile(root, name)
		for _, kind := range kinds {
			if strings.Contains(string(b), kind.word) {
				return kind.name
			}
		}
	}
	return ""
}
