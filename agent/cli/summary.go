package cli

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"baton"
	"baton/agent/syncer"
	"baton/c1z/writer"
	"baton/internal/english"
)

// summary prints the result of a sync.
func (r *run) summary(cfg syncer.Config, res syncer.Result, took time.Duration) {
	if r.json {
		r.events.Info("sync complete", summaryAttrs(cfg, res, took)...)
		return
	}
	head := "synced"
	if res.Resumed {
		head = "resumed and finished the sync"
	}
	lines := []string{fmt.Sprintf("%s in %s into %s (%s, sync %s)", head, duration(took), cfg.Path, size(res.Size), res.SyncID)}
	width := 0
	for _, c := range res.Counts {
		width = max(width, len(c.Type))
	}
	for _, c := range res.Counts {
		line := fmt.Sprintf("  %-*s  %s", width, c.Type, english.Count(c.Resources, "resource"))
		if c.Entitlements > 0 || c.Grants > 0 {
			line += fmt.Sprintf(", %s, %s", english.Count(c.Entitlements, "entitlement"), english.Count(c.Grants, "grant"))
		}
		lines = append(lines, line)
	}
	if len(res.Excluded) > 0 {
		lines = append(lines, "dropped:")
	}
	for _, e := range res.Excluded {
		line := fmt.Sprintf("  %s: %s", english.Number(e.Count), e.Reason)
		if e.Example != "" {
			line += " (such as " + e.Example + ")"
		}
		lines = append(lines, line)
	}
	lines = append(lines, noteLines(res.Notes)...)
	r.result(append(lines, changeLines(res.Changes)...), "")
}

// noteLines returns the lines of a review.
func noteLines(notes []baton.Note) []string {
	if len(notes) == 0 {
		return nil
	}
	width := 0
	for _, n := range notes {
		width = max(width, utf8.RuneCountInString(n.Label))
	}
	lines := []string{"review:"}
	for _, n := range notes {
		text := n.Text
		if n.Level != baton.OK {
			text = n.Level.String() + ": " + text
		}
		lines = append(lines, fmt.Sprintf("  %-*s  %s", width, n.Label, text))
	}
	return lines
}

// changeLines returns the lines about changes since the previous sync, none for a first sync.
func changeLines(c *writer.Changes) []string {
	switch {
	case c == nil:
		return nil
	case *c == writer.Changes{}:
		return []string{"since the previous sync: no change"}
	}
	lines := []string{"since the previous sync:"}
	for _, part := range []struct {
		name string
		writer.Change
	}{{"resources", c.Resources}, {"entitlements", c.Entitlements}, {"grants", c.Grants}} {
		var counts []string
		for _, n := range []struct {
			count int
			word  string
		}{{part.Created, "new"}, {part.Deleted, "gone"}, {part.Modified, "changed"}} {
			if n.count > 0 {
				counts = append(counts, english.Number(n.count)+" "+n.word)
			}
		}
		if len(counts) > 0 {
			lines = append(lines, fmt.Sprintf("  %s: %s", part.name, strings.Join(counts, ", ")))
		}
	}
	return lines
}

func summaryAttrs(cfg syncer.Config, res syncer.Result, took time.Duration) []any {
	attrs := []any{"file", cfg.Path, "bytes", res.Size, "sync_id", res.SyncID, "sync_type", res.SyncType,
		"resumed", res.Resumed, "seconds", took.Seconds(), "pages", res.Pages}
	var counts []any
	for _, c := range res.Counts {
		counts = append(counts, slog.Group(c.Type, "resources", c.Resources, "entitlements", c.Entitlements, "grants", c.Grants))
	}
	attrs = append(attrs, slog.Group("counts", counts...))
	type excluded struct {
		Reason  string `json:"reason"`
		Count   int    `json:"count"`
		Example string `json:"example"`
	}
	var list []excluded
	for _, e := range res.Excluded {
		list = append(list, excluded(e))
	}
	if list != nil {
		attrs = append(attrs, "excluded", list)
	}
	type note struct {
		Level string `json:"level"`
		Label string `json:"label"`
		Text  string `json:"text"`
	}
	var notes []note
	for _, n := range res.Notes {
		notes = append(notes, note{n.Level.String(), n.Label, n.Text})
	}
	if notes != nil {
		attrs = append(attrs, "review", notes)
	}
	if c := res.Changes; c != nil {
		var parts []any
		for name, change := range map[string]writer.Change{"resources": c.Resources, "entitlements": c.Entitlements, "grants": c.Grants} {
			parts = append(parts, slog.Group(name, "created", change.Created, "deleted", change.Deleted, "modified", change.Modified))
		}
		attrs = append(attrs, slog.Group("changes", parts...))
	}
	return attrs
}

// duration formats a duration for a person.
func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// size formats a number of bytes in the largest unit that keeps it below 1000.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	units := [...]string{"KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(n)/1024, 0
	for value >= 999.95 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
