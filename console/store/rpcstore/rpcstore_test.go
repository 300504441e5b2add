package rpcstore_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/internal/engine"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
)

var (
	noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	ctx  = context.Background()
)

// counted counts write transactions.
type counted struct {
	engine.DB
	writes int
}

func (c *counted) Write(ctx context.Context, fn func(engine.Tx) error) error {
	c.writes++
	return c.DB.Write(ctx, fn)
}

func open(t *testing.T) (*store.Store, *counted) {
	t.Helper()
	db, err := sqlite.OpenDB(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &counted{DB: db}
	return store.New(c, nil), c
}

func add(t *testing.T, s rpcstore.Store, ref string, work rpc.Work) rpc.Task {
	t.Helper()
	task, err := rpc.NewTask("connector", work, noon)
	if err != nil {
		t.Fatal(err)
	}
	task.Ref = ref
	if err := s.AddTask(ctx, noon, task); err != nil {
		t.Fatal(err)
	}
	return task
}

func lease(t *testing.T, s rpcstore.Store, now time.Time) []rpc.Task {
	t.Helper()
	l, err := s.Lease(ctx, now, rpc.LeaseRequest{Connector: "connector", Host: "host", Max: 9})
	if err != nil {
		t.Fatal(err)
	}
	return l.Tasks
}

// TestEndedTasksLeaveDueRows checks that every end of a task with a ref leaves one due row.
func TestEndedTasksLeaveDueRows(t *testing.T) {
	base, _ := open(t)
	s := rpcstore.New(base)
	sync, action := rpc.Work{Sync: &rpc.SyncWork{}}, rpc.Work{RunAction: &rpc.RunActionWork{Name: "disable_user"}}
	finished, lost, cancelled := add(t, s, "sync 1", sync), add(t, s, "operation 1", action), add(t, s, "operation 2", action)
	add(t, s, "", action)
	if err := s.CancelTask(ctx, noon, "connector", cancelled.ID); err != nil {
		t.Fatal(err)
	}
	if got := lease(t, s, noon); len(got) != 3 {
		t.Fatalf("leased %d tasks", len(got))
	}
	for range 2 { // the host repeats its report
		if _, err := s.Finish(ctx, noon, rpc.Holder{Connector: "connector", Host: "host", Task: finished.ID}, rpc.Result{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Expire(ctx, noon.Add(time.Hour), 10); err != nil {
		t.Fatal(err)
	}
	claimed, err := base.Claim(ctx, noon.Add(2*time.Hour), rpcstore.EndedKind, "test", time.Minute, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range claimed {
		got = append(got, d.Ref+" "+string(d.Payload))
	}
	want := []string{finished.ID + " connector", lost.ID + " connector", cancelled.ID + " connector"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("due rows %q, want %q", got, want)
	}
}

// TestPollsWriteNothing checks that a host without work costs one write a minute.
func TestPollsWriteNothing(t *testing.T) {
	base, db := open(t)
	s := rpcstore.New(base)
	if err := s.Hello(ctx, noon, "connector", rpc.Hello{Host: "host"}); err != nil {
		t.Fatal(err)
	}
	add(t, s, "", rpc.Work{Sync: &rpc.SyncWork{}})
	lease(t, s, noon)
	add(t, s, "", rpc.Work{Sync: &rpc.SyncWork{}}) // waits for the first one
	before := db.writes
	const minutes = 4
	for i := range minutes * 12 {
		if got := lease(t, s, noon.Add(time.Duration(i)*5*time.Second)); len(got) != 0 {
			t.Fatalf("leased %+v", got)
		}
	}
	if n := db.writes - before; n > minutes {
		t.Errorf("%d minutes of polls wrote %d times", minutes, n)
	}
	if n, err := s.Expire(ctx, noon, 10); n != 0 || err != nil || db.writes-before > minutes {
		t.Errorf("nothing to expire: %d, %v, %d writes", n, err, db.writes-before)
	}
}

// TestManyTasks leases a long queue in order.
func TestManyTasks(t *testing.T) {
	base, _ := open(t)
	s := rpcstore.New(base)
	var want []string
	for i := range 50 {
		task := add(t, s, "", rpc.Work{RunAction: &rpc.RunActionWork{Name: fmt.Sprint("action ", i)}})
		want = append(want, task.ID)
	}
	var got []string
	for range 50 {
		l, err := s.Lease(ctx, noon, rpc.LeaseRequest{Connector: "connector", Host: "host", Max: 1})
		if err != nil || len(l.Tasks) != 1 || l.More != (len(got) < 49) {
			t.Fatalf("after %d: %+v, %v", len(got), l, err)
		}
		got = append(got, l.Tasks[0].ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("leased in another order")
	}
}
