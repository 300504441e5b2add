package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/internal/jsonscan"
)

// rowsOf scans a body to its end.
func rowsOf(src io.Reader) ([]Row, error) {
	r := scanning(src)
	var rows []Row
	for {
		row, err := r.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
}

func scanning(src io.Reader) *Rows {
	s := jsonscan.New(src)
	s.Array()
	return newRows(s, io.NopCloser(nil))
}

// decodeJSON reads the body with encoding/json.
func decodeJSON(body []byte) ([]Row, bool) {
	var raw []map[string]json.RawMessage
	var elements []json.RawMessage
	if json.Unmarshal(body, &elements) != nil || json.Unmarshal(body, &raw) != nil || elements == nil {
		return nil, false
	}
	var rows []Row
	for i, fields := range raw {
		if elements[i][0] != '{' {
			return nil, false
		}
		var r Row
		for key, into := range map[string]*string{"userUuid": &r.UserID, "contentUuid": &r.ContentID,
			"contentTitle": &r.ContentTitle, "status": &r.Status, "completedDate": &r.CompletedDate} {
			switch b := fields[key]; {
			case len(b) == 0 || b[0] == 'n' || b[0] == '{' || b[0] == '[':
			case b[0] == '"':
				json.Unmarshal(b, into)
			default:
				*into = string(b)
			}
		}
		rows = append(rows, r)
	}
	return rows, true
}

var bodies = []string{
	`[]`, ` [ ] `, `[{}]`, `[{},{}]`, `[{"userUuid":"u","contentUuid":"c","status":"Started"}]`,
	`[{"userUuid":"u","userUuid":"v","status":null,"status":1.5e-3}]`,
	`[{"status":"a\u00e9\ud83d\ude00\ud83dx\udc00\"\\\/\b\f\n\r\t"}]`,
	`[{"\u0075serUuid":"escaped key","x":{"userUuid":"nested"},"y":[[{"a":[]}],1,true,null]}]`,
	`[{"status":true,"completedDate":false,"contentTitle":{"a":1},"userUuid":["u"]}]`,
	"[{\"status\":\"\xff\xe4\xbe\",\"contentTitle\":\"\xe4\xbe\x8b\"}]",
	"[{\"status\":\"line\nbreak\"}]", `[{"a":01}]`, `[{"a":1.}]`, `[{"a":-}]`, `[{"a":+1}]`, `[{"a":.5}]`, `[{"a":1e}]`, `[{"a":-0.0E+10}]`,
	`[{"a":tru}]`, `[{"a":nul1}]`, `[{"a" 1}]`, `[{"a":1,}]`, `[{},]`, `[,{}]`, `[{}{}]`, `[{}] x`, `[{}][]`, `[null]`, `[1]`, `["a"]`, `{}`, ``, `[`, `[{"a`, `[{"a":"b`,
	`[{"a":[1,]}]`, `[{"a":{"b":1,}}]`, `[{"a":[}]`, `[{"a":"\x"}]`, `[{"a":"\u12g4"}]`, `[{'a':1}]`, `[{a:1}]`, `[{"a":[1 2]}]`, "[{\"a\":\"\\ud83d\\n\"}]", "\u00a0[]",
}

func FuzzRows(f *testing.F) {
	for _, body := range bodies {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > maxText {
			return // encoding/json does not have this limit
		}
		want, valid := decodeJSON(body)
		for name, src := range map[string]io.Reader{"whole": bytes.NewReader(body), "bytewise": iotest.OneByteReader(bytes.NewReader(body)), "with its end": iotest.DataErrReader(bytes.NewReader(body))} {
			got, err := rowsOf(src)
			if encoding := (*jsonscan.EncodingError)(nil); errors.As(err, &encoding) {
				if utf8.Valid(body) && !bytes.Contains(body, []byte(`\u`)) {
					t.Fatalf("%s: %v", name, err)
				}
				continue // encoding/json replaces invalid Unicode
			}
			if valid != (err == nil) {
				t.Fatalf("%s: encoding/json takes it: %v, the scanner says %v", name, valid, err)
			}
			if valid && !cmp.Equal(want, got) {
				t.Fatalf("%s: %s", name, cmp.Diff(want, got))
			}
		}
	})
}

