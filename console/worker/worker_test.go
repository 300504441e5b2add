package worker

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/ingest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
	"baton/console/telemetry"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// world is a store with one connector, and a worker on it.
type world struct {
	t         *testing.T
	s         *store.Store
	tasks     rpcstore.Store
	w         *Worker
	now       time.Time
	app       console.ID
	connector console.Connector
	log       bytes.Buffer
}

func TestMain(m *testing.M) { pgtest.Main(m) }

func newWorld(t *testing.T) *world {
	t.Helper()
	keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true}, keys)
	if err != nil {
		t.Fatal(err)
	}
	return worldOn(t, s)
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t)) })
	t.Run("postgres", func(t *testing.T) {
		s, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.New(t), Now: noon, CallersClock: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		test(t, worldOn(t, s))
	})
}

func worldOn(t *testing.T, s *store.Store) *world {
	t.Helper()
	t.Cleanup(func() { s.Close() })
	x := &world{t: t, s: s, tasks: rpcstore.New(s), now: noon}
	now := func() time.Time { return x.now }
	x.w = New(Config{Store: s, Owner: "test", Now: now, Log: slog.New(slog.NewTextHandler(&x.log, nil)), Lease: time.Hour,
		Ingester: &ingest.Ingester{Store: s, Now: now, Scratch: t.TempDir()}})
	x.update(func(tx *store.Tx) error {
		app, err := tx.AddApp(console.App{Name: "app"})
		if err != nil {
			return err
		}
		x.app = app
		id, err := tx.AddConnector(console.Connector{App: app, Name: "c", Interval: time.Hour})
		if err == nil {
			x.connector, err = tx.Connector(id)
		}
		return err
	})
	return x
}

func (x *world) update(fn func(*store.Tx) error) {
	x.t.Helper()
	if err := x.s.Update(x.t.Context(), console.By{At: x.now, Actor: console.Console}, fn); err != nil {
		x.t.Fatal(err)
	}
}

// work does all due work once.
func (x *world) work() {
	x.t.Helper()
	for _, k := range x.w.kinds() {
		if k.name == SweepKind {
			continue
		}
		if _, err := x.w.round(x.t.Context(), x.t.Context(), k); err != nil {
			x.t.Fatal(err)
		}
	}
}

// lease leases the connector's tasks to a host.
func (x *world) lease() []rpc.Task {
	x.t.Helper()
	l, err := x.tasks.Lease(x.t.Context(), x.now, rpc.LeaseRequest{Connector: string(x.connector.ID), Host: "host", Max: 9})
	if err != nil {
		x.t.Fatal(err)
	}
	return l.Tasks
}

func (x *world) finish(task rpc.Task, r rpc.Result) {
	x.t.Helper()
	if _, err := x.tasks.Finish(x.t.Context(), x.now, rpc.Holder{Connector: task.Connector, Host: "host", Task: task.ID}, r); err != nil {
		x.t.Fatal(err)
	}
}

// events returns the kinds of the connector's events, oldest first.
func (x *world) events() (kinds []string) {
	x.t.Helper()
	err := x.s.View(x.t.Context(), func(t *store.Tx) error {
		all, err := t.Events(store.EventFilter{Connector: x.connector.ID}, 0, store.PageSize)
		for _, e := range all {
			kinds = append(kinds, e.Kind)
		}
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return kinds
}

// TestIdle checks that a worker without work writes nothing and looks once in a period, for all kinds of
// work together, and that it does what becomes due without a wake-up.
func TestIdle(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		meter := telemetry.NewMeter()
		x.s.Observe(meter, nil)
		transactions := func(kind string) (n int) {
			var text bytes.Buffer
			meter.Write(telemetry.WriteFigures(&text))
			_, after, _ := strings.Cut(text.String(), "transaction_duration_seconds_count{"+telemetry.Label("kind", kind)+"} ")
			n, _ = strconv.Atoi(strings.SplitN(after, "\n", 2)[0])
			return n
		}
		var now atomic.Int64
		x.w = New(Config{Store: x.s, Owner: "test", Now: func() time.Time { return noon.Add(time.Duration(now.Load())) }, Poll: time.Millisecond, Lease: time.Hour})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			x.w.Run(ctx)
		}()
		// Looks need a period of 20 of them without a write until everything at the start is done.
		for quiet := 0; quiet < 20; quiet++ {
			writes, looks := transactions("write"), transactions("read")
			for transactions("read") == looks {
				time.Sleep(time.Millisecond)
			}
			if transactions("write") != writes {
				quiet = 0
			}
		}
		later := noon.Add(time.Hour)
		x.update(func(tx *store.Tx) error {
			for _, kind := range Kinds() {
				if err := tx.SetDue(kind, "nothing", later, nil); err != nil {
					return err
				}
			}
			return nil
		})
		now.Store(int64(time.Hour))
		for _, kind := range Kinds() {
			for due, there := later, true; there && !due.After(later); {
				time.Sleep(time.Millisecond)
				x.update(func(tx *store.Tx) (err error) {
					due, there, err = tx.NextDue(kind)
					return err
				})
			}
		}
		stop()
		<-ended
	})
}

// TestSchedule requests a sync at once and then at each interval, never two at a time, and none
// while the connector is paused.
func TestSchedule(t *testing.T) {
	x := newWorld(t)
	x.work()
	first := x.lease()
	if len(first) != 1 || first[0].Work.Sync == nil {
		t.Fatalf("a new connector: %+v", first)
	}
	x.now = noon.Add(61 * time.Minute) // it is still running
	x.work()
	if _, err := x.tasks.Extend(t.Context(), x.now, rpc.Holder{Connector: first[0].Connector, Host: "host", Task: first[0].ID}); err != nil {
		t.Fatal(err)
	}
	if more := x.lease(); len(more) != 0 {
		t.Errorf("a second sync beside the first: %+v", more)
	}
	x.finish(first[0], rpc.Result{Code: 14, Message: "the upstream is down"})
	x.now = noon.Add(119 * time.Minute)
	x.work()
	if early := x.lease(); len(early) != 0 {
		t.Errorf("too early: %+v", early)
	}
	x.now = noon.Add(121 * time.Minute)
	x.work()
	second := x.lease()
	if len(second) != 1 {
		t.Fatalf("after the interval: %+v", second)
	}
	x.finish(second[0], rpc.Result{Code: 9, Message: "much is gone"})
	x.update(func(tx *store.Tx) error {
		c, err := tx.Connector(x.connector.ID)
		c.Paused = true
		if err != nil {
			return err
		}
		return tx.ChangeConnector(c)
	})
	x.now = noon.Add(200 * time.Minute)
	x.work()
	if paused := x.lease(); len(paused) != 0 {
		t.Errorf("while paused: %+v", paused)
	}
	if kinds := x.events(); !slices.Contains(kinds, "sync.failed") || !slices.Contains(kinds, "sync.held-by-connector") {
		t.Errorf("nothing says how the syncs ended: %q", kinds)
	}
}

// TestNoFile records the error of a sync without a file.
func TestNoFile(t *testing.T) {
	x := newWorld(t)
	x.work()
	x.finish(x.lease()[0], rpc.Result{})
	x.work()
	if kinds := x.events(); !slices.Contains(kinds, "sync.failed") {
		t.Errorf("%q", kinds)
	}
}

// TestFailedRow reschedules a row that fails.
func TestFailedRow(t *testing.T) {
	x := newWorld(t)
	x.update(func(tx *store.Tx) error { return tx.SetDue(console.DueIngest, "no sync", x.now, nil) })
	x.work()
	if !bytes.Contains(x.log.Bytes(), []byte("no sync")) {
		t.Errorf("the log says nothing: %s", &x.log)
	}
	claim := func() int {
		rows, err := x.s.Claim(t.Context(), x.now, console.DueIngest, "other", time.Minute, 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	if claim() != 0 {
		t.Error("it is due again at once")
	}
	x.now = x.now.Add(time.Minute)
	if claim() != 1 {
		t.Error("it is never due again")
	}
}

// TestStopGivesBack stops a worker during the work on a row: another one can claim it at once.
func TestStopGivesBack(t *testing.T) {
	x := newWorld(t)
	x.update(func(tx *store.Tx) error { return tx.SetDue("test", "row", x.now, nil) })
	rows, err := x.s.Claim(t.Context(), x.now, "test", "test", time.Hour, 1)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v, %v", rows, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x.w.one(ctx, kind{name: "test", do: func(ctxOfRow context.Context, _ store.Due) error { return ctxOfRow.Err() }}, rows[0])
	again, err := x.s.Claim(t.Context(), x.now, "test", "other", time.Hour, 1)
	if err != nil || len(again) != 1 {
		t.Errorf("%v, %v", again, err)
	}
}

// TestLostLease ends the work on a row that another process took over.
func TestLostLease(t *testing.T) {
	x := newWorld(t)
	x.w.Lease = 30 * time.Millisecond
	x.update(func(tx *store.Tx) error { return tx.SetDue("test", "row", x.now, nil) })
	rows, err := x.s.Claim(t.Context(), x.now, "test", "test", time.Hour, 1)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v, %v", rows, err)
	}
	x.update(func(tx *store.Tx) error { return tx.SetDue("test", "row", x.now.Add(time.Hour), nil) }) // moved: the lease is lost
	ended := make(chan struct{})
	go func() {
		x.w.one(t.Context(), kind{name: "test", do: func(ctx context.Context, _ store.Due) error {
			<-ctx.Done()
			return ctx.Err()
		}}, rows[0])
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the work goes on without a lease")
	}
	if _, err := x.s.Claim(t.Context(), x.now, "test", "other", time.Hour, 1); err != nil {
		t.Error(err)
	}
	err = x.s.View(t.Context(), func(tx *store.Tx) error {
		when, ok, err := tx.DueAt("test", "row")
		if !ok || !when.Equal(x.now.Add(time.Hour)) {
			t.Errorf("the row that was moved: %v, %v", when, ok)
		}
		return err
	})
	if err != nil && baton.KindOf(err) != baton.NotFound {
		t.Error(err)
	}
}
