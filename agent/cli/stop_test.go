package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStoppedSync ends a sync in the middle: the program says so and exits with 1, and the file is unchanged.
func TestStoppedSync(t *testing.T) {
	u := newUpstream()
	env := append(serve(t, u), "BATON_LOG_FORMAT=console")
	file := filepath.Join(t.TempDir(), "sync.c1z")
	if out := run(t, t.Context(), program(), env, "-f", file); out.code != 0 {
		t.Fatal(out.stderr)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	u.hang = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-u.hang
		cancel()
	}()
	out := run(t, ctx, program(), env, "-f", file)
	if out.code != 1 || !strings.HasPrefix(out.stderr, "error: sync: stopped before the end") || !strings.Contains(out.stderr, "\nfix: run the same command again") {
		t.Errorf("exit code %d: %s", out.code, out.stderr)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the file changed (%v)", err)
	}
}

// firstWrite is a writer that signals its first write.
type firstWrite struct {
	text chan string
	done bool
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if !w.done {
		w.done = true
		w.text <- string(p)
	}
	return len(p), nil
}

// TestSandboxServes sources the output of sandbox and syncs from it.
func TestSandboxServes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout := &firstWrite{text: make(chan string, 1)}
	code := make(chan int, 1)
	var stderr strings.Builder
	go func() { code <- runWith(ctx, []string{"sandbox"}, stdout, &stderr) }()
	var lines string
	select {
	case lines = <-stdout.text:
	case <-time.After(patience):
		t.Fatal("the sandbox printed nothing")
	}
	if !regexp.MustCompile(`^BATON_FAKE_TOKEN=secret-token\nBATON_FAKE_URL=http://127\.0\.0\.1:\d+\n$`).MatchString(lines) {
		t.Fatalf("printed %q", lines)
	}
	env := append(strings.Fields(lines), "BATON_LOG_FORMAT=console")
	if out := run(t, ctx, program(), env, "-f", filepath.Join(t.TempDir(), "s.c1z")); out.code != 0 {
		t.Error(out.stderr)
	}
	cancel()
	select {
	case got := <-code:
		if got != 0 {
			t.Errorf("exit code %d: %s", got, stderr.String())
		}
	case <-time.After(patience):
		t.Error("the sandbox did not stop")
	}
}

// TestSignals starts the program as a process and signals it.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be signalled there")
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			u := newUpstream()
			u.hang = make(chan struct{})
			env := append(serve(t, u), "BATON_LOG_FORMAT=console")
			process, stderr := start(t, env, "-f", filepath.Join(t.TempDir(), "s.c1z"), "--sync-resources", "group:g1")
			select {
			case <-u.hang:
			case <-time.After(patience):
				t.Fatal("it sent nothing")
			}
			if err := process.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			process.Wait()
			if code := process.ProcessState.ExitCode(); code != 1 {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
}
