package crash_test

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// watch calls change with the number of each change below dir until the returned function is called, which
// returns the number of changes.
func watch(t testing.TB, dir string, change func(n int)) (stop func() int) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	in := os.NewFile(uintptr(fd), "inotify")
	folders := map[int32]string{}
	add := func(path string) {
		const mask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE
		if wd, err := unix.InotifyAddWatch(fd, path, mask); err == nil {
			folders[int32(wd)] = path
		}
	}
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			add(path)
		}
		return nil
	})
	var n atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			size, err := in.Read(buf)
			if err != nil {
				return
			}
			for b := buf[:size]; len(b) >= unix.SizeofInotifyEvent; {
				wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
				length := int(binary.NativeEndian.Uint32(b[12:]))
				name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length]), "\x00")
				b = b[unix.SizeofInotifyEvent+length:]
				if mask&unix.IN_ISDIR != 0 && mask&unix.IN_CREATE != 0 {
					add(filepath.Join(folders[wd], name))
				}
				if mask&unix.IN_IGNORED == 0 {
					change(int(n.Add(1)))
				}
			}
		}
	}()
	return func() int {
		in.Close()
		<-done
		return int(n.Load())
	}
}
