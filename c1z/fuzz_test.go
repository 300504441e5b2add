package c1z_test

import (
	"baton/c1z/internal/fixture"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton"
	"baton/c1z"
)

// FuzzOpen reads files with arbitrary content: the file is refused with a classified error on one line, or
// its rows are read or refused one by one.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "sync.c1z")
	fixture.Write(f, path, fixture.Full(fixture.First), fixture.SmallSync())
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:40])
	f.Add([]byte("C1Z3\x00"))
	f.Add([]byte("C1ZF\x00\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, b []byte) { tryOpen(t, b) })
}

// FuzzDatabase overwrites parts of a valid database in a valid container.
func FuzzDatabase(f *testing.F) {
	path := filepath.Join(f.TempDir(), "sync.c1z")
	fixture.Write(f, path, fixture.Full(fixture.First), fixture.SmallSync())
	db := fixture.Database(f, path)
	f.Add(0, []byte("SQLite format 3"))
	f.Add(100, []byte{0x0d, 0, 0, 0, 1})
	f.Add(4096, []byte{0xff})
	f.Fuzz(func(t *testing.T, at int, b []byte) {
		damaged := append([]byte(nil), db...)
		copy(damaged[uint(at)%uint(len(damaged)):], b)
		tryOpen(t, fixture.Contain(t, damaged))
	})
}

func tryOpen(t *testing.T, content []byte) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := c1z.Opener{TempDir: dir}.Open(t.Context(), path)
	if err == nil {
		err = readEverything(f)
		if e := f.Close(); e != nil {
			t.Errorf("close: %v", e)
		}
	}
	if err != nil {
		switch kind := baton.KindOf(err); kind {
		case baton.NotFound, baton.Corrupt, baton.Unsupported, baton.Storage:
		default:
			t.Errorf("%v: %v", kind, err)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %q", err)
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
