package perplexity_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"baton"
	"baton/connector/connectortest"
	"baton/connector/perplexity"
	"baton/connector/rest"
	sandbox "baton/sandbox/perplexity"
)

// org is a sandbox organisation with a client.
type org struct {
	*sandbox.Server
	http *httptest.Server
	down atomic.Bool
	n    atomic.Int64
}

func start(t *testing.T, opts sandbox.Options) *org {
	t.Helper()
	if opts.Token == "" {
		opts.Token = "sk-scim-0123456789"
	}
	if opts.Now == nil {
		opts.Now = func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }
	}
	o := &org{Server: sandbox.New(opts)}
	o.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.n.Add(1)
		if o.down.Load() {
			http.Error(w, `{"detail":"no"}`, http.StatusForbidden)
			return
		}
		o.ServeHTTP(w, r)
	}))
	t.Cleanup(o.http.Close)
	return o
}

// connect opens a connector; edit may change its configuration.
func (o *org) connect(t *testing.T, edit ...func(*perplexity.Config)) *baton.Connector {
	t.Helper()
	client, err := rest.New(rest.Config{BaseURL: o.http.URL + o.URLPath(), Token: baton.NewSecret(o.Token()), RetryFor: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	cfg := perplexity.Config{REST: client, MinAdmins: 1, Priority: "admin"}
	for _, e := range edit {
		e(&cfg)
	}
	return perplexity.New(cfg)
}

// upstream adapts the organisation to the conformance suite.
func (o *org) upstream(t *testing.T) connectortest.Upstream {
	return connectortest.Upstream{
		Connect:     func() *baton.Connector { return o.connect(t) },
		Requests:    func() int { return int(o.n.Load()) },
		Secrets:     []string{o.Token()},
		Unavailable: o.down.Store,
	}
}

// person finds an account of the demo organisation that is in the named groups and in no other role group.
func person(t *testing.T, st sandbox.State, active bool, groups ...string) sandbox.UserState {
	t.Helper()
	for _, u := range st.Users {
		if u.Managed && u.Active == active && sameGroups(st, u, groups) {
			return u
		}
	}
	t.Fatalf("nobody is in exactly %q (active %v)", groups, active)
	return sandbox.UserState{}
}

func sameGroups(st sandbox.State, u sandbox.UserState, names []string) bool {
	in := map[string]bool{}
	for _, id := range u.Groups {
		g, _ := st.Group(id)
		in[g.DisplayName] = true
	}
	if len(in) != len(names) {
		return false
	}
	for _, n := range names {
		if !in[n] {
			return false
		}
	}
	return true
}

func group(t *testing.T, st sandbox.State, name string) sandbox.GroupState {
	t.Helper()
	g, ok := st.Group(name)
	if !ok {
		t.Fatalf("there is no group %q", name)
	}
	return g
}

func request(groupID, userID string) baton.GrantRequest {
	return baton.GrantRequest{
		Entitlement: baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: groupID}, Slug: "member"},
		Principal:   baton.ResourceID{Type: "user", ID: userID},
	}
}

func TestConformance(t *testing.T) {
	st := start(t, sandbox.Options{}).State()
	member := person(t, st, true, "PPLX_Members")
	disabled := person(t, st, false, "PPLX_Members")
	grant := request(group(t, st, "Engineering").ID, member.ID)
	for name, faults := range map[string][]string{
		"one page":                 nil,
		"many pages":               {"page-cap=6"},
		"members one by one":       {"page-cap=6", "members-absent"},
		"members of accounts only": {"members-empty-everywhere"},
		"cursors":                  {"cursor-only", "page-cap=7"},
	} {
		t.Run(name, func(t *testing.T) {
			connectortest.Run(t, connectortest.Suite{
				Start: func(t *testing.T) connectortest.Upstream {
					return start(t, sandbox.Options{Faults: faults}).upstream(t)
				},
				Identities: "testdata/identities.txt",
				Grant:      baton.GrantID{Entitlement: grant.Entitlement, Principal: grant.Principal},
				NewAccount: &baton.AccountRequest{Email: "new.person@acme.example", Profile: map[string]any{"display_name": "New Person"}},
				Actions: map[string]map[string]any{
					"disable_user": {"user_id": member.ID},
					"enable_user":  {"user_id": disabled.ID},
				},
			})
		})
	}
}
