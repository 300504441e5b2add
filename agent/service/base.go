package service

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"baton/agent/syncer"
)

const (
	basePrefix = "uploaded-"
	baseSuffix = ".c1z"
	// baseFor is how long a base is kept that no sync has asked for.
	baseFor = 90 * 24 * time.Hour
)

// base is where the last sync of a wish is kept that ConductorOne took: the next one is
// compared with it. "" when such a sync is not compared.
func (s *service) base(cfg syncer.Config, wish string) string {
	if s.cfg.ForgetSyncs || len(cfg.Resources) > 0 || cfg.SkipEntitlementsAndGrants {
		return ""
	}
	return filepath.Join(s.cfg.StateDir, basePrefix+wish+baseSuffix)
}

// keepBase makes the file that was uploaded the base of the next sync. Without one
// nothing is lost but the comparison, so the task is done all the same.
func (s *service) keepBase(sealed, base string, log *slog.Logger) {
	now := time.Now()
	err := os.Chtimes(sealed, now, now)
	if err == nil {
		// A second name, so that the file can be uploaded again if the answer gets lost.
		second := sealed + ".kept"
		if err = os.Link(sealed, second); err != nil {
			second = sealed // on a disk that has no second names
		}
		err = os.Rename(second, base)
	}
	if err != nil {
		log.Warn("the sync that was uploaded cannot be kept; the next one is compared with an older one, or with none", "error", err)
	}
}

// judged notes what the brake made of a sync.
func (s *service) judged(base string, result syncer.Result, err error, log *slog.Logger) {
	var held *syncer.Held
	switch {
	case errors.As(err, &held):
		s.metrics.set("baton_sync_held", 1)
		s.metrics.count("baton_syncs_held_total", 1)
		s.metrics.set("baton_sync_compared", 1)
	case err != nil || base == "":
	case result.Changes == nil:
		s.metrics.set("baton_sync_held", 0)
		s.metrics.set("baton_sync_compared", 0)
		log.Warn("this instance has no earlier sync to compare with; whatever is gone since, this one is not held for it")
	default:
		s.metrics.set("baton_sync_held", 0)
		s.metrics.set("baton_sync_compared", 1)
	}
}

// recall learns from the bases when a full sync was last uploaded, and removes those
// that are of no use any more.
func (s *service) recall() {
	bases, _ := filepath.Glob(filepath.Join(s.cfg.StateDir, basePrefix+"*"+baseSuffix))
	var last time.Time
	for _, path := range bases {
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		if time.Since(info.ModTime()) > baseFor || s.cfg.ForgetSyncs || !info.Mode().IsRegular() {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.log.Warn("an old sync cannot be removed", "error", err)
			}
			continue
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	if !last.IsZero() {
		s.metrics.set("baton_last_successful_sync_timestamp_seconds", float64(last.Unix()))
	}
}
