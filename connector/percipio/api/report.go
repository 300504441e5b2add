package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/internal/jsonscan"
)

const maxStatus = 64 << 10 // bytes of a status response

// ReportRequest requests the activity of all accounts in a time window.
type ReportRequest struct {
	Start, End   time.Time
	ContentTypes []string // as reports name them, "Course"; all types when empty
}

// Report is the response to one poll of a report: its rows, or a status if there are none yet.
type Report struct {
	ID     string
	Status string // upper case, such as PENDING; empty when there are rows
	Rows   *Rows  // nil until the report is done; to be closed
}

// noAnswer is the status of an empty response that does not say that the report is in progress.
const noAnswer = "NO ANSWER YET"

// Finished reports whether the status says that the report is done, although there are no rows. The API
// usually sends the rows of a finished report at once; some clients have seen COMPLETED before them.
func (r Report) Finished() bool {
	switch r.Status {
	case "COMPLETED", "COMPLETE", "DONE", "FINISHED", "READY", "AVAILABLE", "SUCCESS", "SUCCEEDED", "SUCCESSFUL", noAnswer:
		return r.Rows == nil
	}
	return false
}

// Failed reports whether the rows will never come. An unknown status counts as a report in progress.
func (r Report) Failed() bool {
	switch r.Status {
	case "FAILED", "FAILURE", "ERROR", "EXPIRED", "CANCELLED", "CANCELED", "ABORTED", "REJECTED":
		return true
	}
	return false
}

// RequestReport requests a learning-activity report. Rows are in order of their last access, newest first, so
// that the first of two rows for the same account and item is the newer one. If a response is lost, an unused
// report may remain.
func (c *Client) RequestReport(ctx context.Context, req ReportRequest) (Report, error) {
	var body struct {
		Start       time.Time `json:"start"`
		End         time.Time `json:"end"`
		Audience    string    `json:"audience"`
		ContentType string    `json:"contentType,omitempty"`
		FormatType  string    `json:"formatType"`
		Sort        struct {
			Field string `json:"field"`
			Order string `json:"order"`
		} `json:"sort"`
		// Unless this is false, the API also stores every report on the organisation's SFTP server.
		IsFileRequiredInSftp bool `json:"isFileRequiredInSftp"`
	}
	body.Start, body.End = req.Start.UTC().Truncate(time.Second), req.End.UTC().Truncate(time.Second)
	body.Audience, body.FormatType, body.ContentType = "ALL", "JSON", strings.Join(req.ContentTypes, ",")
	body.Sort.Field, body.Sort.Order = "lastAccessDate", "desc" // the first of several rows for the same grant counts
	b, err := json.Marshal(body)
	if err != nil {
		return Report{}, baton.Errorf(baton.Internal, "percipio: request a report: %w", err)
	}
	report, err := patiently(ctx, func() (Report, error) {
		resp, err := c.rest.Do(ctx, rest.Request{Method: http.MethodPost, Path: c.path(reporting, "v1", "report-requests", "learning-activity"), Body: b, Retry: rest.RetrySafe})
		if err != nil {
			return Report{}, err
		}
		s := jsonscan.New(bytes.NewReader(resp.Body))
		defer s.Free()
		report, ok := readStatus(s)
		if !ok || report.ID == "" {
			return Report{}, baton.Errorf(baton.Incomplete, "%w: it names no report", errNoAnswer)
		}
		return report, nil
	})
	return report, explain("request a report", reporting, err)
}

// ReadReport polls a report. The error is Incomplete if the report cannot be read, or a 404 says that it does
// not exist. The rows remain readable until ctx ends.
func (c *Client) ReadReport(ctx context.Context, id string) (Report, error) {
	const doing = "read the report"
	stream, err := patiently(ctx, func() (*rest.Stream, error) {
		return c.rest.Stream(ctx, rest.Request{Path: c.path(reporting, "v1", "report-requests", id), NoCache: true})
	})
	if err != nil {
		return Report{}, explain(doing, reporting, err)
	}
	src := &io.LimitedReader{R: stream, N: maxStatus}
	s := jsonscan.New(src)
	switch {
	case s.Empty():
		status := noAnswer
		if stream.Status == http.StatusAccepted {
			status = "ACCEPTED"
		}
		stream.Close()
		return Report{ID: id, Status: status}, nil
	case s.Kind() == '[':
		src.N = math.MaxInt64
		s.Array()
		return Report{ID: id, Rows: newRows(s, stream)}, nil
	}
	defer stream.Close()
	if report, ok := readStatus(s); ok && report.Status != "" {
		report.ID = id // polls may spell it differently, or leave it out
		return report, nil
	}
	var failure *baton.Error
	if errors.As(s.Err(), &failure) { // the transfer failed, not the decoding
		return Report{}, explain(doing, reporting, failure)
	}
	return Report{}, explain(doing, reporting, baton.Errorf(baton.Incomplete, "the answer is neither a list of rows nor a status"))
}

// readStatus reads a status object that is the whole response.
func readStatus(s *jsonscan.Scanner) (report Report, ok bool) {
	if s.Empty() || s.Kind() != '{' {
		return Report{}, false
	}
	other := ""
	for s.Object(); s.Field(); {
		switch string(s.Lower()) {
		case "id":
			report.ID = text(s)
		case "reportid":
			other = text(s)
		case "status":
			report.Status = strings.ToUpper(strings.TrimSpace(text(s)))
		default:
			s.Skip()
		}
	}
	if s.End() != nil {
		return Report{}, false
	}
	report.ID = cmp.Or(report.ID, other)
	if len(report.Status) > 40 {
		report.Status = strings.ToValidUTF8(report.Status[:40], "")
	}
	return report, true
}
