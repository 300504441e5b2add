package rpc_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/agent/service"
	"baton/c1z/c1ztest"
	"baton/connector/rest"
	"baton/console/rpc"
	"baton/console/rpc/rpctest"
)

// connector returns a connector that succeeds in every change and appends the grants and revokes to asked.
func connector(asked *[]baton.GrantRequest) *baton.Connector {
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true, Provision: true}
	return &baton.Connector{Name: "baton-fake", DisplayName: "Fake", Description: "A fake.", HelpURL: "https://example.com/help",
		ResourceTypes: []baton.ResourceType{user, {ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}, Provision: true}},
		Feeds: []baton.Feed{{Name: "all", Types: []string{"user", "group"}, Next: func(_ context.Context, _ baton.Cursor, page baton.Page) (baton.Step, error) {
			page.Resource(baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}, DisplayName: "Ann", User: &baton.User{Login: "ann"}})
			page.Resource(baton.Resource{ID: baton.ResourceID{Type: "group", ID: "g1"}, DisplayName: "Admins", Group: &baton.Group{}})
			return baton.Step{Done: true}, nil
		}}},
		Grant: func(_ context.Context, r baton.GrantRequest) (baton.Outcome, error) {
			*asked = append(*asked, r)
			return baton.Outcome{}, nil
		},
		Revoke: func(_ context.Context, r baton.GrantRequest) (baton.Outcome, error) {
			*asked = append(*asked, r)
			return baton.Outcome{Already: true}, nil
		},
		Account: &baton.AccountCreation{ResourceType: "user", Fields: []baton.Field{{Name: "name", Required: true}},
			Create: func(_ context.Context, r baton.AccountRequest) (baton.Outcome, error) {
				if r.Email != "new@example.com" || r.Profile["name"] != "New" {
					return baton.Outcome{}, errors.New("another account was asked for")
				}
				return baton.Outcome{Resource: &baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u2"}, DisplayName: "New", User: &baton.User{Login: r.Login}}}, nil
			}},
		Actions: []baton.Action{{Name: "disable_user", Types: []baton.ActionType{baton.ActionAccountDisable}, Arguments: []baton.Field{{Name: "user_id", Required: true}},
			Returns: []baton.Field{{Name: "success", Kind: baton.BoolField}},
			Run: func(_ context.Context, r baton.ActionRequest) (baton.Outcome, error) {
				if r.Arguments["user_id"] != "u1" {
					return baton.Outcome{}, errors.New("another user was meant")
				}
				return baton.Outcome{Values: map[string]any{"success": true}}, nil
			}}},
	}
}

