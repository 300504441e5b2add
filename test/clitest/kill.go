package clitest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton/c1z/c1ztest"
	"baton/internal/longtest"
)

// Victim is an upstream that kills the program that sends it requests.
type Victim struct {
	Origin string
	Env    []string // the settings of the program; set it before Start

	mu       sync.Mutex
	process  *os.Process
	requests int // requests until the process is killed; negative means never
}

// NewVictim serves the upstream.
func NewVictim(t testing.TB, upstream http.Handler) *Victim {
	v := &Victim{requests: -1}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		if v.requests == 0 {
			_ = v.process.Kill()
		}
		v.requests--
		v.mu.Unlock()
		upstream.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	v.Origin = server.URL
	return v
}

// Command returns a command that runs the program in a new directory.
func (v *Victim) Command(t testing.TB, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{beProgram + "=1", "PATH=" + os.Getenv("PATH")}, v.Env...)
	return cmd
}

// Start starts the program. It is killed when the request after the first n arrives, or never
// if n is negative.
func (v *Victim) Start(t testing.TB, cmd *exec.Cmd, n int) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v.process, v.requests = cmd.Process, n
}

// received returns the number of requests since a start with a negative n.
func (v *Victim) received() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return -1 - v.requests
}

func (v *Victim) sync(t *testing.T, path string, n int) error {
	t.Helper()
	cmd := v.Command(t, "--file", path)
	v.Start(t, cmd, n)
	return cmd.Wait()
}

// Facts returns the facts of the latest sync in a file.
func Facts(t testing.TB, path string) []string {
	t.Helper()
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return rows.Facts()
}

// KillAtEveryRequest kills the program at every request of a sync, and again at the second request of the
// sync that resumes it. A third sync must end with the facts of an undisturbed one, and there must be no file
// before that. An undisturbed sync must send at least that many requests and find at least that many facts.
// arrange is called before each sync that is killed.
func (v *Victim) KillAtEveryRequest(t *testing.T, requests, facts int, arrange func()) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	if err := v.sync(t, path, -1); err != nil {
		t.Fatal(err)
	}
	want, sent := Facts(t, path), v.received()
	if sent < requests || len(want) < facts {
		t.Fatalf("%d facts in %d requests are too few", len(want), sent)
	}
	for n := 0; n < sent; n += longtest.Pick(max(1, sent/3), 1) {
		path := filepath.Join(t.TempDir(), "sync.c1z")
		arrange()
		for _, limit := range []int{n, 1} {
			if err := v.sync(t, path, limit); err == nil {
				break // the second one may need no more than one request
			}
			if _, err := os.Stat(path); err == nil {
				t.Fatalf("killed at request %d, and there is a file", n)
			}
		}
		if err := v.sync(t, path, -1); err != nil {
			t.Fatalf("after two kills at request %d: %v", n, err)
		}
		if diff := cmp.Diff(want, Facts(t, path)); diff != "" {
			t.Fatalf("killed at request %d (-undisturbed +resumed):\n%s", n, diff)
		}
		if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
			t.Errorf("left behind: %q", left)
		}
	}
}
