package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton/agent/cli"
	"baton/c1z/c1ztest"
	"baton/internal/longtest"
	sandboxed "baton/sandbox/perplexity"
)

// TestMain lets the test binary be the program, so that a real process can be
// killed.
func TestMain(m *testing.M) {
	if os.Getenv("BE_THE_PROGRAM") != "" {
		os.Exit(cli.Main(program()))
	}
	os.Exit(m.Run())
}

// victim is the program as a process, and an organisation that kills it.
type victim struct {
	t      *testing.T
	org    *sandboxed.Server
	origin string

	mu       sync.Mutex
	process  *os.Process
	requests int // until the process is killed; negative is never
}

func newVictim(t *testing.T, faults ...string) *victim {
	v := &victim{t: t, org: sandboxed.New(sandboxed.Options{Faults: faults, Token: "sk-scim-0123456789"})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.requests == 0 && v.process != nil {
			v.process.Kill()
		}
		v.requests--
		v.org.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	v.origin = server.URL
	return v
}

// sync runs the program; it is killed when the request after the first n arrives.
func (v *victim) sync(path string, n int) error {
	v.t.Helper()
	cmd := exec.Command(os.Args[0], "--file", path)
	cmd.Dir = v.t.TempDir()
	cmd.Env = []string{"BE_THE_PROGRAM=1", "BATON_SCIM_URL=" + v.origin + v.org.URLPath(), "BATON_SCIM_TOKEN=" + v.org.Token(), "PATH=" + os.Getenv("PATH")}
	v.mu.Lock()
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.process, v.requests = cmd.Process, n
	v.mu.Unlock()
	return cmd.Wait()
}

// facts are the resources and grants in a file.
func facts(t *testing.T, path string) []string {
	t.Helper()
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range rows.Resources {
		all = append(all, fmt.Sprintf("%+v", r.Profile))
	}
	for _, e := range rows.Entitlements {
		all = append(all, e.ID)
	}
	for _, g := range rows.Grants {
		all = append(all, g.ID)
	}
	slices.Sort(all)
	return all
}

// TestKilledBetweenAnyTwoPages kills the process at every request of a sync, and the
// one that resumes it, too. A third always ends with the facts of a sync that
// nobody disturbed, and until then there is no file.
func TestKilledBetweenAnyTwoPages(t *testing.T) {
	for name, faults := range map[string][]string{
		"lists with members":    {"page-cap=5"},
		"members one by one":    {"page-cap=5", "members-absent"},
		"lists without a total": {"page-cap=5", "total-missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, faults...)
			path := filepath.Join(t.TempDir(), "sync.c1z")
			if err := v.sync(path, -1); err != nil {
				t.Fatal(err)
			}
			want := facts(t, path)
			v.mu.Lock()
			pages := -1 - v.requests
			v.mu.Unlock()
			if pages < 6 {
				t.Fatalf("only %d requests: too few to be worth killing", pages)
			}
			for n := 0; n < pages; n += longtest.Pick(max(1, pages/3), 1) {
				path := filepath.Join(t.TempDir(), "sync.c1z")
				for _, limit := range []int{n, 1} {
					if err := v.sync(path, limit); err == nil {
						break // the second one may need no more than one request
					}
					if _, err := os.Stat(path); err == nil {
						t.Fatalf("killed at request %d, and there is a file", n)
					}
				}
				if err := v.sync(path, -1); err != nil {
					t.Fatalf("after two deaths at %d: %v", n, err)
				}
				if diff := cmp.Diff(want, facts(t, path)); diff != "" {
					t.Fatalf("killed at request %d (-undisturbed +resumed):\n%s", n, diff)
				}
				if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
					t.Errorf("left behind: %q", left)
				}
			}
		})
	}
}
