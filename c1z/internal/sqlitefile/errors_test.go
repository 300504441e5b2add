package sqlitefile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"baton/c1z/internal/sqlitefile"
	"baton/internal/extsort"
)

func TestStatements(t *testing.T) {
	f := new(sink)
	w := sqlitefile.New(f, extsort.NewPool(nil, "", 1<<20))
	w.Table("  create   table a(b);\n ")
	w.Index("create unique index c on A (b)")
	w.Index("create index d ON a(b) WHERE b > 1 ;")
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CREATE TABLE a(b)", "CREATE UNIQUE INDEX c on A (b)", "CREATE INDEX d ON a(b) WHERE b > 1"} {
		if !bytes.Contains(f.b, []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
	for _, sql := range []string{"", "create", "create table", "create table t", "create view t (a)", "create temp table t (a)",
		"create table if not exists t (a)", "create table main.t (a)", `create table "t" (a)`, "create table t as select 1",
		"create virtual table t using fts5(a)", "create table t (a primary key) without rowid", "create index i on t (a)"} {
		w := sqlitefile.New(new(sink), extsort.NewPool(nil, "", 1<<20))
		w.Table(sql)
		if _, err := w.Finish(); err == nil {
			t.Errorf("%q is taken for a table", sql)
		}
	}
	for _, sql := range []string{"", "create unique", "create index i", "create index i on", "create index i on other (a)",
		"create index t on t (a)", "create unique table i on t (a)", "create table u (a)"} {
		w := sqlitefile.New(new(sink), extsort.NewPool(nil, "", 1<<20))
		w.Table("create table t (a)")
		w.Index(sql)
		if _, err := w.Finish(); err == nil {
			t.Errorf("%q is taken for an index", sql)
		}
	}
}

// sink is a database in memory.
type sink struct {
	b []byte
}

func (s *sink) WriteAt(b []byte, off int64) (int, error) {
	if need := int(off) + len(b); need > len(s.b) {
		s.b = append(s.b, make([]byte, need-len(s.b))...)
	}
	return copy(s.b[off:], b), nil
}

func TestDuplicates(t *testing.T) {
	long := strings.Repeat("l", 5000)
	for _, memory := range []int{0, 1 << 20} {
		for _, c := range []struct {
			name string
			a, b any
			want string // in the error; none when empty
		}{
			{"text", "same", "same", `by_a: duplicate key: "same"`},
			{"long text", long, long, `"lll`},
			{"integers", int64(-7), int64(-7), "by_a: duplicate key: -7"},
			{"blobs", []byte("x\x00"), []byte("x\x00"), `duplicate key: "x\x00"`},
			{"null", nil, nil, ""},
			{"text and blob", "same", []byte("same"), ""},
			{"other text", "same", "same\x00", ""},
		} {
			t.Run(fmt.Sprint(c.name, memory), func(t *testing.T) {
				w := sqlitefile.New(new(sink), extsort.NewPool(nil, t.TempDir(), memory))
				table := w.Table("create table t (a)")
				ix := w.Index("create unique index by_a on t (a)")
				for i, v := range []any{c.a, "between", int64(7), c.b} {
					if err := errors.Join(table.Append(int64(i), value(v)), ix.Add(int64(i), value(v))); err != nil {
						t.Fatal(err)
					}
				}
				_, err := w.Finish()
				if c.want == "" {
					if err != nil {
						t.Error(err)
					}
				} else if !errors.Is(err, sqlitefile.ErrDuplicate) || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
					t.Errorf("%v, want %s", err, c.want)
				}
			})
		}
	}
}

