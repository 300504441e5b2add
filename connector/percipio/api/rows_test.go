package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"baton"
)

// rowsOf scans a body to its end.
func rowsOf(src io.Reader) ([]Row, error) {
	s := newScanner(src)
	if err := s.expect('['); err != nil {
		return nil, err
	}
	r := &Rows{scan: s, closer: io.NopCloser(nil)}
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

// byTheBook is what encoding/json makes of the body.
func byTheBook(body []byte) ([]Row, bool) {
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
		if len(body) > maxKept || bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > maxDepth {
			return // limits of ours that encoding/json does not have
		}
		want, valid := byTheBook(body)
		for name, src := range map[string]io.Reader{"whole": bytes.NewReader(body), "bytewise": iotest.OneByteReader(bytes.NewReader(body)), "with its end": iotest.DataErrReader(bytes.NewReader(body))} {
			got, err := rowsOf(src)
			if valid != (err == nil) {
				t.Fatalf("%s: encoding/json takes it: %v, the scanner says %v", name, valid, err)
			}
			if valid && !cmp.Equal(want, got) {
				t.Fatalf("%s: %s", name, cmp.Diff(want, got))
			}
		}
	})
}

// TestCutAnywhere: a body that ends early is one that breaks off, wherever it does,
// and the rows before are those of the whole body.
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

func TestLimits(t *testing.T) {
	deep := `[{"a":` + strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1) + `}]`
	long := `[{"status":"` + strings.Repeat("x", maxKept+1) + `"}]`
	digits := `[{"status":` + strings.Repeat("1", maxKept+1) + `}]`
	for _, body := range []string{deep, long, digits} {
		if _, err := rowsOf(strings.NewReader(body)); baton.KindOf(err) != baton.Incomplete {
			t.Errorf("%.30s…: %v, want Incomplete", body, err)
		}
	}
	skipped := `[{"ignored":"` + strings.Repeat("x", 10*maxKept) + `"}]`
	if rows, err := rowsOf(strings.NewReader(skipped)); err != nil || len(rows) != 1 {
		t.Errorf("a long text that nobody wants: %v", err)
	}
}

// reportOf makes a body of n rows of the usual size without holding it.
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
	s := newScanner(reportOf(b.N))
	s.expect('[')
	r := &Rows{scan: s, closer: io.NopCloser(nil)}
	for range b.N {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestScanningKeepsNothing: what the scanner holds does not grow with the rows.
func TestScanningKeepsNothing(t *testing.T) {
	s := newScanner(reportOf(20_000))
	s.expect('[')
	r := &Rows{scan: s, closer: io.NopCloser(nil)}
	n := 0
	for {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 20_000 || len(s.buf) > 64<<10 || cap(r.kept) > 4<<10 || cap(r.name) > 4<<10 {
		t.Errorf("%d rows; holding %d, %d and %d bytes", n, len(s.buf), cap(r.kept), cap(r.name))
	}
	if allocs := testing.AllocsPerRun(1000, func() { rowAllocs(t) }); allocs > 4 {
		t.Errorf("%v allocations for a row", allocs)
	}
}

// rowAllocs reads one row from a scanner that is there already.
func rowAllocs(t *testing.T) {
	t.Helper()
	s := scanner{src: eof{}, buf: oneRow, end: len(oneRow)}
	r := Rows{scan: &s, closer: eof{}, kept: keptRoom[:0], name: nameRoom[:0]}
	if row, err := r.Next(); err != nil || row.Status != "Started" {
		t.Fatal(row, err)
	}
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
func (eof) Close() error             { return nil }

var (
	oneRow   = []byte(`{"userUuid":"u","contentUuid":"c","status":"Started","x":{"y":[1,2,{"z":"long enough to be worth something"}]}}]`)
	keptRoom = make([]byte, 0, 1<<10)
	nameRoom = make([]byte, 0, 1<<10)
)
