package field

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf16"
)

// encodedAs sends the answers of a server in another charset, with or without a content type that declares
// it.
func encodedAs(encode func(string) []byte, contentType string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			for name, values := range rec.Header() {
				w.Header()[name] = values
			}
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(rec.Code)
			w.Write(encode(rec.Body.String()))
		})
	}
}

func latin1(text string) (b []byte) {
	for _, r := range text {
		b = append(b, byte(r))
	}
	return b
}

func utf16le(text string) (b []byte) {
	for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// halfPair replaces each umlaut by half of a surrogate pair.
func halfPair(text string) []byte { return []byte(strings.ReplaceAll(text, "ö", `\ud83d`)) }

func asIs(text string) []byte { return []byte(text) }

// charsetCases holds answers in other charsets, with the error for those that cannot be read.
var charsetCases = map[string]struct {
	encode      func(string) []byte
	contentType string
	says        string
}{
	"ISO-8859-1":              {latin1, "application/json; charset=ISO-8859-1", ""},
	"quoted, odd case":        {latin1, `application/scim+json;Charset="iso-8859-1"`, ""},
	"windows-1252":            {latin1, "application/json; charset=windows-1252", ""},
	"UTF-16":                  {utf16le, "application/json; charset=utf-16", ""},
	"UTF-8, labelled wrongly": {asIs, "application/json;charset=ISO-8859-1", ""},
	"byte order mark":         {func(s string) []byte { return []byte("\ufeff" + s) }, "application/json", ""},
	"undeclared":              {latin1, "application/json", "not Unicode"},
	"UTF-8 declared":          {latin1, "application/json; charset=utf-8", "not Unicode"},
	"us-ascii declared":       {latin1, "application/json; charset=us-ascii", "us-ascii"},
	"not known here":          {latin1, "application/json; charset=ibm850", "ibm850"},
	"half a pair":             {halfPair, "application/json", "surrogate pair"},
}

// TestCharsetSCIM: names of a SCIM server that does not send UTF-8 are read correctly, or the sync fails.
func TestCharsetSCIM(t *testing.T) {
	for name, tt := range charsetCases {
		t.Run(name, func(t *testing.T) {
			m := acme()
			m.people[1].userName = "jörg@acme.example"
			p := perplexity(t, serveUpstream(t, m, encodedAs(tt.encode, tt.contentType)).scimURL())
			got := p.run(t)
			if tt.says != "" {
				p.refuses(t, got, tt.says)
				return
			}
			if got.code != 0 {
				t.Fatalf("exit code %d\n%s", got.code, got.stderr)
			}
			u := p.resources(t, "user")["u2"]
			if u.DisplayName != "jörg@acme.example" || u.User == nil || u.User.Login != u.DisplayName || u.User.Emails[0].Address != u.DisplayName || strings.Contains(fmt.Sprint(u.Profile), "\ufffd") {
				t.Errorf("%q, %+v, %v", u.DisplayName, u.User, u.Profile)
			}
		})
	}
}

// TestCharsetPercipio tests the same for the lists and the report of Percipio.
func TestCharsetPercipio(t *testing.T) {
	for name, tt := range charsetCases {
		t.Run(name, func(t *testing.T) {
			a := newAcademy()
			p := percipio(t, serveUpstream(t, a, encodedAs(tt.encode, tt.contentType)).URL)
			got := p.run(t)
			if tt.says != "" {
				p.refuses(t, got, tt.says)
				return
			}
			if got.code != 0 {
				t.Fatalf("exit code %d\n%s", got.code, got.stderr)
			}
			if u := p.resources(t, "user")[learnerID]; u.DisplayName != "Jörg Müller" {
				t.Errorf("%q", u.DisplayName)
			}
		})
	}
}

// TestCharsetReport: only rows of the report are in another charset.
func TestCharsetReport(t *testing.T) {
	for name, tt := range map[string]struct{ contentType, says string }{
		"declared":   {"application/json; charset=ISO-8859-1", ""},
		"undeclared": {"application/json", "not Unicode"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAcademy()
			a.rows = strings.ReplaceAll(a.rows, "Safety", "Übung")
			p := percipio(t, serveUpstream(t, a, func(next http.Handler) http.Handler {
				other := encodedAs(latin1, tt.contentType)(next)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, "/report-requests/r") {
						other.ServeHTTP(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			}).URL)
			got := p.run(t)
			if tt.says != "" {
				p.refuses(t, got, tt.says, "read the report")
				if a.reports != 1 {
					t.Errorf("%d reports were requested", a.reports)
				}
			} else if got.code != 0 {
				t.Errorf("exit code %d\n%s", got.code, got.stderr)
			}
		})
	}
}

// TestContentEncoding: an answer in an unrequested encoding is an error that names it.
func TestContentEncoding(t *testing.T) {
	for name, tt := range map[string]struct {
		encoding string
		body     []byte
		says     string
	}{
		"br":                  {"br", []byte("\x0b\x02\x80{}\x03"), "br"},
		"deflate":             {"deflate", []byte("x\x9c\xab\xae\x05\x00\x01\x75\x00\xf9"), "deflate"},
		"zstd":                {"zstd", []byte("\x28\xb5\x2f\xfd\x04\x00\x11\x00\x00{}"), "zstd"},
		"gzip, not announced": {"", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tt.encoding != "" {
					w.Header().Set("Content-Encoding", tt.encoding)
				}
				w.Header().Set("Content-Type", "application/json")
				bytes.NewReader(tt.body).WriteTo(w)
			})
			p := perplexity(t, serveUpstream(t, answer).scimURL())
			p.refuses(t, p.run(t), tt.says)
			q := percipio(t, serveUpstream(t, answer).URL)
			q.refuses(t, q.run(t), tt.says)
		})
	}
}
