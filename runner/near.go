package runner

import (
	"cmp"
	"slices"
	"strings"
)

// near returns up to three candidates that somebody who wrote word may have meant,
// nearest first. Case does not count.
func near(word string, candidates []string) []string {
	type match struct {
		text     string
		distance int
	}
	var matches []match
	limit := max(2, len(word)/4)
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c), limit); d <= limit {
			matches = append(matches, match{c, d})
		}
	}
	slices.SortFunc(matches, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.text, b.text))
	})
	var texts []string
	for _, m := range matches {
		if len(texts) < 3 && !slices.Contains(texts, m.text) {
			texts = append(texts, m.text)
		}
	}
	return texts
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
