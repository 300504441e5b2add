package perplexity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/connector/perplexity"
	sandbox "baton/sandbox/perplexity"
)

// team is an organisation that a test defines by the names of users in groups.
type team struct {
	*sandbox.Server
	id map[string]string // of users and groups, by name
}

// newTeam creates the users and groups. A user whose name begins with "off-" is disabled.
func newTeam(t *testing.T, groups map[string][]string, faults ...string) *team {
	t.Helper()
	tm := &team{Server: sandbox.New(sandbox.Options{Empty: true, Token: "sk-scim-0123456789"}), id: map[string]string{}}
	user := func(name string) string {
		if tm.id[name] == "" {
			tm.id[name] = tm.AddUser(sandbox.Person{UserName: name + "@acme.example", GivenName: name, FamilyName: "Tester"})
			if strings.HasPrefix(name, "off-") {
				tm.SetActive(tm.id[name], false)
			}
		}
		return tm.id[name]
	}
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		tm.id[name] = tm.AddGroup(name)
		for _, member := range groups[name] {
			tm.AddMember(tm.id[name], user(member))
		}
	}
	user("newcomer")
	if err := tm.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
	return tm
}

// members lists the names of the group's members now.
func (tm *team) members(name string) string {
	st := tm.State()
	g, _ := st.Group(tm.id[name])
	var names []string
	for _, id := range g.Members {
		u, _ := st.User(id)
		names = append(names, strings.TrimSuffix(u.UserName, "@acme.example"))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// do makes one change: "grant GROUP USER", "revoke GROUP USER", "disable USER" or "enable
// USER".
func (tm *team) do(t *testing.T, c *baton.Connector, change string) (baton.Outcome, error) {
	t.Helper()
	w := strings.Fields(change)
	switch w[0] {
	case "grant":
		return c.Grant(t.Context(), request(tm.id[w[1]], tm.id[w[2]]))
	case "revoke":
		return c.Revoke(t.Context(), request(tm.id[w[1]], tm.id[w[2]]))
	}
	id, known := tm.id[w[1]]
	if !known {
		id = w[1]
	}
	a, ok := c.Action(w[0] + "_user")
	if !ok {
		t.Fatalf("there is no change %q", change)
	}
	return a.Run(t.Context(), baton.ActionRequest{Arguments: map[string]any{"user_id": id}})
}

func admin(cfg *perplexity.Config)  { cfg.Priority = "admin" }
func member(cfg *perplexity.Config) { cfg.Priority = "member" }

// TestAdminGuard compares the guard with the effect of each change in Perplexity.
func TestAdminGuard(t *testing.T) {
	two := func(cfg *perplexity.Config) { cfg.MinAdmins = 2 }
	override := func(cfg *perplexity.Config) { cfg.AllowLastAdmin = true }
	bosses := func(cfg *perplexity.Config) { cfg.AdminGroups = []string{"bosses"} }
	for name, tc := range map[string]struct {
		groups  map[string][]string
		change  string
		cfg     func(*perplexity.Config)
		refused bool
		warned  string
	}{
		"revoke one of two":                     {groups: map[string][]string{"PPLX_Admin": {"ann", "bob"}}, change: "revoke PPLX_Admin ann"},
		"revoke the last":                       {groups: map[string][]string{"PPLX_Admin": {"ann"}}, change: "revoke PPLX_Admin ann", refused: true},
		"revoke, the other one is disabled":     {groups: map[string][]string{"PPLX_Admin": {"ann", "off-bob"}}, change: "revoke PPLX_Admin ann", refused: true},
		"revoke the last, overridden":           {groups: map[string][]string{"PPLX_Admin": {"ann"}}, change: "revoke PPLX_Admin ann", cfg: override, warned: "no enabled admin"},
		"revoke one of two, two must remain":    {groups: map[string][]string{"PPLX_Admin": {"ann", "bob"}}, change: "revoke PPLX_Admin ann", cfg: two, refused: true},
		"disable one of two":                    {groups: map[string][]string{"PPLX_Admin": {"ann", "bob"}}, change: "disable ann"},
		"disable the last":                      {groups: map[string][]string{"PPLX_Admin": {"ann"}, "PPLX_Members": {"cid"}}, change: "disable ann", refused: true},
		"disable a member":                      {groups: map[string][]string{"PPLX_Admin": {"ann"}, "PPLX_Members": {"cid"}}, change: "disable cid"},
		"revoke membership":                     {groups: map[string][]string{"PPLX_Admin": {"ann"}, "PPLX_Members": {"cid"}}, change: "revoke PPLX_Members cid"},
		"the other admin may be a member":       {groups: map[string][]string{"PPLX_Admin": {"ann", "bob"}, "PPLX_Members": {"bob"}}, change: "disable ann", refused: true},
		"the other admin is admin first":        {groups: map[string][]string{"PPLX_Admin": {"ann", "bob"}, "PPLX_Members": {"bob"}}, change: "disable ann", cfg: admin},
		"who may be a member counts as at risk": {groups: map[string][]string{"PPLX_Admin": {"ann"}, "PPLX_Members": {"ann"}}, change: "disable ann", refused: true},
		"who is surely a member risks nothing":  {groups: map[string][]string{"PPLX_Admin": {"ann"}, "PPLX_Members": {"ann"}}, change: "disable ann", cfg: member},
		"making the last admin a member":        {groups: map[string][]string{"PPLX_Admin": {"ann"}, "PPLX_Members": {"cid"}}, change: "grant PPLX_Members ann", refused: true},
		"making an admin a member, admin first": {groups: map[string][]string{"PPLX_Admin": {"ann"}, "PPLX_Members": {"cid"}}, change: "grant PPLX_Members ann", cfg: admin, warned: "stays Admin"},
		"a configured group":                    {groups: map[string][]string{"bosses": {"ann"}, "PPLX_Admin": {"bob"}}, change: "revoke bosses ann", cfg: bosses, refused: true},
		"a usual name that is not the one":      {groups: map[string][]string{"bosses": {"ann"}, "PPLX_Admin": {"bob"}}, change: "revoke PPLX_Admin bob", cfg: bosses},
		"two candidates, either may be it":      {groups: map[string][]string{"site-admins": {"ann", "bob"}, "Admin-team": {"ann"}}, change: "revoke Admin-team ann", refused: true},
		"an admin group by a part of its name":  {groups: map[string][]string{"acme-administrators": {"ann"}}, change: "disable ann", refused: true},
		"no group is known":                     {groups: map[string][]string{"people": {"ann"}}, change: "disable ann", warned: "--admin-group"},
		"an admin group without its real admin": {groups: map[string][]string{"PPLX_Admin": {"ann"}, "web-admin": {"bob"}}, change: "revoke web-admin bob"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tm := newTeam(t, tc.groups)
				var edits []func(*perplexity.Config)
				if tc.cfg != nil {
					edits = append(edits, tc.cfg)
				}
				before := tm.State()
				out, err := tm.do(t, connectTo(t, tm.Server, edits...), tc.change)
				if refused := baton.KindOf(err) == baton.Refused && err != nil; refused != tc.refused || !refused && err != nil {
					t.Fatalf("outcome %+v, error %v; refused is to be %v", out, err, tc.refused)
				}
				if tc.refused {
					if diff := cmp.Diff(before, tm.State()); diff != "" {
						t.Errorf("it was refused, and something changed:\n%s", diff)
					}
					if !strings.Contains(baton.FixOf(err), "--allow-last-admin") {
						t.Errorf("the refusal does not say how to go on: %v. %s", err, baton.FixOf(err))
					}
				} else if out.Already || cmp.Equal(before, tm.State()) {
					t.Errorf("nothing changed: %+v", out)
				}
				if text := fmt.Sprint(out.Warnings); tc.warned == "" && strings.Contains(text, "admin") || !strings.Contains(text, tc.warned) {
					t.Errorf("warnings %q, want %q", text, tc.warned)
				}
			})
		})
	}
}