// TestAgent runs one task of every type through this project's own service mode.
func TestAgent(t *testing.T) {
	server, err := rpctest.Listen(t.Context(), rpctest.Config{Dir: t.TempDir(), Poll: 10 * time.Millisecond, Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	id, secret, err := server.Issue(t.Context(), "fake")
	if err != nil {
		t.Fatal(err)
	}
	var asked []baton.GrantRequest
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- service.Run(ctx, service.Config{ClientID: id, ClientSecret: secret, CAFile: server.CAFile, HostID: "a", Version: "1.2.3",
			Provisioning: true, StateDir: t.TempDir(),
			Open: func(context.Context, func(rest.Attempt)) (*baton.Connector, error) { return connector(&asked), nil }})
	}()
	store := server.Store
	do := func(work rpc.Work, edit ...func(*rpc.Task)) rpc.Task {
		t.Helper()
		task, err := rpc.NewTask("fake", work, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range edit {
			e(&task)
		}
		if err := store.AddTask(t.Context(), time.Now(), task); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		task, err = store.Wait(ctx, "fake", task.ID)
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	outcome := func(task rpc.Task, want rpc.Outcome) rpc.Result {
		t.Helper()
		if got := task.Outcome(); got != want {
			t.Errorf("%s: %s (%+v), want %s", task.Work.Type(), got, task.Result, want)
		}
		return task.Result
	}

	outcome(do(rpc.Work{Hello: &rpc.HelloWork{}}), rpc.Done)
	hosts, err := store.Hosts(t.Context(), "fake")
	if err != nil || len(hosts) != 1 || hosts[0].Hello.Build.Version != "1.2.3" {
		t.Fatalf("%+v, %v", hosts, err)
	}
	d := hosts[0].Hello.Connector
	if !slices.Contains(d.Capabilities, rpc.CanProvision) || !slices.Contains(d.Capabilities, rpc.CanCreateAccounts) || !slices.Contains(d.Capabilities, rpc.CanRunActions) ||
		d.DisplayName != "Fake" || d.HelpURL == "" || len(d.ResourceTypes) != 2 || len(d.AccountFields) != 1 || !slices.Equal(d.Passwords, []rpc.PasswordKind{rpc.NoPassword}) {
		t.Errorf("the description: %+v", d)
	}

	synced := do(rpc.Work{Sync: &rpc.SyncWork{}})
	outcome(synced, rpc.Done)
	uploads, err := store.Uploads(t.Context(), "fake", synced.ID)
	if err != nil || len(uploads) != 1 || uploads[0].Kind != rpc.SyncFile {
		t.Fatalf("%+v, %v", uploads, err)
	}
	path := filepath.Join(t.TempDir(), "sync.c1z")
	content, err := io.ReadAll(rpc.UploadReader(t.Context(), store, uploads[0]))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	rows, err := c1ztest.Read(path)
	if err != nil || len(rows.ResourcesOf("user")) != 1 {
		t.Fatalf("what was uploaded holds %+v, %v", rows, err)
	}

	group := baton.Resource{ID: baton.ResourceID{Type: "group", ID: "g1"}, DisplayName: "Admins", Group: &baton.Group{}}
	entitlement := rpc.Entitlement{ID: "group:g1:member", Slug: "member", DisplayName: "Admins member", Resource: group}
	ann := baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}, DisplayName: "Ann"}
	granted := outcome(do(rpc.Work{Grant: &rpc.GrantWork{Entitlement: entitlement, Principal: ann}}), rpc.Done)
	if len(granted.Grants) != 1 || granted.Grants[0].Entitlement != entitlement.ID || granted.Grants[0].Principal != ann.ID {
		t.Errorf("granted %+v", granted.Grants)
	}
	outcome(do(rpc.Work{Revoke: &rpc.RevokeWork{ID: "group:g1:member:user:u1", Entitlement: entitlement, Principal: ann}}), rpc.AlreadyDone)
	want := baton.GrantRequest{Entitlement: baton.EntitlementID{Resource: group.ID, Slug: "member"}, Principal: ann.ID}
	if !slices.Equal(asked, []baton.GrantRequest{want, want}) {
		t.Errorf("the connector was asked for %+v", asked)
	}

	account := outcome(do(rpc.Work{CreateAccount: &rpc.CreateAccountWork{Emails: []baton.Email{{Address: "new@example.com", Primary: true}}, Login: "new",
		Profile: baton.Profile{"name": "New"}, Password: rpc.PasswordOption{Kind: rpc.NoPassword}}}), rpc.Done)
	if account.Account == nil || account.Account.Resource == nil || account.Account.Resource.ID.ID != "u2" {
		t.Errorf("created %+v", account.Account)
	}

	offered := outcome(do(rpc.Work{ListActions: &rpc.ListActionsWork{}}), rpc.Done)
	if len(offered.Actions) != 1 || offered.Actions[0].Name != "disable_user" || offered.Actions[0].Arguments[0].Kind != rpc.StringField {
		t.Errorf("the connector offers %+v", offered.Actions)
	}
	ran := do(rpc.Work{RunAction: &rpc.RunActionWork{Name: "disable_user", Arguments: baton.Profile{"user_id": "u1"}}})
	if r := outcome(ran, rpc.Done); r.Action == nil || r.Action.Values["success"] != true {
		t.Fatalf("the action: %+v", r.Action)
	}
	status := do(rpc.Work{ActionStatus: &rpc.ActionStatusWork{ID: ran.Result.Action.ID}}, func(task *rpc.Task) { task.OnlyHost = ran.Result.Host })
	if r := outcome(status, rpc.Done); r.Action == nil || r.Action.ID != ran.Result.Action.ID {
		t.Errorf("the status: %+v", r.Action)
	}
	outcome(do(rpc.Work{DeleteResource: &rpc.DeleteResourceWork{ID: ann.ID}}), rpc.Unsupported)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
