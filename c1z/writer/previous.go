package writer

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton/c1z"
	"baton/c1z/internal/database"
	"baton/c1z/internal/schema"
	"baton/internal/disk"
	"baton/wire"
)

// Previous is an unpacked file. The new sync is compared with one of its syncs, and the newest
// ones are carried over into the new file.
type Previous struct {
	db     *database.DB
	size   int64            // of the database
	roots  map[string]int64 // of the tables that can be scanned, by name
	kept   []c1z.SyncInfo   // syncs that are carried over, newest first
	newest c1z.SyncInfo     // the full sync to compare with; zero if there is none
}

// OpenPrevious unpacks the file at path into dir, or beside itself when dir is empty. It
// fails as [c1z.Open] does.
func OpenPrevious(ctx context.Context, fsys disk.FS, path, dir string) (*Previous, error) {
	db, err := database.OpenFile(ctx, disk.Of(fsys), path, cmp.Or(dir, filepath.Dir(path)))
	if err != nil {
		return nil, err
	}
	return &Previous{db: db}, nil
}

// Hidden reports whether the unpacked database has no name in its directory.
func (p *Previous) Hidden() bool { return p.db.Hidden() }

// Close removes the unpacked database. It can be called more than once.
func (p *Previous) Close() error { return p.db.Close() }

// previousOf opens the previous file of a Writer; nil if there is none, or an empty one.
func previousOf(path string, opt Options) (_ *Previous, err error) {
	info, err := opt.Disk.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil, nil
	}
	var p *Previous
	if opt.Opened != nil && err == nil && opt.Opened.db.Is(path, info) {
		p = &Previous{db: opt.Opened.db}
	} else if p, err = OpenPrevious(context.Background(), opt.Disk, path, opt.TempDir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if err := p.findTables(); err != nil {
		return nil, err
	}
	// A sync with the id of the new one was sealed by a process that was killed right after the
	// rename. It is replaced.
	syncs := slices.DeleteFunc(slices.Clone(p.db.Syncs), func(s database.Sync) bool { return s.ID == opt.SyncID })
	if p.newest, err = p.comparable(syncs, opt.Types); err != nil {
		return nil, err
	}
	p.kept = kept(syncs, opt)
	return p, nil
}

// findTables finds the tables whose statements are those that a Writer writes.
func (p *Previous) findTables() (err error) {
	if _, p.size, err = p.db.Scratch(); err != nil {
		return err
	}
	p.roots = map[string]int64{}
	err = sqlitex.ExecuteTransient(p.db.Conn, `select name, rootpage, sql from sqlite_schema where type = 'table'`, &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error {
			for _, t := range layouts() {
				if s.ColumnText(0) == t.name && s.ColumnText(2) == "CREATE TABLE"+strings.TrimPrefix(t.sql, "create table") {
					p.roots[t.name] = s.ColumnInt64(1)
				}
			}
			return nil
		}})
	return database.Unreadable(p.db.Name, err)
}

// comparable returns the newest full sync that covers the types, or else the newest full sync.
func (p *Previous) comparable(syncs []database.Sync, types []string) (c1z.SyncInfo, error) {
	first, _ := database.Newest(syncs, c1z.Full)
	for rest := slices.Clone(syncs); ; {
		s, ok := database.Newest(rest, c1z.Full)
		if !ok {
			return c1z.SyncInfo(first), nil
		}
		covered, err := p.typesOf(s.ID)
		if err != nil {
			return c1z.SyncInfo{}, err
		}
		if !slices.ContainsFunc(types, func(t string) bool { return !covered[t] }) {
			return c1z.SyncInfo(s), nil
		}
		rest = slices.DeleteFunc(rest, func(other database.Sync) bool { return other.ID == s.ID })
	}
}

// typesOf returns the ids of the resource types of a sync.
func (p *Previous) typesOf(syncID string) (map[string]bool, error) {
	types := map[string]bool{}
	if p.db.Columns[schema.ResourceTypes] == nil {
		return types, nil
	}
	err := sqlitex.ExecuteTransient(p.db.Conn, `select data from v1_resource_types where sync_id = ?1`, &sqlitex.ExecOptions{
		Args: []any{syncID},
		ResultFunc: func(s *sqlite.Stmt) error {
			data := make([]byte, s.ColumnLen(0))
			s.ColumnBytes(0, data)
			t, err := wire.UnmarshalResourceType(data)
			if err != nil {
				return database.Damaged(p.db.Name, err)
			}
			types[t.ID] = true
			return nil
		}})
	return types, database.Unreadable(p.db.Name, err)
}

// kept returns the syncs to carry over, newest first. Only finished full syncs are: the new sync
// replaces partial ones.
func kept(syncs []database.Sync, opt Options) (keep []c1z.SyncInfo) {
	limit := opt.KeepSyncs
	if opt.SyncType == c1z.Full {
		limit--
	}
	for range limit {
		s, ok := database.Newest(syncs, c1z.Full)
		if !ok {
			break
		}
		keep = append(keep, c1z.SyncInfo(s))
		syncs = slices.DeleteFunc(slices.Clone(syncs), func(other database.Sync) bool { return other.ID == s.ID })
	}
	return keep
}

// carry copies the rows of the kept syncs in a table, from the oldest sync to the newest.
func (p *Previous) carry(ctx context.Context, t *table) error {
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

// Change counts the rows that differ between two syncs, by external id.
type Change struct {
	Created, Deleted, Modified int
}

// Changes counts the differences between a full sync and the previous one.
type Changes struct {
	Resources, Entitlements, Grants Change
}

// Changes compares the new sync with [Writer.Previous]. It returns nil if there is none, or if
// the new sync is not a full one. No rows can be added afterwards.
func (w *Writer) Changes() (*Changes, error) {
	if !w.compares() {
		_, err := w.Sort(w.ctx)
		return nil, err
	}
	return w.changes, w.layOut(w.ctx)
}

// Previous returns the sync that the new one is compared with: the newest full sync of the
// previous file that covers the same resource types, or else the newest full sync. It is zero if
// there is none.
func (w *Writer) Previous() c1z.SyncInfo {
	if w.previous == nil {
		return c1z.SyncInfo{}
	}
	return w.previous.newest
}

// Loss counts the rows of a table and resource type in the previous sync, and how many of them
// the new sync does not have.
type Loss struct {
	Table        Table
	Type         string
	Before, Gone int
	// Sample holds the ids of up to 16 of the rows that are gone. The choice depends only on
	// the ids, so equal losses have equal samples and similar losses similar ones.
	Sample []string
}

// Losses returns the losses of the new sync, where rows are gone. Like Changes it compares full
// syncs only.
func (w *Writer) Losses() ([]Loss, error) {
	if _, err := w.Changes(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(w.losses), func(l Loss) bool { return l.Gone == 0 }), nil
}
