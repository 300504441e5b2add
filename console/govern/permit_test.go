package govern

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/sqlite"
)

// permits lists the sufficient scopes of each command and query. Empty means that only people who
// are signed in to the pages may call it, "any" that every client may.
var permits = map[string]string{
	"Introspect": "any",
	"SignOut":    "any", // a client has no session that would end

	"Campaigns":                "read ask decide configure",
	"Campaign":                 "read ask decide configure",
	"CampaignItems":            "read ask decide configure",
	"EvidencePack":             "read configure",
	"AuditReport":              "read configure",
	"MyReviewItems":            "read ask decide configure",
	"ReviewItem":               "read ask decide configure",
	"CampaignSubmissions":      "read ask decide configure",
	"AddCampaign":              "configure",
	"ChangeCampaign":           "configure",
	"PrepareCampaign":          "configure",
	"ResetCampaign":            "configure",
	"StartCampaign":            "configure",
	"CloseCampaign":            "configure",
	"CancelCampaign":           "configure",
	"SampleCampaign":           "configure",
	"PreviewCampaign":          "configure",
	"ScopeChoices":             "configure",
	"CampaignVersion":          "",
	"PendingReview":            "read ask decide configure",
	"CountReviews":             "any",
	"DeclareIncompatible":      "configure",
	"EndIncompatible":          "configure",
	"CarryOutConsoleRemovals":  "",
	"IncompatibleEntitlements": "read configure",
	"DecideReview":             "decide",
	"DecideReviewBulk":         "decide",
	"WithdrawReview":           "decide",
	"SubmitReview":             "decide",
	"ReassignReview":           "decide",
	"EscalateReview":           "decide",

	"Apps":               "read configure",
	"App":                "read configure configure:app",
	"Changes":            "read configure configure:app",
	"RecoveryCard":       "read configure configure:app",
	"KeepRecoveryCopy":   "read configure configure:app",
	"Findings":           "read configure configure:app",
	"OpenFindings":       "read configure configure:app",
	"Finding":            "read configure configure:app",
	"AcceptFinding":      "configure configure:app",
	"SnoozeFinding":      "configure configure:app",
	"ReopenFinding":      "configure configure:app",
	"Accounts":           "read configure configure:app",
	"Account":            "read configure configure:app",
	"Entitlements":       "read configure configure:app",
	"Entitlement":        "read configure configure:app",
	"Access":             "read configure configure:app",
	"AccountHistory":     "read configure configure:app",
	"EntitlementHistory": "read configure configure:app",
	"PersonHistory":      "read configure",
	"Search":             "read configure",
	"CompanyDomains":     "read configure",
	"Audit":              "read configure",
	"ExportAudit":        "read configure",
	"StreamAudit":        "read configure",
	"AuditExport":        "read configure",
	"Retention":          "read configure",

	"ConfigurationSources": "read configure",
	"ExportConfiguration":  "read configure",
	"ManagedBy":            "any",
	"PlanConfiguration":    "configure",
	"ApplyConfiguration":   "configure",

	"ErasureOf":          "read configure",
	"HistoryKept":        "any",
	"ChainHead":          "read configure",
	"CheckChain":         "read configure",
	"Operations":         "read configure configure:app",
	"Operation":          "read configure configure:app",
	"Actions":            "read configure configure:app",
	"AskActions":         "configure configure:app",
	"RunAction":          "configure configure:app",
	"RemoveAccess":       "configure configure:app",
	"Plans":              "read configure",
	"Plan":               "read configure configure:app",
	"CreatePlan":         "configure configure:app",
	"ApplyPlan":          "configure configure:app",
	"RecomputePlan":      "configure configure:app",
	"DiscardPlan":        "configure configure:app",
	"StopPlan":           "configure configure:app",
	"PlanLines":          "read configure configure:app",
	"PlanVersion":        "",
	"MayPlanLeaving":     "read configure",
	"Removal":            "read configure configure:app",
	"RemoveAccessOf":     "configure configure:app",
	"EnableAccount":      "configure configure:app",
	"Provisioning":       "read configure configure:app",
	"SetProvisioning":    "configure configure:app",
	"Seats":              "read configure configure:app",
	"SetSeats":           "configure configure:app",
	"SeveralRoles":       "read configure configure:app",
	"LeaveOneRole":       "configure configure:app",
	"TestProvisioning":   "configure configure:app",
	"SetMaster":          "configure configure:app",
	"Requirement":        "read configure configure:app",
	"Requirements":       "read configure",
	"FindNeeds":          "read configure configure:app",
	"SetRequirement":     "configure configure:app",
	"ProposeExemption":   "configure configure:app",
	"EndExemption":       "configure configure:app",
	"ConfirmRequirement": "",

	"Automations":               "read configure",
	"Automation":                "read configure configure:app",
	"AutomationChoices":         "read configure configure:app",
	"AutomationEntitlement":     "read configure configure:app",
	"AutomationEntitlementText": "read configure configure:app",
	"AutomationDesk":            "read ask decide configure",
	"AutomationRequestForm":     "read ask decide configure",
	"AutomationRequest":         "read ask decide configure",
	"RequestAutomation":         "ask",
	"DecideAutomation":          "decide",
	"AutomationsPaused":         "any",
	"Executions":                "read configure configure:app",
	"Execution":                 "read configure configure:app",
	"AddAutomation":             "configure configure:app",
	"ChangeAutomation":          "configure configure:app",
	"PublishAutomation":         "configure configure:app",
	"RestoreAutomation":         "configure configure:app",
	"RemoveAutomation":          "configure configure:app",
	"TestAutomation":            "configure configure:app",
	"RunAutomation":             "configure configure:app",
	"PauseAutomation":           "configure configure:app",
	"ResumeAutomation":          "configure configure:app",
	"CancelExecution":           "configure configure:app",
	"PauseAutomations":          "configure",

	"NewAccount":         "read configure configure:app",
	"CreateAccount":      "configure configure:app",
	"AccountActions":     "read configure configure:app",
	"EntitlementActions": "read configure configure:app",
	"RetryOperation":     "configure configure:app",
	"CancelOperation":    "configure configure:app",
	"DoByHand":           "configure configure:app",
	"DoneByHand":         "configure configure:app",
	"AppRoles":           "read configure configure:app",
	"Abilities":          "read configure configure:app",
	"Directory":          "read configure configure:app",
	"PlanPeople":         "read configure",
	"PlanMerge":          "read configure",
	"AccountRecord":      "read configure configure:app",
	"MayConfigureApp":    "read configure configure:app",
	"FindEntitlements":   "read configure configure:app",
	"SeenApps":           "read ask configure",
	"AppConnectors":      "read configure configure:app",
	"Grants":             "read ask configure configure:app",
	"PersonAccounts":     "read ask configure configure:app",
	"SeenApp":            "read ask configure configure:app",
	"SeenEntitlement":    "read ask configure configure:app",
	"SeenEntitlements":   "read ask configure configure:app",
	"Sync":               "read configure configure:app",
	"SyncFile":           "read configure configure:app",
	"Export":             "read configure configure:app",
	"UnmanagedApps":      "read configure",
	"Connectors":         "read configure",
	"Connector":          "read configure configure:app",
	"Syncs":              "read configure configure:app",
	"Tasks":              "read configure configure:app",
	"HostedSettings":     "read configure configure:app",
	"Owners":             "read configure",
	"Providers":          "read configure",
	"Provider":           "read configure",
	"People":             "read configure",
	"Person":             "read configure",
	"Home":               "read configure",
	"Mail":               "read configure",
	"Outbox":             "read configure",
	"MailChoice":         "read configure",

	"Webhooks":       "read configure",
	"Webhook":        "read configure",
	"Deliveries":     "read configure",
	"Hooks":          "read configure",
	"Hook":           "read configure",
	"AddWebhook":     "configure",
	"ChangeWebhook":  "configure",
	"RotateWebhook":  "configure",
	"PauseWebhook":   "configure",
	"TestWebhook":    "configure",
	"RemoveWebhook":  "configure",
	"ReplayDelivery": "configure",
	"ReplayWebhook":  "configure",
	"AddHook":        "configure",
	"ChangeHook":     "configure",
	"RotateHook":     "configure",
	"RemoveHook":     "configure",

	"OwnAccountsOnly":   "read ask configure configure:app",
	"EntitlementOwners": "read configure configure:app",

	"ConfigureApp":         "configure configure:app",
	"ConfigureEntitlement": "configure configure:app",
	"ConfigurePolicy":      "configure",
	"PolicyGroups":         "read configure",
	"AddApp":               "configure",
	"AddConnector":         "configure configure:app",
	"ConfigureConnector":   "configure configure:app",
	"ConfigureHosted":      "configure configure:app",
	"TestHosted":           "configure configure:app",
	"MayUpload":            "configure configure:app",
	"Upload":               "configure configure:app",
	"PauseConnector":       "configure configure:app",
	"RemoveConnector":      "configure configure:app",
	"RemoveApp":            "configure configure:app",
	"RemovePolicy":         "configure",
	"SyncNow":              "configure configure:app",
	"Rotate":               "configure configure:app",
	"RevokeCredential":     "configure configure:app",

	"CountApprovals":     "any",
	"Approvals":          "read ask decide configure",
	"Request":            "read ask decide configure",
	"RequestCatalog":     "read ask decide configure",
	"RequestForm":        "read ask decide configure",
	"RequestNumber":      "read ask decide configure",
	"RequestVersion":     "",
	"Requests":           "read ask decide configure",
	"Delegation":         "read configure",
	"Policies":           "read configure",
	"Policy":             "read configure",
	"RequestSettings":    "read configure",
	"TestPolicy":         "read configure",
	"RequestTask":        "read ask decide configure",
	"RequestTasks":       "read ask decide configure",
	"AnswerRequest":      "ask",
	"EscalateRequest":    "ask",
	"SubmitRequest":      "ask",
	"ExtendRequest":      "ask",
	"GiveBack":           "ask",
	"GiveBackOf":         "ask",
	"CancelRequest":      "ask",
	"CommentRequest":     "ask decide",
	"Decide":             "decide",
	"DecideMany":         "decide",
	"Reassign":           "decide",
	"ReviewEmergency":    "decide",
	"DecideAmendment":    "",
	"SavePolicy":         "",
	"SetDelegation":      "",
	"SetRequestSettings": "",

	"JudgeSync": "decide",

	"CheckDevice":       "",
	"Device":            "",
	"DecideDevice":      "",
	"Candidates":        "",
	"AddPerson":         "",
	"SetPersonStatus":   "",
	"SetRoles":          "",
	"Invite":            "",
	"StepUp":            "",
	"AddClient":         "",
	"RevokeClient":      "",
	"Clients":           "",
	"SetCompanyDomains": "",
	"Require":           "",
	"ConnectorVersion":  "",
	"ConnectorsVersion": "",
	"HasBreakGlass":     "",
	"NewBreakGlass":     "",
	"EndBreakGlass":     "",
	"SetAppRoles":       "",
	"SetDirectory":      "",
	"ImportPeople":      "",
	"EditPerson":        "",
	"MergePersons":      "",
	"ContinueConnector": "",
	"SetAccountOwner":   "",
	"ClearAccountOwner": "",
	"ResetAccountOwner": "",
	"SetAccountType":    "",
	"ExplainChange":     "",

	"SCIMSources":      "read configure",
	"SCIMSource":       "read configure",
	"SCIMGroups":       "read configure",
	"SCIMMembers":      "read configure",
	"AddSCIMSource":    "",
	"AddSCIMToken":     "",
	"RevokeSCIMToken":  "",
	"RemoveSCIMSource": "",
	"SetSCIMGroupRole": "",

	"ConfigureAuditExport": "",
	"ProposeErasure":       "",
	"SetRetention":         "",
	"AddProvider":          "",
	"ChangeProvider":       "",
	"RemoveProvider":       "",
	"RemoveIdentity":       "",
	"Proofs":               "",
	"Sessions":             "",
	"EndSession":           "",
	"EndOtherSessions":     "",
	"AllClients":           "",
	"ConfigureMail":        "",
	"InviteByMail":         "",

	"ChangeAppOwners":       "",
	"ChangeConnectorOwners": "",
	"TestMail":              "",
	"RetryMail":             "",
	"SetMailChoice":         "",
}

