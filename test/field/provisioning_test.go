package field

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
	sandbox "baton/sandbox/perplexity"
)

// changeTasks returns one task for each kind of change, for an existing account and group.
func changeTasks(t *testing.T, org *sandbox.Server) (provisioning, actions map[string]*batonv1.Task, user, group string) {
	t.Helper()
	g, ok := org.State().Group("Engineering")
	i := slices.IndexFunc(org.State().Users, func(u sandbox.UserState) bool {
		return u.Active && u.Managed && !slices.Contains(g.Members, u.ID)
	})
	if !ok || len(g.Members) == 0 || i < 0 {
		t.Fatal("the sandbox has no such group, or nobody outside it")
	}
	user, group = org.State().Users[i].ID, g.ID
	profile, err := structpb.NewStruct(map[string]any{"display_name": "Jane Smith"})
	if err != nil {
		t.Fatal(err)
	}
	args, err := structpb.NewStruct(map[string]any{"user_id": user})
	if err != nil {
		t.Fatal(err)
	}
	const email = "jane@acme.example"
	provisioning = map[string]*batonv1.Task{
		"grant": {TaskType: &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{Entitlement: entitlement(group), Principal: principal(user)}}},
		"revoke": {TaskType: &batonv1.Task_Revoke{Revoke: &batonv1.Task_RevokeTask{Grant: &connectorv2.Grant{
			Id: "group:" + group + ":member:user:" + g.Members[0], Entitlement: entitlement(group), Principal: principal(g.Members[0])}}}},
		"create account": {TaskType: &batonv1.Task_CreateAccount{CreateAccount: &batonv1.Task_CreateAccountTask{
			AccountInfo: &connectorv2.AccountInfo{Emails: []*connectorv2.AccountInfo_Email{{Address: email, IsPrimary: true}}, Login: email, Profile: profile}, ResourceTypeId: "user"}}},
		"create resource":    {TaskType: &batonv1.Task_CreateResource{CreateResource: &batonv1.Task_CreateResourceTask{}}},
		"delete resource":    {TaskType: &batonv1.Task_DeleteResource{DeleteResource: &batonv1.Task_DeleteResourceTask{}}},
		"rotate credentials": {TaskType: &batonv1.Task_RotateCredentials{RotateCredentials: &batonv1.Task_RotateCredentialsTask{}}},
	}
	actions = map[string]*batonv1.Task{}
	for _, name := range []string{"disable_user", "enable_user"} {
		actions[name] = &batonv1.Task{TaskType: &batonv1.Task_ActionInvoke{ActionInvoke: &batonv1.Task_ActionInvokeTask{Name: name, Args: args}}}
	}
	return provisioning, actions, user, group
}

// writes lists the requests that can change something.
func writes(org *sandbox.Server) (calls []string) {
	for call, n := range org.Requests() {
		if !strings.HasPrefix(call, "GET ") {
			calls = append(calls, fmt.Sprint(call, " ", n))
		}
	}
	return calls
}

// refusedFor checks that a task was refused because it needs provisioning, without a retry.
func (c *cluster) refusedFor(name string, task *batonv1.Task) {
	c.t.Helper()
	if r := c.do(task); r.Status.GetCode() != 9 || !r.NonRetryable || !strings.Contains(r.Status.GetMessage(), "provisioning is") {
		c.t.Errorf("%s: %v, non-retryable %v; want code 9", name, r.Status, r.NonRetryable)
	}
}

// capabilities lists the capabilities in the last Hello.
func (c *cluster) capabilities() (list []connectorv2.Capability) {
	hellos := c.plane.Hellos()
	metadata := hellos[len(hellos)-1].Request.ConnectorMetadata
	list = slices.Clone(metadata.Capabilities.ConnectorCapabilities)
	for _, rt := range metadata.Capabilities.ResourceTypeCapabilities {
		list = append(list, rt.Capabilities...)
	}
	return list
}

