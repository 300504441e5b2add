package govern

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// maxWhy limits reasons, in characters.
const maxWhy = 2000

// because returns a trimmed reason, or an error if it is missing or too long.
func because(why string) (string, error) {
	why = strings.TrimSpace(why)
	if why == "" {
		return why, baton.Errorf(baton.Invalid, "a reason is missing").WithFix("Say why, for those who read it later.")
	}
	if utf8.RuneCountInString(why) > maxWhy {
		return why, baton.Errorf(baton.Invalid, "the reason is longer than %d characters", maxWhy)
	}
	return why, nil
}

// guarded runs a command that may create an operation. It records the refusal of a guard as an event
// in a transaction of its own, because the command's transaction is rolled back.
func (c *Console) guarded(ctx context.Context, caller Caller, p permit, fn func(tx *store.Tx, me console.Person) (console.Operation, error)) error {
	var tried console.Operation
	err := c.change(ctx, caller, p, func(tx *store.Tx, me console.Person) (err error) {
		tried, err = fn(tx, me)
		return err
	})
	if refusal := (*console.Refusal)(nil); !errors.As(err, &refusal) {
		return err
	}
	if tried.Cause.By == (console.Actor{}) {
		tried.Cause.By = c.by(caller).Actor
	}
	if e := c.store.Update(context.WithoutCancel(ctx), c.by(caller), func(tx *store.Tx) error { return tx.DenyOperation(tried, err) }); e != nil {
		return e
	}
	return err
}

// byHand returns an operation that a person requests directly.
func byHand(a console.App, connector console.ID, account console.ResourceKey, e console.EntitlementKey, verb console.Verb, why string) console.Operation {
	return console.Operation{App: a.ID, Connector: connector, Account: account, Entitlement: e, Verb: verb, Input: console.Input{Why: why},
		Cause: console.Cause{Kind: console.CauseManual, Evidence: console.EvidenceDecision}}
}

// showing returns the connector whose syncs show an account of an app.
func showing(tx *store.Tx, a console.App, account console.ResourceKey) (console.ID, store.Resource, error) {
	m, err := tx.Moment(a.ID, time.Time{})
	if err != nil {
		return "", store.Resource{}, err
	}
	r, err := tx.Account(m, account)
	if err != nil {
		return "", r, err
	}
	for _, s := range m.Streams {
		if s.Stream == r.Stream {
			return s.Connector, r, nil
		}
	}
	return "", r, baton.Errorf(baton.NotFound, "no account")
}

// whileMissing returns the refusal of a change of an account that the newest sync alone does
// not show; the error as it is for one that is gone, or belongs to another app.
func whileMissing(tx *store.Tx, o console.Operation, err error) (console.Operation, error) {
	if baton.KindOf(err) != baton.NotFound {
		return o, err
	}
	missing, e := tx.Missing(o.Account)
	if e != nil || !missing {
		return o, cmp.Or(e, err)
	}
	app, e := tx.AppOfResource(o.Account)
	if e != nil || app != o.App {
		return o, cmp.Or(e, err)
	}
	if o.Connector, e = tx.LastConnector(o.Account); e != nil {
		return o, e
	}
	p, e := tx.Proposal(o, store.Circumstances{ByHand: true})
	if e == nil {
		e = p.Check()
	}
	return o, cmp.Or(e, err)
}

// changeableApp returns an app whose access the person may change.
func changeableApp(tx *store.Tx, me console.Person, app console.ID) (console.App, error) {
	a, err := seeApp(tx, me, app, console.SeeAccess)
	if err == nil {
		err = console.ChangeAccess.Check(me, console.Object{App: &a})
	}
	return a, err
}

// removable returns an app whose access e of a person the caller may remove, for example as the
// person's manager. person is "" if nobody owns the account.
func removable(tx *store.Tx, me console.Person, app, person console.ID, e console.EntitlementKey) (a console.App, err error) {
	if a, err = tx.App(app); err != nil {
		return a, err
	}
	o := console.Object{App: &a}
	if o.EntitlementOwners, err = entitlementOwners(tx, app, e); err != nil {
		return a, err
	}
	if person != "" {
		p, err := tx.Person(person)
		if err != nil {
			return a, err
		}
		o.Person = &p
	}
	err = console.RemoveAccess.Check(me, o)
	if err != nil && !console.SeeAccessCounts.Of(me, o) && !console.SeePeople.Of(me, o) {
		err = hidden("app", err)
	}
	return a, err
}

// entitlementOwners returns the owners of an entitlement.
func entitlementOwners(tx *store.Tx, app console.ID, e console.EntitlementKey) ([]console.ID, error) {
	versions, err := tx.RequestSettings(app, e)
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	return versions[0].Settings.Owners, nil
}

