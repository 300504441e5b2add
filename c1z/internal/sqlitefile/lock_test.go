package sqlitefile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/c1z/internal/sqlitefile"
	"baton/internal/extsort"
	"baton/internal/longtest"
)

// TestLockPage writes a small database around the lock page, in a file without the gigabyte before it. SQLite
// may only miss those pages. Each start has other pages next to the gap: overflow chains, leaves, roots.
func TestLockPage(t *testing.T) {
	s := crowd(400)
	for i := range s.rows {
		if i%40 == 0 {
			s.rows[i][2] = make([]byte, 20_000)
		}
	}
	step := longtest.Pick[uint32](20, 1)
	stored := query(t, openLibrary(t, store(t, s)), "select * from people")
	for before := uint32(1); before < 100; before += step {
		first := uint32(sqlitefile.LockPage - before)
		conn := openLibrary(t, layFrom(t, s, first))
		lines := strings.Split(strings.Trim(query(t, conn, "pragma integrity_check(1000000)")[0], `" `), `\n`)
		page := uint32(2)
		for _, line := range lines {
			if strings.HasPrefix(line, "***") {
				continue
			}
			if want := fmt.Sprintf("Page %d: never used", page); line != want {
				t.Fatalf("from page %d: %.200s, want %s", first, line, want)
			}
			page++
		}
		if page != first {
			t.Errorf("from page %d: the pages from %d on are used", first, page)
		}
		for _, ix := range []string{"", " indexed by by_name", " indexed by by_note"} {
			if got := query(t, conn, "select * from people"+ix+" order by id"); strings.Join(got, "\n") != strings.Join(stored, "\n") {
				t.Errorf("from page %d: other rows%s", first, ix)
			}
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// layFrom writes the set from a page on.
func layFrom(t *testing.T, s set, first uint32) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "sparse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := sqlitefile.New(f, extsort.NewPool(nil, "", 1<<20))
	table := w.Table(s.sql)
	byName, byNote := w.Index(s.indexes[0].sql), w.Index(s.indexes[2].sql)
	if err := w.SkipTo(first); err != nil {
		t.Fatal(err)
	}
	for i, row := range s.rows {
		name, note := value(row[1]), value(row[2])
		for _, err := range []error{
			table.Append(s.rowids[i], sqlitefile.Value{}, name, note, value(row[3])),
			byName.Add(s.rowids[i], name), byNote.Add(s.rowids[i], note),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	size, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	gap := make([]byte, 4096)
	if _, err := f.ReadAt(gap, (sqlitefile.LockPage-1)*4096); size > sqlitefile.LockPage*4096 && (err != nil || strings.Trim(string(gap), "\x00") != "") {
		t.Errorf("from page %d: something is on the page of the locks (%v)", first, err)
	}
	return f.Name()
}
