package govern

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Timeline merges what syncs showed about an object with the events about it, the newest first.
type Timeline struct {
	Entries []TimelineEntry
	Next    *TimelineAt // where the next page begins; nil at the end
}

// TimelineAt is a place in a timeline. The zero value is the beginning.
type TimelineAt struct {
	Sync  console.SyncNumber // show earlier syncs than this; 0: all
	Event int64              // show earlier events than this; 0: all
}

// TimelineEntry is one sync with what it changed, or one event.
type TimelineEntry struct {
	At    time.Time
	Sync  *console.Sync
	Lines []TimelineLine
	Event *store.Event
	// The names in the event; "" if it names none.
	Actor, Person, Account, Entitlement string
}

// TimelineLine is one change in a sync.
type TimelineLine struct {
	Kind LineKind
	// Of is the account of the line, in a person's timeline.
	Of string
	// Names are some of the entitlements or accounts of the line; Count is their full number.
	Names []string
	Count int
	// The changed attribute and its values, for LineChanged.
	What, Before, After string
}

// LineKind is the kind of a line.
type LineKind string

const (
	LineAppeared LineKind = "appeared" // the first sync that showed it
	LineBack     LineKind = "back"     // shown again
	LineGone     LineKind = "gone"     // no longer shown
	LineChanged  LineKind = "changed"
	LineGained   LineKind = "gained"
	LineLost     LineKind = "lost"
)

// timelineOf defines the subject of a timeline.
type timelineOf struct {
	accounts    []timelineAccount
	entitlement console.EntitlementKey // in moment
	moment      store.Moment
	intervals   []Interval // of one access
	events      []store.EventFilter
}

type timelineAccount struct {
	moment store.Moment
	key    console.ResourceKey
	name   string // "" if it is the only one
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

// timelineWriter collects the entries of a timeline.
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

// account adds the versions and the access of an account.
func (w *timelineWriter) account(a timelineAccount, before console.SyncNumber) error {
	resources, err := w.tx.ResourceVersions(a.key)
	if err != nil {
		return err
	}
	var versions []version
	for i, r := range resources {
		v := version{from: r.From, until: r.Until, stream: r.Stream}
		if i > 0 {
			v.changes = accountChanges(resources[i-1], r)
		}
		versions = append(versions, v)
	}
	if err := w.versions(versions, a.moment, a.name, before); err != nil {
		return err
	}
	turns, err := w.tx.AccountTurns(a.moment, a.key, before)
	if err != nil {
		return err
	}
	return w.turns(turns, a.name, before, func(key int64) (string, error) { return entitlementName(w.tx, console.EntitlementKey(key)) })
}

// entitlement adds the versions and the holders of an entitlement.
func (w *timelineWriter) entitlement(m store.Moment, key console.EntitlementKey, before console.SyncNumber) error {
	entitlements, err := w.tx.EntitlementVersions(key)
	if err != nil {
		return err
	}
	var versions []version
	for i, e := range entitlements {
		v := version{from: e.From, until: e.Until, stream: e.Stream, changes: []TimelineLine{furtherAttributes}}
		if i > 0 && entitlements[i-1].Name != e.Name {
			v.changes = []TimelineLine{{Kind: LineChanged, What: "name", Before: entitlements[i-1].Name, After: e.Name}}
		}
		versions = append(versions, v)
	}
	if err := w.versions(versions, m, "", before); err != nil {
		return err
	}
	turns, err := w.tx.EntitlementTurns(m, key, before)
	if err != nil {
		return err
	}
	return w.turns(turns, "", before, func(key int64) (string, error) { return accountName(w.tx, console.ResourceKey(key)) })
}

// version is a period in which syncs showed a row unchanged. until is the first sync that no longer
// did.
type version struct {
	from, until console.SyncNumber
	stream      console.Stream
	changes     []TimelineLine // compared with the previous version
}

// versions adds when an object appeared, changed and disappeared.
func (w *timelineWriter) versions(all []version, m store.Moment, of string, before console.SyncNumber) error {
	for i, v := range all {
		lines := v.changes
		if i == 0 {
			lines = []TimelineLine{{Kind: LineAppeared}}
		} else if all[i-1].until < v.from {
			lines = []TimelineLine{{Kind: LineBack}}
		}
		for _, l := range lines {
			l.Of = of
			if err := w.line(v.from, before, l); err != nil {
				return err
			}
		}
		followed := i+1 < len(all) && all[i+1].from <= v.until
		seen := slices.ContainsFunc(m.Streams, func(s store.StreamAt) bool { return s.Stream == v.stream && v.until <= s.Sync })
		if seen && !followed {
			if err := w.line(v.until, before, TimelineLine{Kind: LineGone, Of: of}); err != nil {
				return err
			}
		}
	}
	return nil
}

// turns adds gained and lost access. name returns the name of the other side: the entitlement for an
// account's timeline, the account for an entitlement's.
func (w *timelineWriter) turns(turns []store.Turn, of string, before console.SyncNumber, name func(key int64) (string, error)) error {
	for _, t := range turns {
		gained := TimelineLine{Kind: LineGained, Of: of, Count: t.Gained}
		lost := TimelineLine{Kind: LineLost, Of: of, Count: t.Lost}
		for _, side := range []struct {
			line TimelineLine
			keys []int64
		}{{gained, t.GainedKeys}, {lost, t.LostKeys}} {
			if side.line.Count == 0 {
				continue
			}
			for _, key := range side.keys {
				n, err := name(key)
				if err != nil {
					return err
				}
				side.line.Names = append(side.line.Names, n)
			}
			if err := w.line(t.Sync, before, side.line); err != nil {
				return err
			}
		}
	}
	return nil
}

// furtherAttributes is the line for changes that are not displayed in detail.
var furtherAttributes = TimelineLine{Kind: LineChanged, What: "further attributes"}

// accountChanges returns the changes of the attributes that are displayed.
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
		lines = []TimelineLine{furtherAttributes}
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

// merge returns the newest n entries, and where the next page begins.
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

// event adds the names to an event.
func (w *timelineWriter) event(e store.Event) (t TimelineEntry, err error) {
	t = TimelineEntry{At: e.At, Event: &e}
	w.people.add(e.Actor.Person(), e.Person)
	if w.people.err != nil {
		return t, w.people.err
	}
	t.Person = w.people.known[e.Person]
	t.Actor = e.Actor.Name(w.people.known[e.Actor.Person()])
	if e.Actor.Kind == console.ActorConnector {
		con, err := w.tx.Connector(console.ID(e.Actor.ID))
		if err == nil {
			t.Actor = con.Name
		} else if baton.KindOf(err) != baton.NotFound {
			return t, err
		}
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
