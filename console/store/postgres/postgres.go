// Package postgres opens the store on a PostgreSQL database, which several replicas of the console
// may share.
package postgres

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

// migrationTable runs at the start of each migration. The advisory lock (its number is "baton" in
// ASCII) serializes programs that start at the same time, because CREATE TABLE IF NOT EXISTS fails
// if two of them create the table.
const migrationTable = `SELECT pg_advisory_xact_lock(x'6261746f6e'::bigint);
CREATE TABLE IF NOT EXISTS schema_migration (
	number bigint NOT NULL PRIMARY KEY,
	name text COLLATE "C" NOT NULL,
	sum bytea NOT NULL,
	applied bigint NOT NULL
)`

// Open opens a store and brings its schema up to date. keys seals secrets; nil for a program
// that needs none.
func Open(ctx context.Context, c Config, keys *store.Keyring) (*store.Store, error) {
	db, err := OpenDB(ctx, c)
	if err != nil {
		return nil, err
	}
	return store.New(db, keys), nil
}
