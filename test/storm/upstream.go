package storm

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/connector/percipio"
	"baton/connector/perplexity"
	"baton/connector/rest"
	sandboxpercipio "baton/sandbox/percipio"
	sandboxperplexity "baton/sandbox/perplexity"
)

// server is the part of a sandbox that syncs are tested with.
type server interface {
	http.Handler
	SetFaults(names ...string) error
	ActiveFaults() []string
	FaultsMet() map[string]int
	Token() string
}

// tenant is a sandbox with its organisation.
type tenant struct {
	server
	snapshot func() snapshot
	change   func(*rand.Rand) // makes a change by somebody else
	connect  func(*wire) (*baton.Connector, error)
	hook     func(n int, r *http.Request)
}

// token is the secret that no output may show.
const token = "sk-storm-0123456789abcdef"

func client(w *wire, path string, log *logBuffer) (*rest.Client, error) {
	return rest.New(rest.Config{BaseURL: "http://" + host + path, Token: baton.NewSecret(token), Transport: w,
		RetryFor: time.Hour, MaxBody: w.maxBody, Log: log.logger()})
}

// tenantQuery is the query of the SCIM URL that names the tenant.
const tenantQuery = "?tenant=acme"

// crowds holds faults that show very many members.
var crowds = []string{"crowded-group", "repeated-members"}

// idForm returns a random form of ids.
func idForm(r *rand.Rand) sandboxperplexity.IDForm {
	return pick(r, sandboxperplexity.WorkOSIDs, sandboxperplexity.WorkOSIDs, sandboxperplexity.UUIDs, sandboxperplexity.Numbers)
}

// demonstration creates the demo organisation of the sandbox.
func demonstration(upstream string, limited bool) func(*rand.Rand, *logBuffer) *tenant {
	return func(r *rand.Rand, log *logBuffer) *tenant {
		t := &tenant{}
		hook := func(n int, req *http.Request) { t.hook(n, req) }
		if upstream == "percipio" {
			t.percipio(sandboxpercipio.Options{Seed: r.Uint64(), Token: token, OnRequest: hook}, limited, log)
		} else {
			t.perplexity(sandboxperplexity.Options{Seed: r.Uint64(), Token: token, OnRequest: hook, IDs: idForm(r)}, log)
		}
		return t
	}
}

// newPerplexity creates an organisation of random shape.
func newPerplexity(r *rand.Rand, log *logBuffer) *tenant {
	t := &tenant{}
	users := 1 + r.IntN(40)
	opts := sandboxperplexity.Options{Users: users, Groups: 2 + r.IntN(8), MembersMin: 1, MembersMax: 1 + r.IntN(12), Seed: r.Uint64(),
		Token: token, OnRequest: func(n int, req *http.Request) { t.hook(n, req) }, IDs: idForm(r)}
	if chance(r, 25) {
		opts = sandboxperplexity.Options{Seed: r.Uint64(), Token: token, OnRequest: opts.OnRequest, IDs: opts.IDs} // the demonstration
	}
	t.perplexity(opts, log)
	return t
}

func (t *tenant) perplexity(opts sandboxperplexity.Options, log *logBuffer) {
	s := sandboxperplexity.New(opts)
	t.server = s
	t.snapshot = func() snapshot { return snapshotPerplexity(s) }
	t.change = func(r *rand.Rand) { changePerplexity(r, s) }
	t.connect = func(w *wire) (*baton.Connector, error) {
		c, err := client(w, s.URLPath()+tenantQuery, log)
		return perplexity.New(perplexity.Config{REST: c, MinAdmins: 1}), err
	}
}

// snapshotPerplexity returns the data of the sandbox. Accounts and groups are visible in their lists,
// memberships through the group or the account.
func snapshotPerplexity(s *sandboxperplexity.Server) snapshot {
	l := snapshot{rows: map[string]bool{}, sides: [2]map[string]bool{{}, {}}, names: map[string][]string{}}
	st, on := s.State(), s.ActiveFaults()
	truncated := limitOf(on, "members-truncated")
	shown := map[string]bool{}
	for _, u := range st.Users {
		if !u.Managed {
			continue
		}
		id := "user:" + u.ID
		l.rows[id] = true
		l.names[id] = []string{u.DisplayName, strings.TrimSpace(u.GivenName + " " + u.FamilyName), u.GivenName, u.UserName, u.Email, u.ExternalID, u.ID}
		if shown[u.ID] = u.Active || !has(on, "soft-delete-off"); shown[u.ID] {
			l.sides[0][id], l.sides[1][id] = true, true
		}
		for _, g := range u.Groups {
			id := "group:" + g + ":member:user:" + u.ID
			l.rows[id] = true
			if shown[u.ID] && !has(on, "no-groups-attribute") {
				l.sides[1][id] = true
			}
		}
	}
	for _, g := range st.Groups {
		for _, id := range []string{"group:" + g.ID, "group:" + g.ID + ":member"} {
			l.rows[id], l.sides[0][id], l.sides[1][id] = true, true, true
		}
		for _, m := range g.Doubtful {
			l.rows["group:"+g.ID+":member:user:"+m] = true // kept, because it may be an account
		}
		n := 0
		for _, m := range g.Members {
			if !shown[m] || has(on, "members-absent-everywhere", "members-empty-everywhere") {
				continue
			}
			if n++; truncated == 0 || n <= truncated {
				l.sides[0]["group:"+g.ID+":member:user:"+m] = true
			}
		}
	}
	return l
}

