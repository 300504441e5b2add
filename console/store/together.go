package store

import (
	"slices"
	"strings"

	"baton/console/store/internal/engine"
)

// together is for how many keys one statement reads rows, and alone up to how many keys a
// shorter statement does.
const (
	together = 64
	alone    = 8
)

// listOf returns the rows of a statement for many keys, which it has as "IN (keys)": one
// statement for a page of keys, instead of one for each. Statements are kept prepared, so
// that there are three of each: keys are repeated up to their length.
func listOf[K, T any](t *Tx, scan func(engine.Row) T, keys []K, sql string, args ...any) (all []T, err error) {
	for part := range slices.Chunk(keys, together) {
		s := statement{args: slices.Clone(args)}
		length := together
		switch n := len(part); {
		case n == 1:
			length = 1
		case n <= alone:
			length = alone
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

// sortByPlace sorts rows by their places, which are made of names: once for each row.
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

// grouped returns rows by a key, in their order.
func grouped[K comparable, T any](rows []T, key func(T) K) map[K][]T {
	by := map[K][]T{}
	for _, r := range rows {
		by[key(r)] = append(by[key(r)], r)
	}
	return by
}
