package govern

import (
	"context"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Grant is an entitlement that an account of a person holds.
type Grant struct {
	App         console.App
	Account     store.Resource
	Entitlement store.Entitlement
	Since       time.Time // when the first sync that showed it began
	Until       time.Time // when it expires; zero: never
}

// maxGrants limits the grants of one person that are read in one app.
const maxGrants = 10_000

// looking is the permit for what people must see to request access.
var looking = permit{scopes: []console.Scope{console.ScopeRead, console.ScopeAsk, console.ScopeConfigure}}

// Everybody may see their own accounts and what these hold.
func aboutPerson(caller Caller, person, app console.ID) permit {
	if person == caller.Person.ID {
		return own
	}
	return looking.in(app)
}

// Grants returns what the accounts of a person in an app hold of one entitlement.
func (c *Console) Grants(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey, person console.ID) (grants []Grant, err error) {
	err = c.read(ctx, caller, aboutPerson(caller, person, app), func(tx *store.Tx, me console.Person) error {
		accounts, a, m, err := c.accountsIn(tx, me, app, person)
		if err != nil {
			return err
		}
		entitlement, err := tx.Entitlement(m, e)
		if err != nil {
			return err
		}
		grants, err = c.grants(tx, a, m, accounts, &entitlement)
		return err
	})
	return grants, err
}

// PersonAccounts returns the accounts of a person in an app.
func (c *Console) PersonAccounts(ctx context.Context, caller Caller, app, person console.ID) (accounts []store.Resource, err error) {
	err = c.read(ctx, caller, aboutPerson(caller, person, app), func(tx *store.Tx, me console.Person) error {
		accounts, _, _, err = c.accountsIn(tx, me, app, person)
		return err
	})
	return accounts, err
}

// accountsIn returns the current accounts of a person in an app, if the caller may see them.
func (c *Console) accountsIn(tx *store.Tx, me console.Person, app, person console.ID) (found []store.Resource, a console.App, m store.Moment, err error) {
	_, all, err := c.seePerson(tx, me, person)
	if err != nil {
		return nil, a, m, err
	}
	if a, err = tx.App(app); err != nil {
		return nil, a, m, err
	}
	if m, err = tx.Moment(app, time.Time{}); err != nil {
		return nil, a, m, err
	}
	for _, one := range all {
		if one.app.ID != app {
			continue
		}
		r, err := tx.Account(m, one.key)
		if baton.KindOf(err) == baton.NotFound {
			continue // not in the newest sync
		}
		if err != nil {
			return nil, a, m, err
		}
		found = append(found, r)
	}
	return found, a, m, nil
}

// grants returns what accounts hold: of the entitlement only, or everything if it is nil.
func (c *Console) grants(tx *store.Tx, a console.App, m store.Moment, accounts []store.Resource, only *store.Entitlement) (grants []Grant, err error) {
	f := newFiller(tx, a, m, c.now())
	add := func(account store.Resource, e store.Entitlement) error {
		h := Holding{Account: account, Entitlement: e}
		if err := f.fill(&h); err != nil {
			return err
		}
		grants = append(grants, Grant{App: a, Account: account, Entitlement: e, Since: h.Since, Until: h.Until})
		return nil
	}
	for _, account := range accounts {
		if only != nil {
			fact, err := tx.Fact(m, only.Key, account.Key)
			if err == nil && fact != nil {
				err = add(account, *only)
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		for after := console.EntitlementKey(0); len(grants) < maxGrants; {
			facts, err := tx.HeldBy(m, account.Key, after, store.PageSize)
			if err != nil {
				return nil, err
			}
			for _, fact := range facts {
				after = fact.Entitlement
				e, err := tx.Entitlement(m, fact.Entitlement)
				if err == nil {
					err = add(account, e)
				}
				if err != nil && baton.KindOf(err) != baton.NotFound {
					return nil, err
				}
			}
			if len(facts) < store.PageSize {
				break
			}
		}
	}
	return grants, nil
}

// SeenApp returns an app that the caller may see or has an account in. In the second case it only
// has a name.
func (c *Console) SeenApp(ctx context.Context, caller Caller, id console.ID) (s AppSummary, err error) {
	err = c.read(ctx, caller, looking.in(id), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, id, console.SeeAccessCounts)
		if err == nil {
			s, err = c.summarize(tx, a)
			return err
		}
		accounts, _, _, failed := c.accountsIn(tx, me, id, me.ID)
		if failed != nil || len(accounts) == 0 {
			return err
		}
		s = AppSummary{App: console.App{ID: a.ID, Name: a.Name}}
		return nil
	})
	return s, err
}

// SeenEntitlement returns an entitlement that the caller may see or holds. In the second case the
// number of holders is unknown.
func (c *Console) SeenEntitlement(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey) (row EntitlementRow, err error) {
	err = c.read(ctx, caller, looking.in(app), func(tx *store.Tx, me console.Person) error {
		a, refused := seeApp(tx, me, app, console.SeeAccess)
		if refused != nil && a.ID == "" {
			return refused
		}
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		entitlement, err := tx.Entitlement(m, e)
		if err != nil {
			return err
		}
		if refused == nil {
			row, err = c.entitlementRow(tx, m, a, entitlement, MaxCounted)
			return err
		}
		accounts, _, _, err := c.accountsIn(tx, me, app, me.ID)
		if err != nil {
			return err
		}
		held, err := c.grants(tx, a, m, accounts, &entitlement)
		if err != nil {
			return err
		}
		if len(held) == 0 {
			return refused
		}
		row, err = heldRow(tx, m, entitlement)
		return err
	})
	return row, err
}

// heldRow is an entitlement as displayed to somebody who only holds it.
func heldRow(tx *store.Tx, m store.Moment, e store.Entitlement) (row EntitlementRow, err error) {
	row.Entitlement = e
	if row.Resource, err = tx.Resource(m, e.Entitlement.Resource); baton.KindOf(err) == baton.NotFound {
		err = nil
	}
	return row, err
}

// SeenQuery selects entitlements in all apps.
type SeenQuery struct {
	App    console.ID // "" for all
	Name   string     // exact name of the apps; "" for all
	Search string     // words in the name
	After  SeenAfter
	N      int
}

// SeenAfter is a place in a list of entitlements in all apps. The zero value is the beginning.
type SeenAfter struct {
	App         store.NameAfter
	Current     console.ID // the app whose list was not finished
	Entitlement store.EntitlementAfter
}

// Seen is an entitlement in an app, with the caller's grants of it.
type Seen struct {
	EntitlementRow
	App  AppSummary
	Mine []Grant
}

// maxSeenApps limits the apps that are read for one page.
const maxSeenApps = 200

// SeenEntitlements returns up to q.N entitlements that the caller may see or holds, app by app, and
// where the next page begins; nil at the end.
func (c *Console) SeenEntitlements(ctx context.Context, caller Caller, q SeenQuery) (found []Seen, next *SeenAfter, err error) {
	permit := looking
	if q.App != "" {
		permit = permit.in(q.App)
	}
	err = c.read(ctx, caller, permit, func(tx *store.Tx, me console.Person) error {
		found, next = nil, nil
		after := q.After
		for looked := 0; ; looked++ {
			a, err := nextApp(tx, q, &after)
			if err != nil || a == nil {
				return err
			}
			if looked == maxSeenApps || len(found) >= q.N {
				next = &after
				return nil
			}
			rows, more, err := c.seenIn(tx, me, *a, q, after.Entitlement, q.N-len(found))
			if err != nil {
				return err
			}
			found = append(found, rows...)
			if more != nil {
				after.Entitlement = *more
				next = &after
				return nil
			}
			after = SeenAfter{App: store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}}
		}
	})
	return found, next, err
}

// nextApp returns the app at a place, or nil at the end. It becomes the current app of the place.
func nextApp(tx *store.Tx, q SeenQuery, after *SeenAfter) (*console.App, error) {
	if after.Current != "" {
		a, err := tx.App(after.Current)
		return &a, err
	}
	for {
		if q.App != "" {
			if after.App.ID != "" {
				return nil, nil
			}
			a, err := tx.App(q.App)
			after.Current = a.ID
			return &a, err
		}
		page, err := tx.Apps(after.App, 1)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		if q.Name == "" || page[0].Name == q.Name {
			after.Current = page[0].ID
			return &page[0], nil
		}
		after.App = store.NameAfter{Sort: console.SortKey(page[0].Name), ID: page[0].ID}
	}
}

// seenIn returns entitlements of one app, and where the next page begins.
func (c *Console) seenIn(tx *store.Tx, me console.Person, a console.App, q SeenQuery, after store.EntitlementAfter, n int) (found []Seen, more *store.EntitlementAfter, err error) {
	accounts, _, m, err := c.accountsIn(tx, me, a.ID, me.ID)
	if err != nil {
		return nil, nil, err
	}
	mine, err := c.grants(tx, a, m, accounts, nil)
	if err != nil {
		return nil, nil, err
	}
	o := console.Object{App: &a}
	if !console.SeeAccess.Of(me, o) {
		if after.Key != 0 {
			return nil, nil, nil
		}
		for _, g := range mine {
			if i := slices.IndexFunc(found, func(s Seen) bool { return s.Key == g.Entitlement.Key }); i >= 0 {
				found[i].Mine = append(found[i].Mine, g)
				continue
			}
			if !strings.Contains(strings.ToLower(g.Entitlement.Name), strings.ToLower(strings.TrimSpace(q.Search))) {
				continue
			}
			row, err := heldRow(tx, m, g.Entitlement)
			if err != nil {
				return nil, nil, err
			}
			found = append(found, Seen{EntitlementRow: row, App: AppSummary{App: console.App{ID: a.ID, Name: a.Name}}, Mine: []Grant{g}})
		}
		return found, nil, nil
	}
	s, err := c.summarize(tx, a)
	if err != nil {
		return nil, nil, err
	}
	page, err := tx.FilterEntitlements(m, store.EntitlementFilter{Words: q.Search}, after, n)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range page.Rows {
		row, err := c.entitlementRow(tx, m, a, e, MaxCounted)
		if err != nil {
			return nil, nil, err
		}
		one := Seen{EntitlementRow: row, App: s}
		for _, g := range mine {
			if g.Entitlement.Key == e.Key {
				one.Mine = append(one.Mine, g)
			}
		}
		found = append(found, one)
	}
	return found, page.Next, nil
}

// SeenApps returns up to n apps that the caller may see or has an account in, with or without
// connectors, ordered by name, and whether there are more. selected filters them; nil: all.
func (c *Console) SeenApps(ctx context.Context, caller Caller, after store.NameAfter, n int, selected func(console.App) bool) (apps []AppSummary, more bool, err error) {
	err = c.read(ctx, caller, looking, func(tx *store.Tx, me console.Person) error {
		apps, more = nil, false
		for {
			page, err := tx.Apps(after, store.PageSize)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, a := range page {
				after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
				if selected != nil && !selected(a) {
					continue
				}
				s := AppSummary{App: console.App{ID: a.ID, Name: a.Name}}
				if console.SeeAccessCounts.Of(me, console.Object{App: &a}) {
					if s, err = c.summarize(tx, a); err != nil {
						return err
					}
				} else {
					mine, _, _, err := c.accountsIn(tx, me, a.ID, me.ID)
					if err != nil {
						return err
					}
					if len(mine) == 0 {
						continue
					}
				}
				if more = len(apps) == n; more {
					return nil
				}
				apps = append(apps, s)
			}
		}
	})
	return apps, more, err
}
