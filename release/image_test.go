package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ocilayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// made returns a release with two fake binaries.
func made() (source, []*binary) {
	s := source{root: "..", version: "v1.2.3", commit: "0123456789abcdef0123456789abcdef01234567", epoch: 1700000000, url: "https://source.example/baton"}
	var list []*binary
	for _, arch := range []string{"amd64", "arm64"} {
		list = append(list, &binary{program: "baton-perplexity", platform: platform{"linux", arch}, data: []byte("program for " + arch),
			modules: []module{
				{path: "std", version: "1.26.8", licence: "BSD-3-Clause", texts: []file{{name: "LICENSE", data: []byte("std's licence")}}},
				{path: "example.org/Dep/v2", version: "v2.0.1+incompatible", sum: "h1:abc=", licence: "MIT", texts: []file{{name: "LICENSE", data: []byte("dep's licence")}}},
			}})
	}
	return s, list
}

// images writes the image archives of the fake release and returns their folder.
func images(t *testing.T) string {
	t.Helper()
	s, binaries := made()
	r := &release{source: s, out: t.TempDir(), say: io.Discard}
	if err := r.images("baton-perplexity", binaries); err != nil {
		t.Fatal(err)
	}
	return r.out
}

func untar(t *testing.T, archive, to string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(to, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(name, 0o755)
		} else if data, readErr := io.ReadAll(r); readErr != nil {
			err = readErr
		} else {
			err = os.WriteFile(name, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestImagesAreValid reads the images with another implementation and checks digests, sizes, layers and
// platforms.
func TestImagesAreValid(t *testing.T) {
	dir := images(t)
	to := t.TempDir()
	untar(t, filepath.Join(dir, "baton-perplexity-v1.2.3-image.tar"), to)
	outer, err := ocilayout.ImageIndexFromPath(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(outer); err != nil {
		t.Error(err)
	}
	top, err := outer.IndexManifest()
	if err != nil || len(top.Manifests) != 1 || top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "baton-perplexity:v1.2.3" {
		t.Fatalf("index %+v (%v)", top, err)
	}
	inner, err := outer.ImageIndex(top.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	list, err := inner.IndexManifest()
	if err != nil || len(list.Manifests) != 2 {
		t.Fatalf("%d platforms (%v)", len(list.Manifests), err)
	}
	for _, m := range list.Manifests {
		i, err := inner.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		// The archive for docker load holds the same image.
		single, err := tarball.ImageFromPath(filepath.Join(dir, "baton-perplexity-v1.2.3-image-linux-"+m.Platform.Architecture+".tar"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(single); err != nil {
			t.Error(err)
		}
		want, err1 := i.ConfigName()
		got, err2 := single.ConfigName()
		if err := errors.Join(err1, err2); err != nil || want != got {
			t.Errorf("%s: two images, %s and %s (%v)", m.Platform, want, got, err)
		}
		checkConfig(t, i, m.Platform.Architecture)
		checkLayer(t, i, m.Platform.Architecture)
	}
}

func checkConfig(t *testing.T, i v1.Image, arch string) {
	t.Helper()
	c, err := i.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c.OS != "linux" || c.Architecture != arch || c.Created.Unix() != 1700000000 || len(c.RootFS.DiffIDs) != 1 {
		t.Errorf("%+v", c)
	}
	if c.Config.User != "65532:65532" || c.Config.WorkingDir != "/data" || !slices.Equal(c.Config.Entrypoint, []string{"/baton-perplexity"}) {
		t.Errorf("%+v", c.Config)
	}
	if h := c.Config.Healthcheck; h == nil || !slices.Equal(h.Test, []string{"CMD", "/baton-perplexity", "health-check"}) {
		t.Errorf("health check %+v", h)
	}
	if c.Config.Labels["org.opencontainers.image.revision"] != "0123456789abcdef0123456789abcdef01234567" || c.Config.Labels["org.opencontainers.image.source"] != "https://source.example/baton" {
		t.Errorf("labels %v", c.Config.Labels)
	}
}

// checkLayer checks the file system: one program, no files of other owners, and only the data folder
// writable.
func checkLayer(t *testing.T, i v1.Image, arch string) {
	t.Helper()
	layers, err := i.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers (%v)", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var programs, writable []string
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && h.Mode&0o111 != 0 {
			programs = append(programs, h.Name+" "+string(data))
		}
		if h.Mode&0o022 != 0 || h.Uid != 0 || h.Gid != 0 {
			writable = append(writable, h.Name)
		}
		if h.Uname != "" || h.Gname != "" || h.ModTime.Unix() != 1700000000 {
			t.Errorf("%s: %+v", h.Name, h)
		}
		if h.Name == "etc/ssl/certs/ca-certificates.crt" && !bytes.Equal(data, authorities()) {
			t.Error("other authorities")
		}
		if h.Name == "licenses/THIRD-PARTY-LICENSES" && !strings.Contains(string(data), "dep's licence") {
			t.Errorf("licences: %s", data)
		}
	}
	if !slices.Equal(programs, []string{"baton-perplexity program for " + arch}) {
		t.Errorf("programs %q", programs)
	}
	if !slices.Equal(writable, []string{"data/", "tmp/"}) {
		t.Errorf("not root's alone: %q", writable)
	}
}

// TestAuthorities parses the authorities as TLS does, and checks known ones.
func TestAuthorities(t *testing.T) {
	pool, rest, n := x509.NewCertPool(), authorities(), 0
	var names []string
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		n++
		names = append(names, c.Subject.CommonName)
	}
	if n < 80 || !slices.Contains(names, "ISRG Root X1") || !slices.Contains(names, "DigiCert Global Root G2") {
		t.Errorf("%d authorities: %q", n, names)
	}
	if slices.Contains(names, "Izenpe.com") {
		t.Error("an authority is trusted that Mozilla distrusts")
	}
	if !pool.AppendCertsFromPEM(authorities()) {
		t.Error("Go does not take them")
	}
}

// TestDockerfile compares the Dockerfile with the images that are built without it.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages, stage := map[string]map[string]string{}, ""
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "FROM" {
			stage = rest[strings.LastIndex(rest, " ")+1:]
			stages[stage] = map[string]string{}
		}
		if stage != "" {
			stages[stage][word] = strings.Join(strings.Fields(rest), " ")
		}
	}
	for _, program := range []string{"baton-console", "baton-perplexity", "baton-percipio"} {
		c, d := newImageConfig(program, nil), stages[program]
		entry, _ := json.Marshal(c.Entrypoint)
		for instruction, want := range map[string]string{
			"FROM": "scratch AS " + program, "USER": c.User, "WORKDIR": c.WorkingDir, "VOLUME": imageData, "EXPOSE": roleOf(program).port, "STOPSIGNAL": c.StopSignal,
			"ENV": strings.Join(c.Env, " "), "ENTRYPOINT": string(entry),
			"HEALTHCHECK": `--interval=30s --timeout=10s --start-period=1m --retries=3 CMD ["` + c.Healthcheck.Test[1] + `", "` + c.Healthcheck.Test[2] + `"]`,
		} {
			if d[instruction] != want {
				t.Errorf("%s: %s is %q in the Dockerfile, want %q", program, instruction, d[instruction], want)
			}
		}
		s, _ := made()
		for key := range s.labels(program) {
			if !strings.Contains(d["LABEL"], key+"=") && !strings.HasSuffix(key, ".created") && !strings.HasSuffix(key, ".source") {
				t.Errorf("%s: the Dockerfile lacks the label %s", program, key)
			}
		}
	}
	if c := newImageConfig("x", nil).Healthcheck; c.Interval.String() != "30s" || c.Timeout.String() != "10s" || c.StartPeriod.String() != "1m0s" || c.Retries != 3 {
		t.Errorf("health check %+v", c)
	}
}

// TestUnpack writes a file system as the Dockerfile copies it.
func TestUnpack(t *testing.T) {
	_, binaries := made()
	to := t.TempDir()
	if err := unpack(to, binaries[0].rootfs([]byte("licence"))); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{
		"baton-perplexity": 0o755, "data": fs.ModeDir | 0o770, "tmp": fs.ModeDir | fs.ModeSticky | 0o777, "etc/passwd": 0o644, "licenses/LICENSE": 0o644,
	} {
		info, err := os.Stat(filepath.Join(to, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, want %v (%v)", name, info.Mode(), mode, err)
		}
	}
}
