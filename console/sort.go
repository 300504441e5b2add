package console

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxSortKey limits the length of sort keys, in bytes. Names that are equal up to it are ordered by
// their numbers.
const maxSortKey = 64

// SortKey returns the bytes by which names are ordered in lists, without case, accents and
// compatibility variants of characters.
func SortKey(name string) []byte {
	key := make([]byte, 0, len(name))
	for _, r := range norm.NFKD.String(name) {
		if !unicode.Is(unicode.Mn, r) {
			key = append(key, string(unicode.ToLower(r))...)
		}
		if len(key) >= maxSortKey {
			return key[:maxSortKey]
		}
	}
	return key
}

// maxSearchWords limits the words that are indexed for one name.
const maxSearchWords = 8

// SearchWords returns the words of a name or of a search text: its [SortKey], split at everything
// except letters and digits.
func SearchWords(name string) []string {
	words := strings.FieldsFunc(string(SortKey(name)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
	words = words[:min(len(words), maxSearchWords)]
	slices.Sort(words)
	return slices.Compact(words)
}
