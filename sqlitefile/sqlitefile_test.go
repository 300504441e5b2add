package sqlitefile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"baton/sqlitefile"
)

// people is a table with one index of each kind.
var people = layout{
	sql:     "CREATE TABLE people (\n  id integer primary key,\n  name text not null,\n  note blob,\n  n\n)",
	name:    "people",
	columns: []string{"id", "name", "note", "n"},
	indexes: []index{
		{sql: "CREATE UNIQUE INDEX by_name on people (name)", name: "by_name", columns: []int{1}},
		{sql: "CREATE INDEX by_n on people (n, name, id)", name: "by_n", columns: []int{3, 1, 0}},
		{sql: "CREATE INDEX by_note on people (note)", name: "by_note", columns: []int{2}},
		{sql: "CREATE INDEX odd on people (name) where note is null", name: "odd", columns: []int{1},
			where: func(row []any) bool { return row[2] == nil }, term: "note is null"},
		{sql: "CREATE INDEX none on people (n) where name = 'nobody'", name: "none", columns: []int{3},
			where: func([]any) bool { return false }, term: "name = 'nobody'"},
	},
}

func crowd(n int) set {
	s := set{layout: people}
	for i := range n {
		id := int64(i + 1)
		var note any
		if i%3 > 0 {
			note = bytes.Repeat([]byte{byte(i)}, i%50)
		}
		s.rowids = append(s.rowids, id)
		s.rows = append(s.rows, []any{id, fmt.Sprintf("person %d", uint32(i)*2654435761), note, int64(i%17) - 8})
	}
	return s
}

func TestSizes(t *testing.T) {
	for _, n := range []int{0, 1, 2, 10, 100, 1000, 20_000} {
		for _, memory := range []int{0, 1 << 16, 16 << 20} {
			t.Run(fmt.Sprintf("%d rows, %d bytes", n, memory), func(t *testing.T) {
				check(t, memory, crowd(n))
			})
		}
	}
	t.Run("100000 rows", func(t *testing.T) {
		if testing.Short() {
			t.Skip("long")
		}
		check(t, 1<<20, crowd(100_000))
	})
}

// TestPageEdges goes through all numbers of rows around those that fill a page, and the
// first page of a level above, with rows and keys of every size that matters.
func TestPageEdges(t *testing.T) {
	plain := layout{sql: "CREATE TABLE t (a)", name: "t", columns: []string{"a"}, alias: -1,
		indexes: []index{{sql: "CREATE INDEX i on t (a)", name: "i", columns: []int{0}}}}
	rows := func(n, size int) set {
		s := set{layout: plain}
		for i := range n {
			s.rowids = append(s.rowids, int64(i)+1)
			s.rows = append(s.rows, []any{fmt.Sprintf("%0*d", size, i)})
		}
		return s
	}
	for _, size := range []int{1000, 990, 495, 340} { // some cells to a page: every number of rows
		for n := range 40 {
			equalOnly(t, rows(n, size))
		}
	}
	for n := range 130 { // keys so long that four fill an interior page
		equalOnly(t, rows(n, 5000+n%7))
	}
	for size := range 40 { // one byte more or less in each cell
		equalOnly(t, rows(500, 60+size))
	}
	for _, n := range []int{314, 315, 316, 317, 408, 409, 510, 511, 512, 513, 682, 683} { // small cells
		equalOnly(t, rows(n, 3))
		equalOnly(t, rows(n, 1))
	}
}

func equalOnly(t *testing.T, s set) {
	t.Helper()
	equal(t, lay(t, 1<<20, s), store(t, s), s)
}

// TestOverflow has payloads around every length at which the part that stays on the page
// changes.
func TestOverflow(t *testing.T) {
	s := set{layout: people}
	size := func(n int) {
		id := int64(len(s.rows)) + 1
		s.rowids = append(s.rowids, id)
		long := strings.Repeat("x", n)
		s.rows = append(s.rows, []any{id, long + fmt.Sprint(id), []byte(long), int64(n)})
	}
	for _, edge := range []int{475, 489, 990, 1002, 2020, 4050, 4061, 4581, 5000, 8180, 9000, 12_276, 100_000, 1 << 20} {
		for d := -12; d <= 12; d++ {
			if edge < 100_000 || d%6 == 0 {
				size(edge + d)
			}
		}
	}
	check(t, 1<<20, s)
}

