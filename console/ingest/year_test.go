package ingest_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/ksuid"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
	"baton/console"
	"baton/console/ingest"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/sqlite"
	"baton/internal/longtest"
)

var yearSeed = flag.Uint64("year-seed", 0, "seed of TestYear; 0: always the same in the short size, another one each time in the long one")

// TestYear simulates a year of an app with two connectors, one of which is replaced by a self-hosted
// one: accounts that are renamed, disabled, deleted, recreated with the same id or come back;
// groups; targeted, partial and late syncs; and accounts with new owners. For random moments, the
// store must agree with a recomputation from the files that had begun by then, and from the history
// of owners, statuses and role maps. The recomputation only uses package c1z.
func TestYear(t *testing.T) {
	seed := *yearSeed
	if seed == 0 {
		seed = 1
		if longtest.Enabled {
			seed = uint64(time.Now().UnixNano())
		}
	}
	for _, db := range []struct {
		name string
		open func(t *testing.T) (*store.Store, error)
	}{
		{"sqlite", func(t *testing.T) (*store.Store, error) {
			return sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: yearBegin, NoFlush: true}, nil)
		}},
		{"postgres", func(t *testing.T) (*store.Store, error) {
			return postgres.Open(t.Context(), postgres.Config{URL: pgtest.New(t), Now: yearBegin}, nil)
		}},
	} {
		t.Run(db.name, func(t *testing.T) {
			t.Logf("-year-seed %d", seed)
			s, err := db.open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			y := newYear(t, s, seed)
			for y.now.Before(yearBegin.AddDate(1, 0, 0)) {
				y.step()
			}
			y.compare(longtest.Pick(100, 1000))
		})
	}
}

var yearBegin = time.Date(2025, 11, 29, 12, 0, 0, 0, time.UTC)

// year is the simulation: the current upstreams, and the input of the recomputation.
type year struct {
	t      *testing.T
	s      *store.Store
	in     *ingest.Ingester
	random *rand.Rand
	now    time.Time
	dir    string
	app    console.ID

	upstreams []*upstream
	people    []console.ID

	// The input of the recomputation.
	files    []delivered
	owners   []ownerSet
	statuses []statusSet
	maps     []mapSet
}

// upstream is the content of one part of the application, with its connector.
type upstream struct {
	name      string
	connector console.ID
	accounts  map[string]*upstreamAccount
	gone      map[string]*upstreamAccount
	groups    map[string]map[string]bool
	made      int
	moved     bool
}

type upstreamAccount struct {
	login, name string
	created     time.Time
	disabled    bool
}

// delivered is a file that the console received.
type delivered struct {
	upstream string
	path     string
	targeted bool // as a targeted sync
	applied  bool // according to the order of syncs
}

// accountID identifies an account in the recomputation: a reused id is a different account.
type accountID struct {
	upstream, id string
	incarnation  int
}

type ownerSet struct {
	at      time.Time
	account accountID
	person  console.ID
}

type statusSet struct {
	at     time.Time
	person console.ID
	status console.PersonStatus
}

type mapSet struct {
	at    time.Time
	roles map[string]string // name of the role by id of the entitlement, "upstream/id"
	order []string          // of the names, the most powerful first
}

func newYear(t *testing.T, s *store.Store, seed uint64) *year {
	y := &year{t: t, s: s, random: rand.New(rand.NewPCG(seed, 42)), now: yearBegin, dir: t.TempDir()}
	y.in = &ingest.Ingester{Store: s, Now: func() time.Time { return y.now }, Scratch: t.TempDir(),
		Policy: console.HoldPolicy{ShrinkPercent: 100, MinRows: 1 << 40, DanglingPercent: 100}}
	y.update(func(tx *store.Tx) (err error) {
		y.app, err = tx.AddApp(console.App{Name: "app"})
		return err
	})
	for _, name := range []string{"hosted", "second"} {
		u := &upstream{name: name, accounts: map[string]*upstreamAccount{}, gone: map[string]*upstreamAccount{}, groups: map[string]map[string]bool{"admins": {}, "staff": {}}}
		y.update(func(tx *store.Tx) (err error) {
			u.connector, err = tx.AddConnector(console.Connector{App: y.app, Name: name, Hosting: console.Hosted})
			return err
		})
		for range 8 {
			u.add(y)
		}
		y.upstreams = append(y.upstreams, u)
	}
	for i := range 6 {
		y.update(func(tx *store.Tx) error {
			id, err := tx.AddPerson(console.Person{Name: fmt.Sprintf("person %d", i)})
			y.people = append(y.people, id)
			return err
		})
	}
	return y
}

