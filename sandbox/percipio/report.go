package percipio

import (
	"encoding/json"
	"io"
	"iter"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ReportRequest is the body of a request for a learning-activity report, without the attributes that the
// sandbox ignores.
type ReportRequest struct {
	Start       string      `json:"start,omitempty"` // ISO 8601; either Start and End, or TimeFrame
	End         string      `json:"end,omitempty"`
	TimeFrame   string      `json:"timeFrame,omitempty"` // DAY, WEEK, THIRTY_DAYS (the default), CALENDAR_MONTH
	ContentType string      `json:"contentType,omitempty"`
	Status      string      `json:"status,omitempty"`
	Sort        *ReportSort `json:"sort,omitempty"`
	FormatType  string      `json:"formatType,omitempty"` // JSON (the default), CSV, TXT
	// FileRequiredInSFTP tells whether a file is stored on SFTP. Nil, the default, stores one.
	FileRequiredInSFTP *bool `json:"isFileRequiredInSftp,omitempty"`
}

// ReportSort is an order of rows. The default is lastAccessDate, descending.
type ReportSort struct {
	Field string `json:"field"`
	Order string `json:"order"`
}

// report is a requested report, with the organisation at the time of the request.
type report struct {
	id        string
	requested time.Time
	request   ReportRequest
	rows      selection
	org       *organisation

	failed    bool
	gone      int  // status of the answers once it is ready
	announced bool // whether one poll has answered COMPLETED
	polls     int
	downloads int
}

// requestReport answers POST report-requests/learning-activity.
func (x *exchange) requestReport() *answer {
	rep := &report{requested: x.s.now().UTC(), org: x.s.org}
	if err := json.Unmarshal(x.body, &rep.request); err != nil {
		return fail(400, "the request cannot be read: %v", err)
	}
	if a := rep.check(); a != nil {
		return a
	}
	f := x.s.faults
	rep.id = identifier(x.s.opts.Seed, kindReport, uint64(len(x.s.made)))
	rep.failed = f.First("report-failed")
	if f.First("report-vanishes") {
		rep.gone = http.StatusNotFound
	}
	if f.First("report-gone") {
		rep.gone = http.StatusGone
	}
	status := "PENDING"
	if f.On("report-completed-status") {
		status = f.Value("report-completed-status")
		rep.failed = rep.failed || status == "FAILED"
	}
	if sftp := rep.request.FileRequiredInSFTP; sftp == nil || *sftp {
		x.s.files++
	}
	x.s.reports[rep.id] = rep
	x.s.made = append(x.s.made, rep)
	return x.status(rep, status)
}

// check rejects invalid requests, and selects the rows.
func (rep *report) check() *answer {
	q := &rep.request
	dated := q.Start != "" || q.End != ""
	switch {
	case dated && q.TimeFrame != "":
		return fail(400, "give start and end, or timeFrame, never both")
	case dated && (q.Start == "" || q.End == ""):
		return fail(400, "start and end belong together")
	case dated:
		start, err := parseTime(q.Start)
		if err != nil {
			return fail(400, "start: %v", err)
		}
		end, err := parseTime(q.End)
		if err != nil {
			return fail(400, "end: %v", err)
		}
		if end.Before(start) {
			return fail(400, "end is before start")
		}
		rep.rows.start, rep.rows.end = start.Unix(), end.Unix()
	default:
		now := rep.requested
		start, ok := map[string]time.Time{"": now.AddDate(0, 0, -30), "THIRTY_DAYS": now.AddDate(0, 0, -30), "DAY": now.AddDate(0, 0, -1),
			"WEEK": now.AddDate(0, 0, -7), "CALENDAR_MONTH": time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)}[q.TimeFrame]
		if !ok {
			return fail(400, "timeFrame %q is none of DAY, WEEK, THIRTY_DAYS, CALENDAR_MONTH", q.TimeFrame)
		}
		rep.rows.start, rep.rows.end = start.Unix(), math.MaxInt64
	}
	rep.rows.kinds, rep.rows.statuses = set(q.ContentType, plain), set(q.Status, strings.ToLower)
	if !slices.Contains([]string{"", "JSON", "CSV", "TXT"}, q.FormatType) {
		return fail(400, "formatType %q is none of JSON, CSV, TXT", q.FormatType)
	}
	if s := q.Sort; s != nil && (!slices.Contains(sortFields(), s.Field) || s.Order != "" && !strings.EqualFold(s.Order, "asc") && !strings.EqualFold(s.Order, "desc")) {
		return fail(400, "sort %q %q is none", s.Field, s.Order)
	}
	return nil
}

