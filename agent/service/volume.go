package service

import (
	"io/fs"
	"path/filepath"
	"strings"
)

// temporary explains why the directory ends with this container, or returns "" if that is
// not known. root is the root of the file system. It reads mountinfo, see
// proc_pid_mountinfo(5), and knows nothing on systems without that file.
func temporary(dir string, root fs.FS) string {
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return ""
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	var at, source, kind string
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		end := 6 // followed by optional fields, "-", and the type of the file system
		for end < len(fields) && fields[end] != "-" {
			end++
		}
		if end+1 >= len(fields) {
			continue
		}
		point := unescapeMount.Replace(fields[4])
		// Of mounts at one place, the last one is in effect.
		if (dir == point || strings.HasPrefix(dir, strings.TrimSuffix(point, "/")+"/")) && len(point) >= len(at) {
			at, source, kind = point, fields[3], fields[end+1]
		}
	}
	switch {
	case kind == "tmpfs", kind == "ramfs":
		return "it is in memory"
	case strings.Contains(source, "/kubernetes.io~empty-dir/"):
		return "it is an emptyDir volume, which ends with the pod"
	case strings.Contains(source, "/io.containerd.grpc.v1.cri/containers/"):
		return "it is the image's own volume, which ends with the container"
	case kind == "overlay" && container(root) != "":
		return "it is in the container's own file system"
	}
	return ""
}

var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
