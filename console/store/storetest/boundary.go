package storetest

import (
	"context"
	"fmt"

	"baton/console/store/internal/engine"
)

// AtBoundaries returns a database that calls at wherever the death of the process would leave a
// different state: around each transaction, before its commit, before each statement, and between
// the rows of bulk statements. The calls come from the goroutines that use the database.
func AtBoundaries(db engine.DB, at func()) engine.DB { return boundaries{db, at} }

type boundaries struct {
	engine.DB
	at func()
}

func (b boundaries) Read(ctx context.Context, fn func(engine.Tx) error) error {
	b.at()
	return b.DB.Read(ctx, fn)
}

func (b boundaries) Write(ctx context.Context, fn func(engine.Tx) error) error {
	b.at()
	defer b.at()
	return b.DB.Write(ctx, func(tx engine.Tx) error {
		err := fn(boundedTx{tx, b.at})
		b.at() // before COMMIT or ROLLBACK
		return err
	})
}

type boundedTx struct {
	engine.Tx
	at func()
}

func (t boundedTx) Exec(sql string, args ...any) (int64, error) {
	t.at()
	return t.Tx.Exec(sql, args...)
}

func (t boundedTx) Query(row func(engine.Row) error, sql string, args ...any) error {
	t.at()
	return t.Tx.Query(row, sql, args...)
}

func (t boundedTx) Each(sql string, rows func(engine.Writer) error) error {
	t.at()
	return t.Tx.Each(sql, t.rows(rows))
}

func (t boundedTx) Copy(table string, columns []string, rows func(engine.Writer) error) error {
	t.at()
	return t.Tx.Copy(table, columns, t.rows(rows))
}

// RowsBetween is the number of rows of a bulk statement between two boundaries.
const RowsBetween = 100

func (t boundedTx) rows(rows func(engine.Writer) error) func(engine.Writer) error {
	return func(w engine.Writer) error { return rows(&boundedWriter{Writer: w, at: t.at}) }
}

type boundedWriter struct {
	engine.Writer
	at func()
	n  int
}

func (w *boundedWriter) End() error {
	if w.n++; w.n%RowsBetween == 0 {
		w.at()
	}
	return w.Writer.End()
}

// bulk are the tables that syncs write.
var bulk = []string{"resource", "resource_version", "volatile", "entitlement", "entitlement_version", "lookup", "fact", "fact_by_principal", "source_set", "staged"}

// CountRows returns the number of rows in the tables that syncs write.
func CountRows(ctx context.Context, db engine.DB) (map[string]int64, error) {
	counts := map[string]int64{}
	err := db.Read(ctx, func(tx engine.Tx) error {
		for _, table := range bulk {
			n, err := engine.Get(tx, func(r engine.Row) int64 { return r.Int(0) }, table, "SELECT count(*) FROM "+table)
			if err != nil {
				return fmt.Errorf("count %s: %w", table, err)
			}
			counts[table] = n
		}
		return nil
	})
	return counts, err
}
