// Package programs builds the programs of this tree once for all tests that start them.
package programs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"baton/internal/disk"
)

// Build builds every program below cmd and returns the folder with the binaries. They are
// kept in bin/test of the tree: the go command links a binary anew only when its code
// changed. Where the tree cannot be written, the folder is temporary; remove deletes that.
func Build() (dir string, remove func(), err error) {
	root, err := moduleRoot()
	if err != nil {
		return "", nil, err
	}
	dir, remove = filepath.Join(root, "bin", "test"), func() {}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		temporary, err := os.MkdirTemp("", "baton-programs-")
		if err != nil {
			return "", nil, err
		}
		dir, remove = temporary, func() { os.RemoveAll(temporary) }
	}
	lock, err := acquire(filepath.Join(dir, ".lock"))
	if err != nil {
		remove()
		return "", nil, err
	}
	defer lock.Release()
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-w", "-o", dir+string(filepath.Separator), "./cmd/...")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, remove, nil
}

// acquire waits for the lock, because the tests of several packages run at the same time.
func acquire(path string) (*disk.Lock, error) {
	for until := time.Now().Add(5 * time.Minute); ; {
		lock, err := disk.Acquire(disk.OS{}, path)
		if !errors.Is(err, disk.ErrLocked) || time.Now().After(until) {
			return lock, err
		}
		<-time.After(50 * time.Millisecond)
	}
}

// moduleRoot returns the folder of go.mod, at or above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod at or above the working directory")
		}
	}
	return "", err
}
