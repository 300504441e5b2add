package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// Due is a row that waits for a time: an expiry, a schedule, a retry, a mail. A worker claims it
// under a lease. If it does not finish in time, another worker may claim it.
type Due struct {
	ID       console.ID
	Kind     string // the work, for example "reason.expiry"
	Ref      string // the row that it is about; there is one Due for each kind and ref
	At       time.Time
	Payload  []byte
	Attempts int   // number of claims, including this one
	Lease    int64 // fencing token: different for each claim
}

// DueTopic is woken when a due row of a kind was added or moved to an earlier time.
func DueTopic(kind string) string { return "due:" + kind }

// SetDue adds a due row, or moves the one with the same kind and ref to another time. If the row is
// claimed, the lease is lost and finishing it fails.
func (t *Tx) SetDue(kind, ref string, when time.Time, payload []byte) error {
	_, err := t.e.Exec(`INSERT INTO due (id, kind, ref, at, ready, payload, attempts, lease) VALUES ($1, $2, $3, $4, $4, $5, 0, 0)
		ON CONFLICT (kind, ref) DO UPDATE SET at = excluded.at, ready = excluded.ready, payload = excluded.payload, attempts = 0, lease = due.lease + 1, owner = NULL, again = NULL`,
		console.NewID(t.by.At), kind, ref, when, bytesOf(payload))
	delete(t.dueBy, dueKey{kind, ref})
	t.Wake(DueTopic(kind))
	return err
}

// dueKey identifies a due row.
type dueKey struct{ kind, ref string }

// DueBy adds a due row, or moves the one with the same kind and ref to a time if it is due later. It
// does not change one that is due earlier. A claimed row stays claimed, and becomes due at that time
// when it is released or finished. The row is not claimed and finished without this command's
// changes: whoever claims it calls [Store.AwaitDue] before reading.
func (t *Tx) DueBy(kind, ref string, when time.Time) error {
	key := dueKey{kind, ref}
	if before, ok := t.dueBy[key]; ok && !before.After(when) {
		return nil // done before in this transaction
	}
	type row struct {
		ready, again time.Time
		held         bool
	}
	for done := false; !done; {
		// Commands share this lock, and it does not hinder claims.
		r, err := find(t, func(r engine.Row) row { return row{at(r, 0), at(r, 1), !r.Null(2)} }, "SELECT ready, again, owner FROM due WHERE kind = $1 AND ref = $2 FOR KEY SHARE", kind, ref)
		if err != nil {
			return err
		}
		// No row changed, because the row was claimed, released or finished in the meantime: try
		// again.
		n := int64(1)
		switch {
		case r == nil:
			n, err = t.e.Exec(`INSERT INTO due (id, kind, ref, at, ready, payload, attempts, lease) VALUES ($1, $2, $3, $4, $4, $5, 0, 0) ON CONFLICT (kind, ref) DO NOTHING`,
				console.NewID(t.by.At), kind, ref, when, []byte{})
			t.Wake(DueTopic(kind))
		case r.held && (r.again.IsZero() || r.again.After(when)):
			n, err = t.e.Exec("UPDATE due SET again = $3 WHERE kind = $1 AND ref = $2 AND owner IS NOT NULL", kind, ref, when)
		case !r.held && r.ready.After(when):
			n, err = t.e.Exec("UPDATE due SET at = $3, ready = $3, attempts = 0 WHERE kind = $1 AND ref = $2 AND owner IS NULL", kind, ref, when)
			t.Wake(DueTopic(kind))
		}
		if err != nil {
			return err
		}
		done = n == 1
	}
	if t.dueBy == nil {
		t.dueBy = map[dueKey]time.Time{}
	}
	t.dueBy[key] = when
	return nil
}

// RemoveDue removes a due row. It does nothing if there is none.
func (t *Tx) RemoveDue(kind, ref string) error {
	_, err := t.e.Exec("DELETE FROM due WHERE kind = $1 AND ref = $2", kind, ref)
	delete(t.dueBy, dueKey{kind, ref})
	return err
}

// DueAt returns when a due row is due. ok is false if there is none.
func (t *Tx) DueAt(kind, ref string) (when time.Time, ok bool, err error) {
	v, err := find(t, func(r engine.Row) time.Time { return at(r, 0) }, "SELECT at FROM due WHERE kind = $1 AND ref = $2", kind, ref)
	if v != nil {
		when, ok = *v, true
	}
	return when, ok, err
}

// NextDue returns when the next row of a kind can be claimed. ok is false if there is none.
func (t *Tx) NextDue(kind string) (when time.Time, ok bool, err error) {
	v, err := find(t, func(r engine.Row) time.Time { return at(r, 0) }, "SELECT ready FROM due WHERE kind = $1 ORDER BY ready LIMIT 1", kind)
	if v != nil {
		when, ok = *v, true
	}
	return when, ok, err
}