func (u *upstream) add(y *year) {
	u.made++
	u.accounts[fmt.Sprintf("u%d", u.made)] = &upstreamAccount{login: fmt.Sprintf("%s%d", u.name, u.made), name: fmt.Sprintf("Name %d", y.random.IntN(1000)), created: y.now.Truncate(time.Second)}
}

// later moves the clock, so that no two events happen at the same time.
func (y *year) later() time.Time {
	y.now = y.now.Add(time.Duration(1+y.random.IntN(600)) * time.Second)
	return y.now
}

func (y *year) update(fn func(tx *store.Tx) error) {
	y.t.Helper()
	if err := y.s.Update(context.Background(), console.By{At: y.later(), Actor: console.Console}, fn); err != nil {
		y.t.Fatal(err)
	}
}

// pick returns a random key of a map; "" of an empty one.
func pick[V any](y *year, m map[string]V) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return ""
	}
	slices.Sort(keys)
	return keys[y.random.IntN(len(keys))]
}

// step lets some time pass: upstreams change, connectors sync, people make corrections.
func (y *year) step() {
	y.now = y.now.Add(time.Duration(6+y.random.IntN(longtest.Pick(240, 48))) * time.Hour)
	u := y.upstreams[y.random.IntN(len(y.upstreams))]
	for range 1 + y.random.IntN(4) {
		y.mutate(u)
	}
	switch n := y.random.IntN(12); {
	case n < 2 && len(y.files) > 4:
		y.deliver(u, c1z.Partial, console.SyncTargeted, y.later())
	case n == 2:
		y.deliver(u, c1z.Partial, console.SyncFull, y.later()) // stored, never applied
	case n == 3 && len(y.files) > 4:
		y.deliver(u, c1z.Full, console.SyncFull, y.now.Add(-300*24*time.Hour)) // began before the head: never applied
	default:
		y.deliver(u, c1z.Full, console.SyncFull, y.later())
	}
	for range y.random.IntN(4) {
		y.correct()
	}
	if u := y.upstreams[0]; !u.moved && y.now.After(yearBegin.AddDate(0, 6, 0)) {
		u.moved = true
		y.update(func(tx *store.Tx) error {
			next, err := tx.AddConnector(console.Connector{App: y.app, Name: "self-hosted", Hosting: console.SelfHosted})
			if err == nil {
				err = tx.ContinueConnector(next, u.connector)
			}
			u.connector = next
			return err
		})
	}
}

// mutate changes something in an upstream.
func (y *year) mutate(u *upstream) {
	id := pick(y, u.accounts)
	switch y.random.IntN(10) {
	case 0:
		u.add(y)
	case 1: // renamed
		if a := u.accounts[id]; a != nil {
			a.name = fmt.Sprintf("Name %d", y.random.IntN(1000))
			a.login = fmt.Sprintf("%s%d", u.name, y.random.IntN(100000))
		}
	case 2:
		if a := u.accounts[id]; a != nil {
			a.disabled = !a.disabled
		}
	case 3: // deleted
		if len(u.accounts) > 3 {
			u.gone[id] = u.accounts[id]
			delete(u.accounts, id)
			for _, members := range u.groups {
				delete(members, id)
			}
		}
	case 4, 5: // comes back, or a different one with its id
		if id := pick(y, u.gone); id != "" {
			u.accounts[id] = u.gone[id]
			delete(u.gone, id)
			if y.random.IntN(2) == 0 {
				u.accounts[id] = &upstreamAccount{login: fmt.Sprintf("%s%d", u.name, y.random.IntN(100000)), name: "Another", created: y.now.Truncate(time.Second)}
			}
		}
	case 6:
		u.groups[fmt.Sprintf("g%d", y.random.IntN(6))] = map[string]bool{}
	case 7:
		if g := pick(y, u.groups); g != "admins" && g != "staff" {
			delete(u.groups, g)
		}
	default:
		if members := u.groups[pick(y, u.groups)]; id != "" {
			if members[id] = !members[id]; !members[id] {
				delete(members, id)
			}
		}
	}
}

