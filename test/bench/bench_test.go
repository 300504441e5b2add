//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/internal/longtest"
	"baton/test/bench/figures"
)

// TestMain lets the test binary act as the tape, as the program itself does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "tape" {
		main()
		os.Exit(0)
	}
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built holds the programs to measure, built once.
var built struct {
	sync.Once
	dir string
}

func build(t *testing.T) (bin string) {
	t.Helper()
	built.Do(func() {
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
		cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "baton/cmd/baton-percipio", "baton/cmd/baton-perplexity", "baton/test/bench/floor")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
	return built.dir
}

// TestWholeBenchmark measures a tiny organisation of both upstreams, with and without
// latency.
func TestWholeBenchmark(t *testing.T) {
	longtest.Only(t)
	bin := build(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	text := ""
	for name := range (&figures.Record{}).Tables() {
		text += "<!-- " + name + " -->\n<!-- /" + name + " -->\n"
	}
	if err := os.WriteFile(path("x.md"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	err := run(t.Context(), []string{"-bin", bin, "-sizes", "tiny", "-latencies", "0s,1ms", "-fixed=false",
		"-record", path("x.json"), "-document", path("x.md"), "-plot", path("x.svg")}, os.Stdout, &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	r, err := figures.Load(path("x.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Cases) != 4 {
		t.Fatalf("%d cases\n%s", len(r.Cases), &log)
	}
	for _, c := range r.Cases {
		if c.Rows < 20 || c.Grants < 20 || c.Pages < 2 || len(c.Series) != map[time.Duration]int{0: 5, time.Millisecond: 4}[c.Latency] {
			t.Errorf("%+v", c)
		}
		for _, s := range c.Series {
			if len(s.Runs) != 2 {
				t.Errorf("%s ran %d times", s.Program, len(s.Runs))
			}
			for _, run := range s.Runs {
				if run.Wall > 200*time.Millisecond && run.Memory < 1<<20 {
					t.Errorf("%s, %s holds %d bytes", c.Upstream, s.Program, run.Memory) // a short run may have too few samples
				}
				if run.Wall <= 0 || run.CPU <= 0 || run.Requests < int64(c.Pages) || run.Bytes < 1000 || run.Processes != 1 {
					t.Errorf("%s, %s: %+v", c.Upstream, s.Program, run)
				}
				if (run.File > 0) != (s.Program == figures.Ours || s.Program == figures.Steady) {
					t.Errorf("%s made a file of %d bytes", s.Program, run.File)
				}
			}
		}
	}
	for _, name := range []string{"x.md", "x.svg"} {
		if b, err := os.ReadFile(path(name)); err != nil || len(b) < 500 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	t.Run("idle", func(t *testing.T) {
		o := options{bin: bin, dir: dir, log: &log}
		for _, s := range allSizes()[:2] {
			if n, err := o.idleService(t.Context(), s, 200*time.Millisecond); err != nil || n < 1<<20 {
				t.Errorf("%s holds %d bytes, %v", s.connector, n, err)
			}
		}
	})
}

// TestFailedRunIsNoFigure: a failed run is not recorded.
func TestFailedRunIsNoFigure(t *testing.T) {
	bin := build(t)
	var log strings.Builder
	err := run(t.Context(), []string{"-bin", bin, "-sizes", "tiny", "-upstreams", figures.Percipio, "-fixed=false", "-official-percipio", "/bin/false",
		"-record", filepath.Join(t.TempDir(), "x.json"), "-document", ""}, os.Stdout, &log)
	if err == nil {
		t.Fatalf("it is measured:\n%s", &log)
	}
	if err := run(t.Context(), []string{"-bin", bin, "-sizes", "none", "-fixed=false", "-document", ""}, os.Stdout, &log); err == nil {
		t.Error("no error, although nothing was measured")
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-latencies", "soon"}, {"-pairs", "x"}, {"surplus"}, {"-nothing"}} {
		var log strings.Builder
		if err := run(t.Context(), args, os.Stdout, &log); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
