package crash_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk lets the real programs run out of space: by a limit on the size of files, which every system
// has, and on a file system that is too small, if one can be mounted. The file stays unchanged, and the exit
// code and the advice give the reason.
func TestFullDisk(t *testing.T) {
	for _, tn := range tenants(t) {
		old, want := tn.undisturbed(t)
		for how, limit := range map[string]string{
			"a limit":    `ulimit -f %d; exec "$@"`,
			"a full one": `mount -t tmpfs -o size=%d full "$DIR" && cp "$OLD" "$DIR/sync.c1z" || exit 77; "$@"; code=$?; cmp "$OLD" "$DIR/sync.c1z" || exit 78; exit $code`,
		} {
			t.Run(tn.name+", "+how, func(t *testing.T) {
				dir := t.TempDir()
				path, before := filepath.Join(dir, "sync.c1z"), filepath.Join(t.TempDir(), "old")
				writeFile(t, before, old)
				writeFile(t, path, old)
				v := newVictim(t, tn, "/bin/sh", "DIR="+dir, "OLD="+before)
				size := 16 // blocks of 512 bytes
				mounts := how != "a limit"
				if mounts {
					size = (len(old)/4096 + 4) * 4096
					v.attr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
						UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
						GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
				}
				l, err := v.begin(moment{}, "", "-c", fmt.Sprintf(limit, size), "sh", program(t, tn.name), "--file", path)
				if err != nil && mounts {
					t.Skipf("this system gives no namespace to mount in, and the limit has to do: %v", err)
				} else if err != nil {
					t.Fatal(err)
				}
				killed, code := l.end(t)
				message := l.stderr.String()
				if mounts && code == 77 {
					t.Skipf("this system mounts nothing for us, and the limit has to do: %s", message)
				}
				if killed || code != 8 || !strings.Contains(message, "space") && !strings.Contains(message, "limit on the size") {
					t.Errorf("it ends with %d: %s", code, message)
				}
				if string(mustRead(t, path)) != string(old) {
					t.Error("the file is not what it was")
				}
				if mounts {
					return // the disk ended with the process
				}
				if bad := tn.ends(t.Context(), path, want); bad != "" {
					t.Error(bad)
				}
			})
		}
	}
}
