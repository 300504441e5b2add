package storetest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// model is the content of a sync. An account's login is its id unless logins says otherwise; a group
// has one entitlement, "member". A grant names a group and a principal.
type model struct {
	accounts []string
	groups   []string
	apps     []string
	grants   map[[2]string]grant
	logins   map[string]string
	statuses map[string]console.Status
	kinds    map[string]console.AccountKind
	created  map[string]time.Time
	seen     map[string]time.Time // last logins
}

type grant struct {
	sources    []console.Source
	detail     string
	expandable bool
}

// pairs returns plain grants of one group.
func pairs(group string, principals ...string) map[[2]string]grant {
	m := map[[2]string]grant{}
	for _, p := range principals {
		m[[2]string{group, p}] = grant{}
	}
	return m
}

func join(all ...map[[2]string]grant) map[[2]string]grant {
	sum := map[[2]string]grant{}
	for _, m := range all {
		maps.Copy(sum, m)
	}
	return sum
}

// world is an app with one connector, and everything that its syncs have shown.
type world struct {
	t         testing.TB
	s         *store.Store
	app       console.ID
	connector console.ID
}

func newWorld(t testing.TB, s *store.Store) *world { return namedWorld(t, s, "app") }

func namedWorld(t testing.TB, s *store.Store, name string) *world {
	t.Helper()
	w := &world{t: t, s: s}
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if w.app, err = tx.AddApp(console.App{Name: name}); err != nil {
			return err
		}
		w.connector, err = tx.AddConnector(console.Connector{App: w.app, Name: "connector of " + name})
		return err
	})
	return w
}

func (w *world) stream() (stream console.Stream) {
	view(w.t, w.s, func(tx *store.Tx) error {
		c, err := tx.Connector(w.connector)
		stream = c.Stream
		return err
	})
	return stream
}

// receive records a sync that began some minutes after noon.
func (w *world) receive(minute int, kind console.SyncKind) (id console.ID) {
	w.t.Helper()
	update(w.t, w.s, by(minute), func(tx *store.Tx) (err error) {
		id, err = tx.ReceiveSync(console.Sync{Connector: w.connector, Kind: kind, Began: at(minute), Dispatched: at(minute)})
		return err
	})
	return id
}

// sync applies a full sync that began some minutes after noon.
func (w *world) sync(minute int, m model) console.SyncNumber {
	w.t.Helper()
	st, err := w.s.BeginSync(ctx, by(minute), w.receive(minute, console.SyncFull))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := stage(ctx, st, m); err != nil {
		w.t.Fatal(err)
	}
	if err := st.Publish(ctx, by(minute), console.Counts{Accounts: int64(len(m.accounts)), Facts: int64(len(m.grants))}); err != nil {
		w.t.Fatal(err)
	}
	return st.Number
}

// stage writes the difference between the head of a stream and a model. It is the smallest possible
// ingest.
func stage(ctx context.Context, st *store.Staging, m model) error {
	keys, err := stageResources(ctx, st, m)
	if err != nil {
		return err
	}
	entitlements, err := stageEntitlements(ctx, st, m, keys)
	if err != nil {
		return err
	}
	return stageFacts(ctx, st, m, keys, entitlements)
}

func (m model) resources() []console.Resource {
	var all []console.Resource
	for _, id := range m.accounts {
		login := id
		if l := m.logins[id]; l != "" {
			login = l
		}
		all = append(all, console.Resource{Type: "user", ID: id, Name: "Name of " + login, Status: m.statuses[id], Created: m.created[id],
			Account: &console.Account{Kind: m.kinds[id], Login: login, Emails: []string{login + "@example.com"}, LastLogin: m.seen[id]}})
	}
	for _, id := range m.groups {
		all = append(all, console.Resource{Type: "group", ID: id, Name: "Group " + id})
	}
	for _, id := range m.apps {
		all = append(all, console.Resource{Type: "app", ID: id, Name: "App " + id, App: true})
	}
	slices.SortFunc(all, func(a, b console.Resource) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID)) })
	return all
}