// permitFixture is a console with an app, a connector, and a client for each scope.
type permitFixture struct {
	*Console
	store     *store.Store
	app       console.ID
	connector console.ID
	finding   console.ID

	automation console.ID

	plan    console.ID
	person  console.ID
	callers map[string]Caller
	now     time.Time
}

func newPermitFixture(t *testing.T) *permitFixture {
	t.Helper()
	f := &permitFixture{callers: map[string]Caller{}, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
	if err == nil {
		f.store, err = sqlite.Open(context.Background(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: f.now, NoFlush: true}, keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.store.Close() })
	f.Console = New(Config{Store: f.store, Hosts: []string{"console.example.com"}, Now: func() time.Time { return f.now }})
	f.update(t, func(tx *store.Tx) (err error) {
		if f.person, err = tx.AddPerson(console.Person{Name: "Ana", Roles: []console.ConsoleRole{console.SuperAdministrator}}); err != nil {
			return err
		}
		if f.app, err = tx.AddApp(console.App{Name: "App"}); err != nil {
			return err
		}
		a, err := tx.AddAutomation(console.Automation{App: f.app, Name: "Leaver", Owner: f.person, Author: f.person, Draft: console.AutomationRule{Trigger: console.AutomationTrigger{Kind: console.TriggerOnDemand}}})
		if err != nil {
			return err
		}
		f.automation = a.ID
		if f.connector, err = tx.AddConnector(console.Connector{App: f.app, Name: "connector"}); err != nil {
			return err
		}
		plan, err := tx.AddPlan(console.RemovalPlan{Cause: console.PlanCause{Kind: console.PlanSelection}, Why: "test"}, f.planRows())
		if err != nil {
			return err
		}
		f.plan = plan.ID
		rule, _ := console.AppWithoutOwner.Rule()
		if _, err := tx.AppearFindings(f.app, rule, []store.FindingCause{{Subject: "owner"}}, store.FindingBatch{}); err != nil {
			return err
		}
		all, err := tx.CurrentFindings(f.app, rule.Kind)
		f.finding = all["owner"].ID
		return err
	})
	for _, s := range []string{"read", "ask", "configure", "configure:app", "decide"} {
		scope := console.Scope(s)
		if s == "configure:app" {
			scope = console.ScopeConfigureApp(f.app)
		}
		f.callers[s] = f.client(t, scope)
	}
	return f
}

func (f *permitFixture) planRows() []console.PlanRow {
	return []console.PlanRow{{App: f.app, Account: 1, Entitlement: 1, Do: console.PlanRemove}}
}

func (f *permitFixture) update(t *testing.T, fn func(*store.Tx) error) {
	t.Helper()
	if err := f.store.Update(t.Context(), console.By{At: f.now, Actor: console.Console}, fn); err != nil {
		t.Fatal(err)
	}
}

// client returns a caller with a client that has scopes.
func (f *permitFixture) client(t *testing.T, scopes ...console.Scope) Caller {
	t.Helper()
	m, err := f.IssueClient(t.Context(), f.person, NewClient{Name: "test", Scopes: scopes, Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	token, hash := newToken()
	f.update(t, func(tx *store.Tx) error {
		return tx.AddClientToken(m.ClientID, store.ClientToken{Hash: hash, Expires: f.now.Add(time.Hour)}, f.now)
	})
	caller, err := f.AuthenticateClient(t.Context(), token, "request", "address")
	if err != nil {
		t.Fatal(err)
	}
	return caller
}

// call runs a command with arguments that name the fixture's app and connector, and returns its
// error.
func (f *permitFixture) call(name string, caller Caller) (err error) {
	method := reflect.ValueOf(f.Console).MethodByName(name)
	args := []reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(caller)}
	for i := 2; i < method.Type().NumIn(); i++ {
		arg := reflect.New(method.Type().In(i)).Elem()
		switch {
		case arg.Type() == reflect.TypeFor[console.ID]() && i == 2:
			id := f.app
			if takesConnector[name] {
				id = f.connector
			}
			if strings.HasSuffix(name, "Finding") {
				id = f.finding
			}
			if strings.HasSuffix(name, "Plan") || strings.HasPrefix(name, "Plan") {
				id = f.plan
			}
			if takesAutomation[name] {
				id = f.automation
			}
			arg.SetString(string(id))
		case arg.Type() == reflect.TypeFor[NewPlan]():
			arg.Set(reflect.ValueOf(NewPlan{Rows: f.planRows()}))
		case arg.Kind() == reflect.Struct:
			if app := arg.FieldByName("App"); app.IsValid() && app.Type() == reflect.TypeFor[console.ID]() {
				app.SetString(string(f.app))
			}
		case arg.Type() == reflect.TypeFor[string]():
			arg.SetString("x")
		case arg.Kind() == reflect.Func: // has no result to check
			results := make([]reflect.Value, arg.Type().NumOut())
			for j := range results {
				results[j] = reflect.Zero(arg.Type().Out(j))
			}
			arg.Set(reflect.MakeFunc(arg.Type(), func([]reflect.Value) []reflect.Value { return results }))
		case arg.Kind() == reflect.Int:
			arg.SetInt(10)
		}
		args = append(args, arg)
	}
	if method.Type().IsVariadic() {
		args = args[:len(args)-1]
	}
	results := method.Call(args)
	err, _ = results[len(results)-1].Interface().(error)
	return err
}

// takesAutomation lists the commands whose first argument is an automation.
var takesAutomation = map[string]bool{"Automation": true, "AutomationChoices": true, "AutomationEntitlement": true, "AutomationEntitlementText": true, "Executions": true, "Execution": true, "ChangeAutomation": true,
	"PublishAutomation": true, "RestoreAutomation": true, "TestAutomation": true, "RunAutomation": true, "PauseAutomation": true, "ResumeAutomation": true, "CancelExecution": true, "RemoveAutomation": true}

// takesConnector lists the commands whose first argument is a connector.
var takesConnector = map[string]bool{"Abilities": true, "Directory": true, "Connector": true, "Syncs": true, "Tasks": true, "HostedSettings": true, "Owners": true, "ConfigureConnector": true, "ConfigureHosted": true,
	"TestHosted": true, "PauseConnector": true, "RemoveConnector": true, "SyncNow": true, "Rotate": true, "RevokeCredential": true, "JudgeSync": true, "MayUpload": true, "Actions": true, "AskActions": true, "RunAction": true, "Upload": true}

// lacksScope reports whether an error says that a client lacks the scope.
func lacksScope(err error) bool {
	return errors.Is(err, errClient) || baton.KindOf(err) == baton.PermissionDenied && strings.HasPrefix(err.Error(), "this credential may not")
}

// TestPermits runs every command and query with clients of every scope. It fails for one that is not
// in the table.
func TestPermits(t *testing.T) {
	f := newPermitFixture(t)
	methods := reflect.TypeOf(f.Console)
	seen := map[string]bool{}
	for i := range methods.NumMethod() {
		m := methods.Method(i)
		if m.Type.NumIn() < 3 || m.Type.In(2) != reflect.TypeFor[Caller]() {
			continue
		}
		seen[m.Name] = true
		scopes, ok := permits[m.Name]
		if !ok {
			t.Errorf("%s is not in the table: say which scopes of a client are enough for it (none, if only a person on the pages may)", m.Name)
			continue
		}
		for scope, caller := range f.callers {
			want := scopes == "any" || slices.Contains(strings.Fields(scopes), scope)
			if err := f.call(m.Name, caller); lacksScope(err) == want {
				t.Errorf("%s with the scope %s: %v, want allowed: %v", m.Name, scope, err, want)
			}
		}
	}
	for name := range permits {
		if !seen[name] {
			t.Errorf("there is no command %s", name)
		}
	}
}

// TestScopeOfAnotherApp checks that a client for one app does not reach others.
func TestScopeOfAnotherApp(t *testing.T) {
	f := newPermitFixture(t)
	elsewhere := f.client(t, console.ScopeConfigureApp(console.NewID(f.now)))
	for name, scopes := range permits {
		if err := f.call(name, elsewhere); !lacksScope(err) && scopes != "any" && !strings.Contains(name, "Sync") { // there is no such sync
			t.Errorf("%s with the scope to configure another app: %v", name, err)
		}
	}
	// Only the scope configure allows a new app.
	_, err := f.AddConnector(t.Context(), f.callers["configure:app"], NewConnector{Name: "x", Product: Generic.Name, NewApp: "Another"})
	if !lacksScope(err) {
		t.Errorf("a new app with the scope to configure one app: %v", err)
	}
}

// TestClientEnds checks that a client stops working during a command: with its person, its
// revocation and its expiry.
func TestClientEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, f *permitFixture)
	}{
		{"the person is disabled", func(t *testing.T, f *permitFixture) {
			f.update(t, func(tx *store.Tx) error {
				if _, err := tx.AddPerson(console.Person{Name: "Root", Roles: []console.ConsoleRole{console.SuperAdministrator}}); err != nil {
					return err
				}
				p, err := tx.Person(f.person)
				p.Status = console.PersonDisabled
				if err == nil {
					err = tx.ChangePerson(p)
				}
				return err
			})
		}},
		{"it is revoked", func(t *testing.T, f *permitFixture) {
			f.update(t, func(tx *store.Tx) error { return tx.RevokeClient(f.callers["read"].Client.ID) })
		}},
		{"its time is over", func(t *testing.T, f *permitFixture) { f.now = f.now.Add(time.Hour) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newPermitFixture(t)
			caller := f.callers["read"]
			if err := f.call("Apps", caller); err != nil {
				t.Fatal(err)
			}
			tt.end(t, f)
			for _, name := range []string{"Apps", "Introspect", "SyncNow"} {
				if err := f.call(name, caller); baton.KindOf(err) != baton.Unauthenticated {
					t.Errorf("%s: %v, want Unauthenticated", name, err)
				}
			}
		})
	}
}

