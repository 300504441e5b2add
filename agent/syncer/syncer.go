// Package syncer turns a connector's feeds into a sealed sync.
//
// A sync has three phases. It begins when its header is in the page log. Its feeds are read
// in parallel, and each commits page after page with its cursor. It is sealed when all feeds
// are done and the rows pass the checks; only then the file changes, in one rename. Until
// then, all pages stay beside the file, and the next run resumes there:
//
//	Run ─▶ begin or resume ─▶ read (feeds ─▶ page log) ─▶ seal (page log ─▶ c1z) ─▶ remove the page log
package syncer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/agent/pagelog"
	"baton/c1z"
	"baton/c1z/writer"
	"baton/internal/disk"
)

// Config configures a sync.
type Config struct {
	Connector *baton.Connector
	Path      string // the c1z file
	TempDir   string // where the page log and scratch files live; "" is beside Path
	KeepSyncs int    // full syncs kept in the file, this one included; 0 is 2

	// Types limits the sync to these resource types.
	Types []string
	// Resources makes a targeted sync of just these, through Connector.Get.
	Resources []baton.ResourceID
	// SkipGrants skips grants; SkipEntitlementsAndGrants skips both.
	SkipGrants                bool
	SkipEntitlementsAndGrants bool
	// AllowEmpty accepts a resource type without resources. Otherwise an empty list counts
	// as a failed read.
	AllowEmpty bool
	// Previous is the file with the sync that this one is compared with; "" is the one at
	// Path. If a file other than the one at Path cannot be read, the sync is compared with
	// the counts of LastUpload, and held without them.
	Previous string
	// LastUpload describes the last upload. It is used if Previous does not exist, is older,
	// or cannot be read. nil means that no upload is known.
	LastUpload *Upload
	// MaxRemovals is the percentage of the rows of a resource type in the previous sync that
	// may be gone; more counts as a failed read. It applies to RemovalsFrom rows or more, and
	// whenever all rows are gone. The defaults, for 0, are 20 % and 100 rows.
	MaxRemovals, RemovalsFrom int
	// AllowRemovals allows any removal. Each of the Overrides allows the held sync that named
	// it.
	AllowRemovals bool
	Overrides     []Override

	Disk disk.FS // the file system if nil
	Log  *slog.Logger
	// Progress, if set, is called after every page, by one goroutine at a time.
	Progress func(Progress)
}

// Progress is the progress of one feed.
type Progress struct {
	Feed     string
	Pages    int
	Rows     int // resources, entitlements and grants
	Objects  int // resources, comparable with Expected
	Expected int // total of resources, if the upstream reports it; 0 is unknown
	Done     bool
	Resumed  bool          // the feed resumed pages of an earlier process
	Waiting  time.Duration // the upstream is not ready; the next attempt is after this
	Sealing  bool          // all feeds are done, the file is being written
}

// Result is a sealed sync.
type Result struct {
	SyncID   string
	SyncType string
	Resumed  bool
	Started  time.Time
	Ended    time.Time
	Pages    int
	Counts   []c1z.Count // by resource type, in the connector's order
	Excluded []Exclusion
	Changes  *writer.Changes // since the previous full sync in the file; nil without one
	Compared Comparison      // what the removal guard compared a full sync with
	Notes    []baton.Note
	Size     int64 // bytes of the file
}

// Exclusion counts rows that were dropped for one reason.
type Exclusion struct {
	Reason  string
	Count   int
	Example string // one of them
}

// maxAge bounds the age of an interrupted sync that is resumed. Older pages would be too
// different from the tenant.
const maxAge = 7 * 24 * time.Hour

// headerVersion changes if an older program could misread the page log, or this one could misread
// that of an older program. Since version 5, positions in lists are those of package paging.
const headerVersion = 5

// header identifies a sync in its page log. A run resumes only a sync that is equal
// in everything but SyncID and Started.
type header struct {
	Version    int
	Connector  string
	Origin     string
	Types      []string
	Resources  []baton.ResourceID
	SkipGrants bool
	SkipBoth   bool
	SyncID     string
	Started    time.Time
}

// Run runs a sync. On an error, and when ctx ends, the file at Path is unchanged, and the pages
// are kept for the next Run.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Disk = disk.Of(cfg.Disk)
	r := &run{cfg: cfg}
	if err := r.plan(); err != nil {
		return Result{}, err
	}
	log, err := pagelog.Open(cfg.Disk, logDir(cfg.Path, cfg.TempDir))
	if err != nil {
		return Result{}, err
	}
	r.log = log
	out, err := r.own()
	if err != nil {
		return Result{}, cmp.Or(err, r.leave())
	}
	res, err := r.run(ctx)
	err = cmp.Or(err, disk.Errorf(out.Remove(), cfg.Path, "release the lock of %s", cfg.Path))
	for _, f := range r.feeds {
		err = cmp.Or(err, f.close())
	}
	if err == nil {
		return res, log.Remove()
	}
	return Result{}, cmp.Or(err, r.leave())
}

