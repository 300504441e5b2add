package service

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/agent/syncer"
	"baton/internal/disk"
	"baton/wire"
)

const (
	syncPrefix   = "sync-"
	syncFile     = "sync.c1z"
	sealedSuffix = ".sealed"
	// staleAfter is the age at which an interrupted sync is removed: a little above that at
	// which the syncer refuses to resume it.
	staleAfter = 8 * 24 * time.Hour
)

// syncTask reads the upstream and uploads the file. If it ends early, the pages stay in the
// state directory and the next task for the same sync resumes there. A file that was sealed
// and not uploaded is kept for a second delivery of its task.
func (s *service) syncTask(ctx context.Context, t *entry, work wire.SyncTask, log *slog.Logger) error {
	if s.cfg.SkipFullSync {
		log.Info("nothing is synced, because of skip-full-sync")
		return nil
	}
	if work.StorageEngine != "" && work.StorageEngine != "sqlite" {
		log.Info("the requested storage engine is not supported; the file is in the sqlite format", "asked", work.StorageEngine)
	}
	cfg := s.syncConfig(work, log)
	key, err := syncKey(cfg)
	if err != nil {
		return err
	}
	dir, release, err := s.syncDir(key)
	if err != nil {
		return err
	}
	defer release()
	cfg.Path = filepath.Join(dir, syncFile)
	sealed := filepath.Join(dir, fileName(t.ID)+sealedSuffix)
	rec, ok := sealedBefore(sealed)
	if ok {
		log.Info("the file of this task exists already; uploading it")
	} else if rec, err = s.read(ctx, t, cfg, key, sealed, log); err != nil {
		return err
	}
	if err := s.upload(ctx, t, sealed, log); err != nil {
		return err
	}
	if !work.SkipEntitlementsAndGrants && !work.SkipGrants && len(cfg.Resources) == 0 {
		s.metrics.set("baton_last_successful_sync_timestamp_seconds", float64(time.Now().Unix()))
	}
	if s.guarded(cfg) {
		s.remember(sealed, key, rec, log)
	}
	// Not before the answer is accepted: a second delivery of the task uploads the same file.
	t.after = func() { s.tidy(dir, sealed, log) }
	return nil
}

// sealedBefore returns the record of a file that an earlier process sealed and did not
// upload, or uploaded without an answer. A file without a record is not used.
func sealedBefore(sealed string) (record, bool) {
	if _, err := os.Stat(sealed); err != nil {
		return record{}, false
	}
	r, err := readRecord(sealed + recordSuffix)
	return r, err == nil
}

// tidy removes the files of a sync task, unless the next task for the same sync uses the
// directory already.
func (s *service) tidy(dir, sealed string, log *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	paths := []string{dir}
	if s.syncs[dir] {
		paths = []string{sealed, sealed + recordSuffix}
	}
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			log.Warn("the files of a finished sync cannot be removed", "error", err)
		}
	}
}

// syncConfig returns the sync that the task asks for. Lists are sorted, so that equal
// syncs have equal keys.
func (s *service) syncConfig(work wire.SyncTask, log *slog.Logger) syncer.Config {
	cfg := syncer.Config{
		Connector: withRecovery(s.connector, log), KeepSyncs: 1, Log: log, AllowEmpty: s.cfg.AllowEmpty,
		MaxRemovals: s.cfg.MaxRemovals, RemovalsFrom: s.cfg.RemovalsFrom,
		SkipGrants: work.SkipGrants, SkipEntitlementsAndGrants: work.SkipEntitlementsAndGrants,
		Types: slices.Clone(work.Types), Resources: slices.Clone(work.Resources),
	}
	if len(cfg.Types) == 0 {
		cfg.Types = slices.Clone(s.cfg.SyncResourceTypes)
	}
	slices.Sort(cfg.Types)
	cfg.Types = slices.Compact(cfg.Types)
	slices.SortFunc(cfg.Resources, func(a, b baton.ResourceID) int { return strings.Compare(a.String(), b.String()) })
	return cfg
}

// withRecovery returns the connector with feeds whose panics become errors. The syncer calls
// them in goroutines of its own, where a panic would end the process.
func withRecovery(c *baton.Connector, log *slog.Logger) *baton.Connector {
	safe := *c
	safe.Feeds = slices.Clone(c.Feeds)
	for i, f := range c.Feeds {
		safe.Feeds[i].Next = func(ctx context.Context, at baton.Cursor, page baton.Page) (step baton.Step, err error) {
			defer recovered(log, &err)
			return f.Next(ctx, at, page)
		}
	}
	if c.Get != nil {
		safe.Get = func(ctx context.Context, id baton.ResourceID, page baton.Page) (err error) {
			defer recovered(log, &err)
			return c.Get(ctx, id, page)
		}
	}
	return &safe
}

// syncKey identifies what a sync reads.
func syncKey(cfg syncer.Config) (string, error) {
	text, err := json.Marshal([]any{cfg.Connector.Name, cfg.Connector.Origin, cfg.Types, cfg.Resources, cfg.SkipGrants, cfg.SkipEntitlementsAndGrants})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), err
}

