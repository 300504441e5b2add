package cli

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

// memory is how much of it the Go runtime may use, and who says so. The zero value is
// nobody.
type memory struct {
	limit int64
	from  string // the file that holds the limit, of which this is nine tenths
}

// limitMemory tells the Go runtime of the memory limit of the control group that the
// process lives in, so that it collects garbage in time instead of being killed. What
// GOMEMLIMIT says, the runtime has read already, and it stays.
func limitMemory(env map[string]string, root fs.FS) memory {
	if env["GOMEMLIMIT"] != "" {
		return memory{}
	}
	limit, from := memoryLimit(root)
	if limit == 0 {
		return memory{}
	}
	m := memory{limit: limit / 10 * 9, from: "/" + from}
	debug.SetMemoryLimit(m.limit)
	return m
}

// log says what the limit is; without one there is nothing to say.
func (m memory) log(to *slog.Logger) {
	if m.limit > 0 {
		to.Info("memory is limited by the control group", "gomemlimit_bytes", m.limit, "from", m.from)
	}
}

// systemRoot is where limitMemory looks: the real files.
func systemRoot() fs.FS { return os.DirFS("/") }

// memoryLimit is the lowest memory limit in bytes that a control group of this process
// has, and its file; 0 when there is none. Both versions of control groups are asked,
// for a machine can have both.
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

// memoryGroup is a control group that accounts for memory. The groups above it limit
// it, too.
type memoryGroup struct {
	mount, path string
	files       []string
}

// memoryGroups reads /proc/self/cgroup. Its lines are number:controllers:path; number 0
// is version 2, which has no controllers here. In a container that does not see the
// host's tree the path may lead nowhere, and the container's own limit is at the top.
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

// unlimited is where numbers begin that mean "no limit": version 1 writes the largest
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
