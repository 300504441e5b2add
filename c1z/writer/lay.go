package writer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"baton"
	"baton/c1z"
	"baton/c1z/internal/database"
	"baton/c1z/internal/sqlitefile"
	"baton/internal/extsort"
)

// layOut merges the rows of the new sync with those of the syncs that are carried over, writes
// them and compares the syncs on the way. Every source returns its rows in the order of external
// ids. Rows with the same id are written one after the other, in the order of their syncs: the
// file compresses well, and the entries of its unique indexes come in order.
func (w *Writer) layOut(ctx context.Context) error {
	if w.laid || w.failed != nil {
		return w.failed
	}
	if _, err := w.Sort(ctx); err != nil {
		return err
	}
	w.laid = true
	for {
		w.failed = w.lay(ctx)
		var order *sqlitefile.OrderError
		switch {
		case errors.As(w.failed, &order) && order.Index != byPrincipal: // whose order is made here
			// Two ids of which one begins the other can compare differently once more text
			// follows them. This index must be sorted, and the file begun again.
			w.disordered[order.Index] = true
		case errors.Is(w.failed, errUnlike):
			clear(w.previous.roots)
		default:
			return w.failed
		}
		w.laying.w.Drop()
		w.frame.close()
		w.out.Abort()
		w.frame, w.changes, w.losses = nil, nil, nil
	}
}

// Indexes whose entries do not come in the order of the rows: grants by principal, which
// [principalIndex] puts in order, and grants by entitlement and sync, which [syncIndex] does.
const (
	byPrincipal       = "idx_grants_principal_id_v1"
	byEntitlementSync = "idx_grants_entitlement_sync_grant_v1"
)

func (w *Writer) lay(ctx context.Context) (err error) {
	if w.previous != nil {
		w.previous.db.Conn.SetInterrupt(ctx.Done())
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	if w.compares() {
		w.changes = new(Changes)
	}
	for t := ResourceTypes; t <= Grants; t++ {
		if err := w.merge(ctx, t); err != nil {
			return w.laying.failure(w, err)
		}
	}
	if err := w.laying.syncIndex.flush(); err != nil {
		return w.laying.failure(w, err)
	}
	if err := w.principalIndex.write(ctx, w.laying.principalIndex); err != nil {
		return w.laying.failure(w, err)
	}
	if w.previous != nil {
		for _, name := range []string{"v1_sync_runs", "v1_assets"} {
			if err := w.previous.carry(ctx, w.laying.tables[name]); err != nil {
				return w.laying.failure(w, err)
			}
		}
	}
	return nil
}

// failure classifies an error of laying out.
func (l *laying) failure(w *Writer, err error) error {
	var classified *baton.Error
	switch {
	case errors.As(err, &classified), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, sqlitefile.ErrDuplicate) && w.previous != nil:
		return database.Damaged(w.previous.db.Name, err) // the new rows have no duplicates
	}
	return baton.Errorf(baton.Internal, "c1z: write %s: %w", w.path, err)
}

// compares reports whether the new sync is compared with the previous full one.
func (w *Writer) compares() bool {
	return w.previous != nil && w.previous.newest.ID != "" && w.opt.SyncType == c1z.Full
}

// source returns the rows of one sync in the order of external ids.
type source struct {
	syncID string
	id     []byte // of the row; nil after the last one
	keep   bool   // the rows go into the new file
	before bool   // this is the sync to compare with
	past   past   // of a previous sync; nil for the new one
	fresh  *fresh
}

// fresh reads the rows of the new sync in one table.
type fresh struct {
	cursor   *extsort.Cursor
	table    Table
	row      Row
	rowStore *rowStore
	buf      []byte
	grants   *grantReader // only for the table of grants

	principal int // of a grant: the rank of its principal
}

// next goes to the next row of the table.
func (f *fresh) next() (more bool, err error) {
	if f.grants != nil {
		f.row, f.principal, err = f.grants.next()
		return isMore(err)
	}
	key, err := f.cursor.Next()
	if err != nil {
		return isMore(err)
	}
	if Table(key[0]) != f.table {
		return false, nil
	}
	f.row, err = f.rowStore.read(key, &f.buf)
	return err == nil, err
}