// stageResources returns the keys of the model's resources by type and id.
func stageResources(ctx context.Context, st *store.Staging, m model) (map[[2]string]console.ResourceKey, error) {
	want := m.resources()
	known := map[[2]string]store.KnownResource{}
	last := ""
	for k, err := range st.KnownResources(ctx) {
		if err != nil {
			return nil, err
		}
		if place := k.Type + "\x00\x00" + k.ID; place <= last {
			return nil, fmt.Errorf("known resources are not in order: %q after %q", place, last)
		} else {
			last = place
		}
		known[[2]string{k.Type, k.ID}] = k
	}
	keys := map[[2]string]console.ResourceKey{}
	var changes []store.ResourceChange
	for _, r := range want {
		id := [2]string{r.Type, r.ID}
		k, ok := known[id]
		c := store.ResourceChange{Resource: r}
		switch {
		case !ok:
			c.New, c.Change = true, store.Open
		case !k.Shown && r.Account != nil && !console.SameAccount(console.Resource{Type: k.Type, ID: k.ID, Created: k.Created, Account: &console.Account{Login: k.Login}}, r):
			c.New, c.Change, c.Resource.Incarnation = true, store.Open, k.Incarnation+1
		case !k.Shown:
			c.Change = store.Open
		case k.Digest != r.Digest():
			c.Change = store.Replace
		case r.Account != nil && !r.Account.LastLogin.Equal(k.LastLogin):
			c.Change = store.Touch
		}
		if c.New {
			key, err := st.ResourceKeys(ctx, 1)
			if err != nil {
				return nil, err
			}
			k.Key = key
		}
		c.Resource.Key, keys[id] = k.Key, k.Key
		if c.Change != 0 {
			changes = append(changes, c)
		}
	}
	for id, k := range known {
		if keys[id] == 0 && k.Shown {
			changes = append(changes, store.ResourceChange{Change: store.Close, Resource: console.Resource{Key: k.Key}})
		}
	}
	return keys, st.PutResources(ctx, seq(changes))
}

func stageEntitlements(ctx context.Context, st *store.Staging, m model, keys map[[2]string]console.ResourceKey) (map[string]console.EntitlementKey, error) {
	known := map[string]store.KnownEntitlement{}
	for k, err := range st.KnownEntitlements(ctx) {
		if err != nil {
			return nil, err
		}
		known[k.ID] = k
	}
	entitlements := map[string]console.EntitlementKey{}
	var changes []store.EntitlementChange
	for _, g := range m.groups {
		e := console.Entitlement{ID: "group:" + g + ":member", Resource: keys[[2]string{"group", g}], Slug: "member", Name: g + " member"}
		k, ok := known[e.ID]
		c := store.EntitlementChange{New: !ok}
		switch {
		case !ok:
			key, err := st.EntitlementKeys(ctx, 1)
			if err != nil {
				return nil, err
			}
			k.Key, c.Change = key, store.Open
		case !k.Shown:
			c.Change = store.Open
		case k.Digest != e.Digest():
			c.Change = store.Replace
		}
		e.Key, entitlements[g] = k.Key, k.Key
		if c.Entitlement = e; c.Change != 0 {
			changes = append(changes, c)
		}
		delete(known, e.ID)
	}
	for _, k := range known {
		if k.Shown {
			changes = append(changes, store.EntitlementChange{Change: store.Close, Entitlement: console.Entitlement{Key: k.Key}})
		}
	}
	return entitlements, st.PutEntitlements(ctx, seq(changes))
}

func stageFacts(ctx context.Context, st *store.Staging, m model, keys map[[2]string]console.ResourceKey, entitlements map[string]console.EntitlementKey) error {
	var want []store.FactRow
	for id, g := range m.grants {
		principal := keys[[2]string{"user", id[1]}]
		if principal == 0 {
			principal = keys[[2]string{"group", id[1]}]
		}
		sources, err := st.SourceSet(ctx, g.sources)
		if err != nil {
			return err
		}
		f := store.FactRow{Entitlement: entitlements[id[0]], Principal: principal, Sources: sources, Flags: store.Flags(g.expandable, false)}
		if g.detail != "" {
			f.Detail = []byte(g.detail)
		}
		want = append(want, f)
	}
	slices.SortFunc(want, compareFacts)
	var changes []store.FactChange
	next, stop := iter.Pull2(st.Facts(ctx))
	defer stop()
	had, err, ok := next()
	for i := 0; i < len(want) || ok; {
		if err != nil {
			return err
		}
		order := 1
		switch {
		case !ok:
			order = -1
		case i < len(want):
			order = compareFacts(want[i], had)
		}
		switch {
		case order < 0:
			changes = append(changes, store.FactChange{Change: store.Open, Fact: want[i]})
			i++
		case order > 0:
			changes = append(changes, store.FactChange{Change: store.Close, Was: had.From, Fact: had})
			had, err, ok = next()
		default:
			if f := want[i]; f.Sources != had.Sources || f.Flags != had.Flags || string(f.Detail) != string(had.Detail) {
				changes = append(changes, store.FactChange{Change: store.Replace, Was: had.From, Fact: f})
			}
			i++
			had, err, ok = next()
		}
	}
	return st.PutFacts(ctx, seq(changes))
}

