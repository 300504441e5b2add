package field

import (
	"baton/c1z/c1ztest"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// organisation is a SCIM server whose members a test can write in any form. Users do not list their groups,
// so only groups show memberships.
type organisation struct {
	mu       sync.Mutex
	accounts []*account
	teams    []*team
	// shape returns the JSON of a group's attributes other than id and displayName.
	shape func(*team) string
	// front answers in place of the server and reports whether it did.
	front func(http.ResponseWriter, *http.Request) bool

	requests []string
	writes   int
}

type account struct {
	id, userName string
	more         string // further attributes as JSON, after a comma
	disabled     bool
}

type team struct {
	id, name string
	members  []string // ids
}

// usual returns the form of RFC 7643.
func usual(g *team) string {
	return `"members":[` + each(g.members, func(id string) string { return `{"value":` + quote(id) + `}` }) + `]`
}

func each(ids []string, write func(string) string) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = write(id)
	}
	return strings.Join(parts, ",")
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always encodes
	return string(b)
}

// small returns an organisation with one admin and two engineers.
func small() *organisation {
	return &organisation{
		accounts: []*account{{id: "u1", userName: "ann@acme.example"}, {id: "u2", userName: "bob@acme.example"}, {id: "u3", userName: "cid@acme.example"}},
		teams:    []*team{{id: "g1", name: "PPLX_Admin", members: []string{"u1"}}, {id: "g2", name: "Engineering", members: []string{"u2", "u3"}}},
	}
}

// serve starts the organisation and returns its SCIM URL.
func (o *organisation) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(o)
	t.Cleanup(s.Close)
	return s.URL + "/scim/v2"
}

// set changes the form of the members.
func (o *organisation) set(shape func(*team) string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shape = shape
}

func (o *organisation) team(id string) *team {
	if i := slices.IndexFunc(o.teams, func(g *team) bool { return g.id == id }); i >= 0 {
		return o.teams[i]
	}
	return nil
}

// has reports whether the account is a member, regardless of the server's answers.
func (o *organisation) has(group, user string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Contains(o.team(group).members, user)
}

// wrote returns the number of writes.
func (o *organisation) wrote() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writes
}

// requestCount returns the number of requests.
func (o *organisation) requestCount() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.requests)
}

func (o *organisation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, r.Method+" "+r.URL.RequestURI())
	w.Header().Set("Content-Type", "application/scim+json")
	if o.front != nil && o.front(w, r) {
		return
	}
	resource, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/scim/v2/"), "/")
	switch {
	case r.Method == http.MethodGet && id == "" && resource == "Users":
		list(w, r, o.accounts, (*account).document, func(u *account) bool { return matches(r, u.userName) })
	case r.Method == http.MethodGet && id == "" && resource == "Groups":
		list(w, r, o.teams, o.document, func(g *team) bool { return matches(r, g.name) })
	case resource == "Users":
		i := slices.IndexFunc(o.accounts, func(u *account) bool { return u.id == id })
		if i < 0 {
			refuse(w, http.StatusNotFound, "there is no user "+id)
			return
		}
		if r.Method == http.MethodPatch {
			o.writes++
			body, _ := io.ReadAll(r.Body)
			o.accounts[i].disabled = strings.Contains(string(body), "false")
		}
		io.WriteString(w, o.accounts[i].document())
	case resource == "Groups":
		g := o.team(id)
		if g == nil {
			refuse(w, http.StatusNotFound, "there is no group "+id)
			return
		}
		if r.Method == http.MethodPatch {
			o.writes++
			o.patch(g, r)
		}
		io.WriteString(w, o.document(g))
	default:
		refuse(w, http.StatusNotFound, "there is no such endpoint")
	}
}

func refuse(w http.ResponseWriter, status int, detail string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","detail":%s}`, status, quote(detail))
}

// matches reports whether the request's filter selects the row.
func matches(r *http.Request, name string) bool {
	filter := r.URL.Query().Get("filter")
	_, value, _ := strings.Cut(filter, " eq ")
	return filter == "" || strings.EqualFold(value, quote(name))
}

func list[T any](w http.ResponseWriter, r *http.Request, all []T, document func(T) string, keep func(T) bool) {
	rows, query := all, r.URL.Query()
	if query.Has("filter") {
		rows = slices.DeleteFunc(slices.Clone(all), func(v T) bool { return !keep(v) })
	}
	start, _ := strconv.Atoi(cmp.Or(query.Get("startIndex"), "1"))
	count, _ := strconv.Atoi(cmp.Or(query.Get("count"), "100"))
	from := min(max(0, start-1), len(rows))
	fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":%d,"startIndex":%d,"Resources":[`, len(rows), start)
	for i, v := range rows[from:min(from+count, len(rows))] {
		if i > 0 {
			io.WriteString(w, ",")
		}
		io.WriteString(w, document(v))
	}
	io.WriteString(w, `]}`)
}

func (u *account) document() string {
	more := ""
	if u.more != "" {
		more = "," + u.more
	}
	return fmt.Sprintf(`{"id":%s,"userName":%s,"active":%t%s}`, quote(u.id), quote(u.userName), !u.disabled, more)
}

func (o *organisation) document(g *team) string {
	shape := o.shape
	if shape == nil {
		shape = usual
	}
	return fmt.Sprintf(`{"id":%s,"displayName":%s,%s}`, quote(g.id), quote(g.name), shape(g))
}

// patch adds or removes one member. A removal names it by id or userName.
func (o *organisation) patch(g *team, r *http.Request) {
	var body struct {
		Operations []struct {
			Op, Path string
			Value    []struct{ Value string }
		}
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		return
	}
	for _, op := range body.Operations {
		if op.Op == "add" {
			for _, v := range op.Value {
				if !slices.Contains(g.members, v.Value) {
					g.members = append(g.members, v.Value)
				}
			}
			continue
		}
		_, quoted, _ := strings.Cut(op.Path, " eq ")
		var name string
		_ = json.Unmarshal([]byte(strings.TrimSuffix(quoted, "]")), &name)
		for _, u := range o.accounts {
			if strings.EqualFold(u.userName, name) {
				name = u.id
			}
		}
		g.members = slices.DeleteFunc(g.members, func(id string) bool { return strings.EqualFold(id, name) })
	}
}

// grants returns the memberships in the sync file, as "group:user", sorted.
func (p *program) grants(t *testing.T) []string {
	t.Helper()
	rows, err := c1ztest.Read(filepath.Join(p.dir, "sync.c1z"))
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, g := range rows.Grants {
		found = append(found, g.Resource.ID+":"+g.Principal.ID)
	}
	slices.Sort(found)
	return found
}

// memberships returns the organisation's memberships in the form of grants.
func (o *organisation) memberships() []string {
	all := []string{}
	for _, g := range o.teams {
		for _, id := range g.members {
			all = append(all, g.id+":"+id)
		}
	}
	slices.Sort(all)
	return all
}
