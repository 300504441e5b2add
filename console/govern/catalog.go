package govern

import (
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// CatalogQuery asks for what a person may ask for.
type CatalogQuery struct {
	For    console.ID // "" for the caller
	Email  string     // of the person, where For is not given
	App    console.ID // "" for the beginning of every app
	Search string     // words of the name
	After  store.EntitlementAfter
	Apps   store.NameAfter // where the list of apps goes on
	N      int             // entitlements of each app
}

// CatalogApp is an app with a part of what may be asked for of it.
type CatalogApp struct {
	App  console.App
	Rows []CatalogRow
	Next *store.EntitlementAfter // where the list goes on; nil at its end
}

// CatalogRow is something that may be asked for.
type CatalogRow struct {
	Entitlement store.Entitlement // of [console.AccountItself], only the key and a name
	On          store.Resource
	Role        *console.AppRole
	Settings    console.RequestSettings
	Owned       bool // the caller owns the entitlement
	Have        bool
	Until       time.Time        // when what they have ends
	Pending     *console.Request // that is not closed; nil if there is none
	// Requirement is whether the person meets the requirement of the entitlement; nil if there is none.
	Requirement *store.RequirementStatus
	// RoleUnknown means that the person would hold several roles, and nobody said which counts.
	RoleUnknown bool
	// AdminsBefore and AdminsAfter count the administrators, if it gives an administrator role.
	AdminsBefore, AdminsAfter int
	// MasteredIn is where it is decided who holds it; "" in the application, or not known.
	MasteredIn string
	Seat       *console.SeatChange // nil if it needs none, or nobody typed seats in
	// Request is the one that gave what they have, and can be extended; "" if none did.
	Request console.ID
}

// CatalogView lists what a person may ask for.
type CatalogView struct {
	Subject console.Person
	Choices []console.Person
	Anybody bool
	Apps    []CatalogApp
	Next    *store.NameAfter // where the list of apps goes on; nil at its end
}

// maxCatalogApps limits the apps of a page of the catalogue.
const maxCatalogApps = 50

// RequestCatalog returns what the caller may ask for.
func (c *Console) RequestCatalog(ctx context.Context, caller Caller, q CatalogQuery) (v CatalogView, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		v = CatalogView{}
		r, err := NewRequest{For: q.For, Email: q.Email}.request(tx, me)
		if err != nil {
			return err
		}
		if v.Choices, v.Anybody, err = subjects(tx, me); err != nil {
			return err
		}
		if v.Subject, err = tx.Person(r.Subject); err != nil {
			return err
		}
		apps := []console.App{}
		if q.App != "" {
			a, err := presentApp(tx, q.App)
			if err != nil {
				return err
			}
			apps = append(apps, a)
		} else if apps, err = tx.Apps(q.Apps, maxCatalogApps+1); err != nil {
			return err
		}
		if len(apps) > maxCatalogApps {
			apps = apps[:maxCatalogApps]
			last := apps[maxCatalogApps-1]
			v.Next = &store.NameAfter{Sort: console.SortKey(last.Name), ID: last.ID}
		}
		open, err := openRequests(tx, r.Subject)
		if err != nil {
			return err
		}
		for _, a := range apps {
			r.App = a.ID
			part, err := c.catalogApp(tx, a, r, q, open)
			if err != nil {
				return err
			}
			for i := range part.Rows {
				part.Rows[i].Owned = slices.Contains(part.Rows[i].Settings.Owners, me.Canonical())
			}
			if len(part.Rows) > 0 || q.App != "" {
				v.Apps = append(v.Apps, part)
			}
		}
		return nil
	})
	return v, err
}

// accessOf names what a request asks for.
type accessOf struct {
	app         console.ID
	entitlement console.EntitlementKey
}

// openRequests returns the requests for access of a person that are not closed, the newest of
// each.
func openRequests(tx *store.Tx, subject console.ID) (map[accessOf]console.Request, error) {
	all := map[accessOf]console.Request{}
	var before int64
	for {
		page, err := tx.Requests(store.RequestFilter{Person: subject, Open: true}, before, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			before = r.Number
			at := accessOf{r.App, r.Entitlement}
			if _, newer := all[at]; !newer && r.Subject == subject && r.Kind == console.RequestGrant {
				all[at] = r
			}
		}
		if len(page) < store.PageSize {
			return all, nil
		}
	}
}

// maxCatalogLooked limits the entitlements that are looked at for a page of an app.
const maxCatalogLooked = 1000

// catalogChunk is how many entitlements are read at once.
const catalogChunk = 200

