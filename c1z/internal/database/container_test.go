package database

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"baton"
	"baton/c1z/internal/schema"
	"baton/internal/disk"
)

// TestUnpackLimit: a frame that does not state its size stops at the limit.
func TestUnpackLimit(t *testing.T) {
	dir := t.TempDir()
	var file bytes.Buffer
	file.WriteString(Magic)
	enc, err := zstd.NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	database := append([]byte(databaseMagic+"\x10\x00\x01\x01"), make([]byte, 1<<20)...)
	if _, err := enc.Write(database); err != nil {
		t.Fatal(err)
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sync.c1z")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	exact := limits{window: 8 << 20, decoded: uint64(len(database))}
	s, err := unpackFile(path, dir, exact)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	exact.decoded--
	_, err = unpackFile(path, dir, exact)
	if baton.KindOf(err) != baton.Unsupported || !strings.Contains(err.Error(), "the limit is 1048595 bytes") {
		t.Errorf("got %v", err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// TestParseTime parses times in the forms of existing files.
func TestParseTime(t *testing.T) {
	for _, text := range []string{"2024-03-01 10:00:00", "2024-03-01 10:00:00.5", "2024-03-01 10:00:00.000000001"} {
		parsed, err := ParseTime(text)
		if err != nil || schema.FormatTime(parsed) != text {
			t.Errorf("%s became %s, %v", text, schema.FormatTime(parsed), err)
		}
	}
	want := time.Date(2024, 3, 1, 10, 0, 0, 500_000_000, time.UTC)
	for _, text := range []string{"2024-03-01 10:00:00.5", "2024-03-01T10:00:00.5Z", "2024-03-01 11:00:00.5+01:00", "2024-03-01T10:00:00.5",
		"2024-03-01 10:00:00.5 +0000 UTC", "2024-03-01 12:00:00.5 +0200 CEST m=+0.013", "2024-03-01 15:30:00.5 +0530 +0530", "2024-03-01 10:00:00.5 +00:00"} {
		if got, err := ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "2024-13-01 10:00:00", "2024-03-01 10:00:00 tomorrow"} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func unpackFile(path, dir string, max limits) (*disk.Scratch, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	s, _, err := unpack(context.Background(), disk.OS{}, in, path, dir, max)
	return s, err
}
