package perplexity_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/agent/syncer"
	"baton/c1z/c1ztest"
	"baton/connector/connectortest"
	"baton/connector/perplexity"
	"baton/connector/rest"
	sandbox "baton/sandbox/perplexity"
)

// truth returns the facts of the organisation by identity, as far as SCIM can know them under the fault.
func truth(st sandbox.State, fault string) []string {
	var ids []string
	for _, u := range st.Users {
		if !u.Managed || strings.HasPrefix(fault, "soft-delete-off") && !u.Active {
			continue
		}
		ids = append(ids, "user:"+u.ID)
		for _, g := range u.Groups {
			ids = append(ids, "group:"+g+":member:user:"+u.ID)
		}
	}
	for _, g := range st.Groups {
		ids = append(ids, "group:"+g.ID, "group:"+g.ID+":member")
		for _, u := range g.Doubtful {
			ids = append(ids, "group:"+g.ID+":member:user:"+u) // it may be an account
		}
	}
	slices.Sort(ids)
	return ids
}

// found returns the facts in a file in the same form.
func found(t *testing.T, path string) []string {
	t.Helper()
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	ids := rows.IDs()
	slices.Sort(ids)
	return ids
}

// refused holds the faults under which a sync must fail, with the kind of its error. Under every other fault
// the facts must be correct.
var refused = map[string]baton.Kind{
	"html-200":            baton.Invalid,
	"redirect":            baton.Invalid,
	"huge-body":           baton.Invalid,
	"gzip-bomb":           baton.Invalid,
	"forbidden":           baton.PermissionDenied,
	"not-in-plan":         baton.PermissionDenied,
	"token-revoked-after": baton.Unauthenticated,
	"total-lies-high":     baton.Incomplete,
	"error-in-200":        baton.Incomplete,
	"empty-200":           baton.Incomplete,
	"ignore-start-index":  baton.Incomplete,
	"zero-based-start":    baton.Incomplete,
	"short-page":          baton.Incomplete,
	"missing-id":          baton.Incomplete,
	"big-group-500":       baton.Unavailable,

	"members-in-other-case":   baton.Incomplete,
	"members-by-display-name": baton.Incomplete,
	"members-by-membership":   baton.Incomplete,
	"members-nameless":        baton.Incomplete,
	"members-as-text":         baton.Incomplete,
	"members-in-envelope":     baton.Incomplete,
	"members-linked":          baton.Incomplete,
	"members-miscounted":      baton.Incomplete,
	"crowded-group":           baton.Incomplete,
	"crossed-kinds":           baton.Incomplete,
	"latin-1-undeclared":      baton.Invalid,
}

// mayFail holds faults that some syncs do not meet: both feeds request pages concurrently, and their order
// decides which page is empty, or is not a SCIM list.
var mayFail = map[string]baton.Kind{"empty-page": baton.Incomplete, "lookalike-list": baton.Incomplete}

// connectTo opens a connector inside a synctest bubble. edit may change its configuration.
func connectTo(t *testing.T, server *sandbox.Server, edit ...func(*perplexity.Config)) *baton.Connector {
	t.Helper()
	cfg := perplexity.Config{REST: client(t, server, time.Hour), MinAdmins: 1}
	for _, e := range edit {
		e(&cfg)
	}
	return perplexity.New(cfg)
}

// client retries for that time, or not at all if it is negative.
func client(t *testing.T, server *sandbox.Server, retryFor time.Duration) *rest.Client {
	t.Helper()
	c, err := rest.New(rest.Config{
		BaseURL: "http://localhost" + server.URLPath() + "?tenant=acme", Token: baton.NewSecret(server.Token()),
		Transport: connectortest.Serve(t, server), RetryFor: retryFor,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryFault syncs under each fault: the result is correct facts or a clear error, never an incomplete
// sync. Pages are small, so that lists have several.
func TestEveryFault(t *testing.T) {
	names := map[string]bool{}
	for _, fault := range sandbox.Faults() {
		names[fault.Name] = true
		t.Run(fault.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { faultySync(t, fault) })
		})
	}
	for name := range maps.Keys(refused) {
		if !names[name] {
			t.Errorf("there is no fault %s", name)
		}
	}
}

func faultySync(t *testing.T, fault sandbox.Fault) {
	server := sandbox.New(sandbox.Options{Token: "sk-scim-0123456789"})
	on := fault.Name
	if on == "crowded-group" || on == "repeated-members" {
		on += "=1"
	}
	if err := server.SetFaults("page-cap=6", on); err != nil {
		t.Fatal(err)
	}
	c := connectTo(t, server)
	path := filepath.Join(t.TempDir(), "sync.c1z")
	_, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: path})
	kind, fails := refused[fault.Name]
	if k, ok := mayFail[fault.Name]; ok {
		kind, fails = k, err != nil
	}
	switch {
	case fails && err == nil:
		t.Errorf("the sync succeeded; want an error of kind %v", kind)
	case fails:
		if baton.KindOf(err) != kind {
			t.Errorf("%v (%v), want kind %v", err, baton.KindOf(err), kind)
		}
		if baton.FixOf(err) == "" || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), server.Token()) {
			t.Errorf("the error is no clear line: %v (fix: %s)", err, baton.FixOf(err))
		}
	case err != nil:
		t.Errorf("%v (%v; fix: %s)", err, baton.KindOf(err), baton.FixOf(err))
	default:
		if diff := cmp.Diff(truth(server.State(), fault.Name), found(t, path)); diff != "" {
			t.Errorf("facts differ (-truth +found):\n%s", diff)
		}
	}
}
