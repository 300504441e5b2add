package findings

import (
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// accounts returns the step for the accounts that a filter selects. Disabled accounts need nobody. It
// examines the accounts that events may have changed since the last look, and all if they are many.
func accounts(filter func(console.App) *store.AccountFilter) func(*look, place) (part, *place, error) {
	return func(l *look, at place) (p part, next *place, err error) {
		if at.account == 0 {
			if l.touched, err = l.touchedAccounts(); err != nil {
				return p, nil, err
			}
			l.moved = l.touched.All || len(l.touched.Accounts) > 0
		}
		if !l.moved {
			return p, nil, nil
		}
		f := filter(l.app)
		if f == nil { // such accounts cannot be
			return l.rest(at, nil)
		}
		m, err := l.tx.Moment(l.app.ID, time.Time{})
		if err != nil {
			return p, nil, err
		}
		keys, more, err := l.accountsAfter(m, at.account)
		if err != nil {
			return p, nil, err
		}
		if more {
			next = &place{account: keys.Last}
		}
		known, err := l.tx.FindingsOfAccounts(l.app.ID, l.kind.kind, keys)
		if err != nil {
			return p, nil, err
		}
		p.known = make(map[string]console.Finding, len(known))
		for _, f := range known {
			p.known[subjectOf(f.Account)] = f
		}
		f.Enabled, f.Roles = true, l.app.Roles
		found, err := l.tx.MatchingAccounts(m, *f, keys)
		for _, key := range found {
			p.causes = append(p.causes, store.FindingCause{Subject: subjectOf(key), FindingAbout: console.FindingAbout{Account: key}})
		}
		return p, next, err
	}
}

func subjectOf(account console.ResourceKey) string { return strconv.FormatInt(int64(account), 10) }

// maxTouched limits the accounts that are listed as changed. With more, all are examined.
const maxTouched = 2000

func (l *look) touchedAccounts() (*store.Touched, error) {
	after, err := l.tx.LookedAt(l.app.ID, l.kind.kind)
	if err != nil {
		return nil, err
	}
	touched, err := l.tx.TouchedAccounts(l.app.ID, after, maxTouched)
	return &touched, err
}

// accountsAfter returns the next accounts to examine.
func (l *look) accountsAfter(m store.Moment, after console.ResourceKey) (keys store.KeyRange, more bool, err error) {
	if l.touched.All {
		return l.tx.NextAccounts(m, after, examined)
	}
	return store.KeyRange{Only: l.touched.Accounts}, false, nil
}

// lookedAtEvents records up to which event the accounts were looked at.
func lookedAtEvents(tx *store.Tx, l *look) error {
	if l.touched == nil || !l.moved {
		return nil
	}
	return tx.SetLookedAt(l.app.ID, l.kind.kind, l.touched.Event)
}

// unmatched selects accounts of people that belong to nobody: no person has one of their addresses, or
// several have.
func unmatched(console.App) *store.AccountFilter { return &store.AccountFilter{Unowned: true} }

// serviceWithoutOwner selects accounts of services for which nobody is responsible.
func serviceWithoutOwner(console.App) *store.AccountFilter {
	return &store.AccountFilter{Unowned: true, Kinds: []console.AccountKind{console.AccountService, console.AccountSystem}}
}

// orphaned selects accounts whose owner is disabled or gone.
func orphaned(console.App) *store.AccountFilter { return &store.AccountFilter{Orphaned: true} }

// roleUnknown selects accounts with several roles of an app without a priority.
func roleUnknown(a console.App) *store.AccountFilter {
	if a.Roles.Priority != console.PriorityUnknown {
		return nil
	}
	return several(a)
}

// severalRoles selects accounts with several roles of an app with a priority.
func severalRoles(a console.App) *store.AccountFilter {
	if a.Roles.Priority == console.PriorityUnknown {
		return nil
	}
	return several(a)
}

func several(a console.App) *store.AccountFilter {
	if len(a.Roles.Roles) < 2 {
		return nil
	}
	var f store.AccountFilter
	for _, r := range a.Roles.Roles {
		f.Several = append(f.Several, r.Entitlements)
	}
	return &f
}

// adminsBelow finds an app with fewer administrators than its minimum.
func adminsBelow(l *look) ([]store.FindingCause, error) {
	return l.admins(func(count, minimum int) bool { return count < minimum })
}

// adminsNear finds an app none of whose administrators can be removed.
func adminsNear(l *look) ([]store.FindingCause, error) {
	return l.admins(func(count, minimum int) bool { return count == minimum })
}

func (l *look) admins(needs func(count, minimum int) bool) ([]store.FindingCause, error) {
	if l.app.MinimumAdmins == 0 || len(l.app.Roles.AdminEntitlements()) == 0 {
		return nil, nil
	}
	m, err := l.tx.Moment(l.app.ID, time.Time{})
	if err != nil {
		return nil, err
	}
	shown := false
	for _, s := range m.Streams {
		shown = shown || s.Sync != 0
	}
	admins, err := l.tx.Admins(l.app.ID)
	if err != nil || !shown || !needs(admins.Count(), admins.Minimum) { // without a sync, nothing is known
		return nil, err
	}
	return []store.FindingCause{{Subject: "minimum", FindingAbout: console.FindingAbout{
		Detail: map[string]string{"admins": strconv.Itoa(admins.Count()), "minimum": strconv.Itoa(admins.Minimum)}}}}, nil
}

// withoutOwner finds an app none of whose owners is active.
func withoutOwner(l *look) ([]store.FindingCause, error) {
	for _, id := range l.app.Owners {
		p, err := l.tx.Person(id)
		if err == nil && p.MergedInto != "" {
			p, err = l.tx.Person(p.MergedInto)
		}
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return nil, err
		}
		if err == nil && p.Status == console.PersonActive {
			return nil, nil
		}
	}
	return []store.FindingCause{{Subject: "owner"}}, nil
}

// excluded finds accounts that a task created and that two full syncs do not show.
func excluded(l *look) (causes []store.FindingCause, err error) {
	all, err := l.tx.UnshownAccounts(l.app.ID)
	for _, o := range all {
		causes = append(causes, store.FindingCause{Subject: string(o.ID), FindingAbout: console.FindingAbout{Connector: o.Connector, Object: string(o.ID), Detail: map[string]string{"person": string(o.Person)}}})
	}
	return causes, err
}
