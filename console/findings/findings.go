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
	// find returns all causes that are there now. Kinds of which there may be very many have step
	// instead.
	find func(*look) ([]store.FindingCause, error)
	// step returns one part of the causes and of the known findings, from a place on, and the place of
	// the next part; nil at the end. Together, the parts contain all that may have changed since the
	// last look.
	step func(*look, place) (part, *place, error)
	// after lists the beginnings of the kinds of events after which causes may have changed.
	after []string
	// people means that they may have changed after an event about a person, too.
	people bool
	// every is how often causes are looked for without any event; 0: never.
	every time.Duration
	// done records in the transaction of the last change what was looked at; nil: nothing.
	done func(*store.Tx, *look) error
}

// kinds lists how the causes of every kind are found. A test compares it with [console.FindingRules].
var kinds = []kind{
	{kind: console.AdminsBelow, find: adminsBelow, after: append([]string{"operation."}, store.AccountEvents...), people: true},
	{kind: console.AdminsNear, find: adminsNear, after: append([]string{"operation."}, store.AccountEvents...), people: true},
	{kind: console.SyncHeldWaits, find: heldSyncs, after: []string{"sync."}},
	{kind: console.AccessOverdue, find: overdue, after: []string{"access.", "app.added"}},
	{kind: console.AccessCameBack, find: cameBack, after: []string{"sync.applied", "access.", "reason.", "operation."}},
	{kind: console.ConnectorFailing, find: inState(console.ConnectorError, console.HeldByConnector), after: ofConnectors, every: looking},
	{kind: console.ConnectorOffline, find: inState(console.Offline), after: ofConnectors, every: looking},
	{kind: console.ConnectorNotCalled, find: inState(console.NotConnected), after: ofConnectors, every: looking},
	{kind: console.UnexplainedChange, find: unexplained, done: lookedAtChanges, after: []string{"sync.applied", "change.explained", "reason.", "operation.", "connector.continued"}},
	{kind: console.RoleUnclear, step: accounts(roleUnknown), after: store.AccountEvents, done: lookedAtEvents},
	{kind: console.AccountSeveral, step: accounts(severalRoles), after: store.AccountEvents, done: lookedAtEvents},
	{kind: console.AutomationHalted, find: automations, after: []string{"automation."}},
	{kind: console.OperationByHand, find: byHand, after: []string{"operation."}},
	{kind: console.AccountExcluded, find: excluded, after: []string{"sync.applied", "operation."}},
	{kind: console.CourseLapsed, step: lapsed, after: []string{"requirement.changed"}},
	{kind: console.AccountOrphaned, step: accounts(orphaned), after: store.AccountEvents, people: true, done: lookedAtEvents},
	{kind: console.AccountWithout, step: accounts(serviceWithoutOwner), after: store.AccountEvents, people: true, done: lookedAtEvents},
	{kind: console.AccountUnmatched, step: accounts(unmatched), after: store.AccountEvents, people: true, done: lookedAtEvents},
	{kind: console.IncompatibleAccess, find: incompatible, after: append([]string{"incompatible."}, store.AccountEvents...), people: true},
	{kind: console.AppWithoutOwner, find: withoutOwner, after: []string{"app."}, people: true},
	{kind: console.SeatsExceeded, find: seatsExceeded, after: ofSeats},
	{kind: console.SeatsNear, find: seatsNear, after: ofSeats},
	{kind: console.SeatsRenewal, find: renewalNear, after: []string{"app.seats-changed"}, every: time.Hour},
	{kind: console.CredentialEnds, find: endingCredentials, after: []string{"credential.", "connector."}, every: time.Hour},
}

// looking is how often the states of connectors are looked at, because a connector that stops
// asking for work makes no event.
const looking = time.Minute

var ofConnectors = []string{"connector.", "sync.", "credential.", "host."}

// The events after which the use of seats may be different.
var ofSeats = []string{"app.seats-changed", "sync.applied", "operation.", "connector.continued"}

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
	kind  kind
	app   console.App
	now   time.Time
	known map[string]console.Finding // those whose cause was there before; for find
	next  time.Time                  // when the next acceptance or snooze is over
	over  bool                       // one of them is
	// touched says which accounts may have changed since the last look. It is read in the transaction
	// of the first part.
	touched *store.Touched
	// seen is up to which sync of each stream changes were looked at.
	seen map[console.Stream]console.SyncNumber
	// moved means that there is something to record about what was looked at.
	moved bool
	told  bool // the owners were told of some that appeared
}

