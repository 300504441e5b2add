package c1z

import "testing"

// SetPileSize has grants sorted in piles of another size.
func SetPileSize(t *testing.T, size int) {
	before := pileSize
	pileSize = size
	t.Cleanup(func() { pileSize = before })
}
