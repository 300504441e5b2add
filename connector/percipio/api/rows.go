package api

import (
	"errors"
	"fmt"
	"io"

	"baton"
	"baton/connector/rest"
	"baton/internal/jsonscan"
)

// Row is one row of a learning-activity report: the progress of one account in one item. All fields are texts
// as in the report, empty if missing.
type Row struct {
	UserID, ContentID string
	ContentTitle      string
	Status            string
	CompletedDate     string
}

// Rows are the rows of a report, read as they arrive. It is not safe for concurrent use.
type Rows struct {
	scan   *jsonscan.Scanner // inside the array
	closer io.Closer
	read   int
	err    error // sticky; io.EOF at the end

	names *jsonscan.Names
}

// The fields of a row that are used.
const (
	rowUser = iota
	rowContent
	rowTitle
	rowStatus
	rowCompleted
)

// newRows returns the rows of the array that the scanner is in.
func newRows(s *jsonscan.Scanner, closer io.Closer) *Rows {
	names := jsonscan.NewNames([]string{rowUser: "userUuid", rowContent: "contentUuid", rowTitle: "contentTitle", rowStatus: "status", rowCompleted: "completedDate"})
	return &Rows{scan: s, closer: closer, names: names}
}

// Next returns the next row. After the last one the error is io.EOF. Other errors are Unavailable if the
// response breaks off, Incomplete if it is not a list of rows, and Invalid if a text is not valid Unicode.
// Rows returned before remain valid.
func (r *Rows) Next() (Row, error) {
	if r.err != nil {
		return Row{}, r.err
	}
	if r.scan.Element() {
		if row := r.row(); r.scan.Err() == nil {
			r.read++
			return row, nil
		}
	}
	r.scan.Locate(r.read+1, "")
	var syntax *jsonscan.SyntaxError
	var encoding *jsonscan.EncodingError
	switch err := r.scan.End(); {
	case err == nil:
		r.err = io.EOF
	case err == io.ErrUnexpectedEOF:
		r.err = baton.Errorf(baton.Unavailable, "percipio: read the report: it breaks off after %d rows", r.read).
			WithFix("Try again later; what was read so far is kept.")
	case errors.As(err, &encoding):
		r.err = explain("read the report", reporting, baton.Errorf(baton.Invalid, "after %d rows: %w", r.read, err).WithFix(rest.FixUnicode))
	case errors.As(err, &syntax):
		r.err = explain("read the report", reporting, baton.Errorf(baton.Incomplete, "after %d rows: %w", r.read, err))
	default:
		r.err = explain("read the report", reporting, fmt.Errorf("after %d rows: %w", r.read, err))
	}
	r.scan.Free()
	r.closer.Close()
	return Row{}, r.err
}

// Close ends the reading.
func (r *Rows) Close() error { return r.closer.Close() }

// row reads one object. If a field appears twice, the last one counts.
func (r *Rows) row() (row Row) {
	s := r.scan
	for s.Object(); s.Known(r.names); {
		value := s.Keep(s.Text())
		switch r.names.Field {
		case rowUser:
			row.UserID = value
		case rowContent:
			row.ContentID = value
		case rowTitle:
			row.ContentTitle = value
		case rowStatus:
			row.Status = value
		case rowCompleted:
			row.CompletedDate = value
		}
	}
	return row
}
