package c1z

import (
	"math/rand/v2"
	"testing"
)

func TestHashesAreASet(t *testing.T) {
	var s hashes
	want := map[uint64]bool{}
	rand := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		h := rand.Uint64N(15_000) // many twice, 0 among them, all in the same corner
		if got := s.add(h); got == want[h] {
			t.Fatalf("%d is new: %v, want %v", h, got, !want[h])
		}
		want[h] = true
	}
}
