package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// minRedacted is the length below which a secret is not searched for in output: a
// shorter one would blank out ordinary words, and no upstream issues such tokens.
const minRedacted = 6

// redactor is the last line of defence against a secret in output. Secrets are a
// type that prints as REDACTED, but an upstream can send one back in an error. It
// expects whole messages, as loggers and the printer write them.
type redactor struct {
	to      io.Writer
	secrets [][]byte
}

func newRedactor(to io.Writer, secrets []string) *redactor {
	r := &redactor{to: to}
	for _, s := range secrets {
		if len(s) < minRedacted {
			continue
		}
		r.secrets = append(r.secrets, []byte(s))
		if quoted, err := json.Marshal(s); err == nil && string(quoted) != `"`+s+`"` {
			r.secrets = append(r.secrets, quoted[1:len(quoted)-1])
		}
	}
	return r
}

func (r *redactor) Write(p []byte) (int, error) {
	if _, err := r.to.Write(r.redact(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (r *redactor) redact(text []byte) []byte {
	for _, s := range r.secrets {
		text = bytes.ReplaceAll(text, s, []byte("REDACTED"))
	}
	return text
}

// clean makes text from elsewhere safe to print on one line of a terminal: control
// characters and invisible formatting, which can rewrite what a person sees, become
// visible escapes; line breaks become spaces.
func clean(text string) string {
	if !strings.ContainsFunc(text, unsafeRune) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case !unsafeRune(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func unsafeRune(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar
}
