package findings

import (
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// accounts returns a cause for each account that a filter selects. Disabled accounts need nobody.
func (l *look) accounts(f store.AccountFilter) (causes []store.FindingCause, err error) {
	f.Enabled, f.Roles = true, l.app.Roles
	m, err := l.tx.Moment(l.app.ID, time.Time{})
	if err != nil {
		return nil, err
	}
	for after := (store.ResourceAfter{}); ; {
		page, err := l.tx.FilterAccounts(m, f, after, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Rows {
			causes = append(causes, store.FindingCause{Subject: strconv.FormatInt(int64(r.Key), 10), FindingAbout: console.FindingAbout{Account: r.Key}})
		}
		if page.Next == nil {
			return causes, nil
		}
		after = *page.Next
	}
}

// unmatched finds accounts of people that belong to nobody: no person has one of their addresses, or
// several have.
func unmatched(l *look) ([]store.FindingCause, error) {
	return l.accounts(store.AccountFilter{Unowned: true})
}

// serviceWithoutOwner finds accounts of services for which nobody is responsible.
func serviceWithoutOwner(l *look) ([]store.FindingCause, error) {
	return l.accounts(store.AccountFilter{Unowned: true, Kinds: []console.AccountKind{console.AccountService, console.AccountSystem}})
}

// orphaned finds accounts whose owner is disabled or gone.
func orphaned(l *look) ([]store.FindingCause, error) {
	return l.accounts(store.AccountFilter{Orphaned: true})
}

// roleUnknown finds accounts with several roles of an app without a priority.
func roleUnknown(l *look) ([]store.FindingCause, error) {
	if l.app.Roles.Priority != console.PriorityUnknown {
		return nil, nil
	}
	return l.several()
}

// severalRoles finds accounts with several roles of an app with a priority.
func severalRoles(l *look) ([]store.FindingCause, error) {
	if l.app.Roles.Priority == console.PriorityUnknown {
		return nil, nil
	}
	return l.several()
}

func (l *look) several() ([]store.FindingCause, error) {
	if len(l.app.Roles.Roles) < 2 {
		return nil, nil
	}
	var f store.AccountFilter
	for _, r := range l.app.Roles.Roles {
		f.Several = append(f.Several, r.Entitlements)
	}
	return l.accounts(f)
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
