package writer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/c1z"
	"baton/c1z/internal/schema"
	"baton/c1z/internal/sqlitefile"
	"baton/internal/disk"
	"baton/internal/extsort"
)

// Options describe a new sync and the file that it goes into.
type Options struct {
	Disk      disk.FS   // the system's when nil
	TempDir   string    // for scratch files; beside the file when empty
	Previous  string    // the file to compare with and to carry syncs over from; the one at path when empty
	Opened    *Previous // that file, if it is open already; Create or the Writer closes it
	KeepSyncs int       // full syncs in the file, the new one included; 2 when zero
	SyncID    string    // a KSUID
	SyncType  string    // Full, Partial or ResourcesOnly
	// Types are the resource types that the sync covers. It is compared with the newest full
	// sync that covers all of them.
	Types   []string
	Started time.Time
	// Ranks lists, for a resource type, entitlement slugs from the highest to the lowest. A
	// principal keeps only its highest grant on a resource; the others are superseded.
	Ranks map[string][]string
}

// sortMemory is the memory for sorting rows and index entries.
const sortMemory = 8 << 20

// Writer adds one sync to a file. It is not safe for concurrent use.
//
// First, rows are added. [Writer.Sort] then puts them in order and drops the unusable ones.
// After that the sync can be read ([Writer.Resources], [Writer.Grants]), compared
// ([Writer.Changes]) and sealed ([Writer.Seal]). Memory grows with the number of entitlements
// and principals, whose ids are held once each, but not with the number of grants, nor with
// that of rows that are added from a [Place].
type Writer struct {
	path     string
	opt      Options
	started  string
	ctx      context.Context // of Sort
	previous *Previous       // nil without a file

	pool     *extsort.Pool
	sorter   *extsort.Sorter // of the rows other than grants
	rowStore rowStore        // holds these rows, or where they are
	key      []byte          // for reuse
	list     *extsort.List   // the rows other than grants, sorted; nil before Sort
	grants   *grants
	summary  Summary
	rows     [Grants + 1]int // by table, without dropped ones

	cursor, grantCursor *extsort.Cursor // for Resources and Grants, kept between calls

	out            *disk.Replacement // the new file
	frame          *frame            // around the database in it
	laying         *laying
	principalIndex *principalIndex
	message        []byte // of the last new row that was written
	laid           bool
	// disordered holds the names of indexes whose entries have to be sorted.
	disordered map[string]bool
	changes    *Changes
	losses     []Loss

	failed error // of adding, sorting or laying out
	closed bool
}

var _ baton.Facts = (*Writer)(nil)

