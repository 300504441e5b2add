// Package process runs a command and measures it with everything that it starts: wall
// and CPU time, memory, bytes written to disk.
//
// A connector may be several processes, and a parent may end without waiting for its
// children. What getrusage says of the parent is then a part only. So the measuring
// process makes itself the reaper of all orphans below it: each process of the tree
// ends either in its parent's account or in ours, and no CPU time is lost. How much
// memory a tree holds at one moment nobody accounts for; that is sampled from /proc.
package process

import (
	"os"
	"time"
)

// Command is a command to run.
type Command struct {
	Path string
	Args []string
	Env  []string // all of it: nothing is inherited
	Dir  string
	// Stdout and Stderr take what the command prints; nil throws it away. They are files,
	// because nobody has to wait for a process that holds one open.
	Stdout, Stderr *os.File
}

// Usage is the cost of a run, of all its processes together.
type Usage struct {
	Wall time.Duration
	CPU  time.Duration // user and system
	// Memory is the most that the tree held, in bytes. For one process it is the high
	// water mark of the kernel. For several it is the largest sum that was sampled, in
	// which pages that they share count once; so it may be a little too low.
	Memory    int64
	Written   int64 // bytes that went to file systems, as the kernel accounts for them
	Processes int   // how many there were, at the least
}
