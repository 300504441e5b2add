package govern

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/automate"
	"baton/console/store"
)

// RequestableAutomation is an automation that people may request.
type RequestableAutomation struct {
	ID            console.ID
	Name, AppName string
	Form          []console.RequestField
}

// AutomationDesk lists what a person may request, and which requests wait for the person.
type AutomationDesk struct {
	Requestable []RequestableAutomation
	Asked       []AutomationRequestRow // the person is asked about them
	Mine        []AutomationRequestRow // the person filed them, or they are about the person
}

// AutomationRequestRow is a request with names.
type AutomationRequestRow struct {
	ExecutionRow
	Request                console.AutomationRequest
	Name, AppName, ByWhom  string
	AskedNames             []string
	Step                   console.PlanStep // the current one
	MayDecide, NeedsStepUp bool
}

// AutomationDesk returns what the caller may request, and which requests wait for the caller.
func (c *Console) AutomationDesk(ctx context.Context, caller Caller) (d AutomationDesk, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		d = AutomationDesk{}
		published, err := tx.PublishedAutomations()
		if err != nil {
			return err
		}
		for _, v := range published {
			if v.Trigger.Kind != console.TriggerRequest {
				continue
			}
			a, app, err := requestable(tx, v.Automation)
			if baton.KindOf(err) == baton.NotFound {
				continue
			}
			if err != nil {
				return err
			}
			d.Requestable = append(d.Requestable, RequestableAutomation{a.ID, a.Name, app.Name, v.Trigger.Form})
		}
		open, err := tx.AskingExecutions()
		if err != nil {
			return err
		}
		for _, x := range open {
			row, err := automationRequestRow(tx, me, x)
			if err != nil {
				return err
			}
			switch {
			case row.MayDecide:
				d.Asked = append(d.Asked, row)
			case row.Request.Requester == me.Canonical() || x.Person == me.Canonical():
				d.Mine = append(d.Mine, row)
			}
		}
		return nil
	})
	return d, err
}

// requestable returns an automation that people may request now. NotFound if they may not.
func requestable(tx *store.Tx, id console.ID) (a console.Automation, app console.App, err error) {
	if a, err = tx.Automation(id); err != nil {
		return a, app, err
	}
	if app, err = tx.App(a.App); err != nil {
		return a, app, err
	}
	if !a.Removed.IsZero() || !app.Removed.IsZero() || a.State != console.AutomationOn || a.Published == 0 {
		return a, app, baton.Errorf(baton.NotFound, "no automation")
	}
	return a, app, nil
}

func automationRequestRow(tx *store.Tx, me console.Person, x console.AutomationExecution) (row AutomationRequestRow, err error) {
	people := Names{}
	if row.ExecutionRow, err = executionRow(tx, people, x); err != nil {
		return row, err
	}
	if row.Request, err = tx.AutomationRequest(x.ID); err != nil {
		return row, err
	}
	a, err := tx.Automation(x.Automation)
	if err != nil {
		return row, err
	}
	app, err := tx.App(a.App)
	if err != nil {
		return row, err
	}
	row.Name, row.AppName = a.Name, app.Name
	for _, asked := range row.Request.Asked {
		if err := people.add(tx, asked.Person); err != nil {
			return row, err
		}
		row.AskedNames = append(row.AskedNames, people.Of(asked.Person))
	}
	if err := people.add(tx, row.Request.Requester); err != nil {
		return row, err
	}
	row.ByWhom = people.Of(row.Request.Requester)
	if row.Request.Step < len(row.Request.Plan.Steps) {
		row.Step = row.Request.Plan.Steps[row.Request.Step]
	}
	row.NeedsStepUp = row.Step.StepUp
	row.MayDecide = x.State == console.ExecutionAsking && row.Request.Asks(me.Canonical())
	return row, nil
}

