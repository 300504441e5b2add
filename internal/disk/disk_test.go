package disk_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"baton"
	"baton/internal/disk"
	"baton/internal/disk/disktest"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func text(w io.Writer) error {
	for range 3 {
		if _, err := io.WriteString(w, "new "); err != nil {
			return err
		}
	}
	return nil
}

// TestReplace: only the new file exists, complete and readable only by its owner.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path+".tmp", "of a process that was killed")
	for range 2 {
		if n, err := disk.Replace(disk.OS{}, path, text); n != 12 || err != nil {
			t.Fatal(n, err)
		}
	}
	if b, err := os.ReadFile(path); string(b) != "new new new " {
		t.Errorf("%q, %v", b, err)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

// TestReplaceFails fails each operation of a replacement in turn: the old file remains and the new one is
// removed. Only the flush of the folder fails too late for that.
func TestReplaceFails(t *testing.T) {
	seen := map[disktest.Op]bool{}
	for _, op := range disktest.Ops() {
		for k := 1; ; k++ {
			root := t.TempDir()
			path := filepath.Join(root, "file")
			write(t, path, "old")
			d, err := disktest.New(root, disktest.Fault{Op: op, Nth: k, Err: syscall.ENOSPC, Short: true})
			if err != nil {
				t.Fatal(err)
			}
			_, err = disk.Replace(d, path, text)
			if len(d.Failed()) == 0 {
				break
			}
			seen[op] = true
			where := fmt.Sprint(op, " ", k)
			if baton.KindOf(err) != baton.Storage || !strings.Contains(baton.FixOf(err), "Free some space") || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v (fix %q)", where, err, baton.FixOf(err))
			}
			want := "old"
			if op == disktest.SyncDir {
				want = "new new new "
			}
			if b, err := os.ReadFile(path); string(b) != want {
				t.Errorf("%s: %q, %v", where, b, err)
			}
			if left, _ := os.ReadDir(root); len(left) != 1 {
				t.Errorf("%s: left: %v", where, left)
			}
		}
	}
	for _, op := range []disktest.Op{disktest.Open, disktest.Write, disktest.Sync, disktest.Close, disktest.Rename, disktest.Remove, disktest.SyncDir} {
		if !seen[op] {
			t.Errorf("there was no %s to fail", op)
		}
	}
}

// TestReplaceCut cuts the power at every operation of a replacement: the old file or the new one remains. A
// replacement that does not flush fails the same test.
func TestReplaceCut(t *testing.T) {
	tornIn := func(fsys func(disk.FS) disk.FS) (torn []string) {
		root := t.TempDir()
		path := filepath.Join(root, "file")
		write(t, path, "old")
		d, err := disktest.New(root)
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		look := func(c disktest.Call) {
			calls++
			for _, cut := range disktest.Cuts() {
				image, err := d.Image(cut, uint64(calls))
				if err != nil {
					t.Fatal(err)
				}
				if b := image["file"]; string(b) != "old" && string(b) != "new new new " {
					torn = append(torn, fmt.Sprintf("before %s of %s, %s: %q", c.Op, filepath.Base(c.Name), cut, b))
				}
			}
		}
		d.Before = look
		if _, err := disk.Replace(fsys(d), path, text); err != nil {
			t.Fatal(err)
		}
		look(disktest.Call{Op: "end"})
		return torn
	}
	if torn := tornIn(func(d disk.FS) disk.FS { return d }); len(torn) > 0 {
		t.Errorf("torn: %q", torn)
	}
	if torn := tornIn(func(d disk.FS) disk.FS { return unflushed{d} }); len(torn) == 0 {
		t.Error("nothing is torn without a flush, so this test shows nothing")
	}
}

// unflushed is a disk that never flushes a file.
type unflushed struct{ disk.FS }

type unflushedFile struct{ disk.File }

func (u unflushed) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := u.FS.OpenFile(name, flag, perm)
	return unflushedFile{f}, err
}

func (unflushedFile) Sync() error { return nil }

// TestReplaceBlocked: a directory has the name of the new file, or of the old one.
func TestReplaceBlocked(t *testing.T) {
	for _, name := range []string{"file.tmp/full", "file/full"} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := disk.Replace(disk.OS{}, filepath.Join(dir, "file"), text)
		if baton.KindOf(err) != baton.Storage || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for err, want := range map[error]string{
		fs.ErrPermission: "writable for this user",
		fs.ErrNotExist:   "Create the folder /of first",
		io.ErrShortWrite: "Check the disk of /of",
		&os.LinkError{Op: "rename", Old: "a", New: "b", Err: fs.ErrPermission}: "writable for this user",
	} {
		got := disk.Errorf(err, filepath.FromSlash("/of/file"), "write %s", "/of/file")
		if baton.KindOf(got) != baton.Storage || !errors.Is(got, err) && !strings.Contains(got.Error(), fs.ErrPermission.Error()) {
			t.Errorf("%v became %v", err, got)
		}
		if fix := filepath.ToSlash(baton.FixOf(got)); !strings.Contains(fix, want) {
			t.Errorf("%v is fixed by %q, not by %q", err, fix, want)
		}
	}
	refused := baton.Errorf(baton.Refused, "no")
	if got := disk.Errorf(fmt.Errorf("behind: %w", refused), "file", "write"); baton.KindOf(got) != baton.Refused {
		t.Errorf("a classified error became %v", got)
	}
	if got := disk.Errorf(nil, "file", "write"); got != nil {
		t.Errorf("no error became %v", got)
	}
}

// TestLock: there is one holder at a time, whatever file is at the path.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := disk.Acquire(disk.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Acquire(disk.OS{}, path); !errors.Is(err, disk.ErrLocked) {
		t.Fatalf("the second holder got %v", err)
	}
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock stays: %v", err)
	}
	for range 2 {
		l, err := disk.Acquire(disk.OS{}, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestScratch: the file is gone after Close, and its name after Hide.
func TestScratch(t *testing.T) {
	dir := t.TempDir()
	for _, hide := range []bool{true, false} {
		s, err := disk.NewScratch(disk.OS{}, dir, ".scratch-")
		if err != nil {
			t.Fatal(err)
		}
		if hide {
			s.Hide()
		}
		left, _ := os.ReadDir(dir)
		if gone := len(left) == 0; gone != (hide && runtime.GOOS != "windows") {
			t.Errorf("hidden %t, and there is %v", hide, left)
		}
		if _, err := s.WriteAt([]byte("text"), 0); err != nil {
			t.Error(err)
		}
		b := make([]byte, 4)
		if _, err := s.ReadAt(b, 0); string(b) != "text" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
	if _, err := disk.NewScratch(disk.OS{}, filepath.Join(dir, "missing"), ".scratch-"); baton.KindOf(err) != baton.Storage || !strings.Contains(baton.FixOf(err), "Create the folder") {
		t.Errorf("%v, fix %q", err, baton.FixOf(err))
	}
}