// place is where a part begins.
type place struct {
	requirement int // position in the list of requirements
	account     console.ResourceKey
}

// part is a part of the causes that are there, and of the findings whose cause was there before.
type part struct {
	causes []store.FindingCause
	known  map[string]console.Finding
}

// The limits of the findings that are written in one transaction, and of the accounts that are
// examined for one part.
const (
	atOnce   = 1000
	examined = 4000
)

// Update brings the findings of a kind of an app up to date. next is when it must be called again
// although nothing happens; zero: never.
func Update(ctx context.Context, s *store.Store, by console.By, app console.ID, which console.FindingKind) (next time.Time, err error) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.kind == which })
	if i < 0 {
		return time.Time{}, nil // of a newer version, or of an older one
	}
	l := &look{kind: kinds[i], now: by.At}
	changed := false
	for at := (&place{}); at != nil; {
		var p part
		var following *place
		err = s.View(ctx, func(tx *store.Tx) (err error) {
			l.tx = tx
			p, following, err = l.part(app, *at)
			return err
		})
		if err != nil {
			return time.Time{}, err
		}
		at = following
		plan := compare(p.causes, p.known)
		if plan.empty() {
			continue
		}
		changed = true
		if err := l.write(ctx, s, by, app, plan, at != nil); err != nil {
			return time.Time{}, err
		}
	}
	if !changed && !l.moved && !l.over {
		return l.kind.again(l.next, by.At), nil
	}
	err = s.Update(ctx, by, func(tx *store.Tx) (err error) {
		if l.kind.done != nil && l.app.ID != "" {
			if err := l.kind.done(tx, l); err != nil {
				return err
			}
		}
		next, err = tx.ReturnFindings(app, l.kind.kind)
		return err
	})
	return l.kind.again(next, by.At), err
}

// part returns the part of the causes and of the known findings that begins at a place.
func (l *look) part(app console.ID, at place) (p part, next *place, err error) {
	if l.app, err = l.tx.App(app); err != nil {
		return p, nil, err
	}
	if l.next, err = l.tx.NextReturn(app, l.kind.kind); err != nil {
		return p, nil, err
	}
	l.over = !l.next.IsZero() && !l.next.After(l.now)
	if !l.app.Removed.IsZero() { // nobody has to act on a removed app
		return l.rest(at, nil)
	}
	if l.kind.step != nil {
		return l.kind.step(l, at)
	}
	l.seen, l.moved = map[console.Stream]console.SyncNumber{}, false
	if p.known, err = l.tx.CurrentFindings(app, l.kind.kind); err != nil {
		return p, nil, err
	}
	l.known = p.known
	p.causes, err = l.kind.find(l)
	return p, nil, err
}

// rest returns known findings that are about access to none of the entitlements, and no cause of them.
func (l *look) rest(at place, entitlements []console.EntitlementKey) (p part, next *place, err error) {
	p.known, err = l.tx.FindingsElsewhere(l.app.ID, l.kind.kind, entitlements, examined)
	if len(p.known) == examined {
		next = &at
	}
	return p, next, err
}

// write writes what changed in a part. The owners are told once in a look. more means that further
// parts follow.
func (l *look) write(ctx context.Context, s *store.Store, by console.By, app console.ID, p plan, more bool) error {
	rule, _ := l.kind.kind.Rule()
	for i := 0; i < len(p.appeared); i += atOnce {
		end := min(i+atOnce, len(p.appeared))
		told := 0
		err := s.Update(ctx, by, func(tx *store.Tx) (err error) {
			told, err = tx.AppearFindings(app, rule, p.appeared[i:end], store.FindingBatch{Further: l.told, More: more || end < len(p.appeared)})
			return err
		})
		if err != nil {
			return err
		}
		l.told = l.told || told > 0
	}
	for part := range slices.Chunk(p.gone, atOnce) {
		if err := s.Update(ctx, by, func(tx *store.Tx) error { return tx.ResolveFindings(app, rule, part) }); err != nil {
			return err
		}
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(p.changed)), atOnce) {
		err := s.Update(ctx, by, func(tx *store.Tx) error {
			for _, id := range ids {
				if err := tx.SetFindingAbout(id, p.changed[id]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
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
