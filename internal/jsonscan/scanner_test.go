package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// written writes the next value in a canonical form: every text and field name in quotes, in the order of the
// source.
func written(s *Scanner, out *strings.Builder) {
	switch s.Kind() {
	case '{':
		out.WriteByte('{')
		for s.Object(); s.Field(); {
			fmt.Fprintf(out, "%q:", s.Name())
			written(s, out)
		}
		out.WriteByte('}')
	case '[':
		out.WriteByte('[')
		for s.Array(); s.Element(); {
			written(s, out)
			out.WriteByte(',')
		}
		out.WriteByte(']')
	default:
		if text := s.Text(); text != nil {
			fmt.Fprintf(out, "%q", text)
		} else {
			out.WriteString("null")
		}
	}
}

// decodeJSON returns the same form from encoding/json, or false if the body is not JSON.
func decodeJSON(body []byte) (string, bool) {
	if !json.Valid(body) {
		return "", false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var out strings.Builder
	var value func()
	value = func() {
		token, err := d.Token()
		if err != nil {
			panic(err)
		}
		switch token := token.(type) {
		case json.Delim:
			out.WriteString(token.String())
			for d.More() {
				if token == '{' {
					name, _ := d.Token()
					fmt.Fprintf(&out, "%q:", name)
					value()
					continue
				}
				value()
				out.WriteByte(',')
			}
			closing, _ := d.Token()
			out.WriteString(closing.(json.Delim).String())
		case nil:
			out.WriteString("null")
		case string:
			fmt.Fprintf(&out, "%q", token)
		default:
			fmt.Fprintf(&out, "%q", fmt.Sprint(token))
		}
	}
	value()
	return out.String(), true
}

// sources returns readers that split a body in different ways.
func sources(body []byte) map[string]io.Reader {
	return map[string]io.Reader{
		"whole":        bytes.NewReader(body),
		"bytewise":     iotest.OneByteReader(bytes.NewReader(body)),
		"by halves":    iotest.HalfReader(bytes.NewReader(body)),
		"with its end": iotest.DataErrReader(bytes.NewReader(body)),
	}
}

// small makes the buffer so small that every value crosses its end.
func small(s *Scanner) *Scanner {
	s.buf = make([]byte, 1)
	return s
}

var bodies = []string{
	`{}`, `[]`, ` [ ] `, `null`, `true`, ` false `, `0`, `-0.0E+10`, `12`, `1e5`, `"a"`, `""`, ``, ` `,
	`{"a":1,"b":[1,2,{"c":null}],"d":{"e":{"f":[]}},"g":"h"}`, `{ "a" : 1 , "b" : [ 1 , 2 ] }`,
	`{"\u0061":1,"\ud83d\ude00\ud83dx\udc00":"a\u00e9\ud83d\ude00\ud83dx\udc00\"\\\/\b\f\n\r\t"}`,
	"[\"\xff\xe4\xbe\",\"\xe4\xbe\x8b\",\"long enough for eight bytes \xff\"]", "[\"line\nbreak\"]", "[\"\\ud83d\\n\"]", "{\"\xff\":1}",
	`[01]`, `[1.]`, `[-]`, `[+1]`, `[.5]`, `[1e]`, `[1e+]`, `[tru]`, `[nul1]`, `{"a" 1}`, `{"a":1,}`, `[1,]`, `[,1]`, `[1 2]`, `{} x`, `[][]`, `[`, `{"a`, `{"a":"b`,
	`{"a":[}]}`, `["\x"]`, `["\u12g4"]`, `{'a':1}`, `{a:1}`, `{"a":1 "b":2}`, "\u00a0[]", "\x00", "[\x00]", `]`, `}`, `,`, `:`, `[1}`, `{"a":1]`, `{1:2}`, `{"a"}`,
	`["0123456","01234567","012345678","0123456\"","01234567\\","0123456789abcde"]`, strings.Repeat("[", 99) + strings.Repeat("]", 99),
}

// replaced reports whether encoding/json put U+FFFD into want, the values of body. It may return false if
// body itself has that character.
func replaced(body []byte, want string) bool {
	own := bytes.Contains(body, []byte("\ufffd")) || bytes.Contains(bytes.ToLower(body), []byte("\\ufffd"))
	return strings.Contains(want, "\ufffd") && !own
}

// FuzzValues: any input is accepted or rejected as by encoding/json, with the same values, except that a text
// that is not valid Unicode is an error. Skipping gives the same verdict.
func FuzzValues(f *testing.F) {
	for _, body := range bodies {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > maxText {
			return // this package has a limit
		}
		want, valid := decodeJSON(body)
		for name, src := range sources(body) {
			for _, s := range []*Scanner{New(src), small(New(bytes.NewReader(body)))} {
				var out strings.Builder
				written(s, &out)
				err := s.End()
				if encoding := (*EncodingError)(nil); errors.As(err, &encoding) {
					if valid && !strings.Contains(want, "\ufffd") {
						t.Fatalf("%s: encoding/json reads %s, the scanner says %v", name, want, err)
					}
					continue
				}
				if valid != (err == nil) {
					t.Fatalf("%s: encoding/json takes it: %v, the scanner says %v", name, valid, err)
				}
				if valid && (out.String() != want || replaced(body, want)) {
					t.Fatalf("%s: got %s, want %s", name, out.String(), want)
				}
			}
		}
		for name, src := range sources(body) {
			s := New(src)
			s.Skip()
			if err := s.End(); valid != (err == nil) {
				t.Fatalf("%s, skipped: encoding/json takes it: %v, the scanner says %v", name, valid, err)
			}
			s.Free()
		}
	})
}

