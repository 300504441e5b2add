package govern

import (
	"context"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
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

// accountGrants returns the grants of [console.AccountItself] for enabled accounts.
func accountGrants(a console.App, accounts []store.Resource) (grants []Grant) {
	for _, account := range accounts {
		if console.HasAccount(true, account.Status) {
			grants = append(grants, Grant{App: a, Account: account, Entitlement: accountItself, Since: account.Created})
		}
	}
	return grants
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
		if e == console.AccountItself {
			grants = accountGrants(a, accounts)
			return nil
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

// OwnAccountsOnly reports whether the caller sees nothing of an app but their own accounts in it.
func (c *Console) OwnAccountsOnly(ctx context.Context, caller Caller, app console.ID) (own bool, err error) {
	err = c.read(ctx, caller, looking.in(app), func(tx *store.Tx, me console.Person) error {
		a, err := presentApp(tx, app)
		own = !console.SeeAccessCounts.Of(me, console.Object{App: &a})
		return err
	})
	return own, err
}

// accountsIn returns the current accounts of a person in an app, if the caller may see them.
func (c *Console) accountsIn(tx *store.Tx, me console.Person, app, person console.ID) (found []store.Resource, a console.App, m store.Moment, err error) {
	_, all, err := c.seePerson(tx, me, person)
	if err != nil {
		return nil, a, m, err
	}
	if a, err = presentApp(tx, app); err != nil {
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

// SeenApp returns an app that the caller sees, has an account in, or may ask for access to.
// Unless the caller sees it, it has nothing but its name.
func (c *Console) SeenApp(ctx context.Context, caller Caller, id console.ID) (s AppSummary, err error) {
	err = c.read(ctx, caller, looking.in(id), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, id, console.SeeAccessCounts)
		if err == nil {
			s, err = c.summarize(tx, a)
			return err
		}
		if a.ID == "" {
			return err
		}
		asks, failed := c.asksIn(tx, me, a)
		if failed != nil {
			return failed
		}
		if !asks {
			return err
		}
		s = AppSummary{App: console.App{ID: a.ID, Name: a.Name}}
		return nil
	})
	return s, err
}

// asksIn reports whether a person has an account in an app, or may request one of the app's first
// entitlements.
func (c *Console) asksIn(tx *store.Tx, me console.Person, a console.App) (bool, error) {
	p, err := c.perspective(tx, me, a)
	if err != nil || len(p.accounts) > 0 {
		return err == nil, err
	}
	found, more, err := c.seenIn(tx, me, a, SeenQuery{Requestable: true}, store.EntitlementAfter{}, 1)
	return len(found) > 0 || more != nil, err
}

// SeenEntitlement returns an entitlement that the caller sees, holds, or may ask for. Unless
// the caller sees it, it is not known how many hold it.
func (c *Console) SeenEntitlement(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey) (found Seen, err error) {
	err = c.read(ctx, caller, looking.in(app), func(tx *store.Tx, me console.Person) error {
		a, refused := seeApp(tx, me, app, console.SeeAccess)
		if refused != nil && a.ID == "" {
			return refused
		}
		p, err := c.perspective(tx, me, a)
		if err != nil {
			return err
		}
		var visible bool
		if found, visible, err = p.find(e); err == nil && !visible {
			return refused
		}
		return err
	})
	return found, err
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
	Search string     // words of the name
	Alias  string
	// Requestable includes entitlements that the caller may not see, but may request.
	Requestable bool
	// Held selects what the caller holds.
	Held  bool
	After SeenAfter
	N     int
}

// SeenAfter is a place in a list of entitlements in all apps. The zero value is the beginning.
type SeenAfter struct {
	App         store.NameAfter
	Current     console.ID // the app whose list was not finished
	Entitlement store.EntitlementAfter
}

// Seen is an entitlement in an app, with the caller's grants of it and whether the caller may
// request it.
type Seen struct {
	EntitlementRow
	App         AppSummary
	Mine        []Grant
	Alias       string                  // what programs call it by
	Settings    console.RequestSettings // that hold for the caller, or that the caller may change
	Requestable bool                    // the caller may ask for it
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
		if q.Alias != "" {
			found, err = c.seenByAlias(tx, me, q)
			return err
		}
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
		a, err := presentApp(tx, after.Current)
		return &a, err
	}
	for {
		if q.App != "" {
			if after.App.ID != "" {
				return nil, nil
			}
			a, err := presentApp(tx, q.App)
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

// seenByAlias returns the entitlement with an alias.
func (c *Console) seenByAlias(tx *store.Tx, me console.Person, q SeenQuery) ([]Seen, error) {
	of, err := tx.ByAlias(q.Alias)
	if err == nil && q.App != "" && of.App != q.App {
		return nil, nil
	}
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a, err := tx.App(of.App)
	if err != nil || q.Name != "" && a.Name != q.Name {
		return nil, err
	}
	p, err := c.perspective(tx, me, a)
	if err != nil {
		return nil, err
	}
	s, ok, err := p.find(of.Entitlement)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil
	}
	if err != nil || !ok || !p.sees && len(s.Mine) == 0 && !q.Requestable {
		return nil, err
	}
	return []Seen{s}, nil
}

// maxSeenLooked limits the entitlements of an app that are examined for one page.
const maxSeenLooked = 200

// seenIn returns entitlements of one app, and where the next page begins.
func (c *Console) seenIn(tx *store.Tx, me console.Person, a console.App, q SeenQuery, after store.EntitlementAfter, n int) (found []Seen, more *store.EntitlementAfter, err error) {
	p, err := c.perspective(tx, me, a)
	if err != nil {
		return nil, nil, err
	}
	f := store.EntitlementFilter{Words: q.Search}
	if q.Held || !p.sees && !q.Requestable {
		f.Only = p.holds()
	}
	if q.Requestable && after.Key == 0 && strings.Contains(strings.ToLower(approve.AccountName), strings.ToLower(strings.TrimSpace(q.Search))) {
		s, ok, err := p.look(accountItself)
		if err != nil {
			return nil, nil, err
		}
		if ok && s.Requestable && (!q.Held || len(s.Mine) > 0) {
			found = append(found, s)
		}
	}
	for looked := 0; ; {
		page, err := tx.FilterEntitlements(p.moment, f, after, max(n-len(found), 1))
		if err != nil {
			return nil, nil, err
		}
		for _, e := range page.Rows {
			s, ok, err := p.look(e)
			if err != nil {
				return nil, nil, err
			}
			looked++
			if after = e.After(); ok {
				found = append(found, s)
			}
		}
		if page.Next == nil || len(found) >= n || looked >= maxSeenLooked {
			return found, page.Next, nil
		}
		after = *page.Next
	}
}

// accountItself is having an account, as an entitlement.
var accountItself = store.Entitlement{Entitlement: console.Entitlement{Key: console.AccountItself, Name: approve.AccountName}}

// perspective is an app as one person may see it.
type perspective struct {
	c        *Console
	tx       *store.Tx
	me       console.Person
	app      console.App
	summary  AppSummary
	moment   store.Moment
	accounts []store.Resource // of the person
	mine     []Grant
	sees     bool // all of it
}

func (c *Console) perspective(tx *store.Tx, me console.Person, a console.App) (p *perspective, err error) {
	p = &perspective{c: c, tx: tx, me: me, app: a, summary: AppSummary{App: console.App{ID: a.ID, Name: a.Name}}, sees: console.SeeAccess.Of(me, console.Object{App: &a})}
	if p.accounts, _, p.moment, err = c.accountsIn(tx, me, a.ID, me.ID); err != nil {
		return nil, err
	}
	if p.mine, err = c.grants(tx, a, p.moment, p.accounts, nil); err != nil {
		return nil, err
	}
	if p.sees {
		p.summary, err = c.summarize(tx, a)
	}
	return p, err
}

// find is look for an entitlement by its key. NotFound if no sync shows it.
func (p *perspective) find(key console.EntitlementKey) (s Seen, ok bool, err error) {
	e := accountItself
	if key != console.AccountItself {
		if e, err = p.tx.Entitlement(p.moment, key); err != nil {
			return s, false, err
		}
	}
	return p.look(e)
}

// look returns an entitlement as the person sees it; ok is false if the person does not.
func (p *perspective) look(e store.Entitlement) (s Seen, ok bool, err error) {
	s.App = p.summary
	for _, g := range p.mine {
		if g.Entitlement.Key == e.Key {
			s.Mine = append(s.Mine, g)
		}
	}
	if e.Key == console.AccountItself {
		s.Mine = accountGrants(p.app, p.accounts)
	}
	known, err := approve.Look(p.tx, console.Request{Kind: console.RequestGrant, App: p.app.ID, Entitlement: e.Key, Subject: p.me.ID, Requester: p.me.ID}, p.c.now())
	switch k := baton.KindOf(err); {
	case err == nil:
		s.Settings = known.Settings
		s.Requestable = p.me.Status == console.PersonActive && s.Settings.Requestable == console.RequestableYes &&
			(s.Settings.Manual || known.Able && (known.Account != nil || known.MakesAccounts))
	case k != baton.NotFound && k != baton.Refused:
		return s, false, err
	}
	if !p.sees && !s.Requestable && len(s.Mine) == 0 {
		return s, false, nil
	}
	if s.Alias, err = p.tx.Alias(p.app.ID, e.Key); err != nil {
		return s, false, err
	}
	if console.ConfigureApps.Of(p.me, console.Object{App: &p.app}) { // also what does not count for themselves
		v, err := settingsView(p.tx, p.me, p.app.ID, e.Key)
		if err != nil {
			return s, false, err
		}
		s.Settings = v.Resolved
	}
	switch {
	case e.Key == console.AccountItself:
		s.EntitlementRow.Entitlement = e
	case p.sees:
		s.EntitlementRow, err = p.c.entitlementRow(p.tx, p.moment, p.app, e, MaxCounted)
	default:
		s.EntitlementRow, err = heldRow(p.tx, p.moment, e)
	}
	return s, true, err
}

// holds returns the entitlements that the person holds.
func (p *perspective) holds() []console.EntitlementKey {
	keys := make([]console.EntitlementKey, 0, len(p.mine))
	for _, g := range p.mine {
		keys = append(keys, g.Entitlement.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// SeenApps returns up to n apps that the caller sees, has an account in, or may ask for
// access to, with or without connectors, in the order of their names, and whether there are more. selected chooses among
// them; nil: all.
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
					asks, err := c.asksIn(tx, me, a)
					if err != nil {
						return err
					}
					if !asks {
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
