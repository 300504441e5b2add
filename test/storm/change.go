package storm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/connector/perplexity"
	sandbox "baton/sandbox/perplexity"
)

// ChangeRun is a series of changes under faults. The seed determines everything but the wrapper.
type ChangeRun struct {
	Seed  uint64
	Alone []string // exactly these faults; random if nil
	Wrap  Wrapper
}

// request is one requested change.
type request struct {
	operation   string // "grant", "revoke", "create account", "disable_user", "enable_user"
	group, user string
	email       string
	dry         bool
}

func (q request) String() string {
	s := q.operation
	if q.dry {
		s += ", dry run"
	}
	return fmt.Sprintf("%s (%s%s %s)", s, q.user, q.email, q.group)
}

// name returns the name of the operation in the counts.
func (q request) name() string {
	if q.dry {
		return q.operation + ", dry run"
	}
	return q.operation
}

// changing is the state of a run.
type changing struct {
	run       ChangeRun
	rand      *rand.Rand
	org       *sandbox.Server
	wire      *wire
	connector *baton.Connector
	settings  []string
	priority  string // configured priority of the roles
	log       logBuffer
	wrong     []string

	mu        sync.Mutex
	interfere func(n int) // makes changes by others
	met       map[string]bool
}

// Run makes the changes in a synctest bubble and returns the failures.
func (s ChangeRun) Run(t *testing.T, tally *Tally) []string {
	_ = t
	r := rand.New(rand.NewPCG(s.Seed, 0xc4a6))
	time.Sleep(time.Until(today))
	c := &changing{run: s, rand: r, met: map[string]bool{}}
	c.org = sandbox.New(organisation(r, func(n int, _ *http.Request) {
		c.mu.Lock()
		interfere := c.interfere
		c.mu.Unlock()
		if interfere != nil {
			interfere(n)
		}
	}))
	c.wire = newWire(c.org)
	defer c.wire.end()
	if has(s.Alone, crowds...) {
		c.wire.maxBody = 64 << 20
	}
	rest, err := client(c.wire, c.org.URLPath()+tenantQuery, &c.log)
	if err != nil {
		return []string{err.Error()}
	}
	if c.settings = s.Alone; s.Alone == nil {
		c.settings = faults(r, sandbox.Faults(), 1+r.IntN(5))
	}
	c.priority = priority(r, c.settings)
	cfg := perplexity.Config{REST: rest, MinAdmins: 1, Priority: c.priority}
	if chance(r, 25) {
		cfg.AdminGroups = []string{pick(r, "PPLX_Admin", "Pplx_Admin")}
	}
	c.connector = perplexity.New(cfg)
	if s.Wrap != nil {
		c.connector = s.Wrap(c.connector, c.wire)
	}
	if err := c.org.SetFaults(c.settings...); err != nil {
		return []string{err.Error()}
	}
	c.interfering()
	var failed []request
	for range 1 + r.IntN(6) {
		q := c.choose()
		if c.try(q, tally) != nil && !q.dry {
			failed = append(failed, q)
		}
		if chance(r, 25) && s.Alone == nil {
			c.settings = c.believable(faults(r, sandbox.Faults(), r.IntN(4)))
			c.set(c.settings)
		}
	}
	c.retryFailed(failed)
	for _, stray := range c.wire.stray {
		c.fail("a request went elsewhere: %s", stray)
	}
	if c.log.shows(token) {
		c.fail("the log shows the token")
	}
	if held := c.wire.held(); held > maxHeld {
		c.fail("it held %d MiB", held>>20)
	}
	return c.wrong
}

// organisation returns options for an organisation of random shape, with at least two admins.
func organisation(r *rand.Rand, hook func(int, *http.Request)) sandbox.Options {
	opts := sandbox.Options{Seed: r.Uint64(), Token: token, OnRequest: hook, IDs: idForm(r)}
	if chance(r, 50) {
		opts.Users, opts.Groups, opts.MembersMin, opts.MembersMax = 3+r.IntN(12), 3+r.IntN(3), 1, 1+r.IntN(5)
	}
	return opts
}

