package approve

import (
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// Catalog tells of one app what may be asked for, for one person. It knows what [Look] finds
// out, but reads once what is the same for all entitlements.
type Catalog struct {
	base     Situation
	settings console.RequestSettings // of the app
	streams  map[console.Stream]catalogStream
}

// catalogStream holds what is known about the connector of a stream.
type catalogStream struct {
	connector console.Connector
	data      console.SyncNumber
	abilities abilities
	account   *store.Resource // the subject's; nil if there is none
}

// OpenCatalog returns what may be asked for of an app. r names the app, the subject and who
// asks.
func OpenCatalog(t *store.Tx, r console.Request, now time.Time) (*Catalog, error) {
	c := &Catalog{base: Situation{now: now, tx: t, r: r, barred: map[console.ID]string{}}, streams: map[console.Stream]catalogStream{}}
	s := &c.base
	if err := s.people(); err != nil {
		return nil, err
	}
	var err error
	if s.App, err = t.App(r.App); err != nil {
		return nil, err
	}
	if s.moment, err = t.Moment(s.App.ID, time.Time{}); err != nil {
		return nil, err
	}
	if c.settings, err = s.settingsOf(console.WholeApp); err != nil {
		return nil, err
	}
	for _, at := range s.moment.Streams {
		con, err := t.Connector(at.Connector)
		if err != nil {
			return nil, err
		}
		a, err := helloOf(t, con.ID)
		if err != nil {
			return nil, err
		}
		c.streams[at.Stream] = catalogStream{connector: con, data: at.Sync, abilities: a}
	}
	keys, err := t.AccountsOf(s.Subject.ID)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		a, err := t.Account(s.moment, key)
		if baton.KindOf(err) == baton.NotFound {
			continue // of another app, or gone
		}
		if err != nil {
			return nil, err
		}
		at := c.streams[a.Stream]
		if at.account == nil || !console.HasAccount(true, at.account.Status) && console.HasAccount(true, a.Status) {
			at.account = &a
			c.streams[a.Stream] = at
		}
	}
	return c, nil
}

// Moment returns the moment at which the catalogue looks.
func (c *Catalog) Moment() store.Moment { return c.base.moment }

// Subject returns the person whom the catalogue is for.
func (c *Catalog) Subject() console.Person { return c.base.Subject }

// Only returns the entitlements that can be asked for; nil if any can, unless its own settings say
// no.
func (c *Catalog) Only() ([]console.EntitlementKey, error) {
	if c.settings.Requestable != console.RequestableNo {
		return nil, nil
	}
	keys, err := c.base.tx.EntitlementsWithSettings(c.base.App.ID)
	if keys == nil && err == nil {
		keys = []console.EntitlementKey{}
	}
	return keys, err
}

// CatalogEntry is something that may be asked for.
type CatalogEntry struct {
	Role     *console.AppRole
	Settings console.RequestSettings
	Account  *store.Resource // of the subject; nil if there is none
	On       store.Resource
}

// Entry returns what may be asked for of an entitlement. ok is false if it may not be, or
// nobody could carry it out.
func (c *Catalog) Entry(e store.Entitlement) (entry CatalogEntry, ok bool, err error) {
	at, shown := c.streams[e.Stream]
	if !shown {
		return entry, false, nil
	}
	own, err := c.base.settingsOf(e.Key)
	if err != nil {
		return entry, false, err
	}
	admin := c.base.App.Roles.GivesAdmin(e.Key)
	if entry.Settings = own.Resolve(c.settings, admin); entry.Settings.Requestable != console.RequestableYes {
		return entry, false, nil
	}
	s := c.base
	s.Entitlement, s.r.Entitlement = e, e.Key
	if s.On, err = s.tx.Resource(s.moment, e.Entitlement.Resource); err != nil && baton.KindOf(err) != baton.NotFound {
		return entry, false, err
	}
	if able := at.abilities.can(s.On.Type, rpc.CanProvision) && !e.Immutable; !able && !entry.Settings.Manual {
		return entry, false, nil
	}
	for i, role := range s.App.Roles.Roles {
		if slices.Contains(role.Entitlements, e.Key) {
			s.Role = &s.App.Roles.Roles[i]
			break
		}
	}
	if len(s.App.Roles.Roles) == 0 {
		s.supposeRole(at.abilities.d.Roles)
	}
	entry.Role, entry.Account, entry.On = s.Role, at.account, s.On
	return entry, true, nil
}
