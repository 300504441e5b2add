package c1z

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/ksuid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/disk"
)

// Options say what a new sync is.
type Options struct {
	Disk      disk.FS // the system\'s when nil
	TempDir   string  // for the scratch databases; beside the file when empty
	Previous  string  // the file to compare with and to carry over from; the one at path when empty
	KeepSyncs int     // full syncs in the file, the new one included; 2 when zero
	SyncID    string  // a KSUID
	SyncType  string  // Full, Partial or ResourcesOnly
	Started   time.Time
}

// Writer adds one sync to a file. It is not safe for concurrent use.
//
// Rows are added first; then the sync can be looked at ([Writer.Resources],
// [Writer.Grants], [Writer.Changes]), after which no more rows can be added; then it
// is sealed. Memory is bounded but for some 11 to 21 bytes per row, by which a repeated
// row is recognised.
type Writer struct {
	path     string
	opt      Options
	scratch  *disk.Scratch
	view     view // of the new sync
	insert   [Grants + 1]*sqlite.Stmt
	again    [Grants + 1]*sqlite.Stmt // adds repeated rows, once there is one
	previous *previous                // nil without a file at the path

	seed    maphash.Seed
	seen    hashes
	rows    [Grants + 1]int // distinct, of the new sync
	counts  map[string]*Count
	carried [Grants + 1]int
	settled bool
	failed  error // what settling came to
	changes *Changes
	closed  bool
}

var _ baton.Facts = (*Writer)(nil)

