package worker

import (
	"context"
	"encoding/json"
	"strings"

	"baton"
	"baton/console"
	"baton/console/config"
	"baton/console/ingest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/telemetry"
)

// taskEnded records the file of a finished sync task, to be applied next.
func (w *Worker) taskEnded(ctx context.Context, d store.Due) error {
	connector := string(d.Payload)
	task, err := w.tasks.Task(ctx, connector, d.Ref)
	if err != nil {
		return err
	}
	if task.Work.Sync == nil {
		return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.FinishDue(d) })
	}
	var file *rpc.Upload
	if task.Outcome() == rpc.Done {
		uploads, err := w.tasks.Uploads(ctx, connector, task.ID)
		if err != nil {
			return err
		}
		for _, u := range uploads { // the newest counts
			if u.Kind == rpc.SyncFile {
				file = &u
			}
		}
	}
	if file == nil {
		return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
			if err := failed(t, task); err != nil {
				return err
			}
			return t.FinishDue(d)
		})
	}
	kind := console.SyncFull
	if len(task.Work.Sync.Resources) > 0 {
		kind = console.SyncTargeted
	}
	stored, err := w.Ingester.ReadStored(ctx, ingest.Origin{Connector: console.ID(connector), Task: console.ID(task.ID), Kind: kind, Dispatched: file.Lease.Since}, console.ID(file.ID))
	if err != nil {
		return err
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		id, ok, err := stored.Record(t)
		if err == nil && ok {
			err = t.SetDue(console.DueIngest, string(id), w.Now(), nil)
		}
		if err != nil {
			return err
		}
		return t.FinishDue(d)
	})
}

// failed appends the event of a sync without a file, with the connector's error.
func failed(t *store.Tx, task rpc.Task) error {
	c, err := t.Connector(console.ID(task.Connector))
	if err != nil {
		return err
	}
	outcome, message := string(task.Outcome()), task.Result.Message
	if task.Outcome() == rpc.Done {
		outcome, message = "no file", "The connector reported success and sent no sync file."
	}
	kind := "sync.failed"
	if task.Outcome() == rpc.Held {
		kind = "sync.held-by-connector"
	}
	data, err := json.Marshal(map[string]any{"outcome": outcome, "code": task.Result.Code, "message": strings.ToValidUTF8(message, "\ufffd")})
	if err != nil {
		return baton.Errorf(baton.Internal, "encode event %s: %w", kind, err)
	}
	t.Append(console.Event{Kind: kind, App: c.App, Connector: c.ID, Object: task.ID, Data: data})
	return nil
}

// apply applies a sync. If that was done before the process died, it returns the sync unchanged.
func (w *Worker) apply(ctx context.Context, id console.ID) (s console.Sync, err error) {
	err = w.Store.View(ctx, func(t *store.Tx) error {
		s, err = t.Sync(id)
		return err
	})
	if err != nil || s.State == console.SyncApplied {
		return s, err
	}
	return w.Ingester.Apply(ctx, console.Console, id)
}

// ingest applies a sync.
func (w *Worker) ingest(ctx context.Context, d store.Due) error {
	began := w.Now()
	s, err := w.apply(ctx, console.ID(d.Ref))
	if err != nil {
		return err
	}
	w.Meter.Ingest(w.Now().Sub(began), s.Counts.Accounts+s.Counts.Facts)
	telemetry.SpanOf(ctx).Set("sync", string(s.ID), "connector", string(s.Connector), "task_id", string(s.Task), "state", string(s.State))
	w.Log.InfoContext(ctx, "a sync was read", "connector", s.Connector, "sync", s.ID, "state", s.State, "accounts", s.Counts.Accounts, "facts", s.Counts.Facts)
	if s.State == console.SyncApplied {
		if err := w.judge(ctx, s); err != nil {
			return err
		}
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		if s.State == console.SyncApplied {
			c, err := t.Connector(s.Connector)
			if err == nil {
				// The sync may have left operations unverified.
				err = t.DueBy(console.DueOperations, string(c.ID), w.Now())
			}
			if err == nil {
				err = config.ResolveAdmins(t, c.App)
			}
			if err == nil {
				err = config.ResolveRequirements(t)
			}
			if err == nil {
				err = config.ResolveIncompatible(t)
			}
			if err == nil {
				err = config.ResolveAutomations(t)
			}
			if err == nil {
				err = t.NeedsChanged(c.App)
			}
			if err == nil {
				err = t.SetDue(console.DueMatch, string(c.App), w.Now(), nil)
			}
			if err == nil && c.Directory {
				err = t.SetDue(console.DueDirectory, string(c.ID), w.Now(), nil)
			}
			if err != nil {
				return err
			}
		}
		return t.FinishDue(d)
	})
}
