package evidence

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"

	"baton"
)

// The columns of the CSV members: paths of fields of the JSON lines. They are part of the format.
var (
	sourceColumns     = columns("app app_name connector connector_name sync number began received sha256 file counts.resources counts.accounts counts.entitlements counts.facts counts.dangling counts.missing problem items excluded")
	leftOutColumns    = columns("app name connector why by at")
	itemColumns       = columns("item kind app shown.app account shown.account shown.login shown.account_id shown.kind shown.disabled entitlement shown.entitlement shown.entitlement_id shown.resource object person shown.person_name shown.department shown.person_status shown.role admin shown.state shown.since shown.until shown.reasons shown.indirect shown.immutable shown.mastered_by shown.requirement shown.incompatible shown.last sync hash erased")
	assignmentColumns = columns("item reviewer why by.kind by.id at ended ended_why")
	submissionColumns = columns("id reviewer at login client counts digest event")
	decisionColumns   = columns("item reviewer for choice until at seconds batch eligible note shown sync submission submitted note_sha256")
	unansweredColumns = columns("item choice result")
	resultColumns     = columns("item choice until by unanswered settled sampled gone result operation detail")
	operationColumns  = columns("id item verb state created dispatched finished answer came_back sync began sha256")
	personColumns     = columns("id name email status roles merged_into")
)

func columns(names string) []string { return strings.Fields(names) }

// byteOrderMark makes spreadsheets read a file as UTF-8.
const byteOrderMark = "\ufeff"

// maxLine limits a line of a member.
const maxLine = 1 << 20

// lines calls fn for each line of r, without its line feed. The bytes are valid until fn returns.
func lines(r io.Reader, fn func(number int, line []byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 1<<16), maxLine)
	ended := false
	s.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1, data[:i], nil
		}
		if atEOF && len(data) > 0 {
			ended = true
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	n := 0
	for s.Scan() {
		n++
		if ended {
			return baton.Errorf(baton.Corrupt, "line %d has no end", n)
		}
		if err := fn(n, s.Bytes()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return baton.Errorf(baton.Corrupt, "line %d: %w", n+1, err)
	}
	return nil
}

// writeCSV writes lines of JSON as CSV. A text that a spreadsheet would take for a formula gets an
// apostrophe.
func writeCSV(w io.Writer, r io.Reader, columns []string) error {
	if _, err := io.WriteString(w, byteOrderMark); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	paths := make([][]string, len(columns))
	for i, c := range columns {
		paths[i] = strings.Split(c, ".")
	}
	record := make([]string, len(columns))
	err := lines(r, func(n int, line []byte) error {
		var row map[string]json.RawMessage
		if err := json.Unmarshal(line, &row); err != nil {
			return baton.Errorf(baton.Corrupt, "line %d: %w", n, err)
		}
		inner := map[string]map[string]json.RawMessage{}
		for i, path := range paths {
			value := row[path[0]]
			if len(path) == 2 {
				fields, ok := inner[path[0]]
				if !ok {
					_ = json.Unmarshal(value, &fields) // another value has no fields
					inner[path[0]] = fields
				}
				value = fields[path[1]]
			}
			record[i] = cell(value)
		}
		return out.Write(record)
	})
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}

// cell returns a value of JSON as a cell.
func cell(value json.RawMessage) string {
	var s string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return string(value)
	}
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
