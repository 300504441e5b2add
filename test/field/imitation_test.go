package field

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"baton/c1z/c1ztest"
	"baton/internal/longtest"
)

// imitation is a small SCIM server whose answers a test can replace. By default it follows RFC 7644, with
// filters by userName and id.
type imitation struct {
	mu     sync.Mutex
	people []*fakeUser
	crews  []*fakeGroup
	// instead answers in place of the server and returns whether it did. It is called with mu held.
	instead func(w http.ResponseWriter, r *http.Request) bool
	// accepted returns the user that a POST stores; nil stores the sent one.
	accepted func(sent fakeUser) fakeUser
	requests []string // method and address
	changes  []string // effects of writes, such as "-g2:u2" or "u2 disabled"
}

type fakeUser struct {
	id, userName string
	disabled     bool
	primary      string   // address; "" is the userName
	secondary    []string // addresses
}

type fakeGroup struct {
	id, name string
	members  []string
	hidden   bool // lists do not show the members
}

// acme returns an imitation with one admin group with two admins, and two other groups.
func acme() *imitation {
	return &imitation{
		people: []*fakeUser{
			{id: "u1", userName: "ann@acme.example"}, {id: "u2", userName: "bob@acme.example"},
			{id: "u3", userName: "cid@acme.example"}, {id: "u4", userName: "dan@acme.example"},
		},
		crews: []*fakeGroup{
			{id: "g1", name: "PPLX_Admin", members: []string{"u1", "u4"}},
			{id: "g2", name: "Engineering", members: []string{"u2", "u3"}},
			{id: "g3", name: "Sales", members: []string{"u3"}},
		},
	}
}

// start serves the imitation and returns its SCIM URL.
func (m *imitation) start(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	return s.URL + "/scim/v2"
}

// do changes the imitation while it serves.
func (m *imitation) do(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// answer replaces answers from now on.
func (m *imitation) answer(instead func(w http.ResponseWriter, r *http.Request) bool) {
	m.do(func() { m.instead = instead })
}

// changed returns the effects of writes so far.
func (m *imitation) changed() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.changes)
}

func (m *imitation) user(id string) *fakeUser {
	if i := slices.IndexFunc(m.people, func(u *fakeUser) bool { return u.id == id }); i >= 0 {
		return m.people[i]
	}
	return nil
}

func (m *imitation) group(id string) *fakeGroup {
	if i := slices.IndexFunc(m.crews, func(g *fakeGroup) bool { return g.id == id }); i >= 0 {
		return m.crews[i]
	}
	return nil
}

func (m *imitation) memberships() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.crews {
		for _, id := range g.members {
			all = append(all, g.id+":"+id)
		}
	}
	slices.Sort(all)
	return all
}

func (m *imitation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, r.Method+" "+r.URL.RequestURI())
	r = r.WithContext(context.WithValue(r.Context(), serverKey{}, m))
	if m.instead != nil && m.instead(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/scim+json")
	resource, id, one := strings.Cut(strings.TrimPrefix(r.URL.Path, "/scim/v2/"), "/")
	body, _ := io.ReadAll(r.Body)
	switch {
	case resource == "Users" && !one && r.Method == http.MethodGet:
		m.page(w, r, len(m.people), func(i int) (string, bool) {
			u := m.people[i]
			return u.document(), m.filtered(r, u)
		})
	case resource == "Users" && !one && r.Method == http.MethodPost:
		m.create(w, body)
	case resource == "Groups" && !one && r.Method == http.MethodGet:
		m.page(w, r, len(m.crews), func(i int) (string, bool) {
			g := m.crews[i]
			return g.document(!g.hidden), true
		})
	case resource == "Users" && m.user(id) != nil:
		u := m.user(id)
		if r.Method == http.MethodPatch {
			u.disabled = strings.Contains(string(body), "false")
			m.changes = append(m.changes, u.id+map[bool]string{true: " disabled", false: " enabled"}[u.disabled])
		}
		io.WriteString(w, u.document())
	case resource == "Groups" && m.group(id) != nil:
		g := m.group(id)
		if r.Method == http.MethodPatch {
			m.patch(g, body)
		}
		io.WriteString(w, g.document(true))
	default:
		scim404(w, r)
	}
}

func (m *imitation) filtered(r *http.Request, u *fakeUser) bool {
	filter := r.URL.Query().Get("filter")
	name, value, _ := strings.Cut(filter, " eq ")
	switch strings.ToLower(name) {
	case "":
		return true
	case "username":
		return strings.EqualFold(value, jsonText(u.userName))
	case "id":
		return value == jsonText(u.id)
	}
	return false
}

func (m *imitation) page(w http.ResponseWriter, r *http.Request, n int, row func(int) (string, bool)) {
	var rows []string
	for i := range n {
		if document, ok := row(i); ok {
			rows = append(rows, document)
		}
	}
	query := r.URL.Query()
	start, _ := strconv.Atoi(cmp.Or(query.Get("startIndex"), "1"))
	count, _ := strconv.Atoi(cmp.Or(query.Get("count"), "100"))
	from := min(max(0, start-1), len(rows))
	fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":%d,"startIndex":%d,"Resources":[%s]}`,
		len(rows), start, strings.Join(rows[from:min(from+count, len(rows))], ","))
}

func jsonText(s string) string {
	b, _ := json.Marshal(s) // a string always encodes
	return string(b)
}

