// Package governtest has a console for tests of what people decide: one application with accounts, groups,
// owners and an administrator role.
package governtest

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
)

var ctx = context.Background()

// Noon is when a world begins.
var Noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// World is a console with one app: the administrators cem, dan and own, the members ana, ben and dan, and a
// connector that can grant. mgr is the manager of ana. so is a security officer, sup a super administrator, aud
// an auditor; camp and other administer campaigns.
type World struct {
	*govern.Console
	T                  testing.TB
	Store              *store.Store
	Time               time.Time
	AppID, ConnectorID console.ID
	Admins, Members    console.EntitlementKey // the memberships of the two groups
	Tenant             ingesttest.Tenant
	Callers            map[string]govern.Caller
}

// OpenSQLite returns a store in a new file.
func OpenSQLite(t testing.TB) *store.Store {
	s, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: Noon, NoFlush: true}, newKeys(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newKeys(t testing.TB) *store.Keyring {
	keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// OpenPostgres returns a store in a new database. It skips the test where PostgreSQL is missing.
func OpenPostgres(t testing.TB) *store.Store {
	s, err := postgres.Open(ctx, postgres.Config{URL: pgtest.New(t), Now: Noon, CallersClock: true}, newKeys(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// New returns a world in an empty store.
func New(t testing.TB, s *store.Store) *World {
	t.Helper()
	w := &World{T: t, Store: s, Time: Noon, Callers: map[string]govern.Caller{}}
	w.Console = govern.New(govern.Config{Store: s, Now: func() time.Time { return w.Time }})
	roles := map[string][]console.ConsoleRole{"so": {console.SecurityOfficer}, "sup": {console.SuperAdministrator}, "aud": {console.Auditor}, "camp": {console.CampaignAdministrator}, "other": {console.CampaignAdministrator}}
	w.Update(func(tx *store.Tx) error {
		for _, name := range []string{"ana", "ben", "cem", "dan", "own", "mgr", "so", "sup", "aud", "camp", "other", "nobody"} {
			id, err := tx.AddPerson(console.Person{Name: name, Emails: []string{name + "@example.com"}, Roles: roles[name]})
			if err != nil {
				return err
			}
			person, err := tx.Person(id)
			if err != nil {
				return err
			}
			w.Callers[name] = govern.Caller{Person: person, Session: console.Session{Person: id, Began: Noon, Proved: Noon.Add(1000 * time.Hour), Seen: Noon}}
		}
		ana := w.Callers["ana"].Person
		ana.Manager = w.ID("mgr")
		if err := tx.ChangePerson(ana); err != nil {
			return err
		}
		var err error
		if w.AppID, err = tx.AddApp(console.App{Name: "Perplexity", Owners: []console.ID{w.ID("own")}}); err != nil {
			return err
		}
		w.ConnectorID, err = tx.AddConnector(console.Connector{App: w.AppID, Name: "perplexity"})
		return err
	})
	w.Hello(rpc.CanProvision, rpc.CanCreateAccounts)
	for _, name := range []string{"ana", "ben", "cem", "dan", "own"} {
		w.Tenant.Accounts = append(w.Tenant.Accounts, ingesttest.Account(name, name, name+"@example.com"))
	}
	w.Tenant.Groups = []ingesttest.Group{{ID: "admins", Name: "Admins", Members: []string{"cem", "dan", "own"}}, {ID: "members", Name: "Members", Members: []string{"ana", "ben", "dan"}}}
	w.ApplySync()
	w.Update(func(tx *store.Tx) error {
		m, err := tx.Moment(w.AppID, time.Time{})
		if err != nil {
			return err
		}
		for group, key := range map[string]*console.EntitlementKey{"admins": &w.Admins, "members": &w.Members} {
			e, err := tx.EntitlementByID(m, ingesttest.Member(group))
			if err != nil {
				return err
			}
			*key = e.Key
		}
		for _, a := range w.Tenant.Accounts {
			r, err := tx.ResourceByID(m, "user", a.ID.ID)
			if err != nil {
				return err
			}
			if err := tx.SetAccountOwner(r.Key, w.ID(a.ID.ID), store.OwnerMatched); err != nil {
				return err
			}
		}
		return tx.SetRoleMap(w.AppID, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{
			{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{w.Admins}}, {Name: "Member", Entitlements: []console.EntitlementKey{w.Members}}}}, 2)
	})
	return w
}

// Hello lets the connector say what it can do.
func (w *World) Hello(capabilities ...rpc.Capability) {
	w.T.Helper()
	w.Check(rpcstore.New(w.Store).Hello(ctx, w.Time, string(w.ConnectorID), rpc.Hello{Host: "h", Connector: rpc.Description{Capabilities: capabilities}}))
}

// ID returns the id of a person.
func (w *World) ID(name string) console.ID { return w.Callers[name].Person.ID }

// Check fails the test if there is an error.
func (w *World) Check(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatalf("%v (%s)", err, baton.FixOf(err))
	}
}

// Update runs a transaction as the console.
func (w *World) Update(fn func(*store.Tx) error) {
	w.T.Helper()
	w.Check(w.Store.Update(ctx, console.By{At: w.Time, Actor: console.Console}, fn))
}

// View runs a transaction that reads.
func (w *World) View(fn func(*store.Tx) error) {
	w.T.Helper()
	w.Check(w.Store.View(ctx, fn))
}

// Later lets time pass.
func (w *World) Later(d time.Duration) { w.Time = w.Time.Add(d) }

// ApplySync applies a sync with what the tenant shows, and judges operations like the worker.
func (w *World) ApplySync() console.Sync {
	w.T.Helper()
	w.Later(time.Minute)
	s := w.Tenant.Receive(w.T, w.Store, w.ConnectorID, w.Time)
	if s.State != console.SyncApplied {
		w.Later(time.Minute)
		return s
	}
	w.Update(func(tx *store.Tx) error {
		c, err := tx.Connector(w.ConnectorID)
		if err != nil {
			return err
		}
		back, err := tx.FindCameBack(c, s)
		for _, b := range back {
			if err == nil {
				err = tx.TellCameBack(b)
			}
		}
		if err != nil {
			return err
		}
		all, err := tx.UnverifiedOperations(w.ConnectorID)
		for _, o := range all {
			if err != nil {
				return err
			}
			a, e := tx.Access(o.App, o.Account, o.Entitlement, w.Time)
			if e != nil {
				return e
			}
			err = tx.JudgeOperation(o.ID, console.Verify(o, console.Sighting{Kind: s.Kind, Dispatched: s.Dispatched, Covers: true, Held: a.Held, Direct: a.Direct}), s.Number)
		}
		return err
	})
	w.Later(time.Minute)
	return s
}

// AccountOf returns the key of the account with a login.
func (w *World) AccountOf(name string) (key console.ResourceKey) {
	w.T.Helper()
	w.View(func(tx *store.Tx) error {
		m, err := tx.Moment(w.AppID, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", name)
		key = r.Key
		return err
	})
	return key
}

// AccessOf returns the access of the account with a login.
func (w *World) AccessOf(name string, e console.EntitlementKey) (a console.Access) {
	w.T.Helper()
	key := w.AccountOf(name)
	w.View(func(tx *store.Tx) (err error) {
		a, err = tx.Access(w.AppID, key, e, w.Time)
		return err
	})
	return a
}

// CarryOut dispatches all queued operations, and reports their success.
func (w *World) CarryOut() (n int) {
	w.T.Helper()
	var queued []console.Operation
	w.View(func(tx *store.Tx) (err error) {
		queued, err = tx.QueuedOperations(w.ConnectorID, w.Time, 1000)
		return err
	})
	for _, o := range queued {
		task := console.NewID(w.Time)
		var refused error
		w.Update(func(tx *store.Tx) (err error) {
			refused, err = tx.DispatchOperation(o.ID, task, w.Time, w.Time.Add(30*time.Minute), store.Circumstances{})
			return err
		})
		if refused != nil {
			continue
		}
		n++
		w.Later(time.Second)
		w.Update(func(tx *store.Tx) error {
			return tx.FinishOperation(o.ID, task, store.Answer{At: w.Time, State: console.Applied})
		})
	}
	return n
}

// None is the kind of no error.
const None baton.Kind = -1

// WantKind checks the kind of an error; None means that there is none.
func WantKind(t testing.TB, what string, err error, want baton.Kind) {
	t.Helper()
	if err == nil && want == None {
		return
	}
	if err == nil || baton.KindOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// WantGuard checks that an error is the refusal of a guard.
func WantGuard(t testing.TB, what string, err error, want console.Guard) {
	t.Helper()
	if r := (*console.Refusal)(nil); !errors.As(err, &r) || r.Guard != want {
		t.Errorf("%s: %v, want a refusal of %s", what, err, want)
	}
}
