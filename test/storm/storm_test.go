package storm

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton/internal/longtest"
)

var (
	runs    = flag.Int("runs", longtest.Pick(5, 20), "how many syncs, and how many series of changes, by chance, for each upstream")
	seed    = flag.Uint64("seed", 1, "the first seed; with -runs 1 it makes exactly one run")
	printed = flag.Bool("print", false, "print the outcomes")
)

// TestSyncs runs syncs under faults: each ends with the right facts, held, or with a clear error, but never
// incomplete.
func TestSyncs(t *testing.T) {
	tally := tallied
	one := func(s SyncRun) {
		t.Helper()
		name := fmt.Sprintf("%s/%d", s.Upstream, s.Seed)
		if s.Alone != nil {
			name = s.Upstream + "/" + strings.Join(s.Alone, ",")
		}
		t.Run(name, func(t *testing.T) {
			countRun(t)
			synctest.Test(t, func(t *testing.T) {
				for _, wrong := range s.Run(t, tally) {
					t.Error(wrong)
				}
			})
		})
	}
	for _, upstream := range []string{"perplexity", "percipio"} {
		for i, f := range Table(upstream) {
			r := rand.New(rand.NewPCG(*seed, uint64(i)))
			if *runs > 1 && i%longtest.Pick(3, 1) == 0 {
				one(SyncRun{Seed: *seed + uint64(i), Upstream: upstream, Alone: alone(r, f)})
			}
		}
		for i := range *runs {
			one(SyncRun{Seed: *seed + uint64(i), Upstream: upstream})
		}
	}
	for _, upstream := range []string{"perplexity", "percipio"} {
		cover(t, upstream, "sync", notOfSyncs)
	}
}

// tallied counts the outcomes of all runs.
var tallied = NewTally()

// progress counts the runs so far.
var progress = struct {
	began, reported time.Time
	runs            int
}{began: time.Now()}

// countRun counts a run, and sometimes prints the progress.
func countRun(t *testing.T) {
	progress.runs++
	if now := time.Now(); *printed && now.Sub(progress.reported) > 15*time.Second {
		progress.reported = now
		fmt.Printf("%s: %d runs; %s\n", now.Sub(progress.began).Round(time.Second), progress.runs, t.Name())
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if *printed {
		tallied.Print(os.Stdout)
		fmt.Println()
		tallied.Matrix(os.Stdout)
	}
	os.Exit(code)
}

// cover fails if no run met a fault. It logs faults that were met although the table says that they do not
// matter.
func cover(t *testing.T, upstream, operation string, apart map[string]string) {
	t.Helper()
	if *runs < 20 {
		return // a few runs only
	}
	for _, f := range Table(upstream) {
		met := tallied.Met(upstream, f.Name, operation)
		switch _, excused := apart[f.Name]; {
		case met == 0 && !excused:
			t.Errorf("no %s met the fault %s of %s", operation, f.Name, upstream)
		case met > 0 && excused && *printed:
			t.Logf("a %s met the fault %s of %s %d times, which is said not to matter", operation, f.Name, upstream, met)
		}
	}
}
