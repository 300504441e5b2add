package c1z

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"

	"baton"
)

// TestReplaceFails: whatever goes wrong while the new file is written, the old one
// stays and the new one goes.
func TestReplaceFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := replace(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, "half of the n"); err != nil {
			return err
		}
		return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	})
	if baton.KindOf(err) != baton.Storage || !strings.Contains(baton.FixOf(err), "Free some space") {
		t.Errorf("got %v, fix %q", err, baton.FixOf(err))
	}
	if b, err := os.ReadFile(path); string(b) != "old" {
		t.Errorf("the old file is %q, %v", b, err)
	}
	if _, err := os.Stat(path + ".tmp"); !os.IsNotExist(err) {
		t.Errorf("the new file is still there: %v", err)
	}
}

// TestReplaceBlocked: a directory in the way of the new file, or of the old one.
func TestReplaceBlocked(t *testing.T) {
	for _, name := range []string{"sync.c1z.tmp/full", "sync.c1z/full"} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "sync.c1z")
		_, err := replace(path, func(w io.Writer) error { return nil })
		if baton.KindOf(err) != baton.Storage || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPack: one frame that says how much is in it, with a window that every reader
// accepts.
func TestPack(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB, more than a window
	var out bytes.Buffer
	if err := pack(&out, bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
	frame, ok := bytes.CutPrefix(out.Bytes(), []byte(magic))
	if !ok {
		t.Fatalf("begins with %x", out.Bytes()[:5])
	}
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		t.Fatal(err)
	}
	if !h.HasFCS || h.FrameContentSize != uint64(len(content)) || h.WindowSize > 8<<20 || !h.HasCheckSum {
		t.Errorf("header %+v", h)
	}
}

// TestUnpackLimit: a frame that does not say how large it is stops at the limit.
func TestUnpackLimit(t *testing.T) {
	dir := t.TempDir()
	var file bytes.Buffer
	file.WriteString(magic)
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
	s, err := unpack(path, dir, exact)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	exact.decoded--
	_, err = unpack(path, dir, exact)
	if baton.KindOf(err) != baton.Unsupported || !strings.Contains(err.Error(), "the limit is 1048595 bytes") {
		t.Errorf("got %v", err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestFormatTime(t *testing.T) {
	for _, text := range []string{"2024-03-01 10:00:00", "2024-03-01 10:00:00.5", "2024-03-01 10:00:00.000000001"} {
		parsed, err := parseTime(text)
		if err != nil || formatTime(parsed) != text {
			t.Errorf("%s became %s, %v", text, formatTime(parsed), err)
		}
	}
}
