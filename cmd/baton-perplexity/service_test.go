package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
	"baton/test/clitest"
)

// served is a service that its upstream kills, with the server of its tasks.
type served struct {
	victim
	t     *testing.T
	c1    *rpctest.Server
	state string
}

func newServed(t *testing.T, faults ...string) *served {
	s := &served{t: t, victim: newVictim(t, faults...), state: t.TempDir()}
	var err error
	s.c1, err = rpctest.Listen(t.Context(), rpctest.Config{Dir: t.TempDir(), Poll: 20 * time.Millisecond, Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.c1.Close() })
	id, secret, err := s.c1.Issue(t.Context(), "perplexity")
	if err != nil {
		t.Fatal(err)
	}
	s.Env = append(s.Env, "BATON_CLIENT_ID="+id, "BATON_CLIENT_SECRET="+secret.Reveal(), "BATON_CA_FILE="+s.c1.CAFile,
		"BATON_C1Z_TEMP_DIR="+s.state, "BATON_HOST_ID=pod-0")
	return s
}

// start starts the service. It is killed when the request after the first n arrives, unless n is negative.
func (s *served) start(n int, args ...string) (*exec.Cmd, *strings.Builder) {
	s.t.Helper()
	cmd, log := s.Command(s.t, args...), new(strings.Builder)
	cmd.Stderr = log
	s.Start(s.t, cmd, n)
	return cmd, log
}

func (s *served) sync() string {
	s.t.Helper()
	id, err := s.c1.Enqueue(s.t.Context(), "perplexity", &batonv1.Task{TaskType: &batonv1.Task_SyncFull{SyncFull: &batonv1.Task_SyncFullTask{}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *served) result(id string) rpctest.Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	r, err := s.c1.Wait(ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// TestServiceKilledInSync kills the process during a sync task. Its successor receives the task again,
// resumes at the last page, and uploads the same as an undisturbed process.
func TestServiceKilledInSync(t *testing.T) {
	s := newServed(t, "page-cap=5")
	first := s.sync()
	undisturbed, log := s.start(-1)
	whole := s.result(first)
	if !whole.OK() {
		t.Fatalf("%v\n%s", whole.Status, log)
	}
	stop(t, undisturbed, log, 0)
	want := clitest.Facts(t, whole.Assets[0].Path)
	pages, requests := s.org.Requests()["GET /Users"], 0
	for _, n := range s.org.Requests() {
		requests += n
	}
	for n := 1; n < requests; n += 2 {
		t.Run(fmt.Sprint("at request ", n), func(t *testing.T) {
			s.org.ResetRequests()
			id := s.sync()
			killed, _ := s.start(n)
			if err := killed.Wait(); err == nil || killed.ProcessState.Success() {
				t.Fatal("it was not killed")
			}
			if err := s.c1.SetFault("redeliver=1"); err != nil {
				t.Fatal(err)
			}
			successor, log := s.start(-1)
			r := s.result(id)
			if !r.OK() || len(r.Assets) != 1 {
				t.Fatalf("%v\n%s", r, log)
			}
			if diff := cmp.Diff(want, clitest.Facts(t, r.Assets[0].Path)); diff != "" {
				t.Errorf("(-undisturbed +resumed):\n%s", diff)
			}
			// The requests in progress at the kill may be repeated.
			if again := s.org.Requests()["GET /Users"]; again > pages+2 {
				t.Errorf("%d pages of users were read instead of %d", again, pages)
			}
			stop(t, successor, log, 0)
			if left, _ := filepath.Glob(filepath.Join(s.state, "*", "sync-*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// stop sends SIGTERM and checks the exit code.
func stop(t *testing.T, cmd *exec.Cmd, log *strings.Builder, code int) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d instead of %d\n%s", got, code, log)
	}
}

// TestServiceStopped sends SIGTERM during a sync, after a health check.
func TestServiceStopped(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	s := newServed(t, "page-cap=1", "slow=100ms")
	args := []string{"--health-check", "--health-check-port", port, "--provisioning"}
	cmd, log := s.start(-1, args...)
	healthy := func() int {
		code, _, _ := run(t, nil, "health-check", "--health-check-port", port, "--endpoint", "ready")
		return code
	}
	for deadline := time.Now().Add(10 * time.Second); healthy() != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("it does not become ready\n%s", log)
		}
		<-time.After(20 * time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	id := s.sync()
	for deadline := time.Now().Add(10 * time.Second); s.org.Requests()["GET /Users"] < 2; {
		if time.Now().After(deadline) {
			t.Fatalf("it does not read\n%s", log)
		}
		<-time.After(10 * time.Millisecond)
	}
	began := time.Now()
	stop(t, cmd, log, 1)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it takes %v to stop", took)
	}
	for _, want := range []string{"everything is logged for a while", `"task_id":"` + id, `"msg":"stopping"`, "hands out again what was interrupted"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is missing in\n%s", want, log)
		}
	}
	if r := s.result(id); r.Status.GetCode() != 1 || r.NonRetryable {
		t.Errorf("the sync ends with %v", r)
	}
	if code := healthy(); code != 14 {
		t.Errorf("the health check of a service that is gone ends with %d", code)
	}
}
