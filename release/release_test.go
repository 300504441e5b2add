package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	spdx "github.com/spdx/tools-golang/json"
)

var whole = flag.Bool("whole", false, "build everything twice, the second time without what the first one compiled")

// copyTree copies the files under version control.
func copyTree(t *testing.T, to string) {
	t.Helper()
	out, err := output(t.Context(), "..", nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		t.Skipf("no checkout: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join("..", name))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted but not committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReproducible builds a release twice, in folders with different names, with different times and
// environments, and compares every byte.
func TestReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the programs")
	}
	args := []string{"build", "-version", "v1.2.3", "-commit", "0123456789abcdef", "-epoch", "1700000000"}
	if !*whole {
		args = append(args, "-platforms", "linux/amd64", "-programs", "baton-perplexity")
	}
	roots := []string{filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "another place")}
	for _, root := range roots { // before both builds, which take long enough for somebody to edit a file
		copyTree(t, root)
	}
	var outs []string
	for i, root := range roots {
		out := t.TempDir()
		if i > 0 {
			t.Setenv("TZ", "Pacific/Auckland")
			t.Setenv("GOFLAGS", "-tags=nothing")
			t.Setenv("GOAMD64", "v3")
			t.Setenv("LC_ALL", "de_DE.UTF-8")
			if *whole {
				t.Setenv("GOCACHE", t.TempDir())
			}
		}
		if err := run(t.Context(), append(args, "-root", root, "-out", out), io.Discard); err != nil {
			t.Fatal(err)
		}
		if n, err := verifySums(out, ""); err != nil || n < 8 {
			t.Errorf("%d files (%v)", n, err)
		}
		outs = append(outs, out)
	}
	names := map[string]int{}
	for _, out := range outs {
		entries, err := os.ReadDir(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names[e.Name()]++
		}
	}
	for name, n := range names {
		a, err1 := os.ReadFile(filepath.Join(outs[0], name))
		b, err2 := os.ReadFile(filepath.Join(outs[1], name))
		if err := errors.Join(err1, err2); err != nil || n != 2 || !bytes.Equal(a, b) {
			t.Errorf("%s: two builds differ (%v)", name, err)
		}
	}
	t.Logf("%d files, the same twice", len(names))
	checkArchive(t, outs[0])
	checkSizes(t, outs[0])

}

// TestReadme: the first page of an archive names what is in it, and no folder of the sources.
func TestReadme(t *testing.T) {
	r := release{source: source{version: "v1.2.3", commit: "c0ffee", url: "https://code.example"}}
	text := string(r.readme("baton-console"))
	for _, want := range []string{"# baton-console v1.2.3", "./baton-console demo", "baton-deploy-v1.2.3.tar.gz", "https://code.example", "c0ffee"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "./cmd") {
		t.Errorf("it names a folder that is not in the archive:\n%s", text)
	}
}

// checkArchive checks the archive, and runs the program for its version.
func checkArchive(t *testing.T, out string) {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join(out, "baton-perplexity-v1.2.3-linux-amd64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	texts := map[string]string{}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		data, readErr := io.ReadAll(r)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(h.Name, "baton-perplexity-v1.2.3-linux-amd64/")
		names, texts[name] = append(names, name), string(data)
	}
	for _, want := range []string{"baton-perplexity", "LICENSE", "README.md", "CHANGELOG.md", "THIRD-PARTY-LICENSES", "completions/baton-perplexity.bash",
		"completions/_baton-perplexity", "completions/baton-perplexity.fish", "completions/baton-perplexity.ps1", "man/man1/baton-perplexity.1"} {
		if texts[want] == "" {
			t.Errorf("%s is missing in %q", want, names)
		}
	}
	if !strings.Contains(texts["THIRD-PARTY-LICENSES"], "google.golang.org/grpc") || !strings.HasPrefix(texts["man/man1/baton-perplexity.1"], ".TH BATON") {
		t.Error("licences or manual page")
	}
	if host() != (platform{"linux", "amd64"}) {
		return
	}
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte(texts["baton-perplexity"]), 0o700); err != nil {
		t.Fatal(err)
	}
	if version, err := exec.Command(program, "--version").Output(); err != nil || !strings.Contains(string(version), "v1.2.3") {
		t.Errorf("--version says %q (%v)", version, err)
	}
}

var sizeRow = regexp.MustCompile("\\| `baton-perplexity` \\| ([0-9.]+) MB \\| [0-9.]+ MB \\| ([0-9.]+) MB \\|")

