package report

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"baton"
	"baton/internal/english"
)

// Limits of a text on the page: what is longer is cut, with a mark.
const (
	maxText  = 200 // runes
	maxMarks = 4   // combining marks in a row; more are there to paint over neighbours
)

// visible makes text from elsewhere safe to look at: control characters and invisible
// formatting, which can rewrite what a person sees, become visible escapes, and line
// breaks spaces. The joiners that scripts and emoji need stay.
func visible(text string) string {
	if !strings.ContainsFunc(text, hidden) && !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.M, r) }) {
		return text
	}
	var b strings.Builder
	marks := 0
	for _, r := range text {
		if unicode.Is(unicode.M, r) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case !hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	switch r {
	case '\u200c', '\u200d': // the joiners
		return false
	case '\u2028', '\u2029', '\u115f', '\u1160', '\u3164', '\uffa0', unicode.ReplacementChar:
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r)
}

// shown is text as the page shows it: visible, and not endless.
func shown(text string) string { return cut(text, maxText) }

func cut(text string, runes int) string {
	text = visible(text)
	if utf8.RuneCountInString(text) <= runes {
		return text
	}
	return string([]rune(text)[:runes]) + "…"
}

// cell is text as a spreadsheet may have it: visible, and never a formula. Spreadsheets
// skip blanks before a formula, and take the wide forms for the narrow ones.
func cell(text string) string {
	if text == "" {
		return ""
	}
	formula := strings.ContainsRune("\t\r\n", rune(text[0])) ||
		strings.HasPrefix(strings.TrimLeftFunc(text, blank), "=") || strings.IndexFunc(strings.TrimLeftFunc(text, blank), starts) == 0
	text = visible(text)
	if formula {
		return "'" + text
	}
	return text
}

func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

func starts(r rune) bool { return strings.ContainsRune("=+-@＝＋－＠", r) }

// day and moment are a time on the page, nothing for no time.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02")
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// dated is a text, or a time to read if the text is one for machines.
func dated(text string) string {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return moment(t)
	}
	return text
}

// stamp is a time for machines.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// number, plural and plurals are how counts are shown.
func number(n int) string              { return english.Number(n) }
func plural(n int, noun string) string { return english.Count(n, noun) }
func plurals(noun string) string       { return english.Plural(noun) }

// statusWords is a status as a person says it.
func statusWord(s baton.Status) string {
	switch s {
	case baton.StatusEnabled:
		return "enabled"
	case baton.StatusDisabled:
		return "disabled"
	case baton.StatusDeleted:
		return "deleted"
	}
	return "not stated"
}

// words is a slug or a profile key to read: "in_progress" is "in progress".
func words(key string) string { return strings.ReplaceAll(key, "_", " ") }

// title begins with a capital.
func title(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}

func lower(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToLower(r)) + text[n:]
}