// TestMisuse: calls that would produce a damaged database are errors.
func TestMisuse(t *testing.T) {
	one := sqlitefile.Int(1)
	for name, use := range map[string]func(w *sqlitefile.Writer, table *sqlitefile.Table, ix *sqlitefile.Index) error{
		"rows out of order": func(_ *sqlitefile.Writer, table *sqlitefile.Table, ix *sqlitefile.Index) error {
			return errors.Join(table.Append(2, one), table.Append(2, one))
		},
		"no columns":   func(_ *sqlitefile.Writer, table *sqlitefile.Table, _ *sqlitefile.Index) error { return table.Append(1) },
		"an empty key": func(_ *sqlitefile.Writer, _ *sqlitefile.Table, ix *sqlitefile.Index) error { return ix.Add(1) },
		"another key": func(_ *sqlitefile.Writer, _ *sqlitefile.Table, ix *sqlitefile.Index) error {
			return errors.Join(ix.Add(1, one), ix.Add(2, one, one))
		},
		"entry missing": func(w *sqlitefile.Writer, table *sqlitefile.Table, _ *sqlitefile.Index) error {
			return errors.Join(table.Append(1, one), finish(w))
		},
		"row missing": func(w *sqlitefile.Writer, _ *sqlitefile.Table, ix *sqlitefile.Index) error {
			return errors.Join(ix.Add(1, one), finish(w))
		},
		"entry twice": func(w *sqlitefile.Writer, table *sqlitefile.Table, ix *sqlitefile.Index) error {
			return errors.Join(table.Append(1, one), table.Append(2, one), ix.Add(1, one), ix.Add(1, one), finish(w))
		},
		"declared late": func(w *sqlitefile.Writer, table *sqlitefile.Table, _ *sqlitefile.Index) error {
			table.Append(1, one)
			return w.Table("create table late (a)").Append(1, one)
		},
		"after the end": func(w *sqlitefile.Writer, table *sqlitefile.Table, _ *sqlitefile.Index) error {
			if err := finish(w); err != nil {
				panic(err)
			}
			return table.Append(1, one)
		},
		"after giving up": func(w *sqlitefile.Writer, _ *sqlitefile.Table, ix *sqlitefile.Index) error {
			w.Close()
			return ix.Add(1, one)
		},
		"finished twice": func(w *sqlitefile.Writer, _ *sqlitefile.Table, _ *sqlitefile.Index) error {
			if err := finish(w); err != nil {
				panic(err)
			}
			return finish(w)
		},
	} {
		w := sqlitefile.New(new(sink), extsort.NewPool(nil, t.TempDir(), 1<<20))
		table := w.Table("create table t (a)")
		if err := use(w, table, w.Index("create index i on t (a)")); err == nil {
			t.Errorf("%s: no error", name)
		}
		w.Close()
	}
}

func finish(w *sqlitefile.Writer) error {
	_, err := w.Finish()
	return err
}

// TestTrouble fails each write of the output in turn, and uses a scratch directory that does not exist.
func TestTrouble(t *testing.T) {
	broken := errors.New("broken")
	s := crowd(3000)
	write := func(out io.WriterAt, dir string, memory int) error {
		w := sqlitefile.New(out, extsort.NewPool(nil, dir, memory))
		defer w.Close()
		table, ix := w.Table(people.sql), w.Index(people.indexes[0].sql)
		for i, row := range s.rows {
			if err := table.Append(s.rowids[i], sqlitefile.Value{}, value(row[1]), value(row[2]), value(row[3])); err != nil {
				return err
			}
			if err := ix.Add(s.rowids[i], value(row[1])); err != nil {
				return err
			}
		}
		return finish(w)
	}
	failures := 0
	for n := 0; ; n++ {
		err := write(&failing{after: n, err: broken}, t.TempDir(), 1<<20)
		if err == nil {
			break
		}
		failures++
		if !errors.Is(err, broken) {
			t.Errorf("after %d writes: %v", n, err)
		}
	}
	if failures < 2 {
		t.Errorf("%d writes", failures)
	}
	if err := write(new(sink), t.TempDir()+"/missing", 0); err == nil {
		t.Error("no error without a scratch directory")
	}
}

type failing struct {
	after int
	err   error
}

func (f *failing) WriteAt(b []byte, _ int64) (int, error) {
	if f.after--; f.after < 0 {
		return 0, f.err
	}
	return len(b), nil
}

