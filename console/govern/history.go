package govern

import (
	"cmp"
	"context"
	"time"

	"baton/console"
	"baton/console/store"
)

// AppHistory is the common part of the histories of accounts and entitlements.
type AppHistory struct {
	App      console.App
	Gone     bool // no sync shows it any more
	Past     []PastHolding
	NextPast *store.PastBefore // where the next page of Past begins; nil at the end
	Timeline Timeline
}

// AccountHistory lists the past entitlements of an account, with its timeline.
type AccountHistory struct {
	AppHistory
	Account AccountRow
}

// EntitlementHistory lists the past holders of an entitlement, with its timeline.
type EntitlementHistory struct {
	AppHistory
	Entitlement EntitlementRow
}

// PastHolding is an access that has ended, according to syncs.
type PastHolding struct {
	AccountName     string
	Account         console.ResourceKey
	Owner           console.Person // the current owner of the account
	Group           bool           // the holder was a group
	EntitlementName string
	Entitlement     console.EntitlementKey
	From, Until     time.Time // when the first sync that showed it began, and the first that no longer did
	Baseline        bool      // From proves no date
	Again           bool      // it is held again
}

// AccountHistory returns up to n past entitlements of an account, and up to n entries of its
// timeline.
func (c *Console) AccountHistory(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey, before store.PastBefore, at TimelineAt, n int) (h AccountHistory, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) (err error) {
		h.AppHistory, err = c.appHistory(tx, me, app, at, n, func(m store.Moment, a console.App) (r historyRead, err error) {
			if h.Account, r.gone, err = c.accountOf(tx, m, a, key); err != nil {
				return r, err
			}
			r.timeline.accounts = []timelineAccount{{moment: m, key: key}}
			r.events = store.EventFilter{Account: key, Whole: true}
			r.past, err = tx.PastAccess(m, key, before, n+1)
			return r, err
		})
		return err
	})
	return h, err
}

// EntitlementHistory returns up to n past holders of an entitlement, and up to n entries of its
// timeline.
func (c *Console) EntitlementHistory(ctx context.Context, caller Caller, app console.ID, key console.EntitlementKey, before store.PastBefore, at TimelineAt, n int) (h EntitlementHistory, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) (err error) {
		h.AppHistory, err = c.appHistory(tx, me, app, at, n, func(m store.Moment, a console.App) (r historyRead, err error) {
			if h.Entitlement, r.gone, err = c.entitlementOf(tx, m, a, key); err != nil {
				return r, err
			}
			r.timeline.entitlement, r.timeline.moment = key, m
			r.events = store.EventFilter{Entitlement: key, Whole: true}
			r.past, err = tx.PastHolders(m, key, before, n+1)
			return r, err
		})
		return err
	})
	return h, err
}

// historyRead is the data of a history.
type historyRead struct {
	gone     bool
	past     []console.Fact // one more than a page, if there are more
	timeline timelineOf
	events   store.EventFilter // only for callers who may see the audit log
}

func (c *Console) appHistory(tx *store.Tx, me console.Person, app console.ID, at TimelineAt, n int, read func(store.Moment, console.App) (historyRead, error)) (h AppHistory, err error) {
	if h.App, err = seeApp(tx, me, app, console.SeeAccess); err != nil {
		return h, err
	}
	m, err := tx.Moment(h.App.ID, time.Time{})
	if err != nil {
		return h, err
	}
	r, err := read(m, h.App)
	if err != nil {
		return h, err
	}
	h.Gone = r.gone
	if h.Past, h.NextPast, err = pastHoldings(tx, m, r.past, n); err != nil {
		return h, err
	}
	if console.SeeAudit.Of(me, console.Object{App: &h.App}) {
		r.timeline.events = []store.EventFilter{r.events}
	}
	h.Timeline, err = c.timeline(tx, r.timeline, at, n)
	return h, err
}

// pastHoldings describes ended facts. It also returns where the next page begins.
func pastHoldings(tx *store.Tx, m store.Moment, facts []console.Fact, n int) (past []PastHolding, next *store.PastBefore, err error) {
	var syncs syncTimes
	for i, f := range facts {
		if i == n {
			last := facts[i-1]
			return past, &store.PastBefore{Closed: last.Until, Principal: last.Principal, Entitlement: last.Entitlement}, nil
		}
		p := PastHolding{Account: f.Principal, Entitlement: f.Entitlement}
		if p.From, err = syncs.of(tx, f.From); err != nil {
			return past, nil, err
		}
		if p.Until, err = syncs.of(tx, f.Until); err != nil {
			return past, nil, err
		}
		first, err := tx.FirstShown(f.Entitlement)
		if err != nil {
			return past, nil, err
		}
		p.Baseline = console.IsBaseline(f.From, first)
		versions, err := tx.ResourceVersions(f.Principal)
		if err != nil {
			return past, nil, err
		}
		if len(versions) > 0 {
			last := versions[len(versions)-1]
			p.AccountName, p.Group = cmp.Or(last.Name, last.ID), last.Account == nil
		}
		if p.EntitlementName, err = entitlementName(tx, f.Entitlement); err != nil {
			return past, nil, err
		}
		if p.Owner, err = ownerOf(tx, f.Principal); err != nil {
			return past, nil, err
		}
		held, err := tx.Fact(m, f.Entitlement, f.Principal)
		if err != nil {
			return past, nil, err
		}
		p.Again = held != nil
		past = append(past, p)
	}
	return past, nil, nil
}

// PersonHistory is the timeline of a person and of the person's accounts in all apps that the caller
// may see.
type PersonHistory struct {
	console.Person
	Timeline Timeline
}

// PersonHistory returns up to n entries of a person's timeline.
func (c *Console) PersonHistory(ctx context.Context, caller Caller, id console.ID, at TimelineAt, n int) (h PersonHistory, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		h = PersonHistory{}
		p, accounts, err := c.seePerson(tx, me, id)
		if err != nil {
			return err
		}
		h.Person = p
		var of timelineOf
		audit := console.SeeAudit.Of(me, console.Object{Person: &p})
		if audit {
			of.events = append(of.events, store.EventFilter{Person: p.ID})
		}
		for _, a := range accounts {
			m, err := tx.Moment(a.app.ID, time.Time{})
			if err != nil {
				return err
			}
			name, err := accountName(tx, a.key)
			if err != nil {
				return err
			}
			of.accounts = append(of.accounts, timelineAccount{m, a.key, a.app.Name + ": " + name})
			if audit || console.SeeAudit.Of(me, console.Object{App: &a.app}) {
				of.events = append(of.events, store.EventFilter{Account: a.key, Whole: true})
			}
		}
		h.Timeline, err = c.timeline(tx, of, at, n)
		return err
	})
	return h, err
}
