package web

import (
	"context"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/sqlite"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// databases are the databases of a console with several replicas; SQLite serves replicas on one
// machine.
var databases = map[string]func(testing.TB) func(*store.Keyring) (*store.Store, error){
	"sqlite": func(t testing.TB) func(*store.Keyring) (*store.Store, error) {
		path := filepath.Join(t.TempDir(), "console.db")
		return func(keys *store.Keyring) (*store.Store, error) {
			return sqlite.Open(context.Background(), sqlite.Config{Path: path, Now: noon, NoFlush: true}, keys)
		}
	},
	"postgres": func(t testing.TB) func(*store.Keyring) (*store.Store, error) {
		address := pgtest.New(t)
		return func(keys *store.Keyring) (*store.Store, error) {
			return postgres.Open(context.Background(), postgres.Config{URL: address, Now: noon}, keys)
		}
	},
}

// withReplica returns two replicas of a console, each with its own store on one database. The second
// one serves browsers; clock and people belong to the first.
func withReplica(t *testing.T, open func(*store.Keyring) (*store.Store, error)) (f, other *fixture) {
	t.Helper()
	f = newFixtureOn(t, open).withPeople()
	replica := *f
	other = &replica
	var err error
	other.store, err = open(f.keys)
	f.check(err)
	other.govern = govern.New(govern.Config{Store: other.store, Hosts: []string{"console.example.com"}, Now: func() time.Time { return f.now }})
	other.server = httptest.NewServer(New(Config{Console: other.govern}))
	t.Cleanup(func() {
		other.server.Close()
		if err := other.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, other
}

// TestDisabledEverywhere disables a person at one replica. Sessions, links, unfinished logins and
// open pages at the other one end.
func TestDisabledEverywhere(t *testing.T) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			f, other := withReplica(t, database(t))
			super := f.as("super")
			invited := super.post("/people/"+string(f.people["owner"])+"/invite", nil)
			invitation := invited.body[strings.Index(invited.body, "/invitation/"):]
			invitation = invitation[:strings.IndexAny(invitation, "<\" ")]
			owner := f.signIn(other.browser(), "owner")
			owner.get("/connectors").wants(t, "before", 200, "perplexity")
			f.browser().get(invitation).wants(t, "the invitation before", 200, "Welcome, owner")
			events := owner.events(t.Context(), "/live/connectors/"+string(f.connector))
			next(t, events)

			begun := time.Now()
			if r := super.post("/people/"+string(f.people["owner"])+"/status", url.Values{"status": {"disabled"}}); r.location == "" {
				t.Fatalf("disable: %d %s", r.status, r.body)
			}
			if r := owner.get("/connectors"); !strings.HasPrefix(r.location, "/login") {
				t.Errorf("the session goes on: %d", r.status)
			}
			if r := owner.post("/connectors/"+string(f.connector)+"/pause", url.Values{"paused": {"true"}}); !strings.HasPrefix(r.location, "/login") {
				t.Errorf("a form is taken: %d", r.status)
			}
			other.browser().get(invitation).wants(t, "the invitation", 404, "Ask for a new one")
			for end := ""; end != "ended"; {
				if end = next(t, events); end != "end" && end != "ended" {
					t.Errorf("the open page is told of another version: %q", end)
				}
			}
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("the open page ended after %v", took)
			} else {
				t.Logf("the open page ended after %v", took.Round(time.Millisecond))
			}
			f.now = f.now.Add(time.Minute)
			other.browser().post("/login", url.Values{"login": {"owner"}, "password": {password("owner").Reveal()}, "code": {f.code("owner")}}).wants(t, "a login", 401)

			// After activation, nothing old works again.
			super = f.as("super")
			super.post("/people/"+string(f.people["owner"])+"/status", url.Values{"status": {"active"}})
			if r := owner.get("/connectors"); !strings.HasPrefix(r.location, "/login") {
				t.Errorf("the session is there again: %d", r.status)
			}
			other.browser().get(invitation).wants(t, "the invitation of before", 404)
		})
	}
}

// TestSessionEndsEverywhere checks that a session ends at every replica, by expiry and manually.
func TestSessionEndsEverywhere(t *testing.T) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			f, other := withReplica(t, database(t))
			here := f.as("user")
			there := other.browser()
			there.setSession(here.session())
			there.get("/people").wants(t, "the session at the other replica", 200)
			f.now = f.now.Add(console.SessionIdle - time.Minute)
			there.get("/people").wants(t, "used", 200)
			f.now = f.now.Add(console.SessionIdle - time.Minute)
			here.get("/people").wants(t, "used at the other one", 200)
			f.now = f.now.Add(console.SessionIdle)
			for _, b := range []*browser{here, there} {
				if r := b.get("/people"); !strings.HasPrefix(r.location, "/login") {
					t.Errorf("an idle session goes on: %d", r.status)
				}
			}
			here = f.as("user")
			there.setSession(here.session())
			here.post("/logout", nil)
			if r := there.get("/people"); !strings.HasPrefix(r.location, "/login") {
				t.Errorf("a session that was signed out goes on: %d", r.status)
			}
		})
	}
}