func limitOf(settings []string, name string) int {
	n := 0
	for _, s := range settings {
		if v, ok := strings.CutPrefix(s, name+"="); ok {
			for _, c := range v {
				n = n*10 + int(c-'0')
			}
		}
	}
	return n
}

// changePerplexity makes one ordinary change to an organisation.
func changePerplexity(r *rand.Rand, s *sandboxperplexity.Server) {
	st := s.State()
	managed := slices.DeleteFunc(st.Users, func(u sandboxperplexity.UserState) bool { return !u.Managed })
	if len(managed) < 2 || len(st.Groups) == 0 {
		return
	}
	u, g := managed[r.IntN(len(managed))], st.Groups[r.IntN(len(st.Groups))]
	switch r.IntN(8) {
	case 0:
		s.RemoveUser(u.ID)
	case 1, 2:
		s.AddUser(sandboxperplexity.Person{UserName: "new" + u.ID[len(u.ID)-6:] + "@acme.example", GivenName: "New"})
	case 3:
		s.RemoveUser(u.ID)
		s.AddUser(sandboxperplexity.Person{UserName: "next" + u.ID[len(u.ID)-6:] + "@acme.example", GivenName: "Next"})
	case 4:
		s.AddMember(g.ID, u.ID)
	case 5:
		s.RemoveMember(g.ID, u.ID)
	case 6:
		s.SetActive(u.ID, !u.Active)
	case 7:
		if len(st.Groups) > 3 && g.Role == sandboxperplexity.NoRole {
			s.RemoveGroup(g.ID)
		} else {
			s.AddMember(s.AddGroup("Project "+u.ID[len(u.ID)-6:]), u.ID)
		}
	}
}

// newPercipio creates an organisation of random shape.
func newPercipio(r *rand.Rand, log *logBuffer) *tenant {
	t := &tenant{}
	opts := sandboxpercipio.Options{Users: 1 + r.IntN(40), Courses: 2 + r.IntN(25), Rows: 1 + r.IntN(200), Seed: r.Uint64(), PendingPolls: r.IntN(3),
		Token: token, OnRequest: func(n int, req *http.Request) { t.hook(n, req) }}
	if chance(r, 25) {
		opts.Users, opts.Courses, opts.Rows = 0, 0, 0 // the demonstration
	}
	t.percipio(opts, chance(r, 30), log)
	return t
}

func (t *tenant) percipio(opts sandboxpercipio.Options, some bool, log *logBuffer) {
	s := sandboxpercipio.New(opts)
	var limited []string
	for _, c := range s.State().Courses {
		if some && c.Listed && len(limited) < 3 {
			limited = append(limited, c.ID)
		}
	}
	t.server = s
	t.snapshot = func() snapshot { return snapshotPercipio(s, limited) }
	t.change = func(r *rand.Rand) { changePercipio(r, s) }
	t.connect = func(w *wire) (*baton.Connector, error) {
		c, err := client(w, "", log)
		return percipio.New(percipio.Config{REST: c, Token: baton.NewSecret(token), OrganizationID: s.OrganizationID(),
			LimitedCourses: limited, SkipMissing: true, Lookback: 20 * 365 * 24 * time.Hour}), err
	}
}

func snapshotPercipio(s *sandboxpercipio.Server, limited []string) snapshot {
	rows, st := map[string]bool{}, s.State()
	names := map[string][]string{}
	for _, u := range st.Users {
		rows["user:"+u.ID] = true
		names["user:"+u.ID] = []string{strings.TrimSpace(u.FirstName + " " + u.LastName), u.FirstName, u.LastName, u.LoginName, u.Email, u.ExternalID, u.ID}
	}
	for _, c := range st.Courses {
		if c.Listed && (len(limited) == 0 || slices.Contains(limited, c.ID)) {
			rows["course:"+c.ID], rows["course:"+c.ID+":completed"], rows["course:"+c.ID+":in_progress"] = true, true, true
		}
	}
	for p := range st.Expected(limited...) {
		rows["course:"+p.Course+":"+string(p.Status)+":user:"+p.User] = true
	}
	return snapshot{rows: rows, sides: [2]map[string]bool{rows, rows}, names: names}
}

// changePercipio makes one ordinary change to an organisation.
func changePercipio(r *rand.Rand, s *sandboxpercipio.Server) {
	st := s.State()
	if len(st.Users) < 2 || len(st.Courses) == 0 {
		return
	}
	u, c := st.Users[r.IntN(len(st.Users))], st.Courses[r.IntN(len(st.Courses))]
	switch r.IntN(7) {
	case 0:
		s.RemoveUser(u.ID)
	case 1:
		s.AddUser(sandboxpercipio.Person{Email: "new" + u.ID[:6] + "@acme.example", LoginName: "new" + u.ID[:6]})
	case 2:
		s.RemoveUser(u.ID)
		s.AddUser(sandboxpercipio.Person{Email: "next" + u.ID[:6] + "@acme.example", LoginName: "next" + u.ID[:6]})
	case 3:
		s.SetActive(u.ID, !u.Active)
	case 4:
		s.AddCourse(sandboxpercipio.Item{Title: "Something new"})
	case 5:
		s.Record(u.ID, c.ID, pick(r, "Started", "Completed"))
	case 6:
		s.Forget(u.ID, c.ID)
	}
}
