package govern

import (
	"bytes"
	"context"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// AppSummary is an app in a list.
type AppSummary struct {
	App        console.App
	Owners     []console.Person
	Connectors []console.Connector
	Counts     console.Counts // of the syncs that count now, over all connectors
	Data       time.Time      // when the oldest of these began; zero before the first
}

// Apps returns up to n managed apps that the caller sees, in the order of their names, and
// whether there are more.
func (c *Console) Apps(ctx context.Context, caller Caller, after store.NameAfter, n int) (apps []AppSummary, more bool, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		for {
			page, err := tx.ManagedApps(after, store.PageSize)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, a := range page {
				after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
				if !console.SeeAccessCounts.Of(me, console.Object{App: &a}) {
					continue
				}
				if more = len(apps) == n; more {
					return nil
				}
				s, err := summarize(tx, a)
				if err != nil {
					return err
				}
				apps = append(apps, s)
			}
		}
	})
	return apps, more, err
}

func summarize(tx *store.Tx, a console.App) (s AppSummary, err error) {
	s.App = a
	if s.Owners, err = persons(tx, a.Owners); err != nil {
		return s, err
	}
	if s.Connectors, err = tx.Connectors(a.ID); err != nil {
		return s, err
	}
	for _, c := range s.Connectors {
		head, err := tx.HeadSync(c.Stream)
		if err != nil {
			return s, err
		}
		if head == nil {
			continue
		}
		s.Counts.Resources += head.Counts.Resources
		s.Counts.Accounts += head.Counts.Accounts
		s.Counts.Entitlements += head.Counts.Entitlements
		s.Counts.Facts += head.Counts.Facts
		s.Counts.Dangling += head.Counts.Dangling
		if s.Data.IsZero() || head.Began.Before(s.Data) {
			s.Data = head.Began
		}
	}
	return s, nil
}

func persons(tx *store.Tx, ids []console.ID) ([]console.Person, error) {
	var all []console.Person
	for _, id := range ids {
		p, err := tx.Person(id)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// App returns an app that the caller sees.
func (c *Console) App(ctx context.Context, caller Caller, id console.ID) (s AppSummary, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, id, console.SeeAccessCounts)
		if err != nil {
			return err
		}
		s, err = summarize(tx, a)
		return err
	})
	return s, err
}

// seeApp returns an app if the person may see it, and refuses if the person has no right
// to what is asked for there.
func seeApp(tx *store.Tx, me console.Person, id console.ID, right console.Right) (console.App, error) {
	a, err := tx.App(id)
	if err != nil {
		return a, err
	}
	o := console.Object{App: &a}
	if err := console.SeeAccessCounts.Check(me, o); err != nil {
		return a, hidden("app", err)
	}
	return a, right.Check(me, o)
}

// AccountRow is an account in a list.
type AccountRow struct {
	store.Resource
	Owner console.Person // zero when it is matched to nobody
	Role  console.EffectiveRole
}

// AccountFilter selects accounts. The zero value selects all.
type AccountFilter string

// The filters of accounts.
const (
	AllAccounts      AccountFilter = ""
	WithoutOwner     AccountFilter = "without-owner" // a person's account that is matched to nobody
	OrphanedAccounts AccountFilter = "orphaned"      // enabled, and its person is disabled or gone
	DisabledWith     AccountFilter = "disabled"      // disabled, and still holds something
	ServiceAccounts  AccountFilter = "service"       // service and system accounts
	RoleUnknown      AccountFilter = "role-unknown"  // holds several roles, and nobody said which counts
)

// AccountFilters lists the filters of accounts.
func AccountFilters() []AccountFilter {
	return []AccountFilter{AllAccounts, WithoutOwner, OrphanedAccounts, DisabledWith, ServiceAccounts, RoleUnknown}
}

// AccountQuery asks for accounts of an app.
type AccountQuery struct {
	App    console.ID
	Filter AccountFilter
	Search string // the beginning of a name, or a whole login or e-mail address
	After  store.ResourceAfter
	N      int
}

// AccountPage is a part of a list of accounts. Next is where the list goes on; nil at its
// end.
type AccountPage struct {
	Rows []AccountRow
	Next *store.ResourceAfter
	// Looked is how many accounts were looked at for this page.
	Looked int
}

// maxLooked limits the accounts that are looked at for one page of a filtered list. A page
// that ends there has a Next, and may be short.
const maxLooked = 5000

// Accounts returns a page of an app's accounts.
func (c *Console) Accounts(ctx context.Context, caller Caller, q AccountQuery) (p AccountPage, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		p = AccountPage{}
		a, err := seeApp(tx, me, q.App, console.SeeAccess)
		if err != nil {
			return err
		}
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		if q.Search != "" && q.After.Sort == nil {
			if err := p.addExact(tx, m, a, q); err != nil {
				return err
			}
		}
		return p.walk(tx, m, a, q)
	})
	return p, err
}

