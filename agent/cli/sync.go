package cli

import (
	"context"
	"fmt"
	"time"

	"baton"
	"baton/agent/syncer"
)

// sync reads the upstream into the file.
func (r *run) sync(ctx context.Context) error {
	targets, err := syncFits(r.program.Describe(), r.configuration)
	if err != nil {
		return err
	}
	if err := r.checkRequired(); err != nil {
		return err
	}
	overrides, err := r.overrides()
	if err != nil {
		return err
	}
	progress := newProgress(r.printer)
	connector, _, err := r.open(ctx, 0, progress.attempt)
	if err != nil {
		return err
	}
	if r.Values.Bool("skip-full-sync") {
		if err := validate(ctx, connector); err != nil {
			return err
		}
		r.line("settings and credentials are good; nothing was synced, because of %s", r.label("skip-full-sync"))
		return nil
	}
	cfg := syncer.Config{
		Connector:                 connector,
		Path:                      r.Values.String("file"),
		TempDir:                   r.Values.String("c1z-temp-dir"),
		KeepSyncs:                 r.Values.Int("keep-sync-count"),
		Types:                     r.Values.Strings("sync-resource-types"),
		Resources:                 targets,
		SkipGrants:                r.Values.Bool("skip-grants"),
		SkipEntitlementsAndGrants: r.Values.Bool("skip-entitlements-and-grants"),
		AllowEmpty:                r.Values.Bool("allow-empty"),
		MaxRemovals:               r.Values.Int("max-removals"),
		RemovalsFrom:              r.Values.Int("max-removals-from"),
		AllowRemovals:             r.Values.Bool("allow-removals"),
		Overrides:                 overrides,
		Log:                       r.log,
		Progress:                  progress.page,
	}
	if r.Values.Bool("fresh") {
		if err := syncer.Discard(cfg.Path, cfg.TempDir); err != nil {
			return err
		}
	}
	stop := progress.start()
	began := time.Now()
	result, err := syncer.Run(ctx, cfg)
	stop()
	if err != nil {
		return syncFailed(ctx, err)
	}
	r.summary(cfg, result, time.Since(began))
	return nil
}

// overrides returns the overrides that are set.
func (r *run) overrides() ([]syncer.Override, error) {
	list, err := syncer.ParseOverrides(r.Values.String("allow-held"))
	if err != nil {
		err = fmt.Errorf("%s: %w", r.label("allow-held"), err)
	}
	return list, err
}

// syncFailed adds how to continue to an error that has no fix.
func syncFailed(ctx context.Context, err error) error {
	const resume = "run the same command again; it resumes where this run stopped"
	if ctx.Err() != nil {
		return stopped(ctx, "sync", err).WithFix(resume)
	}
	switch kind := baton.KindOf(err); kind {
	case baton.Unavailable, baton.RateLimited, baton.Incomplete, baton.DeadlineExceeded:
		if baton.FixOf(err) == "" {
			return baton.Errorf(kind, "%w", err).WithFix(resume)
		}
	}
	return err
}

func validate(ctx context.Context, c *baton.Connector) error {
	if c.Validate == nil {
		return nil
	}
	return c.Validate(ctx)
}
