package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// release is the state of a release build.
type release struct {
	source
	out       string
	platforms []platform
	programs  []string
	say       io.Writer
	digests   bytes.Buffer // digests of the images, for pinning
}

// build builds everything. It writes artefacts one by one and the sums at the end, so that a release with
// sums is complete.
func (r *release) build(ctx context.Context) error {
	if r.out == "" {
		return errors.New("build needs -out")
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if there, err := os.ReadDir(r.out); err != nil || len(there) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty", r.out))
	}
	for _, program := range r.programs {
		if err := r.program(ctx, program); err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
	}
	if err := r.deployment(); err != nil {
		return err
	}
	if r.digests.Len() > 0 {
		if err := r.write("image-digests.txt", r.digests.Bytes()); err != nil {
			return err
		}
	}
	return writeSums(r.out)
}

func (r *release) write(name string, data []byte) error {
	fmt.Fprintf(r.say, "%10d  %s\n", len(data), name)
	return os.WriteFile(filepath.Join(r.out, name), data, 0o644)
}

// artefact writes an artefact and its list of contents.
func (r *release) artefact(name string, data []byte, purpose string, b *binary, more ...module) error {
	list, err := r.contents(name, data, purpose, b, more...)
	if err != nil {
		return err
	}
	return errors.Join(r.write(name, data), r.write(name+".spdx.json", list))
}

// program makes the archives and images of one program.
func (r *release) program(ctx context.Context, program string) error {
	var all, forImages []*binary
	var own *binary // the binary that runs on this machine
	for _, p := range r.platforms {
		fmt.Fprintf(r.say, "building %s for %s/%s\n", program, p.os, p.arch)
		b, err := r.binary(ctx, program, p)
		if err != nil {
			return err
		}
		all = append(all, b)
		if p == host() {
			own = b
		}
		if p.os == "linux" {
			forImages = append(forImages, b)
		}
	}
	if own == nil {
		var err error
		if own, err = r.binary(ctx, program, host()); err != nil {
			return err
		}
	}
	extras, err := extras(ctx, own)
	if err != nil {
		return err
	}
	for _, b := range all {
		if err := r.archive(b, extras); err != nil {
			return err
		}
	}
	return r.images(program, forImages)
}

// readme returns the first page of an archive, which has no sources and no documents.
func (r *release) readme(program string) []byte {
	where := "the sources"
	if r.url != "" {
		where += " (" + r.url + ")"
	}
	return fmt.Appendf(nil, `# %[1]s %[2]s

    ./%[1]s demo      # try it: made-up applications, no credentials
    ./%[1]s --help    # commands and settings

man/man1 has the manual page, completions/ those of shells. Units for systemd, charts, manifests and Compose files are in
baton-deploy-%[2]s.tar.gz, which is published beside this archive. The documents are in docs/ of %[3]s, commit %[4]s;
docs/platform.md installs the console, docs/deploy.md the connectors.
`, program, r.version, where, r.commit)
}

// archive writes an archive for people: the program and the files that belong beside it.
func (r *release) archive(b *binary, extras []file) error {
	program := file{name: b.program, mode: 0o755, data: b.data}
	if b.platform.os == "windows" {
		program.name += ".exe"
	}
	files := append([]file{program,
		{name: "LICENSE", mode: 0o644, data: r.licence()},
		{name: "README.md", mode: 0o644, data: r.readme(b.program)},
		{name: "CHANGELOG.md", mode: 0o644, data: r.read("CHANGELOG.md")},
		{name: "THIRD-PARTY-LICENSES", mode: 0o644, data: notices(b.modules)},
	}, extras...)
	base := strings.Join([]string{b.program, r.version, b.platform.os, b.platform.arch}, "-")
	if b.platform.os == "windows" {
		data, err := packZip(below(base, files), r.when())
		if err != nil {
			return err
		}
		return r.artefact(base+".zip", data, "ARCHIVE", b)
	}
	data, err := pack(below(base, files), r.when())
	if err != nil {
		return err
	}
	if data, err = compress(data); err != nil {
		return err
	}
	return r.artefact(base+".tar.gz", data, "ARCHIVE", b)
}

