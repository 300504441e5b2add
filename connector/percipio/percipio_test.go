package percipio_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"baton"
	"baton/agent/syncer"
	"baton/c1z/c1ztest"
	"baton/connector/connectortest"
	"baton/connector/percipio"
	"baton/connector/rest"
	sandbox "baton/sandbox/percipio"
)

// now is the time at which the tests read the organisations.
var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// org is a sandbox organisation with a client.
type org struct {
	*sandbox.Server
	http *httptest.Server
	down atomic.Bool
	n    atomic.Int64
}

func start(t *testing.T, opts sandbox.Options) *org {
	t.Helper()
	o := &org{Server: sandbox.New(opts)}
	o.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.n.Add(1)
		if o.down.Load() {
			http.Error(w, `{"message":"no"}`, http.StatusForbidden)
			return
		}
		o.ServeHTTP(w, r)
	}))
	t.Cleanup(o.http.Close)
	return o
}

func restTo(t *testing.T, server *sandbox.Server, cfg rest.Config) *rest.Client {
	t.Helper()
	cfg.Token = baton.NewSecret(server.Token())
	client, err := rest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// connect opens a connector; edit may change its configuration.
func (o *org) connect(t *testing.T, edit ...func(*percipio.Config)) *baton.Connector {
	t.Helper()
	return connector(restTo(t, o.Server, rest.Config{BaseURL: o.http.URL, RetryFor: 20 * time.Second}), o.Server, edit...)
}

// connectTo opens a connector inside a synctest bubble.
func connectTo(t *testing.T, server *sandbox.Server, edit ...func(*percipio.Config)) *baton.Connector {
	t.Helper()
	return connector(restTo(t, server, rest.Config{BaseURL: "http://localhost", Transport: connectortest.Serve(t, server), RetryFor: time.Hour}), server, edit...)
}

func connector(client *rest.Client, server *sandbox.Server, edit ...func(*percipio.Config)) *baton.Connector {
	cfg := percipio.Config{REST: client, Token: baton.NewSecret(server.Token()), OrganizationID: server.OrganizationID(), Lookback: 20 * 365 * 24 * time.Hour}
	for _, e := range edit {
		e(&cfg)
	}
	return percipio.New(cfg)
}

func limitTo(ids ...string) func(*percipio.Config) {
	return func(cfg *percipio.Config) { cfg.LimitedCourses = ids }
}

// upstream adapts the organisation to the conformance suite.
func (o *org) upstream(t *testing.T, edit ...func(*percipio.Config)) connectortest.Upstream {
	return connectortest.Upstream{
		Connect:     func() *baton.Connector { return o.connect(t, edit...) },
		Requests:    func() int { return int(o.n.Load()) },
		Secrets:     []string{o.Token()},
		Unavailable: o.down.Store,
	}
}

// truth returns the facts of the organisation by identity, with the dates of completions.
func truth(st sandbox.State, limited ...string) []string {
	var ids []string
	for _, u := range st.Users {
		ids = append(ids, "user:"+u.ID)
	}
	for _, c := range st.Courses {
		if c.Listed && (len(limited) == 0 || slices.Contains(limited, c.ID)) {
			ids = append(ids, "course:"+c.ID, "course:"+c.ID+":completed", "course:"+c.ID+":in_progress")
		}
	}
	for p := range st.Expected(limited...) {
		ids = append(ids, grant(p.Course, string(p.Status), p.User, p.At))
	}
	slices.Sort(ids)
	return ids
}

func grant(course, slug, user string, at time.Time) string {
	id := fmt.Sprintf("course:%s:%s:user:%s", course, slug, user)
	if !at.IsZero() {
		id += " " + at.UTC().Format(time.RFC3339)
	}
	return id
}

// found returns the facts in a file in the same form.
func found(t *testing.T, path string) []string {
	t.Helper()
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range rows.Resources {
		ids = append(ids, r.ID.String())
	}
	listed := map[string]bool{}
	for _, e := range rows.Entitlements {
		ids, listed[e.ID] = append(ids, e.ID), true
	}
	for _, g := range rows.Grants {
		if !listed[g.Entitlement] {
			continue // as one of the official connector
		}
		id := g.ID
		if date, ok := g.Metadata["completed_date"].(string); ok {
			id += " " + date
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "sync.c1z") }

func mustSync(t *testing.T, c *baton.Connector, path string) syncer.Result {
	t.Helper()
	res, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: path})
	if err != nil {
		t.Fatalf("%v (fix: %s)", err, baton.FixOf(err))
	}
	return res
}

// listed returns the first n courses that a sync has.
func listed(st sandbox.State, n int) []string {
	var ids []string
	for _, c := range st.Courses {
		if c.Listed && len(ids) < n {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func TestConformance(t *testing.T) {
	few := listed(sandbox.New(sandbox.Options{}).State(), 3)
	for _, tc := range []struct {
		name, golden string
		faults       []string
		edit         []func(*percipio.Config)
	}{
		{"one page", "identities", nil, nil},
		{"many pages", "identities", []string{"page-cap=4"}, nil},
		{"no headers", "identities", []string{"page-cap=4", "no-total", "no-link", "no-paging-id"}, nil},
		{"rows of all kinds", "identities", []string{"dup-pairs=3", "unknown-status=4", "unknown-users=5", "unknown-courses=6", "empty-ids=7", "status-lower-case"}, nil},
		{"limited courses", "limited", nil, []func(*percipio.Config){limitTo(few...)}},
		{"limited courses that no search finds", "limited", []string{"search-locale", "search-crowded", "page-cap=4"}, []func(*percipio.Config){limitTo(few...)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			connectortest.Run(t, connectortest.Suite{
				Start: func(t *testing.T) connectortest.Upstream {
					return start(t, sandbox.Options{Faults: tc.faults, Token: "sandbox-token-0123456789", Now: func() time.Time { return now }}).upstream(t, tc.edit...)
				},
				Identities: "testdata/" + tc.golden + ".txt",
			})
		})
	}
}
