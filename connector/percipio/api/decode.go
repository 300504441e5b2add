package api

import (
	"strings"
	"time"

	"baton"
	"baton/internal/jsonscan"
)

// These functions read values of any JSON type. They do not fail on well-formed JSON: a value
// that cannot be read counts as missing. The names of fields are compared in lower case.

// isObject reports whether the next value is an object. It skips any other value.
func isObject(s *jsonscan.Scanner) bool { return is(s, '{') }

// isList reports whether the next value is a list. It skips any other value.
func isList(s *jsonscan.Scanner) bool { return is(s, '[') }

func is(s *jsonscan.Scanner, kind byte) bool {
	if s.Kind() != kind {
		s.Skip()
		return false
	}
	return true
}

// text reads a string, a number or a boolean as a string.
func text(s *jsonscan.Scanner) string { return s.Keep(s.Text()) }

// texts reads a list of strings and skips other elements.
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

// flag reads a boolean, or a string such as "true". It returns nil for anything else.
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

// readRows calls row for each row of a list. row must read it. Anything but an array of objects is an error,
// even in a 2xx response: only an empty array is an empty list.
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

// Date returns a date of the API in RFC 3339 and UTC, or "" if it is not a date. The API sends dates with and
// without a zone, and sometimes an empty string.
func Date(s string) string {
	s = strings.TrimSpace(s)
	if isUsual(s) {
		if len(s) == len("2026-01-17T13:37:03Z") {
			return s
		}
		return s[:len("2026-01-17T13:37:03")] + "Z"
	}
	return parseDate(s)
}

func parseDate(s string) string {
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

// isUsual reports whether a date has the usual form, 2026-01-17T13:37:03.000Z or without a
// fraction, so that it need not be parsed.
func isUsual(s string) bool {
	const pattern = "0000-00-00T00:00:00"
	if len(s) <= len(pattern) || s[len(s)-1] != 'Z' {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] == '0' && !isDigit(s[i]) || pattern[i] != '0' && s[i] != pattern[i] {
			return false
		}
	}
	fraction := s[len(pattern) : len(s)-1]
	for i := range len(fraction) {
		if i == 0 && (fraction[i] != '.' || len(fraction) == 1) || i > 0 && !isDigit(fraction[i]) {
			return false
		}
	}
	month, day, hour := s[5:7], s[8:10], s[11:13]
	return s[:4] != "0000" && "01" <= month && month <= "12" && "01" <= day && (day <= "28" || day <= "30" && month != "02") && hour <= "23" && s[14] <= '5' && s[17] <= '5'
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }
