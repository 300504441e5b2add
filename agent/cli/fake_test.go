package cli_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/agent/cli"
	"baton/connector/rest"
)

// upstream is a small HTTP service with users and one member list per group. Runs of the program read and
// change it, even in several processes.
type upstream struct {
	mu      sync.Mutex
	token   string
	users   []string // id=name
	members map[string][]string
	fail    int           // status of every response; 0 means no failure
	hang    chan struct{} // closed when a request that hangs has arrived
}

func newUpstream() *upstream {
	return &upstream{token: "secret-token", users: []string{"u1=Ann", "u2=Bob", "u3=\x1b[31mEve\u202e"},
		members: map[string][]string{"g1": {"u1"}, "g2": {"u1", "u2"}}}
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+u.token {
		http.Error(w, "what is "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		return
	}
	if u.fail != 0 {
		http.Error(w, "out of order", u.fail)
		return
	}
	if u.hang != nil && r.URL.Path == "/state" {
		close(u.hang)
		<-r.Context().Done()
		return
	}
	group, user := r.URL.Query().Get("group"), r.URL.Query().Get("user")
	switch r.Method + " " + r.URL.Path {
	case "GET /state":
		json.NewEncoder(w).Encode(map[string]any{"users": u.users, "members": u.members})
	case "POST /members":
		u.members[group] = append(u.members[group], user)
	case "DELETE /members":
		u.members[group] = slices.DeleteFunc(u.members[group], func(m string) bool { return m == user })
	case "POST /users":
		u.users = append(u.users, user)
	default:
		http.NotFound(w, r)
	}
}

type state struct {
	Users   []string            `json:"users"`
	Members map[string][]string `json:"members"`
}

// fake is a connector for that service.
type fake struct{ client *rest.Client }

func (f fake) call(ctx context.Context, method, path string) (s state, err error) {
	path, query, _ := strings.Cut(path, "?")
	req := rest.Request{Method: method, Path: path}
	if query != "" {
		req.Query = map[string][]string{}
		for _, pair := range strings.Split(query, "&") {
			k, v, _ := strings.Cut(pair, "=")
			req.Query[k] = []string{v}
		}
	}
	res, err := f.client.Do(ctx, req)
	if err != nil {
		return s, fmt.Errorf("fake: %w", err)
	}
	if len(res.Body) > 0 {
		err = json.Unmarshal(res.Body, &s)
	}
	return s, err
}

func memberOf(group string) baton.EntitlementID {
	return baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: group}, Slug: "member"}
}

func (f fake) next(ctx context.Context, _ baton.Cursor, p baton.Page) (baton.Step, error) {
	s, err := f.call(ctx, "GET", "/state")
	if err != nil {
		return baton.Step{}, err
	}
	for _, u := range s.Users {
		id, name, _ := strings.Cut(u, "=")
		p.Resource(baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: name, Status: baton.StatusEnabled,
			User: &baton.User{Login: id + "@example.com", Emails: []baton.Email{{Address: id + "@example.com", Primary: true}}}})
	}
	for group, members := range s.Members {
		f.group(p, group, members)
	}
	p.Exclude("nobody's robot", "r2d2")
	return baton.Step{Done: true}, nil
}

func (f fake) group(p baton.Page, group string, members []string) {
	e := memberOf(group)
	p.Resource(baton.Resource{ID: e.Resource, DisplayName: "Group " + group, Group: &baton.Group{}})
	p.Entitlement(baton.Entitlement{ID: e, ResourceName: "Group " + group, DisplayName: "Group " + group + " member",
		Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}})
	for _, m := range members {
		p.Grant(baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: baton.ResourceID{Type: "user", ID: m}}, ResourceName: "Group " + group})
	}
}

