package writer_test

import (
	"baton/c1z/internal/fixture"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk runs out of space while the finished database is compressed: in a mount namespace, on a file
// system that is too small.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(child); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
			t.Skip(err)
		}
		fillDisk(t, filepath.Join(dir, "sync.c1z"))
		return
	}
	cmd := startChild(t, "TestFullDisk", t.TempDir())
	cmd.Args = append(cmd.Args, "-test.v")
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

func fillDisk(t *testing.T, path string) {
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	opt := fixture.Full(fixture.Second)
	opt.TempDir = t.TempDir()
	_, err = fixture.Create(t, path, opt, incompressible(300)).Seal(context.Background(), fixture.Ended(fixture.Second))
	storageError(t, err)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path+".tmp") {
		t.Errorf("it failed somewhere else: %v", err)
	}
	unchanged(t, path, before)
	fixture.CheckSmallSync(t, fixture.Latest(t, path).Facts(t.Context()))
}
