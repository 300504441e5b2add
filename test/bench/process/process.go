// Package process runs a command and measures it with all its descendants: wall and CPU time, memory, bytes
// written to disk.
//
// A connector may consist of several processes, and a parent may end without waiting for its children.
// getrusage of the parent then misses a part. So the measuring process becomes the subreaper of its
// descendants: each process is accounted for either by its parent or by the measuring process, and no CPU
// time is lost. The kernel keeps no account of the current memory of a process tree; that is sampled from
// /proc.
package process

import (
	"os"
	"time"
)

// Command is a command to run.
type Command struct {
	Path string
	Args []string
	Env  []string // the whole environment; nothing is inherited
	Dir  string
	// Stdout and Stderr receive the output of the command; nil discards it. They are files, so that nothing
	// waits for a process that holds one open.
	Stdout, Stderr *os.File
}

// Usage is the cost of a run, over all its processes.
type Usage struct {
	Wall time.Duration
	CPU  time.Duration // user and system
	// Memory is the peak memory of the tree, in bytes. For one process it is the kernel's high-water mark.
	// For several it is the largest sampled sum, in which shared pages count once, so it may be slightly too
	// low.
	Memory    int64
	Written   int64 // bytes that went to file systems, as the kernel accounts for them
	Processes int   // lower bound of the number of processes
}
