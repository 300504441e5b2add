package match_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/c1z/writer"
	"baton/console"
	"baton/console/ingest"
	"baton/console/match"
	"baton/console/store"
	"baton/console/store/sqlite"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

type world struct {
	t              *testing.T
	s              *store.Store
	now            time.Time
	app, connector console.ID
	people         map[string]console.ID
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: noon, people: map[string]console.ID{}}
	var err error
	w.s, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true}, nil)
	w.check(err)
	t.Cleanup(func() { w.s.Close() })
	w.update(func(tx *store.Tx) (err error) {
		if w.app, err = tx.AddApp(console.App{Name: "app"}); err == nil {
			w.connector, err = tx.AddConnector(console.Connector{App: w.app, Name: "connector"})
		}
		return err
	})
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	w.check(w.s.Update(w.t.Context(), console.By{At: w.now, Actor: console.Console}, fn))
}

func (w *world) person(name string, emails ...string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) (err error) {
		w.people[name], err = tx.AddPerson(console.Person{Name: name, Emails: emails})
		return err
	})
}

// user is an account of the app.
type user struct {
	id, login string
	emails    []string
	kind      baton.AccountKind
}

// sync applies a sync that shows these accounts.
func (w *world) sync(users ...user) {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	path := filepath.Join(w.t.TempDir(), "sync.c1z")
	f, err := writer.Create(path, writer.Options{SyncID: ksuid.New().String(), SyncType: "full", Started: w.now})
	w.check(err)
	add := func(r writer.Row, err error) {
		w.t.Helper()
		w.check(err)
		w.check(f.Add(r))
	}
	add(writer.ResourceTypeRow(baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}))
	for _, u := range users {
		r := baton.Resource{ID: baton.ResourceID{Type: "user", ID: u.id}, DisplayName: u.id, User: &baton.User{Login: u.login, Kind: u.kind}}
		for i, e := range u.emails {
			r.User.Emails = append(r.User.Emails, baton.Email{Address: e, Primary: i == 0})
		}
		add(writer.ResourceRow(r))
	}
	_, err = f.Seal(w.t.Context(), w.now)
	w.check(err)
	file, err := os.Open(path)
	w.check(err)
	defer file.Close()
	in := &ingest.Ingester{Store: w.s, Scratch: w.t.TempDir(), Now: func() time.Time { return w.now }}
	id, err := in.Receive(w.t.Context(), console.Console, ingest.Origin{Connector: w.connector, Kind: console.SyncFull, Dispatched: w.now}, file)
	w.check(err)
	s, err := in.Apply(w.t.Context(), console.Console, id)
	w.check(err)
	if s.State != console.SyncApplied {
		w.t.Fatalf("the sync is %s: %+v", s.State, s.Holds)
	}
}

// match runs the matching and checks how many owners it changes.
func (w *world) match(want int) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	got, err := match.App(w.t.Context(), w.s, console.By{At: w.now, Actor: console.Console}, w.app)
	w.check(err)
	if got != want {
		w.t.Errorf("%d owners changed, want %d", got, want)
	}
}

func (w *world) key(id string) (key console.ResourceKey) {
	w.t.Helper()
	w.check(w.s.View(w.t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", id)
		key = r.Key
		return err
	}))
	return key
}

// owns checks the owner of an account.
func (w *world) owns(id, person string) {
	w.t.Helper()
	w.check(w.s.View(w.t.Context(), func(tx *store.Tx) error {
		o, err := tx.AccountOwner(w.key(id), time.Time{})
		if err == nil && o.Person != w.people[person] {
			err = fmt.Errorf("account %s belongs to %q, want %s", id, o.Person, person)
		}
		return err
	}))
}

func TestMatch(t *testing.T) {
	w := newWorld(t)
	w.person("ana", "ana@example.com", "ana@old.example")
	w.person("ben", "ben@example.com")
	w.sync(
		user{id: "1", login: "ANA@example.com"},
		user{id: "2", login: "x", emails: []string{"other@example.com", "Ben@Example.com"}},
		user{id: "3", login: "ana@old.example", emails: []string{"ben@example.com"}},                   // an address of both
		user{id: "4", login: "robot", emails: []string{"ana@example.com"}, kind: baton.ServiceAccount}, // without an owner
		user{id: "5", login: "ana@example.com.evil"},
		user{id: "6", login: "cem@example.com"},
	)
	w.match(2)
	for id, person := range map[string]string{"1": "ana", "2": "ben", "3": "", "4": "", "5": "", "6": ""} {
		w.owns(id, person)
		w.check(w.s.View(t.Context(), func(tx *store.Tx) error { // a single account
			a, err := tx.App(w.app)
			if err != nil {
				return err
			}
			m, err := tx.Moment(w.app, time.Time{})
			if err != nil {
				return err
			}
			r, err := tx.Account(m, w.key(id))
			if err != nil {
				return err
			}
			got, err := match.Account(tx, m, a.Roles, r)
			if err == nil && got != w.people[person] {
				t.Errorf("account %s alone belongs to %q, want %s", id, got, person)
			}
			return err
		}))
	}
	w.match(0)

	// A person who is added later.
	w.person("cem", "cem@example.com")
	w.match(1)
	w.owns("6", "cem")

	// An address that moves to another person.
	w.update(func(tx *store.Tx) error {
		p, err := tx.Person(w.people["cem"])
		if err != nil {
			return err
		}
		p.Emails = []string{"cem@new.example"}
		return tx.ChangePerson(p)
	})
	w.match(1)
	w.owns("6", "")

	// Manual owners stay.
	w.update(func(tx *store.Tx) error {
		if err := tx.SetAccountOwner(w.key("1"), w.people["ben"], store.OwnerSet); err != nil {
			return err
		}
		return tx.SetAccountOwner(w.key("2"), "", store.OwnerCleared)
	})
	w.match(0)
	w.owns("1", "ben")
	w.owns("2", "")

	// An account that is marked as a service loses its owner, and gets it back.
	w.update(func(tx *store.Tx) error { return tx.SetAccountOwner(w.key("1"), w.people["ana"], store.OwnerMatched) })
	w.update(func(tx *store.Tx) error { return tx.SetAccountKind(w.key("1"), console.AccountService) })
	w.match(1)
	w.owns("1", "")
	w.update(func(tx *store.Tx) error { return tx.SetAccountKind(w.key("1"), console.AccountUnspecified) })
	w.match(1)
	w.owns("1", "ana")
}
