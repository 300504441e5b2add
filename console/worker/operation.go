package worker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// idle is how long a connector is still checked after its last operation ended.
const idle = time.Minute

// maxTargeted is the number of resources up to which a targeted sync verifies operations. For more,
// a full sync is cheaper.
const maxTargeted = 20

// syncAgain is the delay between two full syncs for an operation about which the first one proved
// nothing.
const syncAgain = 5 * time.Minute

// watch takes care of a connector's unfinished operations: those without an answer, those that a
// sync has to verify, and those that are late.
func (w *Worker) watch(ctx context.Context, d store.Due) error {
	if err := w.Store.AwaitDue(ctx, d); err != nil {
		return err
	}
	created := w.Now().Add(-w.OverdueAfter)
	if err := w.markLate(ctx, console.ID(d.Ref), created); err != nil {
		return err
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		c, err := t.Connector(console.ID(d.Ref))
		if baton.KindOf(err) == baton.NotFound {
			return t.FinishDue(d)
		}
		if err != nil {
			return err
		}
		now := w.Now()
		silent, err := t.SilentOperations(c.ID, now, store.PageSize)
		if err != nil {
			return err
		}
		for _, o := range silent {
			if err := t.LoseOperation(o.ID, o.Task); err != nil {
				return err
			}
		}
		open, err := t.HasUnverified(c.ID)
		if err != nil {
			return err
		}
		next := now.Add(idle)
		soon := func(when time.Time) {
			if !when.IsZero() && when.Before(next) {
				next = when
			}
		}
		look, err := t.NextLook(c.ID, now)
		if err != nil {
			return err
		}
		soon(look)
		again, err := w.proveBySync(t, c)
		if err != nil {
			return err
		}
		soon(again)
		late, err := t.NextLate(c.ID, created)
		if err != nil {
			return err
		}
		if !late.IsZero() {
			soon(late.Add(w.OverdueAfter))
		}
		if !open && late.IsZero() && now.Sub(d.At) >= idle {
			return t.FinishDue(d)
		}
		if !open && late.IsZero() {
			next = d.At.Add(idle)
		}
		return t.RetryDue(d, next)
	})
}

// proveBySync requests a sync if operations need one. It returns when to check again.
func (w *Worker) proveBySync(t *store.Tx, c console.Connector) (again time.Time, err error) {
	now := w.Now()
	if c.Paused || c.Hosting == console.ByFile {
		return time.Time{}, nil
	}
	waiting, last, err := rpcstore.OpenSync(t, string(c.ID))
	if err != nil {
		return time.Time{}, err
	}
	// A sync that is running, or not read yet, proves nothing about changes after its dispatch.
	var handedOut time.Time
	if last != nil {
		handedOut = last.Lease.Since
	}
	unserved, err := t.WantingSync(c.ID, now, handedOut, maxTargeted+1)
	if err != nil {
		return time.Time{}, err
	}
	full := false
	if len(unserved) == 0 {
		if all, err := t.WantingSync(c.ID, now, time.Time{}, 1); err != nil || len(all) == 0 {
			return time.Time{}, err
		}
		if last.State != rpc.Finished {
			return time.Time{}, nil // it is read when it ends
		}
		read, when, err := w.wasRead(t, c, *last)
		if err != nil || !read {
			return now.Add(5 * time.Second), err
		}
		// It was read and proved nothing about them. After a targeted sync, a full one follows at
		// once. After a full one that may have been too early, the next one is not.
		wait := when.Add(syncAgain)
		early, err := t.WantingSync(c.ID, now, handedOut.Add(-console.SettleTime), 1)
		if err != nil {
			return time.Time{}, err
		}
		if len(early) > 0 {
			wait = handedOut.Add(console.SettleTime + time.Second)
		}
		if len(last.Work.Sync.Resources) == 0 && now.Before(wait) {
			return wait, nil
		}
		full = true
	}
	if waiting != nil && (len(waiting.Work.Sync.Resources) == 0 || !full && w.covers(t, c, *waiting, unserved)) {
		return time.Time{}, nil
	}
	work := rpc.SyncWork{}
	if !full {
		if work.Resources, err = w.targets(t, c, unserved); err != nil {
			return time.Time{}, err
		}
	}
	task, err := rpc.NewTask(string(c.ID), rpc.Work{Sync: &work}, now)
	if err != nil {
		return time.Time{}, err
	}
	task.Ref = rpcstore.SyncRef
	return now.Add(idle), rpcstore.AddTask(t, task)
}

