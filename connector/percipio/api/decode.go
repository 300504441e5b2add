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

// isObject reports whether an object comes next. Anything else is skipped.
func isObject(s *jsonscan.Scanner) bool { return is(s, '{') }

// isList reports whether a list comes next. Anything else is skipped.
func isList(s *jsonscan.Scanner) bool { return is(s, '[') }

func is(s *jsonscan.Scanner, kind byte) bool {
	if s.Kind() != kind {
		s.Skip()
		return false
	}
	return true
}

// text is a string, also when it was sent as a number or boolean.
func text(s *jsonscan.Scanner) string { return s.Keep(s.Text()) }

// texts is a list of strings; elements that are none are left out.
func texts(s *jsonscan.Scanner) (all []string) {
	if !isList(s) {
		return nil
	}
	for s.Array(); s.Element(); {
		if t := text(s); t != "" {
			all = append(all, t)
		}
	}
	return all
}

var yes, no = true, false

// flag is a boolean, also as "true"; nil when it is neither.
func flag(s *jsonscan.Scanner) *bool {
	t := string(s.Text())
	switch {
	case strings.EqualFold(t, "true"):
		return &yes
	case strings.EqualFold(t, "false"):
		return &no
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
