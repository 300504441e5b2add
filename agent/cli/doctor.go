package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"baton"
	"baton/internal/english"
)

// doctor prints the findings of the connector about its upstream one by one. It retries for a
// short time only, because a person waits for it.
func (r *run) doctor(ctx context.Context) error {
	if err := r.start("console", true); err != nil {
		return err
	}
	if err := r.accepts("doctor", descriptive()); err != nil {
		return err
	}
	c, _, err := r.open(ctx, 10*time.Second, nil)
	if err != nil {
		return err
	}
	var count [baton.Failure + 1]int
	report := func(f baton.Finding) {
		count[f.Level]++
		r.finding(f)
	}
	switch {
	case c.Diagnose != nil:
		c.Diagnose(ctx, report)
	default:
		f := baton.Finding{Check: "connection", Detail: "the credential was accepted"}
		if err := validate(ctx, c); err != nil {
			f = baton.Finding{Check: "connection", Level: baton.Failure, Detail: err.Error(), Fix: baton.FixOf(err)}
		}
		report(f)
	}
	if ctx.Err() != nil {
		return stopped(ctx, "doctor", context.Cause(ctx))
	}
	if n := count[baton.Failure]; n > 0 {
		return baton.Errorf(baton.Refused, "doctor: %s failed", english.Count(n, "check"))
	}
	tail := "no problems"
	if n := count[baton.Warning]; n > 0 {
		tail = english.Count(n, "warning")
	}
	r.line("%s passed: %s", english.Count(count[baton.OK]+count[baton.Warning], "check"), tail)
	return nil
}

func (r *run) finding(f baton.Finding) {
	if r.json {
		attrs := []any{"check", f.Check, "result", f.Level.String()}
		if f.Fix != "" {
			attrs = append(attrs, "fix", f.Fix)
		}
		level := [...]slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError}[f.Level]
		r.events.Log(context.Background(), level, f.Detail, attrs...)
		return
	}
	lines := []string{fmt.Sprintf("%-8s %s: %s", f.Level, f.Check, f.Detail)}
	if f.Fix != "" {
		lines = append(lines, fmt.Sprintf("%-8s fix: %s", "", f.Fix))
	}
	r.result(lines, f.Detail)
}
