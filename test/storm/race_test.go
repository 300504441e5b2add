package storm

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// TestRaces changes one organisation by several processes at the same time. Their reports must be true, and
// an admin must remain.
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
