package api

import (
	"strings"
	"time"

	"baton"
	"baton/jsonscan"
)

// What is below reads what is sent in place of what was promised. It never fails on
// well-formed JSON: what cannot be read counts as not said. The names of fields are
// compared in lower case.

// object calls field for every field of an object; it must read the value. Anything but
// an object is skipped.
func object(s *jsonscan.Scanner, field func(name []byte)) {
	if s.Kind() != '{' {
		s.Skip()
		return
	}
	for s.Object(); s.Field(); {
		field(s.Lower())
	}
}

// text is a string, also when it was sent as a number or boolean.
func text(s *jsonscan.Scanner) string { return string(s.Text()) }

// texts is a list of strings; elements that are none are left out.
func texts(s *jsonscan.Scanner) (all []string) {
	elements(s, func() {
		if t := text(s); t != "" {
			all = append(all, t)
		}
	})
	return all
}

// elements calls each for every element of a list. Anything else is skipped.
func elements(s *jsonscan.Scanner, each func()) (is bool) {
	if s.Kind() != '[' {
		s.Skip()
		return false
	}
	for s.Array(); s.Element(); {
		each()
	}
	return true
}

// flag is a boolean, also as "true"; nil when it is neither.
func flag(s *jsonscan.Scanner) *bool {
	t := s.Text()
	value := strings.EqualFold(string(t), "true")
	if value || strings.EqualFold(string(t), "false") {
		return &value
	}
	return nil
}

// readRows calls row for each row of a list, which must read it. Anything but an array of
// objects, however successful its status, is an error: an empty list is one that says so.
func readRows(s *jsonscan.Scanner, row func()) error {
	if s.Empty() {
		return errNoList()
	}
	if s.Kind() != '[' {
		s.Skip()
		return errNoList()
	}
	n := 0
	for s.Array(); s.Element(); {
		if n++; s.Kind() != '{' {
			s.Skip()
			return baton.Errorf(baton.Incomplete, "row %d of the list is not an object", n)
		}
		row()
	}
	return nil
}

func errNoList() error { return baton.Errorf(baton.Incomplete, "the answer is not a list") }

// Date is a moment as the API writes it, in RFC 3339 and UTC, or empty when it is no
// date: dates come with and without a zone, and now and then as an empty text.
func Date(s string) string {
	s = strings.TrimSpace(s)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		at, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if at = at.UTC(); at.Year() > 0 && at.Year() <= 9999 {
			return at.Format(time.RFC3339)
		}
	}
	return ""
}