// leave releases the page log after an error and keeps it for a later run. A run that was
// refused or failed before its beginning changes nothing.
func (r *run) leave() error {
	keep := !r.void && slices.ContainsFunc(r.feeds, func(f *feedRun) bool { return f.state.Pages > 0 })
	if !r.begun {
		found, err := r.log.Header()
		keep = found != nil || err != nil
	}
	if keep {
		return r.log.Close()
	}
	return r.log.Remove()
}

// own locks the file of the sync. The lock of the page log excludes only processes that use
// the same scratch directory. own also notices a folder that does not exist before anything
// is read.
func (r *run) own() (*disk.Lock, error) {
	path := r.cfg.Path + ".lock"
	lock, err := disk.Acquire(r.cfg.Disk, path)
	if errors.Is(err, disk.ErrLocked) {
		return nil, baton.Errorf(baton.Refused, "another process is writing %s", r.cfg.Path).
			WithFix("Wait for it to end, or write to another file.")
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil // no locks on that file system; the lock of the page log is enough
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, baton.Errorf(baton.Storage, "the folder %s does not exist", filepath.Dir(path)).WithFix("Create it, or use another --file.")
	}
	return lock, disk.Errorf(err, path, "lock %s", r.cfg.Path)
}

// Discard removes an interrupted sync.
func Discard(path, tempDir string) error {
	dir := logDir(path, tempDir)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	log, err := pagelog.Open(disk.OS{}, dir)
	if err != nil {
		return err
	}
	return log.Remove()
}

