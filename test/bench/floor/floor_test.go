package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"baton/sandbox/percipio"
	"baton/sandbox/perplexity"
)

// TestModesAgree runs all modes against both sandboxes. The modes that decode find the same numbers, which
// are those of the sandbox.
func TestModesAgree(t *testing.T) {
	learning := percipio.New(percipio.Options{Users: 1200, Courses: 30, Rows: 3000})
	directory := perplexity.New(perplexity.Options{Users: 250, Groups: 7, MembersMin: 5, MembersMax: 60, Faults: []string{"page-cap=100"}})
	members := 0
	for _, g := range directory.State().Groups {
		members += len(g.Members)
	}
	for _, tt := range []struct {
		name string
		args []string
		want Kept
		url  string
	}{
		{"percipio", []string{"-upstream", "percipio", "-token", learning.Token(), "-organization", learning.OrganizationID()}, Kept{1200, 30, 3000}, serve(t, learning)},
		{"scim", []string{"-upstream", "scim", "-token", directory.Token()}, Kept{250, 7, members}, serve(t, directory) + directory.URLPath()},
	} {
		for _, mode := range []string{"decode", "fast", "discard"} {
			t.Run(tt.name+" "+mode, func(t *testing.T) {
				var out bytes.Buffer
				if err := run(append(tt.args, "-url", tt.url, "-mode", mode), &out); err != nil {
					t.Fatal(err)
				}
				var got Kept
				if err := json.Unmarshal(out.Bytes(), &got); err != nil {
					t.Fatal(err)
				}
				if mode != "discard" && got != tt.want {
					t.Errorf("kept %+v, want %+v", got, tt.want)
				}
			})
		}
	}
	if percipioRequests(learning.Requests()) != percipioRequests(map[string]int{"GET /users": 6, "GET /catalog-content": 3, "POST /report-requests/learning-activity": 3, "GET /report-requests/{id}": 3}) {
		t.Errorf("the modes asked %v", learning.Requests())
	}
}

func percipioRequests(m map[string]int) string { return fmt.Sprint(m) }

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// TestScannerIsStrict compares the scanner with encoding/json, with the text split into single bytes.
func TestScannerIsStrict(t *testing.T) {
	for _, text := range jsonTexts() {
		checkScanner(t, text)
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range jsonTexts() {
		f.Add(text)
	}
	f.Fuzz(checkScanner)
}

func jsonTexts() []string {
	return []string{
		`[{"userUuid":"u","contentUuid":"c","status":"Completed"},{"x":[1,-2.5e3,true,null,{"a":{}}],"userUuid":"ü\u00fc\ud83d\ude00\n"}]`,
		`[]`, `[ ]`, `[]]`, "[{}\t,\n{}]", `[{},]`, `[,{}]`, `[{} {}]`, `[{"userUuid":"a"`, `[{"userUuid":}]`, `[{"x":01}]`, `[{"x":tru}]`, `[{"x":"` + "\x01" + `"}]`,
		`[{"x":"\q"}]`, `[{"x":"\u12"}]`, `[{"x":1 2}]`, `{"x":[]}`, `[{"x" "y"}]`, `[{x:1}]`, `[{"x":Infinity}]`, `[{"x":1_0}]`, `[{"x":0x1}]`,
	}
}

func checkScanner(t *testing.T, text string) {
	var want []struct{ UserUUID string }
	err := json.Unmarshal([]byte(text), &want)
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text))} {
		found := newPairs()
		if got := reportRows(r, found); err == nil && got != nil && !strings.Contains(text, `\u`) {
			t.Errorf("%s, %s: %v", text, name, got)
		} else if got == nil && json.NewDecoder(strings.NewReader(text)).Decode(new(json.RawMessage)) != nil { // text after the list is not read
			t.Errorf("%s, %s: it is taken for JSON", text, name)
		}
	}
}