// TestChangesUnderFaults: a change has exactly the intended effect, or the error says what is known. A
// warning names other accounts that were affected.
func TestChangesUnderFaults(t *testing.T) {
	crew := map[string][]string{"crew": {"ann", "bob", "cid"}, "PPLX_Admin": {"ann", "dan"}, "PPLX_Members": {"cid"}}
	const done = -1
	for name, tc := range map[string]struct {
		fault  string
		change string
		kind   baton.Kind // of the error; 0 means done
		text   string     // in the error or the outcome
		crew   string     // members afterwards, if not the intended ones
	}{
		"grant, members dropped":              {"drop-member-on-add", "grant crew newcomer", baton.Incomplete, "does not show", "ann bob cid"},
		"grant, ignored":                      {"patch-ignored", "grant crew newcomer", baton.Incomplete, "does not show", "ann bob cid"},
		"grant, 202":                          {"patch-202", "grant crew newcomer", baton.Unavailable, "has not made it yet", "ann bob cid"},
		"grant, 204":                          {"patch-204", "grant crew newcomer", done, "", ""},
		"grant, 200 without a body":           {"patch-200-empty", "grant crew newcomer", done, "", ""},
		"grant, seen late":                    {"stale-reads-always=3", "grant crew newcomer", done, "", ""},
		"grant, cached reads are old":         {"stale-reads=50", "grant crew newcomer", done, "", ""},
		"grant, never seen":                   {"stale-reads-always=50", "grant crew newcomer", baton.Incomplete, "does not show", "ann bob cid newcomer"},
		"grant, answers lost":                 {"drop-connection=2", "grant crew newcomer", done, "", ""},
		"grant, answers cut":                  {"truncated-body=2", "grant crew newcomer", done, "", ""},
		"grant, throttled":                    {"rate-limit-date=2", "grant crew newcomer", done, "", ""},
		"grant, throttled in a 500":           {"throttle-in-500=2", "grant crew newcomer", done, "", ""},
		"grant, members only by accounts":     {"members-empty-everywhere", "grant crew newcomer", done, "", ""},
		"revoke":                              {"", "revoke crew bob", done, "", ""},
		"revoke, ignored":                     {"patch-ignored", "revoke crew bob", baton.Incomplete, "does not show", "ann bob cid"},
		"revoke, wipes the group":             {"remove-wipes-all", "revoke crew bob", baton.Internal, "2 other accounts lost membership", ""},
		"revoke, hits another":                {"remove-collateral", "revoke crew bob", baton.Internal, "1 other account lost membership", "?"},
		"revoke, seen late":                   {"stale-reads-always=3", "revoke crew bob", done, "", ""},
		"revoke, answers lost":                {"drop-connection=2", "revoke crew bob", done, "", ""},
		"revoke, members only by accounts":    {"members-empty-everywhere", "revoke crew bob", done, "", ""},
		"revoke, members absent":              {"members-absent-everywhere", "revoke crew bob", done, "", ""},
		"revoke, the first members are shown": {"members-truncated=1", "revoke crew cid", done, "Removed", ""},
		"revoke, not a member":                {"", "revoke crew newcomer", done, "already", ""},
		"revoke, not a member, 404":           {"absent-remove-404", "revoke crew newcomer", done, "already", ""},
		"disable":                             {"", "disable bob", done, "Disabled", ""},
		"disable, vanishes":                   {"soft-delete-off", "disable bob", done, "no longer shows", ""},
		"disable, ignored":                    {"patch-ignored", "disable bob", baton.Incomplete, "unchanged", ""},
		"disable, seen late":                  {"stale-reads-always=3", "disable bob", done, "Disabled", ""},
		"disable, string booleans":            {"string-booleans", "disable bob", done, "Disabled", ""},
		"disable, active not shown":           {"missing-active", "disable bob", baton.Incomplete, "does not show whether", ""},
		"disable, no such account":            {"", "disable nobody", baton.NotFound, "no account with the id", ""},
		"grant, failed after the work":        {"error-after-work=1", "grant crew newcomer", done, "", ""},
		"disable, answers lost":               {"drop-connection=2", "disable bob", done, "Disabled", ""},
		"disable an admin, nobody is shown":   {"members-empty-everywhere,no-groups-attribute", "disable ann", baton.Refused, "it is not known who is Admin", ""},
		"enable who is in a role group":       {"", "enable off-eve", done, "", ""},
		"token revoked on the way":            {"token-revoked-after=1", "grant crew newcomer", baton.Unauthenticated, "", "ann bob cid"},
		"not allowed":                         {"forbidden", "revoke crew bob", baton.PermissionDenied, "", "ann bob cid"},
		"nobody's group is shown, not a word": {"members-empty-everywhere,no-groups-attribute", "revoke crew newcomer", baton.Incomplete, "shows no members", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				groups := map[string][]string{"PPLX_Members": {"cid", "off-eve"}}
				for k, v := range crew {
					if groups[k] == nil {
						groups[k] = v
					}
				}
				var faults []string
				if tc.fault != "" {
					faults = strings.Split(tc.fault, ",")
				}
				tm := newTeam(t, groups, faults...)
				want := tm.members("crew")
				if tc.kind == done && tc.text != "already" {
					switch w := strings.Fields(tc.change); w[0] {
					case "grant":
						want += " " + w[2]
					case "revoke":
						want = strings.Join(slices.DeleteFunc(strings.Fields(want), func(m string) bool { return m == w[2] }), " ")
					}
				}
				if tc.crew != "" {
					want = tc.crew
				}
				out, err := tm.do(t, connectTo(t, tm.Server, admin), tc.change)
				text := fmt.Sprint(out.Done, out.Warnings, err)
				if tc.text == "already" && !out.Already {
					t.Errorf("not already: %s", text)
				} else if tc.text != "already" && !strings.Contains(text, tc.text) {
					t.Errorf("the result is %q, want %q", text, tc.text)
				}
				if tc.kind == done && err != nil || tc.kind != done && (err == nil || baton.KindOf(err) != tc.kind) {
					t.Errorf("%v (%v), want kind %v", err, baton.KindOf(err), tc.kind)
				}
				if got := tm.members("crew"); got != want && want != "?" && !strings.Contains(tc.fault, "wipes") {
					t.Errorf("crew is %q, want %q", got, want)
				}
				if n := tm.Requests()["DELETE /Users/{id}"] + tm.Requests()["PUT /Groups/{id}"] + tm.Requests()["DELETE /Groups/{id}"]; n > 0 {
					t.Errorf("requests that must never be made: %v", tm.Requests())
				}
			})
		})
	}
}

