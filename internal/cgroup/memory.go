// Package cgroup reads the limits of the control groups of this process.
package cgroup

import (
	"bytes"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// Memory is a limit for the Go runtime. The zero value is no limit.
type Memory struct {
	limit int64
	from  string // the file that holds the limit, of which this is nine tenths
}

// LimitMemory sets the memory limit of the Go runtime to nine tenths of the limit of the
// control group, so that garbage is collected before the kernel kills the process. It does
// nothing if the environment has a limit already; gomemlimit is the value of GOMEMLIMIT. root is the
// root of the file system.
func LimitMemory(gomemlimit string, root fs.FS) Memory {
	if gomemlimit != "" {
		return Memory{}
	}
	limit, from := memoryLimit(root)
	if limit == 0 {
		return Memory{}
	}
	m := Memory{limit: limit / 10 * 9, from: "/" + from}
	debug.SetMemoryLimit(m.limit)
	return m
}

// Log logs the limit, if there is one.
func (m Memory) Log(to *slog.Logger) {
	if m.limit > 0 {
		to.Info("memory is limited by the control group", "gomemlimit_bytes", m.limit, "from", m.from)
	}
}

// Root returns the root of the file system of this process.
func Root() fs.FS { return os.DirFS("/") }

// memoryLimit returns the lowest memory limit, in bytes, of the control groups of this
// process, and the file that has it. It returns 0 if there is no limit. It reads both versions
// of control groups, because a machine can use both.
func memoryLimit(root fs.FS) (limit int64, from string) {
	limit = math.MaxInt64
	for _, group := range memoryGroups(root) {
		for dir := group.path; ; dir = path.Dir(dir) {
			for _, name := range group.files {
				file := path.Join(group.mount, dir, name)
				if n, ok := readLimit(root, file); ok && n < limit {
					limit, from = n, file
				}
			}
			if dir == "/" {
				break
			}
		}
	}
	if from == "" {
		return 0, ""
	}
	return limit, from
}

// memoryGroup is a control group that accounts for memory. The groups above it limit it as
// well.
type memoryGroup struct {
	mount, path string
	files       []string
}

// memoryGroups parses /proc/self/cgroup. Its lines are number:controllers:path; number 0 is
// version 2 and has no controllers. In a container that does not see the tree of the host, the
// path may not exist; the limit of the container is then at the top.
func memoryGroups(root fs.FS) []memoryGroup {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var groups []memoryGroup
	for line := range bytes.Lines(text) {
		fields := strings.SplitN(strings.TrimRight(string(line), "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		at := path.Clean("/" + fields[2])
		if fields[0] == "0" {
			v2 := []string{"memory.max", "memory.high"}
			groups = append(groups, memoryGroup{"sys/fs/cgroup", at, v2}, memoryGroup{"sys/fs/cgroup/unified", at, v2})
			continue
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			if controller == "memory" {
				groups = append(groups, memoryGroup{"sys/fs/cgroup/memory", at, []string{"memory.limit_in_bytes"}})
			}
		}
	}
	return groups
}

// unlimited is a bound above which a number means "no limit": version 1 uses the largest
// number of whole pages.
const unlimited = math.MaxInt64 / 2

func readLimit(root fs.FS, file string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil && n > 0 && n < unlimited // "max" is no number
}