// Waiting returns those of the given kinds that have rows which can be claimed now, and the readers of the
// chain that have not read all events ([Tx.Follow]).
func (s *Store) Waiting(ctx context.Context, now time.Time, kinds []string) (due, readers []string, err error) {
	err = s.View(ctx, func(t *Tx) error {
		now, err := t.e.Now(now)
		if err != nil {
			return err
		}
		first := func(r engine.Row) string { return r.Text(0) }
		if due, err = listOf(t, first, kinds, "SELECT DISTINCT kind FROM due WHERE kind IN (keys) AND ready <= $1", now); err != nil {
			return err
		}
		head, err := t.ChainHead()
		if err != nil {
			return err
		}
		readers, err = list(t, first, "SELECT name FROM follower WHERE number < $1", head.Number)
		return err
	})
	return due, readers, err
}

// Claim leases up to n due rows of a kind to an owner, the most overdue first. No two owners hold a
// row at the same time.
func (s *Store) Claim(ctx context.Context, now time.Time, kind, owner string, lease time.Duration, n int) ([]Due, error) {
	if n, err := limit(n); err != nil {
		return nil, baton.Errorf(baton.Invalid, "claim %s: %d rows: %w", kind, n, err)
	}
	var all []Due
	err := s.db.Write(ctx, func(e engine.Tx) error {
		all = nil
		now, err := e.Now(now)
		if err != nil {
			return err
		}
		t := &Tx{e: e, s: s}
		all, err = list(t, scanDue, `UPDATE due SET ready = $1, owner = $2, lease = lease + 1, attempts = attempts + 1, again = NULL
			WHERE id IN (SELECT id FROM due WHERE kind = $3 AND ready <= $4 ORDER BY ready, at, id LIMIT $5 FOR NO KEY UPDATE SKIP LOCKED)
			RETURNING id, kind, ref, at, payload, attempts, lease`, now.Add(lease), owner, kind, now, n)
		return err
	})
	if err != nil {
		return nil, err // rows that were read before are not claimed
	}
	sortByTime(all)
	return all, nil
}

func scanDue(r engine.Row) Due {
	return Due{ID: console.ID(r.Text(0)), Kind: r.Text(1), Ref: r.Text(2), At: at(r, 3), Payload: r.Bytes(4), Attempts: int(r.Int(5)), Lease: r.Int(6)}
}

// AwaitDue waits for the commands that did not move a claimed row, because it was due early enough
// before the claim ([Tx.DueBy]). Transactions that begin later see their changes. The error is
// Refused if the lease was lost.
func (s *Store) AwaitDue(ctx context.Context, d Due) error {
	return s.db.Write(ctx, func(e engine.Tx) error {
		// Every command that relies on the row has locked it until its end. Later ones see that it is
		// claimed, and their change of the row keeps it.
		lease, err := engine.Find(e, func(r engine.Row) int64 { return r.Int(0) }, "SELECT lease FROM due WHERE id = $1 FOR UPDATE", d.ID)
		if err == nil && (lease == nil || *lease != d.Lease) {
			err = lost(d)
		}
		return err
	})
}

// FinishDue removes a claimed row in the transaction that writes its effect, so that the effect
// happens exactly once. The error is Refused if the lease was lost; the transaction must then fail. A row
// that [Tx.DueBy] moved meanwhile is kept.
func (t *Tx) FinishDue(d Due) error {
	delete(t.dueBy, dueKey{d.Kind, d.Ref})
	n, err := t.e.Exec("DELETE FROM due WHERE id = $1 AND lease = $2 AND again IS NULL", d.ID, d.Lease)
	if err != nil || n == 1 {
		return err
	}
	if err := t.heldDue(d, "UPDATE due SET at = again, ready = again, again = NULL, attempts = 0, lease = lease + 1, owner = NULL WHERE id = $1 AND lease = $2", d.ID, d.Lease); err != nil {
		return err
	}
	t.Wake(DueTopic(d.Kind))
	return nil
}

// RetryDue releases a claimed row until a time, or until the earlier time that [Tx.DueBy] requested.
// The error is Refused if the lease was lost.
func (t *Tx) RetryDue(d Due, when time.Time) error {
	delete(t.dueBy, dueKey{d.Kind, d.Ref})
	return t.heldDue(d, `UPDATE due SET at = COALESCE(again, at), ready = CASE WHEN again < $3 THEN again ELSE $3 END, again = NULL, lease = lease + 1, owner = NULL
		WHERE id = $1 AND lease = $2`, d.ID, d.Lease, when)
}

// ExtendDue extends the lease of a claimed row, from now. The error is Refused if the lease was
// lost.
func (t *Tx) ExtendDue(d Due, lease time.Duration) error {
	now, err := t.e.Now(t.by.At)
	if err != nil {
		return err
	}
	return t.heldDue(d, "UPDATE due SET ready = $3 WHERE id = $1 AND lease = $2", d.ID, d.Lease, now.Add(lease))
}

func (t *Tx) heldDue(d Due, sql string, args ...any) error {
	n, err := t.e.Exec(sql, args...)
	if err == nil && n != 1 {
		err = lost(d)
	}
	return err
}

// lost is the error of a row that is no longer claimed under a lease.
func lost(d Due) error {
	return baton.Errorf(baton.Refused, "the lease of %s %s was lost", d.Kind, d.Ref)
}

func sortByTime(all []Due) {
	slices.SortFunc(all, func(a, b Due) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
}