// checkSizes compares the README's table with the build, within a tenth.
func checkSizes(t *testing.T, out string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	row := sizeRow.FindSubmatch(readme)
	if row == nil {
		t.Fatal("the README has no sizes; run make sizes")
	}
	told, _ := strconv.ParseFloat(string(row[2]), 64)
	info, err := os.Stat(filepath.Join(out, "baton-perplexity-v1.2.3-image-linux-amd64.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if is := float64(info.Size()) / 1e6; is < told*0.9 || is > told*1.1 {
		t.Errorf("the README says that an image has %v MB, and it has %.1f; run make sizes", told, is)
	}
}

// TestContents reads the list of contents with another implementation, and checks the requirements of the
// SPDX 2.3 schema.
func TestContents(t *testing.T) {
	s, binaries := made()
	text, err := s.contents("x.tar.gz", []byte("artefact"), "ARCHIVE", binaries[0], module{path: rootsModule, version: "v0.0.0", licence: "MPL-2.0"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spdx.Read(bytes.NewReader(text)); err != nil {
		t.Error(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	required(t, doc, "SPDXID", "spdxVersion", "dataLicense", "name", "documentNamespace", "creationInfo")
	required(t, doc["creationInfo"].(map[string]any), "created", "creators")
	ids := map[string]bool{"SPDXRef-DOCUMENT": true}
	id := regexp.MustCompile(`^SPDXRef-[a-zA-Z0-9.-]+$`)
	var purls []string
	for _, p := range doc["packages"].([]any) {
		p := p.(map[string]any)
		required(t, p, "SPDXID", "name", "downloadLocation", "versionInfo")
		if name := p["SPDXID"].(string); ids[name] || !id.MatchString(name) {
			t.Errorf("id %s", name)
		} else {
			ids[name] = true
		}
		if refs, ok := p["externalRefs"].([]any); ok {
			ref := refs[0].(map[string]any)
			required(t, ref, "referenceCategory", "referenceType", "referenceLocator")
			purls = append(purls, ref["referenceLocator"].(string))
		}
	}
	for _, r := range doc["relationships"].([]any) {
		r := r.(map[string]any)
		required(t, r, "spdxElementId", "relatedSpdxElement", "relationshipType")
		if !ids[r["spdxElementId"].(string)] || !ids[r["relatedSpdxElement"].(string)] {
			t.Errorf("it relates what is not there: %v", r)
		}
	}
	want := []string{"pkg:golang/stdlib@1.26.8", "pkg:golang/example.org/dep/v2@v2.0.1+incompatible", "pkg:golang/golang.org/x/crypto/x509roots/fallback@v0.0.0"}
	if !slices.Equal(purls, want) {
		t.Errorf("%q, want %q", purls, want)
	}
}

func required(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	for _, n := range names {
		if v, ok := object[n]; !ok || v == "" {
			t.Errorf("%s is missing in %v", n, object)
		}
	}
}

func TestLicenceNames(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                                "Apache-2.0",
		"Redistribution and use in source and\nbinary forms ... used to endorse or\npromote products": "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without":                          "BSD-2-Clause",
		"MIT License\nPermission is hereby granted, free of charge, to any":                           "MIT",
		"You may not use this.": noAssertion,
	} {
		if got := licenceName([]byte(text)); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	if err := new(module).readLicences(t.TempDir()); err == nil {
		t.Error("a module without a licence is passed on")
	}
}

// TestSums tampers with a release in every way that the sums must detect.
func TestSums(t *testing.T) {
	fresh := func() string {
		dir := images(t)
		if err := writeSums(dir); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	dir := fresh()
	if n, err := verifySums(dir, ""); err != nil || n != 6 {
		t.Errorf("%d files (%v)", n, err)
	}
	if sum, err := exec.LookPath("sha256sum"); err == nil {
		cmd := exec.Command(sum, "--check", "--strict", "--quiet", sumsName)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("sha256sum: %v: %s", err, out)
		}
	}
	const one = "baton-perplexity-v1.2.3-image.tar"
	for name, do := range map[string]func(dir string) error{
		"changed": func(dir string) error { return os.WriteFile(filepath.Join(dir, one), []byte("x"), 0o644) },
		"missing": func(dir string) error { return os.Remove(filepath.Join(dir, one)) },
		"added":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "extra"), nil, 0o644) },
		"a path": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, sumsName), []byte(strings.Repeat("0", 64)+"  ../x\n"), 0o644)
		},
	} {
		dir := fresh()
		if err := do(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := verifySums(dir, ""); err == nil {
			t.Errorf("%s: it is not noticed", name)
		}
	}
}

// TestSignature signs sums, verifies them, also with openssl as documented, and refuses everything that was
// not signed.
func TestSignature(t *testing.T) {
	dir, keys := images(t), t.TempDir()
	if err := writeSums(dir); err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err1 := x509.MarshalPKCS8PrivateKey(private)
	pkix, err2 := x509.MarshalPKIXPublicKey(public)
	key, pub := filepath.Join(keys, "key.pem"), filepath.Join(keys, "pub.pem")
	if err := errors.Join(err1, err2, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600),
		os.WriteFile(pub, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := verifySums(dir, pub); err == nil {
		t.Error("no signature is as good as one")
	}
	if err := signSums(dir, key); err != nil {
		t.Fatal(err)
	}
	if _, err := verifySums(dir, pub); err != nil {
		t.Error(err)
	}
	if openssl, err := exec.LookPath("openssl"); err == nil {
		cmd := exec.Command(openssl, "pkeyutl", "-verify", "-pubin", "-inkey", pub, "-rawin", "-in", sumsName, "-sigfile", signatureName)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("openssl: %v: %s", err, out)
		}
	}
	if err := writeSums(dir); err != nil { // now including the signature
		t.Fatal(err)
	}
	if _, err := verifySums(dir, pub); err == nil {
		t.Error("other sums are taken for those that were signed")
	}
	if err := signSums(dir, pub); err == nil {
		t.Error("a public key signs")
	}
}

