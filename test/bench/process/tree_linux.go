package process

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tree is a process and all its descendants seen so far.
type tree struct {
	root int
	seen map[int]bool
	now  []int // the existing ones

	water     int64 // high water mark of the root, as last read
	resident  int64 // largest sum of resident sets at the last call of proportional
	shared    int64 // largest sum of several processes with shared pages counted once
	page      int64
	ourselves int
}

func newTree(root int) *tree {
	return &tree{root: root, seen: map[int]bool{root: true}, now: []int{root}, page: int64(os.Getpagesize()), ourselves: os.Getpid()}
}

// watch samples until stop is closed, and once more.
func (t *tree) watch(stop <-chan struct{}) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for last := false; ; {
		t.look()
		t.sample()
		if last {
			return
		}
		select {
		case <-stop:
			last = true
		case <-ticker.C:
		}
	}
}

// look finds the processes of the tree. A process whose parent died becomes our child, and belongs to the
// tree if it was seen in it.
func (t *tree) look() {
	found := []int{t.root}
	for i := 0; i < len(found); i++ {
		for _, child := range children(found[i]) {
			if !slices.Contains(found, child) {
				found = append(found, child)
			}
		}
		if i == len(found)-1 && len(t.seen) > 1 {
			for _, process := range t.adopted() {
				if !slices.Contains(found, process) {
					found = append(found, process)
				}
			}
		}
	}
	for _, pid := range found {
		t.seen[pid] = true
	}
	t.now = found
}

// adopted returns the processes of the tree that the measuring process has adopted.
func (t *tree) adopted() []int {
	var left []int
	for _, pid := range children(t.ourselves) {
		if pid != t.root && t.seen[pid] {
			left = append(left, pid)
		}
	}
	return left
}

// sample records the tree's memory. The exact sum of several processes is expensive, because the kernel walks
// their page tables, so it is read only when the rough sum has grown.
func (t *tree) sample() {
	if mark := field(t.root, "status", "VmHWM:"); mark > 0 {
		t.water = mark << 10
	}
	if len(t.now) < 2 {
		return
	}
	var sum int64
	for _, pid := range t.now {
		sum += t.rough(pid)
	}
	if sum > t.resident+t.resident/100 || t.shared == 0 {
		t.resident = max(t.resident, sum)
		t.shared = max(t.shared, t.proportional())
	}
}

// proportional returns the exact sum, in which each page counts for its share.
func (t *tree) proportional() int64 {
	var sum int64
	for _, pid := range t.now {
		sum += field(pid, "smaps_rollup", "Pss:") << 10
	}
	return sum
}

// margin exceeds the error of the kernel's page counts of a process.
const margin = 4 << 20

// memory returns the peak. The kernel's mark for a process that has ended includes the time before exec, when
// it was a copy of the measuring process. So the mark only counts if it is larger than that copy.
func (t *tree) memory(mark int64) int64 {
	if len(t.seen) > 1 {
		return max(t.shared, t.water)
	}
	if ours := field(t.ourselves, "status", "VmHWM:") << 10; mark > ours+margin {
		return mark
	}
	return t.water
}

// rough returns a process's resident set.
func (t *tree) rough(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0 // it has ended
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * t.page
}

// children returns the processes that a process has started, by any of its threads, or adopted.
func children(pid int) []int {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil // it has ended
	}
	var all []int
	for _, thread := range threads {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		if err != nil {
			continue // the thread has ended
		}
		for _, word := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}

// field returns the number after a label in one of a process's files, or 0.
func field(pid int, file, label string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, label); ok {
			words := strings.Fields(rest)
			if len(words) == 0 {
				return 0
			}
			n, _ := strconv.ParseInt(words[0], 10, 64)
			return n
		}
	}
	return 0
}