// addExact adds the accounts whose login or e-mail address is what is searched for.
func (p *AccountPage) addExact(tx *store.Tx, m store.Moment, a console.App, q AccountQuery) error {
	seen := map[console.ResourceKey]bool{}
	for _, find := range []func(store.Moment, string) ([]store.Resource, error){tx.AccountsByLogin, tx.AccountsByEmail} {
		found, err := find(m, q.Search)
		if err != nil {
			return err
		}
		for _, r := range found {
			// One whose name begins so, too, comes with the names.
			if seen[r.Key] || bytes.HasPrefix(r.After().Sort, console.SortKey(q.Search)) {
				continue
			}
			seen[r.Key] = true
			if err := p.add(tx, m, a, q.Filter, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk adds accounts in the order of their names.
func (p *AccountPage) walk(tx *store.Tx, m store.Moment, a console.App, q AccountQuery) error {
	after := q.After
	prefix := console.SortKey(q.Search)
	if after.Sort == nil && len(prefix) > 0 {
		after.Sort = prefix // keys are numbered from 1: names that are the prefix come after it
	}
	for {
		page, err := tx.Accounts(m, after, min(store.PageSize, max(q.N-len(p.Rows), 1)+1))
		if err != nil {
			return err
		}
		for _, r := range page {
			switch {
			case !bytes.HasPrefix(r.After().Sort, prefix):
				return nil
			case len(p.Rows) >= q.N || p.Looked >= maxLooked:
				p.Next = &after
				return nil
			}
			if err := p.add(tx, m, a, q.Filter, r); err != nil {
				return err
			}
			after = r.After()
		}
		if len(page) == 0 {
			return nil
		}
	}
}

// add adds an account if the filter selects it.
func (p *AccountPage) add(tx *store.Tx, m store.Moment, a console.App, filter AccountFilter, r store.Resource) error {
	p.Looked++
	row, err := accountRow(tx, m, a, r)
	if err != nil {
		return err
	}
	selected := true
	switch enabled := console.HasAccount(true, r.Status); filter {
	case WithoutOwner:
		selected = r.Account.Kind.Human() && row.Owner.ID == ""
	case OrphanedAccounts:
		selected = enabled && row.Owner.ID != "" && row.Owner.Status != console.PersonActive
	case DisabledWith:
		if selected = !enabled; selected {
			held, err := tx.HeldBy(m, r.Key, 0, 1)
			if err != nil {
				return err
			}
			selected = len(held) > 0
		}
	case ServiceAccounts:
		selected = !r.Account.Kind.Human()
	case RoleUnknown:
		selected = row.RoleUnknown()
	}
	if selected {
		p.Rows = append(p.Rows, row)
	}
	return nil
}

// RoleUnknown reports whether an account holds several roles of which nobody said which
// counts.
func (r AccountRow) RoleUnknown() bool {
	return r.Role.Risk != nil && r.Role.Floor != nil && r.Role.Risk != r.Role.Floor
}

func accountRow(tx *store.Tx, m store.Moment, a console.App, r store.Resource) (row AccountRow, err error) {
	row.Resource = r
	owner, err := tx.AccountOwner(r.Key, time.Time{})
	if err != nil {
		return row, err
	}
	if owner.Person != "" {
		if row.Owner, err = tx.Person(owner.Person); err != nil {
			return row, err
		}
	}
	var held []console.EntitlementKey
	for _, e := range a.Roles.Entitlements() {
		f, err := tx.Fact(m, e, r.Key)
		if err != nil {
			return row, err
		}
		if f != nil {
			held = append(held, e)
		}
	}
	row.Role = a.Roles.Effective(held)
	return row, nil
}

// EntitlementRow is an entitlement in a list.
type EntitlementRow struct {
	store.Entitlement
	Resource store.Resource   // what it is held on
	Holders  int              // up to [MaxCounted]
	Role     *console.AppRole // the role it gives; nil if none
}

// MaxCounted is how far holders are counted in lists.
const MaxCounted = 100_000

// Entitlements returns up to n entitlements of an app, in the order of their names, and
// where the list goes on; nil at its end.
func (c *Console) Entitlements(ctx context.Context, caller Caller, app console.ID, after store.EntitlementAfter, n int) (rows []EntitlementRow, next *store.EntitlementAfter, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		rows, next = nil, nil
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		page, err := tx.Entitlements(m, after, n+1)
		if err != nil {
			return err
		}
		for i, e := range page {
			if i == n {
				last := page[i-1].After()
				next = &last
				break
			}
			row, err := entitlementRow(tx, m, a, e)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, next, err
}

func entitlementRow(tx *store.Tx, m store.Moment, a console.App, e store.Entitlement) (row EntitlementRow, err error) {
	row.Entitlement = e
	if row.Resource, err = tx.Resource(m, e.Entitlement.Resource); err != nil && baton.KindOf(err) != baton.NotFound {
		return row, err
	}
	row.Role = roleOf(a.Roles, e.Key)
	row.Holders, err = tx.CountHolders(m, e.Key, MaxCounted)
	return row, err
}

// roleOf returns the role that an entitlement gives, or nil.
func roleOf(m console.RoleMap, key console.EntitlementKey) *console.AppRole {
	for i, r := range m.Roles {
		for _, e := range r.Entitlements {
			if e == key {
				return &m.Roles[i]
			}
		}
	}
	return nil
}
