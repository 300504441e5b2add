package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"baton"
	"baton/internal/output"

	"golang.org/x/term"
)

// printer writes the output of a run. In console format, results go to stdout and everything
// else to stderr. In JSON format, everything is an event on stderr, and stdout is for data.
type printer struct {
	json   bool
	out    io.Writer
	screen *screen      // stderr
	events *slog.Logger // results and errors, in JSON format
	log    *slog.Logger
	level  slog.Leveler // of log
	raised atomic.Int32 // number of reasons to log everything
	files  []*os.File   // --log-path
}

// newPrinter returns the printer for the configuration. fallback is the format if none is set;
// "" is JSON unless stdout is a terminal, as with other Baton connectors.
func newPrinter(c configuration, stdout, stderr io.Writer, fallback string) (*printer, error) {
	format := c.Values.String("log-format")
	if format == "" {
		format = fallback
	}
	if format == "" && !isTerminal(stdout) {
		format = "json"
	}
	p := &printer{json: format == "json", out: output.NewRedactor(stdout, c.Secrets)}
	p.screen = &screen{to: output.NewRedactor(stderr, c.Secrets)}
	if f, ok := stderr.(*os.File); ok && !p.json && isTerminal(f) {
		p.screen.terminal = f
	}
	level, err := logLevel(c)
	if err != nil {
		return p.ready(p.screen, slog.LevelInfo), err
	}
	var logs []io.Writer
	for _, path := range c.Values.Strings("log-path") {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			p.close()
			return p.ready(p.screen, level), baton.Errorf(baton.Storage, "%s: %w", c.label("log-path"), err)
		}
		p.files = append(p.files, file)
		logs = append(logs, output.NewRedactor(file, c.Secrets))
	}
	if len(logs) == 0 {
		return p.ready(p.screen, level), nil
	}
	return p.ready(io.MultiWriter(logs...), level), nil
}

// ready creates the loggers. If logs go to files, events are written there as well.
func (p *printer) ready(logs io.Writer, level slog.Leveler) *printer {
	p.level = raisable{level, &p.raised}
	p.log = slog.New(output.NewHandler(p.json, logs, p.level))
	events := logs
	if logs != io.Writer(p.screen) {
		events = io.MultiWriter(p.screen, logs)
	}
	p.events = slog.New(output.NewHandler(p.json, events, slog.LevelInfo))
	return p
}

func (p *printer) close() {
	for _, f := range p.files {
		f.Close()
	}
}

// result prints a result, as lines for a person or as one event with attributes.
func (p *printer) result(lines []string, event string, attrs ...any) {
	if p.json {
		p.events.Info(event, attrs...)
		return
	}
	p.screen.show("")
	for _, line := range lines {
		fmt.Fprintln(p.out, output.Clean(line))
	}
}

// line prints one line for a person, or an event without attributes.
func (p *printer) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text == "" && p.json {
		return
	}
	p.result([]string{text}, text)
}

// warn prints a warning.
func (p *printer) warn(format string, args ...any) {
	p.events.Warn(fmt.Sprintf(format, args...))
}

// data writes data to stdout unchanged.
func (p *printer) data(b []byte) error {
	if _, err := p.out.Write(b); err != nil {
		return baton.Errorf(baton.Storage, "write to stdout: %w", err)
	}
	return nil
}

// fail prints an error and its fix.
func (p *printer) fail(err error) {
	text, fix := output.Explain(err)
	if p.json {
		attrs := []any{"kind", baton.KindOf(err).String(), "code", exitCode(err)}
		if fix != "" {
			attrs = append(attrs, "fix", output.Clean(fix))
		}
		p.events.Error(text, attrs...)
		return
	}
	lines := "error: " + output.Clean(text) + "\n"
	if fix != "" {
		lines += "fix: " + output.Clean(fix) + "\n"
	}
	p.screen.show("")
	_, _ = io.WriteString(p.screen, lines)
	if len(p.files) > 0 {
		p.log.Error(text, "fix", fix)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// logLevel returns the configured level. The level debug can have an end.
func logLevel(c configuration) (slog.Leveler, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Values.String("log-level"))); err != nil {
		return nil, baton.Errorf(baton.Invalid, "log-level: %w", err)
	}
	text := c.Values.String("log-level-debug-expires-at")
	if text == "" || level != slog.LevelDebug {
		return level, nil
	}
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "%s: %q is not a time", c.label("log-level-debug-expires-at"), text).
			WithFix("write it as 2026-01-31T15:04:05Z")
	}
	return debugUntil(end), nil
}

// raise logs everything until lower is called.
func (p *printer) raise() (lower func()) {
	p.raised.Add(1)
	return sync.OnceFunc(func() { p.raised.Add(-1) })
}

// raisable is a level that is debug while raised is above 0.
type raisable struct {
	slog.Leveler
	raised *atomic.Int32
}

// Level implements [slog.Leveler].
func (r raisable) Level() slog.Level {
	if r.raised.Load() > 0 {
		return slog.LevelDebug
	}
	return r.Leveler.Level()
}

// debugUntil is the level debug before a time and info after it.
type debugUntil time.Time

func (d debugUntil) Level() slog.Level {
	if time.Now().Before(time.Time(d)) {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// stopped returns the error of work that a signal or a deadline ended.
func stopped(ctx context.Context, doing string, err error) *baton.Error {
	kind := baton.Canceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind = baton.DeadlineExceeded
	}
	return baton.Errorf(kind, "%s: stopped before the end: %w", doing, err)
}