func (c *Console) catalogApp(tx *store.Tx, a console.App, r console.Request, q CatalogQuery, open map[accessOf]console.Request) (part CatalogApp, err error) {
	part.App = a
	catalog, err := approve.OpenCatalog(tx, r, c.now())
	if err != nil {
		return part, err
	}
	m := catalog.Moment()
	if len(m.Streams) == 0 {
		return part, nil
	}
	if q.After.Sort == nil && (q.Search == "" || store.Named(q.Search, approve.AccountName, a.Name)) {
		if err := c.catalogAccount(tx, &part, r, open); err != nil {
			return part, err
		}
	}
	required, err := requiredIn(tx, a.ID)
	if err != nil {
		return part, err
	}
	effects := catalogEffects{Console: c, tx: tx, app: a, m: m, subject: catalog.Subject()}
	f := store.EntitlementFilter{Words: q.Search}
	if f.Only, err = catalog.Only(); err != nil {
		return part, err
	}
	after, looked := q.After, 0
	chunk := min(2*q.N, catalogChunk)
	if f.Only != nil {
		chunk = catalogChunk
	}
	for ; looked < maxCatalogLooked; chunk = catalogChunk {
		page, err := tx.FilterEntitlements(m, f, after, chunk)
		if err != nil {
			return part, err
		}
		for _, e := range page.Rows {
			if len(part.Rows) >= q.N {
				part.Next = &after
				return part, nil
			}
			after = e.After()
			looked++
			entry, ok, err := catalog.Entry(e)
			if err != nil {
				return part, err
			}
			if !ok {
				continue
			}
			row := CatalogRow{Entitlement: e, On: entry.On, Role: entry.Role, Settings: entry.Settings}
			if err := c.catalogHeld(tx, &row, a.ID, entry.Account, open); err != nil {
				return part, err
			}
			if required[e.Key] {
				s, err := tx.RequirementStatus(r.Subject, a.ID, e.Key, c.now())
				if err != nil {
					return part, err
				}
				row.Requirement = &s
			}
			if err := effects.fill(&row, entry.Account); err != nil {
				return part, err
			}
			part.Rows = append(part.Rows, row)
		}
		if page.Next == nil {
			return part, nil
		}
		after = *page.Next
	}
	part.Next = &after
	return part, nil
}

// requiredIn returns the entitlements of an app that have a requirement.
func requiredIn(tx *store.Tx, app console.ID) (map[console.EntitlementKey]bool, error) {
	active, err := tx.ActiveRequirements(app)
	all := map[console.EntitlementKey]bool{}
	for _, r := range active {
		all[r.Entitlement] = true
	}
	return all, err
}

// catalogAccount adds having an account, if it may be asked for.
func (c *Console) catalogAccount(tx *store.Tx, part *CatalogApp, r console.Request, open map[accessOf]console.Request) error {
	r.Entitlement = console.AccountItself
	s, err := approve.Look(tx, r, c.now())
	if baton.KindOf(err) == baton.NotFound || baton.KindOf(err) == baton.Refused {
		return nil
	}
	if err != nil {
		return err
	}
	if s.Settings.Requestable != console.RequestableYes || !s.Able && !s.Settings.Manual {
		return nil
	}
	row := CatalogRow{Entitlement: s.Entitlement, On: s.On, Role: s.Role, Settings: s.Settings}
	if s.Requirement.Requirement.Active() {
		row.Requirement = &s.Requirement
	}
	if err := c.catalogHeld(tx, &row, s.App.ID, s.Account, open); err != nil {
		return err
	}
	if row.Seat, err = c.seatChange(tx, s, r); err != nil {
		return err
	}
	part.Rows = append(part.Rows, row)
	return nil
}

// catalogHeld fills whether somebody has what a row is about, or asks for it.
func (c *Console) catalogHeld(tx *store.Tx, row *CatalogRow, app console.ID, account *store.Resource, open map[accessOf]console.Request) error {
	if r, pending := open[accessOf{app, row.Entitlement.Key}]; pending {
		row.Pending = &r
	}
	if account == nil {
		return nil
	}
	a, err := tx.Access(app, account.Key, row.Entitlement.Key, c.now())
	if err != nil {
		return err
	}
	row.Have = a.Held
	row.Until, _ = console.Expiry(a.Reasons, a.Bar, c.now())
	if row.Have && row.Pending == nil {
		row.Request = requestOf(a, c.now())
	}
	return nil
}

// requestOf returns the newest request that gives an access until a time; "" if none does.
func requestOf(a console.Access, now time.Time) (id console.ID) {
	var newest time.Time
	for _, r := range console.OpenReasons(a.Reasons, a.Bar, now) {
		if r.Kind == console.ReasonRequest && !r.Until.IsZero() && !r.Created.Before(newest) {
			id, newest = console.ID(r.Ref), r.Created
		}
	}
	return id
}
