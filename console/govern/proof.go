package govern

import (
	"context"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Interval is a period in which an account held an entitlement, and the syncs that prove it.
type Interval struct {
	First console.Sync  // the first sync that showed it
	Last  console.Sync  // the last sync that showed it
	Ended *console.Sync // the first sync that no longer showed it; nil while it is held
	// Baseline means that First proves no date: the first sync already showed it.
	Baseline bool
	Direct   bool // it could be revoked by itself
	Sources  []console.Source
}

// AccessView is an account's access to an entitlement: why it is held, and what proves that and
// since when.
type AccessView struct {
	App         console.App
	Account     AccountRow
	Gone        bool // no sync shows the account any more
	Entitlement EntitlementRow
	Access      console.Access
	State       console.State
	Until       time.Time  // when it expires; zero: never
	Intervals   []Interval // the newest first
	Operations  []console.Operation
	Bars        []console.Bar
	Evidence    []console.RequirementEvidence // what met the requirement when it was granted
	Requirement store.RequirementStatus       // of the person, now
	People      map[console.ID]string         // names of the people who decided
	Timeline    Timeline
	// Remove and Enable are the manual changes that the caller may make, with their effects.
	Remove, Enable Consequence
}

// accountEntitlement represents [console.AccountItself].
var accountEntitlement = store.Entitlement{Entitlement: console.Entitlement{Key: console.AccountItself, Name: "Account", Description: "An account that is there and not disabled"}}

// Access returns one access of an app.
func (c *Console) Access(ctx context.Context, caller Caller, app console.ID, account console.ResourceKey, e console.EntitlementKey, at TimelineAt, n int) (v AccessView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v = AccessView{People: map[console.ID]string{}}
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		v.App = a
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		may := console.ChangeAccess.Of(me, console.Object{App: &a})
		if err := c.accessNow(tx, me, may, m, account, e, &v); err != nil {
			return err
		}
		if v.Operations, err = tx.Operations(account, e); err != nil {
			return err
		}
		if v.Bars, err = tx.Bars(account, e); err != nil {
			return err
		}
		if owner := v.Account.Owner.Canonical(); owner != "" {
			if v.Evidence, err = tx.RequirementEvidence(owner, a.ID, e); err != nil {
				return err
			}
			if v.Requirement, err = tx.RequirementStatus(owner, a.ID, e, c.now()); err != nil {
				return err
			}
		}
		if err := v.fillIntervals(tx, m); err != nil {
			return err
		}
		if e == console.AccountItself {
			if v.Enable, err = c.consequence(tx, me, may, a, account, e, console.Grant); err != nil {
				return err
			}
		}
		if len(v.Intervals)+len(v.Access.Reasons)+len(v.Operations)+len(v.Bars) == 0 && e != console.AccountItself {
			return baton.Errorf(baton.NotFound, "the account never held it")
		}
		people := personNames{tx: tx, known: v.People}
		for _, r := range v.Access.Reasons {
			people.add(r.CreatedBy.Person(), r.EndedBy.Person())
		}
		for _, b := range v.Bars {
			people.add(b.CreatedBy.Person(), b.LiftedBy.Person())
		}
		for _, o := range v.Operations {
			people.add(o.Cause.By.Person())
		}
		for _, x := range v.Evidence {
			if x.Exemption != nil {
				people.add(x.Exemption.Author, x.Exemption.Approver)
			}
		}
		if people.err != nil {
			return people.err
		}
		of := timelineOf{intervals: v.Intervals}
		if console.SeeAudit.Of(me, console.Object{App: &a}) {
			of.events = []store.EventFilter{{Account: account, Entitlement: e}}
		}
		v.Timeline, err = c.timeline(tx, of, at, n)
		return err
	})
	return v, err
}

func (v *AccessView) fillIntervals(tx *store.Tx, m store.Moment) error {
	intervals, err := tx.HeldIntervals(m, v.Account.Key, v.Entitlement.Key)
	if err != nil {
		return err
	}
	var syncs syncTimes
	for _, f := range intervals {
		i := Interval{Baseline: console.IsBaseline(f.From, v.Access.FirstShown), Direct: f.Direct(), Sources: f.Sources}
		if i.First, err = syncs.sync(tx, f.From); err != nil {
			return err
		}
		until := f.Until
		for _, s := range m.Streams {
			if s.Stream == i.First.Stream && until > s.Sync { // it is held
				until = s.Sync + 1
			}
		}
		if until == f.Until {
			ended, err := syncs.sync(tx, f.Until)
			if err != nil {
				return err
			}
			i.Ended = &ended
		}
		last, err := tx.LastShowing(i.First.Stream, until)
		if err != nil {
			return err
		}
		if last != nil {
			i.Last = *last
		}
		v.Intervals = append([]Interval{i}, v.Intervals...)
	}
	return nil
}

// personNames caches the names of people.
type personNames struct {
	tx    *store.Tx
	known map[console.ID]string
	err   error
}

func (n *personNames) add(ids ...console.ID) {
	for _, id := range ids {
		if n.known[id] != "" || id == "" || n.err != nil {
			continue
		}
		p, err := n.tx.Person(id)
		if baton.KindOf(err) == baton.NotFound {
			continue
		}
		n.known[id], n.err = p.Name, err
	}
}

// accountOf returns the current version of an account of an app, or else the last one.
func (c *Console) accountOf(tx *store.Tx, m store.Moment, a console.App, key console.ResourceKey) (row AccountRow, gone bool, err error) {
	r, err := tx.Account(m, key)
	if baton.KindOf(err) == baton.NotFound {
		r, gone, err = lastAccount(tx, m, key)
	}
	if err != nil {
		return row, gone, err
	}
	row, err = accountRow(tx, m, a, r)
	return row, gone, err
}

// lastAccount returns the last version of an account that a sync of an app showed.
func lastAccount(tx *store.Tx, m store.Moment, key console.ResourceKey) (r store.Resource, gone bool, err error) {
	versions, err := tx.ResourceVersions(key)
	if err != nil {
		return r, false, err
	}
	for _, s := range m.Streams {
		until := len(versions)
		for until > 0 && versions[until-1].From > s.Sync {
			until--
		}
		switch {
		case len(versions) == 0 || versions[0].Stream != s.Stream || versions[len(versions)-1].Account == nil:
		case until == 0:
			return r, false, errNotYet("this account", m)
		case versions[until-1].Account != nil:
			return versions[until-1], true, nil
		}
	}
	return r, false, baton.Errorf(baton.NotFound, "no account")
}

// entitlementOf returns the current version of an entitlement of an app, or else the last one.
func (c *Console) entitlementOf(tx *store.Tx, m store.Moment, a console.App, key console.EntitlementKey) (row EntitlementRow, gone bool, err error) {
	e, err := tx.Entitlement(m, key)
	if baton.KindOf(err) == baton.NotFound {
		var versions []store.Entitlement
		if versions, err = tx.EntitlementVersions(key); err != nil {
			return row, false, err
		}
		err = baton.Errorf(baton.NotFound, "no entitlement")
		for _, s := range m.Streams {
			if len(versions) == 0 || versions[0].Stream != s.Stream {
				continue
			}
			err = errNotYet("this entitlement", m)
			for _, v := range versions {
				if v.From <= s.Sync {
					e, gone, err = v, true, nil
				}
			}
		}
	}
	if err != nil {
		return row, gone, err
	}
	row, err = c.entitlementRow(tx, m, a, e, MaxCounted)
	return row, gone, err
}