// wasRead reports whether the file of a finished sync task was applied or refused, and when the task
// ended.
func (w *Worker) wasRead(t *store.Tx, c console.Connector, task rpc.Task) (bool, time.Time, error) {
	if !task.Result.OK() {
		return true, task.Result.At, nil
	}
	syncs, err := t.Syncs(c.ID, store.SyncBefore{}, 10)
	if err != nil {
		return false, time.Time{}, err
	}
	for _, s := range syncs {
		if s.Task == console.ID(task.ID) {
			read := s.State != console.SyncReceived && s.State != console.SyncStaging && s.State != console.SyncConfirmed
			return read, task.Result.At, nil
		}
	}
	// The file is not recorded yet, or there is none.
	return w.Now().After(task.Result.At.Add(idle)), task.Result.At, nil
}

// covers reports whether a targeted sync proves something about entitlements.
func (w *Worker) covers(t *store.Tx, c console.Connector, task rpc.Task, entitlements []console.EntitlementKey) bool {
	wanted, err := w.targets(t, c, entitlements)
	if err != nil || len(wanted) == 0 {
		return false
	}
	for _, id := range wanted {
		if !slices.Contains(task.Work.Sync.Resources, id) {
			return false
		}
	}
	return true
}

// targets returns the resources whose grants show the holders of entitlements; none if only a full
// sync does, or if there are too many.
func (w *Worker) targets(t *store.Tx, c console.Connector, entitlements []console.EntitlementKey) ([]baton.ResourceID, error) {
	d, ok, err := rpcstore.Describe(t, string(c.ID))
	if err != nil || !ok || !slices.Contains(d.Capabilities, rpc.CanSyncTargetedByTask) {
		return nil, err
	}
	s, err := t.StreamAt(c.Stream, time.Time{})
	if err != nil {
		return nil, err
	}
	m := store.Moment{Streams: []store.StreamAt{s}}
	var all []baton.ResourceID
	if len(entitlements) > maxTargeted {
		return nil, nil
	}
	for _, key := range entitlements {
		if key == console.AccountItself {
			return nil, nil // only full syncs contain accounts
		}
		e, err := t.Entitlement(m, key)
		var on store.Resource
		if err == nil {
			on, err = t.Resource(m, e.Entitlement.Resource)
		}
		if baton.KindOf(err) == baton.NotFound {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		able := slices.ContainsFunc(d.ResourceTypes, func(rt rpc.TypeDescription) bool {
			return rt.ID == on.Type && slices.Contains(rt.Capabilities, rpc.CanSyncTargeted)
		})
		if !able {
			return nil, nil
		}
		if id := (baton.ResourceID{Type: on.Type, ID: on.ID}); !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all, nil
}

// judgedAtOnce limits the operations that are judged in one transaction, because other commands wait
// for it.
const judgedAtOnce = 100

// judge records what an applied sync proves about the operations of its connector. It can be
// repeated, because judged operations do not change.
func (w *Worker) judge(ctx context.Context, s console.Sync) error {
	var open []console.Operation
	err := w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return tellCameBack(t, s) })
	if err != nil {
		return err
	}
	err = w.Store.View(ctx, func(t *store.Tx) (err error) {
		open, err = t.UnverifiedOperations(s.Connector)
		return err
	})
	for some := range slices.Chunk(open, judgedAtOnce) {
		if err == nil {
			err = w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return judge(t, s, some) })
		}
	}
	return err
}

// tellCameBack appends events of the access that an applied sync shows again after its removal.
func tellCameBack(t *store.Tx, s console.Sync) error {
	c, err := t.Connector(s.Connector)
	if err != nil {
		return err
	}
	back, err := t.FindCameBack(c, s)
	for _, b := range back {
		if err == nil {
			err = t.TellCameBack(b)
		}
	}
	return err
}

// judge records what an applied sync proves about some operations.
func judge(t *store.Tx, s console.Sync, open []console.Operation) error {
	at := store.StreamAt{Stream: s.Stream, Connector: s.Connector, Sync: s.Number, Began: s.Began}
	m := store.Moment{Streams: []store.StreamAt{at}}
	for _, o := range open {
		o, err := t.Operation(o.ID)
		if err != nil {
			return err
		}
		if o.Account == 0 {
			if o, err = nameAccount(t, m, s, o); err != nil {
				return err
			}
		}
		sighting, err := sight(t, m, s, o)
		if err != nil {
			return err
		}
		v := console.Verify(o, sighting)
		if v == console.NoEvidence {
			continue
		}
		if err := t.JudgeOperation(o.ID, v, s.Number); err != nil {
			return err
		}
		if v == console.Verifies && o.Account != 0 {
			if err := t.EndOverdue(o.Account, o.Entitlement, !sighting.Held); err != nil {
				return err
			}
		}
	}
	return nil
}

