package ingest_test

import (
	"slices"
	"testing"

	"baton/c1z"
	"baton/console"
)

// TestHoldAfterTargeted: a full sync is compared with everything that the console shows, also if the
// newest sync before it was a targeted one, which counts its own rows only.
func TestHoldAfterTargeted(t *testing.T) {
	w := newWorld(t)
	x := small()
	w.apply(x.file(t, 1, c1z.Full), console.SyncFull)
	part := x.clone()
	part.members = map[string][]string{"admins": nil}
	if s := w.apply(part.file(t, 2, c1z.Partial), console.SyncTargeted); s.State != console.SyncApplied || s.Counts.Facts != 0 {
		t.Fatalf("%+v", s)
	}
	bare := x.clone()
	bare.members = map[string][]string{"admins": nil, "staff": nil}
	s := w.apply(bare.file(t, 3, c1z.Full), console.SyncFull)
	vanished := func(h console.Hold) bool { return h.Kind == console.HoldVanished && h.Type == "grants" }
	if s.State != console.SyncHeld || !slices.ContainsFunc(s.Holds, vanished) {
		t.Errorf("a full sync without any grant is %s: %+v", s.State, s.Holds)
	}
}
