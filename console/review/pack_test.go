package review_test

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/evidence"
	"baton/console/govern"
	"baton/console/govern/governtest"
	"baton/console/review"
	"baton/console/store"
)

// pack makes the evidence pack of a campaign as somebody, and returns its bytes.
func (w *world) pack(who string, id console.ID) []byte {
	w.T.Helper()
	p, err := w.EvidencePack(ctx, w.Callers[who], id)
	w.Check(err)
	defer p.Close()
	b, err := io.ReadAll(io.NewSectionReader(p, 0, p.Size))
	w.Check(err)
	return b
}

// verified verifies a pack against the key of the console, and heads.
func (w *world) verified(pack []byte, heads ...console.ChainHead) evidence.Report {
	w.T.Helper()
	var key []byte
	w.View(func(tx *store.Tx) (err error) {
		key, err = tx.SigningPublicKey()
		return err
	})
	r, err := evidence.Verify(ctx, bytes.NewReader(pack), int64(len(pack)), evidence.Options{Fingerprint: console.Fingerprint(key), Heads: heads})
	w.Check(err)
	return r
}

func (w *world) head() (h console.ChainHead) {
	w.T.Helper()
	w.View(func(tx *store.Tx) (err error) {
		h, err = tx.ChainHead()
		return err
	})
	return h
}

// TestAcceptance9 makes the pack of a review in which a removal did not take effect. It verifies
// without the console, with a head that was kept before; an event that was edited in the database, and
// events that were cut off, are found by number.
func TestAcceptance9(t *testing.T) { onBoth(t, testAcceptance9) }

func testAcceptance9(t *testing.T, w *world) {
	id := w.started(func(s *console.CampaignSettings) { s.Scope.Console = true })
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ana Members": console.ChooseRemove, "ben Members": console.ChooseRemove, "cem Admins": console.ChooseKeep}))
	if r := w.verified(w.pack("camp", id)); len(r.Faults) > 0 || r.State != console.CampaignRunning {
		t.Errorf("while it runs: %s, %v", r.State, r.Faults)
	}
	w.closed(id)
	w.CarryOut()
	w.Tenant.Groups[1].Members = []string{"ana", "dan"} // ana was added again
	w.Later(console.SettleTime)
	w.ApplySync()
	w.advance(id)
	kept := w.head()
	b := w.pack("aud", id)
	r := w.verified(b, kept)
	for _, f := range r.Faults {
		t.Error(f)
	}
	c := r.Counts
	if r.State != console.CampaignComplete || r.Heads != 1 || c.Decisions != 3 || c.Removals != 2 || c.Verified != 1 || c.NotEffective != 1 || c.Operations != 2 || c.Items != c.Decided+c.Unanswered || r.Withheld == 0 {
		t.Errorf("%s, %d heads, %+v", r.State, r.Heads, c)
	}
	for _, want := range []string{`"result":"not-effective"`, `"login":"password"`, `"why":"owner of the application"`} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the pack does not say %s", want)
		}
	}
	if bytes.Contains(b, []byte("connector.added")) {
		t.Error("an event that is not of the review is disclosed")
	}
	if last := w.lastEvent(); last.Kind != "campaign.exported" || last.Object != string(id) {
		t.Errorf("the export is no event: %s", last.Kind)
	}

	before := w.head()
	w.Update(func(tx *store.Tx) error {
		_, err := tx.Engine().Exec("UPDATE event SET payload = $2 WHERE number = $1", kept.Number-1, []byte(`{"kind":"a.b","at":"2026-11-29T12:00:00Z","actor":{"kind":"system"}}`))
		return err
	})
	edited := w.verified(w.pack("aud", id), before)
	if len(edited.Faults) == 0 || edited.Faults[0].Event != kept.Number-1 {
		t.Errorf("an edited event: %v, want event %d", edited.Faults, kept.Number-1)
	}
	later := w.head()
	if r := w.verified(b, later); len(r.Faults) == 0 || r.Faults[0].Event != kept.Number+1 {
		t.Errorf("the pack is older than the head: %v, want event %d", r.Faults, kept.Number+1)
	}
}

func (w *world) lastEvent() (e store.Event) {
	w.T.Helper()
	w.View(func(tx *store.Tx) error {
		all, err := tx.EventsBefore(store.EventFilter{}, 0, 1)
		if err == nil {
			e = all[0]
		}
		return err
	})
	return e
}

// TestWhoMakesPacks checks who may make the pack of a review, and when.
func TestWhoMakesPacks(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	draft, err := w.AddCampaign(ctx, w.Callers["camp"], newCampaign())
	w.Check(err)
	_, err = w.EvidencePack(ctx, w.Callers["aud"], draft)
	governtest.WantKind(t, "a draft", err, baton.Refused)
	id := w.started()
	for who, want := range map[string]baton.Kind{"camp": governtest.None, "aud": governtest.None, "so": governtest.None, "sup": governtest.None, "own": baton.PermissionDenied, "other": baton.NotFound, "ana": baton.NotFound, "nobody": baton.NotFound} {
		p, err := w.EvidencePack(ctx, w.Callers[who], id)
		governtest.WantKind(t, who, err, want)
		if err == nil {
			if !strings.HasPrefix(p.Name, "review-"+string(id)+"-event-") {
				t.Error(p.Name)
			}
			w.Check(p.Close())
		}
	}
}

// TestPackOfOneState checks that two packs of one state have the same bytes.
func TestPackOfOneState(t *testing.T) { onBoth(t, testPackOfOneState) }

func testPackOfOneState(t *testing.T, w *world) {
	id := w.started()
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ana Members": console.ChooseRemove}))
	w.Later(time.Hour)
	first, second := w.built(id), w.built(id)
	if !bytes.Equal(first, second) || len(first) == 0 {
		t.Errorf("%d and %d bytes differ", len(first), len(second))
	}
}

// built returns the pack of a campaign without recording it.
func (w *world) built(id console.ID) []byte {
	w.T.Helper()
	var b []byte
	w.View(func(tx *store.Tx) error {
		f, err := os.Create(filepath.Join(w.T.(*testing.T).TempDir(), "pack.zip"))
		if err != nil {
			return err
		}
		defer f.Close()
		src, err := review.NewPack(tx, id)
		if err == nil {
			_, _, err = evidence.Build(ctx, f, src, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
		}
		if err == nil {
			b, err = os.ReadFile(f.Name())
		}
		return err
	})
	return b
}

func newCampaign() govern.NewCampaign { return govern.NewCampaign{CampaignSettings: settings()} }