// TestClientLimits checks which clients can be created, and by whom.
func TestClientLimits(t *testing.T) {
	f := newPermitFixture(t)
	signedIn := func(roles ...console.ConsoleRole) Caller {
		t.Helper()
		var p console.Person
		f.update(t, func(tx *store.Tx) error {
			id, err := tx.AddPerson(console.Person{Name: "Ben", Roles: roles})
			if err == nil {
				p, err = tx.Person(id)
			}
			return err
		})
		return Caller{Person: p, Session: console.Session{Person: p.ID, Began: f.now, Proved: f.now, Seen: f.now}}
	}
	user, super := signedIn(), signedIn(console.SuperAdministrator)
	stale := super
	stale.Session.Proved = f.now.Add(-time.Hour)
	read := []console.Scope{console.ScopeRead}
	for _, tt := range []struct {
		what   string
		caller Caller
		n      NewClient
		want   baton.Kind
	}{
		{"a user's own", user, NewClient{Name: "laptop", Scopes: read, Life: time.Hour}, -1},
		{"for ever", user, NewClient{Name: "laptop", Scopes: read, Life: console.MaxClientLife + time.Hour}, baton.Invalid},
		{"for no time", user, NewClient{Name: "laptop", Scopes: read}, baton.Invalid},
		{"no name", user, NewClient{Name: " ", Scopes: read, Life: time.Hour}, baton.Invalid},
		{"an app that the user does not see", user, NewClient{Name: "x", Scopes: []console.Scope{console.ScopeConfigureApp(f.app)}, Life: time.Hour}, baton.NotFound},
		{"a service of a user", user, NewClient{Name: "x", Scopes: read, Life: time.Hour, Service: true}, baton.PermissionDenied},
		{"a login of an hour ago", stale, NewClient{Name: "x", Scopes: read, Life: time.Hour}, baton.PermissionDenied},
		{"a service that decides", super, NewClient{Name: "x", Scopes: []console.Scope{console.ScopeDecide}, Life: time.Hour, Service: true}, baton.Invalid},
		{"a service", super, NewClient{Name: "Terraform", Scopes: read, Life: time.Hour, Service: true, Roles: []console.ConsoleRole{console.Auditor}}, -1},
	} {
		m, err := f.AddClient(t.Context(), tt.caller, tt.n)
		if tt.want >= 0 {
			if err == nil || baton.KindOf(err) != tt.want {
				t.Errorf("%s: %v, want an error of kind %v", tt.what, err, tt.want)
			}
			continue
		}
		if err != nil || m.Secret.IsZero() || !strings.HasSuffix(m.ClientID, map[bool]string{false: "/pcc", true: "/spc"}[m.Service]) {
			t.Errorf("%s: %+v, %v", tt.what, m.Client, err)
		}
	}
	own, _, err := f.Clients(t.Context(), user, "", 10)
	if err != nil || len(own) != 1 {
		t.Fatalf("own credentials: %+v, %v", own, err)
	}
	all, _, err := f.AllClients(t.Context(), super, "", 10)
	if err != nil || len(all) != 7 {
		t.Fatalf("all credentials: %d, %v", len(all), err)
	}
	service := all[slices.IndexFunc(all, func(r ClientRow) bool { return r.Service })]
	if err := f.RevokeClient(t.Context(), user, service.ID); baton.KindOf(err) != baton.NotFound {
		t.Errorf("a user revokes a credential of others: %v", err)
	}
	if err := f.RevokeClient(t.Context(), super, service.ID); err != nil {
		t.Error(err)
	}
	if err := f.RevokeClient(t.Context(), user, own[0].ID); err != nil {
		t.Error(err)
	}
	if err := f.store.View(t.Context(), func(tx *store.Tx) error {
		p, err := tx.Person(service.Person)
		if p.Status != console.PersonDisabled {
			t.Errorf("the person of the revoked service is %s", p.Status)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
