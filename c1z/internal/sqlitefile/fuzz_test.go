package sqlitefile_test

import (
	"baton/internal/longtest"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// FuzzRows generates a table with indexes and rows, and compares the result of this package with that of the
// library.
func FuzzRows(f *testing.F) {
	for seed := range longtest.Pick[uint64](15, 40) {
		f.Add(seed, uint16(seed*seed), uint16(seed%5*700))
	}
	f.Fuzz(func(t *testing.T, seed uint64, rows, memory uint16) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := madeUp(r, int(rows)%3000)
		equal(t, lay(t, int(memory)<<8, s), store(t, s), s)
	})
}

func madeUp(r *rand.Rand, n int) set {
	s := set{layout: layout{name: "t", alias: -1}}
	for i := range 1 + r.IntN(8) {
		s.columns = append(s.columns, fmt.Sprint("c", i))
	}
	decl := strings.Join(s.columns, ", ")
	if r.IntN(2) == 0 {
		s.alias = 0
		decl = strings.Replace(decl, "c0", "c0 integer primary key", 1)
	}
	s.sql = "CREATE TABLE t (" + decl + ")"
	for i := range r.IntN(5) {
		columns := r.Perm(len(s.columns))[:1+r.IntN(len(s.columns))]
		var names []string
		for _, c := range columns {
			names = append(names, s.columns[c])
		}
		name := fmt.Sprint("i", i)
		s.indexes = append(s.indexes, index{name: name, columns: columns,
			sql: "CREATE INDEX " + name + " on t (" + strings.Join(names, ", ") + ")"})
	}
	long := []int{0, 0, 100, 1000, 10_000}[r.IntN(5)]
	before := make([]any, len(s.columns))
	rowid := int64(r.Uint64()) >> (1 + r.IntN(63))
	for range n {
		row := make([]any, len(s.columns))
		for c := range row {
			if row[c] = before[c]; r.IntN(3) > 0 {
				row[c] = anything(r, long)
			}
		}
		before = row
		if s.alias == 0 {
			row[0] = rowid
		}
		s.rowids, s.rows = append(s.rowids, rowid), append(s.rows, row)
		rowid += 1 + int64(r.Uint64()>>(1+r.IntN(63)))/8192
		if rowid < s.rowids[len(s.rowids)-1] {
			break
		}
	}
	return s
}

func anything(r *rand.Rand, long int) any {
	switch r.IntN(8) {
	case 0:
		return nil
	case 1, 2, 3:
		return int64(r.Uint64()) >> r.IntN(64)
	}
	b := make([]byte, r.IntN(12))
	if long > 0 && r.IntN(8) == 0 {
		b = make([]byte, r.IntN(long))
	}
	letters := []string{"ab", "\x00a", "\x00\x01\xff", "0123456789abcdef"}[r.IntN(4)]
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	if r.IntN(2) == 0 {
		return b
	}
	return string(b)
}
