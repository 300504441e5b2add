// Package percipio is a stand-in for the API of a Skillsoft Percipio organisation: users, catalogue, search and the
// learning-activity report, over an organisation generated from a seed, for tests, demos, and for trying any client of
// that API without risk.
//
// It follows the vendor's published behaviour: bare JSON arrays with totals and paging handles in headers, a frozen
// result set for each x-paging-request-id, a report that is requested, and then polled and delivered at one address, and
// a file on the organisation's SFTP server unless the request says no. Users are a live table whose pages shift. Where
// nothing is published it does the likely thing: a foreign organisation and a missing permission are 403, an unknown
// paging id is 400, an unknown report is 404, and an error is {"message": "..."}.
//
// The rows of the report are computed from the seed while they are sent, newest first, so that a million rows need no
// memory. A report shows the organisation at the time of the request. [Server.State] returns what a sync should find.
//
// Every way in which such APIs break is a named fault, see [Faults]. Any number of them can be on at once. Only the
// faults that add and remove users change what a sync should find. Faults of rows add rows, or change values on which no
// client should rely.
//
// # Files
//
//	server.go   options, routes         exchange.go   requests and answers
//	users.go    users                   catalogue.go  catalogue and search
//	report.go   requests and downloads  rows.go       the rows of a report
//	line.go     a row as JSON and CSV   seed.go       the generated organisation
//	state.go    the expected sync       drive.go      changes by a test
//	faults.go   the faults              control.go    switching them over HTTP
//
// # Limits
//
// There is no way to create or update users over HTTP, no transformName, zip or encryption, and of the sort fields only
// lastAccessDate changes the order of rows.
package percipio

import (
	"baton/sandbox/fault"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Options configure a Server. The zero value is the demo organisation.
type Options struct {
	// Users, Courses and Rows are the numbers of users, catalogue items and rows of learning activity to
	// generate. About 73 % of the items are active courses and assessments. If all three are zero, the demo
	// organisation has 20, 10 and 60. A user has at most one row per item, so there are at most Users times
	// Courses rows.
	Users, Courses, Rows int
	// Empty generates no users, items or rows.
	Empty bool
	// Seed determines every id and name; the same seed generates the same organisation.
	Seed uint64

	Org string // the organisation's UUID, derived from Seed if empty
	// Token is the bearer token. If it is empty, a token is generated that looks like a JWT and expires at
	// TokenExpires, if that is not zero. Every token is refused from TokenExpires on.
	Token        string
	TokenExpires time.Time

	// PendingPolls is the number of polls before a report is ready.
	PendingPolls int

	// Faults are active from the start. New panics if one does not exist; use SetFaults for names that a
	// person typed.
	Faults []string
	// Now is the clock; nil means time.Now. Generated dates do not depend on it.
	Now func() time.Time
	// OnRequest is called before each API request is handled, with the number of requests so far, starting at
	// 1. It may change the organisation, as another client might.
	OnRequest func(n int, r *http.Request)
}

// Server is the organisation with its HTTP handlers: the API at Percipio's paths, and the faults
// at /sandbox/faults. A client's base URL is the server's address
// alone. It is safe for concurrent use.
type Server struct {
	opts       Options
	mux        *http.ServeMux
	attributes []attribute // the custom attributes, without values
	words      words       // their possible values

	mu       sync.Mutex
	org      *organisation
	inserted int
	frozen   map[string]*organisation // by paging request id
	listings int                      // number of such ids
	reports  map[string]*report
	made     []*report
	files    int // stored on SFTP

	token    token
	expiring token // while token-expiring is on
	faults   fault.Set
	requests map[string]int
	total    int
}

// New returns a server with its organisation.
func New(opts Options) *Server {
	if opts.Org == "" {
		opts.Org = identifier(opts.Seed, kindOrganisation, 0)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Users == 0 && opts.Courses == 0 && opts.Rows == 0 && !opts.Empty {
		opts.Users, opts.Courses, opts.Rows = 20, 10, 60
	}
	opts.Users, opts.Courses, opts.Rows = max(0, opts.Users), max(0, opts.Courses), max(0, opts.Rows)
	faults, err := parseFaults(opts.Faults)
	if err != nil {
		panic(err)
	}
	s := &Server{opts: opts, org: makeUp(opts), frozen: map[string]*organisation{}, reports: map[string]*report{}, requests: map[string]int{},
		token: token{opts.Token, opts.TokenExpires}, attributes: makeAttributes(opts.Seed), words: attributeWords()}
	if opts.Token == "" {
		s.token = makeToken(opts.Org, opts.TokenExpires)
	}
	s.useFaults(faults)
	s.mux = s.routes()
	return s
}

// OrganizationID returns the organisation's UUID, a part of every path.
func (s *Server) OrganizationID() string { return s.opts.Org }

// Token returns the bearer token for API requests. While the fault token-expiring is active, this is another
// token that expires soon; the first one stays valid.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiring.text != "" {
		return s.expiring.text
	}
	return s.token.text
}

