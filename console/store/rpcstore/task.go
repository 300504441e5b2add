package rpcstore

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

const taskColumns = `id, connector, ref, work, only_host, debug, due, lease_us, state, added, cancelled, host, lease, lease_since, lease_until, heartbeats, result, number`

// storedTask is a task with its position among tasks that are due at the same time.
type storedTask struct {
	rpc.Task
	number int64
	err    error // error of decoding it
}

func scanTask(r engine.Row) storedTask {
	t := storedTask{Task: rpc.Task{ID: r.Text(0), Connector: r.Text(1), Ref: r.Text(2), OnlyHost: string(r.Bytes(4)), Debug: r.Bool(5), Due: at(r, 6),
		LeaseTime: time.Duration(r.Int(7)) * time.Microsecond, State: rpc.State(r.Text(8)), Added: at(r, 9), Cancelled: r.Bool(10),
		Lease:      rpc.Lease{Host: string(r.Bytes(11)), Number: int(r.Int(12)), Since: at(r, 13), Until: at(r, 14)},
		Heartbeats: int(r.Int(15))}, number: r.Int(17)}
	t.err = json.Unmarshal(r.Bytes(3), &t.Work)
	if b := r.Bytes(16); b != nil {
		t.err = errors.Join(t.err, json.Unmarshal(b, &t.Result))
	}
	if t.err != nil {
		t.err = baton.Errorf(baton.Corrupt, "task %s: %w", t.ID, t.err)
	}
	return t
}

// findTask returns a task of a connector. suffix may lock its row.
func findTask(tx engine.Tx, connector, id, suffix string) (rpc.Task, error) {
	t, err := engine.Find(tx, scanTask, "SELECT "+taskColumns+" FROM task WHERE id = $1 AND connector = $2"+suffix, id, connector)
	switch {
	case baton.KindOf(err) == baton.Invalid, err == nil && t == nil: // no such id can exist
		return rpc.Task{}, baton.Errorf(baton.NotFound, "the connector has no task %s", id)
	case err != nil:
		return rpc.Task{}, err
	}
	return t.Task, t.err
}

const forUpdate = " FOR UPDATE"

// TasksBefore returns up to n tasks of a connector before the given number, the newest first, and
// the number of the last one. 0 starts with the newest.
func TasksBefore(t *store.Tx, connector string, before int64, n int) (tasks []rpc.Task, last int64, err error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	stored, err := engine.List(t.Engine(), scanTask, "SELECT "+taskColumns+" FROM task WHERE connector = $1 AND number < $2 ORDER BY number DESC LIMIT $3", connector, before, n)
	if err != nil {
		return nil, 0, err
	}
	for _, s := range stored {
		if s.err != nil {
			return nil, 0, s.err
		}
		tasks, last = append(tasks, s.Task), s.number
	}
	return tasks, last, nil
}

// LastTasks returns the newest leased task of a type, and the newest finished one; nil if there is
// none.
func LastTasks(t *store.Tx, connector string, typ rpc.Type) (running, finished *rpc.Task, err error) {
	find := func(state rpc.State) (*rpc.Task, error) {
		s, err := engine.Find(t.Engine(), scanTask, "SELECT "+taskColumns+" FROM task WHERE connector = $1 AND type = $2 AND state = $3 ORDER BY number DESC LIMIT 1", connector, typ, state)
		if err != nil || s == nil {
			return nil, err
		}
		return &s.Task, s.err
	}
	if running, err = find(rpc.Leased); err == nil {
		finished, err = find(rpc.Finished)
	}
	return running, finished, err
}

// AddTask queues a task in the transaction of a command.
func AddTask(t *store.Tx, task rpc.Task) error { return addTasks(t, []rpc.Task{task}) }

