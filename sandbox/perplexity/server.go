// Package perplexity is a stand-in for the SCIM endpoint of a Perplexity
// Enterprise organisation: a SCIM 2.0 server (RFC 7643, RFC 7644, cursors of RFC
// 9865) over an organisation held in memory, for tests, demonstrations, and for
// trying any SCIM client without risk.
//
// It behaves as WorkOS, which runs the endpoint for Perplexity, is documented to:
// members that resolve to nobody are dropped without a word, a null is refused, a
// userName identifies regardless of case. On top lie Perplexity's own rules: two
// groups carry the roles Admin and Member, with a priority between them; people of
// other organisations are accepted but excluded; seats and verified domains limit
// who can be created; a small plan has no SCIM; nobody is deleted; the console
// cannot change whom SCIM manages; nobody is sent a welcome mail. [Server.State]
// tells what Perplexity would make of it all.
//
// Servers differ and break. Every way that is worth a test is a named fault, see
// [Faults]; any number of them can be on together.
//
// # Rooms
//
//	state.go   the organisation         drive.go   changing it from a test
//	roles.go   roles, seats, domains    seed.go    making one up
//	users.go, groups.go   the resources fill.go    validation of what is written
//	list.go    pages and cursors        filter.go, patch.go   the two languages
//	faults.go, stale.go   the faults    answer.go  requests and answers
//	admin.go   the console              object.go  JSON
//
// # Limits
//
// There is no Bulk, no /Me, no .search and no sorting. The order of lists is that
// of creation.
package perplexity

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options configure a Server. The zero value is the demonstration organisation.
type Options struct {
	// Users is how many users to make up; 0 makes the demonstration organisation of
	// 25 users and 3 groups instead.
	Users int
	// Groups is how many groups there are beside Users: the role groups of the
	// default mapping first. Each gets between MembersMin and MembersMax members.
	Groups                 int
	MembersMin, MembersMax int
	// Empty leaves the organisation without any user or group.
	Empty bool
	// Seed decides every id and name; the same seed makes the same organisation.
	Seed uint64

	Key   string // last part of the SCIM path, "sandbox" if empty
	Token string // the bearer token, random if empty

	// Seats is how many people the organisation pays for; 0 is 100, or enough for
	// Users and as many again.
	Seats         int
	EnterpriseMax bool       // somebody has Enterprise Max, so that less than 50 seats will do
	Domains       []string   // verified domains; nil is the domain of made-up users, acme.example
	Roles         []RoleRule // which groups carry roles, highest priority first; nil is PPLX_Admin, PPLX_Members
	Elsewhere     []string   // addresses of people who belong to another organisation
	HardDelete    bool       // DELETE removes users, as at WorkOS, instead of being refused

	// Faults are on from the start. New panics if one does not exist; use SetFaults
	// for names that a person typed.
	Faults []string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// OnRequest is called before each SCIM request is looked at, with how many there
	// have been, from 1. It may change the organisation as somebody else would.
	OnRequest func(n int, r *http.Request)
}

// Server is the organisation and its HTTP face: SCIM below URLPath, the console
// for a person at / and for a program at /admin.json, and the faults at
// /sandbox/faults. It is safe for concurrent use.
type Server struct {
	opts    Options
	base    string
	console http.Handler

	mu         sync.Mutex
	users      []*user // in list order
	userByID   map[string]*user
	userByName map[string]*user // by userName in lower case
	groups     []*group
	groupByID  map[string]*group
	hidden     []*user // people of the console
	elsewhere  map[string]bool
	held       map[string]bool
	ids        *identifiers
	inserted   int

	faults   faultSet
	past     past
	served   int // requests that had a good token
	requests map[string]int
	total    int
}

// New makes a server with its organisation.
func New(opts Options) *Server {
	if opts.Key == "" {
		opts.Key = "sandbox"
	}
	if opts.Token == "" {
		opts.Token = rand.Text()
	}
	if opts.Domains == nil {
		opts.Domains = []string{domain}
	}
	if opts.Roles == nil {
		opts.Roles = defaultRoles()
	}
	if opts.Seats == 0 {
		opts.Seats = max(100, 2*opts.Users)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	faults, err := parseFaults(opts.Faults)
	if err != nil {
		panic(err)
	}
	s := &Server{opts: opts, base: "/scim/v2.0/" + opts.Key, faults: faults, ids: newIdentifiers(opts.Seed),
		userByID: make(map[string]*user, opts.Users), userByName: make(map[string]*user, opts.Users), groupByID: make(map[string]*group, opts.Groups),
		elsewhere: map[string]bool{}, held: map[string]bool{}, requests: map[string]int{}}
	for _, e := range opts.Elsewhere {
		s.elsewhere[strings.ToLower(e)] = true
	}
	s.console = s.routes()
	s.seed()
	return s
}

// URLPath is where SCIM begins, without a slash at the end. A client's base URL is
// the server's address and this.
func (s *Server) URLPath() string { return s.base }

// Token is the bearer token that SCIM requests need.
func (s *Server) Token() string { return s.opts.Token }

// Requests counts the SCIM requests by method and route, such as "GET /Users" or
// "PATCH /Groups/{id}", since the start or the last ResetRequests.
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.requests)
}

