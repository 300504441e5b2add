package writer_test

import (
	"baton/c1z/internal/c1ztest"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk runs out of space while the finished database is packed: in a mount
// namespace of its own, on a file system that is too small.
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
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	opt := c1ztest.Full(c1ztest.Second)
	opt.TempDir = t.TempDir()
	_, err = c1ztest.Create(t, path, opt, incompressible(300)).Seal(context.Background(), c1ztest.Ended(c1ztest.Second))
	storageError(t, err)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path+".tmp") {
		t.Errorf("it failed somewhere else: %v", err)
	}
	unchanged(t, path, before)
	c1ztest.CheckSmallSync(t, c1ztest.Latest(t, path).Facts(t.Context()))
}
