package cli

import (
	"cmp"
	"slices"
	"strings"
)

// near returns up to three candidates that somebody who wrote word may have meant,
// nearest first. Case does not count.
func near(word string, candidates []string) []string {
	var n nearest[string]
	for _, c := range candidates {
		n.add(word, c, c)
	}
	return n.best()
}

// nearest keeps the three things whose names are nearest to a word. A word may have
// one slip in every four letters.
type nearest[T any] struct {
	found []ranked[T]
}

type ranked[T any] struct {
	thing    T
	name     string
	distance int
}

func (n *nearest[T]) add(word, name string, thing T) {
	limit := len(word) / 4
	d := distance(strings.ToLower(word), strings.ToLower(name), limit)
	if d > limit {
		return
	}
	n.found = append(n.found, ranked[T]{thing, name, d})
	slices.SortFunc(n.found, func(a, b ranked[T]) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	n.found = n.found[:min(3, len(n.found))]
}

func (n *nearest[T]) best() []T {
	var things []T
	for _, r := range n.found {
		things = append(things, r.thing)
	}
	return things
}

// distance is the number of bytes to insert, delete or replace to get from a to b,
// or some number above limit.
func distance(a, b string, limit int) int {
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

// orList joins words as "a, b or c".
func orList(words []string) string {
	return joinLast(words, " or ")
}

// andList joins words as "a, b and c".
func andList(words []string) string {
	return joinLast(words, " and ")
}

func joinLast(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + last + words[len(words)-1]
}
