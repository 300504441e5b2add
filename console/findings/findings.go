// Package findings finds what needs somebody in an app: it derives the causes from the state of the
// store, and records which of them appeared and which are gone. A kind of findings is one function
// here and one line in [console.FindingRules].
package findings

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"baton/console"
	"baton/console/store"
)

// kind is how causes of one kind are found.
type kind struct {
	kind console.FindingKind
	// find returns all causes that are there now.
	find func(*look) ([]store.FindingCause, error)
	// after lists the beginnings of the kinds of events after which causes may have changed.
	after []string
	// people means that they may have changed after an event about a person, too.
	people bool
	// every is how often causes are looked for without any event; 0: never.
	every time.Duration
	// done records in the transaction of the last change what was looked at; nil: nothing.
	done func(*store.Tx, *look) error
}

// The events after which the accounts of an app, their owners or their roles may be different.
var ofAccounts = []string{"sync.applied", "app.added", "app.roles-changed", "account.", "connector.continued"}

// kinds lists how the causes of every kind are found. A test compares it with [console.FindingRules].
var kinds = []kind{
	{kind: console.AdminsBelow, find: adminsBelow, after: append([]string{"operation."}, ofAccounts...), people: true},
	{kind: console.AdminsNear, find: adminsNear, after: append([]string{"operation."}, ofAccounts...), people: true},
	{kind: console.SyncHeldWaits, find: heldSyncs, after: []string{"sync."}},
	{kind: console.AccessOverdue, find: overdue, after: []string{"access.", "app.added"}},
	{kind: console.AccessCameBack, find: cameBack, after: []string{"sync.applied", "access.", "reason.", "operation."}},
	{kind: console.ConnectorFailing, find: inState(console.ConnectorError, console.HeldByConnector), after: ofConnectors, every: looking},
	{kind: console.ConnectorOffline, find: inState(console.Offline), after: ofConnectors, every: looking},
	{kind: console.ConnectorNotCalled, find: inState(console.NotConnected), after: ofConnectors, every: looking},
	{kind: console.UnexplainedChange, find: unexplained, done: lookedAtChanges, after: []string{"sync.applied", "change.explained", "reason.", "operation.", "connector.continued"}},
	{kind: console.RoleUnclear, find: roleUnknown, after: ofAccounts},
	{kind: console.AccountSeveral, find: severalRoles, after: ofAccounts},
	{kind: console.OperationByHand, find: byHand, after: []string{"operation."}},
	{kind: console.AccountExcluded, find: excluded, after: []string{"sync.applied", "operation."}},
	{kind: console.CourseLapsed, find: lapsed, after: []string{"requirement.", "exemption.", "sync.applied"}, every: looking},
	{kind: console.AccountOrphaned, find: orphaned, after: ofAccounts, people: true},
	{kind: console.AccountWithout, find: serviceWithoutOwner, after: ofAccounts, people: true},
	{kind: console.AccountUnmatched, find: unmatched, after: ofAccounts, people: true},
	{kind: console.AppWithoutOwner, find: withoutOwner, after: []string{"app."}, people: true},
	{kind: console.CredentialEnds, find: endingCredentials, after: []string{"credential.", "connector."}, every: time.Hour},
}

// looking is how often the states of connectors are looked at, because a connector that stops
// asking for work makes no event.
const looking = time.Minute

var ofConnectors = []string{"connector.", "sync.", "credential.", "host."}

// Kinds lists the kinds that this package finds.
func Kinds() (all []console.FindingKind) {
	for _, k := range kinds {
		all = append(all, k.kind)
	}
	return all
}

// After returns the kinds of findings whose causes may have changed with an event. An event about a
// person without an app concerns all apps of the person.
func After(e console.Event) (all []console.FindingKind) {
	for _, k := range kinds {
		if e.Kind == "app.removed" || slices.ContainsFunc(k.after, func(prefix string) bool { return strings.HasPrefix(e.Kind, prefix) }) ||
			k.people && e.App == "" && e.Person != "" && strings.HasPrefix(e.Kind, "person.") {
			all = append(all, k.kind)
		}
	}
	return all
}

