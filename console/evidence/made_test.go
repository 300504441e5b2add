package evidence_test

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton"
	"baton/console"
	"baton/console/evidence"
	"baton/console/evidence/evidencetest"
)

type made = evidencetest.Made

var (
	noon        = evidencetest.Noon
	key         = evidencetest.Key
	fingerprint = evidencetest.Fingerprint
	id          = evidencetest.ID
)

// build writes the pack of a review into a file.
func build(t testing.TB, src evidence.Source) (*os.File, evidence.Manifest, int64) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "pack.zip"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	m, size, err := evidence.Build(t.Context(), f, src, key)
	if err != nil {
		t.Fatal(err)
	}
	return f, m, size
}

// verify verifies the bytes of a pack against the key of tests.
func verify(t testing.TB, pack []byte, heads ...console.ChainHead) evidence.Report {
	t.Helper()
	r, err := evidence.Verify(t.Context(), strings.NewReader(string(pack)), int64(len(pack)), evidence.Options{Fingerprint: fingerprint, Heads: heads})
	if err != nil && baton.KindOf(err) != baton.Unsupported {
		t.Fatal(err)
	}
	return r
}

// signed returns the pack of a review that whoever has the key altered before it was signed.
func signed(t testing.TB, src evidence.Source) []byte {
	b, _ := packOf(t, src)
	return b
}

// later is a review of which a decision was changed after its submission.
type later struct{ made }

func (l later) Decisions() iter.Seq2[console.ReviewDecision, error] {
	return evidencetest.Numbers(l.made, func(n int) (console.ReviewDecision, bool) {
		d, ok := l.Decision(n)
		if n == 7 {
			d.Choice = console.ChooseKeep
		}
		return d, ok
	})
}

func numberOf(e evidence.Event) string { return fmt.Sprint(e.Number) }
