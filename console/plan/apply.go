package plan

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// carried is the number of rows that are carried out in one transaction, because other commands wait
// for it.
const carried = 50

// Advance does what is to be done about a plan: it computes a draft, carries out what was applied, and
// completes what is over. It can be stopped at any time and goes on where it was.
func Advance(ctx context.Context, s *store.Store, now func() time.Time, id console.ID) error {
	var p console.RemovalPlan
	err := s.View(ctx, func(t *store.Tx) (err error) {
		p, err = t.Plan(id)
		return err
	})
	if err != nil {
		return err
	}
	switch p.State {
	case console.PlanDraft:
		return Compute(ctx, s, console.By{At: now(), Actor: console.Console}, id)
	case console.PlanApplying:
		return carry(ctx, s, now, p)
	case console.PlanVerifying:
		return complete(ctx, s, now, p)
	}
	return nil
}

// carry carries out the rows of a plan that are left. What it does, it does as the person who applied
// the plan.
func carry(ctx context.Context, s *store.Store, now func() time.Time, p console.RemovalPlan) error {
	for more := true; more; {
		as := console.By{At: now(), Actor: console.ByPerson(p.AppliedBy)}
		err := s.Update(ctx, as, func(t *store.Tx) (err error) {
			more, err = some(t, p)
			return err
		})
		row := (*rowError)(nil)
		if errors.As(err, &row) { // nothing was written
			more = true
			err = s.Update(ctx, as, func(t *store.Tx) error { return row.refuse(t, p) })
		}
		if err != nil {
			return err
		}
	}
	return s.Update(ctx, console.By{At: now(), Actor: console.Console}, func(t *store.Tx) error {
		p, err := t.LockPlan(p.ID)
		if err != nil || p.State != console.PlanApplying {
			return err
		}
		_, err = t.MovePlan(p, console.PlanVerifying)
		return err
	})
}

// rowError is the error of a row that is not carried out. What was written for it, and for others in the
// same transaction, is undone.
type rowError struct {
	row console.PlanRow
	o   console.Operation
	err error
}

func (e *rowError) Error() string { return e.err.Error() }

func (e *rowError) refuse(t *store.Tx, p console.RemovalPlan) error {
	return refuse(t, p, e.row, e.o, e.err)
}

// refuse writes why a row is not carried out. The refusal of a guard is an event, too.
func refuse(t *store.Tx, p console.RemovalPlan, r console.PlanRow, o console.Operation, err error) error {
	r.State, r.Said, r.Fix = console.RowRefused, sentence(err), baton.FixOf(err)
	if refusal := (*console.Refusal)(nil); errors.As(err, &refusal) {
		if err := t.DenyOperation(o, refusal); err != nil {
			return err
		}
	}
	return t.EndPlanRow(p.ID, r)
}

// some carries out the next rows of a plan.
func some(t *store.Tx, p console.RemovalPlan) (more bool, err error) {
	now, err := t.LockPlan(p.ID)
	if err != nil || now.State != console.PlanApplying {
		return false, err
	}
	rows, err := t.PlannedRows(p.ID, carried)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	if i := slices.IndexFunc(rows, func(r console.PlanRow) bool { return r.Asks }); i >= 0 {
		rows = rows[:max(i, 1)] // such a row has a transaction of its own
	}
	c := computer{t: t, plan: now, now: t.By().At, apps: map[console.ID]*appFacts{}, locked: true}
	if err := c.read(rows); err != nil {
		return false, err
	}
	for _, r := range rows {
		if err := c.carry(r); err != nil {
			return false, err
		}
	}
	return true, nil
}

// carry carries out one row, if it is still what whoever applied the plan looked at and the guards
// allow it.
func (c *computer) carry(r console.PlanRow) error {
	current := r
	if err := c.row(&current); err != nil {
		return err
	}
	a := c.apps[r.App]
	o := c.operation(current, a.connector[r.Account])
	guarded := current
	guarded.State, guarded.Facts.Guard, guarded.Facts.To = r.State, r.Facts.Guard, r.Facts.To
	switch {
	case current.State == console.RowBlocked && bytes.Equal(guarded.Line(), r.Line()):
		return c.blocked(r, o, current)
	case !bytes.Equal(current.Line(), r.Line()):
		r.State, r.Said, r.Fix = console.RowChanged, r.ChangedTo(current), "Make another plan."
		return c.t.EndPlanRow(c.plan.ID, r)
	}
	if err := c.notOneself(current); err != nil {
		return refuse(c.t, c.plan, r, o, err)
	}
	if current.Asks {
		return c.ask(r, o)
	}
	return c.remove(r, o)
}