// Create begins a sync that will be part of the file at path. The file that is there
// already, or Options.Previous, is read first, and fails as Open fails; a missing or
// empty one is none.
// Of its syncs the newest full ones are carried over, as many as KeepSyncs allows.
func Create(path string, opt Options) (_ *Writer, err error) {
	if _, err := ksuid.Parse(opt.SyncID); err != nil {
		return nil, baton.Errorf(baton.Invalid, "c1z: sync id %q is not a KSUID", opt.SyncID)
	}
	if !slices.Contains([]string{Full, Partial, ResourcesOnly}, opt.SyncType) {
		return nil, baton.Errorf(baton.Invalid, "c1z: sync type %q is unknown", opt.SyncType)
	}
	if opt.TempDir == "" {
		opt.TempDir = filepath.Dir(path)
	}
	if opt.KeepSyncs == 0 {
		opt.KeepSyncs = 2
	}
	opt.Disk = disk.Of(opt.Disk)
	w := &Writer{
		path: path, opt: opt,
		view: view{path: path, syncID: opt.SyncID},
		seed: maphash.MakeSeed(), counts: map[string]*Count{},
	}
	defer func() {
		if err != nil {
			w.Abort()
		}
	}()
	if w.previous, err = openPrevious(opt.Disk, cmp.Or(opt.Previous, path), opt.TempDir); err != nil {
		return nil, err
	}
	if w.scratch, err = disk.NewScratch(opt.Disk, opt.TempDir, scratchPrefix); err != nil {
		return nil, err
	}
	if w.view.conn, err = openDatabase(w.scratch, opt.TempDir, path); err != nil {
		return nil, err
	}
	w.scratch.Hide()
	if err := sqlitex.ExecuteScript(w.view.conn, schema, nil); err != nil {
		return nil, database("create the tables", err)
	}
	if w.view.has, err = columnsOf(w.view.conn, "main", path); err != nil {
		return nil, err
	}
	if err := w.carryOver(); err != nil {
		return nil, err
	}
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

// begin opens the one transaction that takes all rows.
func (w *Writer) begin() error {
	if err := sqlitex.ExecuteTransient(w.view.conn, "begin", nil); err != nil {
		return database("begin", err)
	}
	for t := ResourceTypes; t <= Grants; t++ {
		stmt, err := w.prepare(t, t.name())
		if err != nil {
			return err
		}
		w.insert[t] = stmt
	}
	return nil
}

func (w *Writer) prepare(t Table, into string) (*sqlite.Stmt, error) {
	stmt, err := w.view.conn.Prepare(t.insert(into))
	if err != nil {
		return nil, database("begin", err)
	}
	stmt.BindText(3, w.opt.SyncID)
	stmt.BindText(4, formatTime(w.opt.Started))
	return stmt, nil
}

// Add adds a row. Of rows with the same external id the first one holds; added is
// false for such a repetition.
func (w *Writer) Add(r Row) (added bool, err error) {
	if !r.Table.valid() || w.settled || w.closed {
		return false, baton.Errorf(baton.Internal, "c1z: row %q cannot be added here", r.id)
	}
	stmt, fresh := w.insert[r.Table], w.first(r)
	if !fresh {
		if stmt, err = w.repetition(r.Table); err != nil {
			return false, err
		}
	}
	stmt.BindText(1, r.id)
	stmt.BindBytes(2, r.data)
	res := r.ResourceID()
	switch r.Table {
	case Resources:
		stmt.BindText(5, res.Type)
		if r.parent == (baton.ResourceID{}) {
			stmt.BindNull(6)
			stmt.BindNull(7)
		} else {
			stmt.BindText(6, r.parent.Type)
			stmt.BindText(7, r.parent.ID)
		}
	case Entitlements, Grants:
		stmt.BindText(5, res.Type)
		stmt.BindText(6, res.ID)
	}
	if r.Table == Grants {
		principal := r.Principal()
		stmt.BindText(7, r.EntitlementID())
		stmt.BindText(8, principal.Type)
		stmt.BindText(9, principal.ID)
	}
	_, err = stmt.Step()
	if err := errors.Join(err, stmt.Reset()); err != nil {
		return false, database("add a row", err)
	}
	if !fresh {
		return false, nil
	}
	w.rows[r.Table]++
	if r.Table != ResourceTypes {
		c := w.counts[res.Type]
		if c == nil {
			c = new(Count)
			w.counts[res.Type] = c
		}
		*c.of(r.Table)++
	}
	return true, nil
}

// first reports whether no row with this id was added before. It goes by a 64-bit
// hash; a row that it takes for another is kept apart and not lost.
func (w *Writer) first(r Row) bool {
	var h maphash.Hash
	h.SetSeed(w.seed)
	h.WriteByte(byte(r.Table))
	h.WriteString(r.id)
	return w.seen.add(h.Sum64())
}

// repetition adds to the rows that settle decides about.
func (w *Writer) repetition(t Table) (*sqlite.Stmt, error) {
	if w.again[t] == nil {
		create := `create temporary table ` + t.repeated() + ` as select * from ` + t.name() + ` where 0`
		if err := sqlitex.ExecuteTransient(w.view.conn, create, nil); err != nil {
			return nil, database("set repeated rows aside", err)
		}
		stmt, err := w.prepare(t, t.repeated())
		if err != nil {
			return nil, err
		}
		w.again[t] = stmt
	}
	return w.again[t], nil
}

// settle ends the adding of rows.
func (w *Writer) settle() error {
	if !w.settled {
		w.settled = true
		w.failed = w.index()
		w.seen = hashes{}
	}
	return w.failed
}

// index makes the indexes, and adds those of the repeated rows after all whose id is
// another and only its hash was the same.
func (w *Writer) index() error {
	for _, step := range append([]string{"commit"}, indexes...) {
		if err := sqlitex.ExecuteTransient(w.view.conn, step, nil); err != nil {
			return database("write "+w.path, err)
		}
	}
	for t := ResourceTypes; t <= Grants; t++ {
		if w.again[t] == nil {
			continue
		}
		err := sqlitex.ExecuteTransient(w.view.conn, `insert or ignore into `+t.name()+` select * from `+t.repeated(), nil)
		if err != nil {
			return database("write "+w.path, err)
		}
		if n := w.view.conn.Changes(); n > 0 {
			w.rows[t] += n
			if err := w.recount(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// recount counts the rows of a table by type again.
func (w *Writer) recount(t Table) error {
	if t == ResourceTypes {
		return nil
	}
	of, err := w.view.count(t)
	for name, n := range of {
		if w.counts[name] == nil {
			w.counts[name] = new(Count)
		}
		*w.counts[name].of(t) = n
	}
	return err
}

// Resources calls fn for each resource of the type in the new sync.
func (w *Writer) Resources(resourceType string, fn func(baton.Resource) error) error {
	if err := w.settle(); err != nil {
		return err
	}
	return w.view.resources(resourceType, fn)
}

// Grants calls fn for each grant of the entitlement in the new sync.
func (w *Writer) Grants(e baton.EntitlementID, fn func(baton.Grant) error) error {
	if err := w.settle(); err != nil {
		return err
	}
	return w.view.grants(e, fn)
}

// KeepHighest drops the grants of the new sync on resources of the type that are
// outranked: the principal holds an earlier one of the slugs on the same resource. It
// returns how many. No rows can be added afterwards.
func (w *Writer) KeepHighest(resourceType string, slugs []string) (dropped int, err error) {
	if err := w.settle(); err != nil {
		return 0, err
	}
	// Nothing is left to undo: a database that breaks from here on is given up.
	if err := sqlitex.ExecuteTransient(w.view.conn, `pragma journal_mode = off`, nil); err != nil {
		return 0, database("write "+w.path, err)
	}
	for i, low := range slugs {
		for _, high := range slugs[:i] {
			err := sqlitex.ExecuteTransient(w.view.conn, `delete from v1_grants as low
				where sync_id = ?1 and resource_type_id = ?2 and entitlement_id = ?2 || ':' || resource_id || ':' || ?3
				and exists (select 1 from v1_grants as high
					where high.entitlement_id = ?2 || ':' || low.resource_id || ':' || ?4
					and high.principal_resource_type_id = low.principal_resource_type_id
					and high.principal_resource_id = low.principal_resource_id and high.sync_id = ?1)`,
				&sqlitex.ExecOptions{Args: []any{w.opt.SyncID, resourceType, low, high}})
			if err != nil {
				return dropped, database("write "+w.path, err)
			}
			dropped += w.view.conn.Changes()
		}
	}
	w.rows[Grants] -= dropped
	if c := w.counts[resourceType]; c != nil {
		c.Grants -= dropped
	}
	return dropped, nil
}

// Sealed is what Seal has written.
type Sealed struct {
	Changes *Changes // as Changes has it
	Size    int64    // of the file, in bytes
}

// Seal finishes the sync and puts the file in its place. The Writer is closed
// afterwards, whether it worked or not; when it did not, the file that was there
// before is untouched. A full or failing disk is a baton.Storage error.
func (w *Writer) Seal(ctx context.Context, ended time.Time) (_ Sealed, err error) {
	if w.closed {
		return Sealed{}, baton.Errorf(baton.Internal, "c1z: %s is already sealed or given up", w.path)
	}
	defer func() {
		if e := ctx.Err(); err != nil && e != nil {
			err = fmt.Errorf("c1z: seal %s: %w", w.path, e) // not the interrupted step
		}
		w.Abort() // whose own errors change nothing any more
	}()
	w.view.conn.SetInterrupt(ctx.Done())
	var sealed Sealed
	if sealed.Changes, err = w.Changes(); err != nil {
		return Sealed{}, err
	}
	if err := w.record(ended); err != nil {
		return Sealed{}, err
	}
	if err := w.check(); err != nil {
		return Sealed{}, err
	}
	if err := w.closeDatabase(); err != nil {
		return Sealed{}, err
	}
	size, err := w.scratch.Seek(0, io.SeekEnd)
	if err != nil {
		return Sealed{}, storage("read", w.scratch.Name(), err)
	}
	sealed.Size, err = disk.Replace(w.opt.Disk, w.path, func(out io.Writer) error {
		return pack(out, &cancellable{ctx, io.NewSectionReader(w.scratch, 0, size)}, size)
	})
	if err != nil {
		return Sealed{}, err
	}
	return sealed, nil
}

// cancellable is a reader that ends with its context.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancellable) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

// stats is the summary that readers print without counting.
type stats struct {
	ResourceTypes      int            `json:"resource_types,omitempty"`
	Resources          int            `json:"resources,omitempty"`
	Entitlements       int            `json:"entitlements,omitempty"`
	Grants             int            `json:"grants,omitempty"`
	ResourcesByType    map[string]int `json:"resources_by_resource_type,omitempty"`
	GrantsByType       map[string]int `json:"grants_by_resource_type,omitempty"`
	EntitlementsByType map[string]int `json:"entitlements_by_resource_type,omitempty"`
}

// record adds the sync to the list of syncs, finished.
func (w *Writer) record(ended time.Time) error {
	s := stats{ResourceTypes: w.rows[ResourceTypes], Resources: w.rows[Resources],
		Entitlements: w.rows[Entitlements], Grants: w.rows[Grants],
		ResourcesByType: map[string]int{}, GrantsByType: map[string]int{}, EntitlementsByType: map[string]int{}}
	for name, c := range w.counts {
		for t, by := range map[Table]map[string]int{
			Resources: s.ResourcesByType, Grants: s.GrantsByType, Entitlements: s.EntitlementsByType,
		} {
			if n := *c.of(t); n > 0 {
				by[name] = n
			}
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return baton.Errorf(baton.Internal, "c1z: %w", err)
	}
	parent := ""
	if w.opt.SyncType == Partial && w.previous != nil {
		parent = w.previous.newest.ID
	}
	err = sqlitex.ExecuteTransient(w.view.conn, `insert into v1_sync_runs
		(sync_id, started_at, ended_at, sync_token, sync_type, parent_sync_id, supports_diff, grants_backfilled, stats)
		values (?1, ?2, ?3, '', ?4, ?5, 1, 1, ?6)`, &sqlitex.ExecOptions{Args: []any{
		w.opt.SyncID, formatTime(w.opt.Started), formatTime(ended), w.opt.SyncType, parent, string(text)}})
	return database("write "+w.path, err)
}

// check proves that the database is sound and holds what was put into it.
func (w *Writer) check() error {
	err := sqlitex.ExecuteTransient(w.view.conn, `pragma main.quick_check(1)`, &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error {
			if text := s.ColumnText(0); text != "ok" {
				return baton.Errorf(baton.Storage, "c1z: the scratch database is damaged: %s", strings.Join(strings.Fields(text), " ")).
					WithFix("Check the disk that the scratch directory is on.")
			}
			return nil
		},
	})
	if err != nil {
		return database("check "+w.path, err)
	}
	for t := ResourceTypes; t <= Grants; t++ {
		n, err := w.countAll("main", t, "")
		if err != nil {
			return err
		}
		if want := w.carried[t] + w.rows[t]; n != want {
			return baton.Errorf(baton.Internal, "c1z: %s has %d rows where %d were written", t.name(), n, want)
		}
	}
	return nil
}

// Abort gives the sync up, unless it is sealed. It can be called more than once.
func (w *Writer) Abort() error {
	w.closed = true
	err := w.closeDatabase()
	if w.scratch != nil {
		if e := w.scratch.Close(); err == nil {
			err = e
		}
		w.scratch = nil
	}
	return err
}

func (w *Writer) closeDatabase() (err error) {
	if w.view.conn != nil {
		err = database("close the scratch database", w.view.conn.Close())
		w.view.conn = nil
	}
	if w.previous != nil {
		if e := w.previous.scratch.Close(); err == nil {
			err = e
		}
		w.previous = nil
	}
	return err
}