var changing = []connectorv2.Capability{connectorv2.Capability_CAPABILITY_PROVISION,
	connectorv2.Capability_CAPABILITY_ACCOUNT_PROVISIONING, connectorv2.Capability_CAPABILITY_ACTIONS}

// TestProvisioningFalse sets provisioning to false in every possible way. C1 can change nothing, not even by
// an action, and the Hello offers no change. Syncs continue.
func TestProvisioningFalse(t *testing.T) {
	yaml := filepath.Join(t.TempDir(), "baton.yaml")
	if err := os.WriteFile(yaml, []byte("provisioning: false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{"BATON_PROVISIONING=false", "BATON_PROVISIONING=0", "BATON_PROVISIONING=FALSE", "BATON_CONFIG_PATH=" + yaml} {
		name, _, _ := strings.Cut(setting, "/")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.pod(t.TempDir(), setting)
			provisioning, actions, user, _ := changeTasks(t, c.org)
			for name, task := range provisioning {
				c.refusedFor(name, task)
			}
			for name, task := range actions {
				c.refusedFor(name, task)
			}
			c.uploads()
			if made := writes(c.org); len(made) > 0 {
				t.Errorf("it sent %q", made)
			}
			if u, _ := c.org.State().User(user); !u.Active {
				t.Error("the account is disabled")
			}
			for _, offered := range c.capabilities() {
				if slices.Contains(changing, offered) {
					t.Errorf("C1 is offered %v", offered)
				}
			}
		})
	}
}

// TestProvisioningUnset leaves provisioning unset or empty. Provisioning tasks are refused and actions are
// carried out, as by the official connectors, whose Hello lists all capabilities in either case.
func TestProvisioningUnset(t *testing.T) {
	for _, setting := range []string{"UNRELATED=1", "BATON_PROVISIONING="} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.pod(t.TempDir(), setting)
			provisioning, actions, user, _ := changeTasks(t, c.org)
			for name, task := range provisioning {
				c.refusedFor(name, task)
			}
			if made := writes(c.org); len(made) > 0 {
				t.Errorf("it sent %q", made)
			}
			if r := c.do(actions["disable_user"]); !r.OK() {
				t.Errorf("an action: %v", r.Status)
			}
			if u, _ := c.org.State().User(user); u.Active {
				t.Error("the account is not disabled")
			}
			for _, want := range changing {
				if !slices.Contains(c.capabilities(), want) {
					t.Errorf("C1 is not offered %v", want)
				}
			}
		})
	}
}

// TestProvisioningFalseOnTheCommandLine refuses the same changes on the command line.
func TestProvisioningFalseOnTheCommandLine(t *testing.T) {
	org := sandbox.New(sandbox.Options{})
	upstream := httptest.NewServer(org)
	t.Cleanup(upstream.Close)
	_, _, user, group := changeTasks(t, org)
	p := perplexity(t, upstream.URL+org.URLPath(), "BATON_PROVISIONING=false", "BATON_SCIM_TOKEN="+org.Token())
	if r := p.run(t); r.code != 0 {
		t.Fatalf("the sync ends with %d\n%s", r.code, r.stderr)
	}
	g, _ := org.State().Group("Engineering")
	for _, args := range [][]string{
		{"--grant-entitlement", "group:" + group + ":member", "--grant-principal", user, "--grant-principal-type", "user"},
		{"--revoke-grant", "group:" + group + ":member:user:" + g.Members[0]},
		{"--create-account-email", "jane@acme.example", "--create-account-profile", `{"display_name": "Jane Smith"}`},
		{"--invoke-action", "disable_user", "--invoke-action-args", `{"user_id": "` + user + `"}`},
		{"--invoke-action", "enable_user", "--invoke-action-args", `{"user_id": "` + user + `"}`},
	} {
		if r := p.run(t, args...); r.code != 9 || !strings.Contains(r.stderr, "BATON_PROVISIONING") {
			t.Errorf("%q ends with %d: %s", args, r.code, r.stderr)
		}
	}
	if made := writes(org); len(made) > 0 {
		t.Errorf("it sent %q", made)
	}
}