// extras returns completions and the manual page, which the program itself writes.
func extras(ctx context.Context, b *binary) ([]file, error) {
	dir, err := os.MkdirTemp("", "release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, b.program)
	if err := os.WriteFile(path, b.data, 0o700); err != nil {
		return nil, err
	}
	files := []file{{name: "completions/", mode: 0o755}, {name: "man/", mode: 0o755}, {name: "man/man1/", mode: 0o755}}
	for name, args := range map[string][]string{
		"completions/" + b.program + ".bash": {"completion", "bash"},
		"completions/_" + b.program:          {"completion", "zsh"},
		"completions/" + b.program + ".fish": {"completion", "fish"},
		"completions/" + b.program + ".ps1":  {"completion", "powershell"},
		"man/man1/" + b.program + ".1":       {"man"},
	} {
		out, err := output(ctx, dir, []string{"PATH=" + os.Getenv("PATH")}, path, args...)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: name, mode: 0o644, data: []byte(out)})
	}
	return sorted(files), nil
}

// images writes one image archive per platform, for docker load, and one for all platforms, for registries.
func (r *release) images(program string, binaries []*binary) error {
	if len(binaries) == 0 {
		return nil
	}
	name := program + ":" + r.version
	together := &layout{blobs: map[string][]byte{}}
	var manifests []descriptor
	roots := module{path: rootsModule, version: rootsVersion(), licence: "MPL-2.0"}
	for _, b := range binaries {
		alone := &layout{blobs: map[string][]byte{}}
		i, err := alone.addImage(r.source, b)
		if err != nil {
			return err
		}
		maps.Copy(together.blobs, alone.blobs)
		manifests = append(manifests, i.manifest)
		data, err := alone.close(i.manifest, name, []image{i}, r.when())
		if err != nil {
			return err
		}
		base := fmt.Sprintf("%s-%s-image-%s-%s.tar", program, r.version, b.platform.os, b.platform.arch)
		if err := r.artefact(base, data, "CONTAINER", b, roots); err != nil {
			return err
		}
		fmt.Fprintf(&r.digests, "%s %s %s\n", name, b.platform, i.manifest.Digest)
	}
	top, err := together.addJSON(mediaIndex, map[string]any{
		"schemaVersion": 2, "mediaType": mediaIndex, "manifests": manifests, "annotations": r.labels(program)})
	if err != nil {
		return err
	}
	fmt.Fprintf(&r.digests, "%s all %s\n", name, top.Digest)
	data, err := together.close(top, name, nil, r.when())
	if err != nil {
		return err
	}
	return r.artefact(fmt.Sprintf("%s-%s-image.tar", program, r.version), data, "CONTAINER", binaries[0], roots)
}

// deployment packs the files for running the images, and each chart alone.
func (r *release) deployment() error {
	number := strings.TrimPrefix(r.version, "v")
	type artefact struct {
		name  string
		files []file
	}
	var all []file
	var packed []artefact
	for _, c := range []struct{ folder, name string }{{"helm", "baton-connector"}, {"helm-console", "baton-console"}} {
		chart, err := folderFiles(filepath.Join(r.root, "deploy", c.folder))
		if err != nil {
			return err
		}
		for i, f := range chart {
			if f.name == "Chart.yaml" {
				chart[i].data = stampChart(f.data, number)
			}
		}
		all = append(all, below(c.folder, chart)...)
		packed = append(packed, artefact{c.name + "-" + number + ".tgz", below(c.name, chart)})
	}
	for _, part := range []string{"kubernetes", "compose", "haproxy", "systemd"} {
		files, err := folderFiles(filepath.Join(r.root, "deploy", part))
		if err != nil {
			return err
		}
		all = append(all, below(part, files)...)
	}
	for _, a := range append(packed, artefact{"baton-deploy-" + r.version + ".tar.gz", below("baton-deploy-"+r.version, all)}) {
		data, err := pack(a.files, r.when())
		if err != nil {
			return err
		}
		if data, err = compress(data); err != nil {
			return err
		}
		if err := r.write(a.name, data); err != nil {
			return err
		}
	}
	return nil
}

// stampChart sets the version of the release in the chart.
func stampChart(chart []byte, number string) []byte {
	lines := strings.Split(string(chart), "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "version:"):
			lines[i] = "version: " + number
		case strings.HasPrefix(line, "appVersion:"):
			lines[i] = "appVersion: v" + number
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// rootsVersion returns the version of the built-in certificate authorities.
func rootsVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return noAssertion
	}
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == rootsModule })
	if i < 0 {
		return noAssertion
	}
	return info.Deps[i].Version
}