// chosen writes the next value, with only the fields a and id of objects. names holds the Names of each
// depth, or nil to read all fields and omit the others.
func chosen(s *Scanner, names []*Names, depth int, out *strings.Builder) {
	field := func(name string) {
		fmt.Fprintf(out, "%q:", name)
		chosen(s, names, depth+1, out)
	}
	switch s.Kind() {
	case '{':
		out.WriteByte('{')
		if s.Object(); names == nil || depth >= len(names) {
			for s.Field() {
				if name := string(s.Lower()); name == "a" || name == "id" {
					field(name)
				} else {
					s.Skip()
				}
			}
		} else {
			for s.Known(names[depth]) {
				field([]string{"a", "id"}[names[depth].Field])
			}
		}
		out.WriteByte('}')
	case '[':
		out.WriteByte('[')
		for s.Array(); s.Element(); {
			chosen(s, names, depth+1, out)
			out.WriteByte(',')
		}
		out.WriteByte(']')
	default:
		fmt.Fprintf(out, "%q", s.Text())
	}
}

var rowsOf = []string{
	`[{"id":1,"b":"x","a":"y"},{"id":2,"b":"x","a":"y"}]`, `[{"id":1},{"a":2,"id":1},{},{"id":1,"id":2,"a":3,"a":4}]`,
	"[ { \"id\" : 1 ,\n \"B\" : [ ] , \"A\" : { } } , { \"id\" : 1 ,\n \"B\" : [ ] , \"A\" : { } } ]",
	`[{"\u0069d":1,"x":"a\"b"},{"\u0069d":1,"x":"a\"b"},{"id":1,"x":"a\\"}]`, `[{"x":12},{"x":012},{"x":1}]`, `[{"x":1.5e3,"id":0},{"x":-1,"id":0},{"x":1.5e3,"id":1}]`,
	`[{"x":true,"y":false,"z":null},{"x":true,"y":false,"z":null},{"x":nulL}]`, `[{"":1,"a":2},{"":1,"a":2}]`, `[{"id":1,"a":2},{"id":1,"a":2}`, `[{"id":1},{"id"`,
	`[{"id":1 "a":2}]`, `[{"id":1},{"id":1,}]`, `[{"id":1},{,"id":1}]`, `[{"x":"y"},{"x":"y"x}]`, "[{\"x\":\"y\"},{\"x\":\"y\n\"}]", "[{\"x\":\"\xff\",\"a\":\"\xff\"},{\"x\":\"\xff\",\"a\":\"\xff\"}]",
	`[{"x":{"a":{"id":[1,{"a":2}]}},"id":3},{"x":{"a":{"id":[1,{"a":2}]}},"id":3}]`, `[{"` + strings.Repeat("x", 200) + `":1,"a":2},{"` + strings.Repeat("x", 200) + `":1,"a":2}]`,
}

// FuzzKnown: Known reads the same as Field, whatever was read before.
func FuzzKnown(f *testing.F) {
	for _, body := range slices.Concat(rowsOf, bodies) {
		f.Add([]byte(body), []byte(rowsOf[0]))
	}
	f.Fuzz(func(t *testing.T, body, before []byte) {
		if len(body) > maxText || len(before) > maxText {
			return
		}
		read := func(s *Scanner, names []*Names) (string, error) {
			var out strings.Builder
			chosen(s, names, 0, &out)
			return out.String(), s.End()
		}
		want, failed := read(New(bytes.NewReader(body)), nil)
		names := make([]*Names, 8)
		for i := range names {
			names[i] = NewFolded([]string{"a", "id"})
		}
		read(New(bytes.NewReader(before)), names)
		for range 2 {
			for name, src := range sources(body) {
				for _, s := range []*Scanner{New(src), small(New(bytes.NewReader(body)))} {
					got, err := read(s, names)
					if (err == nil) != (failed == nil) || err == nil && got != want {
						t.Fatalf("%s: got %s, %v; want %s, %v", name, got, err, want, failed)
					}
				}
			}
		}
	})
}

