package govern

import (
	"context"
	"errors"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/automate"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// AutomationTarget says for whom an automation is tried or run: a person's e-mail address, the id or
// the login of an account, or "" for nobody.
type AutomationTarget struct {
	Whom string
	Form map[string]string
	Why  string
}

// execution returns the execution for a target.
func (t AutomationTarget) execution(tx *store.Tx, a console.Automation, rule console.AutomationRule) (x console.AutomationExecution, err error) {
	x.Trigger = console.TriggerData{Kind: rule.Trigger.Kind, Form: map[string]string{}, Why: strings.TrimSpace(t.Why)}
	if len(x.Trigger.Why) > maxWhy {
		return x, baton.Errorf(baton.Invalid, "the reason is longer than %d characters", maxWhy)
	}
	for _, f := range rule.Trigger.Form {
		v := strings.TrimSpace(t.Form[f.Name])
		if v == "" && f.Required {
			return x, baton.Errorf(baton.Invalid, "“%s” has no answer", f.Label)
		}
		if len(v) > maxWhy {
			return x, baton.Errorf(baton.Invalid, "the answer to “%s” is longer than %d bytes", f.Label, maxWhy)
		}
		x.Trigger.Form[f.Name] = v
	}
	whom := strings.TrimSpace(t.Whom)
	if whom == "" {
		return x, nil
	}
	m, err := tx.Moment(a.App, time.Time{})
	if err != nil {
		return x, err
	}
	if strings.Contains(whom, "@") {
		p, err := tx.PersonByEmail(console.NormalizeEmail(whom))
		if err == nil {
			x.Person = p.Canonical()
			x.Account, err = onlyAccount(tx, m, x.Person)
			return x, err
		}
		if baton.KindOf(err) != baton.NotFound {
			return x, err
		}
	}
	account, err := rpcstore.AccountByID(tx, m, "", whom)
	if baton.KindOf(err) == baton.Invalid {
		byLogin, e := tx.AccountsByLogin(m, whom)
		if e != nil {
			return x, e
		}
		if len(byLogin) != 1 {
			return x, baton.Errorf(baton.Invalid, "there is no person with the address %q, and no account with that id or login", whom)
		}
		account, err = byLogin[0], nil
	}
	if err != nil {
		return x, err
	}
	x.Account = account.Key
	x.Person, _, err = tx.AccountPerson(account.Key, time.Time{})
	return x, err
}

// onlyAccount returns the account of a person in an app; 0 if there is none.
func onlyAccount(tx *store.Tx, m store.Moment, person console.ID) (key console.ResourceKey, err error) {
	keys, err := tx.AccountsOf(person)
	for _, k := range keys {
		if err != nil {
			return 0, err
		}
		_, err = tx.Account(m, k)
		switch {
		case baton.KindOf(err) == baton.NotFound:
			err = nil
		case err == nil && key != 0:
			return 0, baton.Errorf(baton.Refused, "the person has several accounts in the application").WithFix("Enter the id of one of them.")
		case err == nil:
			key = k
		}
	}
	return key, err
}

// DryRun lists the steps and operations that an automation would do.
type DryRun struct {
	Automation console.Automation
	Whom       string
	Steps      []ExecutedStep
	List       []byte // one JSON object for each change
	Draft      bool   // of the draft, and not of the published version
}

// ExecutedStep is a step of an execution, or of a dry run.
type ExecutedStep struct {
	console.AutomationStepRun
	Does  string
	Lines []ExecutedChange
}

// ExecutedChange is a change with its description.
type ExecutedChange struct {
	console.AutomationChange
	Does string
}

// TestAutomation shows what the draft of an automation would do for a target now, or the published
// version if draft is false. It does the steps in a transaction that is rolled back: nothing changes,
// and nothing is sent.
func (c *Console) TestAutomation(ctx context.Context, caller Caller, id console.ID, target AutomationTarget, draft bool) (d DryRun, err error) {
	err = c.change(ctx, caller, configuring.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		d = DryRun{Whom: target.Whom, Draft: draft}
		a, app, err := seeAutomation(tx, me, id, console.ManageAutomations)
		if err != nil {
			return err
		}
		if err := console.SeeAccess.Check(me, console.Object{App: &app}); err != nil {
			return err
		}
		d.Automation = a
		v := console.AutomationVersion{Automation: a.ID, Version: a.Published, AutomationRule: a.Draft, Author: a.Author, Publisher: me.Canonical()}
		if !draft {
			if v, err = tx.AutomationVersion(id, a.Published); err != nil {
				return err
			}
		}
		x, err := target.execution(tx, a, v.AutomationRule)
		if err != nil {
			return err
		}
		steps, err := automate.DryRun(tx, a, v, x)
		if err != nil {
			return err
		}
		var list []console.AutomationChange
		for _, s := range steps {
			list = append(list, s.Changes...)
		}
		d.List = console.ChangeList(list)
		if d.Steps, err = c.executed(tx, v.AutomationRule, steps); err != nil {
			return err
		}
		return automate.ErrDry
	})
	if errors.Is(err, automate.ErrDry) {
		err = nil
	}
	return d, err
}

