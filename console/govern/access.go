package govern

import (
	"context"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// Holding is an entitlement that an account holds, with the reasons and the evidence.
type Holding struct {
	Account     store.Resource
	Owner       console.Person // of the account; zero if it has none
	Rematched   bool           // as in [AccountRow]
	OwnerNow    console.Person
	Entitlement store.Entitlement
	On          store.Resource // the resource of the entitlement; zero if no sync shows it
	Role        *console.AppRole
	Access      console.Access
	State       console.State
	Since       time.Time // when the first sync that showed it began
	Baseline    bool      // Since proves no date: the first sync already showed it
	Until       time.Time // when it expires; zero: never
	Group       bool      // the holder is a group, whose members hold the entitlement
	Sources     []console.Source
	First       console.Sync // the first sync that showed it
	Shown       console.Sync // the newest sync that shows it
	// Request is the one that gives it until a time and can be extended; "" if none does.
	Request console.ID
	// ByHand means that the connector cannot remove it: an owner of the application does.
	ByHand bool
}

// filler adds reasons and dates to the holdings of one app.
type filler struct {
	tx     *store.Tx
	app    console.App
	moment store.Moment
	now    time.Time
	syncs  syncTimes
	first  map[console.EntitlementKey]console.SyncNumber
}

func newFiller(tx *store.Tx, a console.App, m store.Moment, now time.Time) *filler {
	if !m.At.IsZero() {
		now = m.At
	}
	return &filler{tx: tx, app: a, moment: m, now: now, first: map[console.EntitlementKey]console.SyncNumber{}}
}

func (f *filler) fill(h *Holding) (err error) {
	e := h.Entitlement.Key
	if _, ok := f.first[e]; !ok {
		if f.first[e], err = f.tx.FirstShown(e); err != nil {
			return err
		}
	}
	if h.Access, err = f.tx.AccessIn(f.moment, f.app.ID, h.Account.Key, e, f.first[e], f.now); err != nil {
		return err
	}
	return f.explain(h)
}

func (f *filler) fillHolders(e console.EntitlementKey, all []Holding) error {
	accounts := make([]console.ResourceKey, len(all))
	for i, h := range all {
		accounts[i] = h.Account.Key
	}
	owners, rematched, err := ownersThen(f.tx, f.moment, accounts)
	if err != nil {
		return err
	}
	first, err := f.tx.FirstShown(e)
	if err != nil {
		return err
	}
	accesses, err := f.tx.Accesses(f.moment, f.app.ID, accounts, e, first, f.now)
	if err != nil {
		return err
	}
	for i := range all {
		h := &all[i]
		h.Owner, h.Access = owners[h.Account.Key], accesses[h.Account.Key]
		h.OwnerNow, h.Rematched = rematched[h.Account.Key]
		if err := f.explain(h); err != nil {
			return err
		}
	}
	return nil
}

// explain adds the state of a holding's access.
func (f *filler) explain(h *Holding) (err error) {
	h.Request = requestOf(h.Access, f.now)
	h.State = h.Access.State(f.now)
	h.Baseline = console.IsBaseline(h.Access.From, h.Access.FirstShown)
	h.Until, _ = console.Expiry(h.Access.Reasons, h.Access.Bar, f.now)
	h.Role = roleOf(f.app.Roles, h.Entitlement.Key)
	if !h.Access.Held {
		return nil
	}
	if h.First, err = f.syncs.sync(f.tx, h.Access.From); err != nil {
		return err
	}
	h.Since = h.First.Began
	for _, s := range f.moment.Streams {
		if s.Stream == h.First.Stream {
			h.Shown, err = f.syncs.sync(f.tx, s.Sync)
		}
	}
	return err
}

// syncTimes caches syncs.
type syncTimes struct {
	syncs map[console.SyncNumber]console.Sync
}

func (s *syncTimes) of(tx *store.Tx, n console.SyncNumber) (time.Time, error) {
	sync, err := s.sync(tx, n)
	return sync.Began, err
}

func (s *syncTimes) sync(tx *store.Tx, n console.SyncNumber) (console.Sync, error) {
	if sync, ok := s.syncs[n]; ok {
		return sync, nil
	}
	sync, err := tx.SyncByNumber(n)
	if err != nil {
		return sync, err
	}
	if s.syncs == nil {
		s.syncs = map[console.SyncNumber]console.Sync{}
	}
	s.syncs[n] = sync
	return sync, nil
}

// EntitlementView is one entitlement with a page of its holders.
type EntitlementView struct {
	EntitlementRow
	App     console.App
	Holding []Holding
	Next    *store.HolderAfter // where the next page begins; nil at the end
	Gone    bool               // no sync shows it any more
	// Alone means that the caller sees nothing else of the app, but may remove access to the
	// entitlement, because it is the caller's.
	Alone bool
}

// Entitlement returns an entitlement and up to n of its holders.
func (c *Console) Entitlement(ctx context.Context, caller Caller, app console.ID, key console.EntitlementKey, after store.HolderAfter, n int) (v EntitlementView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v = EntitlementView{}
		a, err := c.seeAppThen(tx, me, app, console.SeeAccess)
		if err != nil && c.at.IsZero() {
			a, err = seeHolders(tx, me, app, key, err)
			v.Alone = err == nil
		}
		if err != nil {
			return err
		}
		v.App = a
		m, err := c.moment(tx, a.ID)
		if err != nil {
			return err
		}
		if v.EntitlementRow, v.Gone, err = c.entitlementOf(tx, m, a, key); err != nil {
			return err
		}
		e := v.Entitlement
		holders, err := tx.Holders(m, key, after, n+1)
		if err != nil {
			return err
		}
		for i, holder := range holders {
			if i == n {
				last := holders[i-1].After()
				v.Next = &last
				break
			}
			v.Holding = append(v.Holding, Holding{Account: holder.Principal, Entitlement: e, On: v.Resource, Group: holder.Principal.Account == nil, Sources: holder.Fact.Sources})
		}
		return newFiller(tx, a, m, c.now()).fillHolders(key, v.Holding)
	})
	return v, err
}

