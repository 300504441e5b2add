package c1z

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton/disk"
)

// previous is the file that a Writer is going to replace, unpacked. The Writer's
// connection knows it as the attached database "previous".
type previous struct {
	scratch *disk.Scratch
	has     columns
	newest  Sync // the newest full sync; zero if there is none
}

// openPrevious unpacks the file at path; nil if there is none, or an empty one.
func openPrevious(fsys disk.FS, path, dir string) (*previous, error) {
	info, err := fsys.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil, nil
	}
	s, err := unpack(fsys, path, dir, defaultLimits)
	if err != nil {
		return nil, err
	}
	return &previous{scratch: s}, nil
}

// carryOver copies the syncs that are to stay.
func (w *Writer) carryOver() error {
	if w.previous == nil {
		return nil
	}
	conn := w.view.conn
	err := sqlitex.ExecuteTransient(conn, `attach ?1 as previous`, &sqlitex.ExecOptions{
		Args: []any{w.previous.scratch.Name()}})
	if err == nil {
		err = sqlitex.ExecuteTransient(conn, fmt.Sprintf("pragma previous.cache_size = -%d", cacheKiB), nil)
	}
	if err != nil {
		return unreadable(w.path, err)
	}
	if w.previous.has, err = columnsOf(conn, "previous", w.path); err != nil {
		return err
	}
	w.previous.scratch.Hide()
	syncs, err := syncsOf(conn, "previous", w.path, w.previous.has)
	if err != nil {
		return err
	}
	// A sync with the id of the new one was sealed without anybody learning of it.
	syncs = slices.DeleteFunc(syncs, func(s Sync) bool { return s.ID == w.opt.SyncID })
	keep := w.kept(syncs)
	w.previous.newest, _ = newest(syncs, Full)
	for _, s := range slices.Backward(keep) {
		if err := w.carry(s); err != nil {
			return err
		}
	}
	return nil
}

// kept are the syncs that stay, newest first: full ones. One that was not finished is
// none, and a partial one is superseded.
func (w *Writer) kept(syncs []Sync) (keep []Sync) {
	room := w.opt.KeepSyncs
	if w.opt.SyncType == Full {
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

// carry copies one sync, whatever columns its writer had.
func (w *Writer) carry(s Sync) error {
	for _, table := range []string{"v1_sync_runs", "v1_resource_types", "v1_resources", "v1_entitlements", "v1_grants", "v1_assets"} {
		var common []string
		for column := range w.view.has[table] {
			if column != "id" && w.previous.has[table][column] {
				common = append(common, column)
			}
		}
		if len(common) == 0 {
			continue
		}
		slices.Sort(common)
		list := strings.Join(common, ", ")
		err := sqlitex.ExecuteTransient(w.view.conn, `insert into main.`+table+` (`+list+`)
			select `+list+` from previous.`+table+` where sync_id = ?1 order by id`,
			&sqlitex.ExecOptions{Args: []any{s.ID}})
		if err != nil {
			return unreadable(w.path, err)
		}
		for t := ResourceTypes; t <= Grants; t++ {
			if t.name() == table {
				w.carried[t] += w.view.conn.Changes()
			}
		}
	}
	return nil
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
	if err := w.settle(); err != nil {
		return nil, err
	}
	if w.changes != nil || w.previous == nil || w.previous.newest.ID == "" || w.opt.SyncType != Full {
		return w.changes, nil
	}
	changes := new(Changes)
	for t, change := range map[Table]*Change{
		Resources: &changes.Resources, Entitlements: &changes.Entitlements, Grants: &changes.Grants,
	} {
		before, err := w.countAll("previous", t, w.previous.newest.ID)
		if err != nil {
			return nil, err
		}
		same := 0
		if before > 0 {
			// Cross join keeps the order: the new rows as they lie, the old ones by index.
			err = sqlitex.ExecuteTransient(w.view.conn, `select count(*), total(n.data is not o.data)
				from main.`+t.name()+` n cross join previous.`+t.name()+` o
				on o.external_id = n.external_id and o.sync_id = ?2 where n.sync_id = ?1`, &sqlitex.ExecOptions{
				Args: []any{w.opt.SyncID, w.previous.newest.ID},
				ResultFunc: func(s *sqlite.Stmt) error {
					same, change.Modified = s.ColumnInt(0), s.ColumnInt(1)
					return nil
				},
			})
			if err != nil {
				return nil, database("compare with the sync before", err)
			}
		}
		change.Created = w.rows[t] - same
		change.Deleted = before - same
	}
	w.changes = changes
	return changes, nil
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
	changes, err := w.Changes()
	if changes == nil || err != nil {
		return nil, err
	}
	var losses []Loss
	for _, of := range []struct {
		table Table
		gone  int
	}{{Resources, changes.Resources.Deleted}, {Entitlements, changes.Entitlements.Deleted}, {Grants, changes.Grants.Deleted}} {
		if of.gone == 0 {
			continue
		}
		more, err := w.lossesIn(of.table)
		if err != nil {
			return nil, err
		}
		losses = append(losses, more...)
	}
	return losses, nil
}

// lossesIn are those of one table.
func (w *Writer) lossesIn(t Table) (losses []Loss, err error) {
	var ids sample
	err = sqlitex.ExecuteTransient(w.view.conn, `select o.resource_type_id, n.id is null, o.external_id
		from previous.`+t.name()+` o left join main.`+t.name()+` n
		on n.external_id = o.external_id and n.sync_id = ?1
		where o.sync_id = ?2 order by o.resource_type_id`, &sqlitex.ExecOptions{
		Args: []any{w.opt.SyncID, w.previous.newest.ID},
		ResultFunc: func(s *sqlite.Stmt) error {
			resourceType := s.ColumnText(0)
			if n := len(losses); n == 0 || losses[n-1].Type != resourceType {
				losses, ids = append(losses, Loss{Table: t, Type: resourceType}), sample{}
			}
			l := &losses[len(losses)-1]
			l.Before++
			if s.ColumnBool(1) {
				l.Gone++
				ids.add(s.ColumnText(2))
				l.Sample = ids.ids
			}
			return nil
		},
	})
	return slices.DeleteFunc(losses, func(l Loss) bool { return l.Gone == 0 }), database("compare with the sync before", err)
}

// countAll counts the rows of a table, of one sync or, without an id, of all.
func (w *Writer) countAll(schema string, t Table, syncID string) (n int, err error) {
	has := w.view.has
	if schema == "previous" {
		has = w.previous.has
	}
	if has[t.name()] == nil {
		return 0, nil
	}
	query, args := `select count(*) from `+schema+`.`+t.name(), []any(nil)
	if syncID != "" {
		query, args = query+` where sync_id = ?1`, []any{syncID}
	}
	err = sqlitex.ExecuteTransient(w.view.conn, query, &sqlitex.ExecOptions{
		Args:       args,
		ResultFunc: func(s *sqlite.Stmt) error { n = s.ColumnInt(0); return nil },
	})
	return n, database("count the rows", err)
}