// isMore distinguishes the end from an error.
func isMore(err error) (bool, error) {
	if err == io.EOF {
		return false, nil
	}
	return err == nil, err
}

func (s *source) next() (err error) {
	if s.past != nil {
		s.id, err = s.past.next()
		return err
	}
	more, err := s.fresh.next()
	if s.id = nil; more {
		s.id = s.fresh.row.id
	}
	return err
}

// sources returns the syncs that have the table, in the order of their ids.
func (w *Writer) sources(t *table, of Table) (sources []*source, err error) {
	f := &fresh{table: of, rowStore: &w.rowStore}
	if of == Grants {
		f.grants = &grantReader{of: w.grants, cursor: w.grants.sorted.From(nil)}
	} else {
		f.cursor = w.list.From([]byte{byte(of)})
	}
	sources = append(sources, &source{syncID: w.opt.SyncID, keep: true, fresh: f})
	if w.previous != nil {
		syncs := slices.Clone(w.previous.kept)
		compared := w.compares() && of != ResourceTypes
		if newest := w.previous.newest; compared && !slices.Contains(syncs, newest) {
			syncs = append(syncs, newest)
		}
		for _, sync := range syncs {
			rows, err := w.previous.rows(&t.layout, sync)
			if err != nil {
				return sources, err
			}
			if rows != nil {
				sources = append(sources, &source{syncID: sync.ID, past: rows,
					keep: slices.Contains(w.previous.kept, sync), before: compared && sync == w.previous.newest})
			}
		}
	}
	slices.SortFunc(sources, func(a, b *source) int { return cmp.Compare(a.syncID, b.syncID) })
	for _, s := range sources {
		if err := s.next(); err != nil {
			return sources, err
		}
	}
	return sources, nil
}

// merge writes the rows of one table.
func (w *Writer) merge(ctx context.Context, of Table) error {
	t := w.laying.tables[of.name()]
	sources, err := w.sources(t, of)
	defer func() {
		for _, s := range sources {
			if s.past != nil {
				s.past.close()
			}
		}
	}()
	if err != nil {
		return err
	}
	fresh := 0
	if len(sources) == 1 {
		fresh, err = w.mergeOne(ctx, t, sources[0])
	} else {
		fresh, err = w.mergeSeveral(ctx, t, of, sources)
	}
	if err == nil && fresh != w.rows[of] {
		return baton.Errorf(baton.Internal, "c1z: %s has %d new rows where %d were added", t.name, fresh, w.rows[of])
	}
	return err
}

// mergeOne writes the rows of the new sync where there is no other, and returns their number.
func (w *Writer) mergeOne(ctx context.Context, t *table, s *source) (fresh int, err error) {
	of := s.fresh.table
	for ; s.id != nil; fresh++ {
		if fresh%1024 == 0 && ctx.Err() != nil {
			return fresh, ctx.Err()
		}
		if err := w.write(t, of, s, s); err != nil {
			return fresh, err
		}
		if err := s.next(); err != nil {
			return fresh, err
		}
	}
	if w.changes != nil {
		w.changes.of(of).Created += fresh
	}
	return fresh, nil
}

// write writes a row. Now is the row of the new sync with the same id, nil if there is none.
func (w *Writer) write(t *table, of Table, s, now *source) error {
	if s.past != nil {
		if err := s.past.values(t.row); err != nil {
			return err
		}
	} else {
		w.values(t, &s.fresh.row)
	}
	if err := t.add(t.row); err != nil {
		return err
	}
	if of != Grants {
		return nil
	}
	if err := w.laying.syncIndex.add(t.row, t.rows); err != nil {
		return err
	}
	columns := t.principal
	if now == nil || s != now && !w.principalIndex.same(now.fresh.principal, t.row[columns[0]].Bytes(), t.row[columns[1]].Bytes()) {
		return w.laying.principalIndex.AddAside(t.rows, t.row, columns)
	}
	return w.principalIndex.add(now.fresh.principal, t.rows)
}