// Refusal returns the refusal of a guard if it forbids all rows of a plan that could be carried out, with
// the change of the first of them. me is who applies the plan. The error is nil if a row may be carried
// out, or if no guard forbids one.
func Refusal(t *store.Tx, p console.RemovalPlan, me console.ID) (o console.Operation, err error) {
	blocked, err := t.PlanRows(p.ID, store.PlanRowFilter{Result: console.PlanResult(console.RowBlocked)}, 0, 1)
	if err != nil {
		return o, err
	}
	mine := store.PlanRowFilter{Result: console.PlanResult(console.RowPlanned), Person: me}
	own, err := t.PlanRows(p.ID, mine, 0, 1)
	if err != nil {
		return o, err
	}
	number, err := t.CountPlanRows(p.ID, mine)
	if err != nil || number < p.Summary.Planned {
		return o, err
	}
	rows := append(own, blocked...)
	if len(rows) == 0 {
		return o, nil
	}
	p.AppliedBy = me
	c := computer{t: t, plan: p, now: t.By().At, apps: map[console.ID]*appFacts{}}
	if err := c.read(rows[:1]); err != nil {
		return o, err
	}
	o = c.operation(rows[0], c.apps[rows[0].App].connector[rows[0].Account])
	if len(own) > 0 {
		return o, c.notOneself(rows[0])
	}
	proposal, err := t.Foresee(o, store.Circumstances{})
	if err != nil {
		return o, err
	}
	return o, proposal.Check()
}

// blocked writes that a guard refuses a row now.
func (c *computer) blocked(r console.PlanRow, o console.Operation, current console.PlanRow) error {
	p, err := c.t.Proposal(o, store.Circumstances{Ground: c.apps[r.App].grounds[o.Connector]})
	if err != nil {
		return err
	}
	if err := p.Check(); err != nil {
		return refuse(c.t, c.plan, r, o, err)
	}
	r.State, r.Said, r.Fix = console.RowRefused, current.Said, current.Fix
	return c.t.EndPlanRow(c.plan.ID, r)
}

// notOneself refuses that somebody decides about their own access by applying a plan. Reviewers have
// decided about the rows of a campaign.
func (c *computer) notOneself(r console.PlanRow) error {
	if c.plan.Cause.Kind.Decided() {
		return nil
	}
	me, err := c.t.Canonical(c.plan.AppliedBy)
	if err != nil {
		return err
	}
	return console.Decision{Actor: me, Subject: r.Facts.Owner}.CheckSelf(func(id console.ID) console.ID { return id })
}

// ask files a request for the removal, about which people decide first.
func (c *computer) ask(r console.PlanRow, o console.Operation) error {
	done, err := approve.Remove(c.t, o)
	if k := baton.KindOf(err); err != nil && (k == baton.Refused || k == baton.AlreadyExists || k == baton.Invalid) {
		return &rowError{r, o, err}
	}
	if err != nil {
		return err
	}
	r.State, r.Request = console.RowAsked, done.Request
	return c.t.EndPlanRow(c.plan.ID, r)
}

// remove creates the operations of a row.
func (c *computer) remove(r console.PlanRow, o console.Operation) error {
	a := c.apps[r.App]
	f := a.by[r.Entitlement]
	removal := approve.Removal{Operation: o, Access: f.accesses[r.Account], Able: f.able[o.Connector], Ground: a.grounds[o.Connector]}
	if r.Facts.To != 0 {
		grant, err := c.grant(r, o)
		if err != nil {
			return c.refused(r, o, err)
		}
		r.Grant = grant
	}
	made, err := approve.RemoveNow(c.t, removal)
	if err != nil {
		return c.refused(r, o, err)
	}
	r.State, r.Operation = console.RowCarried, made.ID
	return c.t.EndPlanRow(c.plan.ID, r)
}

// refused returns the error of the guard that refuses a row, so that what was written for the row is
// undone.
func (c *computer) refused(r console.PlanRow, o console.Operation, err error) error {
	if refusal := (*console.Refusal)(nil); errors.As(err, &refusal) {
		r.Grant = ""
		return &rowError{r, o, err}
	}
	return err
}

// grant creates the operation that grants the lower role.
func (c *computer) grant(r console.PlanRow, o console.Operation) (console.ID, error) {
	a := c.apps[r.App]
	o.Entitlement, o.Verb = r.Facts.To, console.Grant
	able, err := approve.Able(c.t, o.Connector, a.moment, o.Entitlement)
	if err != nil {
		return "", err
	}
	access, err := c.t.AccessIn(a.moment, r.App, r.Account, o.Entitlement, 0, c.now)
	if err != nil {
		return "", err
	}
	made, err := approve.Lower(c.t, approve.Removal{Operation: o, Access: access, Able: able, Ground: a.grounds[o.Connector]},
		console.Reason{App: r.App, Account: r.Account, Entitlement: o.Entitlement, Kind: console.ReasonManual, Ref: string(c.plan.ID)})
	return made.ID, err
}

// complete completes a plan when all its rows are over.
func complete(ctx context.Context, s *store.Store, now func() time.Time, p console.RemovalPlan) error {
	return s.Update(ctx, console.By{At: now(), Actor: console.Console}, func(t *store.Tx) error {
		counts, err := t.CountPlanResults(p.ID)
		if err != nil {
			return err
		}
		for result, n := range counts {
			if n > 0 && result.Open() {
				return nil // whoever ends one of them calls again
			}
		}
		_, err = t.MovePlan(p, console.PlanComplete)
		return err
	})
}