// TestTwoAdminsAtOnce: each of two changes alone would leave one admin, and both together none. Whichever
// comes second is refused.
func TestTwoAdminsAtOnce(t *testing.T) {
	for _, pair := range [][2]string{
		{"disable ann", "disable bob"},
		{"revoke PPLX_Admin ann", "disable bob"},
		{"revoke PPLX_Admin ann", "revoke PPLX_Admin bob"},
		{"revoke PPLX_Admin ann", "grant PPLX_Members bob"},
	} {
		t.Run(pair[0]+", "+pair[1], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tm := newTeam(t, map[string][]string{"PPLX_Admin": {"ann", "bob"}, "PPLX_Members": {"cid"}}, "slow=100ms")
				c := connectTo(t, tm.Server)
				refused := make(chan bool, len(pair))
				for _, what := range pair {
					go func() {
						_, err := tm.do(t, c, what)
						refused <- err != nil && baton.KindOf(err) == baton.Refused
					}()
				}
				if a, b := <-refused, <-refused; a == b {
					t.Errorf("refused: %v and %v, want one of them", a, b)
				}
				if st := tm.State(); len(st.Admins) == 0 {
					t.Error("nobody is admin any more")
				}
			})
		})
	}
}

// TestWhatMayHaveHappenedIsSaid: a write is carried out but answered by an error, and reading back shows no
// result. One write is repeated, the other is not.
func TestWhatMayHaveHappenedIsSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		retryFor time.Duration
		faults   []string
		change   string
		what     func(tm *team) bool // the upstream did
	}{
		"grant, never seen":                {time.Hour, []string{"error-after-work=1", "stale-reads-always=50"}, "grant crew newcomer", func(tm *team) bool { return tm.members("crew") == "ann bob newcomer" }},
		"grant once, never seen":           {-1, []string{"error-after-work=1", "stale-reads-always=50"}, "grant crew newcomer", func(tm *team) bool { return tm.members("crew") == "ann bob newcomer" }},
		"grant, cannot be read back":       {time.Hour, []string{"error-after-work=1", "big-group-500=2"}, "grant crew newcomer", func(tm *team) bool { return tm.members("crew") == "ann bob newcomer" }},
		"grant once, cannot be read back":  {-1, []string{"error-after-work=1", "big-group-500=2"}, "grant crew newcomer", func(tm *team) bool { return tm.members("crew") == "ann bob newcomer" }},
		"revoke, never seen":               {time.Hour, []string{"error-after-work=1", "stale-reads-always=50"}, "revoke crew bob", func(tm *team) bool { return tm.members("crew") == "ann" }},
		"revoke once, never seen":          {-1, []string{"error-after-work=1", "stale-reads-always=50"}, "revoke crew bob", func(tm *team) bool { return tm.members("crew") == "ann" }},
		"disable, never seen":              {time.Hour, []string{"error-after-work=1", "stale-reads-always=50"}, "disable bob", func(tm *team) bool { return !tm.active("bob") }},
		"disable once, never seen":         {-1, []string{"error-after-work=1", "stale-reads-always=50"}, "disable bob", func(tm *team) bool { return !tm.active("bob") }},
		"disable, cannot be read":          {time.Hour, []string{"error-after-work=1", "token-revoked-after=4"}, "disable bob", func(tm *team) bool { return !tm.active("bob") }},
		"disable once, cannot be read":     {-1, []string{"error-after-work=1", "token-revoked-after=4"}, "disable bob", func(tm *team) bool { return !tm.active("bob") }},
		"create, never seen":               {time.Hour, []string{"error-after-work=1", "stale-reads-always=50"}, "create jane", func(tm *team) bool { return tm.active("jane") }},
		"create once, never seen":          {-1, []string{"error-after-work=1", "stale-reads-always=50"}, "create jane", func(tm *team) bool { return tm.active("jane") }},
		"create, delivered twice":          {time.Hour, []string{"duplicate-delivery", "stale-reads-always=50"}, "create jane", func(tm *team) bool { return tm.active("jane") }},
		"create, cannot be looked up":      {time.Hour, []string{"error-after-work=1", "token-revoked-after=2"}, "create jane", func(tm *team) bool { return tm.active("jane") }},
		"create once, cannot be looked up": {-1, []string{"error-after-work=1", "token-revoked-after=2"}, "create jane", func(tm *team) bool { return tm.active("jane") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tm := newTeam(t, map[string][]string{"crew": {"ann", "bob"}, "PPLX_Admin": {"dan"}}, tc.faults...)
				c := connectTo(t, tm.Server, func(cfg *perplexity.Config) { cfg.REST = client(t, tm.Server, tc.retryFor) })
				out, err := baton.Outcome{}, error(nil)
				if name, ok := strings.CutPrefix(tc.change, "create "); ok {
					out, err = c.Account.Create(t.Context(), baton.AccountRequest{Email: name + "@acme.example", Profile: map[string]any{"display_name": name}})
				} else {
					out, err = tm.do(t, c, tc.change)
				}
				if !tc.what(tm) {
					t.Fatalf("the upstream did not do it: %+v, %v", out, err)
				}
				if err == nil || !strings.Contains(err.Error(), "may have been carried out") || baton.FixOf(err) == "" {
					t.Errorf("it says %+v, %v (fix %q)", out.Done, err, baton.FixOf(err))
				}
			})
		})
	}
}

