package english

import (
	"cmp"
	"slices"
	"strings"
)

// Near returns up to three candidates similar to word, nearest first. It ignores case.
func Near(word string, candidates []string) []string {
	var n Nearest[string]
	for _, c := range candidates {
		n.Add(word, c, c)
	}
	return n.Best()
}

// Nearest keeps the three values whose names are nearest to a word. A name may have one wrong letter in every
// four. The zero value is ready for use.
type Nearest[T any] struct {
	found []ranked[T]
}

type ranked[T any] struct {
	value    T
	name     string
	distance int
}

// Add considers a value for a word.
func (n *Nearest[T]) Add(word, name string, value T) {
	limit := max(len(word), len(name)) / 4
	d := Distance(strings.ToLower(word), strings.ToLower(name), limit)
	if d > limit {
		return
	}
	n.found = append(n.found, ranked[T]{value, name, d})
	slices.SortFunc(n.found, func(a, b ranked[T]) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	n.found = n.found[:min(3, len(n.found))]
}

// Best returns the nearest values, nearest first.
func (n *Nearest[T]) Best() []T {
	var values []T
	for _, r := range n.found {
		values = append(values, r.value)
	}
	return values
}

// Distance returns the number of bytes to insert, delete or replace to get from a to b,
// or some number above limit.
func Distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal, best := row[0], i+1
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
			best = min(best, d)
		}
		if best > limit {
			return limit + 1
		}
	}
	return row[len(b)]
}

// Or joins words as "a, b or c".
func Or(words []string) string {
	return joinLast(words, " or ")
}

// And joins words as "a, b and c".
func And(words []string) string {
	return joinLast(words, " and ")
}

func joinLast(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + last + words[len(words)-1]
}
