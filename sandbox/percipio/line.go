package percipio

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// columns returns the attributes of a row, the organisation's custom attributes last.
func columns() []string {
	return append([]string{"userUuid", "userId", "firstName", "lastName", "emailAddress", "userStatus",
		"contentUuid", "contentId", "contentTitle", "contentType", "languageCode", "status", "firstAccess", "lastAccess", "completedDate",
		"totalAccesses", "durationHms", "estimatedDurationHms", "firstScore", "lastScore", "highScore", "audience"}, attributeColumns()...)
}

// attributeColumns returns the custom attributes in the form of rows: in camel case, in the order of
// attributeNames.
func attributeColumns() []string {
	return []string{"businessUnit", "geo", "countryName", "costCenterCode", "departmentCode", "departmentName", "division",
		"employeeClass", "employeeId", "jobFunction", "directManagerName", "managerEmail"}
}

// style holds the form in which rows are written.
type style struct {
	lower, oddDates, nulls bool
}

// line writes rows, one at a time, into one buffer.
type line struct {
	style
	keys  [][]byte // `"name":`
	cells []byte   // the concatenated values of the row
	ends  []int
	kinds []cell

	words words
}

// cell is the type of a value.
type cell uint8

const (
	absent cell = iota
	null
	text
)

func newLine(s style) *line {
	l := &line{style: s, words: attributeWords()}
	for _, name := range columns() {
		l.keys = append(l.keys, []byte(`"`+name+`":`))
	}
	return l
}

func (l *line) end(k cell) {
	l.ends = append(l.ends, len(l.cells))
	l.kinds = append(l.kinds, k)
}

// value appends a text, or a missing value if it is empty.
func (l *line) value(s string) {
	l.cells = append(l.cells, s...)
	k := text
	if s == "" {
		k = l.nothing()
	}
	l.end(k)
}

func (l *line) nothing() cell {
	if l.nulls {
		return null
	}
	return absent
}

func (l *line) number(n uint64) {
	l.cells = strconv.AppendUint(l.cells, n, 10)
	l.end(text)
}

func (l *line) clock(seconds uint64) {
	for i, n := range []uint64{seconds / 3600, seconds / 60 % 60, seconds % 60} {
		if i > 0 {
			l.cells = append(l.cells, ':')
		}
		l.cells = append(l.cells, byte('0'+n/10%10), byte('0'+n%10))
	}
	l.end(text)
}

// timeFormat is the format of times in the API.
const timeFormat = "2006-01-02T15:04:05.000Z"

func (l *line) date(seconds int64, noise uint64) {
	switch {
	case l.oddDates:
		odd, isNull := oddDate(noise)
		l.cells = append(l.cells, odd...)
		if isNull {
			l.end(null)
			return
		}
	case seconds == 0:
		l.end(l.nothing())
		return
	default:
		l.cells = time.Unix(seconds, 0).UTC().AppendFormat(l.cells, timeFormat)
	}
	l.end(text)
}

// oddDate returns a date that cannot be parsed, or null.
func oddDate(noise uint64) (odd string, isNull bool) {
	all := []string{"", "null", "31/02/2024 25:61", "0000-00-00", "yesterday"}
	odd = all[noise%uint64(len(all))]
	if odd == "null" {
		return "", true
	}
	return odd, false
}

func (l *line) id(own string, o override) {
	switch {
	case o.gone:
		l.end(absent)
	case o.on:
		l.cells = append(l.cells, o.value...)
		l.end(text)
	default:
		l.value(own)
	}
}

// fill sets the row, in the order of columns.
func (l *line) fill(r *row) {
	l.cells, l.ends, l.kinds = l.cells[:0], l.ends[:0], l.kinds[:0]
	u, c, noise := r.user, r.item, r.noise
	l.id(u.id, r.userID)
	l.value(u.externalID)
	l.value(u.firstName)
	l.value(u.lastName)
	l.value(u.email)
	l.value(statusOf(u))
	l.id(c.id, r.itemID)
	l.value(c.code)
	l.value(c.title)
	l.value(c.kind.row)
	l.value(c.locale)
	l.status(r.status)
	l.date(r.first, noise)
	l.date(r.last, noise>>3)
	l.date(r.done, noise>>6)
	l.number(1 + noise>>9%20)
	l.clock(noise >> 13 % 9000)
	l.clock(600 + c.noise%6600)
	if c.kind.name == "ASSESSMENT" || r.done != 0 && noise>>20%3 == 0 {
		low, high := 40+noise>>24%30, 70+noise>>28%31
		l.number(low)
		l.number(high)
		l.number(high)
	} else {
		l.value("")
		l.value("")
		l.value("")
	}
	l.value("All Learners, Everybody in the Headquarters Campaign, Newcomers of the Year, Mandatory Training for Regulated Roles (Annual, Second Half), Everybody with a Company Device, Volunteers of the Mentoring Programme")
	for i := range l.words {
		l.value(l.words.of(u, i))
	}
}

func statusOf(u *user) string {
	if u.inactive {
		return "Inactive"
	}
	return "Active"
}

func (l *line) status(s string) {
	start := len(l.cells)
	l.cells = append(l.cells, s...)
	if l.lower {
		copy(l.cells[start:], bytes.ToLower(l.cells[start:]))
	}
	l.end(text)
}

// appendJSON appends the row as an object.
func (l *line) appendJSON(b []byte) []byte {
	b = append(b, '{')
	start, first := 0, true
	for i, end := range l.ends {
		value := l.cells[start:end]
		start = end
		if l.kinds[i] == absent {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, l.keys[i]...)
		if l.kinds[i] == null {
			b = append(b, "null"...)
			continue
		}
		b = appendQuoted(b, value)
	}
	return append(b, '}')
}

func appendQuoted(b, value []byte) []byte {
	for _, c := range value {
		if c < ' ' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(string(value))
			if err != nil {
				panic(err) // a string
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, value...)
	return append(b, '"')
}

// appendSeparated appends the row as a line of separated values (RFC 4180).
func (l *line) appendSeparated(b []byte, separator byte) []byte {
	start := 0
	for i, end := range l.ends {
		if i > 0 {
			b = append(b, separator)
		}
		b = appendField(b, l.cells[start:end], separator)
		start = end
	}
	return append(b, '\r', '\n')
}

func appendField(b, value []byte, separator byte) []byte {
	if bytes.IndexByte(value, separator) < 0 && !bytes.ContainsAny(value, "\"\r\n") {
		return append(b, value...)
	}
	b = append(b, '"')
	b = append(b, bytes.ReplaceAll(value, []byte(`"`), []byte(`""`))...)
	return append(b, '"')
}

// header appends the line of names.
func (l *line) header(b []byte, separator byte) []byte {
	for i, name := range columns() {
		if i > 0 {
			b = append(b, separator)
		}
		b = append(b, name...)
	}
	return append(b, '\r', '\n')
}