// TestKnownForgetsNothingNeeded: names beyond the number that is remembered are still read.
func TestKnownForgetsNothingNeeded(t *testing.T) {
	var row strings.Builder
	for i := range 3 * maxOrder {
		fmt.Fprintf(&row, `"field %d":%d,`, i, i)
	}
	body := "[{" + row.String() + `"id":"last"},{"id":"first",` + row.String() + `"x":1}]`
	names := NewNames([]string{"id"})
	var got []string
	s := New(strings.NewReader(body))
	for s.Array(); s.Element(); {
		for s.Object(); s.Known(names); {
			got = append(got, s.Keep(s.Text()))
		}
	}
	if s.End() != nil || !slices.Equal(got, []string{"last", "first"}) || len(names.order) != maxOrder {
		t.Errorf("got %q, %v; %d names are remembered", got, s.Err(), len(names.order))
	}
}

// TestKeep: strings do not change when later ones are read.
func TestKeep(t *testing.T) {
	s := New(strings.NewReader(""))
	var want, got []string
	for i := range 10_000 {
		text := strings.Repeat(fmt.Sprint(i), i%97)
		if i%1000 == 0 {
			text = strings.Repeat("long", blockSize)
		}
		want, got = append(want, text), append(got, s.Keep([]byte(text)))
	}
	if !slices.Equal(got, want) {
		t.Error("a string has changed")
	}
}

// TestCutAnywhere: a source that ends early gives io.ErrUnexpectedEOF and not a syntax error.
func TestCutAnywhere(t *testing.T) {
	body := `{"a":[-1.5e3,"c\u00e9\ud83d\ude00 and more of it",{"y":null}] , "b":true , "n":{"z":[[],{}]}}`
	for n := range body {
		for name, src := range sources([]byte(body[:n])) {
			s := New(src)
			written(s, new(strings.Builder))
			if s.End() != io.ErrUnexpectedEOF {
				t.Errorf("%s, cut at %d: %v", name, n, s.Err())
			}
			s = small(New(strings.NewReader(body[:n])))
			if s.Skip(); s.Err() != io.ErrUnexpectedEOF {
				t.Errorf("%s, cut at %d, skipped: %v", name, n, s.Err())
			}
		}
		torn := errors.New("torn")
		s := New(io.MultiReader(strings.NewReader(body[:n]), iotest.ErrReader(torn)))
		if s.Skip(); s.Err() != torn {
			t.Errorf("torn at %d: %v", n, s.Err())
		}
	}
}

func TestEnd(t *testing.T) {
	s := New(strings.NewReader(" \n "))
	if !s.Empty() || s.Err() != nil {
		t.Errorf("white space is not empty: %v", s.Err())
	}
	s = New(strings.NewReader(`{} {}`))
	s.Skip()
	var syntax *SyntaxError
	if err := s.End(); !errors.As(err, &syntax) || syntax.Offset != 3 || err.Error() != "more than one value at byte 3 of the answer" {
		t.Errorf("two values: %v", err)
	}
	s = New(iotest.ErrReader(io.ErrClosedPipe))
	if s.Empty() || s.Err() != io.ErrClosedPipe {
		t.Errorf("a source that fails: %v", s.Err())
	}
}

// TestLimits: values have a size limit when read but not when skipped, and nesting has the limit of
// encoding/json.
func TestLimits(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for name, tc := range map[string]struct {
		body string
		skip bool
		what string
	}{
		"long text":             {`["` + long + `"]`, false, "a text that is too long"},
		"long text, escaped":    {`["\n` + long + `"]`, false, "a text that is too long"},
		"long number":           {"[" + strings.Repeat("1", maxText+1) + "]", false, "too long"},
		"long name":             {`{"` + long + `":1}`, false, "a text that is too long"},
		"long text, skipped":    {`["` + long + `"]`, true, ""},
		"long text at the edge": {`["` + long[1:] + `"]`, false, ""},
		"deep":                  {strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth), true, ""},
		"too deep":              {strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), true, "nested too deeply"},
		"deep, read":            {strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth), false, ""},
		"too deep, read":        {strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), false, "nested too deeply"},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(strings.NewReader(tc.body))
			if tc.skip {
				s.Skip()
			} else {
				written(s, new(strings.Builder))
			}
			if err := s.End(); (err == nil) != (tc.what == "") || err != nil && !strings.Contains(err.Error(), tc.what) {
				t.Errorf("got %v, want %q", err, tc.what)
			}
			if tc.skip && len(s.buf) > bufferSize {
				t.Errorf("skipping holds %d bytes", len(s.buf))
			}
			if json.Valid([]byte(tc.body)) == strings.Contains(tc.what, "deeply") {
				t.Error("encoding/json has another limit")
			}
		})
	}
}

