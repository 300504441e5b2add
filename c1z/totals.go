package c1z

import (
	"context"
	"encoding/json"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton/c1z/internal/database"
	"baton/c1z/internal/schema"
)

// Totals are the numbers of rows that the writer of a sync stated.
type Totals struct {
	Resources    int64 `json:"resources"`
	Entitlements int64 `json:"entitlements"`
	Grants       int64 `json:"grants"`
}

// Stated returns the numbers of rows that the writer stated when it finished the sync; ok is false
// if it stated none. The file may have other numbers of rows.
func (s *Sync) Stated(ctx context.Context) (t Totals, ok bool, err error) {
	db := s.file.db
	if db.Conn == nil || !db.Columns[schema.SyncRuns]["stats"] {
		return t, false, nil
	}
	old := db.Conn.SetInterrupt(ctx.Done())
	defer db.Conn.SetInterrupt(old)
	err = sqlitex.ExecuteTransient(db.Conn, `select stats from v1_sync_runs where sync_id = ?1`, &sqlitex.ExecOptions{
		Args: []any{s.ID},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			ok = json.Unmarshal([]byte(stmt.ColumnText(0)), &t) == nil
			return nil
		},
	})
	if err != nil && ctx.Err() != nil {
		return Totals{}, false, ctx.Err()
	}
	if err != nil || !ok {
		return Totals{}, false, database.Unreadable(db.Name, err)
	}
	return t, true, nil
}
