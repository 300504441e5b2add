package console

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxSortKey limits the length of sort keys, in bytes. Names that agree so far are ordered
// by their numbers.
const maxSortKey = 64

// SortKey returns the bytes by which names are ordered in lists: without case, accents and
// the difference between compatible characters.
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
