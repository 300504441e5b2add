package report

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"baton"
)

// Limits of texts on the page. Longer ones are cut, with a mark.
const (
	maxText  = 200 // runes
	maxMarks = 4   // combining marks in a row; more are there to paint over neighbours
)

// visible makes text from the upstream safe to display: control characters and invisible formatting,
// which can change what a person sees, become visible escapes, and line breaks become spaces. The
// joiners that scripts and emoji need stay.
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

// shown returns text for the page: visible, and of limited length.
func shown(text string) string { return cut(text, maxText) }

func cut(text string, runes int) string {
	text = visible(text)
	if utf8.RuneCountInString(text) <= runes {
		return text
	}
	return string([]rune(text)[:runes]) + "…"
}

// cell returns text for a spreadsheet: visible, and never a formula. Spreadsheets skip blanks before
// a formula, and accept full-width forms of its characters.
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

// day and moment format a time for the page. The zero time gives "".
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

// dated returns a text, or a readable time if the text is a machine-readable one.
func dated(text string) string {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return moment(t)
	}
	return text
}

// stamp returns a machine-readable time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// statusWord returns a status in words.
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

// words returns a slug or a profile key as words: "in_progress" is "in progress".
func words(key string) string { return strings.ReplaceAll(key, "_", " ") }

// title returns the text with a capital first letter.
func title(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}

func lower(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToLower(r)) + text[n:]
}
