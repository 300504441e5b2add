// Package output makes text from elsewhere safe to print, redacts secrets, and writes logs and errors in the
// common form of the project's programs.
package output

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"unicode"

	"baton"
)

// MinRedacted is the length below which a secret is not redacted: a shorter one would blank out ordinary
// words, and no upstream issues such tokens.
const MinRedacted = 6

// Redactor is the last protection against a secret in output. Secrets have a type that prints as REDACTED,
// but an upstream can repeat one in an error. Each Write must be a whole message, as loggers and the printer
// write them.
type Redactor struct {
	to      io.Writer
	secrets [][]byte
}

// NewRedactor returns a writer that passes its input on without the secrets.
func NewRedactor(to io.Writer, secrets []string) *Redactor {
	r := &Redactor{to: to}
	for _, s := range secrets {
		if len(s) < MinRedacted {
			continue
		}
		r.secrets = append(r.secrets, []byte(s))
		if quoted, err := json.Marshal(s); err == nil && string(quoted) != `"`+s+`"` {
			r.secrets = append(r.secrets, quoted[1:len(quoted)-1])
		}
	}
	return r
}

// Write implements [io.Writer].
func (r *Redactor) Write(p []byte) (int, error) {
	if _, err := r.to.Write(r.Redact(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Redact returns text without the secrets.
func (r *Redactor) Redact(text []byte) []byte {
	for _, s := range r.secrets {
		text = bytes.ReplaceAll(text, s, []byte("REDACTED"))
	}
	return text
}

// Clean makes text from elsewhere safe to print on one line of a terminal. Control characters and invisible
// formatting, which can falsify the display, become visible escapes; line breaks become spaces.
func Clean(text string) string {
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

// Explain returns the text of an error and its advice, each on one line. The parts of a joined error follow
// each other.
func Explain(err error) (text, fix string) {
	parts := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		parts = joined.Unwrap()
	}
	var texts, fixes []string
	for _, e := range parts {
		texts = append(texts, e.Error())
		if f := baton.FixOf(e); f != "" && !slices.Contains(fixes, f) {
			fixes = append(fixes, f)
		}
	}
	return strings.Join(texts, "; "), strings.Join(fixes, "; ")
}

// NewHandler returns a handler that writes log records as lines or as JSON, in the form of Baton connectors.
// In JSON, a duration is a number of seconds and its key has a suffix that says so.
func NewHandler(json bool, to io.Writer, level slog.Leveler) slog.Handler {
	if !json {
		return &lineHandler{to: to, level: level}
	}
	return slog.NewJSONHandler(to, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindString {
			a.Value = slog.StringValue(Clean(a.Value.String()))
		}
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(Clean(err.Error()))
		}
		if a.Value.Kind() == slog.KindDuration {
			a = slog.Float64(a.Key+"_seconds", a.Value.Duration().Seconds())
		}
		if len(groups) > 0 {
			return a
		}
		switch a.Key {
		case slog.TimeKey:
			return slog.Float64("ts", float64(a.Value.Time().UnixMicro())/1e6)
		case slog.LevelKey:
			return slog.String(slog.LevelKey, strings.ToLower(a.Value.String()))
		}
		return a
	}})
}

// lineHandler writes a record as one line for a person: "warning: text (key: value)".
type lineHandler struct {
	to     io.Writer
	level  slog.Leveler
	attrs  string // formatted ones, each with ", " before it
	prefix string // prefix of the open groups
}

func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	level := strings.ToLower(r.Level.String())
	if r.Level == slog.LevelWarn {
		level = "warning"
	}
	attrs := h.attrs
	r.Attrs(func(a slog.Attr) bool {
		attrs += formatAttr(h.prefix, a)
		return true
	})
	if attrs != "" {
		attrs = " (" + strings.TrimPrefix(attrs, ", ") + ")"
	}
	_, err := io.WriteString(h.to, Clean(level+": "+r.Message+attrs)+"\n")
	return err
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	for _, a := range attrs {
		next.attrs += formatAttr(h.prefix, a)
	}
	return &next
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	next := *h
	next.prefix += name + "."
	return &next
}

func formatAttr(prefix string, a slog.Attr) string {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		var text strings.Builder
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range value.Group() {
			text.WriteString(formatAttr(prefix, inner))
		}
		return text.String()
	}
	if a.Equal(slog.Attr{}) {
		return ""
	}
	return ", " + prefix + a.Key + ": " + value.String()
}
