package hosted_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// unreliable is a store whose server loses answers to changes, or delivers changes twice.
type unreliable struct {
	rpc.Store
	mu    sync.Mutex
	loses bool
	lost  map[string]int // answers that were lost, by task
	twice bool
	tasks []rpc.Task     // changes that were delivered
	again map[string]int // deliveries by task and host
}

func newUnreliable() *unreliable {
	return &unreliable{lost: map[string]int{}, again: map[string]int{}}
}

func (u *unreliable) over(s rpc.Store) rpc.Store {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.Store == nil {
		u.Store = s
	}
	return u
}

// Lease implements [rpc.Store].
func (u *unreliable) Lease(ctx context.Context, now time.Time, r rpc.LeaseRequest) (rpc.Leases, error) {
	l, err := u.Store.Lease(ctx, now, r)
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range l.Tasks {
		if rpc.Writes(t.Work.Type()) {
			u.tasks = append(u.tasks, t)
			u.again[t.ID+" "+r.Host]++
		}
	}
	if err != nil || !u.twice {
		return l, err
	}
	for _, t := range u.tasks {
		key := t.ID + " " + r.Host
		if u.again[key] < 3 && len(l.Tasks) < r.Max && !slices.ContainsFunc(l.Tasks, func(o rpc.Task) bool { return o.ID == t.ID }) {
			u.again[key]++
			l.Tasks = append(l.Tasks, t)
		}
	}
	return l, nil
}

// Finish implements [rpc.Store].
func (u *unreliable) Finish(ctx context.Context, now time.Time, h rpc.Holder, r rpc.Result) (rpc.Task, error) {
	u.mu.Lock()
	if u.loses && slices.ContainsFunc(u.tasks, func(t rpc.Task) bool { return t.ID == h.Task }) {
		u.lost[h.Task]++
		u.mu.Unlock()
		return rpc.Task{}, baton.Errorf(baton.Unavailable, "lost on the way")
	}
	u.mu.Unlock()
	return u.Store.Finish(ctx, now, h, r)
}

func (u *unreliable) losses() (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, times := range u.lost {
		n += times
	}
	return n
}

// deliveries returns how often changes were delivered to a host.
func (u *unreliable) deliveries(host string) (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range u.tasks {
		n += u.again[t.ID+" "+host]
	}
	return n
}

// changes returns how many writes changed something in the sandbox.
func (w *world) changes() (n int) {
	for _, write := range w.org.Writes() {
		if len(write.Effects) > 0 {
			n++
		}
	}
	return n
}

// ask queues a sync, as its schedule does.
func (c *course) ask() {
	c.t.Helper()
	c.update(func(tx *store.Tx) error {
		task, err := rpc.NewTask(string(c.connector), rpc.Work{Sync: &rpc.SyncWork{}}, time.Now())
		if err != nil {
			return err
		}
		task.Ref = "sync"
		return rpcstore.AddTask(tx, task)
	})
}

// grant creates an operation that adds an account to the group of administrators.
func (c *course) grant() (o console.Operation, user string) {
	c.t.Helper()
	u := c.outsider(adminGroup)
	account, e := c.account(u.ID), c.group(adminGroup)
	c.update(func(tx *store.Tx) (err error) {
		o, err = tx.CreateOperation(console.Operation{App: c.app, Connector: c.connector, Account: account, Entitlement: e, Verb: console.Grant,
			Cause: console.Cause{Kind: console.CauseApproval, Ref: "request", Evidence: console.EvidenceDecision}}, store.Circumstances{})
		return err
	})
	return o, u.ID
}

// TestLostFinish loses the answer to a grant that was made upstream: a sync verifies the operation,
// and the change is not repeated, even when the answer arrives after all.
func TestLostFinish(t *testing.T) {
	u := newUnreliable()
	u.loses = true
	c := newCourseOver(t, u.over)
	before := c.changes()
	o, user := c.grant()
	waitFor(t, "the answer that is lost", func() bool { return c.member(adminGroup, user) && u.losses() > 0 })
	c.view(func(tx *store.Tx) error {
		got, err := tx.Operation(o.ID)
		if got.State != console.Dispatched {
			t.Errorf("without an answer the operation is %s", got.State)
		}
		return err
	})
	c.ask()
	got := c.state(o.ID, console.Verified)
	if !got.Finished.IsZero() || got.Attempt != 1 || c.changes() != before+1 {
		t.Errorf("%+v, %d changes upstream", got, c.changes()-before)
	}
	// The connector repeats its answer.
	u.mu.Lock()
	u.loses = false
	u.mu.Unlock()
	c.wait("the late answer", func(tx *store.Tx) (bool, error) {
		tasks, _, err := rpcstore.TasksBefore(tx, string(c.connector), 0, 100)
		return err == nil && slices.ContainsFunc(tasks, func(task rpc.Task) bool { return task.ID == string(got.Task) && task.State == rpc.Finished }), err
	})
	if got := c.state(o.ID, console.Verified); got.Attempt != 1 || c.changes() != before+1 || !c.member(adminGroup, user) {
		t.Errorf("after the late answer: %+v, %d changes upstream", got, c.changes()-before)
	}
}

// TestDuplicateDelivery delivers the task of a grant several times, to its host and to another one:
// one change is made upstream, and one answer counts.
func TestDuplicateDelivery(t *testing.T) {
	u := newUnreliable()
	u.twice = true
	c := newCourseOver(t, u.over)
	before := c.changes()
	o, user := c.grant()
	c.state(o.ID, console.Verified)
	waitFor(t, "further deliveries", func() bool { return u.deliveries("replica-1") >= 3 })
	c.runAs("replica-2")
	waitFor(t, "deliveries to another host", func() bool { return u.deliveries("replica-2") >= 1 })
	c.ask()
	c.wait("a sync after them", func(tx *store.Tx) (bool, error) {
		waiting, last, err := rpcstore.OpenSync(tx, string(c.connector))
		return waiting == nil && last != nil && last.State == rpc.Finished, err
	})
	if got := c.state(o.ID, console.Verified); got.Attempt != 1 || c.changes() != before+1 || !c.member(adminGroup, user) {
		t.Errorf("%+v, %d changes upstream", got, c.changes()-before)
	}
	if n := c.events("operation.applied"); n != 1 {
		t.Errorf("%d answers counted", n)
	}
}
