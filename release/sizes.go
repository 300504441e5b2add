package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	sizesBegin = "<!-- sizes -->\n"
	sizesEnd   = "<!-- /sizes -->"
)

// sizesCommand measures the binaries and images, and writes the table between the markers of a document.
func sizesCommand(ctx context.Context, args []string, stdout io.Writer) error {
	f, s := newFlags("sizes")
	update := f.String("update", "", "the document whose table is replaced")
	if err := f.Parse(args); err != nil {
		return err
	}
	if s.version == "" {
		s.version = "v0.0.0" // as long as a real version
	}
	s.dirty = true
	if err := s.resolve(ctx); err != nil {
		return err
	}
	table, err := s.sizes(ctx)
	if err != nil || *update == "" {
		fmt.Fprint(stdout, table)
		return err
	}
	text, err := os.ReadFile(*update)
	if err != nil {
		return err
	}
	i, j := bytes.Index(text, []byte(sizesBegin)), bytes.Index(text, []byte(sizesEnd))
	if i < 0 || j < i {
		return fmt.Errorf("%s has no %s", *update, strings.TrimSpace(sizesBegin))
	}
	return os.WriteFile(*update, []byte(string(text[:i])+sizesBegin+table+string(text[j:])), 0o644)
}

// size holds the sizes of one program on Linux. An image is measured compressed.
type size struct {
	program       string
	binary, image map[string]int // by architecture
	modules       int
}

func (s source) sizes(ctx context.Context) (string, error) {
	programs, err := s.programs("")
	if err != nil {
		return "", err
	}
	table := "| | binary, amd64 | arm64 | image, amd64 | arm64 | modules of others |\n|---|---|---|---|---|---|\n"
	for _, c := range programs {
		z, err := s.size(ctx, c, "amd64", "arm64")
		if err != nil {
			return "", err
		}
		table += fmt.Sprintf("| `%s` | %s | %s | %s | %s | %d |\n", c, megabytes(z.binary["amd64"]), megabytes(z.binary["arm64"]),
			megabytes(z.image["amd64"]), megabytes(z.image["arm64"]), z.modules)
	}
	return table, nil
}

func (s source) size(ctx context.Context, program string, architectures ...string) (size, error) {
	z := size{program: program, binary: map[string]int{}, image: map[string]int{}}
	for _, arch := range architectures {
		b, err := s.binary(ctx, program, platform{"linux", arch})
		if err != nil {
			return z, err
		}
		l := &layout{blobs: map[string][]byte{}}
		if _, err := l.addImage(s, b); err != nil {
			return z, err
		}
		if err := checkSize(b); err != nil {
			return z, err
		}
		z.binary[arch], z.modules = len(b.data), len(b.modules)-1
		for _, blob := range l.blobs {
			z.image[arch] += len(blob)
		}
	}
	return z, nil
}

// maxBinary is the size that no program may exceed.
const maxBinary = 50_000_000

func checkSize(b *binary) error {
	if n := len(b.data); n > maxBinary {
		return fmt.Errorf("%s for %s has %d bytes, more than %d; \"go tool nm -size -sort size\" shows what is linked", b.program, b.platform, n, maxBinary)
	}
	return nil
}

func megabytes(n int) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