func (u *fakeUser) document() string {
	emails := fmt.Sprintf(`{"value":%s,"primary":true}`, jsonText(cmp.Or(u.primary, u.userName)))
	for _, e := range u.secondary {
		emails += fmt.Sprintf(`,{"value":%s,"type":"other"}`, jsonText(e))
	}
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":%s,"userName":%s,"active":%t,"emails":[%s]}`,
		jsonText(u.id), jsonText(u.userName), !u.disabled, emails)
}

func (g *fakeGroup) document(members bool) string {
	shown := ""
	if members {
		var parts []string
		for _, id := range g.members {
			parts = append(parts, fmt.Sprintf(`{"value":%s,"type":"User"}`, jsonText(id)))
		}
		shown = `,"members":[` + strings.Join(parts, ",") + `]`
	}
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":%s,"displayName":%s%s}`, jsonText(g.id), jsonText(g.name), shown)
}

func (m *imitation) create(w http.ResponseWriter, body []byte) {
	var sent struct {
		UserName string
		Emails   []struct{ Value string }
	}
	if json.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if slices.ContainsFunc(m.people, func(u *fakeUser) bool { return strings.EqualFold(u.userName, sent.UserName) }) {
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","detail":"Another user already exists"}`)
		return
	}
	u := fakeUser{userName: sent.UserName}
	if len(sent.Emails) > 0 {
		u.primary = sent.Emails[0].Value
	}
	if m.accepted != nil {
		u = m.accepted(u)
	}
	u.id = cmp.Or(u.id, fmt.Sprint("new", len(m.people)+1))
	m.people = append(m.people, &u)
	m.changes = append(m.changes, "+"+u.userName)
	w.WriteHeader(http.StatusCreated)
	io.WriteString(w, u.document())
}

var memberFilter = regexp.MustCompile(`^members\[value eq (".*")\]$`)

// patch adds or removes members with any ids.
func (m *imitation) patch(g *fakeGroup, body []byte) {
	var sent struct {
		Operations []struct {
			Op, Path string
			Value    []struct{ Value string }
		}
	}
	if json.Unmarshal(body, &sent) != nil {
		return
	}
	for _, op := range sent.Operations {
		for _, v := range op.Value {
			g.members = append(g.members, v.Value)
			m.changes = append(m.changes, "+"+g.id+":"+v.Value)
		}
		if match := memberFilter.FindStringSubmatch(op.Path); op.Op == "remove" && match != nil {
			var id string
			_ = json.Unmarshal([]byte(match[1]), &id)
			g.members = slices.DeleteFunc(g.members, func(member string) bool { return member == id })
			m.changes = append(m.changes, "-"+g.id+":"+id)
		}
	}
}

// Forms of a 404. Only the first is SCIM.

func scim404(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(http.StatusNotFound)
	io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"Resource not found"}`)
	return true
}

func text404(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	io.WriteString(w, "default backend - 404")
	return true
}

func html404(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusNotFound)
	io.WriteString(w, "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
	return true
}

func bare404(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusNotFound)
	return true
}

func json404(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	io.WriteString(w, `{"message":"no Route matched with those values"}`)
	return true
}

func gone410(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusGone)
	return true
}

type answering = func(http.ResponseWriter, *http.Request) bool

// denials returns the forms of a 404 by name. A short run gets one that is SCIM and one that is not.
func denials() map[string]answering {
	all := map[string]answering{"SCIM": scim404, "text": text404}
	if longtest.Enabled {
		all["HTML"], all["bare"], all["JSON"], all["410"] = html404, bare404, json404, gone410
	}
	return all
}

// onRequest gives the answer to requests whose "METHOD path" matches a regular expression.
func onRequest(pattern string, with answering) answering {
	re := regexp.MustCompile(pattern)
	return func(w http.ResponseWriter, r *http.Request) bool {
		return re.MatchString(r.Method+" "+r.URL.Path) && with(w, r)
	}
}

// reply answers with a JSON body and a status.
func reply(status int, json string) answering {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, json)
		return true
	}
}

// either uses the first of several answers that applies.
func either(all ...answering) answering {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return slices.ContainsFunc(all, func(a answering) bool { return a(w, r) })
	}
}

// synced returns the memberships in the sync file, sorted.
func (p *program) synced(t *testing.T) (all []string) {
	t.Helper()
	rows, err := c1ztest.Read(filepath.Join(p.dir, "sync.c1z"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range rows.Grants {
		all = append(all, g.Resource.ID+":"+g.Principal.ID)
	}
	slices.Sort(all)
	return all
}

// host returns the host of the program's upstream.
func (p *program) host() string {
	host, _, _ := strings.Cut(strings.TrimPrefix(p.env[0], "BATON_SCIM_URL=http://"), "/")
	return host
}

// fails checks that a run ended with an error that names its subject, and claims no success.
func (r result) fails(t *testing.T, names ...string) {
	t.Helper()
	output := r.stdout + r.stderr
	if r.code == 0 {
		t.Errorf("exit code 0:\n%s", output)
	}
	for _, claim := range []string{"already revoked", "nothing to change", "already granted", "already there", "Removed ", "Disabled ", "Added ", "Created ", "Enabled "} {
		if strings.Contains(output, claim) {
			t.Errorf("it says %q:\n%s", claim, output)
		}
	}
	for _, name := range names {
		if !strings.Contains(output, name) {
			t.Errorf("it does not say %q:\n%s", name, output)
		}
	}
}

// succeeds checks that a run succeeded.
func (r result) succeeds(t *testing.T, says ...string) {
	t.Helper()
	if r.code != 0 {
		t.Errorf("exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	for _, text := range says {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("it does not say %q:\n%s%s", text, r.stdout, r.stderr)
		}
	}
}
