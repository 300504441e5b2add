package findings

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"baton/console"
	"baton/console/store"
)

// overdue finds access whose time is over.
func overdue(l *look) (causes []store.FindingCause, err error) {
	for after := (store.OverdueAfter{}); ; {
		page, err := l.tx.AllOverdue(l.app.ID, after, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			after = store.OverdueAfter{Since: o.Since, Account: o.Account, Entitlement: o.Entitlement}
			causes = append(causes, store.FindingCause{Subject: string(o.Reason), FindingAbout: console.FindingAbout{Connector: o.Connector, Account: o.Account, Entitlement: o.Entitlement,
				Detail: map[string]string{"why": o.Why}}})
		}
		if len(page) < store.PageSize {
			return causes, nil
		}
	}
}

// cameBack finds access that the console had removed and that a sync shows again.
func cameBack(l *look) (causes []store.FindingCause, err error) {
	m, err := l.tx.Moment(l.app.ID, time.Time{})
	if err != nil {
		return nil, err
	}
	removed, err := l.tx.RemovedAndHeld(m, l.app.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range removed {
		a, err := l.tx.Access(l.app.ID, r.Account, r.Entitlement, l.now)
		if err != nil {
			return nil, err
		}
		if a.State(l.now) != console.StateCameBack {
			continue
		}
		causes = append(causes, store.FindingCause{Subject: fmt.Sprintf("%s:%d", a.Removal.ID, a.From),
			FindingAbout: console.FindingAbout{Connector: a.Removal.Connector, Account: r.Account, Entitlement: r.Entitlement, Object: string(a.Removal.ID)}})
	}
	return causes, nil
}

// byHand finds changes that a person has to make.
func byHand(l *look) (causes []store.FindingCause, err error) {
	for before := (store.OperationBefore{}); ; {
		page, err := l.tx.OperationsOf(store.OperationFilter{App: l.app.ID, States: []console.OperationState{console.Manual}}, before, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			before = store.OperationBefore{Created: o.Created, ID: o.ID}
			causes = append(causes, store.FindingCause{Subject: string(o.ID), FindingAbout: console.FindingAbout{Connector: o.Connector, Account: o.Account, Entitlement: o.Entitlement, Object: string(o.ID),
				Detail: map[string]string{"verb": string(o.Verb), "person": string(o.Person)}}})
		}
		if len(page) < store.PageSize {
			return causes, nil
		}
	}
}

// lapsed finds holders of entitlements who lack what its requirement asks for: those of one
// requirement after the other, in the order of their accounts, and at last the findings of what is
// not required any more.
func lapsed(l *look, at place) (p part, next *place, err error) {
	all, err := l.tx.ActiveRequirements(l.app.ID)
	if err != nil {
		return p, nil, err
	}
	if at.requirement >= len(all) {
		var entitlements []console.EntitlementKey
		for _, r := range all {
			entitlements = append(entitlements, r.Entitlement)
		}
		return l.rest(at, entitlements)
	}
	r := all[at.requirement]
	page, err := l.tx.RequirementLacks(l.app.ID, r.Entitlement, at.account, store.PageSize)
	if err != nil {
		return p, nil, err
	}
	next = &place{requirement: at.requirement + 1}
	keys := store.Accounts(at.account)
	if len(page) == store.PageSize {
		keys.Last = page[len(page)-1].Account
		next = &place{requirement: at.requirement, account: keys.Last}
	}
	for _, lack := range page {
		if lack.State.Lacks() {
			p.causes = append(p.causes, store.FindingCause{Subject: fmt.Sprintf("%d:%d", r.Entitlement, lack.Account),
				FindingAbout: console.FindingAbout{Account: lack.Account, Entitlement: r.Entitlement, Detail: map[string]string{"why": lack.Why}}})
		}
	}
	p.known, err = l.tx.FindingsAbout(l.app.ID, l.kind.kind, r.Entitlement, keys)
	return p, next, err
}

// recent is how far back unexplained changes are looked for when findings are made for the first
// time.
const recent = 30 * 24 * time.Hour

// unexplained finds changes that nobody asked for here. A change that was reverted is none.
func unexplained(l *look) (causes []store.FindingCause, err error) {
	connectors, err := l.tx.Connectors(l.app.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range connectors {
		if err := l.unexplained(c, &causes); err != nil {
			return nil, err
		}
	}
	return causes, nil
}

func (l *look) unexplained(c console.Connector, causes *[]store.FindingCause) error {
	head, err := l.tx.StreamAt(c.Stream, time.Time{})
	if err != nil || head.Sync == 0 {
		return err
	}
	seen, err := l.tx.SeenChanges(c.Stream)
	if err != nil {
		return err
	}
	l.seen[c.Stream], l.moved = head.Sync, l.moved || seen != head.Sync
	if seen == 0 {
		then, err := l.tx.StreamAt(c.Stream, l.now.Add(-recent))
		if err != nil {
			return err
		}
		if seen = then.Sync; seen == 0 {
			if seen, err = l.tx.FirstSync(c.Stream); err != nil {
				return err
			}
		}
	}
	changed, err := l.tx.ChangedObjects(c.Stream, seen, head.Sync)
	if err != nil {
		return err
	}
	// What a finding is about already is compared with the sync before its first change.
	type candidate struct {
		key     store.ChangeKey
		from    console.SyncNumber
		subject string
	}
	var all []candidate
	for _, f := range l.known {
		var o store.ChangedObject
		var from console.SyncNumber
		if _, err := fmt.Sscanf(f.Subject, "%d:%d:%d:%d:%d", &o.Stream, &o.Kind, &o.Entitlement, &o.Principal, &from); err != nil || o.Stream != c.Stream {
			continue
		}
		sync, again := changed[o]
		if !again {
			n, err := strconv.ParseInt(f.Detail["sync"], 10, 64)
			if err != nil {
				continue
			}
			sync = console.SyncNumber(n)
		}
		delete(changed, o)
		all = append(all, candidate{store.ChangeKey{Sync: sync, Kind: o.Kind, Entitlement: o.Entitlement, Principal: o.Principal}, from, f.Subject})
	}
	for o, sync := range changed {
		all = append(all, candidate{store.ChangeKey{Sync: sync, Kind: o.Kind, Entitlement: o.Entitlement, Principal: o.Principal}, seen,
			fmt.Sprintf("%d:%d:%d:%d:%d", o.Stream, o.Kind, o.Entitlement, o.Principal, seen)})
	}
	var numbers []console.SyncNumber
	for _, a := range all {
		numbers = append(numbers, a.from)
	}
	slices.Sort(numbers)
	syncs, err := l.tx.SyncsByNumber(slices.Compact(numbers))
	if err != nil {
		return err
	}
	var keys []store.ChangeKey
	var ranges []store.StreamRange
	subjects := map[store.ChangeKey]string{}
	for _, a := range all {
		keys, subjects[a.key] = append(keys, a.key), a.subject
		ranges = append(ranges, store.StreamRange{Stream: c.Stream, Connector: c.ID, App: l.app.ID, From: a.from, To: head.Sync, Began: syncs[a.from].Began})
	}
	for i := 0; i < len(keys); i += atOnce {
		end := min(i+atOnce, len(keys))
		lines, why, err := l.tx.ChangesIn(keys[i:end], ranges[i:end])
		if err != nil {
			return err
		}
		for j, line := range lines {
			if why[j].Kind != console.Unexplained || why[j].CameBack && line.Kind == store.ChangedFact { // that is a finding of its own
				continue
			}
			*causes = append(*causes, store.FindingCause{Subject: subjects[line.ChangeKey], FindingAbout: console.FindingAbout{Connector: c.ID, Account: line.Principal, Entitlement: line.ChangeKey.Entitlement,
				Detail: map[string]string{"verb": string(why[j].Verb), "from": strconv.FormatInt(int64(line.From), 10), "sync": strconv.FormatInt(int64(line.ChangeKey.Sync), 10)}}})
		}
	}
	return nil
}

// lookedAtChanges records up to which syncs unexplained looked.
func lookedAtChanges(tx *store.Tx, l *look) error {
	for stream, n := range l.seen {
		if err := tx.SetSeenChanges(stream, n); err != nil {
			return err
		}
	}
	return nil
}

// incompatible finds accounts of people who hold two entitlements that are declared incompatible.
func incompatible(l *look) (causes []store.FindingCause, err error) {
	pairs, err := l.tx.IncompatiblePairs()
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		if p.App != l.app.ID && p.OtherApp != l.app.ID {
			continue
		}
		holders, err := l.tx.IncompatibleHolders(p)
		if err != nil {
			return nil, err
		}
		for _, side := range []struct {
			app   console.ID
			e     console.EntitlementKey
			other string
		}{{p.App, p.Entitlement, p.OtherName}, {p.OtherApp, p.OtherEntitlement, p.Name}} {
			if side.app != l.app.ID || len(holders) == 0 || side.e == p.OtherEntitlement && p.App == p.OtherApp {
				continue // in one app, one finding is enough
			}
			accounts, err := l.tx.HoldersOwned(side.e)
			if err != nil {
				return nil, err
			}
			for account, person := range accounts {
				if holders[person] {
					causes = append(causes, store.FindingCause{Subject: fmt.Sprintf("%s:%d", p.ID, account), FindingAbout: console.FindingAbout{Account: account, Entitlement: side.e, Object: string(p.ID),
						Detail: map[string]string{"other": side.other, "why": p.Why}}})
				}
			}
		}
	}
	return causes, nil
}
