package c1z

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"baton"
	"baton/disk"
	"baton/sqlitefile"
	"baton/wire"
)

// previous is the file that a Writer compares with and carries over from, unpacked.
type previous struct {
	path    string
	scratch *disk.Scratch
	conn    *sqlite.Conn
	has     columns
	kept    []Sync // that are carried over, newest first
	newest  Sync   // the full sync to compare with; zero if there is none
}

// openPrevious unpacks the file at path; nil if there is none, or an empty one.
func openPrevious(path string, opt Options) (_ *previous, err error) {
	info, err := opt.Disk.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil, nil
	}
	p := &previous{path: path}
	if p.scratch, err = unpack(opt.Disk, path, opt.TempDir, defaultLimits); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.conn, err = openDatabase(p.scratch, opt.TempDir, path); err != nil {
		return nil, err
	}
	if p.has, err = columnsOf(p.conn, "main", path); err != nil {
		return nil, err
	}
	p.scratch.Hide()
	syncs, err := syncsOf(p.conn, "main", path, p.has)
	if err != nil {
		return nil, err
	}
	// A sync with the id of the new one was sealed without anybody learning of it.
	syncs = slices.DeleteFunc(syncs, func(s Sync) bool { return s.ID == opt.SyncID })
	if p.newest, err = p.comparable(syncs, opt.Types); err != nil {
		return nil, err
	}
	p.kept = kept(syncs, opt)
	return p, nil
}

// comparable is the newest full sync that covers the types, and failing that the newest
// full one.
func (p *previous) comparable(syncs []Sync, types []string) (Sync, error) {
	first, _ := newest(syncs, Full)
	for rest := slices.Clone(syncs); ; {
		s, ok := newest(rest, Full)
		if !ok {
			return first, nil
		}
		covered := map[string]bool{}
		err := each(view{path: p.path, conn: p.conn, has: p.has, syncID: s.ID}, ResourceTypes, "", "", wire.UnmarshalResourceType, func(t baton.ResourceType) error {
			covered[t.ID] = true
			return nil
		})
		if err != nil {
			return Sync{}, err
		}
		if !slices.ContainsFunc(types, func(t string) bool { return !covered[t] }) {
			return s, nil
		}
		rest = slices.DeleteFunc(rest, func(other Sync) bool { return other.ID == s.ID })
	}
}

func (p *previous) close() (err error) {
	if p.conn != nil {
		err = database("close "+p.path, p.conn.Close())
	}
	if e := p.scratch.Close(); err == nil {
		err = e
	}
	return err
}

// kept are the syncs that stay, newest first: full ones. One that was not finished is
// none, and a partial one is superseded.
func kept(syncs []Sync, opt Options) (keep []Sync) {
	room := opt.KeepSyncs
	if opt.SyncType == Full {
		room--
	}
	for range room {
		s, ok := newest(syncs, Full)
		if !ok {
			break
		}
		keep = append(keep, s)
		syncs = slices.DeleteFunc(slices.Clone(syncs), func(other Sync) bool { return other.ID == s.ID })
	}
	return keep
}

// past reads the rows of one earlier sync in one table, by external id.
type past struct {
	from    *previous
	layout  *layout
	stmt    *sqlite.Stmt
	columns []int    // where in the statement each column is; -1 for one that is missing
	read    [][]byte // of the row, as far as it was asked for
	id      []byte   // the external id of the row; nil after the last one
	last    []byte
}

// rows reads the rows of a sync in a table; nil if there is no such table.
func (p *previous) rows(t *layout, s Sync, order string) (*past, error) {
	if p.has[t.name] == nil {
		return nil, nil
	}
	rows := &past{from: p, layout: t}
	var names []string
	for _, c := range t.columns {
		at := -1
		switch {
		case c.name == "id":
		case p.has[t.name][c.name]:
			at = len(names)
			names = append(names, c.name)
		case !c.optional:
			return nil, damaged(p.path, fmt.Errorf("table %s has no column %s", t.name, c.name))
		}
		rows.columns = append(rows.columns, at)
	}
	stmt, _, err := p.conn.PrepareTransient(`select ` + strings.Join(names, ", ") + ` from ` + t.name +
		` where sync_id = ?1 order by ` + order)
	if err != nil {
		return nil, unreadable(p.path, err)
	}
	stmt.BindText(1, s.ID)
	rows.stmt, rows.read = stmt, make([][]byte, len(names))
	return rows, nil
}

func (p *past) close() { p.stmt.Finalize() }

