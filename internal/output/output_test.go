package output

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ünï 界":             "plain, ünï 界",
		"a\nb\tc":                  "a b c",
		"\x1b]0;title\x07":         `\x1b]0;title\x07`,
		"\u009b31m":                `\x9b31m`,
		"abc\u202edef":             `abc\u202edef`,
		"zero\u200bwidth":          `zero\u200bwidth`,
		"bad \xff utf-8":           `bad \ufffd utf-8`,
		"line\u2028separator\x7f.": `line\u2028separator\x7f.`,
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[2J\r\n\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		got := Clean(text)
		if strings.ContainsFunc(got, unsafeRune) || !utf8.ValidString(got) {
			t.Errorf("%q is cleaned to %q", text, got)
		}
	})
}

func TestRedactor(t *testing.T) {
	var b bytes.Buffer
	r := NewRedactor(&b, []string{`abc"def<`, "tiny"})
	io.WriteString(r, `plain abc"def< quoted abc\"def\u003c tiny`)
	if got, want := b.String(), "plain REDACTED quoted REDACTED tiny"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
