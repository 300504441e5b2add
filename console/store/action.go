package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// AddActionRun adds a run of a connector's action. It sets an empty ID, and takes Created and
// CreatedBy from the command.
func (t *Tx) AddActionRun(r console.ActionRun) (console.ID, error) {
	if r.ID == "" {
		r.ID = console.NewID(t.by.At)
	}
	if err := need("the reason", r.Why); err != nil {
		return "", err
	}
	err := t.insert("run of an action", `INSERT INTO action_run (id, app, connector, name, resource_type, arguments, why, created, created_by, state, task, answer, returned)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		r.ID, r.App, r.Connector, []byte(r.Name), []byte(r.ResourceType), bytesOf(r.Arguments), []byte(r.Why), t.by.At, encodeActor(t.by.Actor), console.Queued, null(r.Task), []byte{}, []byte{})
	if err != nil {
		return "", err
	}
	return r.ID, t.event(console.Event{Kind: "action.run", App: r.App, Connector: r.Connector, Object: string(r.ID)}, map[string]any{"name": r.Name, "why": r.Why})
}

// FinishActionRun records the result of a run. It does not change a finished run.
func (t *Tx) FinishActionRun(id console.ID, state console.OperationState, at time.Time, answer string, returned []byte) error {
	r, err := get(t, scanActionRun, "run of an action", "SELECT "+actionRunColumns+" FROM action_run WHERE id = $1 FOR UPDATE", id)
	if err != nil || r.State == console.Applied || r.State == console.Failed {
		return err
	}
	if state != console.Applied && state != console.Failed {
		at = time.Time{}
	}
	if err := t.change("run of an action", "UPDATE action_run SET state = $2, finished = $3, answer = $4, returned = $5 WHERE id = $1", id, state, at, []byte(answer), bytesOf(returned)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "action." + string(state), App: r.App, Connector: r.Connector, Object: string(id)}, map[string]any{"name": r.Name, "answer": answer})
}

const actionRunColumns = "id, app, connector, name, resource_type, arguments, why, created, created_by, state, task, finished, answer, returned"

func scanActionRun(r engine.Row) console.ActionRun {
	return console.ActionRun{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Connector: console.ID(r.Text(2)), Name: str(r, 3), ResourceType: str(r, 4), Arguments: r.Bytes(5),
		Why: str(r, 6), Created: at(r, 7), CreatedBy: decodeActor(r.Bytes(8)), State: console.OperationState(r.Text(9)), Task: console.ID(r.Text(10)), Finished: at(r, 11), Answer: str(r, 12), Returned: r.Bytes(13)}
}

// ActionRun returns one run of a connector's action.
func (t *Tx) ActionRun(connector, id console.ID) (console.ActionRun, error) {
	r, err := get(t, scanActionRun, "run of an action", "SELECT "+actionRunColumns+" FROM action_run WHERE id = $1", id)
	if err == nil && r.Connector != connector {
		err = baton.Errorf(baton.NotFound, "no run of an action")
	}
	return r, err
}

// ActionRuns returns the newest n runs of a connector's actions.
func (t *Tx) ActionRuns(connector console.ID, n int) ([]console.ActionRun, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanActionRun, "SELECT "+actionRunColumns+" FROM action_run WHERE connector = $1 ORDER BY created DESC, id DESC LIMIT $2", connector, n)
}
