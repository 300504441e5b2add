package service_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"baton/agent/service"
	"baton/c1z/c1ztest"
	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
	sandboxed "baton/sandbox/perplexity"
	"baton/wire"
)

// TestTasks runs every kind of task that C1 sends, one at a time and in batches.
func TestTasks(t *testing.T) {
	for name, batch := range map[string]bool{"GetTask": false, "GetTasks": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.start(func(c *service.Config) { c.BatchTasks = batch })
			t.Run("hello", func(t *testing.T) { w.as(t).testHello() })
			t.Run("sync", func(t *testing.T) { w.as(t).testSync() })
			t.Run("grant", func(t *testing.T) { w.as(t).testGrant() })
			t.Run("account", func(t *testing.T) { w.as(t).testAccount() })
			t.Run("actions", func(t *testing.T) { w.as(t).testActions() })
			t.Run("others", func(t *testing.T) { w.as(t).testOthers() })
			if err := r.stop(); err != nil {
				t.Errorf("nothing was interrupted, and yet: %v", err)
			}
			for _, task := range w.c1.Tasks() {
				if task.Deliveries != 1 || task.State != rpc.Finished {
					t.Errorf("task %s was delivered %d times and is %s", task.Work, task.Deliveries, task.State)
				}
			}
			if left := leftovers(t, w.state); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// as returns the world for a subtest.
func (w *world) as(t *testing.T) *world { w.t = t; return w }

func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was removed meanwhile
		}
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func (w *world) testHello() {
	w.succeed(&batonv1.Task{TaskType: &batonv1.Task_Hello{Hello: &batonv1.Task_HelloTask{}}}, nil)
	hellos := w.c1.Hellos()
	if len(hellos) != 1 || hellos[0].Host != "host-1" || hellos[0].Count != 2 {
		w.t.Fatalf("hellos: %v", hellos)
	}
	h := hellos[0].Request
	if m := h.ConnectorMetadata; len(m.Annotations) != 1 || wire.RoleHints(m.Annotations[0].Value) == nil || m.DisplayName != "Perplexity" || m.AccountCreationSchema.FieldMap["display_name"].GetStringField() == nil ||
		len(m.Capabilities.ResourceTypeCapabilities) != 2 {
		w.t.Errorf("metadata: %v", m)
	}
	if h.BuildInfo.LangVersion != runtime.Version() || h.BuildInfo.PackageVersion != "1.2.3" {
		w.t.Errorf("build: %v", h.BuildInfo)
	}
	for _, text := range []string{h.OsInfo.Hostname, h.OsInfo.Os, h.OsInfo.Platform, h.OsInfo.PlatformVersion, h.OsInfo.PlatformFamily,
		h.OsInfo.KernelVersion, h.OsInfo.KernelArch, h.OsInfo.VirtualizationSystem} {
		if text == "" {
			w.t.Errorf("something is empty: %v", h.OsInfo)
		}
	}
}

// uploaded opens the one file that a task uploaded.
func (w *world) uploaded(r rpctest.Result) c1ztest.Rows {
	w.t.Helper()
	if len(r.Assets) != 1 {
		w.t.Fatalf("%d uploads", len(r.Assets))
	}
	b, err := os.ReadFile(r.Assets[0].Path)
	if err != nil {
		w.t.Fatal(err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != r.Assets[0].SHA256 || int64(len(b)) != r.Assets[0].Size {
		w.t.Error("the upload is not what was sent")
	}
	rows, err := c1ztest.Read(r.Assets[0].Path)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func (w *world) count(rows c1ztest.Rows, resourceType string) (resources, grants int) {
	return len(rows.ResourcesOf(resourceType)), len(rows.GrantsOf(resourceType))
}

func (w *world) testSync() {
	state := w.org.State()
	state.Users = slices.DeleteFunc(state.Users, func(u sandboxed.UserState) bool { return !u.Managed })
	members := 0
	for _, g := range state.Groups {
		members += len(g.Members)
	}
	f := w.uploaded(w.succeed(syncTask(nil), nil))
	users, _ := w.count(f, "user")
	groups, grants := w.count(f, "group")
	if users != len(state.Users) || groups != len(state.Groups) || grants == 0 || grants > members {
		w.t.Errorf("%d users, %d groups, %d grants; the organisation has %d, %d and %d", users, groups, grants, len(state.Users), len(state.Groups), members)
	}
	f = w.uploaded(w.succeed(syncTask(func(s *batonv1.Task_SyncFullTask) {
		s.SyncResourceTypeIds = []string{"user"}
		s.StorageEngine = "pebble"
	}), nil))
	if users, _ := w.count(f, "user"); users != len(state.Users) {
		w.t.Errorf("a sync of users has %d", users)
	}
	f = w.uploaded(w.succeed(syncTask(func(s *batonv1.Task_SyncFullTask) { s.SkipEntitlementsAndGrants = true }), nil))
	if _, grants := w.count(f, "group"); grants != 0 {
		w.t.Errorf("a sync of resources has %d grants", grants)
	}
	f = w.uploaded(w.succeed(syncTask(func(s *batonv1.Task_SyncFullTask) { s.SkipGrants = true; s.SkipExpandGrants = true }), nil))
	if _, grants := w.count(f, "group"); grants != 0 {
		w.t.Errorf("a sync without grants has %d", grants)
	}
	f = w.uploaded(w.succeed(syncTask(func(s *batonv1.Task_SyncFullTask) {
		s.TargetedSyncResources = []*connectorv2.Resource{principal(state.Users[0].ID)}
	}), nil))
	if users, _ := w.count(f, "user"); users != 1 {
		w.t.Errorf("a sync of one user has %d", users)
	}
	w.fail(syncTask(func(s *batonv1.Task_SyncFullTask) { s.SyncResourceTypeIds = []string{"planet"} }), 3, false, "planet")
}

func (w *world) testGrant() {
	engineering, someone := w.group("Engineering"), w.outsider("Engineering")
	var granted connectorv2.GrantManagerServiceGrantResponse
	w.succeed(grantTask(engineering, someone), &granted)
	if !w.isMember("Engineering", someone) || len(granted.Grants) != 1 || granted.Grants[0].Id != "group:"+engineering.ID+":member:user:"+someone {
		w.t.Errorf("granted: %v", &granted)
	}
	again := w.succeed(grantTask(engineering, someone), &granted)
	if len(again.Annotations) != 1 || !again.Annotations[0].MessageIs(&connectorv2.GrantAlreadyExists{}) ||
		len(granted.Annotations) != 1 || len(granted.Grants) != 0 {
		w.t.Errorf("granted again: %v and %v", again.Annotations, &granted)
	}
	var revoked connectorv2.GrantManagerServiceRevokeResponse
	if r := w.succeed(revokeTask(engineering, someone), &revoked); w.isMember("Engineering", someone) || len(r.Annotations) != 0 {
		w.t.Errorf("revoked: %v", r)
	}
	again = w.succeed(revokeTask(engineering, someone), &revoked)
	if len(again.Annotations) != 1 || !again.Annotations[0].MessageIs(&connectorv2.GrantAlreadyRevoked{}) {
		w.t.Errorf("revoked again: %v", again.Annotations)
	}
	w.fail(grantTask(sandboxed.GroupState{ID: "nothing"}, someone), 5, true, "nothing")
	admins := w.group("PPLX_Admin")
	w.fail(revokeTask(admins, admins.Members[0]), 9, true, "admin")
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{}}}, 2, true, "malformed grant task")
	strange := entitlementOf(engineering)
	strange.Resource.Id.ResourceType, strange.Id = "planet", "planet:"+engineering.ID+":member"
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{Entitlement: strange, Principal: principal(someone)}}}, 12, true, "planet")
}

func (w *world) testAccount() {
	var made connectorv2.CreateAccountResponse
	w.succeed(accountTask("jane@acme.example", "Jane van Smith"), &made)
	if made.GetSuccess().GetResource().GetDisplayName() != "Jane van Smith" || !made.GetSuccess().GetIsCreateAccountResult() {
		w.t.Errorf("created: %v", &made)
	}
	id := made.GetSuccess().GetResource().GetId().GetResource()
	w.succeed(accountTask("Jane@acme.example", "Jane van Smith"), &made)
	if made.GetAlreadyExists().GetResource().GetId().GetResource() != id {
		w.t.Errorf("created again: %v", &made)
	}
	w.fail(accountTask("joe@acme.example", ""), 3, true, "display_name")
	secret := accountTask("joe@acme.example", "Joe Doe")
	secret.GetCreateAccount().CredentialOptions.Options = &connectorv2.CredentialOptions_RandomPassword_{RandomPassword: &connectorv2.CredentialOptions_RandomPassword{Length: 20}}
	w.fail(secret, 3, true, "password")
}

func (w *world) testActions() {
	var schemas connectorv2.ListActionSchemasResponse
	w.succeed(&batonv1.Task{TaskType: &batonv1.Task_ActionListSchemas{ActionListSchemas: &batonv1.Task_ActionListSchemasTask{}}}, &schemas)
	if len(schemas.Schemas) != 2 {
		w.t.Fatalf("schemas: %v", &schemas)
	}
	for _, schema := range schemas.Schemas {
		var one connectorv2.GetActionSchemaResponse
		w.succeed(&batonv1.Task{TaskType: &batonv1.Task_ActionGetSchema{ActionGetSchema: &batonv1.Task_ActionGetSchemaTask{Name: schema.Name}}}, &one)
		if !proto.Equal(one.Schema, schema) {
			w.t.Errorf("%v is not %v", one.Schema, schema)
		}
	}
	someone := w.outsider("PPLX_Admin")
	for _, step := range []struct {
		action string
		active bool
	}{{"disable_user", false}, {"enable_user", true}} {
		var run connectorv2.InvokeActionResponse
		w.succeed(actionTask(step.action, map[string]any{"user_id": someone, "note": nil}), &run)
		if run.Status != connectorv2.BatonActionStatus_BATON_ACTION_STATUS_COMPLETE || !run.Response.Fields["success"].GetBoolValue() || run.Name != step.action {
			w.t.Errorf("%s: %v", step.action, &run)
		}
		if u, _ := w.org.State().User(someone); u.Active != step.active {
			w.t.Errorf("after %s the account is active: %v", step.action, u.Active)
		}
		var status connectorv2.GetActionStatusResponse
		w.succeed(&batonv1.Task{TaskType: &batonv1.Task_ActionStatus{ActionStatus: &batonv1.Task_ActionStatusTask{Name: step.action, Id: run.Id}}}, &status)
		if status.Status != run.Status || !proto.Equal(status.Response, run.Response) || status.Id != run.Id {
			w.t.Errorf("status of %s: %v", step.action, &status)
		}
	}
	w.fail(actionTask("disable_user", nil), 3, false, "user_id")
	w.fail(actionTask("fly", nil), 5, false, "fly")
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_ActionStatus{ActionStatus: &batonv1.Task_ActionStatusTask{Id: "x"}}}, 5, false, `"x"`)
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_ActionStatus{ActionStatus: &batonv1.Task_ActionStatusTask{}}}, 2, true, "malformed")
}

