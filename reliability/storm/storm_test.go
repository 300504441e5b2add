package storm

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
)

var (
	runs = flag.Int("runs", 40, "how many syncs, and how many series of changes, by chance, for each upstream")
	seed = flag.Uint64("seed", 1, "the first seed; with -runs 1 it makes exactly one run")
	long = flag.Bool("long", false, "say what came of it all")
)

// TestSyncs: right facts, a held sync or a clear failure; never a short sync.
func TestSyncs(t *testing.T) {
	tally := NewTally()
	one := func(s SyncRun) {
		t.Helper()
		name := fmt.Sprintf("%s/%d", s.Upstream, s.Seed)
		if s.Alone != nil {
			name = s.Upstream + "/" + strings.Join(s.Alone, ",")
		}
		t.Run(name, func(t *testing.T) {
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
			if *runs > 1 {
				one(SyncRun{Seed: *seed + uint64(i), Upstream: upstream, Alone: alone(r, f)})
			}
		}
		for i := range *runs {
			one(SyncRun{Seed: *seed + uint64(i), Upstream: upstream})
		}
	}
	if *long {
		tally.Print(os.Stdout)
	}
}
