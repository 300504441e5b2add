package storm

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// TestRaces: several processes change one organisation at once. What each says holds,
// and an Admin is left.
func TestRaces(t *testing.T) {
	for i := range *runs {
		s := RaceRun{Seed: *seed + uint64(i)}
		t.Run(fmt.Sprint(s.Seed), func(t *testing.T) {
			ran(t)
			synctest.Test(t, func(t *testing.T) {
				for _, wrong := range s.Run(t) {
					t.Error(wrong)
				}
			})
		})
	}
}
