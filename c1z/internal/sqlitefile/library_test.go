package sqlitefile_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton/c1z/internal/sqlitefile"
	"baton/internal/extsort"
)

// layout is a table with its indexes, for this package and for the library. Rows hold nil, int64, string and
// []byte.
type layout struct {
	sql     string
	name    string
	columns []string
	alias   int // the column that is the rowid; -1 for none
	indexes []index
}

type index struct {
	sql     string
	name    string
	columns []int
	where   func(row []any) bool // nil: all rows
	term    string               // where as SQL
}

// set holds the rows of a table. A column that is an alias of the rowid contains it.
type set struct {
	layout
	rowids []int64
	rows   [][]any
}

func value(v any) sqlitefile.Value {
	switch v := v.(type) {
	case nil:
		return sqlitefile.Value{}
	case int64:
		return sqlitefile.Int(v)
	case string:
		return sqlitefile.Text(v)
	case []byte:
		return sqlitefile.Blob(v)
	}
	panic(fmt.Sprintf("%T", v))
}

// lay writes a database with this package, and checks the result of Finish.
func lay(t testing.TB, memory int, sets ...set) string {
	t.Helper()
	path, err := tryLay(t, memory, sets...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func tryLay(t testing.TB, memory int, sets ...set) (string, error) {
	t.Helper()
	return layWith(t, memory, nil, sets...)
}

// layInOrder is lay with all suitable indexes declared in order. It returns their names.
func layInOrder(t testing.TB, memory int, sets ...set) (string, []string) {
	t.Helper()
	inOrder := map[string]bool{}
	for _, s := range sets {
		for _, ix := range s.indexes {
			inOrder[ix.name] = true
		}
	}
	for {
		path, err := layWith(t, memory, inOrder, sets...)
		var order *sqlitefile.OrderError
		if err == nil {
			return path, slices.Sorted(maps.Keys(inOrder))
		}
		if !errors.As(err, &order) || !inOrder[order.Index] {
			t.Fatal(err)
		}
		delete(inOrder, order.Index)
	}
}

func layWith(t testing.TB, memory int, inOrder map[string]bool, sets ...set) (string, error) {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "laid.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := &ordered{t: t, f: f}
	w := sqlitefile.New(out, extsort.NewPool(nil, dir, memory))
	defer w.Close()
	var tables []*sqlitefile.Table
	indexes := map[string]*sqlitefile.Index{}
	for _, s := range sets {
		tables = append(tables, w.Table(s.sql))
	}
	for _, s := range sets {
		for _, ix := range s.indexes {
			indexes[ix.name] = w.Index(ix.sql)
			if inOrder[ix.name] {
				indexes[ix.name].InOrder()
			}
		}
	}
	var values []sqlitefile.Value
	for i, more := 0, true; more; i++ { // add to the tables in turn
		more = false
		for n, s := range sets {
			if i >= len(s.rows) {
				continue
			}
			more = true
			values = values[:0]
			for c, v := range s.rows[i] {
				if c == s.alias {
					v = nil
				}
				values = append(values, value(v))
			}
			if err := tables[n].Append(s.rowids[i], values...); err != nil {
				return "", err
			}
			for _, ix := range s.indexes {
				if ix.where != nil && !ix.where(s.rows[i]) {
					continue
				}
				values = values[:0]
				for _, c := range ix.columns {
					values = append(values, value(s.rows[i][c]))
				}
				if err := indexes[ix.name].Add(s.rowids[i], values...); err != nil {
					return "", err
				}
			}
		}
	}
	size, err := w.Finish()
	if err != nil {
		return "", err
	}
	if info, err := f.Stat(); err != nil || info.Size() != size || !out.complete {
		t.Errorf("the file has %d bytes, Finish returned %d (%v)", info.Size(), size, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("something stays behind: %v", files)
	}
	return f.Name(), nil
}

// ordered is a file that checks the order of writes.
type ordered struct {
	t        testing.TB
	f        *os.File
	head     int64
	next     int64
	complete bool
}

func (o *ordered) WriteAt(b []byte, off int64) (int, error) {
	switch {
	case o.complete, len(b) == 0, len(b)%4096 != 0:
		o.t.Errorf("%d bytes written at %d, complete: %v", len(b), off, o.complete)
	case off == 0:
		o.complete = true
		if o.next > 0 && int64(len(b)) != o.head {
			o.t.Errorf("the first %d bytes were left out, %d come last", o.head, len(b))
		}
	case o.next == 0:
		o.head, o.next = off, off+int64(len(b))
	case off != o.next:
		o.t.Errorf("written at %d, after %d", off, o.next)
	default:
		o.next += int64(len(b))
	}
	return o.f.WriteAt(b, off)
}

// store writes the same database with the library.
func store(t testing.TB, sets ...set) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stored.db")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exec(t, conn, "pragma journal_mode = off", "pragma synchronous = off", "begin")
	for _, s := range sets {
		exec(t, conn, s.sql)
	}
	for _, s := range sets {
		insertRows(t, conn, s)
		for _, ix := range s.indexes {
			exec(t, conn, ix.sql)
		}
	}
	exec(t, conn, "commit")
	return path
}

func insertRows(t testing.TB, conn *sqlite.Conn, s set) {
	t.Helper()
	names, marks := []string{"rowid"}, []string{"?"}
	for i, c := range s.columns {
		if i != s.alias {
			names, marks = append(names, c), append(marks, "?")
		}
	}
	stmt, err := conn.Prepare(`insert into ` + s.name + ` (` + strings.Join(names, ", ") + `) values (` + strings.Join(marks, ", ") + `)`)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range s.rows {
		stmt.BindInt64(1, s.rowids[i])
		at := 2
		for c, v := range row {
			if c == s.alias {
				continue
			}
			switch v := v.(type) {
			case nil:
				stmt.BindNull(at)
			case int64:
				stmt.BindInt64(at, v)
			case string:
				stmt.BindText(at, v)
			case []byte:
				if len(v) == 0 {
					stmt.BindZeroBlob(at, 0)
				} else {
					stmt.BindBytes(at, v)
				}
			}
			at++
		}
		if _, err := stmt.Step(); err != nil {
			t.Fatal(err)
		}
		if err := stmt.Reset(); err != nil {
			t.Fatal(err)
		}
	}
}

func exec(t testing.TB, conn *sqlite.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if err := sqlitex.ExecuteTransient(conn, sql, nil); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func openLibrary(t testing.TB, path string) *sqlite.Conn {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	exec(t, conn, "pragma cell_size_check = on", "pragma journal_mode = memory", "pragma synchronous = off")
	return conn
}

// query returns all rows, one line each, with types.
func query(t testing.TB, conn *sqlite.Conn, sql string, args ...any) (rows []string) {
	t.Helper()
	err := sqlitex.ExecuteTransient(conn, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: func(s *sqlite.Stmt) error {
		var line []byte
		for i := range s.ColumnCount() {
			switch s.ColumnType(i) {
			case sqlite.TypeNull:
				line = append(line, "null "...)
			case sqlite.TypeInteger:
				line = fmt.Appendf(line, "%d ", s.ColumnInt64(i))
			case sqlite.TypeText:
				line = fmt.Appendf(line, "%q ", s.ColumnText(i))
			case sqlite.TypeBlob:
				b := make([]byte, s.ColumnLen(i))
				s.ColumnBytes(i, b)
				line = fmt.Appendf(line, "x'%x' ", b)
			default:
				return errors.New("a real")
			}
		}
		rows = append(rows, string(line))
		return nil
	}})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

func sound(t testing.TB, conn *sqlite.Conn) {
	t.Helper()
	for _, pragma := range []string{"integrity_check", "quick_check"} {
		if got := query(t, conn, "pragma "+pragma); !slices.Equal(got, []string{`"ok" `}) {
			t.Fatalf("%s: %s", pragma, strings.Join(got[:min(len(got), 5)], "\n"))
		}
	}
}

// equal compares this package's database with the library's: each row, the content and order of each index,
// and each row looked up by each index.
func equal(t testing.TB, laid, stored string, sets ...set) {
	t.Helper()
	ours, theirs := openLibrary(t, laid), openLibrary(t, stored)
	sound(t, ours)
	same := func(sql string) {
		t.Helper()
		if want, got := query(t, theirs, sql), query(t, ours, sql); !slices.Equal(want, got) {
			t.Fatalf("%s (-library +laid out):\n%.2000s", sql, cmp.Diff(want, got))
		}
	}
	same("select type, name, tbl_name, sql from sqlite_schema order by name")
	for _, s := range sets {
		same("select rowid, * from " + s.name + " order by rowid")
		scanned(t, laid, s)
		if len(s.rows) < 20_000 { // more rows do not test the reader better
			scanned(t, stored, s)
		}
		for _, ix := range s.indexes {
			var names, terms []string
			for _, c := range ix.columns {
				names = append(names, s.columns[c])
				terms = append(terms, "i."+s.columns[c]+" is s."+s.columns[c])
			}
			from := " from " + s.name + " indexed by " + ix.name
			where := ""
			if ix.term != "" {
				where = " where " + ix.term
				terms = append(terms, "i."+ix.term, "s."+ix.term)
			}
			list := strings.Join(names, ", ")
			same("select rowid, " + list + from + where + " order by " + list)
			n := len(s.rows)
			if ix.where != nil {
				n = len(slices.DeleteFunc(slices.Clone(s.rows), func(r []any) bool { return !ix.where(r) }))
			}
			if n > 20_000 {
				continue // fewer rows test the lookup faster
			}
			got := query(t, ours, "select count(*) from "+s.name+" s cross join "+s.name+" i indexed by "+ix.name+
				" on i.rowid = s.rowid and "+strings.Join(terms, " and "))
			if want := fmt.Sprintf("%d ", n); got[0] != want {
				t.Fatalf("%s finds %s of %s rows", ix.name, got[0], want)
			}
		}
	}
}

// usable changes the database in every way with the library and checks that this works.
func usable(t testing.TB, path string, sets ...set) {
	t.Helper()
	conn := openLibrary(t, path)
	for _, s := range sets {
		exec(t, conn, "delete from "+s.name+" where rowid % 3 = 1")
		sound(t, conn)
		again := set{layout: s.layout}
		for i, id := range s.rowids {
			if id%3 == 1 {
				again.rowids, again.rows = append(again.rowids, id), append(again.rows, s.rows[i])
			}
		}
		exec(t, conn, "begin")
		insertRows(t, conn, again)
		exec(t, conn, "commit")
		sound(t, conn)
	}
	exec(t, conn, "vacuum")
	sound(t, conn)
}

// check runs all checks.
func check(t testing.TB, memory int, sets ...set) {
	t.Helper()
	laid, stored := lay(t, memory, sets...), store(t, sets...)
	equal(t, laid, stored, sets...)
	usable(t, laid, sets...)
	equal(t, laid, stored, sets...)
	rows := 0
	for _, s := range sets {
		rows += len(s.rows)
	}
	if rows > 100 { // TestInOrder covers larger ones
		return
	}
	if ordered, some := layInOrder(t, memory, sets...); len(some) > 0 {
		equal(t, ordered, stored, sets...)
	}
}
