//go:build unix

package disk_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"baton"
	"baton/internal/disk"
)

// TestOwnDir: a directory that another user prepared is refused.
func TestOwnDir(t *testing.T) {
	base := t.TempDir()
	in := func(name string) string { return filepath.Join(base, name) }
	perm := func(dir string) os.FileMode {
		t.Helper()
		info, err := os.Lstat(dir)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	for range 2 { // new, and existing
		if err := disk.OwnDir(nil, in("new")); err != nil || perm(in("new")) != 0o700 {
			t.Errorf("a new one: %v, mode %o", err, perm(in("new")))
		}
	}
	if err := os.Mkdir(in("open"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(in("open"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := disk.OwnDir(nil, in("open")); err != nil || perm(in("open")) != 0o700 {
		t.Errorf("one that everybody can write to: %v, mode %o", err, perm(in("open")))
	}
	if err := os.Mkdir(in("elsewhere"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(in("elsewhere"), in("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "file"} {
		if err := disk.OwnDir(nil, in(name)); baton.KindOf(err) != baton.Storage || baton.FixOf(err) == "" {
			t.Errorf("a %s: %v (fix: %s)", name, err, baton.FixOf(err))
		}
	}
	err := disk.OwnDir(nil, in("missing/dir"))
	if _, there := os.Lstat(in("missing")); baton.KindOf(err) != baton.Storage || there == nil ||
		err.Error() != "the folder "+in("missing")+" does not exist" || !strings.Contains(baton.FixOf(err), "Create it") {
		t.Errorf("in a folder that is missing: %v (fix: %s)", err, baton.FixOf(err))
	}
	if err := disk.OwnDir(nil, in("file/dir")); baton.KindOf(err) != baton.Storage || baton.FixOf(err) == "" {
		t.Errorf("in a file: %v (fix: %s)", err, baton.FixOf(err))
	}
	if os.Geteuid() != 0 {
		return // this user cannot create files of another user
	}
	if err := os.Mkdir(in("theirs"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Chown(in("theirs"), 12345, 12345); err != nil {
		t.Skip(err)
	}
	if err := disk.OwnDir(nil, in("theirs")); baton.KindOf(err) != baton.Storage {
		t.Errorf("another user's: %v", err)
	}
}

// TestPlanted: another user's file in a folder such as /tmp is not trusted.
func TestPlanted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only the administrator can make a file of another user's")
	}
	dir := filepath.Join(t.TempDir(), "tmp")
	file := filepath.Join(dir, ".baton.yaml")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		owner int
		mode  os.FileMode
		want  bool
	}{{0, 0o777, false}, {12345, 0o755, false}, {12345, 0o777, true}} {
		if err := os.Chown(file, tt.owner, tt.owner); err != nil {
			t.Skip(err)
		}
		if err := os.Chmod(dir, tt.mode); err != nil {
			t.Fatal(err)
		}
		if got := disk.Planted(file); got != tt.want {
			t.Errorf("owner %d, folder %o: %v", tt.owner, tt.mode, got)
		}
	}
}