// active reports whether the user is there and enabled.
func (tm *team) active(name string) bool {
	u, ok := tm.State().User(name + "@acme.example")
	return ok && u.Active
}

// TestListWithoutTheAdminGroup: the guard stays on if the list of groups leaves out the group of the request,
// or a group that the account says it is in.
func TestListWithoutTheAdminGroup(t *testing.T) {
	for _, change := range []string{"revoke PPLX_Admin ann", "disable ann"} {
		t.Run(change, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The list begins with the second group, and its total counts only the rows shown.
				tm := newTeam(t, map[string][]string{"PPLX_Admin": {"ann"}, "PPLX_Members": {"cid"}}, "zero-based-start", "total-is-page-size")
				before := tm.State()
				out, err := tm.do(t, connectTo(t, tm.Server), change)
				if err == nil || baton.KindOf(err) != baton.Incomplete || !strings.Contains(err.Error(), "leaves group") || baton.FixOf(err) == "" {
					t.Errorf("%+v, %v (%v, fix %q)", out, err, baton.KindOf(err), baton.FixOf(err))
				}
				if diff := cmp.Diff(before, tm.State()); diff != "" {
					t.Errorf("something changed:\n%s", diff)
				}
			})
		})
	}
}

// TestStaleAdminsDoNotCount: if the server returns stale reads, an admin whose rights were just taken away
// still shows as admin, but must not count as a remaining one.
func TestStaleAdminsDoNotCount(t *testing.T) {
	for _, pair := range [][2]string{
		{"revoke PPLX_Admin ann", "revoke PPLX_Admin bob"},
		{"revoke PPLX_Admin ann", "disable bob"},
		{"disable ann", "revoke PPLX_Admin bob"},
	} {
		t.Run(pair[0]+", "+pair[1], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tm := newTeam(t, map[string][]string{"PPLX_Admin": {"ann", "bob"}, "PPLX_Members": {"cid"}}, "stale-reads-always=500")
				c := connectTo(t, tm.Server)
				if _, err := tm.do(t, c, pair[0]); err == nil || baton.KindOf(err) != baton.Incomplete {
					t.Fatalf("the first: %v, want that it does not show", err)
				}
				if out, err := tm.do(t, c, pair[1]); err == nil || baton.KindOf(err) != baton.Refused {
					t.Errorf("the second: %+v, %v, want it refused", out, err)
				}
				if st := tm.State(); len(st.Admins) == 0 {
					t.Error("nobody is admin any more")
				}
			})
		})
	}
}