// removableFrom is removable for an account.
func removableFrom(tx *store.Tx, me console.Person, app console.ID, account console.ResourceKey, e console.EntitlementKey) (console.App, error) {
	subject, _, err := tx.AccountPerson(account, time.Time{})
	if err != nil {
		return console.App{}, err
	}
	return removable(tx, me, app, subject, e)
}

// RemoveAccess removes an access according to the policy for its revocation: all reasons end, a bar
// keeps rules from granting it again, and an operation revokes it, at once or after an approval. For
// [console.AccountItself] the account is disabled.
func (c *Console) RemoveAccess(ctx context.Context, caller Caller, app console.ID, account console.ResourceKey, e console.EntitlementKey, why string) (done approve.Removed, err error) {
	err = c.guarded(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) (o console.Operation, err error) {
		a, err := removableFrom(tx, me, app, account, e)
		if err != nil {
			return o, err
		}
		if why, err = because(why); err != nil {
			return o, err
		}
		connector, _, err := showing(tx, a, account)
		if err != nil {
			return whileMissing(tx, byHand(a, "", account, e, console.Revoke, why), err)
		}
		access, err := tx.Access(a.ID, account, e, c.now())
		if err != nil {
			return o, err
		}
		if !access.Held && access.Operation == nil {
			return o, baton.Errorf(baton.Refused, "the account does not hold it").WithFix("Nothing has to be done.")
		}
		o = byHand(a, connector, account, e, console.Revoke, why)
		done, err = approve.Remove(tx, o)
		return o, err
	})
	return done, err
}

// RemoveAccessOf is RemoveAccess for a person. account may be 0 if only one account of the person
// holds the access.
func (c *Console) RemoveAccessOf(ctx context.Context, caller Caller, app, person console.ID, account console.ResourceKey, e console.EntitlementKey, why string) (done approve.Removed, err error) {
	err = c.read(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) error {
		a, err := removable(tx, me, app, person, e)
		if err != nil {
			return err
		}
		s, err := approve.Look(tx, console.Request{Kind: console.RequestRevoke, Removal: console.CauseManual, App: a.ID, Account: account, Entitlement: e,
			Subject: person, Requester: me.ID}, c.now())
		if err != nil {
			return err
		}
		if s.Account == nil {
			return baton.Errorf(baton.Refused, "%s has no account in the application", s.Subject.Name).WithFix("Nothing has to be done.")
		}
		account = s.Account.Key
		return nil
	})
	if err != nil {
		return done, err
	}
	return c.RemoveAccess(ctx, caller, app, account, e, why)
}

// EnableAccount enables an account and lifts its bar. Nobody may enable their own account.
func (c *Console) EnableAccount(ctx context.Context, caller Caller, app console.ID, account console.ResourceKey, why string) (id console.ID, err error) {
	err = c.guarded(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) (o console.Operation, err error) {
		a, err := changeableApp(tx, me, app)
		if err != nil {
			return o, err
		}
		if why, err = because(why); err != nil {
			return o, err
		}
		connector, r, err := showing(tx, a, account)
		if err != nil {
			return whileMissing(tx, byHand(a, "", account, console.AccountItself, console.Grant, why), err)
		}
		o = byHand(a, connector, account, console.AccountItself, console.Grant, why)
		if err := notOneself(tx, me, account); err != nil {
			return o, err
		}
		bar, err := tx.Bar(account, console.AccountItself)
		if err != nil {
			return o, err
		}
		if console.HasAccount(true, r.Status) && bar == nil {
			return o, baton.Errorf(baton.Refused, "the account is enabled already").WithFix("Nothing has to be done.")
		}
		if bar != nil {
			if err := tx.LiftBar(bar.ID, why); err != nil {
				return o, err
			}
		}
		created, err := tx.CreateOperation(o, store.Circumstances{ByHand: true})
		id = created.ID
		return o, err
	})
	return id, err
}

// notOneself refuses a change to the person's own account.
func notOneself(tx *store.Tx, me console.Person, account console.ResourceKey) error {
	subject, _, err := tx.AccountPerson(account, time.Time{})
	if err != nil {
		return err
	}
	return console.Decision{Actor: me.Canonical(), Subject: subject}.CheckSelf(func(id console.ID) console.ID { return id })
}

// Consequence is the effect of a manual change, shown before it is made.
type Consequence struct {
	May      bool // the caller has the right
	Refusal  string
	Fix      string
	Warnings []string
	Seat     *console.SeatChange // nil if the seats stay, or nobody typed them in
	Back     []string            // the entitlements that an account holds again when it is enabled
	// Decides says who decides before access is removed; nil for other changes.
	Decides *Deciders
}