func compareFacts(a, b store.FactRow) int {
	return cmp.Or(cmp.Compare(a.Entitlement, b.Entitlement), cmp.Compare(a.Principal, b.Principal))
}

func seq[T any](s []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range s {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// shown returns the content of the app at a time as text: every account, group, entitlement and
// grant, read through every list that contains it.
func (w *world) shown(when time.Time) string {
	w.t.Helper()
	var lines []string
	view(w.t, w.s, func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, when)
		if err != nil {
			return err
		}
		names := map[console.ResourceKey]string{}
		for after := (store.ResourceAfter{}); ; {
			page, err := tx.Accounts(m, after, 3)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				names[r.Key] = r.ID
				lines = append(lines, fmt.Sprintf("account %q %q %d", r.ID, r.Account.Login, r.Status))
				after = r.After()
			}
		}
		for after := (store.ResourceAfter{}); ; {
			page, err := tx.Resources(m, after, 3)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				names[r.Key] = r.ID
				lines = append(lines, fmt.Sprintf("group %q", r.ID))
				after = r.After()
			}
		}
		held := map[[2]int64]bool{}
		for after := (store.EntitlementAfter{}); ; {
			page, err := tx.Entitlements(m, after, 3)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				after = e.After()
				lines = append(lines, fmt.Sprintf("entitlement %q", e.ID))
				for place := (store.HolderAfter{}); ; {
					holders, err := tx.Holders(m, e.Key, place, 3)
					if err != nil {
						return err
					}
					if len(holders) == 0 {
						break
					}
					for _, h := range holders {
						place = h.After()
						held[[2]int64{int64(e.Key), int64(h.Principal.Key)}] = true
						lines = append(lines, grantLine(e.ID, h.Principal.ID, h.Fact))
					}
				}
			}
		}
		// The same facts by their principals.
		for key := range names {
			facts, err := tx.HeldBy(m, key, 0, store.PageSize)
			if err != nil {
				return err
			}
			for _, f := range facts {
				pair := [2]int64{int64(f.Entitlement), int64(f.Principal)}
				if !held[pair] {
					w.t.Errorf("%v: only the principal %q holds %d", when, names[key], f.Entitlement)
				}
				delete(held, pair)
			}
		}
		if len(held) > 0 {
			w.t.Errorf("%v: only the entitlements have %v", when, held)
		}
		return nil
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func grantLine(entitlement, principal string, f console.Fact) string {
	return fmt.Sprintf("grant %q %q %v %q %v", entitlement, principal, f.Sources, f.Detail, f.Expandable)
}

// words returns the content of a model in the form of world.shown.
func (m model) words() string {
	var lines []string
	for _, r := range m.resources() {
		if r.Account != nil {
			lines = append(lines, fmt.Sprintf("account %q %q %d", r.ID, r.Account.Login, r.Status))
		} else {
			lines = append(lines, fmt.Sprintf("group %q", r.ID), fmt.Sprintf("entitlement %q", "group:"+r.ID+":member"))
		}
	}
	for id, g := range m.grants {
		lines = append(lines, grantLine("group:"+id[0]+":member", id[1], console.Fact{Sources: g.sources, Detail: []byte(g.detail), Expandable: g.expandable}))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// check compares the app at a time with a model; the zero time means now.
func (w *world) check(when time.Time, m model) {
	w.t.Helper()
	if got, want := w.shown(when), m.words(); got != want {
		w.t.Errorf("at %v the app shows\n%s\nwant\n%s", when, got, want)
	}
}

// now returns the app's current moment.
func (w *world) now(tx *store.Tx) store.Moment {
	w.t.Helper()
	m, err := tx.Moment(w.app, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// account returns the key of an account.
func (w *world) account(id string) (key console.ResourceKey) {
	w.t.Helper()
	view(w.t, w.s, func(tx *store.Tx) error {
		r, err := tx.ResourceByID(w.now(tx), "user", id)
		key = r.Key
		return err
	})
	return key
}

// member returns the key of a group's entitlement.
func (w *world) member(group string) (key console.EntitlementKey) {
	w.t.Helper()
	view(w.t, w.s, func(tx *store.Tx) error {
		e, err := tx.EntitlementByID(w.now(tx), "group:"+group+":member")
		key = e.Key
		return err
	})
	return key
}
