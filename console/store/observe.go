package store

import (
	"context"
	"strconv"
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
	"baton/console/telemetry"
)

// observed counts the transactions of a database, and makes their spans.
type observed struct {
	engine.DB
	meter  *telemetry.Meter  // nil: nothing is counted
	tracer *telemetry.Tracer // nil: operations are not recorded
}

// Read implements [engine.DB].
func (o *observed) Read(ctx context.Context, fn func(engine.Tx) error) error {
	return o.observe(ctx, "read", o.DB.Read, fn)
}

// Write implements [engine.DB].
func (o *observed) Write(ctx context.Context, fn func(engine.Tx) error) error {
	return o.observe(ctx, "write", o.DB.Write, fn)
}

func (o *observed) observe(ctx context.Context, kind string, run func(context.Context, func(engine.Tx) error) error, fn func(engine.Tx) error) error {
	ctx, span := telemetry.Start(ctx, "transaction", "kind", kind)
	if span == nil && o.meter == nil {
		return run(ctx, fn)
	}
	began, tries := time.Now(), 0
	err := run(ctx, func(t engine.Tx) error {
		tries++
		return fn(t)
	})
	o.meter.Transaction(kind, time.Since(began), tries)
	span.Set("tries", strconv.Itoa(tries))
	span.End(err)
	return err
}

// movedOperation is an operation that reached a state.
type movedOperation struct {
	console.Operation
	from console.OperationState
}

// observe counts the operation, and records how long it was in its previous state in the trace of
// the command that created it.
func (m movedOperation) observe(ctx context.Context, meter *telemetry.Meter, tracer *telemetry.Tracer, now time.Time) {
	meter.Operation(string(m.State))
	if m.Trace == "" {
		return
	}
	began := now
	switch m.from {
	case console.Queued, console.Waiting:
		began = m.Created
	case console.Dispatched, console.Unknown:
		began = m.Dispatched
	case console.Applied, console.Failed, console.Declined:
		began = m.Finished
	}
	if began.IsZero() || began.After(now) {
		began = now
	}
	attributes := []string{"operation", string(m.ID), "verb", string(m.Verb), "app", string(m.App), "connector", string(m.Connector), "attempt", strconv.Itoa(m.Attempt)}
	if m.Task != "" {
		attributes = append(attributes, "task_id", string(m.Task))
	}
	if m.Verified != 0 {
		attributes = append(attributes, "sync", strconv.FormatInt(int64(m.Verified), 10))
	}
	tracer.Continue(ctx, m.Trace, "operation "+string(m.State), began, now, attributes...)
}
