package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"baton"
)

// The types below read what is sent in place of what was promised. They never fail
// on well-formed JSON: what cannot be read counts as not said.

// text is a string, also when it was sent as a number or boolean.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		if inner := b[1 : len(b)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
			*t = text(inner) // as nearly all are
			return nil
		}
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
	case 'n', '{', '[':
		*t = ""
	default:
		*t = text(b)
	}
	return nil
}

// texts is a list of strings; elements that are none are left out.
type texts []string

func (l *texts) UnmarshalJSON(b []byte) error {
	*l = nil
	var all []text
	if b[0] != '[' {
		return nil
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for _, t := range all {
		if t != "" {
			*l = append(*l, string(t))
		}
	}
	return nil
}

// flag is a boolean, also as "true"; nil when it is neither.
type flag struct{ said *bool }

func (f *flag) UnmarshalJSON(b []byte) error {
	f.said = nil
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	value := strings.EqualFold(string(t), "true")
	if value || strings.EqualFold(string(t), "false") {
		f.said = &value
	}
	return nil
}

// object is a nested object; anything else is ignored.
type object[T any] struct{ v T }

func (o *object[T]) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		return nil
	}
	return json.Unmarshal(b, &o.v)
}

// objects is a list of objects; anything else is ignored.
type objects[T any] []object[T]

func (l *objects[T]) UnmarshalJSON(b []byte) error {
	if b[0] != '[' {
		return nil
	}
	return json.Unmarshal(b, (*[]object[T])(l))
}

// decodeRows reads the rows of a list. Anything but an array of objects, however
// successful its status, is an error: an empty list is one that says so.
func decodeRows[T any](body []byte, rows *[]object[T]) error {
	var raw []json.RawMessage
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '[' || json.Unmarshal(body, &raw) != nil {
		return baton.Errorf(baton.Incomplete, "the answer is not a list")
	}
	*rows = make([]object[T], len(raw))
	for i, b := range raw {
		if b[0] != '{' || json.Unmarshal(b, &(*rows)[i].v) != nil {
			return baton.Errorf(baton.Incomplete, "row %d of the list is not an object", i+1)
		}
	}
	return nil
}

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