// Requests returns the number of API requests by method and route since the start or the last ResetRequests:
// "GET /users", "GET /users/{id}", "GET /catalog-content", "GET /search-content", "POST
// /report-requests/learning-activity", "GET /report-requests/{id}". Requests without a route count as "GET
// other".
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

// ServeHTTP serves the API and the control of faults.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// routes returns the handlers of the API, each with its required permission.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, route := range []struct {
		method, api, path, permission string
		handle                        func(*exchange) *answer
	}{
		{"GET", "user-management/v1", "/users", "users", (*exchange).listUsers},
		{"GET", "user-management/v1", "/users/{id}", "users", (*exchange).getUser},
		{"GET", "user-management/v1", "/users/external-user-id/{externalUserId}", "users", (*exchange).getUser},
		{"GET", "user-management/v1", "/users/login-name/{loginName}", "users", (*exchange).getUser},
		{"GET", "content-discovery/v2", "/catalog-content", "content", (*exchange).listCatalogue},
		{"GET", "content-discovery/v1", "/search-content", "content", (*exchange).search},
		{"POST", "reporting/v1", "/report-requests/learning-activity", "reporting", (*exchange).requestReport},
		{"GET", "reporting/v1", "/report-requests/{id}", "reporting", (*exchange).pollReport},
	} {
		mux.HandleFunc(route.method+" /"+route.api+"/organizations/{org}"+route.path, func(w http.ResponseWriter, r *http.Request) {
			s.serve(w, r, route.path, route.permission, route.handle)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, "other", "", func(*exchange) *answer { return fail(404, "there is no such endpoint") })
	})
	s.control(mux)
	return mux
}

// serve handles one API request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, route, permission string, handle func(*exchange) *answer) {
	s.mu.Lock()
	s.total++
	n := s.total
	s.requests[r.Method+" "+route]++
	s.mu.Unlock()
	if s.opts.OnRequest != nil {
		s.opts.OnRequest(n, r)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		fail(400, "the request body cannot be read: %v", err).deliver(w, r)
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	x := &exchange{s: s, r: r, query: query, body: body}
	x.answer(permission, err, handle).deliver(w, r)
}

func (s *Server) now() time.Time { return s.opts.Now() }

// token is a bearer token and its expiry, if any.
type token struct {
	text    string
	expires time.Time
}

// makeToken generates a token. It parses as a JWT, like the vendor's tokens; its signature is random, so it
// cannot be forged.
func makeToken(org string, expires time.Time) token {
	claims := map[string]any{"iss": "percipio-sandbox", "sub": "service-account", "organizationId": org}
	if !expires.IsZero() {
		claims["exp"] = expires.Unix()
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err) // strings and a number
	}
	signature := make([]byte, 32)
	rand.Read(signature) // never fails
	encode := base64.RawURLEncoding.EncodeToString
	return token{encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(payload) + "." + encode(signature), expires}
}
