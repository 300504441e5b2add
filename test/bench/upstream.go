package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"baton/test/bench/process"
	"baton/test/bench/tape"
)

// client sends requests to the tape.
var client = &http.Client{Timeout: time.Minute}

// upstream is a sandbox with a tape in front, each in its own process.
type upstream struct {
	origin   string            // of the tape
	settings map[string]string // settings of a connector that reads the tape
	stop     []func()
}

// startUpstream starts the sandbox of a connector and a tape.
func (o options) startUpstream(ctx context.Context, s size, dir string) (*upstream, error) {
	u := &upstream{settings: map[string]string{}}
	args := append([]string{"sandbox", "--listen", "127.0.0.1:0", "--log-level", "warn"}, s.sandbox...)
	lines, err := u.start(ctx, filepath.Join(o.bin, s.connector), args, len(s.settings))
	if err != nil {
		u.close()
		return nil, err
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		u.settings[name] = strings.Trim(value, "'")
	}
	sandbox := u.settings[s.settings[0]] // the address comes first
	scheme, rest, _ := strings.Cut(sandbox, "://")
	host, path, _ := strings.Cut(rest, "/")
	self, err := os.Executable()
	if err != nil {
		u.close()
		return nil, err
	}
	lines, err = u.start(ctx, self, []string{"tape", "-upstream", scheme + "://" + host, "-dir", dir}, 1)
	if err != nil {
		u.close()
		return nil, err
	}
	u.origin = lines[0]
	u.settings[s.settings[0]] = u.origin
	if path != "" {
		u.settings[s.settings[0]] += "/" + path
	}
	return u, nil
}

// start starts a server and reads the lines that it prints when it is ready.
func (u *upstream) start(ctx context.Context, path string, args []string, count int) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = environment()
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	u.stop = append(u.stop, func() {
		cancel()
		cmd.Wait() // after the signal
	})
	var lines []string
	for scan := bufio.NewScanner(out); len(lines) < count && scan.Scan(); {
		lines = append(lines, scan.Text())
	}
	if len(lines) < count {
		return nil, fmt.Errorf("%s %s did not start", path, args[0])
	}
	return lines, nil
}

// close stops the tape, then the sandbox.
func (u *upstream) close() {
	for i := len(u.stop) - 1; i >= 0; i-- {
		u.stop[i]()
	}
}

// serveTape runs a tape. It prints its origin.
func serveTape(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("tape", flag.ContinueOnError)
	from := flags.String("upstream", "", "origin of the answers")
	dir := flags.String("dir", "", "directory for large answers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	t, err := tape.New(*from, *dir, process.Used)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: t, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	if _, err := fmt.Fprintf(stdout, "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		server.Close()
		<-done
		return nil
	case err := <-done:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	}
}
