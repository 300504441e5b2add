package rpc

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"baton"
	"baton/internal/pb/batonv1"
)

// queue holds the tasks of all connectors and who works on them. A change is saved
// first and then takes effect.
type queue struct {
	store Store
	now   func() time.Time
	lease time.Duration

	mu     sync.Mutex
	tasks  map[string]*entry
	order  []*entry            // all of them, oldest first
	open   map[string][]*entry // not finished, by connector, oldest first
	hellos map[[2]string]Hello // by connector and host
}

type entry struct {
	Task
	done chan struct{} // closed when the task is finished
}

func newQueue(store Store, now func() time.Time, lease time.Duration, state State) *queue {
	q := &queue{store: store, now: now, lease: lease,
		tasks: map[string]*entry{}, open: map[string][]*entry{}, hellos: map[[2]string]Hello{}}
	slices.SortFunc(state.Tasks, func(a, b Task) int {
		return cmp.Or(a.Enqueued.Compare(b.Enqueued), cmp.Compare(a.ID, b.ID))
	})
	for _, t := range state.Tasks {
		q.insert(t)
	}
	for _, h := range state.Hellos {
		q.hellos[[2]string{h.Connector, h.Host}] = h
	}
	return q
}

func (q *queue) insert(t Task) {
	e := &entry{Task: t, done: make(chan struct{})}
	q.tasks[t.ID] = e
	q.order = append(q.order, e)
	if t.State == Finished {
		close(e.done)
		return
	}
	q.open[t.Connector] = append(q.open[t.Connector], e)
}

func (q *queue) add(ctx context.Context, t Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.tasks[t.ID] != nil {
		return baton.Errorf(baton.AlreadyExists, "rpc: task %s exists already", t.ID)
	}
	t.State, t.Enqueued = Queued, q.now()
	if err := q.store.SaveTask(ctx, t); err != nil {
		return err
	}
	q.insert(t)
	return nil
}

// change saves what edit makes of a task and lets it take effect.
func (q *queue) change(ctx context.Context, e *entry, edit func(*Task)) error {
	t := e.Task
	edit(&t)
	if err := q.store.SaveTask(ctx, t); err != nil {
		return err
	}
	e.Task = t
	if t.State == Finished {
		close(e.done)
		q.open[t.Connector] = slices.DeleteFunc(q.open[t.Connector], func(o *entry) bool { return o == e })
	}
	return nil
}

// request is who asks for tasks, and how.
type request struct {
	connector, host string
	limit           int
	known           []string    // tasks that the host has already
	again           func() bool // asked when a task runs: whether to hand it out all the same
}

// next leases the oldest tasks that nobody holds to the host that asks. more says that
// others are waiting.
func (q *queue) next(ctx context.Context, r request) (work []*batonv1.Task, more bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	syncing := slices.ContainsFunc(q.open[r.connector], func(e *entry) bool {
		return isSync(e) && e.State == Running && now.Before(e.Lease)
	})
	for _, e := range slices.Clone(q.open[r.connector]) {
		held := e.State == Running && now.Before(e.Lease)
		known := e.Host == r.host && slices.Contains(r.known, e.ID)
		switch {
		case e.State == Running && known:
			if !held { // it lapsed, but the host that had it still works on it
				err = q.change(ctx, e, func(t *Task) { t.Lease = now.Add(q.lease) })
			}
			held = true
		case held && !e.Cancelled && r.again():
			held = false
		case !held && e.Cancelled:
			err = q.change(ctx, e, func(t *Task) { t.cancelled(now) })
			held = true
		case !held && isSync(e) && syncing:
			held = true
		}
		if err != nil {
			return work, false, err
		}
		if held {
			continue
		}
		if len(work) == r.limit {
			return work, true, nil
		}
		err := q.change(ctx, e, func(t *Task) {
			t.State, t.Host, t.Lease = Running, r.host, now.Add(q.lease)
			t.Deliveries++
		})
		if err != nil {
			return work, false, err
		}
		syncing = syncing || isSync(e)
		work = append(work, e.Work)
	}
	return work, false, nil
}

func isSync(e *entry) bool { return e.Work.GetSyncFull() != nil }

// cancelled ends a task that no host works on.
func (t *Task) cancelled(now time.Time) {
	t.State = Finished
	t.Result.Finished = now
	t.Result.Status = &status.Status{Code: int32(codes.Canceled), Message: "the task was cancelled"}
}

