package sqlitefile_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton/c1z/internal/sqlitefile"
	"baton/internal/extsort"
)

// TestAside adds some entries of an index in order and the others aside, in any order, and
// compares the index with the rows.
func TestAside(t *testing.T) {
	const n = 3000
	for _, share := range []int{1000, 995, 500, 20, 0} { // so many entries of a thousand are added aside
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(share), 3))
			path := filepath.Join(t.TempDir(), "laid.db")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			w := sqlitefile.New(f, extsort.NewPool(nil, t.TempDir(), 1<<16))
			table := w.Table("CREATE TABLE t (id integer primary key, a text, b blob)")
			index := w.Index("CREATE INDEX i on t (a, b)")
			index.InOrder()
			type row struct {
				id int64
				a  string
				b  []byte
			}
			var rows, ordered []row
			for i := range n {
				one := row{int64(i + 1), fmt.Sprintf("%080d", r.IntN(n/3)), nil}
				if r.IntN(40) == 0 {
					one.b = []byte(strings.Repeat(string(rune('a'+r.IntN(26))), 3000)) // it overflows
				}
				rows = append(rows, one)
				if err := table.Append(one.id, sqlitefile.Value{}, sqlitefile.Text(one.a), sqlitefile.Blob(one.b)); err != nil {
					t.Fatal(err)
				}
				if r.IntN(1000) >= share {
					ordered = append(ordered, one)
				} else if err := index.AddAside(one.id, []sqlitefile.Value{sqlitefile.Text(one.a), sqlitefile.Blob(one.b)}, []int{0, 1}); err != nil {
					t.Fatal(err)
				}
			}
			byIndex := func(a, b row) int {
				return cmp.Or(strings.Compare(a.a, b.a), bytes.Compare(a.b, b.b), cmp.Compare(a.id, b.id))
			}
			slices.SortFunc(ordered, byIndex)
			for _, one := range ordered {
				if err := index.Add(one.id, sqlitefile.Text(one.a), sqlitefile.Blob(one.b)); err != nil {
					t.Fatal(err)
				}
			}
			if err := index.Drain(); err != nil {
				t.Fatal(err)
			}
			if len(ordered) > 0 {
				if err := index.AddAside(1, []sqlitefile.Value{sqlitefile.Text("")}, []int{0}); err == nil && len(ordered) < n {
					t.Error("an entry was added aside after the last one")
				}
			}
			if _, err := w.Finish(); err != nil {
				t.Fatal(err)
			}
			conn := openLibrary(t, path)
			sound(t, conn)
			slices.SortFunc(rows, byIndex)
			var want []string
			for _, one := range rows {
				want = append(want, fmt.Sprintf("%d ", one.id))
			}
			if got := query(t, conn, "select id from t indexed by i order by a, b, id"); !slices.Equal(got, want) {
				t.Error("the index lists other rows, or in another order")
			}
		})
	}
}

// TestAsideRefuses: AddAside needs an index that is in order and not unique.
func TestAsideRefuses(t *testing.T) {
	w := sqlitefile.New(new(discard), extsort.NewPool(nil, t.TempDir(), 1<<16))
	defer w.Close()
	w.Table("CREATE TABLE t (a text)")
	sorted, unique := w.Index("CREATE INDEX i on t (a)"), w.Index("CREATE UNIQUE INDEX u on t (a)")
	unique.InOrder()
	for _, index := range []*sqlitefile.Index{sorted, unique} {
		if err := index.AddAside(1, []sqlitefile.Value{sqlitefile.Text("")}, []int{0}); err == nil {
			t.Error("an entry was added aside")
		}
	}
}

type discard struct{}

func (*discard) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }
