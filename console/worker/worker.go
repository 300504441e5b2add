// Package worker does the scheduled work of the store: it queues the syncs of connectors, applies
// their files, removes expired access and deletes old data. Any number of processes may work on one
// store: each due row is claimed under a lease, and its effect is written in the transaction that
// finishes it.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"time"

	"baton"
	"baton/console"
	"baton/console/ingest"
	"baton/console/rpc"
	"baton/console/schedule"
	"baton/console/siem"
	"baton/console/store"
	"baton/console/store/rpcstore"
	"baton/console/telemetry"
	"baton/console/webhook"
)

// SweepKind is the kind of the due row for hourly work. There is one, for "console".
const SweepKind = "store.sweep"

// Config configures a [Worker]. Store, Ingester and Owner are required.
type Config struct {
	Store    *store.Store
	Ingester *ingest.Ingester
	Owner    string     // name of this process in leases
	Mail     MailSender // nil: no mail is sent
	SIEM     siem.Sender
	Webhooks webhook.Sender
	URL      *url.URL // of the console, for links in mails and messages; required with Mail and with webhooks
	Now      func() time.Time
	Log      *slog.Logger

	Poll  time.Duration // interval of looking for due rows; 0: one second
	Lease time.Duration // lease of a due row; 0: one minute
	Grace time.Duration // time for running work when the worker is stopped; 0: 10 seconds
	// OverdueAfter is how long the removal of expired access may take to start; 0:
	// [console.OverdueAfter].
	OverdueAfter time.Duration

	Meter  *telemetry.Meter  // nil: nothing is counted
	Tracer *telemetry.Tracer // nil: no spans are made
}

// Worker does the work of due rows.
type Worker struct {
	Config
	tasks rpcstore.Store
	down  downServer // used by the mail loop only
	// The connection to the syslog server, used by the syslog loop only.
	syslogConn *siem.Conn
}

// New returns a worker.
func New(c Config) *Worker {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Poll == 0 {
		c.Poll = time.Second
	}
	if c.Lease == 0 {
		c.Lease = time.Minute
	}
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	if c.OverdueAfter == 0 {
		c.OverdueAfter = console.OverdueAfter
	}
	return &Worker{Config: c, tasks: rpcstore.New(c.Store)}
}

// kind is one kind of due rows.
type kind struct {
	name  string
	batch int // number of rows that are claimed at once
	do    func(ctx context.Context, d store.Due) error
	// all does the work of several rows in one transaction. If it fails, the rows are done one by
	// one.
	all func(ctx context.Context, rows []store.Due) error
	// apart does each row by itself, so that a slow one delays no other. batch limits the rows that
	// are being done at a time.
	apart bool
}

// kinds lists the kinds of work.
func (w *Worker) kinds() []kind {
	return []kind{
		{name: console.DueIngest, batch: 1, do: w.ingest},
		{name: rpcstore.EndedKind, batch: 10, do: w.taskEnded},
		{name: console.DueSync, batch: 20, do: w.schedule},
		{name: console.DueMatch, batch: 1, do: w.match},
		{name: console.DueDirectory, batch: 1, do: w.directory},
		{name: console.DueSCIM, batch: 1, do: w.settlePushed},
		{name: console.DueOperations, batch: 10, do: w.watch},
		{name: console.DueOverdue, batch: 10, do: w.overdue},
		{name: store.ExpiryKind, batch: 100, all: w.expire, do: func(ctx context.Context, d store.Due) error { return w.expire(ctx, []store.Due{d}) }},
		{name: console.DueStates, batch: 1, do: w.states},
		{name: console.DueMail, batch: 1, do: w.mail},
		{name: console.DueRequest, batch: 20, do: w.advance},
		{name: console.DueRecheck, batch: 1, do: w.recheck},
		{name: console.DueRequirement, batch: 1, do: w.requirement},
		{name: console.DuePlan, batch: 1, do: w.plan},
		{name: console.DueCampaign, batch: 1, do: w.campaign},
		{name: console.DueExecution, batch: 20, do: w.execution},
		{name: console.DueTriggers, batch: 1, do: w.triggers},
		{name: console.DueTimes, batch: 5, do: w.times},
		{name: SweepKind, batch: 1, do: w.sweep},
		{name: console.DueErasure, batch: 1, do: func(ctx context.Context, d store.Due) error { return w.Store.EraseFrom(ctx, w.by(), d) }},
		{name: console.DueSyslog, batch: 1, do: w.syslog},
		{name: console.DueHead, batch: 1, do: w.head},
		{name: console.DueReplay, batch: 1, do: w.replay},
		{name: console.DueWebhook, batch: 8, do: w.webhook, apart: true},
		{name: console.DueRecovery, batch: 1, do: w.recovery},
		{name: console.DueFindings, batch: 20, all: w.findings, do: func(ctx context.Context, d store.Due) error { return w.findings(ctx, []store.Due{d}) }},
	}
}

