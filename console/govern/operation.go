package govern

import (
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// OperationRow is an operation with names for display.
type OperationRow struct {
	console.Operation
	console.Names
	Subject  console.Person // zero if the account has no owner
	By       string         // who caused it
	Sentence string
}

// OperationFilter selects operations of an app. The zero value selects all.
type OperationFilter string

const (
	AllOperations     OperationFilter = ""
	OpenOperations    OperationFilter = "open"
	FailedOperations  OperationFilter = "failed"
	UnknownOperations OperationFilter = "unknown"
	ManualOperations  OperationFilter = "manual"
	OverdueAccess     OperationFilter = "overdue"
)

func OperationFilters() []OperationFilter {
	return []OperationFilter{AllOperations, OpenOperations, FailedOperations, UnknownOperations, ManualOperations, OverdueAccess}
}

var operationStates = map[OperationFilter][]console.OperationState{
	AllOperations:     nil,
	OpenOperations:    {console.Waiting, console.Queued, console.Dispatched, console.Applied},
	FailedOperations:  {console.Failed, console.Declined, console.Contradicted},
	UnknownOperations: {console.Unknown},
	ManualOperations:  {console.Manual},
}

// OverdueRow is an overdue access with names for display.
type OverdueRow struct {
	console.Overdue
	console.Names
	Subject console.Person
}

// OperationPage is a page of a list of operations. Next is where the next page begins; nil at the
// end.
type OperationPage struct {
	Rows    []OperationRow
	Overdue []OverdueRow // with the filter OverdueAccess
	Late    int          // number of overdue accesses
	Next    *store.OperationBefore
}

// Operations returns up to n operations of an app, the newest first.
func (c *Console) Operations(ctx context.Context, caller Caller, app console.ID, filter OperationFilter, before store.OperationBefore, n int) (p OperationPage, err error) {
	if !slices.Contains(OperationFilters(), filter) {
		return p, baton.Errorf(baton.Invalid, "there is no filter of that name")
	}
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		p = OperationPage{}
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		if p.Late, err = tx.CountOverdue(a.ID); err != nil {
			return err
		}
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		if filter == OverdueAccess {
			all, err := tx.AllOverdue(a.ID, store.OverdueAfter{}, n)
			if err != nil {
				return err
			}
			for _, o := range all {
				row := OverdueRow{Overdue: o}
				row.Names, row.Subject, err = c.names(tx, m, a, console.Operation{Account: o.Account, Entitlement: o.Entitlement})
				if err != nil {
					return err
				}
				p.Overdue = append(p.Overdue, row)
			}
			return nil
		}
		all, err := tx.OperationsOf(store.OperationFilter{App: a.ID, States: operationStates[filter]}, before, n+1)
		if err != nil {
			return err
		}
		for i, o := range all {
			if i == n {
				last := all[i-1]
				p.Next = &store.OperationBefore{Created: last.Created, ID: last.ID}
				break
			}
			row, err := c.operationRow(tx, m, a, o)
			if err != nil {
				return err
			}
			p.Rows = append(p.Rows, row)
		}
		return nil
	})
	return p, err
}

func (c *Console) operationRow(tx *store.Tx, m store.Moment, a console.App, o console.Operation) (row OperationRow, err error) {
	row.Operation, row.Sentence = o, o.Sentence(c.now())
	if row.Names, row.Subject, err = c.names(tx, m, a, o); err != nil {
		return row, err
	}
	people := personNames{tx: tx, known: map[console.ID]string{}}
	people.add(o.Cause.By.Person())
	row.By = o.Cause.By.Name(people.known[o.Cause.By.Person()])
	return row, people.err
}

// names returns the names of an operation's access.
func (c *Console) names(tx *store.Tx, m store.Moment, a console.App, o console.Operation) (n console.Names, subject console.Person, err error) {
	n.App = a.Name
	if o.Account != 0 {
		r, _, err := lastAccount(tx, m, o.Account)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return n, subject, err
		}
		n.Account = r.Name
		if r.Account != nil {
			n.Login = r.Account.Login
		}
		if n.Account == "" {
			n.Account = r.ID
		}
		if subject, err = ownerOf(tx, o.Account); err != nil {
			return n, subject, err
		}
	} else if o.Person != "" {
		if subject, err = tx.Person(o.Person); err != nil {
			return n, subject, err
		}
		n.Account = subject.Name
		if len(subject.Emails) > 0 {
			n.Login = subject.Emails[0]
		}
	}
	if o.Entitlement == console.AccountItself {
		n.Entitlement = "Account"
		return n, subject, nil
	}
	e, _, err := c.entitlementOf(tx, m, a, o.Entitlement)
	if baton.KindOf(err) == baton.NotFound {
		return n, subject, nil
	}
	if n.Entitlement = e.Name; n.Entitlement == "" {
		n.Entitlement = e.ID
	}
	if e.Resource.ID != "" {
		n.On = e.Resource.Type + " " + e.Resource.Name
	}
	return n, subject, err
}

// OperationView is one operation.
type OperationView struct {
	OperationRow
	App       console.App
	Connector console.Connector
	Steps     []string // instructions for a person, if the connector cannot carry it out
	Overdue   *console.Overdue
	Timeline  Timeline
	MayChange bool
}

// Operation returns an operation of an app.
func (c *Console) Operation(ctx context.Context, caller Caller, app, id console.ID, at TimelineAt, n int) (v OperationView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		a, o, err := seeOperation(tx, me, app, id, console.SeeAccess)
		if err != nil {
			return err
		}
		v = OperationView{App: a, MayChange: console.ChangeAccess.Of(me, console.Object{App: &a})}
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		if v.OperationRow, err = c.operationRow(tx, m, a, o); err != nil {
			return err
		}
		if v.Connector, err = tx.Connector(o.Connector); err != nil {
			return err
		}
		if o.State == console.Manual {
			v.Steps = o.Steps(v.Names)
		}
		if v.Overdue, err = tx.Overdue(o.Account, o.Entitlement); err != nil {
			return err
		}
		if console.SeeAudit.Of(me, console.Object{App: &a}) {
			v.Timeline, err = c.timeline(tx, timelineOf{events: []store.EventFilter{{Object: string(o.ID)}}}, at, n)
		}
		return err
	})
	return v, err
}

func seeOperation(tx *store.Tx, me console.Person, app, id console.ID, right console.Right) (console.App, console.Operation, error) {
	a, err := seeApp(tx, me, app, console.SeeAccess)
	if err != nil {
		return a, console.Operation{}, err
	}
	o, err := tx.Operation(id)
	if err == nil && o.App != a.ID {
		err = baton.Errorf(baton.NotFound, "no operation")
	}
	if err != nil {
		return a, o, err
	}
	return a, o, right.Check(me, console.Object{App: &a})
}
