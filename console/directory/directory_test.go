package directory_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
	"baton/console/store/sqlite"
)

type world struct {
	t              *testing.T
	s              *store.Store
	now            time.Time
	app, connector console.ID
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	var err error
	w.s, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: w.now, NoFlush: true}, nil)
	w.check(err)
	t.Cleanup(func() { w.s.Close() })
	w.update(func(tx *store.Tx) (err error) {
		if w.app, err = tx.AddApp(console.App{Name: "Directory"}); err == nil {
			w.connector, err = tx.AddConnector(console.Connector{App: w.app, Name: "directory", Directory: true})
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

func (w *world) by() console.By {
	return console.By{At: w.now, Actor: console.Actor{Kind: console.ActorConnector, ID: string(w.connector)}}
}

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	w.check(w.s.Update(w.t.Context(), console.By{At: w.now, Actor: console.Console}, fn))
}

// sync applies a sync and follows it twice, because that can be repeated.
func (w *world) sync(accounts ...baton.Resource) directory.Result {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	ingesttest.Tenant{Accounts: accounts}.Apply(w.t, w.s, w.connector, w.now)
	return w.follow()
}

func (w *world) follow() directory.Result {
	w.t.Helper()
	r, err := directory.Sync(w.t.Context(), w.s, w.by(), w.connector)
	w.check(err)
	again, err := directory.Sync(w.t.Context(), w.s, w.by(), w.connector)
	w.check(err)
	if again.Added+again.Changed+again.Gone != 0 || again.Conflicts != r.Conflicts {
		w.t.Errorf("repeated: %+v after %+v", again, r)
	}
	return r
}

// person returns the person with an address; zero if there is none.
func (w *world) person(email string) (p console.Person) {
	w.t.Helper()
	w.check(w.s.View(w.t.Context(), func(tx *store.Tx) (err error) {
		if p, err = tx.PersonByEmail(email); baton.KindOf(err) == baton.NotFound {
			err = nil
		}
		return err
	}))
	return p
}

// people counts the people.
func (w *world) people() (n int) {
	w.t.Helper()
	w.check(w.s.View(w.t.Context(), func(tx *store.Tx) error {
		all, err := tx.Persons(store.NameAfter{}, store.PageSize)
		n = len(all)
		return err
	}))
	return n
}

func (w *world) conflicts() (why []string) {
	w.t.Helper()
	w.check(w.s.View(w.t.Context(), func(tx *store.Tx) error {
		c, err := tx.Connector(w.connector)
		if err != nil {
			return err
		}
		records, err := tx.DirectoryConflicts(c.Stream, 100)
		for _, r := range records {
			why = append(why, r.Why)
		}
		return err
	}))
	return why
}

// account returns an account of the directory.
func account(id, name, email string, edit ...func(*baton.Resource)) baton.Resource {
	r := ingesttest.Account(id, name, email)
	for _, e := range edit {
		e(&r)
	}
	return r
}

func profile(key, value string) func(*baton.Resource) {
	return func(r *baton.Resource) {
		if r.Profile == nil {
			r.Profile = baton.Profile{}
		}
		r.Profile[key] = value
	}
}

func disabled(r *baton.Resource) { r.Status = baton.StatusDisabled }

func service(r *baton.Resource) { r.User.Kind = baton.ServiceAccount }

func also(email string) func(*baton.Resource) {
	return func(r *baton.Resource) { r.User.Emails = append(r.User.Emails, baton.Email{Address: email}) }
}

// TestDirectory creates people from a directory's accounts and updates them, but keeps manual
// changes.
func TestDirectory(t *testing.T) {
	w := newWorld(t)
	r := w.sync(
		account("1", "Ana", "Ana@Example.com", also("ana@old.example"), profile("manager", "ben@example.com"), profile("department", "R&D")),
		account("2", "Ben", "ben@example.com"),
		account("3", "Cem", "cem@example.com", profile("manager", "2"), disabled),
		account("4", "Printer", "printer@example.com", service),
		account("5", "Nobody", "nobody"),
	)
	if r.Added != 3 || r.WithoutAddress != 1 || r.Conflicts != 0 || w.people() != 3 {
		t.Errorf("first: %+v, %d people, %q", r, w.people(), w.conflicts())
	}
	ana, ben, cem := w.person("ana@example.com"), w.person("ben@example.com"), w.person("cem@example.com")
	if !slices.Equal(ana.Emails, []string{"ana@example.com", "ana@old.example"}) || ana.Department != "R&D" || ana.Manager != ben.ID || ana.Status != console.PersonActive || ana.Name != "Ana" {
		t.Errorf("Ana: %+v", ana)
	}
	if cem.Status != console.PersonDisabled || cem.Manager != ben.ID {
		t.Errorf("Cem, who is disabled and whose manager is named by id: %+v", cem)
	}

	// Manual changes stay until the directory's data changes.
	w.update(func(tx *store.Tx) error {
		p := ana
		p.Name, p.Department, p.Emails = "Ana by hand", "Sales", append(slices.Clone(p.Emails), "ana@private.example")
		if err := tx.ChangePerson(p); err != nil {
			return err
		}
		p = ben
		p.Status = console.PersonDisabled
		return tx.ChangePerson(p)
	})
	r = w.sync(account("1", "Ana", "ana@example.com", also("ana@new.example"), profile("manager", "ben@example.com"), profile("department", "R&D")),
		account("2", "Ben", "ben@example.com"), account("3", "Cem B.", "cem@example.com", profile("manager", "2")))
	if r.Changed != 2 || r.Added != 0 {
		t.Errorf("second: %+v", r)
	}
	ana, ben, cem = w.person("ana@example.com"), w.person("ben@example.com"), w.person("cem@example.com")
	if ana.Name != "Ana by hand" || ana.Department != "Sales" || !slices.Equal(ana.Emails, []string{"ana@example.com", "ana@new.example", "ana@private.example"}) {
		t.Errorf("Ana after another address: %+v", ana)
	}
	if ben.Status != console.PersonDisabled {
		t.Errorf("Ben, whom a person disabled: %+v", ben)
	}
	if cem.Status != console.PersonActive || cem.Name != "Cem B." {
		t.Errorf("Cem, who is enabled again: %+v", cem)
	}
	// The directory removes the department and the manager.
	w.sync(account("1", "Ana", "ana@example.com", also("ana@new.example")), account("2", "Ben", "ben@example.com"), account("3", "Cem B.", "cem@example.com", profile("manager", "2")))
	if ana = w.person("ana@example.com"); ana.Department != "" || ana.Manager != "" {
		t.Errorf("Ana without department and manager: %+v", ana)
	}
}

// TestDirectoryDeletions marks people as gone after two syncs that do not show them, but not because
// of a held sync.
func TestDirectoryDeletions(t *testing.T) {
	w := newWorld(t)
	ana, ben := account("1", "Ana", "ana@example.com"), account("2", "Ben", "ben@example.com")
	status := func() string {
		return fmt.Sprint(w.person("ana@example.com").Status, " ", w.person("ben@example.com").Status)
	}
	w.sync(ana, ben, account("3", "Cem", "cem@example.com"))
	rest := account("3", "Cem", "cem@example.com")
	w.sync(ana, rest)
	if got := status(); got != "active active" {
		t.Errorf("after one sync: %s", got)
	}
	w.follow() // the same sync again does not count twice
	if got := status(); got != "active active" {
		t.Errorf("after one sync that was followed twice: %s", got)
	}
	// A held sync shows even less.
	w.now = w.now.Add(time.Minute)
	if s := (ingesttest.Tenant{}).Receive(t, w.s, w.connector, w.now); s.State != console.SyncHeld {
		t.Fatalf("an empty sync is %s", s.State)
	}
	w.follow()
	if got := status(); got != "active active" {
		t.Errorf("after a held sync: %s", got)
	}
	if r := w.sync(ana, rest); r.Gone != 1 || status() != "active gone" {
		t.Errorf("after two syncs: %+v, %s", r, status())
	}
	if r := w.sync(ana, rest); r.Gone != 0 {
		t.Errorf("after three syncs: %+v", r)
	}
	// A person who comes back in between was never gone; one who comes back later is active again.
	w.sync(rest, ben)
	w.sync(ana, rest, ben)
	w.sync(rest, ben)
	if got := status(); got != "active active" {
		t.Errorf("after coming back: %s", got)
	}
}

// TestDirectoryConflicts checks that the identity of a person is never guessed.
func TestDirectoryConflicts(t *testing.T) {
	w := newWorld(t)
	add := func(name string, roles []console.ConsoleRole, emails ...string) (id console.ID) {
		w.update(func(tx *store.Tx) (err error) {
			id, err = tx.AddPerson(console.Person{Name: name, Emails: emails, Roles: roles})
			return err
		})
		return id
	}
	add("Root", []console.ConsoleRole{console.SuperAdministrator}, "root@example.com")
	one, two := add("One", nil, "one@example.com"), add("Two", nil, "two@example.com")
	both := account("1", "Both", "one@example.com", also("two@example.com"))
	super := account("2", "Root", "root@example.com", disabled)
	r := w.sync(both, super)
	if r.Conflicts != 2 || r.Added != 0 || w.person("one@example.com").Name != "One" || w.person("root@example.com").Status != console.PersonActive {
		t.Errorf("conflicts: %+v %q", r, w.conflicts())
	}
	if why := strings.Join(w.conflicts(), "\n"); !strings.Contains(why, "several people") || !strings.Contains(why, "super administrator") {
		t.Errorf("reasons: %s", why)
	}
	// Somebody resolves the conflict: the next sync follows.
	w.update(func(tx *store.Tx) error {
		if err := tx.MergePersons(two, one); err != nil {
			return err
		}
		return tx.SetRoles(secondOf(tx, t), []console.ConsoleRole{console.SuperAdministrator})
	})
	r = w.sync(both, super)
	if r.Conflicts != 0 || w.person("two@example.com").Name != "Both" || w.person("root@example.com").Status != console.PersonDisabled {
		t.Errorf("sorted out: %+v %q, %+v", r, w.conflicts(), w.person("root@example.com"))
	}

	// An address of a former employee that somebody else gets does not merge the two.
	w.sync(both)
	w.sync(both)
	if got := w.person("root@example.com").Status; got != console.PersonGone {
		t.Fatalf("root is %s", got)
	}
	r = w.sync(both, account("9", "Another", "root@example.com"))
	if r.Conflicts != 1 || w.person("root@example.com").Status != console.PersonGone || w.person("root@example.com").Name != "Root" {
		t.Errorf("an address that is given again: %+v, %q", r, w.conflicts())
	}
	// An address that belongs to another person is left out.
	w.sync(both, account("9", "Another", "another@example.com", also("root@example.com")))
	if p := w.person("another@example.com"); p.ID != "" && p.ID == w.person("root@example.com").ID {
		t.Errorf("another became root: %+v", p)
	}
	if kinds := w.events(); !slices.Contains(kinds, store.DirectoryChanged) {
		t.Errorf("events %v", kinds)
	}
}

func secondOf(tx *store.Tx, t *testing.T) console.ID {
	id, err := tx.AddPerson(console.Person{Name: "Second"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) events() (kinds []string) {
	w.check(w.s.View(w.t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{Connector: w.connector}, 0, store.PageSize)
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		return err
	}))
	return kinds
}

// TestNoDirectory checks that other connectors create no people.
func TestNoDirectory(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		c, err := tx.Connector(w.connector)
		if err != nil {
			return err
		}
		c.Directory = false
		return tx.ChangeConnector(c)
	})
	if r := w.sync(account("1", "Ana", "ana@example.com")); r != (directory.Result{}) || w.people() != 0 {
		t.Errorf("%+v, %d people", r, w.people())
	}
}

