package store

import (
	"context"
	"encoding/json"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const retentionSetting = "retention"

// Retention returns how long records are kept.
func (t *Tx) Retention() (console.Retention, error) {
	r := console.DefaultRetention()
	b, err := t.Setting(retentionSetting)
	if baton.KindOf(err) == baton.NotFound {
		return r, nil
	}
	if err == nil && json.Unmarshal(b, &r) != nil {
		err = baton.Errorf(baton.Corrupt, "the settings of retention cannot be read").WithFix("Enter them again.")
	}
	return r, err
}

// SetRetention sets how long records are kept, and why.
func (t *Tx) SetRetention(r console.Retention, why string) error {
	if err := r.Check(); err != nil {
		return err
	}
	before, err := t.Retention()
	if err != nil && baton.KindOf(err) != baton.Corrupt {
		return err
	}
	if err := t.writeSetting(retentionSetting, encode(r)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "retention.changed", Object: retentionSetting}, map[string]any{"before": before, "after": r, "why": why})
}

// Removed counts the rows that retention removed.
type Removed struct {
	Files int `json:"files,omitempty"`
	Mails int `json:"mails,omitempty"`
	Tasks int `json:"tasks,omitempty"`
	Facts int `json:"facts,omitempty"`
}

// RetentionApplied records what was removed, unless it is nothing.
func (t *Tx) RetentionApplied(r Removed) error {
	if r == (Removed{}) {
		return nil
	}
	return t.event(console.Event{Kind: "retention.applied", Object: retentionSetting}, r)
}