func TestCreateAccount(t *testing.T) {
	create := func(t *testing.T, tm *team, email, name string) (baton.Outcome, error) {
		t.Helper()
		return connectTo(t, tm.Server).Account.Create(t.Context(), baton.AccountRequest{Email: email, Profile: map[string]any{"display_name": name}})
	}
	bubble := func(t *testing.T, name string, faults []string, do func(t *testing.T, tm *team)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { do(t, newTeam(t, map[string][]string{"crew": {"ann", "off-eve"}}, faults...)) })
		})
	}
	for name, want := range map[string][2]string{
		"Jane Smith":                {"Jane", "Smith"},
		"  Ada  King of Lovelace  ": {"Ada", "King of Lovelace"},
		"Madonna":                   {"Madonna", ""},
		"小林 花子":                     {"小林", "花子"},
	} {
		bubble(t, "name "+name, nil, func(t *testing.T, tm *team) {
			out, err := create(t, tm, "jane@acme.example", name)
			u, ok := tm.State().User("jane@acme.example")
			if err != nil || out.Already || !ok {
				t.Fatalf("%+v, %v", out, err)
			}
			if u.GivenName != want[0] || u.FamilyName != want[1] || !u.Active || u.Email != "jane@acme.example" || out.Resource.ID.ID != u.ID {
				t.Errorf("created %+v, returned %+v", u, out.Resource)
			}
		})
	}
	bubble(t, "exists in another case", nil, func(t *testing.T, tm *team) {
		out, err := create(t, tm, "ANN@Acme.example", "Ann Other")
		if err != nil || !out.Already || out.Resource.ID.ID != tm.id["ann"] {
			t.Errorf("%+v, %v", out, err)
		}
	})
	bubble(t, "exists in another case, filters mind it", []string{"filter-case-sensitive"}, func(t *testing.T, tm *team) {
		out, err := create(t, tm, "ANN@Acme.example", "Ann Other")
		if err != nil || !out.Already || out.Resource.ID.ID != tm.id["ann"] {
			t.Errorf("%+v, %v", out, err)
		}
	})
	bubble(t, "exists, disabled", nil, func(t *testing.T, tm *team) {
		out, err := create(t, tm, "off-eve@acme.example", "Eve")
		if err != nil || !out.Already || !strings.Contains(fmt.Sprint(out.Warnings), "enable_user") {
			t.Errorf("%+v, %v", out, err)
		}
		if u, _ := tm.State().User("off-eve@acme.example"); u.Active {
			t.Error("it was enabled on the way")
		}
	})
	bubble(t, "exists, no filters", []string{"filter-unsupported"}, func(t *testing.T, tm *team) {
		if out, err := create(t, tm, "ann@acme.example", "Ann"); err != nil || !out.Already {
			t.Errorf("%+v, %v", out, err)
		}
	})
	bubble(t, "answers lost", []string{"drop-connection=2"}, func(t *testing.T, tm *team) {
		out, err := create(t, tm, "jane@acme.example", "Jane Smith")
		if err != nil || out.Already {
			t.Errorf("%+v, %v", out, err)
		}
		n := 0
		for _, u := range tm.State().Users {
			if u.UserName == "jane@acme.example" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d accounts of that name", n)
		}
	})
	bubble(t, "domain not verified", []string{"unverified-domain"}, func(t *testing.T, tm *team) {
		_, err := create(t, tm, "jane@acme.example", "Jane Smith")
		if baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), "verified") {
			t.Errorf("got %v", err)
		}
	})
	bubble(t, "no e-mail", nil, func(t *testing.T, tm *team) {
		for _, email := range []string{"", "jane", "Jane <jane@acme.example>", "a@b, c@d"} {
			if _, err := create(t, tm, email, "Jane Smith"); baton.KindOf(err) != baton.Invalid {
				t.Errorf("%q: %v", email, err)
			}
		}
	})
}