// nameAccount finds the account that an operation created in a full sync: by the id in the
// connector's answer or, without an answer, by the e-mail address.
func nameAccount(t *store.Tx, m store.Moment, s console.Sync, o console.Operation) (console.Operation, error) {
	if o.Entitlement != console.AccountItself || !s.Kind.Full() || s.Kind == console.SyncUpload || o.Dispatched.IsZero() || !s.Dispatched.After(o.Dispatched) {
		return o, nil
	}
	var found *store.Resource
	if len(o.Input.ID) > 0 {
		r, err := t.ResourceByID(m, string(o.Input.Type), string(o.Input.ID))
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return o, err
		}
		if err == nil && r.Account != nil {
			found = &r
		}
	} else {
		person, err := t.Person(o.Person)
		if err != nil {
			return o, err
		}
		for _, address := range person.Emails {
			all, err := t.AccountsByLogin(m, address)
			if err != nil {
				return o, err
			}
			if len(all) == 1 && found == nil {
				found = &all[0]
			}
		}
	}
	if found == nil {
		return o, nil
	}
	err := t.NameAccount(o.ID, found.Key)
	if baton.KindOf(err) == baton.AlreadyExists { // another operation is about the account, and is judged with it
		return o, nil
	}
	if err == nil {
		o, err = t.Operation(o.ID)
	}
	return o, err
}

// sight returns what a sync shows about the access of an operation.
func sight(t *store.Tx, m store.Moment, s console.Sync, o console.Operation) (console.Sighting, error) {
	v := console.Sighting{Kind: s.Kind, Dispatched: s.Dispatched}
	if o.Entitlement == console.AccountItself {
		v.Covers = s.Kind.Full()
		if o.Account == 0 {
			return v, nil
		}
		r, err := t.Resource(m, o.Account)
		if baton.KindOf(err) == baton.NotFound {
			return v, nil
		}
		v.Held, v.Direct = err == nil && console.HasAccount(true, r.Status), true
		return v, err
	}
	if o.Account == 0 {
		return v, nil
	}
	f, err := t.Fact(m, o.Entitlement, o.Account)
	if err != nil {
		return v, err
	}
	if f != nil {
		v.Held, v.Direct = true, f.Direct()
	} else if missing, err := t.Missing(o.Account); err != nil || missing {
		return v, err // the account is not shown either: this sync alone says nothing about it
	}
	if !s.Kind.Full() {
		v.Covers = slices.Contains(s.Scope, o.Entitlement)
		return v, nil
	}
	v.Covers, err = t.Covered(o.Entitlement, s)
	return v, err
}

// lateAtOnce limits the accesses that are marked as overdue in one transaction, because other
// commands wait for it.
const lateAtOnce = 100

// markLate marks access as overdue whose removal was created up to a time and did not start, with
// the reason.
func (w *Worker) markLate(ctx context.Context, connector console.ID, created time.Time) error {
	for more := true; more; {
		err := w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
			late, err := t.LateExpiries(connector, created, lateAtOnce)
			more = len(late) == lateAtOnce
			if err != nil || len(late) == 0 {
				return err
			}
			c, err := t.Connector(connector)
			if err != nil {
				return err
			}
			why, err := w.whyNot(t, c)
			for _, o := range late {
				if err == nil {
					err = markLate(t, o, why)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// markLate marks the access of an operation as overdue. why says why no host has taken it.
func markLate(t *store.Tx, o console.Operation, why string) error {
	if o.State == console.Manual {
		why = "It waits for a person: " + o.Answer
	}
	r, err := t.Reason(console.ID(o.Cause.Ref))
	if err != nil {
		return err
	}
	return t.MarkOverdue(console.Overdue{App: o.App, Connector: o.Connector, Account: o.Account, Entitlement: o.Entitlement, Reason: r.ID, Expired: r.Until, Why: why})
}

// whyNot returns why operations of a connector are not dispatched.
func (w *Worker) whyNot(t *store.Tx, c console.Connector) (string, error) {
	pauses, err := t.Pauses()
	if err != nil {
		return "", err
	}
	held, err := t.HeldSync(c.ID)
	if err != nil {
		return "", err
	}
	hosts, err := rpcstore.Hosts(t, string(c.ID))
	if err != nil {
		return "", err
	}
	var seen time.Time
	for _, h := range hosts {
		if h.Seen.After(seen) {
			seen = h.Seen
		}
	}
	switch {
	case pauses.Writes:
		return "All writes are paused.", nil
	case c.Paused:
		return fmt.Sprintf("The connector %q is paused.", c.Name), nil
	case held != nil:
		return fmt.Sprintf("A sync of the connector %q is held.", c.Name), nil
	case seen.IsZero():
		return fmt.Sprintf("No connector has called with the credentials of %q yet.", c.Name), nil
	}
	return fmt.Sprintf("The connector %q has not taken it. Its hosts were last seen at %s UTC.", c.Name, seen.UTC().Format("15:04")), nil
}
