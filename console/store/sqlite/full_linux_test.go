package sqlite_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/sqlite"
)

// fullDisk is the variable with the folder of the process that fills its disk.
const fullDisk = "BATON_TEST_FULL_DISK"

// TestFullDisk fills the disk of the data folder with commands and with chunks of sync files, in a mount
// namespace. What fails leaves nothing behind, reading goes on, and with more space writing does, too.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(fullDisk); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
			t.Skip(err)
		}
		fillDisk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), fullDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit), strings.Contains(string(out), "--- SKIP"):
		t.Skipf("this system gives no namespace to fill a disk in: %v\n%s", err, out)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
}

const chunkSize = 64 << 10

// fillDisk adds an application and a chunk of a file in each command, until one fails.
func fillDisk(t *testing.T, dir string) {
	ctx := context.Background()
	config := sqlite.Config{Path: filepath.Join(dir, "console.db"), Now: noon}
	s, err := sqlite.Open(ctx, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	by := console.By{At: noon, Actor: console.Console}
	file := console.ID(ksuid.New().String())
	add := func(n int) error {
		chunk := make([]byte, chunkSize)
		for i := range chunk[:len(chunk)/32] { // not compressible, and not the same twice
			sum := sha256.Sum256(fmt.Append(nil, n, i))
			copy(chunk[i*32:], sum[:])
		}
		return s.Update(ctx, by, func(tx *store.Tx) error {
			if n == 0 {
				if err := tx.BeginFile(file); err != nil {
					return err
				}
			}
			if _, err := tx.AddApp(console.App{Name: fmt.Sprint("app ", n)}); err != nil {
				return err
			}
			return tx.AppendFile(file, n, chunk)
		})
	}
	// check checks that the store has the applications, chunks and events of n commands.
	check := func(n int) {
		t.Helper()
		var apps, chunks int
		err := s.View(ctx, func(tx *store.Tx) error {
			list, err := tx.Apps(store.NameAfter{}, store.PageSize)
			apps = len(list)
			if err != nil {
				return err
			}
			f, err := tx.File(file)
			if chunks = f.Chunks; f.Size != int64(chunks)*chunkSize {
				t.Errorf("%d chunks have %d bytes", chunks, f.Size)
			}
			return err
		})
		if err != nil || apps != n || chunks != n {
			t.Errorf("%d applications and %d chunks after %d commands, %v", apps, chunks, n, err)
		}
		if r, err := s.VerifyChain(ctx); err != nil || len(r.Faults) > 0 || r.Head.Number != 2*int64(n) { // each command writes two events
			t.Errorf("the chain after %d commands: %+v, %v", n, r, err)
		}
	}
	n := 0
	for ; ; n++ {
		if err = add(n); err != nil {
			break
		}
		if n == 1000 {
			t.Fatal("the disk is never full")
		}
	}
	text, fix, away := store.Away(err)
	if baton.KindOf(err) != baton.Storage || !away || !strings.Contains(text, "full") || !strings.Contains(baton.FixOf(err), "Free space") || fix == "" {
		t.Errorf("on a full disk: %v (%v), %q", err, baton.KindOf(err), text)
	}
	for range 3 { // it stays so
		if err := add(n); baton.KindOf(err) != baton.Storage {
			t.Errorf("again: %v", err)
		}
	}
	check(n)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=32m"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := add(n); err != nil {
			t.Fatalf("with more space: %v", err)
		}
		n++
	}
	check(n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = sqlite.Open(ctx, config, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check(n)
}
