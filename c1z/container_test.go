package c1z

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"baton"
	"baton/internal/disk"
)

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
	s, _, err := unpack(disk.OS{}, path, dir, exact)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	exact.decoded--
	_, _, err = unpack(disk.OS{}, path, dir, exact)
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
