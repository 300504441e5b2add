package pgtest

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ProcessorTime returns the processor time of the server and its processes; 0 if the system does not
// report it.
func (s *Server) ProcessorTime() time.Duration { return ProcessorTime(s.Pid()) }

// ProcessorTime returns the processor time of a process and its children; 0 if the system does not
// report it.
func ProcessorTime(pid int) (total time.Duration) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		f, err := os.Open(path)
		if err != nil {
			continue // it has ended
		}
		stat, _ := io.ReadAll(f)
		f.Close()
		_, rest, _ := strings.Cut(string(stat), ") ") // behind the name
		fields := strings.Fields(rest)
		if len(fields) < 15 {
			continue
		}
		ticks := func(i int) time.Duration {
			n, _ := strconv.ParseInt(fields[i], 10, 64)
			return time.Duration(n) * 10 * time.Millisecond
		}
		own := filepath.Base(filepath.Dir(path)) == strconv.Itoa(pid)
		if own || fields[1] == strconv.Itoa(pid) {
			total += ticks(11) + ticks(12)
		}
		if own { // children that have ended
			total += ticks(13) + ticks(14)
		}
	}
	return total
}