// ResetRequests sets the counts of Requests to zero.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.requests)
}

// ServeHTTP serves SCIM, the console and the faults.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, s.base); ok && (rest == "" || rest[0] == '/') {
		s.serveSCIM(w, r)
		return
	}
	s.console.ServeHTTP(w, r)
}

func (s *Server) now() time.Time { return s.opts.Now() }

// providerConfig says what the server can do.
func (x *exchange) providerConfig() object {
	f := x.s.faults
	supported := func(on bool) object { return object{{"supported", on}} }
	filter := append(supported(!f.on("filter-unsupported")), attr{"maxResults", maxCount})
	config := object{
		{"schemas", []any{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"}},
		{"patch", supported(true)},
		{"bulk", object{{"supported", false}, {"maxOperations", 0}, {"maxPayloadSize", 0}}},
		{"filter", filter},
		{"changePassword", supported(false)},
		{"sort", supported(false)},
		{"etag", supported(true)},
		{"authenticationSchemes", []any{object{{"type", "oauthbearertoken"}, {"name", "Bearer token"},
			{"description", "the static token of the directory"}, {"primary", true}}}},
	}
	if f.on("cursor") || f.on("cursor-only") {
		method := "index"
		if f.on("cursor-only") {
			method = "cursor"
		}
		config = append(config, attr{"pagination", object{{"cursor", true}, {"index", !f.on("cursor-only")},
			{"defaultPaginationMethod", method}, {"defaultPageSize", defaultCount}, {"maxPageSize", maxCount}}})
	}
	return append(config, attr{"meta", object{{"resourceType", "ServiceProviderConfig"}, {"location", x.base + "/ServiceProviderConfig"}}})
}

func (x *exchange) resourceTypes() []object {
	describe := func(name, schema string) object {
		return object{{"schemas", []any{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}}, {"id", name}, {"name", name},
			{"endpoint", fmt.Sprintf("/%ss", name)}, {"schema", schema},
			{"meta", object{{"resourceType", "ResourceType"}, {"location", x.base + "/ResourceTypes/" + name}}}}
	}
	return []object{describe("User", userURN), describe("Group", groupURN)}
}

// schemas describes the attributes that the server gives a meaning.
func (x *exchange) schemas() []object {
	describe := func(id, name string, attributes ...any) object {
		return object{{"schemas", []any{"urn:ietf:params:scim:schemas:core:2.0:Schema"}}, {"id", id}, {"name", name}, {"attributes", attributes},
			{"meta", object{{"resourceType", "Schema"}, {"location", x.base + "/Schemas/" + id}}}}
	}
	field := func(name, kind string, multi, required, readOnly bool, subs ...any) any {
		mutability := "readWrite"
		if readOnly {
			mutability = "readOnly"
		}
		o := object{{"name", name}, {"type", kind}, {"multiValued", multi}, {"required", required}, {"caseExact", name == "externalId"},
			{"mutability", mutability}, {"returned", "default"}, {"uniqueness", "none"}}
		if name == "userName" {
			o.set("uniqueness", "server")
		}
		if len(subs) > 0 {
			o = append(o, attr{"subAttributes", subs})
		}
		return o
	}
	plain := func(name string) any { return field(name, "string", false, false, false) }
	var parts []any
	for _, p := range nameParts {
		parts = append(parts, plain(p))
	}
	return []object{
		describe(userURN, "User", field("userName", "string", false, true, false), plain("externalId"), plain("displayName"),
			field("active", "boolean", false, false, false), field("name", "complex", false, false, false, parts...),
			field("emails", "complex", true, false, false, plain("value"), plain("type"), plain("display"), field("primary", "boolean", false, false, false)),
			field("groups", "complex", true, false, true, plain("value"), plain("display"), plain("type"))),
		describe(groupURN, "Group", field("displayName", "string", false, true, false), plain("externalId"),
			field("members", "complex", true, false, false, plain("value"), plain("display"), plain("type"))),
	}
}
