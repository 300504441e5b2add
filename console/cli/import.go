package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"baton"
	"baton/c1z"
	"baton/console"
	"baton/console/config"
	"baton/console/ingest"
	"baton/console/installation"
	"baton/console/store"
	"baton/console/syncfile"
	"baton/internal/english"
)

// history is a file to import.
type history struct {
	path  string
	began time.Time
}

// importFolder applies the sync files in a folder as history.
func (r *run) importFolder(ctx context.Context, args []string) error {
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		if err := in.Lock(); err != nil {
			return err
		}
		var who console.ID
		var c console.Connector
		err := r.update(ctx, in, console.ConfigureConnectors, r.connector, func(t *store.Tx, found console.Connector) error {
			c, who = found, t.By().Actor.Person()
			live, err := t.HasLiveSync(c.Stream)
			if err == nil && live {
				err = baton.Errorf(baton.Refused, "connector %q has synced by itself already", c.Name).WithFix("History can be imported before the first sync only.")
			}
			return err
		})
		if err != nil {
			return err
		}
		files, unusable, err := r.findHistory(ctx, args[0])
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return baton.Errorf(baton.NotFound, "%s holds no full sync that can be read", args[0]).WithFix("Name a folder with sync.c1z files.")
		}
		applied := 0
		scratch, remove, err := in.Scratch()
		if err != nil {
			return err
		}
		defer remove()
		ingester := &ingest.Ingester{Store: in.Store, Now: r.now, Scratch: scratch}
		for _, h := range files {
			s, err := importFile(ctx, ingester, console.ByPerson(who), c.ID, h.path)
			if err != nil {
				return fmt.Errorf("import %s: %w", h.path, err)
			}
			if s.State == console.SyncApplied {
				applied++
				err = in.Store.Update(ctx, console.By{At: r.now(), Actor: console.Console}, func(t *store.Tx) error { return config.ResolveAdmins(t, c.App) })
				if err != nil {
					return err
				}
			} else {
				unusable++
			}
			if err := r.line("%s\t%s\t%s", h.path, s.Began.UTC().Format(time.RFC3339), s.State); err != nil {
				return err
			}
			for _, hold := range s.Holds {
				if s.State == console.SyncHeld {
					r.warn("%s is held: %s", h.path, hold.Detail)
				}
			}
			if s.Why != "" {
				r.warn("%s: %s", h.path, s.Why)
			}
		}
		if unusable > 0 {
			return baton.Errorf(baton.Incomplete, "%s applied; %s left out", english.Count(applied, "file"), english.Count(unusable, "file")).
				WithFix("The lines above say why. Confirm held ones with baton-console sync confirm.")
		}
		return nil
	})
}

// findHistory returns the full syncs in a folder, oldest first, and the number of other sync files.
func (r *run) findHistory(ctx context.Context, folder string) (files []history, unusable int, err error) {
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, 0, baton.Errorf(baton.NotFound, "%s is no folder", folder).WithFix("Name a folder with sync files.")
	}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return baton.Errorf(baton.Storage, "%w", err)
		}
		if filepath.Ext(path) != ".c1z" || !d.Type().IsRegular() {
			return nil
		}
		var s syncfile.Sync
		err = withFile(ctx, path, func(f *syncfile.File, _ string) (err error) {
			s, err = f.Latest()
			return err
		})
		switch kind := baton.KindOf(err); {
		case err != nil && (kind == baton.Corrupt || kind == baton.Unsupported || kind == baton.NotFound):
			r.warn("%s is left out: %v", path, err)
			unusable++
			return nil
		case err != nil:
			return err
		case s.Type != c1z.Full:
			r.warn("%s is left out: its newest sync is of type %s and not full", path, s.Type)
			unusable++
			return nil
		}
		files = append(files, history{path, s.Started})
		return nil
	})
	slices.SortStableFunc(files, func(a, b history) int { return a.began.Compare(b.began) })
	return files, unusable, err
}

func importFile(ctx context.Context, in *ingest.Ingester, actor console.Actor, connector console.ID, path string) (console.Sync, error) {
	f, err := open(path)
	if err != nil {
		return console.Sync{}, err
	}
	defer f.Close()
	id, err := in.Receive(ctx, actor, ingest.Origin{Connector: connector, Kind: console.SyncImport}, f)
	if err != nil {
		return console.Sync{}, err
	}
	return in.Apply(ctx, actor, id)
}
