package store

import (
	"encoding/json"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const executionColumns = "id, automation, version, app, cause, data, person, account, parent, chain, state, step, waits, created, created_by, began, finished, confirmed, why, changes"

func scanExecution(r engine.Row) console.AutomationExecution {
	x := console.AutomationExecution{ID: console.ID(r.Text(0)), Automation: console.ID(r.Text(1)), Version: int(r.Int(2)), App: console.ID(r.Text(3)), Key: r.Text(4),
		Person: console.ID(r.Text(6)), Account: console.ResourceKey(r.Int(7)), Parent: console.ID(r.Text(8)), State: console.ExecutionState(r.Text(10)), Step: int(r.Int(11)),
		Waits: str(r, 12), Created: at(r, 13), By: decodeActor(r.Bytes(14)), Began: at(r, 15), Finished: at(r, 16), Confirmed: console.ID(r.Text(17)), Why: str(r, 18), Changes: int(r.Int(19))}
	decode(r.Bytes(5), &x.Trigger)
	decode(r.Bytes(9), &x.Chain)
	return x
}

// AddExecution adds an execution, which begins next; if its automation does not run, it waits for a
// person. It sets the ID. known is true if there is one for the same cause; then nothing is added.
func (t *Tx) AddExecution(x console.AutomationExecution) (added console.AutomationExecution, known bool, err error) {
	a, err := t.Automation(x.Automation)
	if err != nil {
		return x, false, err
	}
	x.ID, x.App, x.Created, x.By = console.NewID(t.by.At), a.App, t.by.At, t.by.Actor
	if x.State == "" {
		x.State = console.ExecutionQueued
	}
	if a.State != console.AutomationOn && x.State == console.ExecutionQueued {
		x.State, x.Waits = console.ExecutionHeld, a.Why
	}
	n, err := t.e.Exec("INSERT INTO automation_execution ("+executionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, NULL, NULL, NULL, $16, 0)
		ON CONFLICT (automation, cause) DO NOTHING`,
		x.ID, x.Automation, x.Version, x.App, x.Key, encode(x.Trigger), null(x.Person), x.Account, null(x.Parent), encode(x.Chain), x.State, x.Step, []byte(x.Waits), x.Created, encodeActor(x.By), []byte{})
	if err != nil || n == 0 {
		return x, err == nil, err
	}
	if x.State == console.ExecutionQueued {
		err = t.DueBy(console.DueExecution, string(x.ID), t.by.At)
	}
	return x, false, err
}

// Execution returns an execution.
func (t *Tx) Execution(id console.ID) (console.AutomationExecution, error) {
	return get(t, scanExecution, "execution", "SELECT "+executionColumns+" FROM automation_execution WHERE id = $1", id)
}

// LockExecution returns an execution and lets other commands about it wait.
func (t *Tx) LockExecution(id console.ID) (console.AutomationExecution, error) {
	return get(t, scanExecution, "execution", "SELECT "+executionColumns+" FROM automation_execution WHERE id = $1 FOR UPDATE", id)
}

// ExecutionBefore is a place in a list of executions, the newest first: after the last row of the
// previous page. The zero value is the beginning.
type ExecutionBefore struct {
	Created time.Time
	ID      console.ID
}

// Executions returns up to n executions of an automation in a state, or in all states, the newest
// first.
func (t *Tx) Executions(automation console.ID, state console.ExecutionState, before ExecutionBefore, n int) ([]console.AutomationExecution, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	if before.ID == "" {
		before = ExecutionBefore{Created: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), ID: "~"}
	}
	return list(t, scanExecution, "SELECT "+executionColumns+` FROM automation_execution WHERE automation = $1 AND ($2 = '' OR state = $2) AND (created, id) < ($3, $4)
		ORDER BY created DESC, id DESC LIMIT $5`, automation, string(state), before.Created, before.ID, n)
}

// CountExecutions returns the number of executions of an automation in each state that have not ended.
func (t *Tx) CountExecutions(automation console.ID) (map[console.ExecutionState]int, error) {
	counts := map[console.ExecutionState]int{}
	err := t.e.Query(func(r engine.Row) error {
		counts[console.ExecutionState(r.Text(0))] = int(r.Int(1))
		return nil
	}, "SELECT state, count(*) FROM automation_execution WHERE automation = $1 AND finished IS NULL GROUP BY state", automation)
	return counts, err
}

// ChangeExecution stores the progress of an execution: state, step, what it waits for, when it began
// and ended, and its changes.
func (t *Tx) ChangeExecution(x console.AutomationExecution) error {
	return t.change("execution", "UPDATE automation_execution SET state = $2, step = $3, waits = $4, began = $5, finished = $6, confirmed = $7, why = $8, changes = $9 WHERE id = $1",
		x.ID, x.State, x.Step, []byte(x.Waits), x.Began, x.Finished, null(x.Confirmed), []byte(x.Why), x.Changes)
}

// BeginExecution records that an execution begins.
func (t *Tx) BeginExecution(x console.AutomationExecution) (console.AutomationExecution, error) {
	x.State, x.Began, x.Waits = console.ExecutionRunning, t.by.At, ""
	if err := t.ChangeExecution(x); err != nil {
		return x, err
	}
	return x, t.executionEvent(x, "automation.began", map[string]any{"execution": x.ID, "version": x.Version, "trigger": x.Trigger.Kind, "why": x.Trigger.Why})
}

// EndExecution records how an execution ended. The one that runs it continues.
func (t *Tx) EndExecution(x console.AutomationExecution, state console.ExecutionState, why string) error {
	x.State, x.Finished, x.Waits, x.Why = state, t.by.At, "", why
	if err := t.ChangeExecution(x); err != nil {
		return err
	}
	if x.Parent != "" {
		if err := t.DueBy(console.DueExecution, string(x.Parent), t.by.At); err != nil {
			return err
		}
	}
	a, err := t.Automation(x.Automation)
	if err != nil {
		return err
	}
	return t.executionEvent(x, "automation.ended", map[string]any{"execution": x.ID, "name": a.Name, "state": state, "why": why, "changes": x.Changes, "owner": []console.ID{a.Owner}})
}

func (t *Tx) executionEvent(x console.AutomationExecution, kind string, data any) error {
	return t.event(console.Event{Kind: kind, App: x.App, Person: x.Person, Account: x.Account, Object: string(x.Automation)}, data)
}

// HoldExecution lets an execution that has not begun, or is between two steps, wait for a person.
func (t *Tx) HoldExecution(x console.AutomationExecution, why string) error {
	x.State, x.Waits = console.ExecutionHeld, why
	return t.ChangeExecution(x)
}

// ReleaseHeld lets up to n executions that wait for a person run, or cancels them. A run is confirmed
// by the person of the command: the circuit breaker does not count it. It returns how many there were.
func (t *Tx) ReleaseHeld(automation console.ID, run bool, why string, n int) (int, error) {
	held, err := list(t, scanExecution, "SELECT "+executionColumns+" FROM automation_execution WHERE automation = $1 AND state = 'held' AND finished IS NULL ORDER BY created, id LIMIT $2 FOR UPDATE", automation, n)
	for _, x := range held {
		if err != nil {
			return 0, err
		}
		if !run {
			err = t.EndExecution(x, console.ExecutionCancelled, why)
			continue
		}
		if x.State, x.Waits, x.Confirmed = console.ExecutionQueued, "", t.by.Actor.Person(); !x.Began.IsZero() {
			x.State = console.ExecutionRunning
		}
		if err = t.ChangeExecution(x); err == nil {
			err = t.DueBy(console.DueExecution, string(x.ID), t.by.At)
		}
	}
	return len(held), err
}

// Released appends the event that a person let executions that waited run, or cancelled them.
func (t *Tx) Released(a console.Automation, n int, run bool, why string) error {
	return t.automationEvent(a, "automation.released", map[string]any{"name": a.Name, "executions": n, "run": run, "why": why})
}

const automationStepColumns = "execution, number, step, kind, state, input, changes, result, why, began, ended, operation, run, child"

func scanAutomationStep(r engine.Row) console.AutomationStepRun {
	s := console.AutomationStepRun{Execution: console.ID(r.Text(0)), Number: int(r.Int(1)), Step: r.Text(2), Kind: console.StepKind(r.Text(3)), State: console.StepState(r.Text(4)),
		Input: []byte(str(r, 5)), Result: []byte(str(r, 7)), Why: str(r, 8), Began: at(r, 9), Ended: at(r, 10), Operation: console.ID(r.Text(11)), Run: console.ID(r.Text(12)), Child: console.ID(r.Text(13))}
	decode(r.Bytes(6), &s.Changes)
	return s
}

// PutAutomationStep stores a step of an execution.
func (t *Tx) PutAutomationStep(s console.AutomationStepRun) error {
	for _, b := range []*[]byte{&s.Input, &s.Result} {
		if len(*b) == 0 {
			*b = []byte("{}")
		}
		if !json.Valid(*b) {
			return baton.Errorf(baton.Internal, "step %s of execution %s has no JSON", s.Step, s.Execution)
		}
	}
	_, err := t.e.Exec("INSERT INTO automation_step ("+automationStepColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (execution, number) DO UPDATE SET state = excluded.state, input = excluded.input, changes = excluded.changes, result = excluded.result, why = excluded.why,
		ended = excluded.ended, operation = excluded.operation, run = excluded.run, child = excluded.child`,
		s.Execution, s.Number, s.Step, s.Kind, s.State, s.Input, encode(s.Changes), s.Result, []byte(s.Why), s.Began, s.Ended, null(s.Operation), null(s.Run), null(s.Child))
	return err
}

// AutomationSteps returns the steps of an execution that have begun, in their order.
func (t *Tx) AutomationSteps(execution console.ID) ([]console.AutomationStepRun, error) {
	return list(t, scanAutomationStep, "SELECT "+automationStepColumns+" FROM automation_step WHERE execution = $1 ORDER BY number", execution)
}

// WakeExecution lets the execution continue that waits for an operation or a run of an action.
func (t *Tx) WakeExecution(operationOrRun console.ID) error {
	waiting, err := list(t, func(r engine.Row) string { return r.Text(0) },
		"SELECT execution FROM automation_step WHERE operation = $1 AND ended IS NULL UNION SELECT execution FROM automation_step WHERE run = $1 AND ended IS NULL", operationOrRun)
	for _, id := range waiting {
		if err == nil {
			err = t.DueBy(console.DueExecution, id, t.by.At)
		}
	}
	return err
}

// ExecutionOf returns the execution that made an operation; nil if none did.
func (t *Tx) ExecutionOf(o console.Operation) (*console.AutomationExecution, error) {
	if o.Cause.Kind != console.CauseAutomation {
		return nil, nil
	}
	return find(t, scanExecution, "SELECT "+executionColumns+" FROM automation_execution WHERE id = $1", o.Cause.Ref)
}
