package percipio

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"baton"
	"baton/connector/percipio/api"
)

const (
	rowsPerPage = 10_000
	// aheadOfClocks is how far the window of a report extends beyond now.
	aheadOfClocks = time.Minute
	// firstLook and lastLook limit the wait between two polls of a report.
	firstLook = 2 * time.Second
	lastLook  = 30 * time.Second
	// maxReports limits the reports requested for one sync.
	maxReports = 3
	// maxFinished limits how often in a row a report may be called done without its rows, and maxUnfilled how
	// many such reports are requested. The rows of a finished report come with the same response or soon
	// after, so polling continues for at least 40 seconds.
	maxFinished = 7
	maxUnfilled = 2
	// maxBreaks limits how often the rows of a report may break off within a page.
	maxBreaks = 4
)

// reportCursor is the position of the report feed. Its zero value is the start.
type reportCursor struct {
	ID        string    `json:"id,omitempty"` // of the report; empty if none is requested yet
	Requested time.Time `json:"requested,omitzero"`
	Start     time.Time `json:"start,omitzero"` // start of the window, the same for each attempt
	End       time.Time `json:"end,omitzero"`
	Attempt   int       `json:"attempt,omitempty"`  // abandoned reports
	Looks     int       `json:"looks,omitempty"`    // consecutive polls without rows
	Finished  int       `json:"finished,omitempty"` // consecutive polls of a finished report without rows
	Breaks    int       `json:"breaks,omitempty"`   // breaks since the last full page
	Rows      int       `json:"rows,omitempty"`     // rows in complete pages
	Hash      uint64    `json:"hash,omitempty"`     // of these rows, in order
	Unknown   []string  `json:"unknown,omitempty"`  // unknown statuses that are counted by name
}

func parseReportCursor(at baton.Cursor) (reportCursor, error) {
	var cur reportCursor
	if at == "" {
		return cur, nil
	}
	err := json.Unmarshal([]byte(at), &cur)
	if err != nil || cur.Attempt < 0 || cur.Attempt >= maxReports || cur.Looks < 0 || cur.Finished < 0 || cur.Breaks < 0 || cur.Rows < 0 || len(cur.Unknown) > maxStatuses {
		return cur, corrupt("report")
	}
	return cur, nil
}

func (cur reportCursor) step(s baton.Step) (baton.Step, error) {
	b, err := json.Marshal(cur)
	s.Cursor = baton.Cursor(b)
	return s, err
}

// pause returns the wait after n polls without rows.
func pause(n int) time.Duration {
	d := firstLook
	for ; n > 1 && d < lastLook; n-- {
		d += d / 2
	}
	return min(d, lastLook)
}

// again abandons the report and requests another one, or fails after too many.
func (cur reportCursor) again(why error) (baton.Step, error) {
	if cur.Attempt+1 >= maxReports {
		return baton.Step{}, failedReports(maxReports, why)
	}
	next := reportCursor{Start: cur.Start, End: cur.End, Attempt: cur.Attempt + 1}
	return next.step(baton.Step{Restart: true, Wait: pause(next.Attempt)})
}

func failedReports(n int, why error) error {
	e := baton.Errorf(baton.Incomplete, "percipio: %d reports in a row came to nothing; the last one: %w", n, why)
	return e.WithFix("Try again later; if it keeps failing, request a learning-activity report in Percipio, and show this line to Skillsoft support.")
}

// nextReport takes one step: it requests the report, polls it, or reads a page of its rows. Percipio answers
// a poll with the rows, so the response stays open from page to page. If it breaks off, or another process
// continues, nextReport polls again and skips the rows of earlier pages.
func (c *connector) nextReport(ctx context.Context, at baton.Cursor, page baton.Page) (baton.Step, error) {
	cur, err := parseReportCursor(at)
	if err != nil {
		return baton.Step{}, err
	}
	if cur.ID == "" {
		return c.requestReport(ctx, cur)
	}
	d := c.resume(cur)
	if d == nil {
		report, err := c.api.ReadReport(ctx, cur.ID)
		switch {
		case baton.KindOf(err) == baton.Incomplete:
			return cur.again(err)
		case err != nil:
			return baton.Step{}, err
		case report.Failed():
			return cur.again(baton.Errorf(baton.Incomplete, "Percipio says %s", report.Status))
		case report.Finished():
			return c.unfilled(cur, report.Status)
		case report.Rows == nil:
			cur.Finished = 0
			return c.look(cur, report.Status)
		}
		d = &download{id: cur.ID, rows: report.Rows, opened: ctx}
		d.release = context.AfterFunc(ctx, func() { c.drop(d) })
	}
	cur.Looks, cur.Finished = 0, 0
	return c.readRows(ctx, cur, d, page)
}

// requestReport requests a report, unless the catalogue is empty.
func (c *connector) requestReport(ctx context.Context, cur reportCursor) (baton.Step, error) {
	if cur.End.IsZero() {
		// The window ends in the future, to include activity of this moment and to allow for clocks that
		// differ.
		now := time.Now().UTC().Truncate(time.Second)
		cur.Start, cur.End = now.Add(-c.cfg.Lookback), now.Add(aheadOfClocks)
		if len(c.limited) == 0 {
			catalog, err := c.api.CheckCatalog(ctx)
			if err != nil {
				return baton.Step{}, err
			}
			if catalog.Rows == 0 {
				return cur.step(baton.Step{Done: true})
			}
		}
	}
	req := api.ReportRequest{Start: cur.Start, End: cur.End}
	for _, t := range c.cfg.ContentTypes {
		req.ContentTypes = append(req.ContentTypes, reportNames()[t])
	}
	report, err := c.api.RequestReport(ctx, req)
	if err != nil {
		return baton.Step{}, err
	}
	if report.Failed() {
		return cur.again(baton.Errorf(baton.Incomplete, "Percipio says %s", report.Status))
	}
	cur.ID, cur.Requested = report.ID, time.Now().UTC()
	return cur.step(baton.Step{})
}

