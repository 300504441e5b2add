package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// Figures counts what waits, for monitoring.
type Figures struct {
	Due             []DueFigure
	Tasks           []TaskFigure
	Operations      map[string]int64 // unfinished ones by state
	Findings        map[string]int64 // open ones by kind
	Mails           map[string]int64 // those that were not sent, by state
	Deliveries      int64            // those that wait
	FailingWebhooks int64
	Overdue         int64
}

// DueFigure counts the rows of a kind that are due and not claimed.
type DueFigure struct {
	Kind string
	Rows int64
	Lag  time.Duration // how long the oldest of them has waited
}

// TaskFigure counts unfinished tasks.
type TaskFigure struct {
	State, Type string
	Count       int64
}

// counted counts the rows of a query, 10,000 at most, so that the figures of a large database cost
// little.
func (t *Tx) counted(what, from string, args ...any) (int64, error) {
	return get(t, func(r engine.Row) int64 { return r.Int(0) }, what, "SELECT count(*) FROM (SELECT 1 FROM "+from+" LIMIT 10000) AS counted", args...)
}

// unfinished lists the states of operations that are not over.
var unfinished = []console.OperationState{console.Queued, console.Manual, console.Dispatched, console.Applied, console.Unknown}

// Figures returns the figures, with those of these kinds of due rows.
func (t *Tx) Figures(now time.Time, kinds []string) (f Figures, err error) {
	for _, kind := range kinds {
		d := DueFigure{Kind: kind}
		if d.Rows, err = t.counted("due rows", "due WHERE kind = $1 AND ready <= $2", kind, now); err != nil {
			return f, err
		}
		if d.Rows > 0 {
			oldest, _, err := t.NextDue(kind)
			if err != nil {
				return f, err
			}
			d.Lag = max(now.Sub(oldest), 0)
		}
		f.Due = append(f.Due, d)
	}
	f.Tasks, err = list(t, func(r engine.Row) TaskFigure { return TaskFigure{r.Text(0), r.Text(1), r.Int(2)} },
		"SELECT state, type, count(*) FROM task WHERE state <> 'finished' GROUP BY state, type ORDER BY state, type")
	if err != nil {
		return f, err
	}
	if f.Operations, err = t.unfinishedOperations(); err != nil {
		return f, err
	}
	f.Findings, f.Mails = map[string]int64{}, map[string]int64{}
	for _, r := range console.FindingRules() {
		if f.Findings[string(r.Kind)], err = t.counted("findings", "finding WHERE state = $1 AND kind = $2", console.FindingOpen, r.Kind); err != nil {
			return f, err
		}
	}
	for _, s := range []console.MailState{console.MailQueued, console.MailFailed} {
		if f.Mails[string(s)], err = t.counted("mails", "mail WHERE state = $1", s); err != nil {
			return f, err
		}
	}
	if f.Deliveries, err = t.counted("deliveries", "webhook_delivery WHERE next IS NOT NULL"); err != nil {
		return f, err
	}
	if f.FailingWebhooks, err = t.counted("webhooks", "webhook WHERE failing IS NOT NULL"); err != nil {
		return f, err
	}
	f.Overdue, err = t.counted("overdue accesses", "overdue")
	return f, err
}

func (t *Tx) unfinishedOperations() (map[string]int64, error) {
	connectors, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT id FROM connector ORDER BY id")
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, s := range unfinished {
		counts[string(s)] = 0
		for _, c := range connectors {
			n, err := t.counted("operations", "operation WHERE connector = $1 AND state = $2 AND alive", c, s)
			if err != nil {
				return nil, err
			}
			counts[string(s)] += n
		}
	}
	return counts, nil
}

// lastHeadSent is the setting with the time when a signed head of the chain last left.
const lastHeadSent = "audit.head-sent"

// LastHeadSent returns when a signed head of the chain last left; zero if none did.
func (t *Tx) LastHeadSent() (when time.Time, err error) {
	b, err := t.Setting(lastHeadSent)
	if baton.KindOf(err) == baton.NotFound {
		return when, nil
	}
	if err == nil {
		decode(b, &when)
	}
	return when, err
}
