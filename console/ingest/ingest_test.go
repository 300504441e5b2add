package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/ksuid"
	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
	"baton/console"
	"baton/console/ingest"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/sqlite"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// tenant is the content of an upstream: accounts by id with their login, and the members of groups.
type tenant struct {
	logins  map[string]string
	off     map[string]bool
	service map[string]bool
	created map[string]time.Time
	members map[string][]string
	stray   int // grants to principals that are not listed
}

func small() tenant {
	return tenant{
		logins:  map[string]string{"u1": "ana", "u2": "ben", "u3": "cem"},
		members: map[string][]string{"admins": {"u1"}, "staff": {"u1", "u2", "u3"}},
	}
}

func (x tenant) clone() tenant {
	c := tenant{logins: map[string]string{}, off: map[string]bool{}, service: map[string]bool{}, created: map[string]time.Time{}, members: map[string][]string{}, stray: x.stray}
	for k, v := range x.logins {
		c.logins[k], c.off[k], c.service[k], c.created[k] = v, x.off[k], x.service[k], x.created[k]
	}
	for k, v := range x.members {
		c.members[k] = slices.Clone(v)
	}
	return c
}

// file writes the tenant as a sync that began a number of minutes after noon.
func (x tenant) file(t testing.TB, minutes int, syncType string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sync.c1z")
	w, err := writer.Create(path, writer.Options{SyncID: ksuid.New().String(), SyncType: syncType, Started: at(minutes)})
	if err != nil {
		t.Fatal(err)
	}
	add := func(r writer.Row, err error) {
		t.Helper()
		if err == nil {
			err = w.Add(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	add(writer.ResourceTypeRow(user))
	add(writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}))
	for id, login := range x.logins {
		r := baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: strings.ToUpper(login), Status: baton.StatusEnabled, CreatedAt: x.created[id],
			User: &baton.User{Login: login, Emails: []baton.Email{{Address: login + "@example.test", Primary: true}}}}
		if x.off[id] {
			r.Status = baton.StatusDisabled
		}
		if x.service[id] {
			r.User.Kind = baton.ServiceAccount
		}
		add(writer.ResourceRow(r))
	}
	for name, members := range x.members {
		group := baton.ResourceID{Type: "group", ID: name}
		member := baton.EntitlementID{Resource: group, Slug: "member"}
		add(writer.ResourceRow(baton.Resource{ID: group, DisplayName: name, Group: &baton.Group{}}))
		add(writer.EntitlementRow(baton.Entitlement{ID: member, DisplayName: name + " member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
		for _, m := range members {
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: baton.ResourceID{Type: "user", ID: m}}}))
		}
		for i := range x.stray {
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: baton.ResourceID{Type: "user", ID: fmt.Sprintf("stray%d", i)}}}))
		}
	}
	if _, err := w.Seal(t.Context(), at(minutes).Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines lists the accounts and who holds what.
func (x tenant) lines() []string {
	var all []string
	for id, login := range x.logins {
		state := "enabled"
		if x.off[id] {
			state = "disabled"
		}
		all = append(all, fmt.Sprintf("account %s %s %s", id, login, state))
	}
	for group, members := range x.members {
		for _, m := range members {
			all = append(all, fmt.Sprintf("grant %s %s", group, m))
		}
	}
	slices.Sort(all)
	return all
}

// world is a store with one app and one connector.
type world struct {
	t         testing.TB
	s         *store.Store
	in        *ingest.Ingester
	app       console.ID
	connector console.ID
	now       time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return newWorldOn(t, s)
}

func newWorldOn(t testing.TB, s *store.Store) *world {
	t.Helper()
	return namedWorldOn(t, s, "app")
}

func namedWorldOn(t testing.TB, s *store.Store, name string) *world {
	t.Helper()
	w := &world{t: t, s: s, now: noon}
	w.in = &ingest.Ingester{Store: s, Now: func() time.Time { w.now = w.now.Add(time.Millisecond); return w.now }, Scratch: t.TempDir()}
	w.update(func(tx *store.Tx) (err error) {
		if w.app, err = tx.AddApp(console.App{Name: name}); err != nil {
			return err
		}
		w.connector, err = tx.AddConnector(console.Connector{App: w.app, Name: "connector of " + name})
		return err
	})
	return w
}

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.s.Update(w.t.Context(), console.By{At: w.in.Now(), Actor: console.ByPerson(console.NewID(noon))}, fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) receive(path string, kind console.SyncKind) console.ID {
	w.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	id, err := w.in.Receive(w.t.Context(), console.Console, ingest.Origin{Connector: w.connector, Kind: kind}, f)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// apply receives and applies a file, and returns the sync.
func (w *world) apply(path string, kind console.SyncKind) console.Sync {
	w.t.Helper()
	id := w.receive(path, kind)
	var s console.Sync
	err := w.s.View(w.t.Context(), func(tx *store.Tx) (err error) {
		s, err = tx.Sync(id)
		return err
	})
	if err == nil && s.State == console.SyncReceived {
		s, err = w.in.Apply(w.t.Context(), console.Console, id)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if left, _ := os.ReadDir(w.in.Scratch); len(left) > 0 {
		w.t.Errorf("%d files are left in the scratch folder", len(left))
	}
	return s
}

// shows checks the content of the app at a time; the zero time is now.
func (w *world) shows(when time.Time, want tenant) {
	w.t.Helper()
	var got []string
	err := w.s.View(w.t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, when)
		if err != nil {
			return err
		}
		names := map[console.ResourceKey]string{}
		accounts, err := tx.Accounts(m, store.ResourceAfter{}, store.PageSize)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			names[a.Key] = a.ID
			state := "disabled"
			if console.HasAccount(true, a.Status) {
				state = "enabled"
			}
			got = append(got, fmt.Sprintf("account %s %s %s", a.ID, a.Account.Login, state))
		}
		for a := range names {
			facts, err := tx.HeldBy(m, a, 0, store.PageSize)
			if err != nil {
				return err
			}
			for _, f := range facts {
				e, err := tx.Entitlement(m, f.Entitlement)
				if err != nil {
					return err
				}
				group, _, _ := strings.Cut(strings.TrimPrefix(e.ID, "group:"), ":")
				got = append(got, fmt.Sprintf("grant %s %s", group, names[a]))
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want.lines(), got); diff != "" {
		w.t.Errorf("at %v (-want +got):\n%s", when, diff)
	}
}

func TestApply(t *testing.T) {
	w := newWorld(t)
	first := small()
	s := w.apply(first.file(t, 1, c1z.Full), console.SyncFull)
	if s.State != console.SyncApplied || s.Counts.Accounts != 3 || s.Counts.Facts != 4 || s.Counts.Opened != 4 || s.Counts.Resources != 5 || s.Counts.Entitlements != 2 {
		t.Fatalf("%+v", s)
	}
	w.shows(time.Time{}, first)

	if s := w.apply(first.file(t, 2, c1z.Full), console.SyncFull); s.State != console.SyncApplied || s.Counts.Opened != 0 || s.Counts.Closed != 0 {
		t.Errorf("the same again: %+v", s)
	}
	second := first.clone()
	second.off["u2"] = true
	second.logins["u4"] = "dan"
	second.members["staff"] = []string{"u1", "u3", "u4"}
	second.members["guests"] = []string{"u2"}
	if s := w.apply(second.file(t, 3, c1z.Full), console.SyncFull); s.State != console.SyncApplied || s.Counts.Opened != 2 || s.Counts.Closed != 1 {
		t.Errorf("changed: %+v", s)
	}
	w.shows(time.Time{}, second)
	w.shows(at(1).Add(time.Second), first)
	w.shows(at(2).Add(time.Second), first)
	w.shows(at(1), tenant{})
}

// TestRandomTenants applies a series of random states, and reads each of them again.
func TestRandomTenants(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	var states []tenant
	for n := range 12 {
		x := tenant{logins: map[string]string{}, off: map[string]bool{}, service: map[string]bool{}, created: map[string]time.Time{}, members: map[string][]string{}}
		for u := range 8 {
			if id := fmt.Sprintf("u%d", u); random.IntN(4) > 0 || u == 0 {
				x.logins[id] = fmt.Sprintf("login%d", u+8*random.IntN(2))
				x.off[id] = random.IntN(3) == 0
			}
		}
		for g := range 3 {
			group := fmt.Sprintf("g%d", g)
			x.members[group] = nil
			for id := range x.logins {
				if random.IntN(2) == 0 {
					x.members[group] = append(x.members[group], id)
				}
			}
		}
		states = append(states, x)
		s := w.apply(x.file(t, n+1, c1z.Full), console.SyncFull)
		if s.State == console.SyncHeld {
			w.update(func(tx *store.Tx) error { return tx.ConfirmSync(s.ID, "it is random") })
			var err error
			if s, err = w.in.Apply(t.Context(), console.Console, s.ID); err != nil {
				t.Fatal(err)
			}
		}
		if s.State != console.SyncApplied {
			t.Fatalf("%d: %+v", n, s)
		}
		w.shows(time.Time{}, x)
	}
	for n, x := range states {
		w.shows(at(n+1).Add(time.Second), x)
	}
}

// TestRestored checks that a restored console holds the first sync, shows what it would change, and
// continues when a person has decided.
func TestRestored(t *testing.T) {
	w := newWorld(t)
	x := small()
	if s := w.apply(x.file(t, 1, c1z.Full), console.SyncFull); s.State != console.SyncApplied {
		t.Fatalf("%+v", s)
	}
	w.update(func(tx *store.Tx) error {
		return tx.SetPauses(console.Pauses{Writes: true, Since: tx.By().At.Add(time.Second)})
	})
	y := x.clone()
	y.members["admins"] = nil
	y.members["staff"] = []string{"u1", "u2"}
	s := w.apply(y.file(t, 2, c1z.Full), console.SyncFull)
	if s.State != console.SyncHeld || len(s.Holds) == 0 || s.Holds[0].Kind != console.HoldRestored {
		t.Fatalf("%+v", s)
	}
	w.shows(time.Time{}, x)
	w.update(func(tx *store.Tx) error { return tx.ConfirmSync(s.ID, "the world went on") })
	s, err := w.in.Apply(t.Context(), console.Console, s.ID)
	if err != nil || s.State != console.SyncApplied {
		t.Fatalf("%+v, %v", s, err)
	}
	w.shows(time.Time{}, y)
	w.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{}) })
	if s := w.apply(x.file(t, 3, c1z.Full), console.SyncFull); s.State != console.SyncApplied {
		t.Errorf("after writes were resumed: %+v", s)
	}
}