// Kinds returns the names of all kinds of due rows.
func Kinds() (names []string) {
	for _, k := range (&Worker{}).kinds() {
		names = append(names, k.name)
	}
	return names
}

func (w *Worker) by() console.By { return console.By{At: w.Now(), Actor: console.Console} }

// Prepare adds missing due rows for periodic work, and makes notices and webhooks start with
// events from now on.
func (w *Worker) Prepare(ctx context.Context) error {
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		for _, kind := range []string{SweepKind, console.DueStates} {
			_, there, err := t.DueAt(kind, "console")
			if err == nil && !there {
				err = t.SetDue(kind, "console", w.Now(), nil)
			}
			if err != nil {
				return err
			}
		}
		for _, r := range w.readers() {
			if err := t.BeginFollowing(r.name); err != nil {
				return err
			}
		}
		return w.beginFindings(t)
	})
}

// Run works until the context ends. Running work may continue for the grace period; the rest is
// released.
func (w *Worker) Run(ctx context.Context) {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(w.Grace, stop)
		<-working.Done()
		timer.Stop()
	})()
	var wg sync.WaitGroup
	due, behind := bells{}, bells{} // a kind and a reader can have the same name
	for _, k := range w.kinds() {
		loop, found := w.loop, due.add(k.name)
		if k.apart {
			loop = w.loopApart
		}
		wg.Go(func() { loop(ctx, working, k, found) })
	}
	for _, r := range w.readers() {
		found := behind.add(r.name)
		wg.Go(func() { w.follow(ctx, working, r, found) })
	}
	wg.Go(func() { w.look(ctx, due, behind) })
	wg.Wait()
	w.endSyslog()
}

// bells tell loops, by their names, that there is something to do.
type bells map[string]chan struct{}

// add returns the channel of a loop.
func (b bells) add(name string) <-chan struct{} {
	b[name] = make(chan struct{}, 1)
	return b[name]
}

// ring tells loops that something was found. Names that this process does not know are ignored.
func (b bells) ring(names []string) {
	for _, name := range names {
		select {
		case b[name] <- struct{}{}:
		default: // the loop has not begun to look for what was found before
		}
	}
}

// look finds out periodically which kinds have rows that are due and which readers have events to read,
// with one transaction for all of them, and tells their loops. Commands wake the loops of what is due at
// once; this is for what becomes due later, and for wake-ups that were lost.
func (w *Worker) look(ctx context.Context, due, behind bells) {
	ticker := time.NewTicker(w.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		kinds, readers, err := w.Store.Waiting(ctx, w.Now(), Kinds())
		if err != nil && ctx.Err() == nil {
			w.Log.ErrorContext(ctx, "nobody knows what is due; trying again", "error", err)
		}
		due.ring(kinds)
		behind.ring(readers)
	}
}

// loop claims and does the work of one kind until claiming ends.
func (w *Worker) loop(claiming, working context.Context, k kind, found <-chan struct{}) {
	woken, done := w.Store.Watch(store.DueTopic(k.name))
	defer done()
	for {
		for claiming.Err() == nil {
			n, err := w.round(claiming, working, k)
			if err != nil && claiming.Err() == nil {
				w.Log.ErrorContext(claiming, "due rows could not be claimed; trying again", "kind", k.name, "error", err)
			}
			if n < k.batch || err != nil {
				break
			}
		}
		select {
		case <-claiming.Done():
			return
		case <-woken:
		case <-found:
		}
	}
}

// round claims rows of a kind and does their work one by one.
func (w *Worker) round(claiming, working context.Context, k kind) (int, error) {
	rows, err := w.Store.Claim(claiming, w.Now(), k.name, w.Owner, w.Lease, k.batch)
	if err != nil {
		return 0, err
	}
	if k.all != nil && len(rows) > 0 {
		ctx, cancel := context.WithTimeout(working, w.Lease/2) // this path does not extend leases
		ctx, span := w.Tracer.Work(ctx, "due "+k.name, "rows", strconv.Itoa(len(rows)))
		failed := k.all(ctx, rows)
		span.End(failed)
		cancel()
		if failed == nil {
			return len(rows), nil
		}
		w.Log.WarnContext(claiming, "rows that were due together were not done; doing one by one", "kind", k.name, "rows", len(rows), "error", failed)
	}
	for _, d := range rows {
		w.one(working, k, d)
	}
	return len(rows), nil
}

