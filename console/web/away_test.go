package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
)

// TestDatabaseAway takes the database away, and lets it refuse changes, as in a failover. Pages say so,
// without its address; nobody is signed out; and afterwards the same browser goes on, with each change
// made once.
func TestDatabaseAway(t *testing.T) {
	server := pgtest.Start(t)
	f := newFixtureOn(t, func(keys *store.Keyring) (*store.Store, error) {
		return postgres.Open(context.Background(), postgres.Config{URL: server.URL("public"), Now: noon}, keys)
	}).withPeople()
	b := f.as("super")
	b.get("/applications").wants(t, "before", 200)

	server.Stop()
	for _, path := range []string{"/", "/applications", "/people", "/login", "/findings"} {
		a := b.get(path)
		a.wants(t, path+" without a database", 503, "The database does not answer", "not at all", "Try again")
		if strings.Contains(a.body, "127.0.0.1") || strings.Contains(a.body, "user=") || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s tells the address of the database, or signs out: %v %s", path, a.header, a.body)
		}
	}
	b.post("/applications/new", url.Values{"name": {"Made while away"}}).wants(t, "a change without a database", 503, "The database does not answer")
	if err := server.Run(); err != nil {
		t.Fatal(err)
	}
	for try := 0; b.get("/applications").status != http.StatusOK; try++ { // old connections are found broken one by one
		if try == 20 {
			t.Fatal("the database is back, and pages are not")
		}
	}

	server.Set(t, "default_transaction_read_only", "on")
	b.get("/applications").wants(t, "reading from a database that takes no changes", 200)
	b.post("/applications/new", url.Values{"name": {"Made while read-only"}}).wants(t, "a change while the database takes none", 503, "The database takes no changes", "Try again")
	server.Set(t, "default_transaction_read_only", "off")
	for try := 0; b.post("/applications/new", url.Values{"name": {"Made while read-only"}}).status != http.StatusSeeOther; try++ { // each session of the pool reads the setting when it is used
		if try == 20 {
			t.Fatal("the database takes changes again, and pages do not")
		}
	}
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		apps, err := tx.Apps(store.NameAfter{}, store.PageSize)
		made := map[string]int{}
		for _, a := range apps {
			made[a.Name]++
		}
		if made["Made while away"] != 0 || made["Made while read-only"] != 1 {
			t.Errorf("applications: %v", made)
		}
		return err
	}))
	if r, err := f.store.VerifyChain(t.Context()); err != nil || len(r.Faults) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