// correct makes changes like people and the console.
func (y *year) correct() {
	switch y.random.IntN(8) {
	case 0:
		p, status := y.people[y.random.IntN(len(y.people))], console.PersonActive
		if y.random.IntN(2) == 0 {
			status = console.PersonDisabled
		}
		y.update(func(tx *store.Tx) error {
			person, err := tx.Person(p)
			if err != nil {
				return err
			}
			person.Status = status
			return tx.ChangePerson(person)
		})
		y.statuses = append(y.statuses, statusSet{y.now, p, status})
	case 1:
		if len(y.files) > 6 {
			y.setRoles()
		}
	default:
		u := y.upstreams[y.random.IntN(len(y.upstreams))]
		shown := y.recompute(time.Time{})
		var accounts []accountID
		for a := range shown.accounts {
			if a.upstream == u.name {
				accounts = append(accounts, a)
			}
		}
		if len(accounts) == 0 {
			return
		}
		slices.SortFunc(accounts, func(a, b accountID) int { return strings.Compare(a.id, b.id) })
		a := accounts[y.random.IntN(len(accounts))]
		var person console.ID
		if y.random.IntN(5) > 0 {
			person = y.people[y.random.IntN(len(y.people))]
		}
		y.update(func(tx *store.Tx) error {
			m, err := y.momentOf(tx, u, time.Time{})
			if err != nil {
				return err
			}
			r, err := tx.ResourceByID(m, "user", a.id)
			if err != nil {
				return err
			}
			return tx.SetAccountOwner(r.Key, person, store.OwnerMatched)
		})
		y.owners = append(y.owners, ownerSet{y.now, a, person})
	}
}

// momentOf returns the moment of one upstream only, because both have the same ids.
func (y *year) momentOf(tx *store.Tx, u *upstream, when time.Time) (store.Moment, error) {
	m, err := tx.Moment(y.app, when)
	m.Streams = slices.DeleteFunc(m.Streams, func(s store.StreamAt) bool { return s.Connector != u.connector })
	return m, err
}

// setRoles maps groups to Admin and Member.
func (y *year) setRoles() {
	set := mapSet{roles: map[string]string{}, order: []string{"Admin", "Member"}}
	if y.random.IntN(2) == 0 {
		set.order = []string{"Member", "Admin"}
	}
	y.update(func(tx *store.Tx) error {
		byName := map[string][]console.EntitlementKey{}
		for _, u := range y.upstreams {
			m, err := y.momentOf(tx, u, time.Time{})
			if err != nil {
				return err
			}
			for group, role := range map[string]string{"admins": "Admin", "staff": "Member"} {
				e, err := tx.EntitlementByID(m, "group:"+group+":member")
				if baton.KindOf(err) == baton.NotFound {
					continue // no sync yet
				}
				if err != nil {
					return err
				}
				byName[role] = append(byName[role], e.Key)
				set.roles[u.name+"/group:"+group+":member"] = role
			}
		}
		var roles []console.AppRole
		for _, name := range set.order {
			roles = append(roles, console.AppRole{Name: name, Admin: name == "Admin", Entitlements: byName[name]})
		}
		return tx.SetRoleMap(y.app, console.RoleMap{Priority: console.HighestWins, Roles: roles}, 0)
	})
	set.at = y.now
	y.maps = append(y.maps, set)
}

