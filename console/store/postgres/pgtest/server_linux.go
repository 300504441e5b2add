package pgtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Server is one PostgreSQL server.
type Server struct {
	programs string
	dir      string   // contains the socket and the data
	settings []string // name=value

	mu  sync.Mutex
	cmd *exec.Cmd
	out *output
	end chan struct{} // closed when the process has ended
}

// unprivileged is the user for the server if the tests run as root, because PostgreSQL refuses to
// run as root.
const unprivileged = 65534

func start(settings ...string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	s := &Server{programs: bin, dir: dir, settings: settings}
	if err := s.init(); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

func (s *Server) init() error {
	if os.Getuid() == 0 {
		if err := os.Chown(s.dir, unprivileged, unprivileged); err != nil {
			return err
		}
	}
	initdb := s.command("initdb", "-D", filepath.Join(s.dir, "data"), "-U", "console", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb: %w: %s", err, out)
	}
	return s.Run()
}

// command returns one of PostgreSQL's programs, to be run as an unprivileged user.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.programs, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + s.programs}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: unprivileged, Gid: unprivileged}
	}
	return cmd
}

// Run starts the server, initially or after Stop or Kill.
func (s *Server) Run() error {
	args := []string{"-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200",
		"-c", "shared_buffers=64MB", "-c", "max_wal_size=512MB", "-c", "log_min_messages=warning"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd := s.command("postgres", args...)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT // kills the server if the test process dies
	end := make(chan struct{})
	started := make(chan error)
	go func() {
		// The kernel sends the signal when the thread that started the process ends.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
		}
		close(end)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("pgtest: start the server: %w", err)
	}
	s.mu.Lock()
	s.cmd, s.out, s.end = cmd, out, end
	s.mu.Unlock()
	return s.wait()
}

// Stop shuts the server down and waits for its end. Connections are closed.
func (s *Server) Stop() { s.signal(syscall.SIGINT) }

// Kill kills the server. Data that was not flushed may be lost.
func (s *Server) Kill() { s.signal(syscall.SIGQUIT) }

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	cmd, end := s.cmd, s.end
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	cmd.Process.Signal(sig)
	select {
	case <-end:
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		<-end
	}
}

func (s *Server) running() bool {
	s.mu.Lock()
	end := s.end
	s.mu.Unlock()
	if end == nil {
		return false
	}
	select {
	case <-end:
		return false
	default:
		return true
	}
}

func (s *Server) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return ""
	}
	return s.out.String()
}

// Pid returns the process id of the server, for measurements.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

// Remove stops the server and removes its files.
func (s *Server) Remove() {
	s.signal(syscall.SIGQUIT)
	os.RemoveAll(s.dir)
}

// output keeps the output of a process.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