func sortFields() []string {
	return []string{"contentId", "contentTitle", "contentType", "status", "duration", "completedDate", "firstAccessDate", "lastAccessDate", "timesAccessed",
		"firstScore", "lastScore", "highScore", "assessmentAttempts", "percentOfBookOrVideo", "audience"}
}

// set splits a list at commas. An empty list and ALL give nil.
func set(list string, normal func(string) string) map[string]bool {
	var s map[string]bool
	for part := range strings.SplitSeq(list, ",") {
		if part = normal(strings.TrimSpace(part)); part == "all" {
			return nil
		} else if part != "" {
			if s == nil {
				s = map[string]bool{}
			}
			s[part] = true
		}
	}
	return s
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s)
	}
	return t, err
}

// status returns a status object.
func (x *exchange) status(rep *report, status string) *answer {
	f, key := x.s.faults, "id"
	if f.On("report-id-only-as-reportId") {
		key = "reportId"
	}
	if f.On("status-lower-case") {
		status = strings.ToLower(status)
	}
	return jsonAnswer(http.StatusOK, map[string]string{key: rep.id, "status": status})
}

// pollReport answers GET report-requests/{id}: a status while the report is prepared, its rows afterwards.
func (x *exchange) pollReport() *answer {
	f := x.s.faults
	rep := x.s.reports[strings.ToLower(x.r.PathValue("id"))]
	if rep == nil {
		return fail(404, "there is no such report request")
	}
	rep.polls++
	switch {
	case f.On("report-never-finishes") || rep.polls <= max(x.s.opts.PendingPolls, f.Number("pending")):
		return x.status(rep, "IN_PROGRESS")
	case rep.failed:
		return x.status(rep, "FAILED")
	case rep.gone != 0:
		return fail(rep.gone, "the report has expired")
	case f.On("report-completed-poll") && !rep.announced:
		rep.announced = true
		return x.status(rep, "COMPLETED")
	}
	rep.downloads++
	d := x.download(rep)
	a := newAnswer(http.StatusOK, map[string]string{"CSV": "text/csv; charset=utf-8", "TXT": "text/tab-separated-values; charset=utf-8"}[rep.request.FormatType])
	if d.separator == 0 {
		a.header.Set("Content-Type", "application/json; charset=utf-8")
	}
	a.stream = d.stream
	return a
}

// download is one delivery of a report.
type download struct {
	rows      iter.Seq[row]
	style     style
	separator byte // 0 is JSON

	cutAfter, endAfter int // rows; negative is never
}

func (x *exchange) download(rep *report) *download {
	f := x.s.faults
	d := &download{style: style{lower: f.On("status-lower-case"), oddDates: f.On("odd-dates"), nulls: f.On("null-values")},
		separator: map[string]byte{"CSV": ',', "TXT": '\t'}[rep.request.FormatType], cutAfter: f.Cut("truncated-report"), endAfter: f.Cut("truncated-report-clean")}
	if n := f.Cut("report-expires-mid-body"); n >= 0 {
		d.cutAfter, rep.gone = n, http.StatusNotFound
	}
	by := order{oldestFirst: f.On("report-reversed")}
	if s := rep.request.Sort; s != nil && s.Field == "lastAccessDate" && strings.EqualFold(s.Order, "asc") {
		by.oldestFirst = true
	}
	if f.On("report-unsorted") {
		by.scramble = mix(x.s.opts.Seed, kindReport, uint64(rep.downloads)) | 1<<40
	}
	d.rows = withExtras(rep.rows.filter(rep.org.rows(by)), extras{duplicates: f.Number("dup-pairs"), unknownStatus: f.Number("unknown-status"),
		unknownUsers: f.Number("unknown-users"), unknownItems: f.Number("unknown-courses"), emptyIDs: f.Number("empty-ids")})
	return d
}

// block is the number of bytes of a report sent at once.
const block = 64 << 10

func (d *download) stream(w io.Writer) error {
	l, b, n := newLine(d.style), make([]byte, 0, block+8<<10), 0
	if d.separator != 0 {
		b = l.header(b, d.separator)
	}
	for r := range d.rows {
		if n == d.endAfter {
			_, err := w.Write(b)
			return err
		}
		start := len(b)
		l.fill(&r)
		if d.separator != 0 {
			b = l.appendSeparated(b, d.separator)
		} else {
			b = append(b, "[,"[min(n, 1)], '\n')
			b = l.appendJSON(b)
		}
		if n == d.cutAfter {
			if _, err := w.Write(b[:start+(len(b)-start)/2]); err != nil {
				return err
			}
			return errCut
		}
		if len(b) >= block {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		n++
	}
	if d.separator == 0 {
		if n == 0 {
			b = append(b, '[')
		}
		b = append(b, "]\n"...)
	}
	_, err := w.Write(b)
	return err
}
