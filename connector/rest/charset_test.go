package rest_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"baton"
	"baton/connector/rest"
	"baton/internal/jsonscan"
)

// wide encodes text as UTF-16.
func wide(order binary.AppendByteOrder, text string) (b []byte) {
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// names decodes the text of a response of the form ["…"].
func names(t *testing.T, resp func(*http.Request) (*http.Response, error)) (string, error) {
	t.Helper()
	c := client(t, rest.Config{BaseURL: "https://scim.example.com", RetryFor: -1, Transport: transport(resp)})
	var got []string
	err := c.Decode(t.Context(), rest.Request{Path: "/x"}, ids(&got))
	return strings.Join(got, "|"), err
}

// TestCharsets: a response is read in the charset that it declares, or the error names the charset. The
// result never contains U+FFFD.
func TestCharsets(t *testing.T) {
	for name, tt := range map[string]struct {
		contentType, body string
		want              string
		text              string // of the error
	}{
		"undeclared UTF-8":           {"application/json", `["Jörg"]`, "Jörg", ""},
		"no content type":            {"", `["Jörg"]`, "Jörg", ""},
		"declared UTF-8":             {`application/json; charset="UTF-8"`, `["Jörg"]`, "Jörg", ""},
		"utf8":                       {"application/json;charset=utf8", `["Jörg"]`, "Jörg", ""},
		"undeclared ISO-8859-1":      {"application/json", "[\"J\xf6rg\"]", "", "the byte 0xF6 at byte 3 of the answer; no charset is declared"},
		"ISO-8859-1 called UTF-8":    {"application/json; charset=utf-8", "[\"J\xf6rg\"]", "", `the byte 0xF6 at byte 3 of the answer; the declared charset is "utf-8"`},
		"half a surrogate pair":      {"application/json", `["J\ud83d"]`, "", "half of a surrogate pair"},
		"ISO-8859-1":                 {"application/scim+json; charset=ISO-8859-1", "[\"J\xf6rg\",\"\xc0 \xff\"]", "Jörg|À ÿ", ""},
		"ISO-8859-1, its first text": {"application/json; charset=iso-8859-1", "[\"\xd6\"]", "Ö", ""},
		"latin1, odd case":           {"application/json; CHARSET='Latin1'", "[\"J\xf6rg\"]", "Jörg", ""},
		"after another parameter":    {`application/json; profile="x"; charset = iso_8859-1:1987`, "[\"J\xf6rg\"]", "Jörg", ""},
		"without a semicolon":        {"application/json, charset=ISO-8859-1", "[\"J\xf6rg\"]", "Jörg", ""},
		"windows-1252":               {"application/json; charset=Windows-1252", "[\"O\x92Brien \x80 \x9f\xf6\"]", "O’Brien € Ÿö", ""},
		"ISO-8859-1 of Windows":      {"application/json; charset=ISO-8859-1", "[\"O\x92Brien\"]", "O’Brien", ""},
		"a hole in windows-1252":     {"application/json; charset=windows-1252", "[\"J\x81rg\"]", "", `the charset "windows-1252" but contains the byte 0x81`},
		"ISO-8859-15":                {"application/json; charset=ISO-8859-15", "[\"\xa4 \xa6\xb8 \xf6\"]", "€ Šž ö", ""},
		"ASCII":                      {"application/json; charset=US-ASCII", `["Joerg"]`, "Joerg", ""},
		"ISO-8859-1 called ASCII":    {"application/json; charset=us-ascii", "[\"J\xf6rg\"]", "", `the charset "us-ascii" but contains the byte 0xF6`},
		"UTF-8 called ISO-8859-1":    {"application/json; charset=ISO-8859-1", `["Jörg"]`, "Jörg", ""},
		"UTF-8 called ASCII":         {"application/json; charset=ascii", `["José 日本"]`, "José 日本", ""},
		"both under one label":       {"application/json; charset=ISO-8859-1", "[\"Jörg\",\"J\xf6rg\"]", "", `not Unicode: the byte 0xF6`},
		"Cyrillic":                   {"application/json; charset=windows-1251", "[\"\xc8\xe2\xe0\xed\"]", "", `"windows-1251", which is not supported`},
		"Cyrillic, all ASCII":        {"application/json; charset=windows-1251", `["Ivan"]`, "Ivan", ""},
		"Chinese that looks UTF-8":   {"application/json; charset=GBK", "[\"\xc1\xaa\xcd\xa8\"]", "", `"GBK", which is not supported`},
		"not ASCII-compatible":       {"application/json; charset=utf-7", `["+AOQ-"]`, "", `"utf-7", which is not supported`},
		"unknown":                    {"application/json; charset=klingon", "[\"J\xf6rg\"]", "", `"klingon", which is not supported`},
		"two":                        {"application/json; charset=utf-8; charset=ISO-8859-1", "[\"J\xf6rg\"]", "", `"utf-8 and ISO-8859-1", which is not supported`},
		"twice the same":             {"application/json; charset=utf-8; charset=UTF8", `["Jörg"]`, "Jörg", ""},
		"mark of UTF-8":              {"application/json", "\xef\xbb\xbf[\"J\xc3\xb6rg\"]", "Jörg", ""},
		"a mark against the label":   {"application/json; charset=ISO-8859-1", "\xef\xbb\xbf[\"J\xc3\xb6rg\"]", "Jörg", ""},
		"UTF-16":                     {"application/json; charset=UTF-16", string(wide(binary.BigEndian, "\ufeff[\"Jörg 😀\"]")), "Jörg 😀", ""},
		"UTF-16, the other order":    {"application/json; charset=utf-16", string(wide(binary.LittleEndian, "\ufeff[\"Jörg 😀\"]")), "Jörg 😀", ""},
		"UTF-16LE, no mark":          {"application/json; charset=utf-16le", string(wide(binary.LittleEndian, "[\"Jörg\"]")), "Jörg", ""},
		"UTF-16BE, no mark":          {"application/json; charset=UTF-16BE", string(wide(binary.BigEndian, "[\"Jörg\"]")), "Jörg", ""},
		"UTF-16, undeclared":         {"application/json", string(wide(binary.LittleEndian, "[\"Jörg\"]")), "Jörg", ""},
		"UTF-16, called UTF-8":       {"application/json; charset=utf-8", string(wide(binary.LittleEndian, "\ufeff[\"Jörg\"]")), "Jörg", ""},
		"UTF-8 called UTF-16":        {"application/json; charset=utf-16", `["Jörg"]`, "Jörg", ""},
		"half a pair in UTF-16":      {"application/json", string(wide(binary.LittleEndian, "[\"")) + "\x3d\xd8" + string(wide(binary.LittleEndian, "\"]")), "", "half of a surrogate pair"},
		"UTF-32":                     {"application/json", "\xff\xfe\x00\x00[\x00\x00\x00]\x00\x00\x00", "", `"UTF-32", which is not supported`},
		"UTF-32, declared":           {"application/json; charset=utf-32", "[]", "", `"utf-32", which is not supported`},
	} {
		t.Run(name, func(t *testing.T) {
			for pieces, split := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "bytewise": iotest.OneByteReader, "with its end": iotest.DataErrReader,
			} {
				got, err := names(t, func(r *http.Request) (*http.Response, error) {
					body := io.NopCloser(split(strings.NewReader(tt.body)))
					return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {tt.contentType}}, Body: body, Request: r}, nil
				})
				if tt.text != "" {
					wantError(t, err, baton.Invalid, tt.text, "UTF-8")
				} else if err != nil || got != tt.want {
					t.Errorf("%s: %q, %v; want %q", pieces, got, err, tt.want)
				}
			}
		})
	}
}