// TestZip packs for Windows.
func TestZip(t *testing.T) {
	files := below("a", []file{{name: "b.exe", mode: 0o755, data: []byte("program")}, {name: "c/", mode: 0o755}, {name: "c/d", mode: 0o644, data: []byte("text")}})
	one, err1 := packZip(files, time.Unix(1700000000, 0))
	slices.Reverse(files)
	two, err2 := packZip(files, time.Unix(1700000000, 0).In(time.FixedZone("", 3600)))
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(one, two) {
		t.Fatalf("order or time zone show (%v)", err)
	}
	r, err := zip.NewReader(bytes.NewReader(one), int64(len(one)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, fmt.Sprint(f.Name, " ", f.Mode()))
	}
	if want := []string{"a/ drwxr-xr-x", "a/b.exe -rwxr-xr-x", "a/c/ drwxr-xr-x", "a/c/d -rw-r--r--"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

// TestBuildFlags: make build and the release use the same build tags, and compile the same packages
// without inlining.
func TestBuildFlags(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil || !bytes.Contains(makefile, []byte("\nTAGS := "+buildTags+"\n")) {
		t.Errorf("the Makefile builds with other tags than %s (%v)", buildTags, err)
	}
	_, list, _ := strings.Cut(string(makefile), "\nSMALL := ")
	list, _, _ = strings.Cut(list, "\nBUILD")
	if got := strings.Fields(strings.ReplaceAll(list, "\\\n", "")); !slices.Equal(got, small) {
		t.Errorf("the Makefile compiles %q without inlining, and the release %q", got, small)
	}
}

// TestSize: no binary has more than 50 MB. It measures the console, the largest.
func TestSize(t *testing.T) {
	b, err := (source{root: "..", version: "v0.0.0"}).binary(t.Context(), "baton-console", platform{"linux", "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("baton-console has %d bytes", len(b.data))
	if err := checkSize(b); err != nil {
		t.Error(err)
	}
	b.data = make([]byte, maxBinary+1)
	if err := checkSize(b); err == nil {
		t.Error("a larger binary is accepted")
	}
}

func TestStampChart(t *testing.T) {
	got := string(stampChart([]byte("name: x\nversion: 0.1.0\nappVersion: v0.1.0\n# version: y\n"), "2.0.0-rc.1"))
	if want := "name: x\nversion: 2.0.0-rc.1\nappVersion: v2.0.0-rc.1\n# version: y\n"; got != want {
		t.Errorf("%q", got)
	}
}

// TestRefused lists invalid requests for a release.
func TestRefused(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	base := []string{"build", "-commit", "x", "-epoch", "1"}
	for _, args := range [][]string{
		{}, {"publish"}, base, append(base, "-version", "1.0"), append(base, "-version", "v1.0.0"),
		append(base, "-version", "v1.0.0", "-out", full), append(base, "-version", "v1.0.0", "-out", t.TempDir(), "-platforms", "plan9/amd64"),
		append(base, "-version", "v1.0.0", "-out", t.TempDir(), "-programs", "baton-slack"), {"rootfs", "-version", "v1.0.0"}, {"verify"}, {"verify", t.TempDir()},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

var (
	uses   = regexp.MustCompile(`(?m)uses: (\S+)(.*)$`)
	pinned = regexp.MustCompile(`^[\w.-]+/[\w.-]+@[0-9a-f]{40}$`)
)

// TestWorkflows: workflows run no unpinned code and have no unneeded rights.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) != 2 {
		t.Fatalf("%q (%v)", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range uses.FindAllStringSubmatch(string(text), -1) {
			if !pinned.MatchString(u[1]) || !strings.HasPrefix(strings.TrimSpace(u[2]), "# v") {
				t.Errorf("%s: %s is not pinned by its commit, with the version behind it", file, u[0])
			}
		}
		if strings.Contains(string(text), "pull_request_target") || !strings.Contains(string(text), "permissions:\n  contents: read\n") {
			t.Errorf("%s has more rights than it needs", file)
		}
	}
	ci, err := os.ReadFile("../.github/workflows/ci.yml")
	if err != nil || !bytes.Contains(ci, []byte("run: .ci/run\n")) || !bytes.Contains(ci, []byte("govulncheck")) {
		t.Errorf("the workflow does not run what everybody runs (%v)", err)
	}
}
