package govern

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Timeline is what syncs showed and what people, rules and the console did about something,
// the newest first.
type Timeline struct {
	Entries []TimelineEntry
	Next    *TimelineAt // where it goes on; nil at its end
}

// TimelineAt is a place in a timeline. The zero value begins it.
type TimelineAt struct {
	Sync  console.SyncNumber // syncs before this one come next; 0 for all
	Event int64              // events before this one
}

// TimelineEntry is one sync with what it changed, or one event.
type TimelineEntry struct {
	At    time.Time
	Sync  *console.Sync
	Lines []TimelineLine
	Event *store.Event
	// Names of whom and what the event names: who did it, whom it is about, which account and
	// which entitlement; "" where it names none.
	Actor, Person, Account, Entitlement string
}

// TimelineLine is one thing that a sync changed.
type TimelineLine struct {
	Kind LineKind
	// Of is the account that a line of a person's timeline is about; "" in others.
	Of string
	// Names are some of the entitlements or accounts that it is about, and Count is how many
	// there are.
	Names []string
	Count int
	// What changed, for LineChanged.
	What, Before, After string
}

// LineKind says what a line of a timeline tells.
type LineKind string

// The kinds of lines.
const (
	LineAppeared LineKind = "appeared" // the first sync that showed it
	LineBack     LineKind = "back"     // shown again
	LineGone     LineKind = "gone"     // no longer shown
	LineChanged  LineKind = "changed"
	LineGained   LineKind = "gained"
	LineLost     LineKind = "lost"
)

// timelineOf says what a timeline is about.
type timelineOf struct {
	accounts    []timelineAccount
	entitlement console.EntitlementKey // with its moment
	moment      store.Moment
	intervals   []Interval // of one access
	events      []store.EventFilter
}

type timelineAccount struct {
	moment store.Moment
	key    console.ResourceKey
	name   string // "" where it is the only one
}

// timeline returns up to n entries of a timeline.
func (c *Console) timeline(tx *store.Tx, of timelineOf, at TimelineAt, n int) (t Timeline, err error) {
	w := &timelineWriter{tx: tx, bySync: map[console.SyncNumber]*TimelineEntry{}, people: personNames{tx: tx, known: map[console.ID]string{}}}
	for _, a := range of.accounts {
		if err := w.account(a, at.Sync); err != nil {
			return t, err
		}
	}
	if of.entitlement != 0 {
		if err := w.entitlement(of.moment, of.entitlement, at.Sync); err != nil {
			return t, err
		}
	}
	for _, i := range of.intervals {
		if err := w.line(i.First.Number, at.Sync, TimelineLine{Kind: LineGained}); err != nil {
			return t, err
		}
		if i.Ended != nil {
			if err := w.line(i.Ended.Number, at.Sync, TimelineLine{Kind: LineLost}); err != nil {
				return t, err
			}
		}
	}
	for _, filter := range of.events {
		events, err := tx.EventsBefore(filter, at.Event, n+1)
		if err != nil {
			return t, err
		}
		for _, e := range events {
			if !slices.ContainsFunc(w.events, func(o store.Event) bool { return o.Number == e.Number }) {
				w.events = append(w.events, e)
			}
		}
	}
	return w.merge(at, n)
}

// timelineWriter collects what a timeline is made of.
type timelineWriter struct {
	tx     *store.Tx
	syncs  syncTimes
	bySync map[console.SyncNumber]*TimelineEntry
	events []store.Event
	people personNames
}

func (w *timelineWriter) line(n, before console.SyncNumber, l TimelineLine) error {
	if before != 0 && n >= before {
		return nil
	}
	if w.bySync[n] == nil {
		sync, err := w.syncs.sync(w.tx, n)
		if err != nil {
			return err
		}
		w.bySync[n] = &TimelineEntry{At: sync.Began, Sync: &sync}
	}
	w.bySync[n].Lines = append(w.bySync[n].Lines, l)
	return nil
}

