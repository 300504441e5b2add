package storetest

import (
	"fmt"
	"strings"
	"testing"

	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
	"baton/internal/longtest"
)

// Upgrader is a [Database] that can be opened with an earlier schema.
type Upgrader interface {
	Database
	// OpenAt opens the empty database with the first migrations only. The caller closes it.
	OpenAt(t testing.TB, migrations int) engine.DB
}

// upgraded lists the tests of the suite whose rows are taken to earlier schemas.
var upgraded = []func(*testing.T, Database){
	testRequest, testReview, testSCIMUser, testAutomation, testConfiguration, testFindings, testOperation, testSession, testSyncHeld, testSourceSets, testWebhookDelivery, testDirectory,
}

// Upgrades checks that databases of every earlier schema are brought up to date. Consoles come from tests of
// the suite, on lite, and one has a made row in every table that these tests leave empty. Their rows are
// written to a database with the first n migrations, as far as its tables and columns exist, for every n. The
// other migrations must keep every value, the chain of events and the references between rows, and the
// console must go on.
func Upgrades(t *testing.T, lite func(testing.TB) Database, fresh func(testing.TB) Upgrader) {
	var sources []content
	for _, test := range upgraded[:longtest.Pick(2, len(upgraded))] {
		db := lite(t)
		test(t, db)
		c, err := read(db.Open(t))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, c)
	}
	newest, err := read(fresh(t).Open(t))
	if err != nil {
		t.Fatal(err)
	}
	last := newest.migrations
	numbers := []int{last / 2, last - 1}
	if longtest.Enabled {
		numbers = nil
		for n := range last - 1 {
			numbers = append(numbers, n+1)
		}
	}
	for _, n := range numbers {
		t.Run(fmt.Sprintf("From%04d", n), func(t *testing.T) {
			upgrade(t, fresh(t), n, sources[0], true)
			for i := range 2 { // other sources for the next schema
				upgrade(t, fresh(t), n, sources[(n+i)%len(sources)], false)
			}
		})
	}
}

// upgrade checks the upgrade of one console. If made is true, tables without rows get one. Its values fit the
// schema only, so that the console cannot go on with it.
func upgrade(t *testing.T, db Upgrader, n int, source content, made bool) {
	t.Helper()
	old := db.OpenAt(t, n)
	err := source.write(old)
	if err == nil && made {
		err = fill(old)
	}
	var before, after content
	if err == nil {
		before, err = read(old)
	}
	if closed := old.Close(); err == nil {
		err = closed
	}
	if err != nil {
		t.Fatalf("a console with migration %d: %v", n, err)
	}
	e := db.Open(t)
	if err := danglingReferences(e); err != nil {
		t.Error(err)
	}
	if after, err = read(e); err != nil {
		t.Fatal(err)
	}
	before.compare(t, after)
	for name, table := range before.tables {
		if made && len(table.rows) == 0 {
			t.Errorf("the table %s has no row", name)
		}
	}
	s := store.New(e, keyring(t, "first"))
	checkChain(t, s)
	if !made {
		goOn(t, s)
	}
}

// danglingReferences returns an error for a row that refers to none. PostgreSQL allows no such row.
func danglingReferences(e engine.DB) error {
	if e.Name() != "sqlite" {
		return nil
	}
	return e.Read(ctx, func(tx engine.Tx) error {
		return tx.Query(func(r engine.Row) error {
			return fmt.Errorf("a row of %s refers to a row of %s that is not there", r.Text(0), r.Text(2))
		}, "SELECT * FROM pragma_foreign_key_check")
	})
}

// goOn reads lists of a console, adds an application to it and syncs that twice.
func goOn(t *testing.T, s *store.Store) {
	t.Helper()
	view(t, s, func(tx *store.Tx) error {
		apps, err := tx.Apps(store.NameAfter{}, store.PageSize)
		if err != nil {
			return err
		}
		for _, a := range apps {
			if _, err := tx.Connectors(a.ID); err != nil {
				return err
			}
		}
		if _, err := tx.Events(store.EventFilter{}, 0, store.PageSize); err != nil {
			return err
		}
		requests, err := tx.Requests(store.RequestFilter{}, 0, store.PageSize)
		if err != nil {
			return err
		}
		for _, q := range requests {
			if _, err := tx.Operations(q.Account, q.Entitlement); err != nil {
				return err
			}
		}
		return nil
	})
	// Identities of rows must be new ones, and so must their numbers.
	w := namedWorld(t, s, "an application of the new version")
	first, second := w.sync(100_000, model{accounts: []string{"new", "newer"}, groups: []string{"g"}, grants: pairs("g", "new")}),
		w.sync(100_001, model{accounts: []string{"new"}, groups: []string{"g"}, grants: pairs("g", "new")})
	if second <= first {
		t.Errorf("sync %d follows sync %d", second, first)
	}
	update(t, s, by(100_002), func(tx *store.Tx) error {
		_, err := tx.AddPerson(console.Person{Name: "Somebody New", Emails: []string{"new." + strings.ToLower(string(w.app)) + "@example.com"}})
		return err
	})
	checkChain(t, s)
}
