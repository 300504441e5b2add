//go:build unix

package writer_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"baton"
	"baton/internal/disk/disktest"
	"baton/internal/longtest"
)

// These tests run parts of themselves in a child process. This variable tells the child its task.
const child = "C1Z_TEST_CHILD"

func startChild(t *testing.T, test, task string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), child+"="+task)
	return cmd
}

// incompressible returns rows that fill a disk.
func incompressible(n int) []writer.Row {
	r := rand.New(rand.NewPCG(1, 2))
	var rows []writer.Row
	for i := range n {
		noise := make([]byte, 4000)
		for j := range noise {
			noise[j] = byte('!' + r.IntN(90))
		}
		a := fixture.Account(fmt.Sprint("noise", i), string(noise))
		rows = append(rows, fixture.Row(writer.ResourceRow(a)))
	}
	return rows
}

// TestFullScratch runs out of space while grants are added. For a program, a limit on the size of files is
// the same as a full disk.
func TestFullScratch(t *testing.T) {
	if path := os.Getenv(child); path != "" {
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		w := fixture.Create(t, path, fixture.Full(fixture.Second), nil)
		for _, r := range incompressible(12_000) {
			g := baton.Grant{ID: baton.GrantID{Entitlement: fixture.Member, Principal: r.ResourceID()}, ResourceName: hex.EncodeToString(r.Data())}
			if err := w.Add(fixture.Row(writer.GrantRow(g))); err != nil {
				storageError(t, err)
				if _, err := w.Seal(context.Background(), fixture.Ended(fixture.Second)); err == nil {
					t.Error("sealed all the same")
				}
				return
			}
		}
		t.Fatal("everything fitted")
	}
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := startChild(t, "TestFullScratch", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	unchanged(t, path, before)
}

func storageError(t *testing.T, err error) {
	t.Helper()
	if baton.KindOf(err) != baton.Storage || strings.Contains(err.Error(), "\n") || baton.FixOf(err) == "" {
		t.Errorf("%v (%v), fix %q", err, baton.KindOf(err), baton.FixOf(err))
	}
}

// killAt is the variable with the disk operation at which the child of TestKilled dies.
const killAt = "C1Z_TEST_KILL_AT"

// TestKilled kills a process that seals one sync after another, each time at a later disk operation: there is
// always a complete file, and the next process continues with it.
func TestKilled(t *testing.T) {
	if path := os.Getenv(child); path != "" {
		at, err := strconv.Atoi(os.Getenv(killAt))
		for err == nil {
			_, err = sealThree(path, func(n int) {
				if n == at {
					syscall.Kill(os.Getpid(), syscall.SIGKILL)
					select {}
				}
			})
		}
		fmt.Println(err)
		os.Exit(1)
	}
	operations, err := sealThree(filepath.Join(t.TempDir(), "sync.c1z"), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	deaths := longtest.Pick(6, 20)
	for i := range deaths {
		cmd := startChild(t, "TestKilled", path)
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", killAt, 1+i*operations/deaths))
		out, err := cmd.CombinedOutput()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL || len(out) > 0 {
			t.Fatalf("after %d kills: %v\n%s", i, err, out)
		}
		fixture.CheckSmallSync(t, fixture.Latest(t, path).Facts(t.Context()))
	}
}

// sealThree seals three syncs and returns the number of disk operations. before is called with the number of
// each.
func sealThree(path string, before func(n int)) (operations int, err error) {
	fsys, err := disktest.New(filepath.Dir(path))
	if err != nil {
		return 0, err
	}
	fsys.Before = func(disktest.Call) {
		operations++
		before(operations)
	}
	for _, id := range []string{fixture.First, fixture.Second, fixture.Third} {
		opt := fixture.Full(id)
		opt.Disk = fsys
		w, err := writer.Create(path, opt)
		if err != nil {
			return operations, err
		}
		for _, r := range append(fixture.SmallSync(), incompressible(50)...) {
			if err := w.Add(r); err != nil {
				return operations, errors.Join(err, w.Abort())
			}
		}
		if _, err := w.Seal(context.Background(), fixture.Ended(id)); err != nil {
			return operations, err
		}
	}
	return operations, nil
}

func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	_, err := writer.Create(filepath.Join(missing, "sync.c1z"), fixture.Full(fixture.First))
	storageError(t, err)
	opt := fixture.Full(fixture.First)
	opt.TempDir = missing
	_, err = writer.Create(filepath.Join(dir, "sync.c1z"), opt)
	storageError(t, err)
	opt.TempDir = dir
	// The error comes late, after everything else was written.
	_, err = fixture.Create(t, filepath.Join(missing, "sync.c1z"), opt, fixture.SmallSync()).Seal(context.Background(), fixture.Ended(fixture.First))
	storageError(t, err)

	if os.Getuid() == 0 {
		return // root ignores permissions
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	opt.TempDir = t.TempDir()
	_, err = fixture.Create(t, filepath.Join(dir, "sync.c1z"), opt, fixture.SmallSync()).Seal(context.Background(), fixture.Ended(fixture.First))
	storageError(t, err)
}