// account adds what syncs showed of an account.
func (w *timelineWriter) account(a timelineAccount, before console.SyncNumber) error {
	versions, err := w.tx.ResourceVersions(a.key)
	if err != nil {
		return err
	}
	for i, v := range versions {
		var lines []TimelineLine
		switch {
		case i == 0:
			lines = []TimelineLine{{Kind: LineAppeared}}
		case versions[i-1].Until < v.From:
			lines = []TimelineLine{{Kind: LineBack}}
		default:
			lines = accountChanges(versions[i-1], v)
		}
		for _, l := range lines {
			l.Of = a.name
			if err := w.line(v.From, before, l); err != nil {
				return err
			}
		}
		if goneAfter(v.Until, i+1 == len(versions) || versions[min(i+1, len(versions)-1)].From > v.Until, a.moment, v.Stream) {
			if err := w.line(v.Until, before, TimelineLine{Kind: LineGone, Of: a.name}); err != nil {
				return err
			}
		}
	}
	turns, err := w.tx.AccountTurns(a.moment, a.key, before)
	if err != nil {
		return err
	}
	for _, t := range turns {
		for _, side := range []struct {
			kind  LineKind
			count int
			keys  []int64
		}{{LineGained, t.Gained, t.GainedKeys}, {LineLost, t.Lost, t.LostKeys}} {
			if side.count == 0 {
				continue
			}
			l := TimelineLine{Kind: side.kind, Of: a.name, Count: side.count}
			for _, key := range side.keys {
				name, err := entitlementName(w.tx, console.EntitlementKey(key))
				if err != nil {
					return err
				}
				l.Names = append(l.Names, name)
			}
			if err := w.line(t.Sync, before, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// goneAfter reports whether a version that ended was followed by none.
func goneAfter(until console.SyncNumber, last bool, m store.Moment, stream console.Stream) bool {
	for _, s := range m.Streams {
		if s.Stream == stream {
			return last && until <= s.Sync
		}
	}
	return false
}

// accountChanges returns what differs in two versions of an account, of what people look for.
func accountChanges(a, b store.Resource) (lines []TimelineLine) {
	add := func(what, before, after string) {
		if before != after {
			lines = append(lines, TimelineLine{Kind: LineChanged, What: what, Before: before, After: after})
		}
	}
	add("status", statusWord(a.Status), statusWord(b.Status))
	add("name", a.Name, b.Name)
	if a.Account != nil && b.Account != nil {
		add("login", a.Account.Login, b.Account.Login)
		add("e-mail", strings.Join(a.Account.Emails, ", "), strings.Join(b.Account.Emails, ", "))
		add("manager", a.Account.Manager, b.Account.Manager)
		add("department", a.Account.Department, b.Account.Department)
	}
	if len(lines) == 0 {
		lines = []TimelineLine{{Kind: LineChanged, What: "further attributes"}}
	}
	return lines
}

func statusWord(s console.Status) string {
	switch s {
	case console.StatusEnabled:
		return "enabled"
	case console.StatusDisabled:
		return "disabled"
	case console.StatusDeleted:
		return "deleted"
	}
	return "not given"
}

// entitlement adds what syncs showed of an entitlement.
func (w *timelineWriter) entitlement(m store.Moment, key console.EntitlementKey, before console.SyncNumber) error {
	versions, err := w.tx.EntitlementVersions(key)
	if err != nil {
		return err
	}
	for i, v := range versions {
		l := TimelineLine{Kind: LineAppeared}
		switch {
		case i == 0:
		case versions[i-1].Until < v.From:
			l.Kind = LineBack
		case versions[i-1].Name != v.Name:
			l = TimelineLine{Kind: LineChanged, What: "name", Before: versions[i-1].Name, After: v.Name}
		default:
			l = TimelineLine{Kind: LineChanged, What: "further attributes"}
		}
		if err := w.line(v.From, before, l); err != nil {
			return err
		}
		if goneAfter(v.Until, i+1 == len(versions) || versions[min(i+1, len(versions)-1)].From > v.Until, m, v.Stream) {
			if err := w.line(v.Until, before, TimelineLine{Kind: LineGone}); err != nil {
				return err
			}
		}
	}
	turns, err := w.tx.EntitlementTurns(m, key, before)
	if err != nil {
		return err
	}
	for _, t := range turns {
		for _, side := range []struct {
			kind  LineKind
			count int
			keys  []int64
		}{{LineGained, t.Gained, t.GainedKeys}, {LineLost, t.Lost, t.LostKeys}} {
			if side.count == 0 {
				continue
			}
			l := TimelineLine{Kind: side.kind, Count: side.count}
			for _, key := range side.keys {
				name, err := accountName(w.tx, console.ResourceKey(key))
				if err != nil {
					return err
				}
				l.Names = append(l.Names, name)
			}
			if err := w.line(t.Sync, before, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// entitlementName returns the newest name of an entitlement.
func entitlementName(tx *store.Tx, key console.EntitlementKey) (string, error) {
	if key == console.AccountItself {
		return accountEntitlement.Name, nil
	}
	versions, err := tx.EntitlementVersions(key)
	if err != nil || len(versions) == 0 {
		return "", err
	}
	last := versions[len(versions)-1]
	return cmp.Or(last.Name, last.ID), nil
}

// accountName returns the newest name of an account or a group.
func accountName(tx *store.Tx, key console.ResourceKey) (string, error) {
	versions, err := tx.ResourceVersions(key)
	if err != nil || len(versions) == 0 {
		return "", err
	}
	last := versions[len(versions)-1]
	return cmp.Or(last.Name, last.ID), nil
}

// merge returns the newest n entries, and where the timeline goes on.
func (w *timelineWriter) merge(at TimelineAt, n int) (t Timeline, err error) {
	var syncs []*TimelineEntry
	for _, e := range w.bySync {
		syncs = append(syncs, e)
	}
	slices.SortFunc(syncs, func(a, b *TimelineEntry) int { return cmp.Compare(b.Sync.Number, a.Sync.Number) })
	slices.SortFunc(w.events, func(a, b store.Event) int { return cmp.Compare(b.Number, a.Number) })
	next := at
	for len(t.Entries) < n && len(syncs)+len(w.events) > 0 {
		if len(w.events) == 0 || len(syncs) > 0 && !syncs[0].At.Before(w.events[0].At) {
			t.Entries, next.Sync = append(t.Entries, *syncs[0]), syncs[0].Sync.Number
			syncs = syncs[1:]
			continue
		}
		e, err := w.event(w.events[0])
		if err != nil {
			return t, err
		}
		t.Entries, next.Event = append(t.Entries, e), w.events[0].Number
		w.events = w.events[1:]
	}
	if len(syncs)+len(w.events) > 0 {
		t.Next = &next
	}
	return t, nil
}

// event resolves what an event names.
func (w *timelineWriter) event(e store.Event) (t TimelineEntry, err error) {
	t = TimelineEntry{At: e.At, Event: &e}
	w.people.add(e.Actor.Person(), e.Person)
	if w.people.err != nil {
		return t, w.people.err
	}
	t.Person = w.people.known[e.Person]
	switch e.Actor.Kind {
	case console.ActorPerson:
		t.Actor = cmp.Or(w.people.known[e.Actor.Person()], "somebody")
	case console.ActorConnector:
		t.Actor = "the connector"
		con, err := w.tx.Connector(console.ID(e.Actor.ID))
		if err == nil {
			t.Actor = con.Name
		} else if baton.KindOf(err) != baton.NotFound {
			return t, err
		}
	case console.ActorAutomation:
		t.Actor = "an automation"
	default:
		t.Actor = "the console"
	}
	if e.Event.Account != 0 {
		if t.Account, err = accountName(w.tx, e.Event.Account); err != nil {
			return t, err
		}
		if e.Event.Entitlement != 0 || !strings.HasPrefix(e.Kind, "account.") {
			t.Entitlement, err = entitlementName(w.tx, e.Event.Entitlement)
		}
	}
	return t, err
}

// AccountHistory is what an account held, and its timeline.
type AccountHistory struct {
	App      console.App
	Account  AccountRow
	Gone     bool // no sync shows it any more
	Past     []PastHolding
	NextPast *store.PastBefore // where Past goes on; nil at its end
	Timeline Timeline
}

// PastHolding is an access that ended, as syncs showed it.
type PastHolding struct {
	AccountName     string
	Account         console.ResourceKey
	Owner           console.Person // of the account now
	Group           bool           // the holder was no account
	EntitlementName string
	Entitlement     console.EntitlementKey
	From, Until     time.Time // when the first sync that showed it began, and the one that no longer did
	Baseline        bool      // From proves no date
	Again           bool      // it is held again
}

// AccountHistory returns what an account of an app held, up to n of it, and up to n entries
// of its timeline.
func (c *Console) AccountHistory(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey, before store.PastBefore, at TimelineAt, n int) (h AccountHistory, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		h = AccountHistory{}
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		h.App = a
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		if h.Account, h.Gone, err = c.accountOf(tx, m, a, key); err != nil {
			return err
		}
		facts, err := tx.PastAccess(m, key, before, n+1)
		if err != nil {
			return err
		}
		if h.Past, h.NextPast, err = pastHoldings(tx, m, facts, n); err != nil {
			return err
		}
		of := timelineOf{accounts: []timelineAccount{{moment: m, key: key}}}
		if console.SeeAudit.Of(me, console.Object{App: &a}) {
			of.events = []store.EventFilter{{Account: key, Whole: true}}
		}
		h.Timeline, err = c.timeline(tx, of, at, n)
		return err
	})
	return h, err
}

// pastHoldings describes facts that ended, and where their list goes on.
func pastHoldings(tx *store.Tx, m store.Moment, facts []console.Fact, n int) (past []PastHolding, next *store.PastBefore, err error) {
	var syncs syncTimes
	for i, f := range facts {
		if i == n {
			last := facts[i-1]
			return past, &store.PastBefore{Closed: last.Until, Principal: last.Principal, Entitlement: last.Entitlement}, nil
		}
		p := PastHolding{Account: f.Principal, Entitlement: f.Entitlement}
		if p.From, err = syncs.of(tx, f.From); err != nil {
			return past, nil, err
		}
		if p.Until, err = syncs.of(tx, f.Until); err != nil {
			return past, nil, err
		}
		first, err := tx.FirstShown(f.Entitlement)
		if err != nil {
			return past, nil, err
		}
		p.Baseline = console.IsBaseline(f.From, first)
		versions, err := tx.ResourceVersions(f.Principal)
		if err != nil {
			return past, nil, err
		}
		if len(versions) > 0 {
			last := versions[len(versions)-1]
			p.AccountName, p.Group = cmp.Or(last.Name, last.ID), last.Account == nil
		}
		if p.EntitlementName, err = entitlementName(tx, f.Entitlement); err != nil {
			return past, nil, err
		}
		if p.Owner, err = ownerOf(tx, f.Principal); err != nil {
			return past, nil, err
		}
		held, err := tx.Fact(m, f.Entitlement, f.Principal)
		if err != nil {
			return past, nil, err
		}
		p.Again = held != nil
		past = append(past, p)
	}
	return past, nil, nil
}

// EntitlementHistory is who held an entitlement, and its timeline.
type EntitlementHistory struct {
	App         console.App
	Entitlement EntitlementRow
	Gone        bool // no sync shows it any more
	Past        []PastHolding
	NextPast    *store.PastBefore // where Past goes on; nil at its end
	Timeline    Timeline
}

// EntitlementHistory returns who held an entitlement of an app, up to n of them, and up to n
// entries of its timeline.
func (c *Console) EntitlementHistory(ctx context.Context, caller Caller, app console.ID, key console.EntitlementKey, before store.PastBefore, at TimelineAt, n int) (h EntitlementHistory, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		h = EntitlementHistory{}
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		h.App = a
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		if h.Entitlement, h.Gone, err = c.entitlementOf(tx, m, a, key); err != nil {
			return err
		}
		facts, err := tx.PastHolders(m, key, before, n+1)
		if err != nil {
			return err
		}
		if h.Past, h.NextPast, err = pastHoldings(tx, m, facts, n); err != nil {
			return err
		}
		of := timelineOf{entitlement: key, moment: m}
		if console.SeeAudit.Of(me, console.Object{App: &a}) {
			of.events = []store.EventFilter{{Entitlement: key, Whole: true}}
		}
		h.Timeline, err = c.timeline(tx, of, at, n)
		return err
	})
	return h, err
}

// PersonHistory is what a person's accounts held across all apps that the caller sees, and
// the person's timeline.
type PersonHistory struct {
	console.Person
	Timeline Timeline
}

// PersonHistory returns up to n entries of a person's timeline.
func (c *Console) PersonHistory(ctx context.Context, caller Caller, id console.ID, at TimelineAt, n int) (h PersonHistory, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		h = PersonHistory{}
		p, accounts, err := c.seePerson(tx, me, id)
		if err != nil {
			return err
		}
		h.Person = p
		var of timelineOf
		audit := console.SeeAudit.Of(me, console.Object{Person: &p})
		if audit {
			of.events = append(of.events, store.EventFilter{Person: p.ID})
		}
		for _, a := range accounts {
			m, err := tx.Moment(a.app.ID, time.Time{})
			if err != nil {
				return err
			}
			name, err := accountName(tx, a.key)
			if err != nil {
				return err
			}
			of.accounts = append(of.accounts, timelineAccount{m, a.key, a.app.Name + ": " + name})
			if audit || console.SeeAudit.Of(me, console.Object{App: &a.app}) {
				of.events = append(of.events, store.EventFilter{Account: a.key, Whole: true})
			}
		}
		h.Timeline, err = c.timeline(tx, of, at, n)
		return err
	})
	return h, err
}