// syncDir returns the directory of the syncs with a key. One task at a time may use it.
func (s *service) syncDir(key string) (dir string, release func(), err error) {
	dir = filepath.Join(s.cfg.StateDir, syncPrefix+key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.syncs[dir] {
		return "", nil, baton.Errorf(baton.Unavailable, "another task is running the same sync")
	}
	if err := disk.OwnDir(nil, dir); err != nil {
		return "", nil, storage(err)
	}
	s.syncs[dir] = true
	return dir, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.syncs, dir)
	}, nil
}

// read creates the sealed file of a task and its record. It stops at once when the service
// stops, because its pages are kept.
func (s *service) read(ctx context.Context, t *entry, cfg syncer.Config, key, sealed string, log *slog.Logger) (rec record, err error) {
	if s.guarded(cfg) {
		cfg.Overrides = s.cfg.Overrides
		if cfg.Previous, cfg.LastUpload, err = s.lastUpload(cfg, key, log); err != nil {
			return rec, err
		}
	}
	others, _ := filepath.Glob(filepath.Join(filepath.Dir(sealed), "*"+sealedSuffix+"*"))
	for _, path := range append(others, cfg.Path) {
		_ = os.RemoveAll(path) // of earlier tasks; a file that cannot be removed does no harm
	}
	pages := map[string]int{}
	cfg.Progress = func(p syncer.Progress) {
		t.touch()
		if before, ok := pages[p.Feed]; ok && p.Feed != "" {
			s.metrics.count("baton_sync_pages_total", float64(p.Pages-before), "feed", p.Feed)
		}
		pages[p.Feed] = p.Pages
	}
	reading, end := s.untilStop(ctx)
	defer end()
	result, err := s.sync(reading, cfg)
	if baton.KindOf(err) == baton.Corrupt && reading.Err() == nil {
		// An earlier process wrote it, perhaps of another version, and there is no operator
		// to add --fresh.
		log.Warn("an interrupted sync cannot be resumed and is discarded; starting over", "error", err)
		if err := syncer.Discard(cfg.Path, cfg.TempDir); err != nil {
			return rec, err
		}
		result, err = s.sync(reading, cfg)
	}
	if err != nil && reading.Err() != nil {
		return rec, context.Cause(reading)
	}
	s.compared(cfg, result, err, log)
	if err != nil {
		return rec, err
	}
	log.Info("sync sealed", "sync_id", result.SyncID, "sync_type", result.SyncType, "resumed", result.Resumed,
		"pages", result.Pages, "bytes", result.Size, "counts", result.Counts, "excluded", result.Excluded)
	for _, c := range result.Counts {
		s.metrics.set("baton_sync_resources", float64(c.Resources), "type", c.Type)
		s.metrics.set("baton_sync_entitlements", float64(c.Entitlements), "type", c.Type)
		s.metrics.set("baton_sync_grants", float64(c.Grants), "type", c.Type)
	}
	rec = s.newRecord(cfg, result)
	if err := rec.write(sealed + recordSuffix); err != nil {
		return rec, storage(err)
	}
	if err := os.Rename(cfg.Path, sealed); err != nil {
		return rec, storage(err)
	}
	return rec, nil
}

// sync calls syncer.Run, which ignores its context while it writes the file. If the service
// has to stop meanwhile, sync returns without it, and the next process uses the pages.
func (s *service) sync(ctx context.Context, cfg syncer.Config) (syncer.Result, error) {
	type end struct {
		result syncer.Result
		err    error
	}
	done := make(chan end, 1)
	go func() {
		var e end
		defer func() { done <- e }()
		defer recovered(cfg.Log, &e.err)
		e.result, e.err = syncer.Run(ctx, cfg)
	}()
	select {
	case e := <-done:
		return e.result, e.err
	case <-s.hard.Done():
		return syncer.Result{}, errStopping
	}
}

// untilStop returns a context that also ends, as interrupted, when the service begins to
// stop.
func (s *service) untilStop(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.soft, func() { cancel(errStopping) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// sweep removes interrupted syncs that are too old to be resumed.
func (s *service) sweep() {
	left, _ := filepath.Glob(filepath.Join(s.cfg.StateDir, syncPrefix+"*"))
	for _, dir := range left {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > staleAfter {
			if err := os.RemoveAll(dir); err != nil {
				s.log.Warn("an old interrupted sync cannot be removed", "error", err)
			}
		}
	}
}

// fileName returns the id of a task, or a hash of it if it is not made of letters and
// digits or is short: short names may be reserved by some systems.
func fileName(taskID string) string {
	if len(taskID) >= 8 && len(taskID) <= 64 && !strings.ContainsFunc(taskID, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
	}) {
		return taskID
	}
	sum := sha256.Sum256([]byte(taskID))
	return hex.EncodeToString(sum[:])
}

func storage(err error) error {
	return baton.Errorf(baton.Storage, "state directory: %w", err).
		WithFix("%s", cmp.Or(baton.FixOf(err), "check free space and permissions of --c1z-temp-dir"))
}
