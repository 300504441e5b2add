package syncer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"baton"
	"baton/agent/pagelog"
	"baton/c1z/writer"
	"baton/internal/intern"
	"baton/internal/pause"
)

// feedState is committed with every page of a feed.
type feedState struct {
	Cursor   baton.Cursor
	Done     bool
	Pages    int // since the sync began, restarts included
	Rows     int
	Objects  int
	Expected int
	Excluded map[string]Exclusion
}

// feedRun drives one feed and owns its part of the page log.
type feedRun struct {
	run     *run
	feed    baton.Feed
	log     *pagelog.Feed
	state   feedState
	seen    intern.Table // ids of the resources in committed pages and the current one; see appendID
	rows    writer.Encoder
	resumed bool
}

func openFeed(r *run, plan baton.Feed) (*feedRun, error) {
	log, err := r.log.Feed(plan.Name)
	if err != nil {
		return nil, err
	}
	f := &feedRun{run: r, feed: plan, log: log}
	if err := f.restore(); err != nil {
		log.Close()
		return nil, err
	}
	return f, nil
}

// restore loads the state and the seen resources of an earlier process.
func (f *feedRun) restore() error {
	b := f.log.State()
	if b == nil {
		return nil
	}
	if err := json.Unmarshal(b, &f.state); err != nil {
		return baton.Errorf(baton.Corrupt, "feed %s: the page log cannot be read: %w", f.feed.Name, err).
			WithFix("Run with --fresh to start over.")
	}
	f.resumed = true
	return f.recall()
}

// recall loads the ids of the resources in committed pages.
func (f *feedRun) recall() error {
	f.seen.Clear()
	var id []byte
	var rows writer.Decoder
	return f.log.Replay(func(record []byte, _ int64) error {
		row, err := rows.Row(record)
		if err != nil {
			return err
		}
		if row.Table == writer.Resources {
			kind, name := row.Resource()
			id = appendID(id[:0], kind, name)
			f.seen.Add(id)
		}
		return nil
	})
}

func (f *feedRun) close() error { return f.log.Close() }

// read commits page after page until the feed is done.
func (f *feedRun) read(ctx context.Context) error {
	f.progress(0)
	for !f.state.Done {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		wait, err := f.page(ctx)
		if err != nil {
			return fmt.Errorf("feed %s: %w", f.feed.Name, err)
		}
		f.progress(wait)
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
	}
	return f.log.Sync()
}

// page reads one page and commits it, or rolls it back.
func (f *feedRun) page(ctx context.Context) (wait time.Duration, err error) {
	p := &page{feed: f, before: f.seen.Len()}
	f.rows.Restart() // the previous page may have been rolled back
	step, err := f.feed.Next(ctx, f.state.Cursor, p)
	if err = cmp.Or(err, p.err); err != nil {
		return 0, cmp.Or(err, f.undo(p, err))
	}
	if !step.Done && !step.Restart && step.Wait <= 0 && step.Cursor == f.state.Cursor {
		return 0, baton.Errorf(baton.Internal, "its cursor %q does not advance", step.Cursor)
	}
	next := f.after(p, step)
	b, err := json.Marshal(next)
	if err != nil {
		return 0, err
	}
	if step.Restart {
		if err := f.log.Reset(b); err != nil {
			return 0, err
		}
		f.seen.Clear()
	} else if err := f.log.Commit(b); err != nil {
		return 0, err
	}
	f.state = next
	return step.Wait, nil
}

// undo rolls the current page back. A list that is incomplete is discarded as a whole:
// resumed at its end, it would be incomplete again.
func (f *feedRun) undo(p *page, err error) error {
	if baton.KindOf(err) != baton.Incomplete {
		f.seen.Truncate(p.before)
		return f.log.Rollback()
	}
	f.state = feedState{}
	f.seen.Clear()
	b, err := json.Marshal(f.state)
	return cmp.Or(err, f.log.Reset(b))
}

// after returns the state after the page.
func (f *feedRun) after(p *page, step baton.Step) feedState {
	next := f.state
	next.Cursor, next.Done, next.Pages = step.Cursor, step.Done, next.Pages+1
	if p.expected > 0 {
		next.Expected = p.expected
	}
	if step.Restart {
		next.Done, next.Rows, next.Objects, next.Excluded = false, 0, 0, nil
		return next
	}
	next.Rows += p.rows
	next.Objects += p.fresh()
	next.Excluded = merge(f.state.Excluded, p.excluded)
	return next
}

func (f *feedRun) progress(wait time.Duration) {
	f.run.report(Progress{
		Feed: f.feed.Name, Pages: f.state.Pages, Rows: f.state.Rows, Objects: f.state.Objects,
		Expected: f.state.Expected, Done: f.state.Done, Resumed: f.resumed, Waiting: wait,
	})
}

// merge adds counts by reason into a new map; the old one may be committed already.
func merge(a, b map[string]Exclusion) map[string]Exclusion {
	if len(b) == 0 {
		return a
	}
	sum := make(map[string]Exclusion, len(a)+len(b))
	for _, m := range []map[string]Exclusion{a, b} {
		for reason, e := range m {
			s, ok := sum[reason]
			if !ok {
				s = Exclusion{Reason: reason, Example: e.Example}
			}
			s.Count += e.Count
			sum[reason] = s
		}
	}
	return sum
}

// targeted returns the feed of a targeted sync: one page for each resource.
func targeted(c *baton.Connector, ids []baton.ResourceID) baton.Feed {
	return baton.Feed{
		Name: "targeted",
		Next: func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
			i := 0
			if at != "" {
				if _, err := fmt.Sscanf(string(at), "%d", &i); err != nil || i < 0 || i >= len(ids) {
					return baton.Step{}, baton.Errorf(baton.Corrupt, "cursor %q names none of %d resources", at, len(ids))
				}
			}
			p.Expect(len(ids))
			if err := c.Get(ctx, ids[i], p); err != nil {
				return baton.Step{}, fmt.Errorf("%s: %w", ids[i], err)
			}
			return baton.Step{Cursor: baton.Cursor(fmt.Sprint(i + 1)), Done: i+1 == len(ids)}, nil
		},
	}
}
