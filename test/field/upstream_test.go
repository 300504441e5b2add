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

// upstream is an HTTP server that counts its requests. Tests put what real servers and proxies did
// in front of its handler.
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

// person is an account of the directory.
type person struct{ id, userName, given, family string }

// directory is a SCIM server without faults: accounts, and groups with their members, below /scim/v2.
type directory struct {
	mu      sync.Mutex
	people  []person
	off     map[string]bool // disabled accounts
	groups  []string        // ids; the display name of g1 is PPLX_Admin
	members map[string][]string
}

func newDirectory() *directory {
	return &directory{
		people: []person{
			{"u1", "ada@acme.example", "Ada", "Haddad"}, {"u2", "joerg@acme.example", "Jörg", "Müller"}, {"u3", "grace@acme.example", "Grace", "Hopper"},
		},
		off: map[string]bool{}, groups: []string{"g1", "g2"}, members: map[string][]string{"g1": {"u1", "u3"}, "g2": {"u1", "u2"}},
	}
}

func (d *directory) user(p person) map[string]any {
	return map[string]any{"id": p.id, "userName": p.userName, "active": !d.off[p.id],
		"name":   map[string]any{"givenName": p.given, "familyName": p.family, "formatted": p.given + " " + p.family},
		"emails": []any{map[string]any{"value": p.userName, "type": "work", "primary": true}}}
}

func (d *directory) group(id string) map[string]any {
	members := []any{}
	for _, m := range d.members[id] {
		members = append(members, map[string]any{"value": m, "type": "User"})
	}
	return map[string]any{"id": id, "displayName": map[string]string{"g1": "PPLX_Admin", "g2": "Readers"}[id], "members": members}
}

func (d *directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/scim/v2"), "/"), "/")
	if !strings.HasPrefix(r.URL.Path, "/scim/v2/") || len(parts) > 2 {
		scimError(w, 404, "no such endpoint")
		return
	}
	var all []map[string]any
	switch parts[0] {
	case "Users":
		for _, p := range d.people {
			all = append(all, d.user(p))
		}
	case "Groups":
		for _, id := range d.groups {
			all = append(all, d.group(id))
		}
	case "ServiceProviderConfig":
		scimAnswer(w, 200, map[string]any{"patch": map[string]any{"supported": true}})
		return
	default:
		scimError(w, 404, "no such endpoint")
		return
	}
	if len(parts) == 1 {
		d.collection(w, r, all, body)
		return
	}
	for _, one := range all {
		if one["id"] != parts[1] {
			continue
		}
		if r.Method == http.MethodPatch {
			d.patch(parts[0], parts[1], string(body))
			w.WriteHeader(http.StatusNoContent)
			return
		}
		scimAnswer(w, 200, one)
		return
	}
	scimError(w, 404, "no such resource")
}

// collection answers a list, a filter by userName, or a creation.
func (d *directory) collection(w http.ResponseWriter, r *http.Request, all []map[string]any, body []byte) {
	if r.Method == http.MethodPost {
		var u struct{ UserName, DisplayName string }
		json.Unmarshal(body, &u)
		p := person{"u" + strconv.Itoa(len(d.people)+1), u.UserName, u.DisplayName, ""}
		d.people = append(d.people, p)
		scimAnswer(w, 201, d.user(p))
		return
	}
	if _, name, ok := strings.Cut(r.URL.Query().Get("filter"), "userName eq "); ok {
		all = slices.DeleteFunc(all, func(u map[string]any) bool { return strconv.Quote(u["userName"].(string)) != name })
	}
	start, _ := strconv.Atoi(r.URL.Query().Get("startIndex"))
	page := all[min(max(start-1, 0), len(all)):]
	scimAnswer(w, 200, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": len(all), "startIndex": max(start, 1), "itemsPerPage": len(page), "Resources": page})
}

// patch carries out the operations that the connector is known to send.
func (d *directory) patch(endpoint, id, body string) {
	for _, p := range d.people {
		named := strings.Contains(body, `"`+p.id+`"`) || strings.Contains(body, `\"`+p.id+`\"`)
		switch {
		case endpoint == "Users" && p.id == id:
			d.off[id] = strings.Contains(body, "false")
		case endpoint == "Groups" && named:
			d.members[id] = slices.DeleteFunc(d.members[id], func(m string) bool { return m == p.id })
			if strings.Contains(body, `"add"`) {
				d.members[id] = append(d.members[id], p.id)
			}
		}
	}
}

func scimAnswer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v)
}

func scimError(w http.ResponseWriter, status int, detail string) {
	scimAnswer(w, status, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": strconv.Itoa(status), "detail": detail})
}

// academy is a Percipio API without faults. What a test sets in place of the defaults is JSON.
type academy struct {
	users, courses, rows string
	status               func(poll int) string // of the report, which has rows when it is empty; nil for rows at once
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

// course is an item of the catalogue.
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
		if offset, _ := strconv.Atoi(r.URL.Query().Get("offset")); offset > 0 && offset >= len(rows) {
			body = "[]"
		}
		io.WriteString(w, body)
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

// scimURL is the base of the directory's SCIM.
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

// wantRefusal checks that a run failed, wrote nothing, and said each of the texts.
func (p *program) wantRefusal(t *testing.T, got result, texts ...string) {
	t.Helper()
	if got.code == 0 {
		t.Errorf("exit code 0, want an error\n%s%s", got.stdout, got.stderr)
	}
	if p.sealed() {
		t.Error("a sync file was written")
	}
	wantSaid(t, got, texts...)
}

// wantSaid checks that a program said each of the texts, and neither the token nor a line of a page.
func wantSaid(t *testing.T, got result, texts ...string) {
	t.Helper()
	said := got.stdout + got.stderr
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("it does not say %q:\n%s", text, said)
		}
	}
	if strings.Contains(said, "field-test-token") {
		t.Errorf("it shows the token:\n%s", said)
	}
}

// queryOf is the query of a request, for messages.
func queryOf(r *http.Request) string {
	q, _ := url.QueryUnescape(r.URL.RawQuery)
	return r.Method + " " + r.URL.Path + "?" + q
}