// Deciders are the people who would be asked about a change, with their names.
type Deciders struct {
	approve.Preview
	Names Names
}

// consequence returns the effect of granting or revoking an access by hand. may reports whether the
// person has the right.
func (c *Console) consequence(tx *store.Tx, me console.Person, may bool, a console.App, account console.ResourceKey, e console.EntitlementKey, verb console.Verb) (q Consequence, err error) {
	if q.May = may; !may {
		return q, nil
	}
	connector, _, err := showing(tx, a, account)
	if baton.KindOf(err) == baton.NotFound {
		q.May = false
		return q, nil
	}
	if err != nil {
		return q, err
	}
	o := byHand(a, connector, account, e, verb, "")
	o.Cause.By = console.ByPerson(me.Canonical())
	m, err := tx.Moment(a.ID, time.Time{})
	if err != nil {
		return q, err
	}
	master := ""
	if e != console.AccountItself {
		if master, err = c.masterOfKey(tx, m, a.ID, e); err != nil {
			return q, err
		}
	}
	p, err := tx.Foresee(o, store.Circumstances{ByHand: true, MasteredBy: master})
	if err != nil {
		return q, err
	}
	if refusal := p.Check(); refusal != nil {
		q.Refusal, q.Fix = refusal.Error(), baton.FixOf(refusal)
	}
	q.Warnings = p.Warnings()
	if e == console.AccountItself {
		if err := c.seatOfAccount(tx, o, &q); err != nil {
			return q, err
		}
	}
	if verb == console.Revoke {
		if err := q.decides(tx, me, a, account, e, c.now()); err != nil {
			return q, err
		}
	}
	if e == console.AccountItself && verb == console.Grant {
		facts, err := tx.HeldBy(m, account, 0, 20)
		if err != nil {
			return q, err
		}
		for _, f := range facts {
			held, err := tx.Entitlement(m, f.Entitlement)
			if err != nil {
				return q, err
			}
			q.Back = append(q.Back, held.Name)
		}
	}
	return q, nil
}

// decides adds who would decide about the removal of an access.
func (q *Consequence) decides(tx *store.Tx, me console.Person, a console.App, account console.ResourceKey, e console.EntitlementKey, now time.Time) error {
	subject, _, err := tx.AccountPerson(account, time.Time{})
	if err != nil {
		return err
	}
	p, err := approve.Consider(tx, console.Request{Kind: console.RequestRevoke, Removal: console.CauseManual, App: a.ID, Entitlement: e, Account: account, Subject: subject, Requester: me.ID}, now)
	if baton.KindOf(err) == baton.NotFound { // no sync shows the entitlement any more
		q.May = false
		return nil
	}
	if err != nil {
		return err
	}
	q.Decides = &Deciders{p, Names{}}
	if p.Refused != nil && q.Refusal == "" {
		q.Refusal, q.Fix = p.Refused.Error(), baton.FixOf(p.Refused)
	}
	return q.Decides.Names.addAsked(tx, p.Steps)
}

// Removal returns an access with the effect of its removal, for somebody who may remove it.
func (c *Console) Removal(ctx context.Context, caller Caller, app console.ID, account console.ResourceKey, e console.EntitlementKey) (v AccessView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v = AccessView{}
		if v.App, err = removableFrom(tx, me, app, account, e); err != nil {
			return err
		}
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		return c.accessNow(tx, me, true, m, account, e, &v)
	})
	return v, err
}

// accessNow adds an access of v.App as it is now, and what the caller may do about it. may reports
// whether the caller may remove it.
func (c *Console) accessNow(tx *store.Tx, me console.Person, may bool, m store.Moment, account console.ResourceKey, e console.EntitlementKey, v *AccessView) (err error) {
	if v.Account, v.Gone, err = c.accountOf(tx, m, v.App, account); err != nil {
		return err
	}
	if e == console.AccountItself {
		v.Entitlement.Entitlement = accountEntitlement
	} else if v.Entitlement, _, err = c.entitlementOf(tx, m, v.App, e); err != nil {
		return err
	}
	if v.Access, err = tx.AccessIn(m, v.App.ID, account, e, 0, c.now()); err != nil {
		return err
	}
	v.State = v.Access.State(c.now())
	v.Until, _ = console.Expiry(v.Access.Reasons, v.Access.Bar, c.now())
	v.Remove, err = c.consequence(tx, me, may, v.App, account, e, console.Revoke)
	return err
}