// horizon returns the sync of a stream since which its history is kept; nil while all is.
func (t *Tx) horizon(stream console.Stream) (*console.Sync, error) {
	return find(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE number = (SELECT horizon FROM head WHERE stream = $1 AND horizon > 0)", stream)
}

// checkKept returns the error of a question about what a sync showed, if that is not kept any more.
func (t *Tx) checkKept(stream console.Stream, n console.SyncNumber) error {
	since, err := t.horizon(stream)
	if err != nil || since == nil || n >= since.Number {
		return err
	}
	return baton.Errorf(baton.NotFound, "what was so then is unknown: the history of this connector is kept since %s UTC", since.Began.UTC().Format("2 Jan 2006 15:04:05")).
		WithFix("Choose a later moment. Sync files and backups of that time, if there are any, still show it.")
}

// HistoryKept returns since when the history of every stream is kept; zero if it is all there. If
// app is not empty, only its streams count.
func (t *Tx) HistoryKept(app console.ID) (time.Time, error) {
	since, err := find(t, func(r engine.Row) time.Time { return at(r, 0) }, `SELECT s.began FROM head h JOIN sync s ON s.number = h.horizon JOIN connector c ON c.id = s.connector
		WHERE h.horizon > 0 AND ($1 = '' OR c.app = $1) ORDER BY s.began DESC LIMIT 1`, string(app))
	if err != nil || since == nil {
		return time.Time{}, err
	}
	return *since, nil
}

// moveHorizon forgets the history of a connector before a time: what the newest sync that began by
// then, and all later ones, showed is kept. It returns the sync, or 0 if nothing is older.
func (t *Tx) moveHorizon(c console.Connector, before time.Time) (console.SyncNumber, error) {
	horizon, err := find(t, func(r engine.Row) console.SyncNumber { return console.SyncNumber(r.Int(0)) }, "SELECT horizon FROM head WHERE stream = $1 FOR UPDATE", c.Stream)
	if err != nil || horizon == nil {
		return 0, err
	}
	s, err := t.StreamAt(c.Stream, before.Add(time.Microsecond))
	if baton.KindOf(err) == baton.NotFound { // it was moved further before
		return *horizon, nil
	}
	if err != nil || s.Sync == 0 || s.Sync <= *horizon {
		return *horizon, err
	}
	if err := t.change("head", "UPDATE head SET horizon = $2 WHERE stream = $1", c.Stream, s.Sync); err != nil {
		return 0, err
	}
	return s.Sync, t.event(console.Event{Kind: "history.forgotten", App: c.App, Connector: c.ID, Object: string(c.ID)}, map[string]any{"kept_since": s.Began.UTC(), "sync": s.Sync})
}

// forgetBatch is the number of changes that are forgotten in one transaction.
const forgetBatch = 200

// ForgetHistory removes what ended, as the syncs of a connector show, before a time. Questions about
// the time before then have no answer afterwards. It returns the number of facts that were removed.
// Access that goes on stays with its whole interval. The work is done in small transactions; what a
// stopped one left is removed by the next.
func (s *Store) ForgetHistory(ctx context.Context, by console.By, connector console.ID, before time.Time) (removed int, err error) {
	var c console.Connector
	var horizon console.SyncNumber
	err = s.Update(ctx, by, func(t *Tx) (err error) {
		if c, err = t.Connector(connector); err == nil {
			horizon, err = t.moveHorizon(c, before)
		}
		return err
	})
	for more := err == nil && horizon > 0; more && err == nil; {
		n := 0
		err = s.Update(ctx, by, func(t *Tx) (err error) {
			n, more, err = t.forgetChanges(c.Stream, horizon)
			return err
		})
		removed += n
	}
	return removed, err
}

// forgetChanges removes the oldest notes of changes up to the horizon, and the facts whose whole
// interval ended by then. Every fact that ended has a note.
func (t *Tx) forgetChanges(stream console.Stream, horizon console.SyncNumber) (removed int, more bool, err error) {
	type note struct {
		sync                         console.SyncNumber
		kind, entitlement, principal int64
	}
	notes, err := list(t, func(r engine.Row) note {
		return note{console.SyncNumber(r.Int(0)), r.Int(1), r.Int(2), r.Int(3)}
	}, "SELECT sync, kind, entitlement, principal FROM changed WHERE stream = $1 AND sync <= $2 ORDER BY sync, kind, entitlement, principal LIMIT $3", stream, horizon, forgetBatch)
	if err != nil {
		return 0, false, err
	}
	for _, n := range notes {
		if ChangedKind(n.kind) == ChangedFact {
			k, err := t.forgetFacts(stream, n.entitlement, n.principal, horizon)
			if err != nil {
				return removed, false, err
			}
			removed += k
		}
		if _, err := t.e.Exec("DELETE FROM changed WHERE stream = $1 AND sync = $2 AND kind = $3 AND entitlement = $4 AND principal = $5", stream, n.sync, n.kind, n.entitlement, n.principal); err != nil {
			return removed, false, err
		}
	}
	return removed, len(notes) == forgetBatch, nil
}

// forgetFacts removes the rows of one fact that belong to intervals which ended by the horizon. An
// interval has several rows if the fact changed while it was held.
func (t *Tx) forgetFacts(stream console.Stream, entitlement, principal int64, horizon console.SyncNumber) (removed int, err error) {
	type row struct{ opened, closed int64 }
	rows, err := list(t, func(r engine.Row) row { return row{r.Int(0), r.Int(1)} },
		"SELECT opened, closed FROM fact WHERE stream = $1 AND entitlement = $2 AND principal = $3 ORDER BY opened DESC", stream, entitlement, principal)
	kept := int64(-1) // where the row after this one, which is kept, begins
	for _, r := range rows {
		if err != nil {
			return removed, err
		}
		if r.closed > int64(horizon) || r.closed == kept {
			kept = r.opened
			continue
		}
		for _, d := range []struct {
			sql  string
			args []any
		}{
			{"DELETE FROM fact WHERE stream = $1 AND entitlement = $2 AND principal = $3 AND opened = $4", []any{stream, entitlement, principal, r.opened}},
			{"DELETE FROM fact_by_principal WHERE principal = $1 AND entitlement = $2 AND opened = $3", []any{principal, entitlement, r.opened}},
		} {
			if err == nil {
				_, err = t.e.Exec(d.sql, d.args...)
			}
		}
		removed++
	}
	return removed, err
}

// ForgetTasks removes up to n finished tasks of connectors that were added before a time, and what
// connectors uploaded for them unless a sync names it. The newest of each kind is kept, and so are
// those of operations that are not over. It returns the place where the next call continues, or 0 at
// the end.
func (t *Tx) ForgetTasks(before time.Time, after int64, n int) (removed int, next int64, err error) {
	type row struct {
		id     string
		number int64
	}
	tasks, err := list(t, func(r engine.Row) row { return row{r.Text(0), r.Int(1)} }, `SELECT t.id, t.number FROM task t WHERE t.state = 'finished' AND t.added < $1 AND t.number > $2
		AND t.number < (SELECT max(o.number) FROM task o WHERE o.connector = t.connector AND o.type = t.type AND o.state = 'finished')
		AND NOT EXISTS (SELECT 1 FROM operation p WHERE p.id = t.ref AND p.alive)
		ORDER BY t.number LIMIT $3`, before, after, n)
	if err != nil {
		return 0, 0, err
	}
	for _, task := range tasks {
		files, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT id FROM upload WHERE task = $1", task.id)
		if err != nil {
			return removed, 0, err
		}
		if _, err := t.e.Exec("DELETE FROM upload WHERE task = $1", task.id); err != nil {
			return removed, 0, err
		}
		for _, f := range files {
			if err := t.RemoveFile(f); err != nil && baton.KindOf(err) != baton.Refused { // Refused: a sync names it, or somebody keeps it
				return removed, 0, err
			}
		}
		if err := t.change("task", "DELETE FROM task WHERE id = $1", task.id); err != nil {
			return removed, 0, err
		}
		removed++
	}
	if len(tasks) == n {
		next = tasks[n-1].number
	}
	return removed, next, nil
}
