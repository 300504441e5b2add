package store

import (
	"cmp"
	"slices"
	"strings"

	"baton/console/store/internal/engine"
)

// Lists of keys are padded to one of these lengths or 1, so that only three variants of each
// statement stay prepared.
const (
	shortList = 8
	longList  = 64
)

// listOf returns the rows of a statement that contains "IN (keys)", for any number of keys.
func listOf[K, T any](t *Tx, scan func(engine.Row) T, keys []K, sql string, args ...any) (all []T, err error) {
	for part := range slices.Chunk(keys, longList) {
		s := statement{args: slices.Clone(args)}
		length := longList
		switch n := len(part); {
		case n == 1:
			length = 1
		case n <= shortList:
			length = shortList
		}
		places := make([]string, length)
		for i := range places {
			places[i] = s.arg(part[min(i, len(part)-1)])
		}
		rows, err := list(t, scan, strings.Replace(sql, "IN (keys)", "IN ("+strings.Join(places, ", ")+")", 1), s.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// listOfTuples is [listOf] for keys of several columns: a statement that contains "(tuples)", which
// is a table with the columns column1, column2 and so on. Tuples that are given twice are in it once.
func listOfTuples[T any](t *Tx, scan func(engine.Row) T, tuples [][]int64, sql string, args ...any) (all []T, err error) {
	tuples = slices.Clone(tuples)
	slices.SortFunc(tuples, slices.Compare)
	tuples = slices.CompactFunc(tuples, slices.Equal)
	for part := range slices.Chunk(tuples, longList) {
		s := statement{args: slices.Clone(args)}
		length := longList
		switch n := len(part); {
		case n == 1:
			length = 1
		case n <= shortList:
			length = shortList
		}
		rows := make([]string, length)
		for i := range rows {
			places := make([]string, len(part[0]))
			for j := range places {
				value := int64(-1) // no key is negative
				if i < len(part) {
					value = part[i][j]
				}
				places[j] = "CAST(" + s.arg(value) + " AS bigint)"
			}
			rows[i] = "(" + strings.Join(places, ", ") + ")"
		}
		found, err := list(t, scan, strings.Replace(sql, "(tuples)", "(VALUES "+strings.Join(rows, ", ")+")", 1), s.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// distinct returns each key once.
func distinct[K cmp.Ordered](keys []K) []K {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// sortByPlace sorts rows by place. It computes each place once, because building one from a name is
// expensive.
func sortByPlace[T, P any](rows []T, place func(T) P, compare func(a, b P) int) {
	type placed struct {
		row   T
		place P
	}
	all := make([]placed, len(rows))
	for i, r := range rows {
		all[i] = placed{r, place(r)}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return compare(a.place, b.place) })
	for i, p := range all {
		rows[i] = p.row
	}
}

// pageAfter sorts rows and returns up to n of those after a place, and the place where the next page
// begins; nil at the end.
func pageAfter[T, P any](rows []T, place func(T) P, compare func(a, b P) int, after P, n int) (page []T, next *P) {
	sortByPlace(rows, place, compare)
	i, found := slices.BinarySearchFunc(rows, after, func(r T, a P) int { return compare(place(r), a) })
	if found {
		i++
	}
	page = rows[i:]
	if len(page) > n {
		page = page[:n]
		last := place(page[n-1])
		next = &last
	}
	return page, next
}

// grouped groups rows by a key and keeps their order.
func grouped[K comparable, T any](rows []T, key func(T) K) map[K][]T {
	by := map[K][]T{}
	for _, r := range rows {
		by[key(r)] = append(by[key(r)], r)
	}
	return by
}