func TestValues(t *testing.T) {
	loose := layout{sql: "CREATE TABLE loose (a, b)", name: "loose", columns: []string{"a", "b"}, alias: -1,
		indexes: []index{
			{sql: "CREATE INDEX a on loose (a)", name: "a", columns: []int{0}},
			{sql: "CREATE INDEX ba on loose (b, a)", name: "ba", columns: []int{1, 0}},
		}}
	s := set{layout: loose}
	values := []any{nil, "", "a", "a\x00", "a\x00b", "\x00", "\x00\x00", "\x00\xff", "a\x01", "ab", "é", "z\xff",
		[]byte{}, []byte{0}, []byte{0, 0}, []byte{0, 1}, []byte{0, 255}, []byte{1}, []byte{255}, []byte("a")}
	for shift := range 64 {
		for _, d := range []int64{-2, -1, 0, 1} {
			values = append(values, int64(1)<<shift+d, -(int64(1)<<shift + d))
		}
	}
	values = append(values, int64(math.MaxInt64), int64(math.MinInt64))
	r := rand.New(rand.NewPCG(1, 2))
	rowid := int64(math.MinInt64)
	for _, v := range values {
		for range 3 {
			s.rowids = append(s.rowids, rowid)
			s.rows = append(s.rows, []any{v, values[r.IntN(len(values))]})
			rowid += r.Int64N(math.MaxInt64 / 1000)
		}
	}
	s.rowids = append(s.rowids, -1, 0, 1, 127, 128, math.MaxInt64)
	for range 6 {
		s.rows = append(s.rows, []any{nil, nil})
	}
	check(t, 1<<16, s)
}

// TestSchema has schemas that fill the first page, overflow it and take many.
func TestSchema(t *testing.T) {
	for _, n := range []int{0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 30, 600} {
		t.Run(fmt.Sprint(n, " tables"), func(t *testing.T) {
			var sets []set
			for i := range n {
				name := fmt.Sprint("t", i)
				sets = append(sets, set{
					layout: layout{name: name, columns: []string{"a"}, alias: -1,
						sql: "CREATE TABLE " + name + " (a /* " + strings.Repeat("-", 300+n) + " */)"},
					rowids: []int64{1}, rows: [][]any{{name}},
				})
			}
			check(t, 1<<20, sets...)
		})
	}
	// The last statement grows until the schema leaves the first page, byte by byte.
	for extra := 3300; extra < 4300; extra += 7 {
		s := crowd(3)
		s.sql = strings.Replace(s.sql, "\n", strings.Repeat(" ", extra), 1)
		equalOnly(t, s)
	}
}

func TestStatements(t *testing.T) {
	f := new(sink)
	w := sqlitefile.New(f, "", 1<<20)
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
		w := sqlitefile.New(new(sink), "", 1<<20)
		w.Table(sql)
		if _, err := w.Finish(); err == nil {
			t.Errorf("%q is taken for a table", sql)
		}
	}
	for _, sql := range []string{"", "create unique", "create index i", "create index i on", "create index i on other (a)",
		"create index t on t (a)", "create unique table i on t (a)", "create table u (a)"} {
		w := sqlitefile.New(new(sink), "", 1<<20)
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
				w := sqlitefile.New(new(sink), t.TempDir(), memory)
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

// TestMisuse sees that what would make a damaged database is an error.
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
		w := sqlitefile.New(new(sink), t.TempDir(), 1<<20)
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

// TestTrouble has an output that fails, at every write, and a scratch directory that
// is not there.
func TestTrouble(t *testing.T) {
	broken := errors.New("broken")
	s := crowd(3000)
	write := func(out io.WriterAt, dir string, memory int) error {
		w := sqlitefile.New(out, dir, memory)
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

func TestNoAllocationPerRow(t *testing.T) {
	w := sqlitefile.New(&failing{after: math.MaxInt}, t.TempDir(), 64<<20)
	defer w.Close()
	table, ix := w.Table(people.sql), w.Index(people.indexes[1].sql)
	name, note, id := "somebody with a name", make([]byte, 200), int64(0)
	allocs := testing.AllocsPerRun(20_000, func() {
		id++
		table.Append(id, sqlitefile.Value{}, sqlitefile.Text(name), sqlitefile.Blob(note), sqlitefile.Int(id))
		ix.Add(id, sqlitefile.Int(id), sqlitefile.Text(name), sqlitefile.Int(id))
	})
	if allocs >= 1 {
		t.Errorf("%v allocations", allocs)
	}
}
