package worker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// kind returns a kind of due rows.
func (x *world) kind(name string) kind {
	x.t.Helper()
	for _, k := range x.w.kinds() {
		if k.name == name {
			return k
		}
	}
	x.t.Fatalf("no kind %q", name)
	return kind{}
}

// TestWatchSeesCommandInFlight creates an operation in a transaction that commits while the watch of
// its connector finds nothing more to do: the connector stays watched.
func TestWatchSeesCommandInFlight(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		if x.s.Database() == "sqlite" {
			t.Skip("SQLite has one writer: no command is in flight during another")
		}
		c := newCourse(x)
		c.update(func(tx *store.Tx) error { return tx.SetDue(console.DueOperations, string(c.connector.ID), c.now, nil) })
		c.advance(2 * idle) // nothing happened for so long that the watch may end
		created, commit, committed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		removal := c.op("cem", "staff", console.Revoke)
		go func() {
			committed <- x.s.Update(t.Context(), console.By{At: c.now, Actor: console.Console}, func(tx *store.Tx) error {
				if _, err := tx.CreateOperation(removal, store.Circumstances{}); err != nil {
					return err
				}
				close(created)
				<-commit
				return nil
			})
		}()
		<-created
		watched := make(chan error, 1)
		go func() {
			_, err := x.w.round(t.Context(), t.Context(), x.kind(console.DueOperations))
			watched <- err
		}()
		select {
		case err := <-watched:
			watched <- err
		case <-time.After(300 * time.Millisecond): // it waits for the command
		}
		close(commit)
		for _, done := range []chan error{committed, watched} {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		c.quiet()
		err := x.s.View(t.Context(), func(tx *store.Tx) error {
			if _, ok, err := tx.DueAt(console.DueOperations, string(c.connector.ID)); err != nil || !ok {
				t.Errorf("a connector with a queued removal is not watched; %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// newCrowd is a course with very many members of staff.
func newCrowd(x *world, n int) (c *course, names []string) {
	c = newCourse(x)
	for i := range n {
		name := fmt.Sprintf("p%04d", i)
		names = append(names, name)
		c.up.accounts[name] = 1
	}
	c.up.members["staff"] = append(c.up.members["staff"], names...)
	c.sync()
	return c, names
}

// TestLateRemovalsDoNotStarve marks access as overdue although very many removals with other causes
// are late, too, and although more are late than one transaction marks.
func TestLateRemovalsDoNotStarve(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c, names := newCrowd(x, 2*lateAtOnce+2)
		reviewed, expired := names[:lateAtOnce+1], names[lateAtOnce+1:]
		for _, name := range reviewed {
			c.create(c.op(name, "staff", console.Revoke))
		}
		c.advance(time.Second)
		staff := c.member("staff")
		for _, name := range expired {
			account := c.account(name)
			c.update(func(tx *store.Tx) error {
				_, err := tx.AddReason(console.Reason{App: c.app, Account: account, Entitlement: staff, Kind: console.ReasonRequest, Until: c.now.Add(time.Minute)})
				return err
			})
		}
		c.advance(time.Minute)
		for range 1 + len(expired)/100 {
			c.work()
		}
		c.advance(console.OverdueAfter)
		c.work()
		c.work()
		c.quiet()
		err := x.s.View(t.Context(), func(tx *store.Tx) error {
			n, err := tx.CountOverdue(c.app)
			if n != len(expired) {
				t.Errorf("%d are overdue, want %d", n, len(expired))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestOverdueDoesNotStarve ends the record of overdue access that is gone, although very many
// removals before it cannot be carried out.
func TestOverdueDoesNotStarve(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c, names := newCrowd(x, overdueAtOnce+1)
		staff, admins := c.member("staff"), c.member("admins")
		mark := func(account console.ResourceKey, e console.EntitlementKey) {
			t.Helper()
			c.update(func(tx *store.Tx) error {
				return tx.MarkOverdue(console.Overdue{App: c.app, Connector: c.connector.ID, Account: account, Entitlement: e, Expired: c.now})
			})
		}
		for _, name := range names {
			c.create(c.op(name, "staff", console.Revoke)) // nobody takes it
			mark(c.account(name), staff)
		}
		c.advance(time.Second)
		gone := c.account("cem")
		mark(gone, admins) // not held
		c.advance(console.RetryOverdue)
		c.work()
		c.quiet()
		err := x.s.View(t.Context(), func(tx *store.Tx) error {
			left, err := tx.Overdue(gone, admins)
			if left != nil {
				t.Error("access that is gone is still overdue")
			}
			n, _ := tx.CountOverdue(c.app)
			if n != len(names) {
				t.Errorf("%d are overdue, want %d", n, len(names))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestSyncAfterAction reads what an action that somebody ran was about: only that resource if the
// connector can sync it alone, else everything, at once and once.
func TestSyncAfterAction(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		for _, targeted := range []bool{true, false} {
			c := newCourse(x)
			c.hello(targeted, rpc.CanRunActions)
			run := func() rpc.Task {
				c.t.Helper()
				c.update(func(tx *store.Tx) error {
					_, err := rpcstore.RunAction(tx, console.ActionRun{App: c.app, Connector: c.connector.ID, Name: "archive", ResourceType: "group", Arguments: []byte(`{"group_id":"staff"}`), Why: "test"},
						baton.Profile{"group_id": "staff"})
					return err
				})
				task := c.take("the action")
				if task.Work.RunAction == nil || task.Work.RunAction.Name != "archive" {
					t.Fatalf("%+v", task.Work)
				}
				return task
			}
			c.finish(run(), rpc.Result{Code: 13, Message: "no"})
			c.nothing("an action that failed changed nothing")
			c.finish(run(), rpc.Result{Action: &rpc.ActionRun{ID: "run", State: rpc.ActionComplete}})
			sync := c.take("the sync that shows what it did")
			var want []baton.ResourceID
			if targeted {
				want = []baton.ResourceID{{Type: "group", ID: "staff"}}
			}
			if got := sync.Work.Sync; got == nil || !slices.Equal(got.Resources, want) {
				t.Errorf("targeted %v: %+v, want %v", targeted, sync.Work, want)
			}
			c.up.members["staff"] = []string{"cem", "dan"}
			c.answerSync(sync)
			c.nothing("one sync is enough")
			err := x.s.View(t.Context(), func(tx *store.Tx) error {
				a, err := tx.Access(c.app, c.account("dan"), c.member("staff"), c.now)
				if !a.Held {
					t.Errorf("targeted %v: the sync does not show what the action did", targeted)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