// executed describes steps.
func (c *Console) executed(tx *store.Tx, rule console.AutomationRule, steps []console.AutomationStepRun) (all []ExecutedStep, err error) {
	for _, s := range steps {
		e := ExecutedStep{AutomationStepRun: s}
		if s.Number < len(rule.Steps) {
			if e.Does, err = (automationText{tx}).step(rule.Steps[s.Number]); err != nil {
				return nil, err
			}
		}
		for _, change := range s.Changes {
			does, err := changeText(tx, change)
			if err != nil {
				return nil, err
			}
			e.Lines = append(e.Lines, ExecutedChange{change, does})
		}
		all = append(all, e)
	}
	return all, nil
}

// RunAutomation runs an automation on demand.
func (c *Console) RunAutomation(ctx context.Context, caller Caller, id console.ID, target AutomationTarget) (execution console.ID, err error) {
	err = c.change(ctx, caller, configuring.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		a, _, err := seeAutomation(tx, me, id, console.ManageAutomations)
		if err != nil {
			return err
		}
		if target.Why, err = because(target.Why); err != nil {
			return err
		}
		if a.Published == 0 {
			return baton.Errorf(baton.Refused, "the automation is not published").WithFix("Publish it first, or try it.")
		}
		v, err := tx.AutomationVersion(id, a.Published)
		if err != nil {
			return err
		}
		if v.Trigger.Kind != console.TriggerOnDemand {
			return baton.Errorf(baton.Refused, "the automation does not run on demand").WithFix("It runs when its trigger fires.")
		}
		x, err := target.execution(tx, a, v.AutomationRule)
		if err != nil {
			return err
		}
		x, err = automate.RunNow(tx, v, x)
		execution = x.ID
		return err
	})
	return execution, err
}

// PauseAutomation stops an automation until somebody resumes it. What begins or goes on meanwhile
// waits.
func (c *Console) PauseAutomation(ctx context.Context, caller Caller, id console.ID, why string) error {
	return c.change(ctx, caller, configuring.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		a, _, err := seeAutomation(tx, me, id, console.PauseAutomations)
		if err != nil {
			return err
		}
		if a.State != console.AutomationOn {
			return baton.Errorf(baton.Refused, "the automation does not run already")
		}
		if why, err = because(why); err != nil {
			return err
		}
		return tx.SetAutomationState(id, console.AutomationPaused, why)
	})
}

// releasedAtOnce is the number of executions that are released in one transaction.
const releasedAtOnce = 200

// ResumeAutomation lets an automation run again. What waits for a person runs if run is true, or else
// is cancelled.
func (c *Console) ResumeAutomation(ctx context.Context, caller Caller, id console.ID, run bool, why string) error {
	err := c.change(ctx, caller, configuring.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
		a, _, err := seeAutomation(tx, me, id, console.ManageAutomations)
		if err != nil {
			return err
		}
		if err := c.recentOrClient(caller); err != nil {
			return err
		}
		if why, err = because(why); err != nil {
			return err
		}
		counts, err := tx.CountExecutions(id)
		if err != nil {
			return err
		}
		held := counts[console.ExecutionHeld]
		if a.State == console.AutomationOn && held == 0 {
			return baton.Errorf(baton.Refused, "the automation runs, and nothing waits")
		}
		if a.State == console.AutomationStopped && a.Published > 0 {
			v, err := tx.AutomationVersion(id, a.Published)
			if err != nil {
				return err
			}
			if problem, err := automate.CheckRun(tx, a, v); err != nil || problem != "" {
				if err == nil {
					err = baton.Errorf(baton.Refused, "%s", strings.TrimSuffix(problem, ".")).WithFix("Choose another owner, or publish it again.")
				}
				return err
			}
		}
		if err := tx.SetAutomationState(id, console.AutomationOn, why); err != nil || held == 0 {
			return err
		}
		return tx.Released(a, held, run, why)
	})
	for more := err == nil; more; {
		err = c.change(ctx, caller, configuring.ofAutomation(id), func(tx *store.Tx, me console.Person) error {
			n, err := tx.ReleaseHeld(id, run, why, releasedAtOnce)
			more = n == releasedAtOnce
			return err
		})
		more = more && err == nil
	}
	return err
}

// PauseAutomations stops all automations, or lets them run again.
func (c *Console) PauseAutomations(ctx context.Context, caller Caller, paused bool, why string) error {
	return c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := console.PauseAutomations.Check(me, console.Object{}); err != nil {
			return err
		}
		why, err := because(why)
		if err != nil {
			return err
		}
		p, err := tx.Pauses()
		if err != nil || p.Automations == paused {
			return err
		}
		if p.Automations = paused; paused || !p.Writes && !p.Mail && !p.Webhooks {
			p.Why = why
		}
		return tx.SetPauses(p)
	})
}