// unfilled handles a poll of a finished report without rows: it polls again, requests another report, or
// fails. An empty list of rows counts as rows.
func (c *connector) unfilled(cur reportCursor, status string) (baton.Step, error) {
	if cur.Finished++; cur.Finished < maxFinished {
		return c.look(cur, status)
	}
	why := baton.Errorf(baton.Incomplete, "Percipio says %s, and sends no rows", status)
	if cur.Attempt+1 < maxUnfilled {
		return cur.again(why)
	}
	return baton.Step{}, failedReports(cur.Attempt+1, why)
}

// look handles a poll without rows.
func (c *connector) look(cur reportCursor, status string) (baton.Step, error) {
	if waited := time.Since(cur.Requested); waited >= c.cfg.ReportTimeout {
		e := baton.Errorf(baton.Incomplete, "percipio: the report is not done after %s: Percipio says %s", waited.Round(time.Second), status)
		return baton.Step{}, e.WithFix("Try again later. If reports of this organisation take longer, raise report-timeout (now %d minutes) or lower report-lookback-days.",
			int(c.cfg.ReportTimeout.Minutes()))
	}
	cur.Looks++
	return cur.step(baton.Step{Wait: pause(cur.Looks)})
}

// readRows reads one page of rows.
func (c *connector) readRows(ctx context.Context, cur reportCursor, d *download, page baton.Page) (baton.Step, error) {
	kept := false
	defer func() {
		if !kept {
			d.close()
		}
	}()
	if err := d.skipTo(cur); err != nil {
		return c.brokeOff(ctx, cur, 0, err)
	}
	metadata := baton.Profile{}
	for n := 0; n < rowsPerPage; n++ {
		row, err := d.next()
		if err == io.EOF {
			return cur.at(d).step(baton.Step{Done: true})
		}
		if err != nil {
			return c.brokeOff(ctx, cur.at(d), n, err)
		}
		c.addRow(page, &cur, row, metadata)
	}
	cur.Breaks = 0
	kept = true
	c.keep(d)
	return cur.at(d).step(baton.Step{})
}

// at returns the cursor after the rows read so far.
func (cur reportCursor) at(d *download) reportCursor {
	cur.Rows, cur.Hash = d.n, d.hash
	return cur
}

// brokeOff handles rows that end early, after n rows of a page.
func (c *connector) brokeOff(ctx context.Context, cur reportCursor, n int, err error) (baton.Step, error) {
	kind := baton.KindOf(err)
	switch {
	case ctx.Err() != nil:
		return baton.Step{}, err
	case errors.Is(err, errChanged), kind == baton.Incomplete:
		return cur.again(err)
	case kind != baton.Unavailable && kind != baton.Canceled && kind != baton.DeadlineExceeded:
		return baton.Step{}, err // Canceled means that another caller's context ended the response
	}
	if cur.Breaks++; cur.Breaks > maxBreaks {
		return cur.again(err)
	}
	if n > 0 {
		return cur.step(baton.Step{}) // these rows are valid; the next page continues after them
	}
	return cur.step(baton.Step{Wait: pause(cur.Breaks)})
}

// download is the open response with the rows of a report.
type download struct {
	id      string
	rows    *api.Rows
	n       int             // rows read
	hash    uint64          // of these rows
	opened  context.Context // the response ends with it
	release func() bool
}

func (d *download) close() {
	d.release()
	d.rows.Close()
}

// next reads a row.
func (d *download) next() (api.Row, error) {
	row, err := d.rows.Next()
	if err == nil {
		d.n++
		d.hash = hashRow(d.hash, row)
	}
	return row, err
}

var errChanged = errors.New("the report has other rows than when it was first read")

// skipTo reads the rows of earlier pages again and checks that they are the same: a new report may have them
// in another order.
func (d *download) skipTo(cur reportCursor) error {
	for d.n < cur.Rows {
		if _, err := d.next(); err == io.EOF {
			return errChanged
		} else if err != nil {
			return err
		}
	}
	if d.hash != cur.Hash {
		return errChanged
	}
	return nil
}

// hashRow extends a hash by the fields of a row. It is like FNV-1a, but takes eight bytes at a time. Cursors
// store the hash.
func hashRow(h uint64, row api.Row) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h ^= offset
	for _, s := range [...]string{row.UserID, row.ContentID, row.Status, row.CompletedDate} {
		n := uint64(len(s))
		for ; len(s) >= 8; s = s[8:] {
			w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
				uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
			h = (h ^ w) * prime
			h ^= h >> 32
		}
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h = (h ^ n) * prime
	}
	return h
}

// keep stores the open response for the next page. It is closed when the context of the call that opened it
// ends.
func (c *connector) keep(d *download) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.opened.Err() != nil || c.open[d.id] != nil {
		d.close()
		return
	}
	c.open[d.id] = d
}

// drop closes the stored response, if there is one.
func (c *connector) drop(d *download) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[d.id] == d {
		delete(c.open, d.id)
		d.rows.Close()
	}
}

// resume returns the stored response if its position is that of the cursor.
func (c *connector) resume(cur reportCursor) *download {
	c.mu.Lock()
	d := c.open[cur.ID]
	delete(c.open, cur.ID)
	c.mu.Unlock()
	if d != nil && (d.n != cur.Rows || d.hash != cur.Hash) {
		d.close()
		return nil
	}
	return d
}
