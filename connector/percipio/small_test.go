package percipio_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"baton"
	"baton/c1z/c1ztest"
	"baton/connector/connectortest"
	"baton/connector/percipio"
	"baton/connector/rest"
)

// small is an upstream with one page per list, for responses that the sandbox cannot produce.
type small struct{ users, items, rows string }

func (s small) connect(t *testing.T, edit ...func(*percipio.Config)) *baton.Connector {
	t.Helper()
	users := s.users
	for i := range 5 {
		if s.users == "" {
			users += fmt.Sprintf(`,{"id":"u%d"}`, i+1)
		}
	}
	items := cmp.Or(s.items, `{"id":"c1","contentType":{"percipioType":"COURSE"},"lifecycle":{"status":"ACTIVE"}}`)
	mux := http.NewServeMux()
	answer := func(pattern, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var rows []json.RawMessage
			if offset, err := strconv.Atoi(r.URL.Query().Get("offset")); err == nil && json.Unmarshal([]byte(body), &rows) == nil {
				json.NewEncoder(w).Encode(rows[min(offset, len(rows)):])
				return
			}
			io.WriteString(w, body)
		})
	}
	const base = "/organizations/{org}/"
	answer("GET /user-management/v1"+base+"users", "["+strings.TrimPrefix(users, ",")+"]")
	answer("GET /content-discovery/v2"+base+"catalog-content", "["+items+"]")
	answer("POST /reporting/v1"+base+"report-requests/learning-activity", `{"id":"r1","status":"PENDING"}`)
	answer("GET /reporting/v1"+base+"report-requests/r1", "["+s.rows+"]")
	client, err := rest.New(rest.Config{BaseURL: "http://localhost", Transport: connectortest.Serve(t, mux)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := percipio.Config{REST: client, OrganizationID: "o"}
	for _, e := range edit {
		e(&cfg)
	}
	return percipio.New(cfg)
}

func resources(t *testing.T, path, kind string) []baton.Resource {
	t.Helper()
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return rows.ResourcesOf(kind)
}

// sink is a page that keeps the grants, or just counts them.
type sink struct {
	grants []string
	n      int
	keep   bool
}

func (s *sink) Seen(baton.ResourceID) bool    { return false }
func (s *sink) Resource(baton.Resource)       {}
func (s *sink) Entitlement(baton.Entitlement) {}
func (s *sink) Exclude(string, string)        {}
func (s *sink) Void()                         { s.n, s.grants = 0, nil }
func (s *sink) Expect(int)                    {}
func (s *sink) Grant(g baton.Grant) {
	s.n++
	if s.keep {
		s.grants = append(s.grants, g.ID.String())
	}
}

// read reads the report feed to its end and calls each after every page.
func (s *sink) read(t *testing.T, c *baton.Connector, each func()) {
	t.Helper()
	at := baton.Cursor("")
	for {
		step, err := c.Feeds[0].Next(t.Context(), at, s)
		if err != nil || step.Restart {
			t.Fatal(errors.Join(err, errors.New("the report was not read")))
		}
		each()
		if at = step.Cursor; step.Done {
			return
		}
		if len(at) > 500 {
			t.Fatalf("a cursor of %d bytes", len(at))
		}
	}
}

func grantsOf(t *testing.T, c *baton.Connector) []string {
	t.Helper()
	s := &sink{keep: true}
	s.read(t, c, func() {})
	return s.grants
}