// look is one search for causes.
type look struct {
	tx    *store.Tx
	app   console.App
	now   time.Time
	known map[string]console.Finding // those whose cause was there before
	next  time.Time                  // when the next acceptance or snooze is over
	over  bool                       // one of them is
	// seen is up to which sync of each stream changes were looked at; moved means that it is further
	// than before.
	seen  map[console.Stream]console.SyncNumber
	moved bool
}

// atOnce limits the findings that are written in one transaction.
const atOnce = 1000

// Update brings the findings of a kind of an app up to date. next is when it must be called again
// although nothing happens; zero: never.
func Update(ctx context.Context, s *store.Store, by console.By, app console.ID, which console.FindingKind) (next time.Time, err error) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.kind == which })
	if i < 0 {
		return time.Time{}, nil // of a newer version, or of an older one
	}
	k := kinds[i]
	rule, _ := k.kind.Rule()
	l := &look{now: by.At, seen: map[console.Stream]console.SyncNumber{}}
	var causes []store.FindingCause
	err = s.View(ctx, func(tx *store.Tx) (err error) {
		l.tx, causes, l.next, l.moved = tx, nil, time.Time{}, false
		if l.known, err = tx.CurrentFindings(app, k.kind); err != nil {
			return err
		}
		if l.app, err = tx.App(app); err != nil || !l.app.Removed.IsZero() {
			return err // nobody has to act on a removed app
		}
		for _, f := range l.known {
			if !f.Until.IsZero() && (l.next.IsZero() || f.Until.Before(l.next)) {
				l.next = f.Until
			}
		}
		l.over = !l.next.IsZero() && !l.next.After(by.At)
		causes, err = k.find(l)
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	p := compare(causes, l.known)
	if p.empty() && !l.moved && !l.over {
		return k.again(l.next, by.At), nil
	}
	for part := range slices.Chunk(p.appeared, atOnce) {
		if err := s.Update(ctx, by, func(tx *store.Tx) error { return tx.AppearFindings(app, rule, part) }); err != nil {
			return time.Time{}, err
		}
	}
	for part := range slices.Chunk(p.gone, atOnce) {
		if err := s.Update(ctx, by, func(tx *store.Tx) error { return tx.ResolveFindings(app, rule, part) }); err != nil {
			return time.Time{}, err
		}
	}
	err = s.Update(ctx, by, func(tx *store.Tx) (err error) {
		for id, about := range p.changed {
			if err := tx.SetFindingAbout(id, about); err != nil {
				return err
			}
		}
		if k.done != nil {
			if err := k.done(tx, l); err != nil {
				return err
			}
		}
		next, err = tx.ReturnFindings(app, k.kind)
		return err
	})
	return k.again(next, by.At), err
}

// again returns when causes of the kind must be looked for again, given when the next acceptance is
// over.
func (k kind) again(next, now time.Time) time.Time {
	if again := now.Add(k.every); k.every > 0 && (next.IsZero() || again.Before(next)) {
		return again
	}
	return next
}

// plan lists the findings to write.
type plan struct {
	appeared []store.FindingCause
	gone     []console.ID
	changed  map[console.ID]console.FindingAbout
}

func (p plan) empty() bool { return len(p.appeared)+len(p.gone)+len(p.changed) == 0 }

// compare compares the causes that are there with those that were there.
func compare(causes []store.FindingCause, known map[string]console.Finding) plan {
	p := plan{changed: map[console.ID]console.FindingAbout{}}
	there := make(map[string]bool, len(causes))
	for _, c := range causes {
		if there[c.Subject] {
			continue
		}
		there[c.Subject] = true
		f, old := known[c.Subject]
		switch {
		case !old:
			p.appeared = append(p.appeared, c)
		case f.Connector != c.Connector || f.Account != c.Account || f.Entitlement != c.Entitlement || f.Object != c.Object || !maps.Equal(f.Detail, c.Detail):
			p.changed[f.ID] = c.FindingAbout
		}
	}
	for subject, f := range known {
		if !there[subject] {
			p.gone = append(p.gone, f.ID)
		}
	}
	slices.SortFunc(p.gone, func(a, b console.ID) int { return cmp.Compare(a, b) })
	return p
}
