package api

import (
	"fmt"
	"io"

	"baton"
)

// Row is one row of a learning-activity report: what one account did with one item.
// All fields are texts as the report has them, empty when it has none.
type Row struct {
	UserID, ContentID string
	ContentTitle      string
	Status            string
	CompletedDate     string
}

// Rows are the rows of a report, read as they arrive. Not safe for concurrent use.
type Rows struct {
	scan   *scanner
	closer io.Closer
	read   int
	err    error // sticky; io.EOF at the end

	name []byte // of the field in hand
	kept []byte // values of the row in hand
}

// field is a part of Rows.kept.
type field struct{ from, to int }

func (f field) of(s string) string { return s[f.from:f.to] }

// Next is the next row. The error after the last is io.EOF. It is Unavailable when
// the answer breaks off, and Incomplete when it is not a list of rows; which bytes
// came before it does not matter to the rows that were handed out.
func (r *Rows) Next() (Row, error) {
	if r.err != nil {
		return Row{}, r.err
	}
	row, err := r.next()
	switch {
	case err == nil:
		r.read++
		return row, nil
	case err == io.EOF && r.ended():
		r.err = io.EOF
	case err == io.EOF:
		r.err = baton.Errorf(baton.Unavailable, "percipio: read the report: it breaks off after %d rows", r.read).
			WithFix("Try again later; what was read so far is kept.")
	default:
		r.err = explain("read the report", reporting, fmt.Errorf("after %d rows: %w", r.read, err))
	}
	r.closer.Close()
	return Row{}, r.err
}

// Close ends the reading.
func (r *Rows) Close() error { return r.closer.Close() }

// ended reports whether the array was closed: next takes its bracket away.
func (r *Rows) ended() bool { return r.scan == nil }

// next reads one row and what separates it from the last. It is io.EOF at the end
// of the body, whether or not that is the end of the array.
func (r *Rows) next() (Row, error) {
	s := r.scan
	b, err := s.token()
	if err != nil {
		return Row{}, err
	}
	if b == ']' {
		s.pos++
		return Row{}, r.finish()
	}
	if r.read > 0 {
		if err := s.expect(','); err != nil {
			return Row{}, err
		}
	}
	return r.row()
}

// finish makes sure that nothing follows the array.
func (r *Rows) finish() error {
	_, err := r.scan.token()
	if err == nil {
		return r.scan.wrong("more than one value")
	}
	if err == io.EOF {
		r.scan = nil
	}
	return err
}

// row reads one object. Of a field that is there twice the last one counts.
func (r *Rows) row() (Row, error) {
	s := r.scan
	if err := s.expect('{'); err != nil {
		return Row{}, err
	}
	r.kept = r.kept[:0]
	var user, content, title, status, completed field
	for first := true; ; first = false {
		b, err := s.token()
		if err != nil {
			return Row{}, err
		}
		if b == '}' && first {
			s.pos++
			break
		}
		if err := s.key(&r.name); err != nil {
			return Row{}, err
		}
		var into *field
		switch string(r.name) {
		case "userUuid":
			into = &user
		case "contentUuid":
			into = &content
		case "contentTitle":
			into = &title
		case "status":
			into = &status
		case "completedDate":
			into = &completed
		}
		from := len(r.kept)
		if r.kept, err = s.value(r.kept, into != nil, 0); err != nil {
			return Row{}, err
		}
		if into != nil {
			*into = field{from, len(r.kept)}
		}
		more, err := s.separator('}')
		if err != nil {
			return Row{}, err
		}
		if !more {
			break
		}
	}
	all := string(r.kept) // one allocation for all five
	return Row{UserID: user.of(all), ContentID: content.of(all), ContentTitle: title.of(all), Status: status.of(all), CompletedDate: completed.of(all)}, nil
}