// held is the task, if the host holds it: it was handed it last and nobody else was
// since, even if the lease has lapsed.
func (q *queue) held(connector, host, id string) (*entry, error) {
	e := q.tasks[id]
	switch {
	case e == nil || e.Connector != connector:
		return nil, baton.Errorf(baton.NotFound, "no task %s", id)
	case e.State == Queued:
		return nil, baton.Errorf(baton.Refused, "task %s was not handed out", id)
	case e.Host != host:
		return nil, baton.Errorf(baton.Refused, "task %s is another host's", id)
	}
	return e, nil
}

// unfinished is the task, if the host holds it and it is not finished.
func (q *queue) unfinished(connector, host, id string) (*entry, error) {
	e, err := q.held(connector, host, id)
	if err == nil && e.State == Finished {
		err = baton.Errorf(baton.Refused, "task %s is finished", id)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// heartbeat extends the lease of a task and says whether the task was cancelled.
func (q *queue) heartbeat(ctx context.Context, connector, host, id string) (cancelled bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.unfinished(connector, host, id)
	if err != nil {
		return false, err
	}
	err = q.change(ctx, e, func(t *Task) {
		t.Lease = q.now().Add(q.lease)
		t.Heartbeats++
	})
	return e.Cancelled, err
}

// finish records how a task ended. The first word counts.
func (q *queue) finish(ctx context.Context, connector string, id string, r Result) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.held(connector, r.Host, id)
	if err != nil || e.State == Finished {
		return err
	}
	return q.change(ctx, e, func(t *Task) {
		r.Finished, r.Assets = q.now(), t.Result.Assets
		t.State, t.Result = Finished, r
	})
}

// mayUpload reports whether the host holds the task and it is not finished.
func (q *queue) mayUpload(connector, host, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, err := q.unfinished(connector, host, id)
	return err
}

// addAsset records an upload. The same bytes again are the same asset and are not added.
func (q *queue) addAsset(ctx context.Context, connector, id string, a Asset) (added bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.unfinished(connector, a.Host, id)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(e.Result.Assets, func(old Asset) bool { return old.SHA256 == a.SHA256 }) {
		return false, nil
	}
	a.At = q.now()
	err = q.change(ctx, e, func(t *Task) { t.Result.Assets = append(slices.Clip(t.Result.Assets), a) })
	return err == nil, err
}

// cancel ends a task at once if nobody works on it, and otherwise has its host told.
func (q *queue) cancel(ctx context.Context, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.tasks[id]
	if e == nil {
		return baton.Errorf(baton.NotFound, "rpc: no task %s", id)
	}
	if e.State == Finished {
		return nil
	}
	now := q.now()
	return q.change(ctx, e, func(t *Task) {
		t.Cancelled = true
		if t.State == Queued || !now.Before(t.Lease) {
			t.cancelled(now)
		}
	})
}

func (q *queue) hello(ctx context.Context, connector string, r *batonv1.BatonServiceHelloRequest) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := [2]string{connector, r.GetHostId()}
	h := Hello{Connector: connector, Host: r.GetHostId(), Count: q.hellos[key].Count + 1, At: q.now(), Request: r}
	if err := q.store.SaveHello(ctx, h); err != nil {
		return err
	}
	q.hellos[key] = h
	return nil
}

func (q *queue) allTasks() []Task {
	q.mu.Lock()
	defer q.mu.Unlock()
	tasks := make([]Task, len(q.order))
	for i, e := range q.order {
		tasks[i] = e.Task
	}
	return tasks
}

func (q *queue) allHellos() []Hello {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.SortedFunc(maps.Values(q.hellos), func(a, b Hello) int {
		return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Host, b.Host))
	})
}

// wait is the result of a task, once it has one.
func (q *queue) wait(ctx context.Context, id string) (Result, error) {
	q.mu.Lock()
	e := q.tasks[id]
	q.mu.Unlock()
	if e == nil {
		return Result{}, baton.Errorf(baton.NotFound, "rpc: no task %s", id)
	}
	select {
	case <-e.done:
		return e.Result, nil // nothing changes a finished task
	case <-ctx.Done():
		return Result{}, baton.Errorf(baton.KindOf(ctx.Err()), "rpc: wait for task %s: %w", id, ctx.Err())
	}
}
