// Package english formats counts and lists of words in the same way for every output of the project, and
// suggests corrections for misspelt words.
package english

import (
	"strconv"
	"strings"
)

// Number returns n with its digits grouped: 1,234,567.
func Number(n int) string { return group(strconv.Itoa(n)) }

// Number64 does the same as Number for an int64.
func Number64(n int64) string { return group(strconv.FormatInt(n, 10)) }

func group(digits string) string {
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Count returns a number with its noun: "1 account", "5,000 entries".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + Plural(noun)
}

// Plural returns the plural of a regular noun: "account" gives "accounts", "entry" gives "entries".
func Plural(noun string) string {
	stem, y := strings.CutSuffix(noun, "y")
	switch {
	case y && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiouAEIOU"):
		return stem + "ies"
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "sh"):
		return noun + "es"
	}
	return noun + "s"
}