func (w *world) testOthers() {
	w.succeed(&batonv1.Task{TaskType: &batonv1.Task_ListEventFeeds{ListEventFeeds: &batonv1.Task_ListEventFeedsTask{}}}, &connectorv2.ListEventFeedsResponse{})
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_ListEvents{ListEvents: &batonv1.Task_ListEventsTask{EventFeedId: "usage"}}}, 5, false, "usage")
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_CreateResource{CreateResource: &batonv1.Task_CreateResourceTask{}}}, 12, true, "create_resource")
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_RotateCredentials{RotateCredentials: &batonv1.Task_RotateCredentialsTask{}}}, 12, true, "rotate_credentials")
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_GetTicket{GetTicket: &batonv1.Task_GetTicketTask{}}}, 2, false, "ticketing is not enabled")
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_CompactSyncs_{CompactSyncs: &batonv1.Task_CompactSyncs{}}}, 2, false, "unsupported task type")
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_EventFeed{EventFeed: &batonv1.Task_EventFeedTask{}}}, 2, false, "unsupported task type")
	w.fail(&batonv1.Task{}, 2, false, "unsupported task type")
}

// TestWithoutProvisioning: changes are refused unless they are enabled. Actions and syncs are not changes.
func TestWithoutProvisioning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(func(c *service.Config) { c.Provisioning = false; c.SkipFullSync = true })
	engineering, someone := w.group("Engineering"), w.outsider("Engineering")
	const refused = "provisioning is not enabled"
	w.fail(grantTask(engineering, someone), 9, true, refused)
	w.fail(revokeTask(engineering, engineering.Members[0]), 9, true, refused)
	w.fail(accountTask("jane@acme.example", "Jane Smith"), 9, true, refused)
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_DeleteResource{DeleteResource: &batonv1.Task_DeleteResourceTask{}}}, 9, true, refused)
	w.succeed(actionTask("enable_user", map[string]any{"user_id": someone}), &connectorv2.InvokeActionResponse{})
	if r := w.succeed(syncTask(nil), nil); len(r.Assets) != 0 {
		t.Errorf("a sync that is to be skipped uploads %d files", len(r.Assets))
	}
	for call, n := range w.org.Requests() {
		if strings.HasPrefix(call, "P") || strings.HasPrefix(call, "DELETE") {
			t.Errorf("%d of %s", n, call)
		}
	}
}

