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

// Options say what a new sync is.
type Options struct {
	Disk      disk.FS   // the system's when nil
	TempDir   string    // for scratch files; beside the file when empty
	Previous  string    // the file to compare with and to carry over from; the one at path when empty
	Opened    *Previous // that file, if it is open already; Create sees to it that it is closed
	KeepSyncs int       // full syncs in the file, the new one included; 2 when zero
	SyncID    string    // a KSUID
	SyncType  string    // Full, Partial or ResourcesOnly
	// Types are the resource types that the sync covers. It is compared with the newest full
	// sync that covers them, too; one of fewer types says nothing of the others.
	Types   []string
	Started time.Time
	// Ranks are, by resource type, slugs of which a principal holds only the first on a
	// resource: of its grants of several the others are left out.
	Ranks map[string][]string
}

// sortMemory bounds what rows and indexes may take while they are sorted.
const sortMemory = 8 << 20

// Writer adds one sync to a file. It is not safe for concurrent use.
//
// Rows are added first. Then they are summary: put in order, and what does not count is
// left out. The sync can be looked at ([Writer.Resources], [Writer.Grants]) and compared
// ([Writer.Changes]), and is sealed. Memory does not grow with grants and with rows that
// are added from a [Place], but for the ids of entitlements and of principals, each of
// which is held once.
type Writer struct {
	path     string
	opt      Options
	started  string
	ctx      context.Context // Sort's
	previous *Previous       // nil without a file

	pool     *extsort.Pool
	sorter   *extsort.Sorter // of rows but for grants, before they are summary
	rowStore rowStore        // of these
	key      []byte          // for reuse
	list     *extsort.List   // of the summary rows but for grants
	grants   *grants
	summary  Summary
	rows     [Grants + 1]int // summary

	cursor, grantCursor *extsort.Cursor // of what is summary, for the next look at it

	out            *disk.Replacement // the new file
	frame          *frame            // around the database in it
	laying         *laying
	principalIndex *principalIndex
	message        []byte // of the row that was written last
	laid           bool
	// disordered are the indexes whose entries do not come in order.
	disordered map[string]bool
	changes    *Changes
	losses     []Loss

	failed error // what settling or laying out came to
	closed bool
}

var _ baton.Facts = (*Writer)(nil)

// Create begins a sync that will be part of the file at path. The file that is there
// already, or Options.Previous, is read first, and fails as Open fails; a missing or
// empty one is none.
// Of its syncs the newest full ones are carried over, as many as KeepSyncs allows.
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

// Add adds a row, which is kept in memory unless it is a grant. Of rows with the same
// external id the first one holds.
func (w *Writer) Add(r Row) error { return w.add(r, Place{}) }

// AddFrom adds a row that is read again from its place when it is wanted. Of several
// places with rows of the same external id the one that was heard of first holds, and in
// one place the first row.
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

// begin begins the new file.
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
		return Sealed{}, w.over()
	}
	defer func() {
		if e := ctx.Err(); err != nil && e != nil {
			err = fmt.Errorf("c1z: seal %s: %w", w.path, e) // not the interrupted step
		}
		w.Abort() // whose own errors change nothing any more
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

// Abort gives the sync up, unless it is sealed. It can be called more than once.
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
