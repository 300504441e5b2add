package cli

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"baton/agent/syncer"
	"baton/connector/rest"
	"baton/internal/english"
	"baton/internal/output"
)

const (
	redrawEvery = 200 * time.Millisecond // the line on a terminal
	logEvery    = 10 * time.Second       // the log elsewhere
)

// progress shows the progress of a sync: as one line on a terminal, otherwise as a log record
// every few seconds.
type progress struct {
	printer *printer

	mu      sync.Mutex
	began   time.Time
	feeds   []*feedProgress
	sealing bool
	wait    string    // reason to wait for the upstream
	until   time.Time // end of the wait
}

type feedProgress struct {
	syncer.Progress
	first int       // objects at the first report: those of an earlier process
	until time.Time // when the upstream may be ready
}

func newProgress(p *printer) *progress { return &progress{printer: p, began: time.Now()} }

// start shows the progress until the returned function is called.
func (p *progress) start() (stop func()) {
	every := logEvery
	if p.printer.screen.terminal != nil {
		every = redrawEvery
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				p.printer.screen.show("")
				return
			case <-ticker.C:
				p.tick()
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.printer.screen.terminal != nil {
		p.printer.screen.show(output.Clean(p.text(time.Now())))
		return
	}
	if p.printer.json {
		p.printer.log.Info("syncing", p.attrs(time.Now())...)
		return
	}
	p.printer.log.Info("syncing: " + p.text(time.Now()))
}

// page records the progress of a feed.
func (p *progress) page(report syncer.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if report.Sealing {
		p.sealing = true
		return
	}
	feed := p.feed(report)
	feed.Progress = report
	feed.until = time.Time{}
	if report.Waiting > 0 {
		feed.until = time.Now().Add(report.Waiting)
	}
}

func (p *progress) feed(report syncer.Progress) *feedProgress {
	for _, f := range p.feeds {
		if f.Feed == report.Feed {
			return f
		}
	}
	f := &feedProgress{first: report.Objects}
	p.feeds = append(p.feeds, f)
	return f
}

// attempt records an HTTP request. It is safe for concurrent use.
func (p *progress) attempt(a rest.Attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.wait, p.until = waitText(a, now), now.Add(a.Wait)
}

// waitText describes why and until when a request waits, or returns "".
func waitText(a rest.Attempt, now time.Time) string {
	until := now.Add(a.Wait).Format(time.TimeOnly)
	switch {
	case a.Wait <= 0:
		return ""
	case a.Status == http.StatusTooManyRequests:
		return "waiting for the rate limit until " + until
	case a.Status != 0:
		return fmt.Sprintf("the upstream answered %d, trying again at %s", a.Status, until)
	}
	return fmt.Sprintf("%v, trying again at %s", a.Err, until)
}

// text returns the progress as one line.
func (p *progress) text(now time.Time) string {
	if p.sealing {
		return "everything is read, writing the file"
	}
	var parts []string
	for _, f := range p.feeds {
		part := f.Feed + " " + english.Number(f.Objects)
		if f.Expected > 0 && !f.Done {
			part += "/" + english.Number(max(f.Expected, f.Objects))
		}
		if f.Done {
			part += " (done)"
		}
		parts = append(parts, part)
	}
	rate, left := p.rate(now)
	if rate > 0 {
		parts = append(parts, fmt.Sprintf("%s/s", english.Number(int(rate+0.5))))
	}
	if left >= time.Second {
		parts = append(parts, "about "+left.Round(time.Second).String()+" left")
	}
	if wait := p.waiting(now); wait != "" {
		parts = append(parts, wait)
	}
	if len(parts) == 0 {
		return "connecting"
	}
	return strings.Join(parts, ", ")
}

// attrs returns the progress as attributes of a log record.
func (p *progress) attrs(now time.Time) []any {
	var attrs []any
	for _, f := range p.feeds {
		attrs = append(attrs, slog.Group(f.Feed, "resources", f.Objects, "expected", f.Expected, "pages", f.Pages, "done", f.Done))
	}
	rate, left := p.rate(now)
	attrs = append(attrs, "resources_per_second", rate)
	if left > 0 {
		attrs = append(attrs, "seconds_left", int(left.Seconds()))
	}
	if wait := p.waiting(now); wait != "" {
		attrs = append(attrs, "waiting", wait)
	}
	return append(attrs, "sealing", p.sealing)
}

// rate returns the resources per second that this process reads, and the time to read the
// rest; 0 if unknown.
func (p *progress) rate(now time.Time) (perSecond float64, left time.Duration) {
	seconds := now.Sub(p.began).Seconds()
	read, rest, known := 0, 0, len(p.feeds) > 0
	for _, f := range p.feeds {
		read += f.Objects - f.first
		if f.Done {
			continue
		}
		known = known && f.Expected > 0
		rest += max(0, f.Expected-f.Objects)
	}
	if seconds <= 0 || read <= 0 {
		return 0, 0
	}
	perSecond = float64(read) / seconds
	if known {
		left = time.Duration(float64(rest) / perSecond * float64(time.Second))
	}
	return perSecond, left
}

// waiting describes what the sync waits for, or returns "".
func (p *progress) waiting(now time.Time) string {
	if p.until.After(now) {
		return p.wait
	}
	for _, f := range p.feeds {
		if f.until.After(now) {
			return fmt.Sprintf("waiting for the upstream to prepare %s until %s", f.Feed, f.until.Format(time.TimeOnly))
		}
	}
	return ""
}
