package storm

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// TestRaces changes one organisation with several processes at once. What each reports must
// hold, and an admin must be left.
func TestRaces(t *testing.T) {
	for i := range *runs {
		s := RaceRun{Seed: *seed + uint64(i)}
		t.Run(fmt.Sprint(s.Seed), func(t *testing.T) {
			countRun(t)
			synctest.Test(t, func(t *testing.T) {
				for _, wrong := range s.Run(t) {
					t.Error(wrong)
				}
			})
		})
	}
}