// next goes to the next row.
func (p *past) next() (more bool, err error) {
	more, err = p.stmt.Step()
	if err != nil {
		return false, unreadable(p.from.path, err)
	}
	return more, nil
}

// nextByID goes to the next row of one that is read by external id.
func (p *past) nextByID() error {
	more, err := p.next()
	if err != nil {
		return err
	}
	p.last = append(p.last[:0], p.id...)
	if !more {
		p.id = nil
		return nil
	}
	at := p.columns[p.layout.column("external_id")]
	if p.id = p.bytes(at); len(p.id) == 0 || bytes.Compare(p.id, p.last) < 0 {
		return damaged(p.from.path, fmt.Errorf("table %s has rows with impossible ids", p.layout.name))
	}
	return nil
}

// bytes is a column of the statement; it is good until the next row.
func (p *past) bytes(at int) []byte {
	n := p.stmt.ColumnLen(at)
	b := slices.Grow(p.read[at][:0], max(n, 1))[:n]
	p.stmt.ColumnBytes(at, b)
	p.read[at] = b
	return b
}

// named is a column of the row, as bytes; nil if it is missing.
func (p *past) named(column string) []byte {
	if at := p.columns[p.layout.column(column)]; at >= 0 {
		return p.bytes(at)
	}
	return nil
}

// values fills in the columns of the row as they are to be stored, which is what the
// library would make of them.
func (p *past) values(row []sqlitefile.Value) error {
	for i, c := range p.layout.columns {
		at := p.columns[i]
		if at < 0 {
			row[i] = c.absent
			continue
		}
		kind := p.stmt.ColumnType(at)
		switch {
		case kind == sqlite.TypeNull && c.required:
			return damaged(p.from.path, fmt.Errorf("table %s has a row without %s", p.layout.name, c.name))
		case kind == sqlite.TypeNull:
			row[i] = sqlitefile.Value{}
		case kind == sqlite.TypeBlob:
			row[i] = sqlitefile.Blob(p.bytes(at))
		case kind == sqlite.TypeText && c.kind != "integer":
			row[i] = sqlitefile.TextOf(p.bytes(at))
		case c.kind == "text":
			row[i] = sqlitefile.Text(p.stmt.ColumnText(at))
		case kind == sqlite.TypeFloat && c.kind != "integer":
			row[i] = sqlitefile.Real(p.stmt.ColumnFloat(at))
		default:
			row[i] = sqlitefile.Int(p.stmt.ColumnInt64(at))
		}
	}
	return nil
}

// carry copies the rows of all kept syncs in a table, one sync after the other.
func (p *previous) carry(ctx context.Context, t *table) error {
	for _, s := range slices.Backward(p.kept) {
		rows, err := p.rows(&t.layout, s, "id")
		if rows == nil || err != nil {
			return err
		}
		defer rows.close()
		for {
			more, err := rows.next()
			if err != nil {
				return err
			}
			if !more {
				break
			}
			if err := rows.values(t.row); err != nil {
				return err
			}
			if err := t.add(t.row); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// Change counts what differs between two syncs, by external id.
type Change struct {
	Created, Deleted, Modified int
}

// Changes is what a full sync changed since the full one before it.
type Changes struct {
	Resources, Entitlements, Grants Change
}

// Changes compares the new sync with the newest full one in the file that is going to
// be replaced. It is nil without one, and when the new sync is not a full one. No
// rows can be added afterwards.
func (w *Writer) Changes() (*Changes, error) {
	if !w.compares() {
		_, err := w.Settle(w.ctx)
		return nil, err
	}
	return w.changes, w.layOut(w.ctx)
}

// Before is the sync that the new one is compared with: the newest full one of the
// previous file that covers as much. It is zero without one.
func (w *Writer) Before() Sync {
	if w.previous == nil {
		return Sync{}
	}
	return w.previous.newest
}

// Loss is how many rows of one table and resource type the previous full sync had, and
// how many of them the new one has not.
type Loss struct {
	Table        Table
	Type         string
	Before, Gone int
	// Sample are the ids of up to 16 of those that are gone. Equal losses have equal
	// samples, and of two that are nearly equal most of the samples is.
	Sample []string
}

// Losses are the rows gone by table and resource type, where there are any. Like
// Changes, it compares full syncs only.
func (w *Writer) Losses() ([]Loss, error) {
	if _, err := w.Changes(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(w.losses), func(l Loss) bool { return l.Gone == 0 }), nil
}
