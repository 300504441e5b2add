// Package perplexity is a stand-in for the SCIM endpoint of a Perplexity Enterprise organisation: a SCIM 2.0
// server (RFC 7643, RFC 7644, cursors of RFC 9865) over an organisation in memory, for tests, demos, and for
// trying any SCIM client without risk.
//
// It follows the documented behaviour of WorkOS, which runs the endpoint for Perplexity: unknown members are
// silently dropped, a null is refused, and user names are case-insensitive. It adds Perplexity's own rules:
// two groups carry the roles Admin and Member, one of which has priority; people of other organisations are
// accepted but excluded; seats and verified domains limit creations; a small plan has no SCIM; nobody is
// deleted; the console cannot change users that SCIM manages; no welcome mail is sent. [Server.State] returns
// the organisation as Perplexity would see it.
//
// Every way in which servers differ or break is a named fault, see [Faults]. Any number of them can be on at
// once.
//
// # Files
//
//	state.go    the organisation              drive.go    changes by a test
//	roles.go    roles, seats, domains         seed.go     generated organisations
//	users.go, groups.go   the resources       fill.go     validation of writes
//	list.go     pages and cursors             filter.go, patch.go   the two languages
//	faults.go, stale.go   the faults          exchange.go requests and answers
//	discovery.go   the server's description   admin.go    the console
//	audit.go    record of writes              members.go  unusual members
//	object.go   JSON
//
// # Limits
//
// There is no Bulk, no /Me, no .search and no sorting. Lists are in the order of creation.
package perplexity

import (
	"baton/sandbox/fault"
	"crypto/rand"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options configure a Server. The zero value is the demo organisation.
type Options struct {
	// Users is the number of users to generate; 0 creates the demo organisation of 25 users and 3 groups.
	Users int
	// Groups is the number of groups to generate with them, the two role groups first. Each gets between
	// MembersMin and MembersMax members.
	Groups                 int
	MembersMin, MembersMax int
	// Departments generates the groups of an ordinary company instead: few admins, most users Members, and
	// each user in the group of one department.
	Departments bool
	// Empty creates no users and no groups.
	Empty bool
	// Seed determines every id and name; the same seed generates the same organisation.
	Seed uint64
	// IDs is the form of the ids of users and groups. The zero value is the form of WorkOS.
	IDs IDForm

	Key   string // last part of the SCIM path, "sandbox" if empty
	Token string // the bearer token, random if empty

	// Seats is the number of seats that the organisation pays for; 0 means 100, or enough for Users and as
	// many again.
	Seats         int
	EnterpriseMax bool       // somebody has Enterprise Max, so fewer than 50 seats suffice
	Domains       []string   // verified domains; nil is the domain of made-up users, acme.example
	Roles         []RoleRule // groups that carry roles, highest priority first; nil is PPLX_Admin, PPLX_Members
	Elsewhere     []string   // addresses of people who belong to another organisation
	HardDelete    bool       // DELETE removes users, as at WorkOS, instead of being refused

	// Faults are active from the start. New panics if one does not exist; use SetFaults for names that a
	// person typed.
	Faults []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// OnRequest is called before each SCIM request is handled, with the number of requests so far, starting
	// at 1. It may change the organisation, as another client might.
	OnRequest func(n int, r *http.Request)
}

// Server is the organisation with its HTTP handlers: SCIM below URLPath, the console at /, the state as JSON
// at /admin.json, and the faults at /sandbox/faults. It is safe for concurrent use.
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
	hidden     []*user // users of the console
	elsewhere  map[string]bool
	held       map[string]bool
	ids        *identifiers
	inserted   int
	// secondAdmin and the following fields belong to faults. other is another organisation.
	secondAdmin *group
	similar     []*user
	other       *Server

	borrowed string // the last userName searched for or created

	faults   fault.Set
	past     past
	requests map[string]int
	total    int
	writes   []Write
	effects  *[]string // of the write in progress
}

// New returns a server with its organisation.
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
	s := &Server{opts: opts, base: "/scim/v2.0/" + opts.Key, faults: faults, ids: newIdentifiers(opts.Seed, opts.IDs),
		userByID: make(map[string]*user, opts.Users), userByName: make(map[string]*user, opts.Users), groupByID: make(map[string]*group, opts.Groups),
		elsewhere: map[string]bool{}, held: map[string]bool{}, requests: map[string]int{}}
	for _, e := range opts.Elsewhere {
		s.elsewhere[strings.ToLower(e)] = true
	}
	s.console = s.routes()
	s.seed()
	s.arrange(faults)
	return s
}

// URLPath returns the path of the SCIM root, without a trailing slash. A client's base URL is the server's
// address followed by this path.
func (s *Server) URLPath() string { return s.base }

// Token returns the bearer token that SCIM requests need.
func (s *Server) Token() string { return s.opts.Token }

// Requests returns the number of SCIM requests by method and route, such as "GET /Users" or "PATCH
// /Groups/{id}", since the start or the last ResetRequests. Requests without a route count as "GET other".
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