// seeHolders returns an app if a person owns an entitlement of it; else the error for people who do
// not.
func seeHolders(tx *store.Tx, me console.Person, app console.ID, e console.EntitlementKey, refused error) (console.App, error) {
	a, err := tx.App(app)
	if err != nil {
		return a, err
	}
	owners, err := entitlementOwners(tx, app, e)
	if err == nil && !console.SeeHolders.Of(me, console.Object{App: &a, EntitlementOwners: owners}) {
		err = refused
	}
	return a, err
}

func ownerOf(tx *store.Tx, account console.ResourceKey) (console.Person, error) {
	o, err := tx.AccountOwner(account, time.Time{})
	if err != nil || o.Person == "" {
		return console.Person{}, err
	}
	return tx.Person(o.Person)
}

// AccountView is one account with its entitlements.
type AccountView struct {
	AccountRow
	App       console.App
	Data      time.Time // when the sync that shows the account began
	Holds     []Holding
	Next      console.EntitlementKey // where the next page of Holds begins; 0 at the end
	FirstSeen time.Time
	Baseline  bool // FirstSeen proves no date
	Gone      bool // no sync shows it any more
	Linked    bool // the caller may open the account's own page
}

// Account returns an account and up to n of its entitlements.
func (c *Console) Account(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey, after console.EntitlementKey, n int) (v AccountView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		a, err := c.seeAppThen(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		v, err = c.account(tx, a, key, after, n)
		return err
	})
	return v, err
}

func (c *Console) account(tx *store.Tx, a console.App, key console.ResourceKey, after console.EntitlementKey, n int) (v AccountView, err error) {
	v.App = a
	m, err := c.moment(tx, a.ID)
	if err != nil {
		return v, err
	}
	if v.AccountRow, v.Gone, err = c.accountOf(tx, m, a, key); err != nil {
		return v, err
	}
	r := v.Resource
	domains, err := companyDomains(tx)
	if err != nil {
		return v, err
	}
	v.External = domains.external(r)
	able := func(string, store.Entitlement) bool { return true }
	for _, s := range m.Streams {
		if s.Stream == r.Stream {
			v.Data = s.Began
			if able, err = approve.Abilities(tx, s.Connector); err != nil {
				return v, err
			}
		}
	}
	f := newFiller(tx, a, m, c.now())
	versions, err := tx.ResourceVersions(key)
	if err != nil {
		return v, err
	}
	if len(versions) > 0 {
		first, err := tx.FirstSync(r.Stream)
		if err != nil {
			return v, err
		}
		v.Baseline = console.IsBaseline(versions[0].From, first)
		if v.FirstSeen, err = f.syncs.of(tx, versions[0].From); err != nil {
			return v, err
		}
	}
	facts, err := tx.HeldBy(m, key, after, n+1)
	if err != nil {
		return v, err
	}
	for i, fact := range facts {
		if i == n {
			v.Next = facts[i-1].Entitlement
			break
		}
		h := Holding{Account: r, Owner: v.Owner, Sources: fact.Sources}
		if h.Entitlement, err = tx.Entitlement(m, fact.Entitlement); err != nil {
			return v, err
		}
		if h.On, err = tx.Resource(m, h.Entitlement.Entitlement.Resource); err != nil && baton.KindOf(err) != baton.NotFound {
			return v, err
		}
		if err := f.fill(&h); err != nil {
			return v, err
		}
		h.ByHand = !able(h.On.Type, h.Entitlement)
		v.Holds = append(v.Holds, h)
	}
	return v, nil
}
