package field

import (
	"baton/c1z/c1ztest"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"baton"
)

// upstream is an HTTP server that counts requests. Tests put the behaviour of real servers and proxies in
// front of its handler.
type upstream struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

// serveUpstream starts a server whose handler is inner behind the layers, the first one outermost.
func serveUpstream(t *testing.T, inner http.Handler, layers ...func(http.Handler) http.Handler) *upstream {
	t.Helper()
	for _, layer := range slices.Backward(layers) {
		inner = layer(inner)
	}
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.requests = append(u.requests, r)
		u.mu.Unlock()
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(u.Close)
	t.Cleanup(u.CloseClientConnections)
	return u
}

// seen returns the requests so far.
func (u *upstream) seen() []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.requests)
}

// academy is a Percipio API without faults. Tests replace the defaults by JSON.
type academy struct {
	users, courses, rows string
	status               func(poll int) string // status of the report; "" means rows; nil means rows at once
	mu                   sync.Mutex
	polls, reports       int
}

const (
	courseID  = "0ab1c2d3-1111-4222-8333-444455556666"
	otherID   = "1ab1c2d3-1111-4222-8333-444455556666"
	learnerID = "9ab1c2d3-1111-4222-8333-444455556666"
)

func newAcademy() *academy {
	return &academy{
		users:   `[{"id":"` + learnerID + `","loginName":"joerg","email":"joerg@acme.example","firstName":"Jörg","lastName":"Müller","isActive":true}]`,
		courses: "[" + course(courseID, "Safety", "ACTIVE") + "]",
		rows:    `[{"userUuid":"` + learnerID + `","contentUuid":"` + courseID + `","contentTitle":"Safety","status":"Completed","completedDate":"2026-01-17T13:37:03.000Z"}]`,
	}
}

// course returns an item of the catalogue.
func course(id, title, status string) string {
	return fmt.Sprintf(`{"id":%q,"code":"c-%s","contentType":{"percipioType":"COURSE"},"lifecycle":{"status":%q},"localizedMetadata":[{"localeCode":"en-US","title":%q}]}`, id, id[:4], status, title)
}

func (a *academy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	list := func(body string) {
		var rows []json.RawMessage
		json.Unmarshal([]byte(body), &rows)
		w.Header().Set("X-Total-Count", strconv.Itoa(len(rows)))
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		rows = rows[min(offset, len(rows)):]
		if limit, err := strconv.Atoi(r.URL.Query().Get("max")); err == nil {
			rows = rows[:min(limit, len(rows))]
		}
		b, _ := json.Marshal(append([]json.RawMessage{}, rows...))
		w.Write(b)
	}
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/users"):
		list(a.users)
	case strings.HasSuffix(path, "/catalog-content"):
		list(a.courses)
	case strings.HasSuffix(path, "/search-content"):
		var items, found []json.RawMessage
		json.Unmarshal([]byte(a.courses), &items)
		for _, it := range items {
			if strings.Contains(strings.ToLower(string(it)), strings.ToLower(r.URL.Query().Get("q"))) {
				found = append(found, it)
			}
		}
		b, _ := json.Marshal(append([]json.RawMessage{}, found...))
		w.Write(b)
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/learning-activity"):
		a.reports, a.polls = a.reports+1, 0
		fmt.Fprintf(w, `{"id":"r%d","status":"PENDING"}`, a.reports)
	case strings.Contains(path, "/report-requests/r"):
		a.polls++
		if a.status != nil {
			if s := a.status(a.polls); s != "" {
				fmt.Fprintf(w, `{"id":"r%d","status":%q}`, a.reports, s)
				return
			}
		}
		io.WriteString(w, a.rows)
	default:
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"message":"not found"}`)
	}
}

// scimURL returns the base URL of an imitation of SCIM.
func (u *upstream) scimURL() string { return u.URL + "/scim/v2" }

// resources returns the display names of the resources of a type in the sync file, by id.
func (p *program) resources(t *testing.T, kind string) map[string]baton.Resource {
	t.Helper()
	rows, err := c1ztest.Read(filepath.Join(p.dir, "sync.c1z"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]baton.Resource{}
	for _, r := range rows.ResourcesOf(kind) {
		found[r.ID.ID] = r
	}
	return found
}

// refuses checks that a run failed, wrote nothing, and printed each of the texts and not the token.
func (p *program) refuses(t *testing.T, got result, says ...string) {
	t.Helper()
	got.fails(t, says...)
	if p.sealed() {
		t.Error("a sync file was written")
	}
	if strings.Contains(got.stdout+got.stderr, "field-test-token") {
		t.Errorf("it shows the token:\n%s", got.stderr)
	}
}

// queryOf returns the query of a request, for messages.
func queryOf(r *http.Request) string {
	q, _ := url.QueryUnescape(r.URL.RawQuery)
	return r.Method + " " + r.URL.Path + "?" + q
}
