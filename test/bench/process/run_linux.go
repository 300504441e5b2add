package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// interval is the time between two samples of a tree.
const interval = 10 * time.Millisecond

// reaping makes this process adopt orphaned descendants, once.
var reaping = sync.OnceValue(func() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("process: become the subreaper: %w", err)
	}
	return nil
})

// Run runs the command to its end. An exit code other than 0 is an error; the usage is then that of the
// failed run. Remaining processes are killed.
func Run(ctx context.Context, c Command) (Usage, error) {
	if err := reaping(); err != nil {
		return Usage{}, err
	}
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env, cmd.Dir = c.Env, c.Dir
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return Usage{}, fmt.Errorf("process: start %s: %w", c.Path, err)
	}
	t := newTree(cmd.Process.Pid)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		t.watch(stop)
	}()
	err := cmd.Wait()
	usage := Usage{Wall: time.Since(began)}
	close(stop)
	<-stopped // after a last sample of the remaining processes
	if rusage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		usage.add(rusage)
	}
	for _, pid := range t.adopted() {
		rusage, reapErr := reap(pid)
		if reapErr != nil {
			return usage, errors.Join(err, reapErr)
		}
		usage.add(rusage)
	}
	usage.Processes = len(t.seen)
	usage.Memory = t.memory(usage.Memory)
	if err != nil {
		err = fmt.Errorf("process: %s: %w", c.Path, err)
	}
	return usage, err
}

// add adds the kernel's account of a process that has ended and of the children that it waited for.
func (u *Usage) add(r *syscall.Rusage) {
	u.CPU += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	u.Memory = max(u.Memory, r.Maxrss<<10)
	u.Written += r.Oublock << 9
}

// reap ends an adopted process and returns its usage.
func reap(pid int) (*syscall.Rusage, error) {
	// The process may have ended already. Only this process can reap it, so an error is reported.
	syscall.Kill(pid, syscall.SIGKILL)
	var status syscall.WaitStatus
	var rusage syscall.Rusage
	for {
		_, err := syscall.Wait4(pid, &status, 0, &rusage)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("process: take the account of process %d: %w", pid, err)
		}
		return &rusage, nil
	}
}

// Resident returns the current memory of the tree below the process, in bytes. Shared pages count once.
func Resident(pid int) (int64, error) {
	t := newTree(pid)
	t.look()
	sum := t.proportional()
	if sum == 0 {
		return 0, fmt.Errorf("process: %d has no memory: %w", pid, os.ErrProcessDone)
	}
	return sum, nil
}

// Used returns the CPU time that this process has used.
func Used() time.Duration {
	var u Usage
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil { // it cannot fail with these arguments
		u.add(&r)
	}
	return u.CPU
}