// priority returns the role priority for the connector: the correct one, or none.
func priority(r *rand.Rand, settings []string) string {
	if chance(r, 40) || has(settings, "member-first") {
		return ""
	}
	return "admin"
}

// believable leaves out faults that contradict the connector's configuration.
func (c *changing) believable(settings []string) []string {
	if c.priority == "" {
		return settings
	}
	return slices.DeleteFunc(settings, func(s string) bool { return nameOf(s) == "member-first" })
}

func (c *changing) fail(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...)+fmt.Sprintf("; faults %q", c.settings))
}

func (c *changing) set(settings []string) {
	maps.Copy(c.met, metBy(c.org))
	if err := c.org.SetFaults(settings...); err != nil {
		panic(err) // made from the table
	}
}

func metBy(s server) map[string]bool {
	met := map[string]bool{}
	for name := range s.FaultsMet() {
		met[name] = true
	}
	return met
}

// interfering makes others change the same groups during the run. They add an account that no request
// mentions, and remove it again.
func (c *changing) interfering() {
	if c.run.Alone != nil || chance(c.rand, 60) {
		return
	}
	r := rand.New(rand.NewPCG(c.run.Seed, 0x3edd))
	newcomer := c.org.AddUser(sandbox.Person{UserName: "meddler@acme.example", GivenName: "Meddler"})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interfere = func(int) {
		groups := c.org.State().Groups
		if len(groups) == 0 || !chance(r, 30) {
			return
		}
		g := groups[r.IntN(len(groups))]
		if g.Role == sandbox.NoRole && !c.org.AddMember(g.ID, newcomer) && len(g.Members) > 1 {
			return // a removal would look like an effect of the change under test
		}
	}
}

// choose returns a random request, sensible or not.
func (c *changing) choose() request {
	r, st := c.rand, c.org.State()
	q := request{operation: pick(r, "grant", "grant", "revoke", "revoke", "create account", "disable_user", "enable_user"), dry: chance(r, 15)}
	lastAdmin := false // choose a removal of an admin
	var people []sandbox.UserState
	for _, u := range st.Users {
		if u.Managed && !meddles(u) {
			people = append(people, u)
		}
	}
	creates := has(c.settings, "filter-unsupported", "create-other", "create-other-id", "create-ignored-body", "create-suffix", "create-lower-case", "create-id-only", "create-200", "borrowed-address", "look-alike",
		"conflict-without-scimtype", "conflict-by-email", "held-row-on-reject")
	if has(c.settings, adminDoubts...) && chance(r, 50) {
		q.operation = pick(r, "revoke", "disable_user")
		lastAdmin = true
	}
	if len(people) == 0 || len(st.Groups) == 0 || creates && chance(r, 40) {
		q.operation = "create account"
	}
	switch q.operation {
	case "create account":
		q.email = fmt.Sprintf("person%d@acme.example", r.IntN(5))
		if len(people) > 0 && chance(r, 15) {
			if name := people[r.IntN(len(people))].UserName; strings.Contains(name, "@") {
				q.email = name
			}
		}
		if chance(r, 5) {
			q.email = "founder@acme.example" // a console user, not visible
		}
	default:
		g := st.Groups[r.IntN(len(st.Groups))]
		if lastAdmin || chance(r, 50) {
			g = st.Groups[0] // the admins
		}
		q.group = g.ID
		q.user = people[r.IntN(len(people))].ID
		if q.operation != "grant" && len(g.Members) > 0 && (lastAdmin || chance(r, 75)) {
			member := g.Members[r.IntN(len(g.Members))]
			if u, _ := st.User(member); !meddles(u) {
				q.user = member
			}
		}
		if lastAdmin {
			break
		}
		if chance(r, 3) || has(c.settings, "any-member") && chance(r, 40) {
			q.user = nobody
		}
		if similar := c.similarTo(people); len(similar) > 0 && chance(r, 50) {
			q.user = similar[r.IntN(len(similar))]
		}
		if shown := nonMembers(g, people); len(shown) > 0 && has(c.settings, others...) && chance(r, 30) {
			q.user = shown[0]
		}
	}
	return q
}

// meddles reports whether a user joins and leaves groups on its own during changes.
func meddles(u sandbox.UserState) bool { return strings.HasPrefix(u.UserName, "meddler") }