// mergeSeveral writes the rows of several syncs, and returns how many the new one has.
func (w *Writer) mergeSeveral(ctx context.Context, t *table, of Table, sources []*source) (fresh int, err error) {
	gone := comparison{table: of}
	var id []byte
	var same []*source // the rows with the id
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return fresh, ctx.Err()
		}
		first := true
		for _, s := range sources {
			if s.id != nil && (first || bytes.Compare(s.id, id) < 0) {
				id, first = append(id[:0], s.id...), false
			}
		}
		if first {
			break
		}
		var now, before *source
		same = same[:0]
		for _, s := range sources {
			if s.id == nil || !bytes.Equal(s.id, id) {
				continue
			}
			same = append(same, s)
			if s.before {
				before = s
			}
			if s.past == nil {
				now = s
				fresh++
			}
		}
		for _, s := range same {
			if s.keep {
				if err := w.write(t, of, s, now); err != nil {
					return fresh, err
				}
			}
		}
		if w.changes != nil && (now != nil || before != nil) {
			gone.see(w, now, before)
		}
		for _, s := range same {
			if err := s.next(); err != nil {
				return fresh, err
			}
		}
	}
	gone.end(w)
	return fresh, nil
}

// values fills in the columns of a row of the new sync.
func (w *Writer) values(t *table, r *Row) {
	text := func(b []byte) sqlitefile.Value { return sqlitefile.TextOf(b) }
	w.message = r.appendMessage(w.message[:0])
	data := sqlitefile.Blob(w.message)
	ends := [...]sqlitefile.Value{text(r.id), data, w.laying.syncID, w.laying.discovered}
	row := append(t.row[:0], sqlitefile.Value{})
	switch r.Table {
	case ResourceTypes:
		row = append(row, ends[:]...)
	case Resources:
		row = append(row, text(r.part(0)), text(r.id))
		if r.parent == (baton.ResourceID{}) {
			row = append(row, sqlitefile.Value{}, sqlitefile.Value{})
		} else {
			row = append(row, sqlitefile.Text(r.parent.Type), sqlitefile.Text(r.parent.ID))
		}
		row = append(row, ends[1:]...)
	case Entitlements:
		row = append(append(row, text(r.part(0)), text(r.part(1))), ends[:]...)
	case Grants:
		row = append(row, text(r.part(0)), text(r.part(1)), text(r.entitlement()), text(r.part(3)), text(r.part(4)),
			ends[0], sqlitefile.Value{}, sqlitefile.Int(0))
		row = append(row, ends[1:]...)
	}
	t.row = row
}

// comparison collects the losses of one table, by resource type.
type comparison struct {
	table  Table
	losses []Loss
	ids    []sample
}

// see compares a new row with the previous one of the same id. Either may be nil.
func (c *comparison) see(w *Writer, now, before *source) {
	change := w.changes.of(c.table)
	if before == nil {
		change.Created++
		return
	}
	if now != nil && !bytes.Equal(before.past.named("data"), w.message) {
		change.Modified++
	}
	kind := before.past.named("resource_type_id")
	at := slices.IndexFunc(c.losses, func(l Loss) bool { return l.Type == string(kind) })
	if at < 0 {
		at = len(c.losses)
		c.losses, c.ids = append(c.losses, Loss{Table: c.table, Type: string(kind)}), append(c.ids, sample{})
	}
	c.losses[at].Before++
	if now == nil {
		change.Deleted++
		c.losses[at].Gone++
		c.ids[at].add(string(before.id))
	}
}

func (c *comparison) end(w *Writer) {
	for i := range c.losses {
		c.losses[i].Sample = c.ids[i].ids
	}
	slices.SortFunc(c.losses, func(a, b Loss) int { return strings.Compare(a.Type, b.Type) })
	w.losses = append(w.losses, c.losses...)
}

// of returns the change of a table. Those of resource types are not reported.
func (c *Changes) of(t Table) *Change {
	switch t {
	case Resources:
		return &c.Resources
	case Entitlements:
		return &c.Entitlements
	case Grants:
		return &c.Grants
	}
	return new(Change)
}
