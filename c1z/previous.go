package c1z

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/internal/disk"
	"baton/wire"
)

// previous is the file that a Writer compares with and carries over from, unpacked.
type previous struct {
	path    string
	scratch *disk.Scratch
	conn    *sqlite.Conn
	has     columns
	size    int64            // of the database
	roots   map[string]int64 // of tables that are as a Writer makes them, and may be scanned
	kept    []Sync           // that are carried over, newest first
	newest  Sync             // the full sync to compare with; zero if there is none
}

// openPrevious unpacks the file at path; nil if there is none, or an empty one.
func openPrevious(path string, opt Options) (_ *previous, err error) {
	info, err := opt.Disk.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil, nil
	}
	f := opt.Open
	if f == nil || err != nil || !f.isStill(path, info) {
		if f, err = OpenOn(opt.Disk, path, opt.TempDir); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				f.Close()
			}
		}()
	}
	p := &previous{path: path, scratch: f.scratch, conn: f.view.conn, has: f.view.has}
	if err := p.findTables(); err != nil {
		return nil, err
	}
	// A sync with the id of the new one was sealed without anybody learning of it.
	syncs := slices.DeleteFunc(slices.Clone(f.syncs), func(s Sync) bool { return s.ID == opt.SyncID })
	if p.newest, err = p.comparable(syncs, opt.Types); err != nil {
		return nil, err
	}
	p.kept = kept(syncs, opt)
	f.scratch = nil // it is ours now
	return p, nil
}

// findTables finds the tables that are as a Writer makes them.
func (p *previous) findTables() error {
	info, err := p.scratch.Stat()
	if err != nil {
		return disk.Errorf(err, p.scratch.Name(), "read %s", p.scratch.Name())
	}
	p.size, p.roots = info.Size(), map[string]int64{}
	err = sqlitex.ExecuteTransient(p.conn, `select name, rootpage, sql from sqlite_schema where type = 'table'`, &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error {
			for _, t := range layouts() {
				if s.ColumnText(0) == t.name && s.ColumnText(2) == "CREATE TABLE"+strings.TrimPrefix(t.sql, "create table") {
					p.roots[t.name] = s.ColumnInt64(1)
				}
			}
			return nil
		}})
	return unreadable(p.path, err)
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

// carry copies the rows of all kept syncs in a table, one sync after the other.
func (p *previous) carry(ctx context.Context, t *table) error {
	for _, s := range slices.Backward(p.kept) {
		rows, err := p.query(&t.layout, s, "id")
		if rows == nil || err != nil {
			return err
		}
		defer rows.close()
		for {
			more, err := rows.step()
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