// others holds faults that show another object with the id of an account as a member.
var others = []string{"device-members", "principal-members", "odd-kind-members", "crossed-kinds"}

// adminDoubts holds faults that make it uncertain who is Admin.
var adminDoubts = append([]string{"second-admin-group", "odd-kind", "members-by-user-name"}, others...)

// nonMembers returns the ids of active accounts that are not in the group. Under the faults in
// others, the group shows a member with the first of these ids.
func nonMembers(g sandbox.GroupState, people []sandbox.UserState) (ids []string) {
	for _, u := range people {
		if u.Active && !slices.Contains(g.Members, u.ID) {
			ids = append(ids, u.ID)
		}
	}
	return ids
}

// similarTo returns the ids of accounts whose ids contain one another.
func (c *changing) similarTo(people []sandbox.UserState) (ids []string) {
	for _, u := range people {
		for _, other := range people {
			if u.ID != other.ID && strings.Contains(u.ID, other.ID) {
				ids = append(ids, u.ID, other.ID)
			}
		}
	}
	return ids
}

func (c *changing) ask(q request) (baton.Outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*24*time.Hour)
	defer cancel()
	c.wire.mu.Lock()
	c.wire.limit, c.wire.endless = c.wire.requests+maxRequests, cancel
	c.wire.mu.Unlock()
	grant := baton.GrantRequest{DryRun: q.dry, Principal: baton.ResourceID{Type: "user", ID: q.user},
		Entitlement: baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: q.group}, Slug: "member"}}
	var out baton.Outcome
	var err error
	switch q.operation {
	case "grant":
		out, err = c.connector.Grant(ctx, grant)
	case "revoke":
		out, err = c.connector.Revoke(ctx, grant)
	case "create account":
		out, err = c.connector.Account.Create(ctx, baton.AccountRequest{Email: q.email, Profile: map[string]any{"display_name": "New Person"}, DryRun: q.dry})
	default:
		a, _ := c.connector.Action(q.operation)
		out, err = a.Run(ctx, baton.ActionRequest{Arguments: map[string]any{"user_id": q.user}, DryRun: q.dry})
	}
	if ctx.Err() != nil {
		err = errors.Join(errEndless, err)
	}
	return out, err
}

// try makes one change and judges it.
func (c *changing) try(q request, tally *Tally) error {
	before, written, requests := c.org.State(), len(c.org.Writes()), c.wire.requests
	c.set(c.settings) // start counting the faults that this change meets
	c.met = map[string]bool{}
	out, err := c.ask(q)
	met := metBy(c.org)
	a := attempt{request: q, outcome: out, err: err, before: before, after: c.org.State(), writes: c.org.Writes()[written:], faults: c.settings}
	outcome, problems := a.judge()
	for _, p := range problems {
		c.fail("%s: %s (outcome %+v, error %v; writes %+v)", q, p, out, err, a.writes)
	}
	if tally != nil {
		kind := ""
		if err != nil {
			kind = baton.KindOf(err).String()
		}
		var names []string
		for name := range met {
			names = append(names, "perplexity "+name)
		}
		tally.count(q.name(), outcome, kind, names, c.wire.requests-requests)
	}
	return err
}

// retryFailed repeats the failed requests without faults. Each must succeed or be refused.
func (c *changing) retryFailed(failed []request) {
	c.settings = nil
	c.set(nil)
	c.mu.Lock()
	c.interfere = nil
	c.mu.Unlock()
	for i, q := range failed {
		if _, there := c.org.State().User(q.user); q.user != "" && q.user != nobody && !there {
			continue // the account belonged to a fault
		}
		opposed := slices.ContainsFunc(failed[i+1:], func(o request) bool { return o.user == q.user || o.email != "" && o.email == q.email })
		if err := c.try(q, nil); err != nil && !opposed {
			switch baton.KindOf(err) {
			case baton.Refused, baton.NotFound, baton.AlreadyExists, baton.PermissionDenied: // the guard, nobody, hidden, no seat
			default:
				c.fail("%s fails without faults: %v", q, err)
			}
		}
	}
}