func (f fake) get(ctx context.Context, id baton.ResourceID, p baton.Page) error {
	s, err := f.call(ctx, "GET", "/state")
	if err != nil {
		return err
	}
	members, ok := s.Members[id.ID]
	if id.Type != "group" || !ok {
		return baton.Errorf(baton.NotFound, "fake: there is no %s", id)
	}
	f.group(p, id.ID, members)
	return nil
}

func (f fake) change(ctx context.Context, method string, req baton.GrantRequest, want bool) (baton.Outcome, error) {
	s, err := f.call(ctx, "GET", "/state")
	if err != nil {
		return baton.Outcome{}, err
	}
	group, user := req.Entitlement.Resource.ID, req.Principal.ID
	if slices.Contains(s.Members[group], user) == want {
		return baton.Outcome{Already: true}, nil
	}
	if !want && len(s.Members[group]) == 1 {
		return baton.Outcome{}, baton.Errorf(baton.Refused, "fake: %s is the last of %s", user, group).WithFix("grant it to somebody else first")
	}
	out := baton.Outcome{Done: []string{"membership of " + group + " was changed"}, Warnings: []string{"it takes a minute"}}
	if req.DryRun {
		return out, nil
	}
	_, err = f.call(ctx, method, "/members?group="+group+"&user="+user)
	return out, err
}

func (f fake) create(ctx context.Context, req baton.AccountRequest) (baton.Outcome, error) {
	id, _, _ := strings.Cut(req.Email, "@")
	name := req.Profile["display_name"].(string)
	res := &baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: name}
	s, err := f.call(ctx, "GET", "/state")
	if err != nil {
		return baton.Outcome{}, err
	}
	if slices.ContainsFunc(s.Users, func(u string) bool { return strings.HasPrefix(u, id+"=") }) {
		return baton.Outcome{Already: true, Resource: res}, nil
	}
	if !req.DryRun {
		_, err = f.call(ctx, "POST", "/users?user="+id+"="+name)
	}
	return baton.Outcome{Resource: res}, err
}

func (f fake) diagnose(ctx context.Context, report func(baton.Finding)) {
	if _, err := f.call(ctx, "GET", "/state"); err != nil {
		report(baton.Finding{Check: "token", Level: baton.Failure, Detail: err.Error(), Fix: cmp.Or(baton.FixOf(err), "get a new one")})
		return
	}
	report(baton.Finding{Check: "token", Detail: "accepted"})
	report(baton.Finding{Check: "groups", Level: baton.Warning, Detail: "two groups only", Fix: "make more"})
}

func describe(f fake) *baton.Connector {
	return &baton.Connector{
		Name: "baton-fake", DisplayName: "Fake", Description: "Users and groups of a small service.", HelpURL: "https://fake.example/help",
		ResourceTypes: []baton.ResourceType{
			{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true, Provision: true},
			{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}, Provision: true},
		},
		Feeds:    []baton.Feed{{Name: "all", Types: []string{"user", "group"}, Next: f.next}},
		Validate: func(ctx context.Context) error { _, err := f.call(ctx, "GET", "/state"); return err },
		Get:      f.get,
		Grant: func(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
			return f.change(ctx, "POST", req, true)
		},
		Revoke: func(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
			return f.change(ctx, "DELETE", req, false)
		},
		Account: &baton.AccountCreation{ResourceType: "user", Create: f.create,
			Fields: []baton.Field{{Name: "display_name", DisplayName: "Name", Description: "First and last name", Required: true}}},
		Actions: []baton.Action{{Name: "poke_user", DisplayName: "Poke", Description: "Pokes a user.", Types: []baton.ActionType{baton.ActionAccount},
			Arguments: []baton.Field{{Name: "user_id", Description: "whom", Required: true}, {Name: "times", Kind: baton.IntField}},
			Returns:   []baton.Field{{Name: "poked", Kind: baton.BoolField}},
			Run: func(_ context.Context, req baton.ActionRequest) (baton.Outcome, error) {
				return baton.Outcome{Done: []string{fmt.Sprintf("poked %s", req.Arguments["user_id"])}, Values: map[string]any{"poked": !req.DryRun}}, nil
			}}},
		Diagnose: f.diagnose,
		Review: func(facts baton.Facts) ([]baton.Note, error) {
			n := 0
			err := facts.Grants(memberOf("g1"), func(baton.Grant) error { n++; return nil })
			return []baton.Note{{Label: "first group", Text: fmt.Sprintf("%d members", n), Floors: []baton.Floor{{Noun: "members of the first group", Count: n, Least: 1}}}, {Level: baton.Warning, Label: "second group", Text: "look at it"}}, err
		},
	}
}

