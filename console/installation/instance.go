package installation

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/internal/disk"
)

// instanceSetting names the setting with the name of the database and its place.
const instanceSetting = "instance"

// Identify compares the place of the database with the last one. In a copy or a restored database,
// it begins a new epoch of the audit chain and pauses writes, mail and webhooks, because the
// original may still be running. It reports whether it did. It runs when a console starts to serve.
func (in *Installation) Identify(ctx context.Context) (copied bool, err error) {
	place, err := in.place(ctx)
	if err != nil || place == "" { // files have no identity on this system
		return false, err
	}
	err = in.Store.Update(ctx, in.by(), func(t *store.Tx) error {
		was, err := t.Setting(instanceSetting)
		switch {
		case baton.KindOf(err) == baton.NotFound:
			copied = false
		case err != nil:
			return err
		case string(was) == place:
			return nil
		default:
			copied = true
			if err := beginCopy(t, "the database is a copy, or was restored: it is not where it was used last"); err != nil {
				return err
			}
		}
		return t.SetSetting(instanceSetting, []byte(place))
	})
	return copied, err
}

// beginCopy gives a copied database its own identity, and pauses it.
func beginCopy(t *store.Tx, why string) error {
	if err := t.BeginEpoch(why); err != nil {
		return err
	}
	return t.SetPauses(console.Pauses{Writes: true, Mail: true, Webhooks: true, Automations: true, Why: why, Since: t.By().At})
}

// place identifies this database among its copies. For SQLite it is the inode of the file together
// with a name that is stored beside it; for PostgreSQL, the cluster and the database's number in it.
func (in *Installation) place(ctx context.Context) (string, error) {
	if in.Store.Database() != "sqlite" {
		return in.Store.Place(ctx)
	}
	info, err := os.Stat(in.databasePath())
	if err != nil {
		return "", baton.Errorf(baton.Storage, "look at the database: %w", err)
	}
	number := fileNumber(info)
	if number == "" {
		return "", nil
	}
	path := filepath.Join(in.Dir, "instance")
	name, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		name = []byte(console.NewID(in.Now()))
		_, err = disk.Replace(disk.OS{}, path, func(w io.Writer) error {
			_, err := w.Write(append(name, '\n'))
			return err
		})
	}
	if err != nil {
		return "", baton.Errorf(baton.Storage, "read or write %s: %w", path, err)
	}
	return strings.TrimSpace(string(name)) + " " + number, nil
}