// Create begins a sync that will be part of the file at path. It opens the previous file, which
// is Options.Previous or the file at path, and fails as [c1z.Open] does; a missing or empty file
// counts as none. The newest full syncs of that file are carried over, as many as KeepSyncs
// allows.
func Create(path string, opt Options) (*Writer, error) {
	var w *Writer
	if opt.Opened != nil {
		defer func() {
			if w == nil || w.previous == nil || w.previous.db != opt.Opened.db {
				opt.Opened.Close()
			}
		}()
	}
	if _, err := ksuid.Parse(opt.SyncID); err != nil {
		return nil, baton.Errorf(baton.Invalid, "c1z: sync id %q is not a KSUID", opt.SyncID)
	}
	if !slices.Contains([]string{c1z.Full, c1z.Partial, c1z.ResourcesOnly}, opt.SyncType) {
		return nil, baton.Errorf(baton.Invalid, "c1z: sync type %q is unknown", opt.SyncType)
	}
	if opt.TempDir == "" {
		opt.TempDir = filepath.Dir(path)
	}
	if opt.KeepSyncs == 0 {
		opt.KeepSyncs = 2
	}
	opt.Disk = disk.Of(opt.Disk)
	w = &Writer{path: path, opt: opt, started: schema.FormatTime(opt.Started), ctx: context.Background(),
		pool: extsort.NewPool(opt.Disk, opt.TempDir, sortMemory), disordered: map[string]bool{}}
	w.sorter, w.grants = w.pool.Sorter(), newGrants(w.pool)
	var err error
	if w.previous, err = previousOf(cmp.Or(opt.Previous, path), opt); err != nil {
		return nil, err
	}
	if err := w.pool.Prepare(); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// Add adds a row and keeps it in memory unless it is a grant. Later rows with the same external
// id are ignored.
func (w *Writer) Add(r Row) error { return w.add(r, Place{}) }

// AddFrom adds a row without keeping it: it is read again from its place. Among rows with the
// same external id, one from the reader that was used first counts, and from that reader the one
// with the lowest offset.
func (w *Writer) AddFrom(r Row, at Place) error { return w.add(r, at) }

func (w *Writer) add(r Row, from Place) (err error) {
	if !r.Table.valid() || w.list != nil || w.failed != nil || w.closed {
		return baton.Errorf(baton.Internal, "c1z: row %q cannot be added here", r.id)
	}
	if r.Table == Grants {
		w.failed = w.sorting(w.grants.add(r))
		return w.failed
	}
	var at rowRef
	if from.In == nil {
		at = w.rowStore.keep(r)
	} else if at, err = w.rowStore.find(from); err != nil {
		return err
	}
	if w.key, err = r.appendKey(w.key[:0], at); err != nil {
		return err
	}
	w.failed = w.sorting(w.sorter.Add(w.key))
	return w.failed
}

// begin creates the new file and begins its tables.
func (w *Writer) begin(ctx context.Context) (err error) {
	if w.out, err = disk.Begin(w.opt.Disk, w.path); err != nil {
		return err
	}
	w.frame = newFrame(ctx, w.out)
	syncs := []string{w.opt.SyncID}
	if w.previous != nil {
		for _, s := range w.previous.kept {
			syncs = append(syncs, s.ID)
		}
	}
	slices.Sort(syncs)
	w.laying = lay(sqlitefile.New(w.frame, w.pool), w.disordered, syncs)
	w.principalIndex = newPrincipalIndex(w.grants, w.rows[Grants], len(syncs))
	w.laying.syncID, w.laying.discovered = sqlitefile.Text(w.opt.SyncID), sqlitefile.Text(w.started)
	return nil
}

// Sealed describes a file that Seal has written.
type Sealed struct {
	Changes *Changes // as Changes returns them
	Size    int64    // of the file, in bytes
}

// Seal finishes the sync and renames the new file to its path. It always closes the Writer. If
// it fails, the file at path is unchanged. A full or failing disk is a baton.Storage error.
func (w *Writer) Seal(ctx context.Context, ended time.Time) (_ Sealed, err error) {
	if w.closed {
		return Sealed{}, w.over()
	}
	defer func() {
		if e := ctx.Err(); err != nil && e != nil {
			err = fmt.Errorf("c1z: seal %s: %w", w.path, e) // instead of the step that was interrupted
		}
		w.Abort() // the result no longer depends on its error
	}()
	if err := w.layOut(ctx); err != nil {
		return Sealed{}, err
	}
	if err := w.record(ended); err != nil {
		return Sealed{}, w.laying.failure(w, err)
	}
	w.frame.ctx = ctx
	if _, err := w.laying.w.Finish(); err != nil {
		return Sealed{}, w.laying.failure(w, err)
	}
	size, err := w.out.Commit()
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{Changes: w.changes, Size: size}, nil
}

// stats are the counts that official readers print instead of counting rows.
type stats struct {
	ResourceTypes      int            `json:"resource_types,omitempty"`
	Resources          int            `json:"resources,omitempty"`
	Entitlements       int            `json:"entitlements,omitempty"`
	Grants             int            `json:"grants,omitempty"`
	ResourcesByType    map[string]int `json:"resources_by_resource_type,omitempty"`
	GrantsByType       map[string]int `json:"grants_by_resource_type,omitempty"`
	EntitlementsByType map[string]int `json:"entitlements_by_resource_type,omitempty"`
}

// record adds the sync to v1_sync_runs as finished.
func (w *Writer) record(ended time.Time) error {
	s := stats{ResourceTypes: w.rows[ResourceTypes], Resources: w.rows[Resources],
		Entitlements: w.rows[Entitlements], Grants: w.rows[Grants],
		ResourcesByType: map[string]int{}, GrantsByType: map[string]int{}, EntitlementsByType: map[string]int{}}
	for name, c := range w.summary.Counts {
		for t, by := range map[Table]map[string]int{
			Resources: s.ResourcesByType, Grants: s.GrantsByType, Entitlements: s.EntitlementsByType,
		} {
			if n := *countOf(c, t); n > 0 {
				by[name] = n
			}
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return baton.Errorf(baton.Internal, "c1z: %w", err)
	}
	parent := ""
	if w.opt.SyncType == c1z.Partial && w.previous != nil {
		parent = w.previous.newest.ID
	}
	t := w.laying.tables["v1_sync_runs"]
	for i, c := range t.columns {
		t.row[i] = c.absent
	}
	for name, v := range map[string]sqlitefile.Value{
		"sync_id": sqlitefile.Text(w.opt.SyncID), "started_at": sqlitefile.Text(w.started), "ended_at": sqlitefile.Text(schema.FormatTime(ended)),
		"sync_token": sqlitefile.Text(""), "sync_type": sqlitefile.Text(w.opt.SyncType), "parent_sync_id": sqlitefile.Text(parent),
		"supports_diff": sqlitefile.Int(1), "grants_backfilled": sqlitefile.Int(1), "stats": sqlitefile.TextOf(text),
	} {
		t.row[t.column(name)] = v
	}
	return t.add(t.row)
}

// Abort discards the sync unless it is sealed. It can be called more than once.
func (w *Writer) Abort() error {
	w.closed = true
	err := w.pool.Close()
	if w.previous != nil {
		if e := w.previous.Close(); err == nil {
			err = e
		}
		w.previous = nil
	}
	if w.frame != nil {
		w.frame.close()
		w.out.Abort()
		w.frame = nil
	}
	return err
}
