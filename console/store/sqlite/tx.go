package sqlite

import (
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"baton/console/store/internal/engine"
)

type tx struct{ conn *sqlite.Conn }

// Now implements [engine.Tx]. One process has the database to itself.
func (t *tx) Now(given time.Time) (time.Time, error) { return given, nil }

func (t *tx) prepare(statement string) (*sqlite.Stmt, error) {
	stmt, err := t.conn.Prepare(engine.ForSQLite(statement))
	if err != nil {
		return nil, classify(err, "prepare %s", firstLine(statement))
	}
	return stmt, nil
}

// Exec implements [engine.Tx].
func (t *tx) Exec(statement string, args ...any) (int64, error) {
	stmt, err := t.prepare(statement)
	if err != nil {
		return 0, err
	}
	bind(stmt, args)
	if err := step(stmt, nil); err != nil {
		return 0, classify(err, "%s", firstLine(statement))
	}
	return int64(t.conn.Changes()), nil
}

// Query implements [engine.Tx].
func (t *tx) Query(fn func(engine.Row) error, statement string, args ...any) error {
	stmt, err := t.prepare(statement)
	if err != nil {
		return err
	}
	bind(stmt, args)
	var own error
	err = step(stmt, func() bool {
		own = fn((*row)(stmt))
		return own == nil
	})
	if own != nil {
		return own
	}
	return classify(err, "%s", firstLine(statement))
}

// Each implements [engine.Tx].
func (t *tx) Each(statement string, rows func(engine.Writer) error) error {
	stmt, err := t.prepare(statement)
	if err != nil {
		return err
	}
	w := &writer{stmt: stmt, statement: statement}
	defer stmt.Reset()
	return rows(w)
}

// copyRows is the number of rows that one INSERT of Copy writes. More than a few save little.
const copyRows = 16

// Copy implements [engine.Tx]. An INSERT of many rows keeps a journal of its own, to undo half a
// statement, unless it says OR FAIL. The transaction is rolled back anyway.
func (t *tx) Copy(table string, columns []string, rows func(engine.Writer) error) error {
	row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	into := "INSERT OR FAIL INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES "
	many, err := t.prepare(into + row + strings.Repeat(", "+row, copyRows-1))
	if err != nil {
		return err
	}
	defer many.Reset()
	c := &copier{many: &writer{stmt: many, statement: into}, columns: len(columns)}
	if err := rows(c); err != nil {
		return err
	}
	return t.Each(into+row, c.rest)
}

// copier collects values until they fill a statement for many rows.
type copier struct {
	many    *writer
	columns int
	values  []value
	buf     []byte // the texts and bytes
}

// value is one value of a row.
type value struct {
	kind   valueKind
	number int64 // the value, or its offset in buf
	length int
}

type valueKind uint8

const (
	null valueKind = iota
	integer
	text
	blob
)

func (c *copier) Int(v int64) { c.values = append(c.values, value{kind: integer, number: v}) }
func (c *copier) Null()       { c.values = append(c.values, value{}) }

func (c *copier) Bool(v bool) {
	if v {
		c.Int(1)
	} else {
		c.Int(0)
	}
}

func (c *copier) Text(v string) {
	c.values = append(c.values, value{text, int64(len(c.buf)), len(v)})
	c.buf = append(c.buf, v...)
}

func (c *copier) Bytes(v []byte) {
	c.values = append(c.values, value{blob, int64(len(c.buf)), len(v)})
	c.buf = append(c.buf, v...)
}

func (c *copier) End() error {
	if len(c.values) < c.columns*copyRows {
		return nil
	}
	c.bind(c.many, c.values)
	c.values, c.buf = c.values[:0], c.buf[:0]
	return c.many.End()
}

// rest writes the rows that do not fill a statement.
func (c *copier) rest(w engine.Writer) error {
	for row := range slices.Chunk(c.values, c.columns) {
		c.bind(w, row)
		if err := w.End(); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) bind(w engine.Writer, values []value) {
	for _, v := range values {
		switch v.kind {
		case null:
			w.Null()
		case integer:
			w.Int(v.number)
		case text:
			w.Text(string(c.buf[v.number:][:v.length]))
		case blob:
			w.Bytes(c.buf[v.number:][:v.length])
		}
	}
}

// writer binds values to a statement and runs it at the end of each row.
type writer struct {
	stmt      *sqlite.Stmt
	statement string
	n         int
}

func (w *writer) next() int { w.n++; return w.n }

func (w *writer) Int(v int64)    { w.stmt.BindInt64(w.next(), v) }
func (w *writer) Bool(v bool)    { w.stmt.BindBool(w.next(), v) }
func (w *writer) Text(v string)  { w.stmt.BindText(w.next(), v) }
func (w *writer) Bytes(v []byte) { w.stmt.BindBytes(w.next(), v) }
func (w *writer) Null()          { w.stmt.BindNull(w.next()) }

func (w *writer) End() error {
	w.n = 0
	return classify(step(w.stmt, nil), "%s", firstLine(w.statement))
}

func bind(stmt *sqlite.Stmt, args []any) {
	for i, a := range args {
		switch v := engine.Arg(a).(type) {
		case nil:
			stmt.BindNull(i + 1)
		case int64:
			stmt.BindInt64(i+1, v)
		case string:
			stmt.BindText(i+1, v)
		case bool:
			stmt.BindBool(i+1, v)
		case []byte:
			if v == nil {
				stmt.BindNull(i + 1)
			} else {
				stmt.BindBytes(i+1, v)
			}
		}
	}
}

// step runs a statement to its end or until row returns false, and resets it.
func step(stmt *sqlite.Stmt, row func() bool) (err error) {
	defer func() {
		if reset := stmt.Reset(); err == nil {
			err = reset
		}
	}()
	for {
		more, err := stmt.Step()
		if err != nil || !more || row != nil && !row() {
			return err
		}
	}
}

type row sqlite.Stmt

func (r *row) stmt() *sqlite.Stmt { return (*sqlite.Stmt)(r) }

func (r *row) Int(c int) int64   { return r.stmt().ColumnInt64(c) }
func (r *row) Bool(c int) bool   { return r.stmt().ColumnInt64(c) != 0 }
func (r *row) Text(c int) string { return r.stmt().ColumnText(c) }
func (r *row) Null(c int) bool   { return r.stmt().ColumnType(c) == sqlite.TypeNull }

func (r *row) Bytes(c int) []byte {
	if r.Null(c) {
		return nil
	}
	b := make([]byte, r.stmt().ColumnLen(c))
	r.stmt().ColumnBytes(c, b)
	return b
}

// query runs a statement outside of a transaction of the store.
func query(conn *sqlite.Conn, statement string, row func(*sqlite.Stmt)) error {
	stmt, _, err := conn.PrepareTransient(statement)
	if err != nil {
		return err
	}
	defer stmt.Finalize()
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		row(stmt)
	}
}

// execScript runs statements that return nothing of interest.
func execScript(conn *sqlite.Conn, script string) error {
	for script = strings.TrimSpace(script); script != ""; script = strings.TrimSpace(script) {
		stmt, trailing, err := conn.PrepareTransient(script)
		if err != nil {
			return err
		}
		script = script[len(script)-trailing:]
		if stmt == nil { // a comment
			continue
		}
		for more := true; more && err == nil; {
			more, err = stmt.Step()
		}
		if fin := stmt.Finalize(); err == nil {
			err = fin
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func script(t engine.Tx, text string) error { return execScript(t.(*tx).conn, text) }

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
