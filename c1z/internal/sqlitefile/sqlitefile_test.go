package sqlitefile_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"baton/c1z/internal/sqlitefile"
	"baton/internal/extsort"
	"baton/internal/longtest"
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

// loose and single have columns without types.
var (
	loose = layout{sql: "CREATE TABLE loose (a, b)", name: "loose", columns: []string{"a", "b"}, alias: -1,
		indexes: []index{
			{sql: "CREATE INDEX a on loose (a)", name: "a", columns: []int{0}},
			{sql: "CREATE INDEX ba on loose (b, a)", name: "ba", columns: []int{1, 0}},
		}}
	single = layout{sql: "CREATE TABLE t (a)", name: "t", columns: []string{"a"}, alias: -1,
		indexes: []index{{sql: "CREATE INDEX i on t (a)", name: "i", columns: []int{0}}}}
)

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

// TestSizes uses sizes that take minutes in the long run, or with the race detector.
func TestSizes(t *testing.T) {
	sizes := longtest.Pick([]int{0, 1, 2, 10, 100, 1000}, []int{0, 1, 2, 10, 100, 1000, 10_000, 100_000})
	for _, n := range sizes {
		for _, memory := range []int{0, 1 << 16, 16 << 20} {
			t.Run(fmt.Sprintf("%d rows, %d bytes", n, memory), func(t *testing.T) {
				check(t, memory, crowd(n))
			})
		}
	}
}

// TestInOrder has indexes of each kind whose entries come in order, beside some whose entries do not, over
// different numbers of pages.
func TestInOrder(t *testing.T) {
	for _, n := range []int{0, 1, 2, 50, 700, 3_000} {
		s := set{layout: people}
		for i := range n {
			var number any // NULLs come first, then integers, then texts
			switch {
			case i > n/2:
				number = fmt.Sprintf("%06d %s", i, strings.Repeat("x", i%1500))
			case i > n/4:
				number = int64(i*i - n)
			}
			s.rowids = append(s.rowids, int64(3*i+1))
			s.rows = append(s.rows, []any{int64(3*i + 1), fmt.Sprintf("%06d\x00", i), []byte{byte(i)}, number})
		}
		path, names := layInOrder(t, 0, s)
		equal(t, path, store(t, s), s)
		usable(t, path, s)
		want := []string{"by_n", "by_name", "by_note", "none", "odd"}
		if n > 256 {
			want = []string{"by_n", "by_name", "none", "odd"} // notes are not in order
		}
		if !slices.Equal(names, want) {
			t.Errorf("%d rows: %v come in order, want %v", n, names, want)
		}
	}
}

