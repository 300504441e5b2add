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
// cannot change users that SCIM manages; nobody is sent a welcome mail. [Server.State]
// returns the organisation as Perplexity would see it.
//
// Each way in which servers differ or break is a named fault, see [Faults]. Any number of
// them can be on at once.
//
// # Files
//
//	state.go   the organisation         drive.go   changing it from a test
//	roles.go   roles, seats, domains    seed.go    making one up
//	users.go, groups.go   the resources fill.go    validation of what is written
//	list.go    pages and cursors        filter.go, patch.go   the two languages
//	faults.go, stale.go   the faults    answer.go  requests and answers
//	discovery.go   what the server is   admin.go   the console
//	audit.go   what SCIM wrote       members.go  odd members
//	object.go  JSON
//
// # Limits
//
// There is no Bulk, no /Me, no .search and no sorting. The order of lists is that
// of creation.
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

// Options configure a Server. The zero value is the demonstration organisation.
type Options struct {
	// Users is how many users to make up; 0 makes the demonstration organisation of
	// 25 users and 3 groups instead.
	Users int
	// Groups is how many groups to make up with them, the two role groups first. Each
	// gets between MembersMin and MembersMax members.
	Groups                 int
	MembersMin, MembersMax int
	// Departments makes up the groups of an ordinary company instead: few admins, most
	// users Members, and each user in the group of one department.
	Departments bool
	// Empty leaves the organisation without any user or group.
	Empty bool
	// Seed decides every id and name; the same seed makes the same organisation.
	Seed uint64
	// IDs is the form of the ids of users and groups; the zero value is that of WorkOS.
	IDs IDForm

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

// Server is the organisation with its HTTP handlers: SCIM below URLPath, the console at /, the
// state as JSON at /admin.json, and the faults at /sandbox/faults. It is safe for concurrent
// use.
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
	// secondAdmin and similar are there for faults; other is another organisation.
	secondAdmin *group
	similar     []*user
	other       *Server

	borrowed string // the userName that was last searched for or created

	faults   fault.Set
	past     past
	requests map[string]int
	total    int
	writes   []Write
	effects  *[]string // of the write that is being carried out
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

// URLPath returns the path of the SCIM root, without a slash at the end. A client's base URL is
// the server's address and this.
func (s *Server) URLPath() string { return s.base }

// Token returns the bearer token that SCIM requests need.
func (s *Server) Token() string { return s.opts.Token }

// Requests counts the SCIM requests by method and route, such as "GET /Users" or
// "PATCH /Groups/{id}", since the start or the last ResetRequests. What has no route
// counts as "GET other".
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
