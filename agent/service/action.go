package service

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/wire"
)

const (
	// inlineWait is how long the start of an action waits for its end. An action that
	// ends within it needs no status request, which another instance could not answer.
	inlineWait = 15 * time.Second
	maxAction  = time.Hour
	keptRuns   = 1000
)

// actionRuns holds the actions that were started, including those that have ended.
type actionRuns struct {
	mu    sync.Mutex
	runs  map[string]*actionRun
	order []string // oldest first
}

// actionRun is a started action. The fields below done are set before it is closed.
type actionRun struct {
	id, name string
	done     chan struct{}
	values   map[string]any
	err      error
}

func (r *actionRuns) add(a *actionRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs == nil {
		r.runs = map[string]*actionRun{}
	}
	r.runs[a.id] = a
	r.order = append(r.order, a.id)
	if len(r.order) > keptRuns {
		delete(r.runs, r.order[0])
		r.order = r.order[1:]
	}
}

func (r *actionRuns) get(id string) *actionRun {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[id]
}

// state returns the state of the action.
func (a *actionRun) state() wire.ActionRun {
	run := wire.ActionRun{ID: a.id, Name: a.name, State: wire.ActionRunning}
	select {
	case <-a.done:
		run.State, run.Values = wire.ActionComplete, a.values
		if a.err != nil {
			run.State, run.Values = wire.ActionFailed, map[string]any{"error": message(a.err)}
		}
	default:
	}
	return run
}

// actionSchemas lists all actions; none of them belongs to a resource type.
func (s *service) actionSchemas(work wire.ActionSchemasTask) (wire.Response, error) {
	if work.ResourceType != "" {
		return wire.ActionSchemasResponse(nil)
	}
	return wire.ActionSchemasResponse(s.connector.Actions)
}

func (s *service) actionSchema(work wire.ActionSchemaTask) (wire.Response, error) {
	a, ok := s.connector.Action(work.Name)
	if !ok {
		return wire.Response{}, noAction(work.Name)
	}
	return wire.ActionSchemaResponse(a)
}

func noAction(name string) error { return baton.Errorf(baton.NotFound, "there is no action %q", name) }

// invoke starts an action and waits a while for its end. The action continues after the task.
func (s *service) invoke(ctx context.Context, work wire.ActionTask, log *slog.Logger) (wire.Response, error) {
	if err := s.mayAct(); err != nil {
		return wire.Response{}, err
	}
	action, ok := s.connector.Action(work.Name)
	if !ok || work.ResourceType != "" {
		return wire.Response{}, noAction(work.Name)
	}
	arguments, err := fit(action.Arguments, work.Arguments, log)
	if err != nil {
		return wire.Response{}, err
	}
	a := &actionRun{id: ksuid.New().String(), name: work.Name, done: make(chan struct{})}
	s.actions.add(a)
	s.work.Go(func() {
		defer close(a.done)
		ctx, cancel := context.WithTimeout(s.hard, maxAction)
		defer cancel()
		if a.values, a.err = runAction(ctx, action, baton.ActionRequest{Arguments: arguments, Previously: s.previously}, log.With("action", work.Name, "action_id", a.id)); a.err != nil && s.hard.Err() != nil {
			s.interrupted.Add(1)
		}
	})
	timer := time.NewTimer(inlineWait)
	defer timer.Stop()
	select {
	case <-a.done:
	case <-timer.C:
	case <-ctx.Done():
		return wire.Response{}, context.Cause(ctx)
	}
	run := a.state()
	if run.State == wire.ActionFailed {
		return wire.Response{}, &unknownError{text: message(a.err)}
	}
	return wire.ActionResponse(run)
}

// runAction runs an action to its end.
func runAction(ctx context.Context, action baton.Action, req baton.ActionRequest, log *slog.Logger) (values map[string]any, err error) {
	defer recovered(log, &err)
	out, err := action.Run(ctx, req)
	if err != nil {
		log.Warn("action failed", "error", err, "fix", baton.FixOf(err))
		return nil, err
	}
	log.Info("action done", "already", out.Already, "done", out.Done)
	for _, w := range out.Warnings {
		log.Warn(w)
	}
	return out.Values, nil
}

func (s *service) actionStatus(work wire.ActionStatusTask) (wire.Response, error) {
	a := s.actions.get(work.ID)
	if a == nil {
		return wire.Response{}, baton.Errorf(baton.NotFound, "there is no action run %q: it was started by another instance, before a restart, or long ago", work.ID)
	}
	return wire.ActionStatusResponse(a.state())
}

// fit returns the values that the schema has, checked against it. Further values that C1 sends
// are ignored.
func fit(fields []baton.Field, values map[string]any, log *slog.Logger) (map[string]any, error) {
	known := map[string]any{}
	for _, f := range fields {
		if v, ok := values[f.Name]; ok {
			known[f.Name] = v
		}
	}
	if len(known) < len(values) {
		log.Debug("unknown arguments are ignored", "sent", len(values), "known", len(known))
	}
	if err := baton.CheckFields(fields, known); err != nil {
		return nil, baton.Errorf(baton.Invalid, "%w", err)
	}
	return known, nil
}