// TestPageEdges uses all numbers of rows around those that fill a page, and the first page of the level
// above, with rows and keys of every relevant size.
func TestPageEdges(t *testing.T) {
	rows := func(n, size int) set {
		s := set{layout: single}
		for i := range n {
			s.rowids = append(s.rowids, int64(i)+1)
			s.rows = append(s.rows, []any{fmt.Sprintf("%0*d", size, i)})
		}
		return s
	}
	for _, size := range longtest.Pick([]int{990, 340}, []int{1000, 990, 495, 340}) { // some cells to a page: every number of rows
		for n := range longtest.Pick(26, 40) {
			equalOnly(t, rows(n, size))
		}
	}
	step := longtest.Pick(21, 1)
	for n := 0; n < 130; n += step { // keys so long that four fill an interior page
		equalOnly(t, rows(n, 5000+n%7))
	}
	for size := 0; size < 40; size += step { // one byte more or less in each cell
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

// TestOverflow has payloads around every length at which the local part changes, and long ones.
func TestOverflow(t *testing.T) {
	plain := set{layout: single}
	for _, payload := range []int{489, 1002, 4061, 4581, 5094, 8153, 8673, 9186, 12_245} {
		for n := payload - 12; n <= payload+4; n++ {
			plain.rowids = append(plain.rowids, int64(len(plain.rows))+1)
			plain.rows = append(plain.rows, []any{strings.Repeat("x", n)})
		}
	}
	check(t, 1<<20, plain)
	long := set{layout: people}
	for i, n := range longtest.Pick([]int{100_000, 0, 200_001, 4096}, []int{100_000, 1 << 20, 0, 1<<20 + 1, 4096, 3 << 20}) {
		id := int64(i) + 1
		long.rowids = append(long.rowids, id)
		long.rows = append(long.rows, []any{id, strings.Repeat("x", n), bytes.Repeat([]byte("y"), n), int64(n)})
	}
	check(t, 1<<20, long)
}

// TestFull fills a page to the last byte, and adds another row.
func TestFull(t *testing.T) {
	const text = 4088/8 - 8 // without the pointer, the lengths, the rowid and the header
	s := set{layout: single}
	s.indexes = nil
	for i, pages := range []int64{2, 2, 2, 2, 2, 2, 2, 2, 4} { // schema, leaves, root
		s.rowids = append(s.rowids, int64(i)+1)
		s.rows = append(s.rows, []any{strings.Repeat("x", text)})
		info, err := os.Stat(lay(t, 1<<20, s))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() != pages*4096 {
			t.Errorf("%d rows are on %d pages, want %d", len(s.rows), info.Size()/4096, pages)
		}
		equalOnly(t, s)
	}
}

// TestBytes compares the bytes of small trees, because a valid file can still be larger than necessary.
func TestBytes(t *testing.T) {
	s := set{layout: loose}
	for shift := 0; shift < 64; shift += 4 {
		for _, d := range []int64{-1, 0} {
			s.rowids = append(s.rowids, int64(len(s.rows))*300)
			s.rows = append(s.rows, []any{int64(1)<<shift + d, -(int64(1) << shift) + d})
		}
	}
	for _, v := range []any{nil, "", "text", []byte{}, strings.Repeat("x", 200), []byte("blob\x00")} {
		s.rowids = append(s.rowids, int64(len(s.rows))*300)
		s.rows = append(s.rows, []any{v, v})
	}
	laid, err := os.ReadFile(lay(t, 1<<20, s))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile(store(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if len(laid) != 4*4096 || !bytes.Equal(laid[4096:], stored[4096:]) {
		t.Errorf("%d bytes differ from the %d bytes of the library", len(laid), len(stored))
	}
}

// TestManyColumns has rows with a two-byte header length.
func TestManyColumns(t *testing.T) {
	for n := 120; n < 135; n++ {
		s := set{layout: layout{name: "wide", alias: -1}, rowids: []int64{1}, rows: [][]any{make([]any, n)}}
		for i := range n {
			s.columns = append(s.columns, fmt.Sprint("c", i))
			s.rows[0][i] = int64(i)
		}
		list := strings.Join(s.columns, ", ")
		s.sql = "CREATE TABLE wide (" + list + ")"
		ix := index{name: "all_of_it", sql: "CREATE INDEX all_of_it on wide (" + list + ")"}
		for i := range n {
			ix.columns = append(ix.columns, i)
		}
		s.indexes = []index{ix}
		equalOnly(t, s)
	}
}

func TestValues(t *testing.T) {
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

// TestSchema has schemas that fill the first page, overflow it and take many pages.
func TestSchema(t *testing.T) {
	for _, n := range longtest.Pick([]int{0, 1, 7, 8, 9, 30}, []int{0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 30, 300}) {
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
	// The last statement grows byte by byte until the schema leaves the first page.
	step := longtest.Pick(100, 1)
	for extra := 3300; extra < 4300; extra += step {
		s := crowd(3)
		s.sql = strings.Replace(s.sql, "\n", strings.Repeat(" ", extra), 1)
		equalOnly(t, s)
	}
}

func TestNoAllocationPerRow(t *testing.T) {
	w := sqlitefile.New(&failing{after: math.MaxInt}, extsort.NewPool(nil, t.TempDir(), 64<<20))
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
