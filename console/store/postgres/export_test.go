package postgres

import (
	"context"
	"time"
)

// OpenAt opens a database with the first migrations only, like an earlier version of the console.
func OpenAt(ctx context.Context, c Config, n int) (*DB, error) {
	all, err := migrations()
	if err != nil {
		return nil, err
	}
	return openDB(ctx, c, all[:n])
}

// CommitWithin limits the wait for a COMMIT.
func (db *DB) CommitWithin(d time.Duration) { db.commitTime = d }
