package store

import (
	"context"
	"strings"

	"baton/console/store/internal/engine"
)

// Place identifies a PostgreSQL database and tells it from its copies: its name, schema and number
// in the cluster, and the cluster's identifier if the user may read it. It is "" for SQLite.
func (s *Store) Place(ctx context.Context) (string, error) {
	if s.Database() != "postgres" {
		return "", nil
	}
	var parts []string
	ask := func(sql string) error {
		return s.View(ctx, func(t *Tx) error {
			return t.e.Query(func(r engine.Row) error {
				parts = append(parts, r.Text(0))
				return nil
			}, sql)
		})
	}
	if err := ask("SELECT datname::text || ' ' || oid::text || ' ' || current_schema()::text FROM pg_database WHERE datname = current_database()"); err != nil {
		return "", err
	}
	if err := ask("SELECT system_identifier::text FROM pg_control_system()"); err != nil && ctx.Err() != nil {
		return "", err
	}
	return strings.Join(parts, " "), nil
}
