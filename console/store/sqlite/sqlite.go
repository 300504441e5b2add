// Package sqlite opens the store on one SQLite file: one connection that writes, several that read,
// and a write-ahead log that is flushed at every commit.
package sqlite

import (
	"context"
	"embed"
	"io/fs"

	"baton/console/store"
	"baton/console/store/internal/engine"
)

//go:embed migrations/*.sql
var files embed.FS

func migrations() ([]engine.Migration, error) {
	dir, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, err
	}
	return engine.Migrations(dir)
}

const migrationTable = `CREATE TABLE IF NOT EXISTS schema_migration (
	number INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	sum BLOB NOT NULL,
	applied INTEGER NOT NULL
) STRICT`

// Open opens a store, creates its file if it does not exist, and brings its schema up to
// date. keys seals secrets; nil for a program that needs none.
func Open(ctx context.Context, c Config, keys *store.Keyring) (*store.Store, error) {
	db, err := OpenDB(ctx, c)
	if err != nil {
		return nil, err
	}
	return store.New(db, keys), nil
}