// TestHostileDirectory reads hostile names and addresses.
func TestHostileDirectory(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("ä", 400)
	w.sync(
		account("1", long, "a@example.com"),
		account("2", "<b>\x00\u202e", "b@example.com", also("c@example.com,d@example.com"), also("x\x00@example.com"), also(" @ "), also("a@b@c"), also("Bob <bob@example.com>"), also(strings.Repeat("x", 300)+"@example.com")),
		account("3", " ", "e@example.com", profile("manager", "e@example.com"), profile("department", long)),
		account("4", "Twin", "twin@example.com"), account("5", "Twin", "twin@example.com"),
	)
	if p := w.person("a@example.com"); len([]rune(p.Name)) != 200 {
		t.Errorf("a long name has %d characters", len([]rune(p.Name)))
	}
	if p := w.person("b@example.com"); !slices.Equal(p.Emails, []string{"b@example.com"}) {
		t.Errorf("addresses %q", p.Emails)
	}
	if p := w.person("e@example.com"); p.Name != "e@example.com" || p.Manager != "" {
		t.Errorf("without a name, and one's own manager: %+v", p)
	}
	if c := w.conflicts(); len(c) != 1 || !strings.Contains(c[0], "Another account of this directory") {
		t.Errorf("twins: %q", c)
	}
}
