package c1z

import "testing"

// Scans reports whether the tables of the file before are read as they lie.
func (w *Writer) Scans() bool { return len(w.previous.roots) > 0 }

// SetPileSize has grants sorted in piles of another size.
func SetPileSize(t *testing.T, size int) {
	before := pileSize
	pileSize = size
	t.Cleanup(func() { pileSize = before })
}