// TestInOrderRefuses: an index in order rejects entries that are not in order, and duplicates.
func TestInOrderRefuses(t *testing.T) {
	long := strings.Repeat("l", 5000)
	for name, c := range map[string]struct {
		a, b      any
		order     bool   // the error is an OrderError
		duplicate string // in the error
	}{
		"text twice":      {a: "same", b: "same", duplicate: `by_a: duplicate key: "same"`},
		"long text twice": {a: long, b: long, duplicate: `"lll`},
		"integer twice":   {a: int64(-7), b: int64(-7), duplicate: "by_a: duplicate key: -7"},
		"blob twice":      {a: []byte("x\x00"), b: []byte("x\x00"), duplicate: `duplicate key: "x\x00"`},
		"null twice":      {},
		"null, integer":   {b: int64(-1)},
		"integer, text":   {a: int64(1), b: ""},
		"text, blob":      {a: "same", b: []byte("same")},
		"with a zero":     {a: "same", b: "same\x00"},
		"text falls":      {a: "b", b: "ab", order: true},
		"integer falls":   {a: int64(300), b: int64(-1), order: true},
		"to null":         {a: int64(-1), order: true},
		"from a zero":     {a: "same\x00", b: "same", order: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := sqlitefile.New(new(sink), extsort.NewPool(nil, t.TempDir(), 0))
			table := w.Table("create table t (a)")
			ix := w.Index("create unique index by_a on t (a)")
			ix.InOrder()
			var err error
			for i, v := range []any{c.a, c.b} {
				if err == nil {
					err = errors.Join(table.Append(int64(i), value(v)), ix.Add(int64(i), value(v)))
				}
			}
			var order *sqlitefile.OrderError
			switch {
			case c.order:
				if !errors.As(err, &order) || order.Index != "by_a" {
					t.Errorf("%v, want an error of the order", err)
				}
			case c.duplicate != "":
				if !errors.Is(err, sqlitefile.ErrDuplicate) || !strings.Contains(err.Error(), c.duplicate) || len(err.Error()) > 1000 {
					t.Errorf("%.300v, want %s", err, c.duplicate)
				}
			case err != nil:
				t.Error(err)
			}
			if _, e := w.Finish(); (e == nil) != (err == nil) {
				t.Errorf("after %v, Finish says %v", err, e)
			}
		})
	}
	w := sqlitefile.New(new(sink), extsort.NewPool(nil, t.TempDir(), 0))
	table := w.Table("create table t (a)")
	ix := w.Index("create index by_a on t (a)")
	ix.InOrder()
	one := sqlitefile.Int(1)
	if err := errors.Join(table.Append(1, one), table.Append(2, one), ix.Add(1, one), ix.Add(1, one)); !errors.Is(err, sqlitefile.ErrDuplicate) {
		t.Errorf("an entry twice: %v", err)
	}
}

// TestInOrderAnywhere: the previous entry is known wherever it was written: on a page, as a divider between
// two, or mostly in overflow pages.
func TestInOrderAnywhere(t *testing.T) {
	for _, size := range []int{5, 60, 400, 980, 1003, 6000} {
		for n := 1; n < 3*4096/min(size+8, 1100); n++ {
			w := sqlitefile.New(new(sink), extsort.NewPool(nil, "", 1<<20))
			table := w.Table("create table t (a, b, c)")
			ix := w.Index("create unique index by_all on t (a, b, c)")
			ix.InOrder()
			row := func(i int) []sqlitefile.Value {
				return []sqlitefile.Value{sqlitefile.Int(7), sqlitefile.Blob(fmt.Appendf(nil, "%0*d", size, i/2)), sqlitefile.Int(int64(i%2 - 1))}
			}
			for i := range n {
				if err := errors.Join(table.Append(int64(i), row(i)...), ix.Add(int64(i), row(i)...)); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			var order *sqlitefile.OrderError
			switch last := n - 1; {
			case n%3 == 0:
				if err = ix.Add(int64(n), row(last)...); !errors.Is(err, sqlitefile.ErrDuplicate) {
					t.Errorf("%d entries of %d bytes, the last one again: %v", n, size, err)
				}
			case n%3 == 1 && n > 1:
				if err = ix.Add(int64(n), row(last-1)...); !errors.As(err, &order) {
					t.Errorf("%d entries of %d bytes, the last but one again: %v", n, size, err)
				}
			default:
				if err = finish(w); err != nil {
					t.Errorf("%d entries of %d bytes: %v", n, size, err)
				}
			}
			w.Close()
		}
	}
}
