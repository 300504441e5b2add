package percipio_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/agent/syncer"
	"baton/internal/longtest"
	sandbox "baton/sandbox/percipio"
)

// refused lists the faults under which a sync must fail, with the kind of the error. Under every other fault
// the sync must find the truth.
var refused = map[string]baton.Kind{
	"html-200":              baton.Invalid,
	"redirect":              baton.Invalid,
	"huge-body":             baton.Invalid,
	"foreign-org":           baton.PermissionDenied,
	"missing-permission":    baton.PermissionDenied,
	"latin-1-undeclared":    baton.Invalid,
	"token-revoked-after":   baton.Unauthenticated,
	"total-lies-high":       baton.Incomplete,
	"error-in-200":          baton.Incomplete,
	"empty-200":             baton.Incomplete,
	"report-never-finishes": baton.Incomplete,
}

// refusedLimited lists faults that matter only if courses are searched for.
var refusedLimited = map[string]baton.Kind{"search-fail": baton.Unavailable}

// mayFail lists faults that some syncs do not meet.
var mayFail = map[string]baton.Kind{"empty-page": baton.Incomplete}

// TestEveryFault: each fault leads to correct facts or a clear error, never to an incomplete sync. It is
// tried with small pages, so that lists have several, and with limited courses.
func TestEveryFault(t *testing.T) {
	names := map[string]bool{}
	for i, fault := range sandbox.Faults() {
		names[fault.Name] = true
		t.Run(fault.Name, func(t *testing.T) {
			kind, fails := refused[fault.Name]
			synctest.Test(t, func(t *testing.T) { faultySync(t, fault.Name, nil, kind, fails) })
		})
		if i%longtest.Pick(4, 1) != 0 {
			continue
		}
		t.Run(fault.Name+" with limited courses", func(t *testing.T) {
			kind, fails := refused[fault.Name]
			if k, ok := refusedLimited[fault.Name]; ok {
				kind, fails = k, true
			}
			few := listed(sandbox.New(sandbox.Options{}).State(), 4)
			synctest.Test(t, func(t *testing.T) { faultySync(t, fault.Name, few, kind, fails) })
		})
	}
	for name := range refused {
		if !names[name] {
			t.Errorf("there is no fault %s", name)
		}
	}
}

func faultySync(t *testing.T, fault string, limited []string, kind baton.Kind, fails bool) {
	time.Sleep(time.Until(now)) // a bubble's clock starts before the activity in the report
	server := sandbox.New(sandbox.Options{Token: "sandbox-token-0123456789"})
	if err := server.SetFaults("page-cap=6", fault); err != nil {
		t.Fatal(err)
	}
	path := file(t)
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	_, err := syncer.Run(ctx, syncer.Config{Connector: connectTo(t, server, limitTo(limited...)), Path: path})
	if k, ok := mayFail[fault]; ok && err != nil {
		kind, fails = k, true
	}
	switch {
	case fails && err == nil:
		t.Errorf("the sync succeeded; want an error of kind %v", kind)
	case fails:
		if baton.KindOf(err) != kind {
			t.Errorf("%v (%v), want kind %v", err, baton.KindOf(err), kind)
		}
		isClear(t, server, err)
	case err != nil:
		t.Errorf("%v (%v; fix: %s)", err, baton.KindOf(err), baton.FixOf(err))
	default:
		want, got := truth(server.State(), limited...), found(t, path)
		if fault == "odd-dates" {
			want, got = dateless(want), dateless(got)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("facts differ (-truth +found):\n%s", diff)
		}
	}
	if files := server.State().SFTPFiles; files != 0 {
		t.Errorf("%d files were left on the organisation's SFTP", files)
	}
}

// isClear checks that the error is one line with advice and without secrets.
func isClear(t *testing.T, server *sandbox.Server, err error) {
	t.Helper()
	if baton.FixOf(err) == "" || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), server.Token()) {
		t.Errorf("the error is no clear line: %v (fix: %s)", err, baton.FixOf(err))
	}
}

func dateless(ids []string) []string {
	ids = slices.Clone(ids)
	for i, id := range ids {
		ids[i], _, _ = strings.Cut(id, " ")
	}
	return ids
}