// addTasks queues tasks of one connector. It assigns numbers, which blocks other transactions that
// add tasks until this one ends.
func addTasks(t *store.Tx, tasks []rpc.Task) error {
	if len(tasks) == 0 {
		return nil
	}
	e := t.Engine()
	if _, err := e.Exec("INSERT INTO task_queue (connector) VALUES ($1) ON CONFLICT (connector) DO NOTHING", tasks[0].Connector); err != nil {
		return err
	}
	t.Wake(TaskTopic(tasks[0].Connector))
	number, err := t.Numbers("task", int64(len(tasks)))
	if err != nil {
		return err
	}
	for i, task := range tasks {
		work, err := encode("task "+task.ID, task.Work)
		if err != nil {
			return err
		}
		err = engine.Insert(e, "task "+task.ID, `INSERT INTO task (id, connector, ref, number, type, exclusive, work, only_host, debug, due, lease_us, state, added, cancelled, host, lease, lease_since, lease_until, heartbeats)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
			task.ID, task.Connector, task.Ref, number+int64(i), task.Work.Type(), rpc.Exclusive(task.Work.Type()), work, []byte(task.OnlyHost), task.Debug, engine.Micros(task.Due), task.LeaseTime,
			task.State, t.By().At, task.Cancelled, []byte(task.Lease.Host), task.Lease.Number, task.Lease.Since, task.Lease.Until, task.Heartbeats)
		if err != nil {
			return err
		}
	}
	return nil
}

// OpenTask returns the oldest unfinished task of a connector and a type, or nil.
func OpenTask(t *store.Tx, connector string, typ rpc.Type) (*rpc.Task, error) {
	found, err := engine.Find(t.Engine(), scanTask, "SELECT "+taskColumns+" FROM task WHERE connector = $1 AND type = $2 AND state <> 'finished' ORDER BY due, number LIMIT 1", connector, typ)
	if err != nil || found == nil {
		return nil, err
	}
	return &found.Task, found.err
}

// AddTask implements [rpc.Store].
func (s Store) AddTask(ctx context.Context, now time.Time, t rpc.Task) error {
	return s.updateByConsole(ctx, now, func(tx *store.Tx) error { return AddTask(tx, t) })
}

// writeTask writes the fields that rules change: state, cancellation, lease, heartbeats, result. If
// it ends a task with a ref, it adds a due row.
func writeTask(tx *store.Tx, before, after rpc.Task) error {
	var result []byte
	if after.State == rpc.Finished {
		b, err := encode("the result of task "+after.ID, after.Result)
		if err != nil {
			return err
		}
		result = b
	}
	err := engine.Change(tx.Engine(), "task "+after.ID, `UPDATE task SET state = $2, cancelled = $3, host = $4, lease = $5, lease_since = $6, lease_until = $7, heartbeats = $8, result = $9 WHERE id = $1`,
		after.ID, after.State, after.Cancelled, []byte(after.Lease.Host), after.Lease.Number, after.Lease.Since, after.Lease.Until, after.Heartbeats, result)
	if err != nil || after.Ref == "" || before.State == after.State || after.State != rpc.Finished && after.State != rpc.Lost {
		return err
	}
	if operation, ok := operationOf(after); ok {
		return operationEnded(tx, operation, after)
	}
	if run, ok := actionRunOf(after); ok {
		return actionEnded(tx, run, after)
	}
	return tx.SetDue(EndedKind, after.ID, tx.By().At, []byte(after.Connector))
}

// changeTask applies a rule to a task. The rule reports whether it changed the task.
func changeTask(tx *store.Tx, connector, id string, rule func(rpc.Task, time.Time) (rpc.Task, bool, error)) (rpc.Task, error) {
	now, err := tx.Engine().Now(tx.By().At)
	if err != nil {
		return rpc.Task{}, err
	}
	before, err := findTask(tx.Engine(), connector, id, forUpdate)
	if err != nil {
		return rpc.Task{}, err
	}
	after, changed, err := rule(before, now)
	if err != nil || !changed {
		return after, err
	}
	return after, writeTask(tx, before, after)
}

// CancelTask cancels a task in the transaction of a command.
func CancelTask(t *store.Tx, connector, id string) error {
	_, err := changeTask(t, connector, id, func(t rpc.Task, now time.Time) (rpc.Task, bool, error) {
		after, changed := t.AfterCancel(now)
		return after, changed, nil
	})
	return err
}

// CancelTask implements [rpc.Store].
func (s Store) CancelTask(ctx context.Context, now time.Time, connector, id string) error {
	return s.updateByConsole(ctx, now, func(tx *store.Tx) error { return CancelTask(tx, connector, id) })
}

// RequeueTask queues a task again in the transaction of a command.
func RequeueTask(t *store.Tx, connector, id string) error {
	_, err := changeTask(t, connector, id, func(t rpc.Task, now time.Time) (rpc.Task, bool, error) {
		after, err := t.PutBack()
		return after, true, err
	})
	t.Wake(TaskTopic(connector))
	return err
}

// RequeueTask implements [rpc.Store].
func (s Store) RequeueTask(ctx context.Context, now time.Time, connector, id string) error {
	return s.updateByConsole(ctx, now, func(tx *store.Tx) error { return RequeueTask(tx, connector, id) })
}

// Task implements [rpc.Store].
func (s Store) Task(ctx context.Context, connector, id string) (t rpc.Task, err error) {
	err = s.s.View(ctx, func(tx *store.Tx) (err error) {
		t, err = findTask(tx.Engine(), connector, id, "")
		return err
	})
	return t, err
}

// Extend implements [rpc.Store].
func (s Store) Extend(ctx context.Context, now time.Time, h rpc.Holder) (t rpc.Task, err error) {
	err = s.update(ctx, now, h.Connector, func(tx *store.Tx) (err error) {
		t, err = changeTask(tx, h.Connector, h.Task, func(t rpc.Task, now time.Time) (rpc.Task, bool, error) {
			after, err := t.Beaten(h, now)
			return after, true, err
		})
		if operation, ok := operationOf(t); ok && err == nil {
			err = tx.ExtendOperation(operation, console.ID(t.ID), t.Lease.Until)
		}
		return err
	})
	return t, err
}

// Finish implements [rpc.Store].
func (s Store) Finish(ctx context.Context, now time.Time, h rpc.Holder, r rpc.Result) (t rpc.Task, err error) {
	err = s.update(ctx, now, h.Connector, func(tx *store.Tx) (err error) {
		t, err = finish(tx, h, r)
		return err
	})
	return t, err
}

func finish(tx *store.Tx, h rpc.Holder, r rpc.Result) (rpc.Task, error) {
	ended := false
	t, err := changeTask(tx, h.Connector, h.Task, func(t rpc.Task, now time.Time) (after rpc.Task, changed bool, err error) {
		after, ended, err = t.FinishedBy(h, r, now)
		return after, ended, err
	})
	if err != nil || !ended {
		return t, err
	}
	unfinished, err := engine.List(tx.Engine(), func(r engine.Row) string { return r.Text(0) },
		"SELECT u.id FROM upload u JOIN file f ON f.id = u.id WHERE u.task = $1 AND f.finished IS NULL ORDER BY u.number", h.Task)
	for _, id := range unfinished {
		if err == nil {
			err = discard(tx, id)
		}
	}
	return t, err
}

// seenEvery is the precision of when a host was last seen.
const seenEvery = time.Minute

// leasePage is the number of open tasks that are read at once.
const leasePage = 16

// Lease implements [rpc.Store]. It only writes if there is something to lease, which is rare.
func (s Store) Lease(ctx context.Context, now time.Time, r rpc.LeaseRequest) (leases rpc.Leases, err error) {
	work := false
	err = s.s.View(ctx, func(tx *store.Tx) error {
		now, err := tx.Engine().Now(now)
		if err != nil {
			return err
		}
		l := &lease{tx: tx, now: now, r: r}
		seen, idle, err := l.atRest()
		if err != nil {
			return err
		}
		if work = !seen; work || idle {
			return nil
		}
		if work, err = l.hasOperations(); err != nil || work {
			return err
		}
		picked, more, ended, err := l.pick("")
		work = len(picked) > 0 || more || len(ended) > 0
		return err
	})
	if err != nil || !work {
		return leases, err
	}
	err = s.update(ctx, now, r.Connector, func(tx *store.Tx) error {
		now, err := tx.Engine().Now(now)
		if err != nil {
			return err
		}
		leases, err = (&lease{tx: tx, now: now, r: r}).run()
		return err
	})
	return leases, err
}

// lease is one request for tasks.
type lease struct {
	tx        *store.Tx
	now       time.Time
	r         rpc.LeaseRequest
	connector *console.Connector // set by [lease.of]
	plans     *planner           // set by [lease.planner]
	question  *rpc.Task          // the question for actions; nil if it is not asked
}

// atRest reports, with one statement, whether the recorded time of the host is recent or the host never
// said hello, and whether there is nothing that could be leased, as for nearly every request.
func (l *lease) atRest() (seen, idle bool, err error) {
	_, err = engine.Get(l.tx.Engine(), func(r engine.Row) bool {
		seen = r.Null(0) || l.now.Sub(at(r, 0)) < seenEvery
		idle = len(l.r.Known) == 0 && !r.Bool(1)
		return true
	}, "tasks", `SELECT (SELECT seen FROM host WHERE connector = $1 AND id = $2), EXISTS (SELECT 1 FROM operation WHERE connector = $1 AND state = 'queued')
		OR EXISTS (SELECT 1 FROM task WHERE connector = $1 AND state <> 'finished' AND due <= $3)`, l.r.Connector, []byte(l.r.Host), l.now)
	return seen, idle, err
}

func (l *lease) run() (rpc.Leases, error) {
	e := l.tx.Engine()
	if _, err := e.Exec("UPDATE host SET seen = $3 WHERE connector = $1 AND id = $2 AND seen <= $4", l.r.Connector, []byte(l.r.Host), l.now, l.now.Add(-seenEvery)); err != nil {
		return rpc.Leases{}, err
	}
	// This lock serializes the requests for tasks of a connector.
	if _, err := engine.Find(e, func(engine.Row) bool { return true }, "SELECT connector FROM task_queue WHERE connector = $1 FOR UPDATE", l.r.Connector); err != nil {
		return rpc.Leases{}, err
	}
	// Tasks are locked before operations, in the same order as when a task finishes.
	queued, err := l.queued(l.r.Max + 1)
	if err != nil {
		return rpc.Leases{}, err
	}
	ready, err := l.ready(queued)
	if err != nil {
		return rpc.Leases{}, err
	}
	most := l.r.Max
	l.r.Max -= ready
	picked, more, ended, err := l.pick(forUpdate)
	if err != nil {
		return rpc.Leases{}, err
	}
	l.r.Max = most - len(picked)
	operations, waiting, err := l.dispatch(queued)
	if err != nil {
		return rpc.Leases{}, err
	}
	if len(operations) < ready { // guards refused some, so others can be dispatched
		more = true
	}
	for _, t := range ended {
		if err := writeTask(l.tx, t, t.Renewed(l.now)); err != nil {
			return rpc.Leases{}, err
		}
	}
	for _, t := range picked {
		if err := writeTask(l.tx, rpc.Task{State: rpc.Queued}, t); err != nil {
			return rpc.Leases{}, err
		}
	}
	added := operations
	if question := l.question; question != nil { // sent next
		added = append(slices.Clone(operations), *question)
	}
	if err := addTasks(l.tx, added); err != nil {
		return rpc.Leases{}, err
	}
	return rpc.Leases{Tasks: append(operations, picked...), More: more || waiting}, nil
}

// pick returns the tasks to lease, and those that the host has although their lease has expired.
func (l *lease) pick(suffix string) (picked []rpc.Task, more bool, ended []rpc.Task, err error) {
	e := l.tx.Engine()
	for _, id := range l.r.Known {
		t, err := findTask(e, l.r.Connector, id, suffix)
		if baton.KindOf(err) == baton.NotFound {
			err = nil
			continue
		}
		if err != nil {
			return nil, false, nil, err
		}
		if t.Lease.Host == l.r.Host && (t.State == rpc.Leased || t.State == rpc.Lost) && !t.LeasedAt(l.now) {
			ended = append(ended, t)
		}
	}
	leased, err := engine.List(e, func(r engine.Row) string { return r.Text(0) },
		"SELECT id FROM task WHERE connector = $1 AND exclusive AND state = 'leased' AND lease_until > $2", l.r.Connector, l.now)
	if err != nil {
		return nil, false, nil, err
	}
	exclusive := len(leased) > 0 || slices.ContainsFunc(ended, func(t rpc.Task) bool { return rpc.Exclusive(t.Work.Type()) })
	picked, more = rpc.Pick(func(yield func(rpc.Task) bool) {
		var last storedTask
		last.number = -1
		last.Due = time.UnixMicro(-1 << 62)
		for {
			page, failed := engine.List(e, scanTask, "SELECT "+taskColumns+` FROM task
				WHERE connector = $1 AND state <> 'finished' AND due <= $2 AND (due, number) > ($3, $4) ORDER BY due, number LIMIT $5`+suffix,
				l.r.Connector, l.now, engine.Micros(last.Due), last.number, leasePage)
			if err = failed; err != nil {
				return
			}
			for _, t := range page {
				if err = t.err; err != nil {
					return
				}
				if i := slices.IndexFunc(ended, func(o rpc.Task) bool { return o.ID == t.ID }); i >= 0 {
					t.Task = ended[i].Renewed(l.now)
				}
				if !yield(t.Task) {
					return
				}
			}
			if len(page) < leasePage {
				return
			}
			last = page[len(page)-1]
		}
	}, exclusive, l.r, l.now)
	return picked, more, ended, err
}

// Expire implements [rpc.Store].
func (s Store) Expire(ctx context.Context, now time.Time, limit int) (changed int, err error) {
	tasks, err := s.expireTasks(ctx, now, limit)
	if err != nil {
		return tasks, err
	}
	uploads, err := s.expireUploads(ctx, now, limit)
	if err != nil {
		return tasks + uploads, err
	}
	tokens, err := s.expireTokens(ctx, now, limit)
	return tasks + uploads + tokens, err
}

// expireTasks ends expired leases of writes and of cancelled tasks. Other tasks need no change,
// because they can be leased again.
func (s Store) expireTasks(ctx context.Context, now time.Time, limit int) (changed int, err error) {
	type place struct{ id, connector string }
	var ended []place
	find := func(tx *store.Tx, suffix string) (err error) {
		at, err := tx.Engine().Now(now)
		if err != nil {
			return err
		}
		ended, err = engine.List(tx.Engine(), func(r engine.Row) place { return place{r.Text(0), r.Text(1)} },
			"SELECT id, connector FROM task WHERE state = 'leased' AND lease_until <= $1 AND (cancelled OR type IN ("+writeTypes+")) ORDER BY lease_until LIMIT $2"+suffix, at, limit)
		return err
	}
	if err := s.s.View(ctx, func(tx *store.Tx) error { return find(tx, "") }); err != nil || len(ended) == 0 {
		return 0, err
	}
	err = s.updateByConsole(ctx, now, func(tx *store.Tx) error {
		changed = 0
		if err := find(tx, " FOR UPDATE SKIP LOCKED"); err != nil {
			return err
		}
		for _, p := range ended {
			_, err := changeTask(tx, p.connector, p.id, func(t rpc.Task, now time.Time) (rpc.Task, bool, error) {
				after, ended := t.AfterLease(now)
				if ended {
					changed++
				}
				return after, ended, nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return changed, err
}

// writeTypes lists the types of tasks that [rpc.Writes], as SQL.
var writeTypes = func() (list string) {
	for _, t := range []rpc.Type{rpc.HelloType, rpc.SyncType, rpc.GrantType, rpc.RevokeType, rpc.CreateAccountType, rpc.DeleteResourceType,
		rpc.ListActionsType, rpc.RunActionType, rpc.ActionStatusType} {
		if rpc.Writes(t) {
			if list != "" {
				list += ", "
			}
			list += "'" + string(t) + "'"
		}
	}
	return list
}()
