package storm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"baton/internal/longtest"
	sandbox "baton/sandbox/perplexity"
)

// TestChanges makes changes under faults: the effect happens once or the error says what is known, other
// accounts are unaffected, and an admin remains.
func TestChanges(t *testing.T) {
	if *runs >= 20 {
		defer cover(t, "perplexity", "", notOfChanges)
	}
	tally := tallied
	one := func(s ChangeRun) {
		t.Helper()
		name := fmt.Sprint(s.Seed)
		if s.Alone != nil {
			name = strings.Join(s.Alone, ",") + "/" + name
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
	for i, f := range sandbox.Faults() {
		if i%longtest.Pick(3, 1) != 0 {
			continue
		}
		r := rand.New(rand.NewPCG(*seed, uint64(i)))
		for n := range min(*runs-1, 8) {
			one(ChangeRun{Seed: *seed + uint64(100*i+n), Alone: alone(r, f)})
		}
	}
	for i := range *runs {
		one(ChangeRun{Seed: *seed + uint64(i)})
	}
}