func TestHeld(t *testing.T) {
	many := tenant{logins: map[string]string{}, members: map[string][]string{"staff": nil}}
	for i := range 20 {
		id := fmt.Sprintf("u%02d", i)
		many.logins[id] = id
		many.members["staff"] = append(many.members["staff"], id)
	}
	shrunk := many.clone()
	for i := range 9 {
		delete(shrunk.logins, fmt.Sprintf("u%02d", i))
	}
	shrunk.members["staff"] = shrunk.members["staff"][9:]
	other := tenant{logins: map[string]string{}, members: map[string][]string{"staff": nil}}
	for id := range many.logins {
		other.logins["x"+id] = id
		other.members["staff"] = append(other.members["staff"], "x"+id)
	}
	nobody := many.clone()
	nobody.members = map[string][]string{}
	strays := many.clone()
	strays.stray = 12
	for _, tt := range []struct {
		name string
		x    tenant
		kind console.HoldKind
	}{{"shrunk", shrunk, console.HoldShrink}, {"another tenant", other, console.HoldReplaced}, {"no group left", nobody, console.HoldVanished}, {"unknown principals", strays, console.HoldDangling}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(many.file(t, 1, c1z.Full), console.SyncFull)
			s := w.apply(tt.x.file(t, 2, c1z.Full), console.SyncFull)
			if s.State != console.SyncHeld || !slices.ContainsFunc(s.Holds, func(h console.Hold) bool { return h.Kind == tt.kind && h.Detail != "" }) {
				t.Fatalf("%+v", s)
			}
			w.shows(time.Time{}, many)
			// A newer sync is compared with the head, and replaces the held one.
			if s := w.apply(many.file(t, 3, c1z.Full), console.SyncFull); s.State != console.SyncApplied || s.Counts.Opened+s.Counts.Closed != 0 {
				t.Errorf("the next sync: %+v", s)
			}
			// After a person's confirmation, the same content is applied.
			s = w.apply(tt.x.file(t, 4, c1z.Full), console.SyncFull)
			w.update(func(tx *store.Tx) error { return tx.ConfirmSync(s.ID, "we left that vendor") })
			if s, err := w.in.Apply(t.Context(), console.Console, s.ID); err != nil || s.State != console.SyncApplied {
				t.Fatalf("%+v, %v", s, err)
			}
			w.shows(time.Time{}, tt.x)
		})
	}
}