// AutomationRequestForm returns an automation that the caller may request.
func (c *Console) AutomationRequestForm(ctx context.Context, caller Caller, id console.ID) (r RequestableAutomation, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		a, app, err := requestable(tx, id)
		if err != nil {
			return err
		}
		v, err := tx.AutomationVersion(a.ID, a.Published)
		if err == nil && v.Trigger.Kind != console.TriggerRequest {
			err = baton.Errorf(baton.NotFound, "no automation")
		}
		r = RequestableAutomation{a.ID, a.Name, app.Name, v.Trigger.Form}
		return err
	})
	return r, err
}

// RequestAutomation asks that an automation runs, for the caller or somebody for whom the caller may
// ask. It returns the execution.
func (c *Console) RequestAutomation(ctx context.Context, caller Caller, id console.ID, target AutomationTarget) (execution console.ID, err error) {
	err = c.change(ctx, caller, asking, func(tx *store.Tx, me console.Person) error {
		a, _, err := requestable(tx, id)
		if err != nil {
			return err
		}
		v, err := tx.AutomationVersion(a.ID, a.Published)
		if err == nil && v.Trigger.Kind != console.TriggerRequest {
			err = baton.Errorf(baton.NotFound, "no automation")
		}
		if err != nil {
			return err
		}
		if target.Why, err = because(target.Why); err != nil {
			return err
		}
		subject := me
		if whom := strings.TrimSpace(target.Whom); whom != "" {
			if subject, err = tx.PersonByEmail(console.NormalizeEmail(whom)); baton.KindOf(err) == baton.NotFound {
				err = baton.Errorf(baton.Invalid, "nobody has the address %q", whom)
			}
			if err != nil {
				return err
			}
		}
		if err := console.Ask.Check(me, console.Object{Person: &subject}); err != nil {
			return err
		}
		if subject.Status != console.PersonActive {
			return baton.Errorf(baton.Refused, "%s is not active", subject.Name)
		}
		target.Whom = ""
		x, err := target.execution(tx, a, v.AutomationRule)
		if err != nil {
			return err
		}
		m, err := tx.Moment(a.App, time.Time{})
		if err != nil {
			return err
		}
		x.Person = subject.Canonical()
		if x.Account, err = onlyAccount(tx, m, x.Person); err != nil {
			return err
		}
		x, err = automate.Request(tx, v, x, me.Canonical())
		execution = x.ID
		return err
	})
	return execution, err
}

// AutomationRequest returns a request, to those who filed it, whom it is about or who decide it, and to
// those who see the runs of the automation.
func (c *Console) AutomationRequest(ctx context.Context, caller Caller, execution console.ID) (row AutomationRequestRow, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		x, err := tx.Execution(execution)
		if err != nil {
			return err
		}
		if row, err = automationRequestRow(tx, me, x); err != nil {
			return err
		}
		return seeAutomationRequest(tx, me, x, row.Request)
	})
	return row, err
}

// seeAutomationRequest returns a NotFound error if a person may not see a request.
func seeAutomationRequest(tx *store.Tx, me console.Person, x console.AutomationExecution, q console.AutomationRequest) error {
	if mine := []console.ID{q.Requester, x.Person}; slices.Contains(append(mine, q.Decided()...), me.Canonical()) || q.Asks(me.Canonical()) {
		return nil
	}
	_, _, err := seeAutomation(tx, me, x.Automation, console.SeeAccess)
	return hidden("request", err)
}

// DecideAutomation decides about a request to run an automation.
func (c *Console) DecideAutomation(ctx context.Context, caller Caller, execution console.ID, approved bool, comment string) error {
	return c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		q, err := tx.AutomationRequest(execution)
		if err != nil {
			return err
		}
		x, err := tx.Execution(execution)
		if err != nil {
			return err
		}
		if err := seeAutomationRequest(tx, me, x, q); err != nil {
			return err
		}
		comment = strings.TrimSpace(comment)
		if len(comment) > maxWhy {
			return baton.Errorf(baton.Invalid, "the comment is longer than %d characters", maxWhy)
		}
		err = automate.Decide(tx, execution, me, approved, comment, c.recent(caller) == nil)
		if errors.Is(err, automate.ErrProve) {
			return ErrStepUp
		}
		return err
	})
}
