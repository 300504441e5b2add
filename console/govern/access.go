package govern

import (
	"context"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Holding is one entitlement that one account holds: the fact, why, and what proves it.
type Holding struct {
	Account     store.Resource
	Owner       console.Person // of the account; zero when it is matched to nobody
	Entitlement store.Entitlement
	On          store.Resource // what the entitlement is held on; zero when no sync shows it
	Role        *console.AppRole
	Access      console.Access
	State       console.State
	Since       time.Time // when the first sync that showed it began
	Baseline    bool      // Since proves no date: it was there when first looked
	Until       time.Time // when it ends by time; zero when it does not
	Group       bool      // the holder is no account: its members hold the entitlement
	Sources     []console.Source
}

// fill adds why an account holds an entitlement and since when.
func (h *Holding) fill(tx *store.Tx, a console.App, began *syncTimes, now time.Time) (err error) {
	h.Access, err = tx.Access(a.ID, h.Account.Key, h.Entitlement.Key, now)
	if err != nil {
		return err
	}
	h.State = h.Access.State(now)
	h.Baseline = console.IsBaseline(h.Access.From, h.Access.FirstShown)
	h.Until, _ = console.Expiry(h.Access.Reasons, h.Access.Bar, now)
	h.Role = roleOf(a.Roles, h.Entitlement.Key)
	if h.Access.Held {
		h.Since, err = began.of(tx, h.Access.From)
	}
	return err
}

// syncTimes remembers when syncs began.
type syncTimes struct {
	began map[console.SyncNumber]time.Time
}

func (s *syncTimes) of(tx *store.Tx, n console.SyncNumber) (time.Time, error) {
	if t, ok := s.began[n]; ok {
		return t, nil
	}
	sync, err := tx.SyncByNumber(n)
	if err != nil {
		return time.Time{}, err
	}
	if s.began == nil {
		s.began = map[console.SyncNumber]time.Time{}
	}
	s.began[n] = sync.Began
	return sync.Began, nil
}

// EntitlementView is one entitlement with a page of its holders.
type EntitlementView struct {
	EntitlementRow
	App     console.App
	Holders []Holding
	Next    *store.HolderAfter // where the holders go on; nil at their end
}

// Entitlement returns an entitlement and up to n of its holders.
func (c *Console) Entitlement(ctx context.Context, caller Caller, app console.ID, key console.EntitlementKey, after store.HolderAfter, n int) (v EntitlementView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		v = EntitlementView{}
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		v.App = a
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.Entitlement(m, key)
		if err != nil {
			return err
		}
		if v.EntitlementRow, err = entitlementRow(tx, m, a, e); err != nil {
			return err
		}
		holders, err := tx.Holders(m, key, after, n+1)
		if err != nil {
			return err
		}
		var began syncTimes
		for i, holder := range holders {
			if i == n {
				last := holders[i-1].After()
				v.Next = &last
				break
			}
			h := Holding{Account: holder.Principal, Entitlement: e, On: v.Resource, Group: holder.Principal.Account == nil, Sources: holder.Fact.Sources}
			if h.Owner, err = ownerOf(tx, h.Account.Key); err != nil {
				return err
			}
			if err := h.fill(tx, a, &began, c.now()); err != nil {
				return err
			}
			v.Holders = append(v.Holders, h)
		}
		return nil
	})
	return v, err
}

func ownerOf(tx *store.Tx, account console.ResourceKey) (console.Person, error) {
	o, err := tx.AccountOwner(account, time.Time{})
	if err != nil || o.Person == "" {
		return console.Person{}, err
	}
	return tx.Person(o.Person)
}

// AccountView is one account with what it holds.
type AccountView struct {
	AccountRow
	App       console.App
	Data      time.Time // when the sync that shows the account began
	Holds     []Holding
	Next      console.EntitlementKey // where Holds goes on; 0 at its end
	FirstSeen time.Time
	Baseline  bool // FirstSeen proves no date
}

// Account returns an account and up to n of the entitlements that it holds.
func (c *Console) Account(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey, after console.EntitlementKey, n int) (v AccountView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, app, console.SeeAccess)
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
	m, err := tx.Moment(a.ID, time.Time{})
	if err != nil {
		return v, err
	}
	r, err := tx.Account(m, key)
	if err != nil {
		return v, err
	}
	if v.AccountRow, err = accountRow(tx, m, a, r); err != nil {
		return v, err
	}
	for _, s := range m.Streams {
		if s.Stream == r.Stream {
			v.Data = s.Began
		}
	}
	var began syncTimes
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
		if v.FirstSeen, err = began.of(tx, versions[0].From); err != nil {
			return v, err
		}
	}
	facts, err := tx.HeldBy(m, key, after, n+1)
	if err != nil {
		return v, err
	}
	for i, f := range facts {
		if i == n {
			v.Next = facts[i-1].Entitlement
			break
		}
		h := Holding{Account: r, Owner: v.Owner, Sources: f.Sources}
		if h.Entitlement, err = tx.Entitlement(m, f.Entitlement); err != nil {
			return v, err
		}
		if h.On, err = tx.Resource(m, h.Entitlement.Entitlement.Resource); err != nil && baton.KindOf(err) != baton.NotFound {
			return v, err
		}
		if err := h.fill(tx, a, &began, c.now()); err != nil {
			return v, err
		}
		v.Holds = append(v.Holds, h)
	}
	return v, nil
}