// TestCharsetsOfLongTexts: decoding does not depend on how a body is split into reads.
func TestCharsetsOfLongTexts(t *testing.T) {
	for _, text := range []string{strings.Repeat("é", 9000), strings.Repeat("ab ü", 5000), "a" + strings.Repeat("日本", 3000), strings.Repeat("😀x", 4000)} {
		single := true
		for _, r := range text {
			single = single && r < 0x100
		}
		bodies := map[string]string{
			"ISO-8859-1": `["` + text + `"]`, // UTF-8 under the wrong label
			"UTF-16":     string(wide(binary.BigEndian, `["`+text+`"]`)),
		}
		if single {
			bodies["windows-1252"] = `["` + string(latin1(text)) + `"]`
		}
		for label, body := range bodies {
			got, err := names(t, answer(200, body, "Content-Type", "application/json; charset="+label))
			if err != nil || got != text {
				t.Errorf("%s: %d bytes of %d, %v", label, len(got), len(text), err)
			}
		}
	}
}

func latin1(text string) (b []byte) {
	for _, r := range text {
		b = append(b, byte(r))
	}
	return b
}

// TestErrorsInOtherCharsets: error responses are decoded from their charset, too.
func TestErrorsInOtherCharsets(t *testing.T) {
	err := once(t, 400, "{\"detail\":\"ung\xfcltig\"}", "Content-Type", "application/json; charset=ISO-8859-1")
	wantError(t, err, baton.Invalid, "400 Bad Request: ungültig", "")
}

