package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// module is a third-party part of a binary.
type module struct {
	path, version, sum string
	licence            string // its SPDX name, or NOASSERTION
	texts              []file // licence and notices
}

// modules returns the modules recorded in a binary, with the licences from their sources.
func (s source) modules(ctx context.Context, b *binary) ([]module, error) {
	dirs, err := s.moduleDirs(ctx, b)
	if err != nil {
		return nil, err
	}
	root, err := output(ctx, s.root, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	std := module{path: "std", version: strings.TrimPrefix(b.info.GoVersion, "go")}
	if err := std.readLicences(strings.TrimSpace(root)); err != nil {
		return nil, err
	}
	list := []module{std}
	for _, d := range b.info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		m := module{path: d.Path, version: d.Version, sum: d.Sum}
		if err := m.readLicences(dirs[d.Path]); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

func (s source) moduleDirs(ctx context.Context, b *binary) (map[string]string, error) {
	out, err := output(ctx, s.root, goEnv(b.platform), "go", "list", "-tags", buildTags, "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Dir}}{{end}}", "./cmd/"+b.program)
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for line := range strings.Lines(out) {
		path, dir, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		dirs[path] = dir
	}
	return dirs, nil
}

// readLicences reads the licence texts of a module. A module without a licence may not be distributed, so
// that is an error.
func (m *module) readLicences(dir string) error {
	var names []string
	for _, pattern := range []string{"LICENSE*", "License*", "LICENCE*", "COPYING*", "NOTICE*", "PATENTS", "LICENSES/*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		names = append(names, found...)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.IsDir() {
			if err != nil {
				return err
			}
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		m.texts = append(m.texts, file{name: filepath.Base(name), data: text})
	}
	if dir == "" || len(m.texts) == 0 {
		return fmt.Errorf("%s %s has no licence in %q", m.path, m.version, dir)
	}
	m.licence = licenceName(m.texts[0].data)
	return nil
}

// licenceName recognises the licences of Go modules by words that only one of them has.
func licenceName(text []byte) string {
	flat := strings.Join(strings.Fields(string(text)), " ")
	for _, l := range []struct {
		name  string
		words []string
	}{
		{"Apache-2.0", []string{"Apache License", "Version 2.0"}},
		{"MPL-2.0", []string{"Mozilla Public License"}},
		{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "ndorse or promote products"}},
		{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
		{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software"}},
		{"MIT", []string{"Permission is hereby granted, free of charge"}},
	} {
		if !slices.ContainsFunc(l.words, func(w string) bool { return !strings.Contains(flat, w) }) {
			return l.name
		}
	}
	return noAssertion
}

// notices returns the licences of a binary's parts in one text.
func notices(modules []module) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "This program contains the following third-party software.\n")
	for _, m := range modules {
		name := m.path
		if name == "std" {
			name = "The Go standard library"
		}
		for _, t := range m.texts {
			rule := strings.Repeat("-", 80)
			fmt.Fprintf(&out, "\n%s\n%s %s, %s\n%s\n\n%s\n", rule, name, m.version, t.name, rule, bytes.TrimSpace(t.data))
		}
	}
	return out.Bytes()
}

// rootsModule is the module of the certificate authorities in the images.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

// authorities returns the certificate authorities that Mozilla trusts, as PEM. It omits those with a distrust
// date, which a file cannot express.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		c, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			panic(err) // the module is broken
		}
		fmt.Fprintf(&out, "# %s\n", c.Subject)
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // to memory
	}
	return out.Bytes()
}