// TestCutAnywhere: wherever a body is cut, the error says that it breaks off, and the rows before the cut are
// those of the whole body.
func TestCutAnywhere(t *testing.T) {
	body := `[{"userUuid":"u1","contentUuid":"c\u00e9","status":"Started","n":-1.5e3,"x":[{"y":null}]} , {"userUuid":"u2","z":true}, {"status":12}]`
	whole, err := rowsOf(strings.NewReader(body))
	if err != nil || len(whole) != 3 {
		t.Fatalf("%v, %v", whole, err)
	}
	for n := range body {
		got, err := rowsOf(strings.NewReader(body[:n]))
		if n > 0 && baton.KindOf(err) != baton.Unavailable {
			t.Errorf("cut at %d: %v, want Unavailable", n, err)
		}
		if len(got) > 0 && !cmp.Equal(got, whole[:len(got)]) {
			t.Errorf("cut at %d: %v", n, got)
		}
	}
	torn := errors.New("torn")
	if _, err := rowsOf(io.MultiReader(strings.NewReader(body), iotest.ErrReader(torn))); !errors.Is(err, torn) {
		t.Errorf("an error behind the last row: %v", err)
	}
}

// maxText is the longest text that a used field may have.
const maxText = 1 << 20

func TestLimits(t *testing.T) {
	deep := `[{"a":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}]`
	long := `[{"status":"` + strings.Repeat("x", maxText+1) + `"}]`
	digits := `[{"status":` + strings.Repeat("1", maxText+1) + `}]`
	for _, body := range []string{deep, long, digits} {
		if _, err := rowsOf(strings.NewReader(body)); baton.KindOf(err) != baton.Incomplete {
			t.Errorf("%.30s…: %v, want Incomplete", body, err)
		}
	}
	skipped := `[{"ignored":"` + strings.Repeat("x", 2*maxText) + `"}]`
	if rows, err := rowsOf(strings.NewReader(skipped)); err != nil || len(rows) != 1 {
		t.Errorf("a long text that nobody wants: %v", err)
	}
}

// reportOf returns a body of n rows of the usual size without holding it in memory.
func reportOf(n int) io.Reader {
	row := `{"audience":"` + strings.Repeat("All Users; ", 30) + `","businessUnit":"Technology","contentTitle":"Go","contentUuid":"00000000-0000-0000-0000-000000000000",` +
		`"duration":"1","emailAddress":"first.last@example.com","status":"Started","userUuid":"00000000-0000-0000-0000-000000000001",` +
		`"custom":"` + strings.Repeat("x", 600) + `"}`
	return &repeat{n: n, row: row, left: strings.NewReader("[")}
}

type repeat struct {
	n    int
	row  string
	left io.Reader
}

func (r *repeat) Read(p []byte) (int, error) {
	n, err := r.left.Read(p)
	if err != io.EOF || r.n < 0 {
		return n, err
	}
	r.n--
	switch {
	case r.n > 0:
		r.left = strings.NewReader(r.row + ",")
	case r.n == 0:
		r.left = strings.NewReader(r.row + "]")
	}
	return n, nil
}

func BenchmarkRows(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(1200)
	r := scanning(reportOf(b.N))
	for range b.N {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRowsAllocateLittle: the texts of many rows share a block of memory.
func TestRowsAllocateLittle(t *testing.T) {
	body, _ := io.ReadAll(reportOf(2000))
	r := scanning(bytes.NewReader(body))
	if allocs := testing.AllocsPerRun(1000, func() {
		if row, err := r.Next(); err != nil || row.Status != "Started" {
			t.Fatal(row, err)
		}
	}); allocs > 0 { // on average, rounded down
		t.Errorf("%v allocations for a row", allocs)
	}
}

// TestUsualDates compares the fast path for dates in the usual form with parseDate.
func TestUsualDates(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	usual := 0
	for range 200_000 {
		date := []byte("2026-01-17T13:37:03.000Z")
		if r.IntN(3) == 0 {
			date = []byte("2024-02-29T23:59:59Z")
		}
		for range r.IntN(4) {
			i := r.IntN(len(date))
			date[i] = "0123456789012359.,:-TZ z+"[r.IntN(25)]
			if r.IntN(20) == 0 {
				date = append(date[:i], date[i+1:]...)
			}
		}
		if isUsual(string(date)) {
			usual++
		}
		if got, want := Date(string(date)), parseDate(strings.TrimSpace(string(date))); got != want {
			t.Fatalf("%q is %q, parsed it is %q", date, got, want)
		}
	}
	if usual < 40_000 {
		t.Errorf("only %d were usual", usual)
	}
}