// program is a whole connector program.
func program() cli.Program {
	return cli.Program{
		Name: "baton-fake", Version: "1.2.3",
		Settings: []baton.Setting{
			{Name: "fake-token", DisplayName: "Token", Description: "The bearer token", Kind: baton.SecretSetting, Required: true},
			{Name: "fake-url", DisplayName: "URL", Description: "Where the service is", Required: true},
			{Name: "teams", DisplayName: "Teams", Description: "Teams to look at", Kind: baton.StringsSetting},
			{Name: "depth", Description: "How deep to look", Kind: baton.IntSetting, Default: 3, Min: 1, Max: 9, Advanced: true},
			{Name: "strict", Description: "Whether to be strict", Kind: baton.BoolSetting, Advanced: true},
		},
		Describe: func() *baton.Connector { return describe(fake{}) },
		Open: func(v baton.Values, o rest.Options) (*baton.Connector, error) {
			o.RetryFor = -1
			client, err := rest.New(rest.Config{BaseURL: v.String("fake-url"), Token: v.Secret("fake-token")}.With(o))
			if err != nil {
				return nil, err
			}
			c := describe(fake{client: client})
			c.Origin = client.Origin()
			return c, nil
		},
		Sandbox: &cli.Sandbox{
			Faults: []cli.Fault{{Name: "down", Description: "everything is answered 500"}},
			New: func(o cli.SandboxOptions) (cli.SandboxServer, error) {
				u := newUpstream()
				for _, fault := range o.Faults {
					if fault != "down" {
						return cli.SandboxServer{}, baton.Errorf(baton.Invalid, "there is no fault %q", fault)
					}
					u.fail = http.StatusInternalServerError
				}
				return cli.SandboxServer{
					Handler: u,
					Settings: func(origin string) map[string]string {
						return map[string]string{"fake-url": origin, "fake-token": u.token}
					},
					Mark: baton.ResourceID{Type: "user", ID: "u3"},
					Tour: []cli.TourStep{
						{Title: "Bob joins.", Args: []string{"--grant-entitlement", "group:g1:member", "--grant-principal", "u2", "--grant-principal-type", "user"}},
						{Title: "The last one stays.", Args: []string{"--revoke-grant", "group:g1:member:user:u1"}, Refused: false},
					},
				}, nil
			},
		},
	}
}

// outcome is the result of a run.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs the program in a new directory.
func run(t *testing.T, ctx context.Context, p cli.Program, env []string, args ...string) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	code := cli.Run(ctx, p, args, env, &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// serve serves an upstream and returns environment variables that point to it.
func serve(t *testing.T, u *upstream) []string {
	t.Helper()
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	return []string{"BATON_FAKE_URL=" + server.URL, "BATON_FAKE_TOKEN=" + u.token}
}

const patience = 10 * time.Second

func runWith(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return cli.Run(ctx, program(), args, nil, stdout, stderr)
}

// start starts the program as a separate process.
func start(t *testing.T, env []string, args ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	// A test binary with the name of a command acts as that command.
	cmd.Path, cmd.Args = filepath.Join(t.TempDir(), "baton-fake"), append([]string{"baton-fake"}, args...)
	if err := os.Symlink(self, cmd.Path); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), env...)
	stderr := new(strings.Builder)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, stderr
}