// AutomationsPaused reports whether all automations are paused, for the banner of every page.
func (c *Console) AutomationsPaused(ctx context.Context, caller Caller) (paused bool, err error) {
	err = c.read(ctx, caller, own, func(tx *store.Tx, me console.Person) error {
		paused = false
		p, err := tx.Pauses()
		if err != nil || !p.Automations {
			return err
		}
		all, err := tx.Automations("")
		if err != nil {
			return err
		}
		for _, a := range all {
			app, err := tx.App(a.App)
			if err != nil {
				return err
			}
			paused = paused || console.SeeAutomations.Of(me, console.Object{App: &app})
		}
		return nil
	})
	return paused, err
}

// ExecutionsView is a page of executions of an automation.
type ExecutionsView struct {
	Automation console.Automation
	App        console.App
	All        []ExecutionRow
	Next       store.ExecutionBefore // the zero value at the end
	MayChange  bool
}

// ExecutionRow is an execution with names.
type ExecutionRow struct {
	console.AutomationExecution
	Whom, ByName, When string
}

// Executions returns a page of executions of an automation, the newest first.
func (c *Console) Executions(ctx context.Context, caller Caller, automation console.ID, state console.ExecutionState, before store.ExecutionBefore, n int) (v ExecutionsView, err error) {
	err = c.read(ctx, caller, reading.ofAutomation(automation), func(tx *store.Tx, me console.Person) error {
		v = ExecutionsView{}
		a, app, err := seeAutomation(tx, me, automation, console.SeeAccess)
		if err != nil {
			return err
		}
		v.Automation, v.App, v.MayChange = a, app, console.ManageAutomations.Of(me, console.Object{App: &app})
		all, err := tx.Executions(a.ID, state, before, n+1)
		if err != nil {
			return err
		}
		if len(all) > n {
			all = all[:n]
			v.Next = store.ExecutionBefore{Created: all[n-1].Created, ID: all[n-1].ID}
		}
		people := Names{}
		for _, x := range all {
			row, err := executionRow(tx, people, x)
			if err != nil {
				return err
			}
			v.All = append(v.All, row)
		}
		return nil
	})
	return v, err
}

func executionRow(tx *store.Tx, people Names, x console.AutomationExecution) (row ExecutionRow, err error) {
	row.AutomationExecution = x
	if err := people.add(tx, x.Person, x.By.Person(), x.Confirmed); err != nil {
		return row, err
	}
	row.Whom, row.ByName = people.Of(x.Person), people.Of(x.By.Person())
	if x.Account != 0 {
		account, err := accountName(tx, x.Account)
		if err != nil {
			return row, err
		}
		if row.Whom == "" {
			row.Whom = account
		} else if account != row.Whom {
			row.Whom += " (" + account + ")"
		}
	}
	rule, _ := x.Trigger.Kind.Rule()
	row.When = rule.Label
	if x.Parent != "" {
		row.When = "Another automation ran it"
	}
	return row, nil
}

// ExecutionView is an execution with its steps.
type ExecutionView struct {
	ExecutionRow
	Automation console.Automation
	App        console.App
	Steps      []ExecutedStep
	List       []byte // of all changes
	MayCancel  bool
	Confirmer  string
}

// Execution returns an execution.
func (c *Console) Execution(ctx context.Context, caller Caller, automation, id console.ID) (v ExecutionView, err error) {
	err = c.read(ctx, caller, reading.ofAutomation(automation), func(tx *store.Tx, me console.Person) error {
		v = ExecutionView{}
		a, app, err := seeAutomation(tx, me, automation, console.SeeAccess)
		if err != nil {
			return err
		}
		x, err := executionOf(tx, a, id)
		if err != nil {
			return err
		}
		v.Automation, v.App = a, app
		v.MayCancel = console.PauseAutomations.Of(me, console.Object{App: &app}) && !x.State.Ended()
		people := Names{}
		if v.ExecutionRow, err = executionRow(tx, people, x); err != nil {
			return err
		}
		v.Confirmer = people.Of(x.Confirmed)
		version, err := tx.AutomationVersion(a.ID, x.Version)
		if err != nil {
			return err
		}
		steps, err := tx.AutomationSteps(id)
		if err != nil {
			return err
		}
		if v.Steps, err = c.executed(tx, version.AutomationRule, steps); err != nil {
			return err
		}
		list, err := automate.Changes(tx, id)
		v.List = console.ChangeList(list)
		return err
	})
	return v, err
}

// executionOf returns an execution of an automation.
func executionOf(tx *store.Tx, a console.Automation, id console.ID) (console.AutomationExecution, error) {
	x, err := tx.Execution(id)
	if err == nil && x.Automation != a.ID {
		err = baton.Errorf(baton.NotFound, "no execution")
	}
	return x, err
}

// CancelExecution ends an execution. Changes that it asked for already are not undone.
func (c *Console) CancelExecution(ctx context.Context, caller Caller, automation, id console.ID, why string) error {
	return c.change(ctx, caller, configuring.ofAutomation(automation), func(tx *store.Tx, me console.Person) error {
		a, _, err := seeAutomation(tx, me, automation, console.PauseAutomations)
		if err != nil {
			return err
		}
		if _, err := executionOf(tx, a, id); err != nil {
			return err
		}
		if why, err = because(why); err != nil {
			return err
		}
		return automate.Cancel(tx, id, why)
	})
}