// deliver writes a file of an upstream and receives it.
func (y *year) deliver(u *upstream, syncType string, kind console.SyncKind, began time.Time) {
	y.t.Helper()
	path := filepath.Join(y.dir, fmt.Sprintf("%04d.c1z", len(y.files)))
	w, err := writer.Create(path, writer.Options{SyncID: ksuid.New().String(), SyncType: syncType, Started: began})
	add := func(r writer.Row, e error) {
		y.t.Helper()
		if err == nil {
			err = e
		}
		if err == nil {
			err = w.Add(r)
		}
		if err != nil {
			y.t.Fatal(err)
		}
	}
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	add(writer.ResourceTypeRow(user))
	add(writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}))
	if members := u.groups["staff"]; len(members) == 0 { // without any grant a sync is held
		members[pick(y, u.accounts)] = true
	}
	groups := u.groups
	if kind == console.SyncTargeted { // only one or two groups; its accounts do not count
		groups = map[string]map[string]bool{}
		for range 2 {
			name := pick(y, u.groups)
			groups[name] = u.groups[name]
		}
	}
	for id, a := range u.accounts {
		r := baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: a.name, Status: baton.StatusEnabled, CreatedAt: a.created,
			User: &baton.User{Login: a.login, Emails: []baton.Email{{Address: a.login + "@example.test", Primary: true}}}}
		if a.disabled {
			r.Status = baton.StatusDisabled
		}
		add(writer.ResourceRow(r))
	}
	for name, members := range groups {
		group := baton.ResourceID{Type: "group", ID: name}
		member := baton.EntitlementID{Resource: group, Slug: "member"}
		add(writer.ResourceRow(baton.Resource{ID: group, DisplayName: name, Group: &baton.Group{}}))
		add(writer.EntitlementRow(baton.Entitlement{ID: member, DisplayName: name + " member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
		for m := range members {
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: baton.ResourceID{Type: "user", ID: m}}}))
		}
	}
	if _, err := w.Seal(y.t.Context(), began.Add(time.Second)); err != nil {
		y.t.Fatal(err)
	}
	y.now = maxTime(y.now, began).Add(time.Second)
	file, err := os.Open(path)
	if err != nil {
		y.t.Fatal(err)
	}
	defer file.Close()
	id, err := y.in.Receive(context.Background(), console.Console, ingest.Origin{Connector: u.connector, Kind: kind, Dispatched: began}, file)
	var sync console.Sync
	if err == nil {
		err = y.s.View(context.Background(), func(tx *store.Tx) (err error) {
			sync, err = tx.Sync(id)
			return err
		})
	}
	if err == nil && sync.State == console.SyncReceived {
		sync, err = y.in.Apply(context.Background(), console.Console, id)
	}
	if err != nil {
		y.t.Fatal(err)
	}
	d := delivered{upstream: u.name, path: path, targeted: kind == console.SyncTargeted}
	y.files = append(y.files, d)
	if want := y.counts(len(y.files) - 1); want != (sync.State == console.SyncApplied) {
		y.t.Fatalf("the %s file of %s that began %s is %s: %s %+v, want applied: %v", syncType, u.name, began, sync.State, sync.Why, sync.Holds, want)
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// counts reports whether a file may be applied: it is full, or targeted after a full one, and did
// not begin before the last applied one.
func (y *year) counts(i int) bool {
	var head time.Time
	for j, f := range y.files[:i+1] {
		if f.upstream != y.files[i].upstream {
			continue
		}
		c := y.read(f.path)
		applied := !c.began.Before(head) && (c.full || f.targeted && !head.IsZero())
		if applied {
			head = c.began
		}
		if j == i {
			y.files[i].applied = applied
			return applied
		}
	}
	return false
}

// content is the content of a file.
type content struct {
	began    time.Time
	full     bool
	accounts map[string]upstreamAccount
	groups   map[string]map[string]bool // members by id of the entitlement
}

var contents = map[string]*content{}

// read reads a file, and caches it because files do not change.
func (y *year) read(path string) *content {
	y.t.Helper()
	if c := contents[path]; c != nil {
		return c
	}
	f, err := c1z.Open(y.t.Context(), path)
	if err != nil {
		y.t.Fatal(err)
	}
	defer f.Close()
	s := f.Syncs()[0]
	c := &content{began: s.Started, full: s.Type == c1z.Full, accounts: map[string]upstreamAccount{}, groups: map[string]map[string]bool{}}
	for r, err := range s.Resources(y.t.Context()) {
		if err != nil {
			y.t.Fatal(err)
		}
		if r.User != nil {
			c.accounts[r.ID.ID] = upstreamAccount{login: r.User.Login, name: r.DisplayName, created: r.CreatedAt, disabled: r.Status == baton.StatusDisabled}
		}
	}
	for e, err := range s.Entitlements(y.t.Context()) {
		if err != nil {
			y.t.Fatal(err)
		}
		c.groups[e.ID] = map[string]bool{}
	}
	for g, err := range s.Grants(y.t.Context()) {
		if err != nil {
			y.t.Fatal(err)
		}
		c.groups[g.Entitlement][g.Principal.ID] = true
	}
	contents[path] = c
	return c
}

// past is the content at a moment.
type past struct {
	accounts map[accountID]upstreamAccount
	groups   map[string]map[accountID]bool // by "upstream/entitlement"
}

// recompute reads the files that had begun before a moment, in the order of arrival; the zero time
// means all.
func (y *year) recompute(when time.Time) past {
	p := past{map[accountID]upstreamAccount{}, map[string]map[accountID]bool{}}
	for _, u := range y.upstreams {
		incarnation, last, shown := map[string]int{}, map[string]upstreamAccount{}, map[string]bool{}
		groups := map[string]map[string]bool{}
		for _, f := range y.files {
			c := y.read(f.path)
			if f.upstream != u.name || !f.applied || !when.IsZero() && !c.began.Before(when) {
				continue
			}
			if f.targeted {
				for e, members := range c.groups {
					if groups[e] == nil || len(members) == 0 { // a targeted sync adds none, and an empty result means unknown
						continue
					}
					groups[e] = map[string]bool{}
					for m := range members {
						if shown[m] {
							groups[e][m] = true
						}
					}
				}
				continue
			}
			for id, a := range c.accounts {
				before, known := last[id]
				if !known || !shown[id] && (before.login != a.login || !before.created.Equal(a.created)) {
					incarnation[id]++
				}
				last[id] = a
			}
			shown = map[string]bool{}
			for id := range c.accounts {
				shown[id] = true
			}
			groups = map[string]map[string]bool{}
			for e, members := range c.groups {
				groups[e] = map[string]bool{}
				for m := range members {
					groups[e][m] = true
				}
			}
		}
		for id := range shown {
			p.accounts[accountID{u.name, id, incarnation[id]}] = last[id]
		}
		for e, members := range groups {
			at := map[accountID]bool{}
			for m := range members {
				at[accountID{u.name, m, incarnation[m]}] = true
			}
			p.groups[u.name+"/"+e] = at
		}
	}
	return p
}

// lines describes a moment of the recomputation.
func (y *year) lines(when time.Time) (all []string) {
	p := y.recompute(when)
	roles := mapSet{}
	for _, m := range y.maps {
		if !m.at.After(when) {
			roles = m
		}
	}
	for a, v := range p.accounts {
		owner, status := console.ID(""), console.PersonActive
		for _, o := range y.owners {
			if o.account == a && !o.at.After(when) {
				owner = o.person
			}
		}
		for _, s := range y.statuses {
			if s.person == owner && !s.at.After(when) {
				status = s.status
			}
		}
		role := ""
		for _, name := range roles.order {
			for e, r := range roles.roles {
				if role == "" && r == name && p.groups[e][a] {
					role = name
				}
			}
		}
		all = append(all, fmt.Sprintf("account %s %s #%d %q %s disabled=%v of %q role %q", a.upstream, a.id, a.incarnation, v.name, v.login, v.disabled, owner, role))
		if owner != "" {
			all = append(all, fmt.Sprintf("person %s has %s %s #%d", owner, a.upstream, a.id, a.incarnation))
		}
		if owner != "" && status != console.PersonActive && !v.disabled {
			all = append(all, fmt.Sprintf("orphaned %s %s", a.upstream, a.id))
		}
		if owner == "" {
			all = append(all, fmt.Sprintf("without owner %s %s", a.upstream, a.id))
		}
	}
	for e, members := range p.groups {
		all = append(all, "entitlement "+e)
		for a := range members {
			all = append(all, fmt.Sprintf("grant %s to %s #%d", e, a.id, a.incarnation))
		}
	}
	slices.Sort(all)
	return all
}

// stored describes a moment of the store.
func (y *year) stored(when time.Time) (all []string) {
	y.t.Helper()
	err := y.s.View(context.Background(), func(tx *store.Tx) error {
		m, err := tx.Moment(y.app, when)
		if err != nil {
			return err
		}
		upstreams := map[console.Stream]string{}
		for _, s := range m.Streams {
			for _, u := range y.upstreams {
				if u.connector == s.Connector {
					upstreams[s.Stream] = u.name
				}
			}
		}
		roles, _, err := tx.RoleMapAt(y.app, when)
		if err != nil {
			return err
		}
		listed := func(f store.AccountFilter) (rows []store.Resource, err error) {
			for after := (store.ResourceAfter{}); ; {
				page, err := tx.FilterAccounts(m, f, after, 7)
				if err != nil {
					return nil, err
				}
				if rows = append(rows, page.Rows...); page.Next == nil {
					return rows, nil
				}
				after = *page.Next
			}
		}
		accounts, err := listed(store.AccountFilter{Roles: roles})
		if err != nil {
			return err
		}
		names, keys := map[console.ResourceKey]store.Resource{}, []console.ResourceKey{}
		for _, r := range accounts {
			names[r.Key], keys = r, append(keys, r.Key)
		}
		owners, err := tx.OwnersAt(keys, when)
		if err != nil {
			return err
		}
		effective, err := tx.AccountsRoles(m, roles, accounts)
		if err != nil {
			return err
		}
		for _, r := range accounts {
			role := ""
			if x := effective[r.Key].Role.Risk; x != nil {
				role = x.Name
			}
			all = append(all, fmt.Sprintf("account %s %s #%d %q %s disabled=%v of %q role %q", upstreams[r.Stream], r.ID, r.Incarnation, r.Name, r.Account.Login, r.Status == console.StatusDisabled, owners[r.Key].ID, role))
			held, err := tx.HeldBy(m, r.Key, 0, store.PageSize)
			if err != nil {
				return err
			}
			for _, f := range held {
				e, err := tx.Entitlement(m, f.Entitlement)
				if err != nil {
					return err
				}
				all = append(all, fmt.Sprintf("grant %s/%s to %s #%d", upstreams[r.Stream], e.ID, r.ID, r.Incarnation))
			}
		}
		for _, special := range []struct {
			word string
			f    store.AccountFilter
		}{{"orphaned", store.AccountFilter{Orphaned: true, Roles: roles}}, {"without owner", store.AccountFilter{Unowned: true, Roles: roles}}} {
			rows, err := listed(special.f)
			if err != nil {
				return err
			}
			for _, r := range rows {
				all = append(all, fmt.Sprintf("%s %s %s", special.word, upstreams[r.Stream], r.ID))
			}
		}
		for _, p := range y.people {
			of, err := tx.AccountsOfAt(p, when)
			if err != nil {
				return err
			}
			for _, key := range of {
				if r, shown := names[key]; shown { // the owner stays when the account disappears
					all = append(all, fmt.Sprintf("person %s has %s %s #%d", p, upstreams[r.Stream], r.ID, r.Incarnation))
				}
			}
		}
		entitlements, err := tx.Entitlements(m, store.EntitlementAfter{}, store.PageSize)
		if err != nil {
			return err
		}
		for _, e := range entitlements {
			all = append(all, "entitlement "+upstreams[e.Stream]+"/"+e.ID)
			holders, err := tx.Holders(m, e.Key, store.HolderAfter{}, store.PageSize)
			if err != nil {
				return err
			}
			for _, h := range holders { // as the accounts say
				if line := fmt.Sprintf("grant %s/%s to %s #%d", upstreams[e.Stream], e.ID, h.Principal.ID, h.Principal.Incarnation); !slices.Contains(all, line) {
					all = append(all, "only the entitlement says: "+line)
				}
			}
			if n, err := tx.CountHolders(m, e.Key, store.PageSize); err != nil || n != len(holders) {
				all = append(all, fmt.Sprintf("%s has %d holders and counts %d: %v", e.ID, len(holders), n, err))
			}
		}
		return nil
	})
	if err != nil {
		y.t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// compare compares the store with the recomputation at random moments, and at the times of events.
func (y *year) compare(moments int) {
	y.t.Helper()
	var exact []time.Time
	for _, f := range y.files {
		exact = append(exact, y.read(f.path).began)
	}
	for _, o := range y.owners {
		exact = append(exact, o.at)
	}
	lines, applied, targeted, again := 0, 0, 0, 0
	for _, f := range y.files {
		if f.applied {
			applied++
			if f.targeted {
				targeted++
			}
		}
	}
	for a := range y.recompute(time.Time{}).accounts {
		if a.incarnation > 1 {
			again++
		}
	}
	for i := range moments {
		when := yearBegin.Add(time.Duration(y.random.Int64N(int64(y.now.Sub(yearBegin))))).Truncate(time.Microsecond)
		if i%4 == 3 { // a boundary: a sync that began at the moment does not count, an owner set at the moment does
			when = exact[y.random.IntN(len(exact))]
		}
		want, got := y.lines(when), y.stored(when)
		lines += len(want)
		if diff := cmp.Diff(want, got); diff != "" {
			y.t.Fatalf("at %s (-files +store):\n%s", when.Format(time.RFC3339Nano), diff)
		}
	}
	y.t.Logf("%d moments, %d lines; %d files, of which %d applied, %d of these targeted; %d owners, %d role maps, %d ids used again", moments, lines, len(y.files), applied, targeted, len(y.owners), len(y.maps), again)
	if applied < 20 || targeted == 0 || len(y.owners) < 20 || len(y.maps) == 0 || !y.upstreams[0].moved {
		y.t.Errorf("the year was too quiet")
	}
}
