package sqlitefile_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"baton/c1z/internal/sqlitefile"
)

// scanned compares the rows that a scan reads with those of the library.
func scanned(t testing.TB, path string, s set) {
	t.Helper()
	conn := openLibrary(t, path)
	want := query(t, conn, "select rowid, * from "+s.name+" order by rowid")
	var root int64
	fmt.Sscan(query(t, conn, "select rootpage from sqlite_schema where name = ?", s.name)[0], &root)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	scan, err := sqlitefile.NewScan(f, info.Size(), root)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; scan.Next(); n++ {
		line := fmt.Sprintf("%d ", scan.Rowid)
		for i := range s.columns {
			v := sqlitefile.Value{}
			if i < len(scan.Row) {
				v = scan.Row[i]
			}
			switch {
			case i == s.alias:
				line += fmt.Sprintf("%d ", scan.Rowid)
			default:
				line += written(v)
			}
		}
		if n >= len(want) || line != want[n] {
			t.Fatalf("%s, row %d: %.300s\nwant %.300s", s.name, n, line, want[min(n, len(want)-1)])
		}
	}
	if scan.Err() != nil || n != len(want) {
		t.Fatalf("%s: %d rows, %v; want %d", s.name, n, scan.Err(), len(want))
	}
}

// written formats a value like query.
func written(v sqlitefile.Value) string {
	switch {
	case v.IsNull():
		return "null "
	case v.IsInteger():
		return fmt.Sprintf("%d ", v.Integer())
	case v.IsText():
		return fmt.Sprintf("%q ", v.Bytes())
	case v.IsBlob():
		return fmt.Sprintf("x'%x' ", v.Bytes())
	}
	return "a real "
}

// TestScanRefuses: unsupported databases and tables are refused.
func TestScanRefuses(t *testing.T) {
	s := crowd(300)
	for name, prepare := range map[string][]string{
		"larger pages":  {"pragma page_size = 8192", "vacuum"},
		"smaller pages": {"pragma page_size = 1024", "vacuum"},
	} {
		path := store(t, s)
		exec(t, openLibrary(t, path), prepare...)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sqlitefile.NewScan(bytes.NewReader(b), int64(len(b)), 2); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
	b, err := os.ReadFile(store(t, s))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"UTF-16":         func(b []byte) []byte { b[59] = 2; return b },
		"reserved bytes": func(b []byte) []byte { b[20] = 8; return b },
		"no database":    func(b []byte) []byte { b[0] = 's'; return b },
		"cut short":      func(b []byte) []byte { return b[:4096] },
		"empty":          func(b []byte) []byte { return nil },
	} {
		changed := change(bytes.Clone(b))
		if _, err := sqlitefile.NewScan(bytes.NewReader(changed), int64(len(changed)), 2); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
	for _, root := range []int64{-1, 0, 1, 1 << 40} {
		if _, err := sqlitefile.NewScan(bytes.NewReader(b), int64(len(b)), root); err == nil {
			t.Errorf("root %d: it is read", root)
		}
	}
}

// FuzzScan reads databases with changed bytes: a scan continues or reports an error, and never returns more
// rows than fit into the file.
func FuzzScan(f *testing.F) {
	b, err := os.ReadFile(store(f, madeUp(rand.New(rand.NewPCG(3, 8)), 60)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{0, 0, 16, 0, 255})
	f.Add([]byte{0, 0, 16, 3, 2, 0, 0, 16, 4, 200})
	f.Fuzz(func(t *testing.T, changes []byte) {
		db := bytes.Clone(b)
		for change := range slices.Chunk(changes, 5) { // position and new byte
			if len(change) == 5 {
				db[int(binary.BigEndian.Uint32(change))%len(db)] = change[4]
			}
		}
		for root := range int64(len(b) / sqlitefile.PageSize) {
			s, err := sqlitefile.NewScan(bytes.NewReader(db), int64(len(db)), root)
			if err != nil {
				continue
			}
			for n := 0; n < 100_000 && s.Next(); n++ {
				for _, v := range s.Row {
					_ = written(v)
				}
			}
		}
	})
}
