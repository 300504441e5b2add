package rpcstore

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// actionRef is the prefix of [rpc.Task.Ref] for tasks of manual actions.
const actionRef = "action:"

// actionRunOf returns the run of an action that a task serves.
func actionRunOf(t rpc.Task) (console.ID, bool) {
	id, ok := strings.CutPrefix(t.Ref, actionRef)
	return console.ID(id), ok
}

// RunAction queues a manual run of a connector's action, and returns the ID of the run.
// run.Arguments are the arguments that are stored for display.
func RunAction(tx *store.Tx, run console.ActionRun, arguments baton.Profile) (console.ID, error) {
	run.ID = console.NewID(tx.By().At)
	t, err := rpc.NewTask(string(run.Connector), rpc.Work{RunAction: &rpc.RunActionWork{Name: run.Name, ResourceType: run.ResourceType, Arguments: arguments}}, tx.By().At)
	if err != nil {
		return "", err
	}
	t.Ref, run.Task = actionRef+string(run.ID), console.ID(t.ID)
	if _, err := tx.AddActionRun(run); err != nil {
		return "", err
	}
	return run.ID, AddTask(tx, t)
}

// AskActions makes a connector report its actions, unless a task does so already.
func AskActions(tx *store.Tx, connector string) error {
	open, err := OpenTask(tx, connector, rpc.ListActionsType)
	if err != nil || open != nil {
		return err
	}
	t, err := rpc.NewTask(connector, rpc.Work{ListActions: &rpc.ListActionsWork{}}, tx.By().At)
	if err != nil {
		return err
	}
	return AddTask(tx, t)
}

// actionEnded records the result of a task in its run.
func actionEnded(tx *store.Tx, id console.ID, t rpc.Task) error {
	if t.State == rpc.Lost {
		return tx.FinishActionRun(id, console.Unknown, t.Result.At, "No answer came.", nil)
	}
	r := t.Result
	if t.Outcome() == rpc.InProgress && r.Action != nil {
		status, err := statusTask(t)
		if err != nil {
			return err
		}
		status.Ref = t.Ref
		if err := AddTask(tx, status); err != nil {
			return err
		}
		return tx.FinishActionRun(id, console.Dispatched, r.At, "It is running.", nil)
	}
	state, answer := console.Failed, r.Message
	switch {
	case t.Outcome() == rpc.Done || t.Outcome() == rpc.AlreadyDone:
		state, answer = console.Applied, said(r)
	case t.Work.ActionStatus != nil && codes.Code(r.Code) == codes.NotFound:
		state, answer = console.Unknown, "The host that ran the action does not know about it any more."
	case answer == "":
		answer = said(r)
	}
	var returned []byte
	if r.Action != nil && len(r.Action.Values) > 0 {
		var err error
		if returned, err = json.Marshal(r.Action.Values); err != nil {
			return baton.Errorf(baton.Internal, "encode what action %s returned: %w", id, err)
		}
	}
	if err := tx.FinishActionRun(id, state, r.At, strings.ToValidUTF8(answer, "\ufffd"), returned); err != nil || state == console.Failed {
		return err
	}
	run, err := tx.ActionRun(console.ID(t.Connector), id)
	if err != nil {
		return err
	}
	return syncAfter(tx, run)
}

// syncAfter asks for the sync that shows what an action did: of the resource that it was
// about if the connector can, else of everything. One that waits already is enough.
func syncAfter(tx *store.Tx, run console.ActionRun) error {
	c, err := tx.Connector(run.Connector)
	if err != nil || c.Paused || c.Hosting == console.ByFile {
		return err
	}
	work := rpc.SyncWork{}
	if work.Resources, err = actedOn(tx, c, run); err != nil {
		return err
	}
	waiting, _, err := OpenSync(tx, string(c.ID))
	if err != nil || waiting != nil && (len(waiting.Work.Sync.Resources) == 0 || slices.Equal(waiting.Work.Sync.Resources, work.Resources)) {
		return err
	}
	t, err := rpc.NewTask(string(c.ID), rpc.Work{Sync: &work}, tx.By().At)
	if err != nil {
		return err
	}
	t.Ref = SyncRef
	return AddTask(tx, t)
}

// actedOn returns the resource that a run was about, if a sync of it alone shows what
// became of it: accounts are in full syncs only.
func actedOn(tx *store.Tx, c console.Connector, run console.ActionRun) ([]baton.ResourceID, error) {
	d, ok, err := Describe(tx, string(c.ID))
	if err != nil || !ok || !slices.Contains(d.Capabilities, rpc.CanSyncTargetedByTask) {
		return nil, err
	}
	s, err := tx.StreamAt(c.Stream, time.Time{})
	if err != nil {
		return nil, err
	}
	var arguments map[string]any
	if len(run.Arguments) > 0 && json.Unmarshal(run.Arguments, &arguments) != nil {
		return nil, nil // a full sync shows it
	}
	var found []baton.ResourceID
	for _, rt := range d.ResourceTypes {
		if run.ResourceType != "" && run.ResourceType != rt.ID || !slices.Contains(rt.Capabilities, rpc.CanSyncTargeted) {
			continue
		}
		for _, name := range []string{rt.ID + "_id", rt.ID, "resource_id", "id"} {
			id, _ := arguments[name].(string)
			if id == "" || run.ResourceType == "" && (name == "resource_id" || name == "id") {
				continue
			}
			r, err := tx.ResourceByID(store.Moment{Streams: []store.StreamAt{s}}, rt.ID, id)
			if baton.KindOf(err) == baton.NotFound {
				continue
			}
			if err != nil {
				return nil, err
			}
			if r.Account != nil {
				return nil, nil
			}
			found = append(found, baton.ResourceID{Type: rt.ID, ID: id})
			break
		}
	}
	if len(found) != 1 {
		return nil, nil
	}
	return found, nil
}