// TestLower: names fold as in encoding/json.
func TestLower(t *testing.T) {
	for name, want := range map[string]string{
		"userName": "username", "id": "id", "USERNAME": "username", "\u017f\u212a": "sk", "\u00c4B": "\u00c4b", "\u0130D": "\u0130d",
	} {
		quoted := `{"` + name + `" : 1}`
		s := New(strings.NewReader(quoted))
		if s.Object(); !s.Field() || string(s.Lower()) != want {
			t.Errorf("%q becomes %q, %v", name, s.Lower(), s.Err())
		}
	}
}

// TestNotUnicode: reading a text that is not valid Unicode is an error with its position, and never yields
// U+FFFD.
func TestNotUnicode(t *testing.T) {
	for name, tc := range map[string]struct {
		body, what string
		offset     int64
	}{
		"a byte of ISO-8859-1":        {"[\"J\xf6rg\"]", "the byte 0xF6", 3},
		"a byte after UTF-8":          {"[\"\u00fc, J\xf6rg\"]", "the byte 0xF6", 7},
		"the start of a character":    {"[\"\xe4\xbe\"]", "the byte 0xE4", 2},
		"half a pair, encoded":        {"[\"\xed\xa0\xbd\"]", "the byte 0xED", 2},
		"a byte after an escape":      {"[\"a\\nJ\xf6rg\"]", "the byte 0xF6", -1},
		"the first half":              {`["\ud83d"]`, "half of a surrogate pair", -1},
		"the first half, then text":   {`["\ud83dx"]`, "half of a surrogate pair", -1},
		"the first half, then escape": {`["\ud83d\n"]`, "half of a surrogate pair", -1},
		"the first half twice":        {`["\ud83d\ud83d\ude00"]`, "half of a surrogate pair", -1},
		"the second half":             {`["x\ude00"]`, "half of a surrogate pair", -1},
		"a name of a field":           {"{\"n\xe4me\":1}", "the byte 0xE4", 3},
	} {
		for piece, src := range sources([]byte(tc.body)) {
			s := New(src)
			written(s, new(strings.Builder))
			var encoding *EncodingError
			if err := s.End(); !errors.As(err, &encoding) || encoding.Problem != tc.what || tc.offset >= 0 && encoding.Offset != tc.offset {
				t.Errorf("%s, %s: got %v, want %s at %d", name, piece, err, tc.what, tc.offset)
			}
			s = small(New(strings.NewReader(tc.body)))
			if s.Skip(); s.End() != nil {
				t.Errorf("%s, skipped: %v", name, s.Err())
			}
		}
	}
	for _, body := range []string{`["\ud83d\ude00"]`, "[\"\U0001f600 \ufffd\"]", `["\ufffd"]`} {
		s := New(strings.NewReader(body))
		if written(s, new(strings.Builder)); s.End() != nil {
			t.Errorf("%s: %v", body, s.Err())
		}
	}
	where := &EncodingError{Problem: "the byte 0xF6", Offset: 3, Where: "user u1"}
	if want := "a text of user u1 is not Unicode: the byte 0xF6 at byte 3 of the answer"; where.Error() != want {
		t.Errorf("got %q, want %q", where, want)
	}
}

// TestNothingIsAllocated: reading allocates no memory.
func TestNothingIsAllocated(t *testing.T) {
	body := []byte(`[{"id":"u1","n":12,"x":{"y":[1,2,{"z":"long enough to be worth something"}]},"b":true}]`)
	src := bytes.NewReader(body)
	names := NewNames([]string{"id", "b"})
	for name, row := range map[string]func(*Scanner){
		"by name": func(s *Scanner) {
			for s.Field() {
				switch string(s.Lower()) {
				case "id", "n", "b":
					s.Text()
				default:
					s.Skip()
				}
			}
		},
		"as expected": func(s *Scanner) {
			for s.Known(names) {
				s.Text()
			}
		},
	} {
		allocs := testing.AllocsPerRun(1000, func() {
			src.Reset(body)
			s := New(src)
			for s.Array(); s.Element(); {
				s.Object()
				row(s)
			}
			if s.End() != nil {
				t.Fatal(s.Err())
			}
			s.Free()
		})
		if allocs > 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