// logDir returns the directory of the page log of a file. In another directory its name is
// derived from the whole path, because two files may have the same name.
func logDir(path, tempDir string) string {
	if tempDir == "" {
		return path + ".pages"
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(tempDir, fmt.Sprintf("%s-%s.pages", filepath.Base(path), hex.EncodeToString(sum[:4])))
}

// run is one Run.
type run struct {
	cfg     Config
	log     *pagelog.Log
	head    header
	resumed bool
	begun   bool // its feeds are open
	void    bool // the pages must be discarded, because reading them again may help
	plans   []baton.Feed
	feeds   []*feedRun

	previous     *writer.Previous // until the sync is sealed
	previousLost bool             // there is a previous sync that cannot be read
	// renamed maps principals that are not ids to ids, by resource type.
	renamed map[string]map[string]string

	progress sync.Mutex
}

// plan checks the configuration against the connector and selects the feeds.
func (r *run) plan() error {
	cfg := &r.cfg
	for _, t := range cfg.Types {
		if _, ok := cfg.Connector.ResourceType(t); !ok {
			return unknownType(cfg.Connector, t)
		}
	}
	if len(cfg.Resources) > 0 {
		if cfg.Connector.Get == nil {
			return baton.Errorf(baton.Unsupported, "%s cannot sync single resources", cfg.Connector.Name)
		}
		for _, id := range cfg.Resources {
			if _, ok := cfg.Connector.ResourceType(id.Type); !ok {
				return unknownType(cfg.Connector, id.Type)
			}
		}
		r.plans = []baton.Feed{targeted(cfg.Connector, cfg.Resources)}
		return nil
	}
	for _, f := range cfg.Connector.Feeds {
		if len(cfg.Types) == 0 || slices.ContainsFunc(f.Types, func(t string) bool { return slices.Contains(cfg.Types, t) }) {
			r.plans = append(r.plans, f)
		}
	}
	return nil
}

func unknownType(c *baton.Connector, t string) error {
	var known []string
	for _, rt := range c.ResourceTypes {
		known = append(known, rt.ID)
	}
	return baton.Errorf(baton.Invalid, "there is no resource type %q", t).WithFix("Choose among %q.", known)
}

func (r *run) run(ctx context.Context) (Result, error) {
	if err := r.checkPrevious(ctx); err != nil {
		return Result{}, err
	}
	defer func() {
		if r.previous != nil {
			r.previous.Close()
		}
	}()
	if err := r.begin(); err != nil {
		return Result{}, err
	}
	if err := r.read(ctx); err != nil {
		return Result{}, err
	}
	r.report(Progress{Sealing: true})
	return r.seal(ctx)
}

// checkPrevious checks before a long read that the file at Path is a c1z. It keeps the file
// unpacked, unless it is in a folder that is going to be cleared.
func (r *run) checkPrevious(ctx context.Context) error {
	path := cmp.Or(r.cfg.Previous, r.cfg.Path)
	info, err := r.cfg.Disk.Stat(path)
	empty := err == nil && info.Mode().IsRegular() && info.Size() == 0
	if errors.Is(err, os.ErrNotExist) || empty && r.cfg.Previous == "" {
		return nil
	}
	var f *writer.Previous
	if err = baton.Errorf(baton.Corrupt, "%s is empty", path); !empty {
		f, err = writer.OpenPrevious(ctx, r.cfg.Disk, path, r.log.Dir())
	}
	if r.continueWithout(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !f.Hidden() {
		return f.Close()
	}
	r.previous = f
	return nil
}

// continueWithout reports whether the error is that Config.Previous cannot be read. The sync
// then continues without it, and the removal guard takes that into account. An unreadable
// file at Path ends the sync.
func (r *run) continueWithout(err error) bool {
	kind := baton.KindOf(err)
	if err == nil || r.cfg.Previous == "" || kind != baton.Corrupt && kind != baton.Unsupported {
		return false
	}
	r.cfg.Log.Warn("the previous sync cannot be read", "error", err)
	r.cfg.Previous, r.previousLost = "", true
	return true
}

// begin resumes the sync in the page log if it is the same, or begins a new one.
func (r *run) begin() error {
	now := time.Now().UTC()
	r.head = header{
		Version: headerVersion, Connector: r.cfg.Connector.Name, Origin: r.cfg.Connector.Origin,
		Types: r.cfg.Types, Resources: r.cfg.Resources,
		SkipGrants: r.cfg.SkipGrants, SkipBoth: r.cfg.SkipEntitlementsAndGrants,
	}
	old, err := r.interrupted()
	if err != nil {
		return err
	}
	if old != nil {
		if why := r.head.differs(old, now); why != "" {
			r.cfg.Log.Warn("an interrupted sync is discarded", "sync_id", old.SyncID, "started", old.Started, "why", why)
			old = nil
		}
	}
	if old != nil {
		r.head, r.resumed = *old, true
		r.cfg.Log.Info("resuming the interrupted sync", "sync_id", old.SyncID, "started", old.Started)
	} else {
		id, err := ksuid.NewRandomWithTime(now)
		if err != nil {
			return fmt.Errorf("make a sync id: %w", err)
		}
		r.head.SyncID, r.head.Started = id.String(), now
		b, err := r.head.encode()
		if err != nil {
			return err
		}
		if err := r.log.Begin(b); err != nil {
			return err
		}
	}
	for _, plan := range r.plans {
		f, err := openFeed(r, plan)
		if err != nil {
			return err
		}
		r.feeds = append(r.feeds, f)
	}
	r.begun = true
	return nil
}

// interrupted returns the header of an interrupted sync, or nil.
func (r *run) interrupted() (*header, error) {
	b, err := r.log.Header()
	if err != nil || b == nil {
		return nil, err
	}
	var h header
	line, sum, _ := bytes.Cut(b, newline)
	damaged := func(err error) error {
		return baton.Errorf(baton.Corrupt, "the interrupted sync in %s cannot be read: %w", r.log.Dir(), err).
			WithFix("Run with --fresh to drop it and start over.")
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, damaged(err)
	}
	if h.Version != headerVersion {
		return nil, baton.Errorf(baton.Corrupt, "the interrupted sync in %s was written by another version of this program (format %d, this is %d)",
			r.log.Dir(), h.Version, headerVersion).WithFix("Finish it with that version, or run with --fresh to drop it and start over.")
	}
	if !bytes.Equal(sum, checksum(line)) {
		return nil, damaged(errors.New("its header is damaged"))
	}
	if _, err := ksuid.Parse(h.SyncID); err != nil {
		return nil, damaged(fmt.Errorf("sync id %q: %w", h.SyncID, err))
	}
	return &h, nil
}

// encode returns the text of the header: a line of JSON and its checksum, which detects
// damage.
func (h *header) encode() ([]byte, error) {
	line, err := json.Marshal(h)
	return slices.Concat(line, newline, checksum(line)), err
}

var newline = []byte("\n")

func checksum(line []byte) []byte {
	return fmt.Appendf(nil, "%08x\n", crc32.Checksum(line, crc32.MakeTable(crc32.Castagnoli)))
}

// differs explains why old is not the sync of h, or returns "".
func (h *header) differs(old *header, now time.Time) string {
	switch {
	case now.Sub(old.Started) > maxAge:
		return fmt.Sprintf("it is older than %d days", int(maxAge.Hours()/24))
	case h.Connector != old.Connector || h.Origin != old.Origin:
		from, _, _ := strings.Cut(h.Origin, "#")
		before, _, _ := strings.Cut(old.Origin, "#")
		if h.Connector == old.Connector && from == before {
			return "its settings were different"
		}
		return fmt.Sprintf("it read %s", before)
	case !slices.Equal(h.Types, old.Types) || !slices.Equal(h.Resources, old.Resources) ||
		h.SkipGrants != old.SkipGrants || h.SkipBoth != old.SkipBoth:
		return "it was a sync of something else"
	}
	return ""
}

// read runs the feeds in parallel until all are done or one fails. If ctx ended, it returns
// the cause of that.
func (r *run) read(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, f := range r.feeds {
		wg.Go(func() {
			if err := f.read(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	cause := context.Cause(ctx)
	if parent.Err() != nil && baton.KindOf(cause) == baton.Internal {
		return baton.Errorf(baton.KindOf(parent.Err()), "stopped: %w", cause)
	}
	return cause
}

func (r *run) report(p Progress) {
	if r.cfg.Progress == nil {
		return
	}
	r.progress.Lock()
	defer r.progress.Unlock()
	r.cfg.Progress(p)
}