// TestReadOnly: no change is made, not even by an action. The Hello offers no changes, and answers say that a
// retry is useless. Syncs continue.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	for name, provisioning := range map[string]bool{"": false, "wins over provisioning": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.start(func(c *service.Config) { c.ReadOnly, c.Provisioning = true, provisioning })
			engineering, someone := w.group("Engineering"), w.outsider("Engineering")
			const refused = "provisioning is switched off"
			w.fail(grantTask(engineering, someone), 9, true, refused)
			w.fail(revokeTask(engineering, engineering.Members[0]), 9, true, refused)
			w.fail(accountTask("jane@acme.example", "Jane Smith"), 9, true, refused)
			w.fail(&batonv1.Task{TaskType: &batonv1.Task_DeleteResource{DeleteResource: &batonv1.Task_DeleteResourceTask{}}}, 9, true, refused)
			for _, action := range []string{"disable_user", "enable_user", "fly"} {
				w.fail(actionTask(action, map[string]any{"user_id": someone}), 9, true, refused)
			}
			var schemas connectorv2.ListActionSchemasResponse
			w.succeed(&batonv1.Task{TaskType: &batonv1.Task_ActionListSchemas{ActionListSchemas: &batonv1.Task_ActionListSchemasTask{}}}, &schemas)
			if len(schemas.Schemas) > 0 {
				t.Errorf("it offers %v", &schemas)
			}
			f := w.uploaded(w.succeed(syncTask(nil), nil))
			if _, grants := w.count(f, "group"); grants == 0 {
				t.Error("the sync has no grants")
			}
			metadata := w.c1.Hellos()[0].Request.ConnectorMetadata
			capabilities := slices.Clone(metadata.Capabilities.ConnectorCapabilities)
			for _, rt := range metadata.Capabilities.ResourceTypeCapabilities {
				capabilities = append(capabilities, rt.Capabilities...)
			}
			for _, c := range capabilities {
				switch c {
				case connectorv2.Capability_CAPABILITY_PROVISION, connectorv2.Capability_CAPABILITY_ACCOUNT_PROVISIONING, connectorv2.Capability_CAPABILITY_ACTIONS:
					t.Errorf("it says hello with %v", c)
				}
			}
			if !slices.Contains(capabilities, connectorv2.Capability_CAPABILITY_SYNC) || metadata.AccountCreationSchema != nil {
				t.Errorf("capabilities %v, account creation %v", capabilities, metadata.AccountCreationSchema)
			}
			for call, n := range w.org.Requests() {
				if !strings.HasPrefix(call, "GET ") {
					t.Errorf("%d of %s", n, call)
				}
			}
		})
	}
}
