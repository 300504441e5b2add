// Package field tests the built binaries against imitations of servers with the faults of real ones. Each
// test is an example of a kind of fault; docs/reliability.md has the table.
//
// To run the same cases with the binaries of another build, use
//
//	go test ./test/field -binaries DIR
package field

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/test/programs"
)

var binaries = flag.String("binaries", "", "folder of the baton-perplexity and baton-percipio to test, instead of this tree's")

func TestMain(m *testing.M) {
	// The tests mostly wait for programs that wait for servers.
	_ = flag.Set("test.parallel", "12")
	flag.Parse()
	code, err := withBinaries(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// withBinaries builds the connectors of this tree if -binaries is not set, and calls run.
func withBinaries(run func() int) (int, error) {
	if *binaries != "" {
		dir, err := filepath.Abs(*binaries)
		*binaries = dir
		if err != nil {
			return 1, err
		}
		return run(), nil
	}
	dir, remove, err := programs.Build()
	if err != nil {
		return 1, err
	}
	defer remove()
	*binaries = dir
	return run(), nil
}

// result holds the exit code, the output and the memory of a program.
type result struct {
	code           int
	stdout, stderr string
	maxRSS         int64 // peak resident memory in bytes, 0 if unknown
}

// program starts a connector in a new folder, without the caller's environment.
type program struct {
	name string
	dir  string
	env  []string
}

// perplexity returns baton-perplexity for the SCIM server at url.
func perplexity(t *testing.T, url string, env ...string) *program {
	t.Helper()
	return &program{name: "baton-perplexity", dir: t.TempDir(), env: append([]string{"BATON_SCIM_URL=" + url, "BATON_SCIM_TOKEN=field-test-token"}, env...)}
}

// percipio returns baton-percipio for the API at url.
func percipio(t *testing.T, url string, env ...string) *program {
	t.Helper()
	return &program{name: "baton-percipio", dir: t.TempDir(), env: append([]string{
		"BATON_BASE_URL=" + url, "BATON_API_TOKEN=field-test-token", "BATON_ORGANIZATION_ID=2f0e7c1e-8f0c-4a45-9a0e-6f3f3f7f0a11"}, env...)}
}

// run starts the program with args and waits at most two minutes for it.
func (p *program) run(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(*binaries, p.name), args...)
	cmd.Dir = p.dir
	cmd.Env = append([]string{"HOME=" + p.dir, "TMPDIR=" + p.dir}, p.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Start()
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	peak := watchMemory(cmd.Process.Pid)
	err = cmd.Wait()
	held := peak()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %s: %v", p.name, strings.Join(args, " "), err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%s %s did not end:\n%s", p.name, strings.Join(args, " "), stderr.String())
	}
	return result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), maxRSS: held}
}

// sealed reports whether a sync file was published.
func (p *program) sealed() bool {
	_, err := os.Stat(filepath.Join(p.dir, "sync.c1z"))
	return err == nil
}
