package review_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/evidence"
	"baton/console/govern/governtest"
	"baton/console/store"
)

// audit returns the bytes of the report for auditors that somebody makes.
func (w *world) audit(who string, at, from time.Time) []byte {
	w.T.Helper()
	p, err := w.AuditReport(ctx, w.Callers[who], at, from)
	w.Check(err)
	defer p.Close()
	b, err := io.ReadAll(io.NewSectionReader(p, 0, p.Size))
	w.Check(err)
	return b
}

// rowsOf decodes the rows of a member of a report.
func rowsOf[T any](w *world, report []byte, member string) (all []T) {
	w.T.Helper()
	z, err := zip.NewReader(bytes.NewReader(report), int64(len(report)))
	w.Check(err)
	f, err := z.Open(member)
	w.Check(err)
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var row T
		if err := d.Decode(&row); err == io.EOF {
			return all
		} else if err != nil {
			w.T.Fatal(err)
		}
		all = append(all, row)
	}
}

// admins lists the accounts that a report calls administrators.
func (w *world) admins(report []byte) (all []string) {
	w.T.Helper()
	for _, a := range rowsOf[evidence.Administrator](w, report, "administrators.jsonl") {
		all = append(all, a.AccountName)
	}
	slices.Sort(all)
	return all
}

// TestAuditReport makes reports for auditors about a moment in the past and about now, and verifies
// them without the console.
func TestAuditReport(t *testing.T) { onBoth(t, testAuditReport) }

func testAuditReport(t *testing.T, w *world) {
	began := w.Time
	w.Later(time.Hour)
	before := w.Time
	w.Later(24 * time.Hour)
	id := w.started()
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ana Members": console.ChooseKeep}))
	w.Tenant.Groups[0].Members = []string{"dan", "own"} // cem is administrator no more
	w.ApplySync()
	left := w.Time
	w.Update(func(tx *store.Tx) error {
		p, err := tx.Person(w.ID("ben"))
		p.Status = console.PersonDisabled
		if err == nil {
			err = tx.ChangePerson(p)
		}
		return err
	})
	w.Later(3 * time.Hour)

	head := w.head()
	past, now := w.audit("aud", before, began), w.audit("aud", time.Time{}, began)
	if got := strings.Join(w.admins(past), " "); got != "cem dan own" {
		t.Errorf("administrators before: %s", got)
	}
	if got := strings.Join(w.admins(now), " "); got != "dan own" {
		t.Errorf("administrators now: %s", got)
	}
	for name, report := range map[string][]byte{"past": past, "now": now} {
		r := w.verified(report, head)
		for _, f := range r.Faults {
			t.Errorf("%s: %s", name, f)
		}
		if r.Audit == nil || r.Audit.Counts.Applications != 1 || r.Audit.Counts.Records == 0 || r.Audit.Counts.Leavers != 1 {
			t.Errorf("%s: %+v", name, r.Audit)
		}
	}
	leavers := rowsOf[evidence.Leaver](w, now, "leavers.jsonl")
	if l := leavers[0]; l.Person != w.ID("ben") || !l.Open || l.Hours != w.Time.Sub(left).Hours() {
		t.Errorf("who left: %+v", leavers)
	}
	if !slices.ContainsFunc(rowsOf[evidence.Record](w, now, "records.jsonl"), func(r evidence.Record) bool {
		return r.Section == "decisions" && r.Kind == "review.submitted" && r.Actor.Person() == w.ID("own")
	}) {
		t.Error("the decision is no record")
	}
	for _, app := range rowsOf[evidence.AuditedApp](w, now, "applications.jsonl") {
		if app.Unknown != "" || len(app.SHA256) != 64 || app.Sync == "" {
			t.Errorf("what the administrators come from: %+v", app)
		}
	}

	z, err := zip.NewReader(bytes.NewReader(now), int64(len(now)))
	w.Check(err)
	for _, member := range z.File {
		at, err := member.DataOffset()
		w.Check(err)
		if member.CompressedSize64 == 0 {
			continue
		}
		altered := bytes.Clone(now)
		altered[at+int64(member.CompressedSize64)/2] ^= 1
		if r := w.verified(altered); !slices.ContainsFunc(r.Faults, func(f evidence.Fault) bool { return f.Member == member.Name }) {
			t.Errorf("an altered byte in %s: %v", member.Name, r.Faults)
		}
	}
	if last := w.lastEvent(); last.Kind != "audit.reported" {
		t.Errorf("the report is no event: %s", last.Kind)
	}
	w.Later(time.Minute)
	w.audit("aud", time.Time{}, began)
	if r := w.verified(now, w.head()); len(r.Faults) == 0 || r.Faults[0].Event == 0 {
		t.Errorf("the report is older than the head: %v", r.Faults)
	}
}

// TestWhoMakesAuditReports checks who may make reports for auditors, and of which times.
func TestWhoMakesAuditReports(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	for who, want := range map[string]baton.Kind{"aud": governtest.None, "so": governtest.None, "sup": governtest.None, "own": baton.PermissionDenied, "camp": baton.PermissionDenied, "ana": baton.PermissionDenied} {
		p, err := w.AuditReport(ctx, w.Callers[who], time.Time{}, w.Time.Add(-time.Hour))
		governtest.WantKind(t, who, err, want)
		if err == nil {
			w.Check(p.Close())
		}
	}
	for what, times := range map[string][2]time.Time{"a later day": {w.Time.Add(48 * time.Hour), w.Time}, "a later period": {{}, w.Time.Add(time.Hour)}} {
		_, err := w.AuditReport(ctx, w.Callers["aud"], times[0], times[1])
		governtest.WantKind(t, what, err, baton.Invalid)
	}
}