// TestAdminsFloor holds a sync that leaves fewer administrators than the minimum.
// edited returns a file with its database changed by statements.
func edited(t *testing.T, path string, statements ...string) string {
	t.Helper()
	const magic = "C1ZF\x00"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	db, err := dec.DecodeAll(bytes.TrimPrefix(b, []byte(magic)), nil)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "edited.db")
	if err := os.WriteFile(name, db, 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := zs.OpenConn(name, zs.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if err := sqlitex.ExecuteTransient(conn, s, nil); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	if db, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte(magic), enc.EncodeAll(db, nil)...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestStatedRows counts stated rows that the file does not have, and holds the sync if there are
// many.
func TestStatedRows(t *testing.T) {
	x := small()
	for i := range 40 {
		x.logins[fmt.Sprintf("more%d", i)] = fmt.Sprintf("more%d", i)
		x.members["staff"] = append(x.members["staff"], fmt.Sprintf("more%d", i))
	}
	for _, tt := range []struct {
		delete  string
		state   console.SyncState
		missing int64
	}{
		{"false", console.SyncApplied, 0},
		{"external_id like '%more1'", console.SyncApplied, 1},
		{"external_id like '%more%'", console.SyncHeld, 0}, // the counts are those of applied syncs
	} {
		w := newWorld(t)
		s := w.apply(edited(t, x.file(t, 1, c1z.Full), "delete from v1_grants where "+tt.delete), console.SyncFull)
		if s.State != tt.state || s.Counts.Missing != tt.missing || s.State == console.SyncHeld && s.Holds[0].Kind != console.HoldMissing {
			t.Errorf("%s: %+v", tt.delete, s)
		}
	}
}

// TestExpansion marks facts whose grant has a column that says that the members of its principal
// hold the entitlement too.
func TestExpansion(t *testing.T) {
	w := newWorld(t)
	w.apply(edited(t, small().file(t, 1, c1z.Full), "update v1_grants set expansion = x'0a03656e74' where external_id = 'group:staff:member:user:u2'"), console.SyncFull)
	err := w.s.View(t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		for _, id := range []string{"u1", "u2"} {
			u, err := tx.ResourceByID(m, "user", id)
			if err != nil {
				return err
			}
			facts, err := tx.HeldBy(m, u.Key, 0, 9)
			if err != nil || len(facts) == 0 {
				t.Errorf("%s holds %v, %v", id, facts, err)
			}
			for _, f := range facts {
				if f.Expandable != (id == "u2") {
					t.Errorf("%s: %+v", id, f)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLong applies names and logins of any length, and refuses ids that a database cannot index, on
// both databases.
func TestLong(t *testing.T) {
	pg, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.New(t), Now: noon}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close()
	random := rand.New(rand.NewPCG(1, 1))
	long := func(n int) string { // random, so that it does not compress
		b := make([]byte, n)
		for i := range b {
			b[i] = 'a' + byte(random.IntN(26))
		}
		return string(b)
	}
	for name, w := range map[string]*world{"sqlite": newWorld(t), "postgres": newWorldOn(t, pg)} {
		x := small()
		x.logins["u1"] = long(100_000)
		x.logins[long(2000)] = "long"
		x.members[long(2000)] = []string{"u1"}
		if s := w.apply(x.file(t, 1, c1z.Full), console.SyncFull); s.State != console.SyncApplied {
			t.Errorf("%s: %+v", name, s)
		}
		err := w.s.View(t.Context(), func(tx *store.Tx) error {
			m, err := tx.Moment(w.app, time.Time{})
			if err != nil {
				return err
			}
			for _, login := range []string{x.logins["u1"], strings.ToUpper(x.logins["u1"])} {
				if found, err := tx.AccountsByLogin(m, login); err != nil || len(found) != 1 {
					t.Errorf("%s: found %d accounts, %v", name, len(found), err)
				}
			}
			if found, err := tx.AccountsByEmail(m, x.logins["u1"]+"@example.test"); err != nil || len(found) != 1 {
				t.Errorf("%s: found %d accounts by e-mail, %v", name, len(found), err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		x.logins[long(3000)] = "too long"
		if s := w.apply(x.file(t, 2, c1z.Full), console.SyncFull); s.State != console.SyncRefused || !strings.Contains(s.Why, "bytes") {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestParents changes only the parent of a resource, and the type of the parent.
func TestParents(t *testing.T) {
	w := newWorld(t)
	parent := func() (name string) {
		err := w.s.View(t.Context(), func(tx *store.Tx) error {
			m, err := tx.Moment(w.app, time.Time{})
			if err != nil {
				return err
			}
			u, err := tx.ResourceByID(m, "user", "u1")
			if err != nil || u.Parent == 0 {
				return err
			}
			p, err := tx.Resource(m, u.Parent)
			name = p.ID
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	const field = "\x12\x0f\x0a\x05group\x12\x06admins" // Resource.parent_resource_id
	under := fmt.Sprintf("update v1_resources set data = cast(substr(data, 1, 2 + unicode(substr(data, 2, 1))) || x'%x' || substr(data, 3 + unicode(substr(data, 2, 1))) as blob) where external_id = 'user:u1'", field)
	x := small()
	without := x.clone()
	delete(without.members, "admins")
	for i, step := range []struct {
		tenant tenant
		edits  []string
		want   string
		rows   int64 // resources that the sync opens
	}{
		{x, nil, "", 5},
		{x, []string{under}, "admins", 1},
		{x, []string{under}, "admins", 0},
		{without, []string{under}, "", 1}, // the parent is gone, the row is the same
		{without, []string{under}, "", 0},
		{x, []string{under}, "admins", 2},
	} {
		s := w.apply(edited(t, step.tenant.file(t, i+1, c1z.Full), step.edits...), console.SyncFull)
		if s.State == console.SyncHeld {
			w.update(func(tx *store.Tx) error { return tx.ConfirmSync(s.ID, "") })
			var err error
			if s, err = w.in.Apply(t.Context(), console.Console, s.ID); err != nil {
				t.Fatal(err)
			}
		}
		if s.State != console.SyncApplied || parent() != step.want {
			t.Errorf("sync %d: the parent is %q, want %q: %+v", i, parent(), step.want, s)
		}
		opened := int64(0)
		err := w.s.View(t.Context(), func(tx *store.Tx) error {
			all, err := tx.Events(store.EventFilter{Object: string(s.ID)}, 0, 9)
			for _, e := range all {
				if e.Kind != "sync.applied" {
					continue
				}
				var data struct {
					Written store.Written `json:"written"`
				}
				if err := json.Unmarshal(e.Data, &data); err != nil {
					return err
				}
				opened = data.Written.ResourcesOpened
			}
			return err
		})
		if err != nil || opened != step.rows {
			t.Errorf("sync %d opened %d resources, want %d (%v)", i, opened, step.rows, err)
		}
	}
}

func TestAdminsFloor(t *testing.T) {
	w := newWorld(t)
	x := small()
	x.members["admins"] = []string{"u1", "u2"}
	w.apply(x.file(t, 1, c1z.Full), console.SyncFull)
	w.update(func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		accounts, err := tx.Accounts(m, store.ResourceAfter{}, 10)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			p, err := tx.AddPerson(console.Person{Name: a.Name, Emails: []string{a.ID + "@example.test"}, Status: console.PersonActive})
			if err != nil {
				return err
			}
			if err := tx.SetAccountOwner(a.Key, p, store.OwnerMatched); err != nil {
				return err
			}
		}
		entitlements, err := tx.Entitlements(m, store.EntitlementAfter{}, 10)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(entitlements, func(e store.Entitlement) bool { return strings.Contains(e.ID, "admins") })
		return tx.SetRoleMap(w.app, console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{entitlements[i].Key}}}}, 2)
	})
	one := x.clone()
	one.members["admins"] = []string{"u1"}
	disabled := x.clone()
	disabled.off["u2"] = true
	robot := x.clone()
	robot.service["u2"] = true
	for n, y := range []tenant{one, disabled, robot} {
		if s := w.apply(y.file(t, n+2, c1z.Full), console.SyncFull); s.State != console.SyncHeld || s.Holds[0].Kind != console.HoldAdmins {
			t.Errorf("%d: %+v", n, s)
		}
	}
	more := x.clone()
	more.members["staff"] = []string{"u1"}
	if s := w.apply(more.file(t, 9, c1z.Full), console.SyncFull); s.State != console.SyncApplied {
		t.Errorf("as many admins: %+v", s)
	}
}

// TestApplications checks that resources of a type with the app trait are applications, even if the
// type gets the trait later and nothing else changes.
func TestApplications(t *testing.T) {
	w := newWorld(t)
	write := func(minutes int, traits ...baton.Trait) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "sync.c1z")
		f, err := writer.Create(path, writer.Options{SyncID: ksuid.New().String(), SyncType: "full", Started: at(minutes)})
		if err != nil {
			t.Fatal(err)
		}
		add := func(r writer.Row, err error) {
			t.Helper()
			if err == nil {
				err = f.Add(r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		add(writer.ResourceTypeRow(baton.ResourceType{ID: "thing", DisplayName: "Thing", Traits: traits}))
		add(writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}))
		add(writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "thing", ID: "sf"}, DisplayName: "Salesforce"}))
		add(writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "group", ID: "g"}, DisplayName: "G"}))
		if _, err := f.Seal(t.Context(), at(minutes).Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for i, traits := range [][]baton.Trait{nil, {baton.TraitApp}, {baton.TraitApp, baton.TraitGroup}, nil} {
		if s := w.apply(write(10*i, traits...), console.SyncFull); s.State != console.SyncApplied {
			t.Fatalf("sync %d is %s: %s", i, s.State, s.Why)
		}
		err := w.s.View(t.Context(), func(tx *store.Tx) error {
			apps, err := tx.DiscoveredApps(store.ResourceAfter{}, 10)
			if want := min(len(traits), 1); len(apps) != want {
				t.Errorf("with traits %v: %d applications, want %d", traits, len(apps), want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestAnotherAccountUnderAnOldID: an account that reappears with the same id is the same one if
// login and creation time agree.
func TestAnotherAccountUnderAnOldID(t *testing.T) {
	w := newWorld(t)
	with := small()
	with.created = map[string]time.Time{"u3": at(-100)}
	without := with.clone()
	delete(without.logins, "u3")
	without.members["staff"] = []string{"u1", "u2"}
	other := with.clone()
	other.logins["u3"] = "carla"
	key := func() (key console.ResourceKey) {
		err := w.s.View(t.Context(), func(tx *store.Tx) error {
			m, err := tx.Moment(w.app, time.Time{})
			if err != nil {
				return err
			}
			all, err := tx.Accounts(m, store.ResourceAfter{}, 10)
			for _, a := range all {
				if a.ID == "u3" {
					key = a.Key
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	var keys []console.ResourceKey
	for n, x := range []tenant{with, without, with, without, other} {
		s := w.apply(x.file(t, n+1, c1z.Full), console.SyncFull)
		if s.State != console.SyncApplied {
			t.Fatalf("%d: %+v", n, s)
		}
		w.shows(time.Time{}, x)
		keys = append(keys, key())
	}
	if keys[0] == 0 || keys[0] != keys[2] || keys[4] == keys[0] || keys[4] == 0 {
		t.Errorf("keys %v", keys)
	}
}

// TestTargeted: a targeted sync changes the grants of its resources and nothing else. A resource
// without any grant proves nothing.
func TestTargeted(t *testing.T) {
	w := newWorld(t)
	x := small()
	w.apply(x.file(t, 1, c1z.Full), console.SyncFull)
	part := x.clone()
	delete(part.logins, "u2")
	part.logins["u9"] = "new"
	part.members = map[string][]string{"staff": {"u1", "u9"}}
	if s := w.apply(part.file(t, 2, c1z.Partial), console.SyncTargeted); s.State != console.SyncApplied || s.Counts.Closed != 2 || s.Counts.Dangling != 1 {
		t.Fatalf("%+v", s)
	}
	want := x.clone()
	want.members["staff"] = []string{"u1"}
	w.shows(time.Time{}, want)
	part.members = map[string][]string{"admins": nil}
	if s := w.apply(part.file(t, 3, c1z.Partial), console.SyncTargeted); s.State != console.SyncApplied || s.Counts.Closed != 0 {
		t.Fatalf("%+v", s)
	}
	w.shows(time.Time{}, want)
	if s := w.apply(part.file(t, 4, c1z.Partial), console.SyncFull); s.State != console.SyncStored {
		t.Errorf("a partial file for a full sync: %+v", s)
	}
	if s := w.apply(part.file(t, 5, c1z.ResourcesOnly), console.SyncUpload); s.State != console.SyncStored {
		t.Errorf("resources only: %+v", s)
	}
	w.shows(time.Time{}, want)
}

// TestRefused: unreadable files are refused with the right error and change nothing.
func TestRefused(t *testing.T) {
	x := small()
	sound, err := os.ReadFile(x.file(t, 2, c1z.Full))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(sound)
	flipped[len(flipped)/2] ^= 4
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "cut": sound[:len(sound)-20], "flipped": flipped, "version 9": []byte("C1Z9\x00hello"),
		"version 3, cut": []byte("C1Z3\x00\x00\x00\x00\x05hello"), "zip": []byte("PK\x03\x04"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(x.file(t, 1, c1z.Full), console.SyncFull)
			path := filepath.Join(t.TempDir(), "bad.c1z")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s := w.apply(path, console.SyncFull)
			if s.State != console.SyncRefused || s.Why == "" || strings.Contains(s.Why, w.in.Scratch) {
				t.Errorf("%s: %q", s.State, s.Why)
			}
			w.shows(time.Time{}, x)
		})
	}
}

// TestOlder: a sync that began before the head is kept and never applied.
func TestOlder(t *testing.T) {
	w := newWorld(t)
	x := small()
	w.apply(x.file(t, 5, c1z.Full), console.SyncFull)
	y := x.clone()
	y.members["staff"] = []string{"u1"}
	if s := w.apply(y.file(t, 4, c1z.Full), console.SyncFull); s.State != console.SyncSuperseded {
		t.Errorf("%+v", s)
	}
	if s := w.apply(y.file(t, 6, c1z.Full), console.SyncImport); s.State != console.SyncRefused {
		t.Errorf("history after the first live sync: %+v", s)
	}
	w.shows(time.Time{}, x)
}