// loopApart claims rows of one kind until claiming ends, and does each by itself.
func (w *Worker) loopApart(claiming, working context.Context, k kind, found <-chan struct{}) {
	woken, done := w.Store.Watch(store.DueTopic(k.name))
	defer done()
	ended := make(chan struct{}, k.batch)
	running := 0
	for {
		for wanted := k.batch - running; wanted > 0 && claiming.Err() == nil; wanted = k.batch - running {
			rows, err := w.Store.Claim(claiming, w.Now(), k.name, w.Owner, w.Lease, wanted)
			if err != nil && claiming.Err() == nil {
				w.Log.ErrorContext(claiming, "due rows could not be claimed; trying again", "kind", k.name, "error", err)
			}
			for _, d := range rows {
				running++
				go func() {
					w.one(working, k, d)
					ended <- struct{}{}
				}()
			}
			if len(rows) < wanted {
				break
			}
		}
		select {
		case <-claiming.Done():
			for ; running > 0; running-- {
				<-ended
			}
			return
		case <-ended:
			running--
		case <-woken:
		case <-found:
		}
	}
}

// one does the work of one row. If it fails, the row is retried later.
func (w *Worker) one(ctx context.Context, k kind, d store.Due) {
	held, release := w.hold(ctx, d)
	held, span := w.Tracer.Work(held, "due "+k.name, "attempt", strconv.Itoa(d.Attempts))
	err := k.do(held, d)
	span.End(err)
	lost := errors.Is(context.Cause(held), errLost)
	release()
	if err == nil || lost {
		return
	}
	after := retryAfter(d.Attempts)
	if ctx.Err() != nil {
		after = 0 // stopped: retried at once, by another process or after the restart
	}
	w.Log.ErrorContext(ctx, "a due row was not done", "kind", k.name, "ref", d.Ref, "attempt", d.Attempts, "error", err, "again_in", after)
	err = w.Store.Update(context.WithoutCancel(ctx), w.by(), func(t *store.Tx) error { return t.RetryDue(d, w.Now().Add(after)) })
	if err != nil && baton.KindOf(err) != baton.Refused { // Refused: another worker has claimed or moved it
		w.Log.ErrorContext(ctx, "a due row could not be given back; its lease ends by itself", "kind", k.name, "ref", d.Ref, "error", err)
	}
}

// errLost is the cause of a context that was cancelled because the lease was lost.
var errLost = errors.New("the lease was lost")

// hold extends the lease of a row until it is released. If the lease is lost, it cancels the
// context.
func (w *Worker) hold(ctx context.Context, d store.Due) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(w.Lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			err := w.Store.Update(context.WithoutCancel(ctx), w.by(), func(t *store.Tx) error { return t.ExtendDue(d, w.Lease) })
			if baton.KindOf(err) == baton.Refused {
				cancel(errLost)
				return
			}
		}
	})
	return ctx, func() {
		close(done)
		wg.Wait()
		cancel(nil)
	}
}

// retryAfter returns the delay after the given number of failures.
func retryAfter(attempts int) time.Duration {
	return min(5*time.Second<<min(max(attempts-1, 0), 10), 15*time.Minute)
}

// schedule queues a sync of a connector unless one is open, and schedules the next one.
func (w *Worker) schedule(ctx context.Context, d store.Due) error {
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		c, err := t.Connector(console.ID(d.Ref))
		if baton.KindOf(err) == baton.NotFound || err == nil && (c.Hosting == console.ByFile || schedule.Of(c).Never()) {
			return t.FinishDue(d)
		}
		if err != nil {
			return err
		}
		if !c.Paused {
			if err := w.queueSync(t, c); err != nil {
				return err
			}
		}
		next := schedule.Of(c).Next(d.At, w.Now())
		if next.IsZero() { // the expression is invalid, or has no further time
			return t.FinishDue(d)
		}
		return t.RetryDue(d, next)
	})
}

// queueSync queues a full sync of a connector, unless one is open.
func (w *Worker) queueSync(t *store.Tx, c console.Connector) error {
	open, err := rpcstore.OpenTask(t, string(c.ID), rpc.SyncType)
	if err != nil || open != nil {
		return err
	}
	task, err := rpc.NewTask(string(c.ID), rpc.Work{Sync: &rpc.SyncWork{}}, w.Now())
	if err != nil {
		return err
	}
	task.Ref = rpcstore.SyncRef
	return rpcstore.AddTask(t, task)
}