// TestContentEncodings: an unsupported encoding is an error that names it.
func TestContentEncodings(t *testing.T) {
	const body = `["Jörg"]`
	packed := func(body []byte, pack func(io.Writer) io.WriteCloser) []byte {
		var b bytes.Buffer
		z := pack(&b)
		z.Write(body)
		z.Close()
		return b.Bytes()
	}
	zip := func(body []byte) []byte {
		return packed(body, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	}
	deflate := packed([]byte(body), func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	raw := packed([]byte(body), func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 9); return z })
	for name, tt := range map[string]struct {
		encoding string
		body     []byte
		text     string // of the error; read if empty
	}{
		"none":                   {"", []byte(body), ""},
		"identity":               {"identity", []byte(body), ""},
		"gzip":                   {"gzip", zip([]byte(body)), ""},
		"GZIP":                   {"GZIP", zip([]byte(body)), ""},
		"x-gzip":                 {"x-gzip", zip([]byte(body)), ""},
		"identity, gzip":         {"identity, gzip", zip([]byte(body)), ""},
		"br":                     {"br", []byte("\x8b\x03\x80[]\x03"), `encoded as "br"`},
		"zstd":                   {"zstd", []byte("\x28\xb5\x2f\xfd\x04\x00"), `encoded as "zstd"`},
		"deflate":                {"deflate", deflate, `encoded as "deflate"`},
		"deflate without a head": {"Deflate", raw, `encoded as "Deflate"`},
		"gzip, br":               {"gzip, br", []byte("x"), `encoded as "gzip, br"`},
		"twice, announced":       {"gzip, gzip", zip(zip([]byte(body))), `encoded as "gzip, gzip"`},
		"twice, announced once":  {"gzip", zip(zip([]byte(body))), "compressed with gzip, inside the gzip that its headers announce"},
		"gzip, not announced":    {"", zip([]byte(body)), "compressed with gzip, and its headers do not say so"},
		"zstd, not announced":    {"", []byte("\x28\xb5\x2f\xfd\x04\x00"), "compressed with zstd"},
		"zlib, not announced":    {"", deflate, "compressed with deflate"},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			c := serve(t, rest.Config{}, func(w http.ResponseWriter, r *http.Request) {
				requests++
				if tt.encoding != "" {
					w.Header().Set("Content-Encoding", tt.encoding)
				}
				w.Header().Set("Content-Type", "application/json")
				w.Write(tt.body)
			})
			var got []string
			errs := map[string]error{"Decode": c.Decode(t.Context(), rest.Request{Path: "/x"}, ids(&got))}
			resp, err := c.Do(t.Context(), rest.Request{Path: "/x"})
			errs["Do"] = err
			s, err := c.Stream(t.Context(), rest.Request{Path: "/x"})
			if errs["Stream"] = err; err == nil {
				whole, err := io.ReadAll(s)
				if s.Close(); err != nil || string(whole) != body {
					t.Errorf("Stream: %q, %v", whole, err)
				}
			}
			for how, err := range errs {
				if tt.text != "" {
					wantError(t, err, baton.Invalid, tt.text, "Content-Encoding")
				} else if err != nil {
					t.Errorf("%s: %v", how, err)
				}
			}
			if tt.text == "" && (len(got) != 1 || got[0] != "Jörg" || string(resp.Body) != body) || requests != 3 {
				t.Errorf("%q after %d requests", got, requests)
			}
		})
	}
	t.Run("nothing to encode", func(t *testing.T) {
		c := serve(t, rest.Config{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.WriteHeader(http.StatusNoContent)
		})
		if _, err := c.Do(t.Context(), rest.Request{Method: "PATCH", Path: "/x"}); err != nil {
			t.Error(err)
		}
	})
}

// FuzzCharset: whatever a server declares and sends, the result is valid Unicode or an error.
func FuzzCharset(f *testing.F) {
	for _, label := range []string{"", "utf-8", "ISO-8859-1", "us-ascii", "utf-16", "koi8-r", "utf-7", "a; charset=b"} {
		for _, body := range []string{`["a"]`, "[\"J\xf6rg\"]", `["Jörg"]`, string(wide(binary.LittleEndian, "\ufeff[\"Jörg 😀\"]")), "\x00[", "\x1f\x8b", "\xff\xfe\x3d\xd8"} {
			f.Add(label, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, label string, body []byte) {
		c, err := rest.New(rest.Config{BaseURL: "https://up.example", RetryFor: -1, Transport: transport(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json; charset=" + label}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		own := bytes.Contains(body, []byte("\ufffd")) || bytes.Contains(bytes.ToLower(body), []byte("fffd")) || bytes.Contains(body, []byte("\xff\xfd")) || bytes.Contains(body, []byte("\xfd\xff"))
		err = c.Decode(t.Context(), rest.Request{Path: "/x"}, func(_ http.Header, s *jsonscan.Scanner) error {
			if s.Empty() || s.Kind() != '[' {
				s.Skip()
				return nil
			}
			for s.Array(); s.Element(); {
				if text := s.Text(); !utf8.Valid(text) || !own && bytes.Contains(text, []byte("\ufffd")) {
					t.Errorf("%q", text)
				}
			}
			return nil
		})
		if err != nil && baton.KindOf(err) == baton.Internal {
			t.Error(err)
		}
	})
}
