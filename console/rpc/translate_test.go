package rpc

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"baton"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

var update = flag.Bool("update", false, "write the golden file of the stored form")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var (
	group = baton.Resource{ID: baton.ResourceID{Type: "group", ID: "g1"}, DisplayName: "Admins", Group: &baton.Group{}}
	ann   = baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}, Parent: baton.ResourceID{Type: "org", ID: "o1"}, DisplayName: "Ann",
		Status: baton.StatusEnabled, CreatedAt: noon, Profile: baton.Profile{"tags": []string{"a", "b"}, "seat": 2.0, "nested": baton.Profile{"k": true}},
		User: &baton.User{Login: "ann", Emails: []baton.Email{{Address: "ann@example.com", Primary: true}}}}
	member = Entitlement{ID: "opaque id", Slug: "member", DisplayName: "Admins member", Description: "d", Purpose: baton.PurposeAssignment, Resource: group}
)

// works has one work of each type, with its message.
var works = []struct {
	work Work
	want string // JSON of the task's message, without id
}{
	{Work{Hello: &HelloWork{}}, `{"hello":{}}`},
	{Work{Sync: &SyncWork{}}, `{"syncFull":{"storageEngine":"sqlite"}}`},
	{Work{Sync: &SyncWork{Types: []string{"user"}, Resources: []baton.ResourceID{{Type: "user", ID: "u1"}}, SkipGrants: true, SkipEntitlementsAndGrants: true}},
		`{"syncFull":{"skipEntitlementsAndGrants":true,"skipGrants":true,"syncResourceTypeIds":["user"],
			"targetedSyncResources":[{"id":{"resourceType":"user","resource":"u1"}}],"storageEngine":"sqlite"}}`},
	{Work{Grant: &GrantWork{Entitlement: member, Principal: ann}}, `{"grant":{"entitlement":` + memberJSON + `,"principal":` + annJSON + `}}`},
	{Work{Revoke: &RevokeWork{ID: "grant id", Entitlement: member, Principal: ann}},
		`{"revoke":{"grant":{"id":"grant id","entitlement":` + memberJSON + `,"principal":` + annJSON + `}}}`},
	{Work{CreateAccount: &CreateAccountWork{ResourceType: "user", Emails: ann.User.Emails, Login: "ann",
		Profile: baton.Profile{"name": "Ann", "teams": []string{"a"}, "limit": 3}, Password: PasswordOption{Kind: NoPassword}}},
		`{"createAccount":{"resourceTypeId":"user","credentialOptions":{"noPassword":{}},
			"accountInfo":{"login":"ann","emails":[{"address":"ann@example.com","isPrimary":true}],"profile":{"name":"Ann","teams":["a"],"limit":3}}}}`},
	{Work{CreateAccount: &CreateAccountWork{Login: "ann", Password: PasswordOption{Kind: RandomPassword, Length: 20, Recipients: [][]byte{[]byte(`{"kty":"OKP"}`)}}}},
		`{"createAccount":{"credentialOptions":{"randomPassword":{"length":"20"}},"accountInfo":{"login":"ann","profile":{}},
			"encryptionConfigs":[{"provider":"baton/jwk/v1","jwkPublicKeyConfig":{"pubKey":"eyJrdHkiOiJPS1AifQ=="}}]}}`},
	{Work{CreateAccount: &CreateAccountWork{Login: "ann", Password: PasswordOption{Kind: SingleSignOn, Provider: "okta"}}},
		`{"createAccount":{"credentialOptions":{"sso":{"ssoProvider":"okta"}},"accountInfo":{"login":"ann","profile":{}}}}`},
	{Work{DeleteResource: &DeleteResourceWork{ID: ann.ID}}, `{"deleteResource":{"resourceId":{"resourceType":"user","resource":"u1"}}}`},
	{Work{DeleteResource: &DeleteResourceWork{ID: ann.ID, Parent: ann.Parent}},
		`{"deleteResource":{"resourceId":{"resourceType":"user","resource":"u1"},"parentResourceId":{"resourceType":"org","resource":"o1"}}}`},
	{Work{ListActions: &ListActionsWork{ResourceType: "user"}}, `{"actionListSchemas":{"resourceTypeId":"user"}}`},
	{Work{RunAction: &RunActionWork{Name: "disable_user", Arguments: baton.Profile{"user_id": "u1", "ids": []any{"a"}}, ResourceType: "user"}},
		`{"actionInvoke":{"name":"disable_user","args":{"user_id":"u1","ids":["a"]},"resourceTypeId":"user"}}`},
	{Work{ActionStatus: &ActionStatusWork{Name: "disable_user", ID: "x"}}, `{"actionStatus":{"name":"disable_user","id":"x"}}`},
}

const (
	memberJSON = `{"id":"opaque id","slug":"member","displayName":"Admins member","description":"d","purpose":"PURPOSE_VALUE_ASSIGNMENT",
		"resource":{"id":{"resourceType":"group","resource":"g1"},"displayName":"Admins",
			"annotations":[{"@type":"type.googleapis.com/c1.connector.v2.GroupTrait"}]}}`
	annJSON = `{"id":{"resourceType":"user","resource":"u1"},"parentResourceId":{"resourceType":"org","resource":"o1"},"displayName":"Ann",
		"status":{"status":"RESOURCE_STATUS_ENABLED"},"createdAt":"2026-03-01T12:00:00Z","profile":{"tags":["a","b"],"seat":2,"nested":{"k":true}},
		"annotations":[{"@type":"type.googleapis.com/c1.connector.v2.UserTrait","emails":[{"address":"ann@example.com","isPrimary":true}],"login":"ann",
			"status":{"status":"STATUS_ENABLED"},"createdAt":"2026-03-01T12:00:00Z","accountType":"ACCOUNT_TYPE_HUMAN",
			"profile":{"tags":["a","b"],"seat":2,"nested":{"k":true}}}]}`
)

func TestTaskMessage(t *testing.T) {
	for _, tt := range works {
		t.Run(string(tt.work.Type()), func(t *testing.T) {
			task, err := NewTask("acme", tt.work, noon)
			if err != nil {
				t.Fatal(err)
			}
			task.Debug = true
			// A store keeps the work as JSON.
			b, err := json.Marshal(task.Work)
			if err != nil {
				t.Fatal(err)
			}
			task.Work = Work{}
			if err := json.Unmarshal(b, &task.Work); err != nil {
				t.Fatal(err)
			}
			got, err := taskMessage(task)
			if err != nil {
				t.Fatal(err)
			}
			var want batonv1.Task
			if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			want.Id, want.Debug = task.ID, true
			if diff := cmp.Diff(&want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestStoredForm reads works, a result and a hello that an earlier version stored as JSON.
func TestStoredForm(t *testing.T) {
	type stored struct {
		Works  []Work
		Result Result
		Hello  Hello
	}
	var all stored
	for _, w := range works {
		all.Works = append(all.Works, w.work)
	}
	all.Result = Result{At: noon, Host: "a", Code: 9, Message: "m", NonRetryable: true, Refusal: "r", Already: true, Gone: true, ReplacedGrant: "g",
		Grants: []GrantedID{{ID: "i", Entitlement: "e", Principal: ann.ID}},
		Account: &AccountResult{State: AccountCreated, Resource: &group, Message: "m", InvitationExpires: noon,
			Secrets: []SealedSecret{{Name: "n", Description: "d", Provider: "p", KeyIDs: []string{"k"}, Bytes: []byte{1}}}},
		Action: &ActionRun{ID: "i", Name: "n", State: ActionRunning, Values: baton.Profile{"a": 1.5}},
		Actions: []Action{{Name: "n", DisplayName: "d", Description: "d", Types: []baton.ActionType{4}, ResourceType: "user",
			Arguments: []Field{{Name: "n", DisplayName: "d", Description: "d", Placeholder: "p", Kind: StringField, Required: true, Secret: true}}, Returns: []Field{{Name: "r", Kind: BoolField}}}},
		Other: &OtherAnswer{Type: "t", Bytes: []byte{2}}}
	all.Hello = Hello{Host: "h", Task: "t", Build: Build{Language: "l", Package: "p", Version: "v"},
		System: System{Hostname: "h", OS: "o", Platform: "p", PlatformVersion: "v", PlatformFamily: "f", KernelVersion: "k", KernelArch: "a", Virtualization: "v"},
		Connector: Description{DisplayName: "d", Description: "d", HelpURL: "u", Capabilities: []Capability{CanSync},
			ResourceTypes: []TypeDescription{{ID: "i", DisplayName: "d", Description: "d", Traits: []baton.Trait{1}, NoEntitlements: true, Capabilities: []Capability{CanProvision}, Permissions: []string{"p"}}},
			AccountFields: []Field{{Name: "n", Kind: IntField}}, Passwords: []PasswordKind{NoPassword}}}
	golden := filepath.Join("testdata", "stored.json")
	if *update {
		b, err := json.MarshalIndent(all, "", "  ")
		if err == nil {
			err = os.WriteFile(golden, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var got, want stored
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	// The types of profile values are those of JSON.
	if b, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("rows that an earlier version stored are read otherwise (-want +got):\n%s", diff)
	}
}

func TestNewTask(t *testing.T) {
	for name, tt := range map[string]struct {
		work Work
		want string // in the error
	}{
		"nothing":                      {Work{}, "no type"},
		"two":                          {Work{Hello: &HelloWork{}, Sync: &SyncWork{}}, "no type, or several"},
		"grant without anything":       {Work{Grant: &GrantWork{}}, "the id of the entitlement is missing"},
		"grant without a resource":     {Work{Grant: &GrantWork{Entitlement: Entitlement{ID: "e"}, Principal: ann}}, "the type of the entitlement's resource is missing"},
		"grant to nobody":              {Work{Grant: &GrantWork{Entitlement: member}}, "the type of the principal is missing"},
		"revoke without id":            {Work{Revoke: &RevokeWork{Entitlement: member, Principal: ann}}, "the id of the grant is missing"},
		"resource without id":          {Work{Sync: &SyncWork{Resources: []baton.ResourceID{{Type: "user"}}}}, "the id of a resource to sync is missing"},
		"account, no password":         {Work{CreateAccount: &CreateAccountWork{}}, `"" is no kind of password`},
		"account, short password":      {Work{CreateAccount: &CreateAccountWork{Password: PasswordOption{Kind: RandomPassword, Length: 7}}}, "is 7, want 8 to 64"},
		"account, nobody to tell":      {Work{CreateAccount: &CreateAccountWork{Password: PasswordOption{Kind: RandomPassword, Length: 8}}}, "a recipient of the random password is missing"},
		"deletion of nothing":          {Work{DeleteResource: &DeleteResourceWork{}}, "the type of the resource is missing"},
		"action without a name":        {Work{RunAction: &RunActionWork{}}, "the name of the action is missing"},
		"status of nothing":            {Work{ActionStatus: &ActionStatusWork{}}, "the id of the action is missing"},
		"id in another encoding":       {Work{DeleteResource: &DeleteResourceWork{ID: baton.ResourceID{Type: "user", ID: "caf\xe9"}}}, "invalid UTF-8"},
		"grant id in another encoding": {Work{Revoke: &RevokeWork{ID: "caf\xe9", Entitlement: member, Principal: ann}}, "invalid UTF-8"},
		"name in another encoding":     {Work{Grant: &GrantWork{Entitlement: member, Principal: baton.Resource{ID: ann.ID, DisplayName: "caf\xe9"}}}, "UTF-8"},
		"argument that JSON lacks":     {Work{RunAction: &RunActionWork{Name: "x", Arguments: baton.Profile{"c": make(chan int)}}}, "chan int"},
		"argument that is no number":   {Work{RunAction: &RunActionWork{Name: "x", Arguments: baton.Profile{"c": math.NaN()}}}, "NaN"},
		"list of other things":         {Work{Grant: &GrantWork{Entitlement: member, Principal: baton.Resource{ID: ann.ID, Profile: baton.Profile{"l": []any{1.0}}}}}, "other things than texts"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewTask("acme", tt.work, noon)
			if baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	task, err := NewTask("acme", Work{Hello: &HelloWork{}}, noon)
	if err != nil || !isTaskID(task.ID) || task.State != Queued || !task.Due.Equal(noon) || task.LeaseTime != ReadLease {
		t.Errorf("%+v, %v", task, err)
	}
	// Ids are opaque: NUL is valid UTF-8.
	if _, err := NewTask("acme", Work{DeleteResource: &DeleteResourceWork{ID: baton.ResourceID{Type: "user", ID: "a\x00:b"}}}, noon); err != nil {
		t.Error(err)
	}
}

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func succeeded(response *anypb.Any, annotations ...*anypb.Any) *batonv1.BatonServiceFinishTaskRequest {
	return &batonv1.BatonServiceFinishTaskRequest{FinalState: &batonv1.BatonServiceFinishTaskRequest_Success_{
		Success: &batonv1.BatonServiceFinishTaskRequest_Success{Response: response, Annotations: annotations}}}
}

func failed(s *status.Status, nonRetryable bool) *batonv1.BatonServiceFinishTaskRequest {
	return &batonv1.BatonServiceFinishTaskRequest{Status: s, FinalState: &batonv1.BatonServiceFinishTaskRequest_Error_{
		Error: &batonv1.BatonServiceFinishTaskRequest_Error{NonRetryable: nonRetryable}}}
}

// TestResultOf translates results that the recorded programs do not send.
func TestResultOf(t *testing.T) {
	reason := func(reason string, metadata map[string]string) *anypb.Any {
		return packed(t, &errdetails.ErrorInfo{Reason: reason, Metadata: metadata})
	}
	account := &connectorv2.CreateAccountResponse{Result: &connectorv2.CreateAccountResponse_InProgress{InProgress: &connectorv2.CreateAccountResponse_InProgressResult{}}}
	noID := &connectorv2.CreateAccountResponse{Result: &connectorv2.CreateAccountResponse_Success{
		Success: &connectorv2.CreateAccountResponse_SuccessResult{Resource: &connectorv2.Resource{DisplayName: "Ann"}}}}
	noIDBytes, err := proto.Marshal(noID)
	if err != nil {
		t.Fatal(err)
	}
	numbers := &structpb.Struct{Fields: map[string]*structpb.Value{"n": structpb.NewNumberValue(math.NaN())}}
	run := &connectorv2.InvokeActionResponse{Id: "i", Response: numbers}
	noNumber := &connectorv2.CreateAccountResponse{Result: &connectorv2.CreateAccountResponse_Success{Success: &connectorv2.CreateAccountResponse_SuccessResult{
		Resource: &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "user", Resource: "u1"}, Profile: numbers}}}}
	for name, tt := range map[string]struct {
		in   *batonv1.BatonServiceFinishTaskRequest
		want Result
	}{
		"success":                     {succeeded(nil), Result{}},
		"neither":                     {&batonv1.BatonServiceFinishTaskRequest{}, Result{}},
		"error without status":        {failed(nil, true), Result{Code: 2, NonRetryable: true}},
		"error that says OK":          {failed(&status.Status{Message: "m"}, false), Result{Code: 2, Message: "m"}},
		"refusal":                     {failed(&status.Status{Code: 9, Details: []*anypb.Any{reason("grant_cancelled", map[string]string{"reason": "policy"})}}, true), Result{Code: 9, NonRetryable: true, Refusal: "policy"}},
		"refusal without a why":       {failed(&status.Status{Code: 9, Details: []*anypb.Any{reason("grant_cancelled", nil)}}, true), Result{Code: 9, NonRetryable: true, Refusal: "grant_cancelled"}},
		"another reason":              {failed(&status.Status{Code: 9, Details: []*anypb.Any{reason("quota", map[string]string{"reason": "x"})}}, true), Result{Code: 9, NonRetryable: true}},
		"annotations":                 {succeeded(nil, packed(t, &connectorv2.GrantReplaced{ReplacedGrantId: "old"}), packed(t, &connectorv2.ResourceDoesNotExist{})), Result{ReplacedGrant: "old", Gone: true}},
		"annotations of the response": {succeeded(packed(t, &connectorv2.GrantManagerServiceRevokeResponse{Annotations: []*anypb.Any{packed(t, &connectorv2.GrantAlreadyRevoked{})}})), Result{Already: true}},
		"account in progress":         {succeeded(packed(t, account)), Result{Account: &AccountResult{State: AccountInProgress}}},
		"account without an id":       {succeeded(packed(t, noID)), Result{Account: &AccountResult{State: AccountCreated}, Other: &OtherAnswer{Type: "c1.connector.v2.CreateAccountResponse", Bytes: noIDBytes}}},
		"account without a result":    {succeeded(packed(t, &connectorv2.CreateAccountResponse{})), Result{Other: &OtherAnswer{Type: "c1.connector.v2.CreateAccountResponse"}}},
		"unknown type":                {succeeded(&anypb.Any{TypeUrl: "type.googleapis.com/c1.connector.v9.Answer", Value: []byte{8, 1}}), Result{Other: &OtherAnswer{Type: "c1.connector.v9.Answer", Bytes: []byte{8, 1}}}},
		"damaged":                     {succeeded(&anypb.Any{TypeUrl: "type.googleapis.com/c1.connector.v2.InvokeActionResponse", Value: []byte{255}}), Result{Other: &OtherAnswer{Type: "c1.connector.v2.InvokeActionResponse", Bytes: []byte{255}}}},
		"NaN of an action":            {succeeded(packed(t, run)), Result{Action: &ActionRun{ID: "i", State: ActionUnknown, Values: baton.Profile{"n": "NaN"}}}},
		"NaN of an account":           {succeeded(packed(t, noNumber)), Result{Account: &AccountResult{State: AccountCreated, Resource: &baton.Resource{ID: ann.ID}}}},
		"no type":                     {succeeded(&anypb.Any{}), Result{Other: &OtherAnswer{}}},
		"state of a newer version":    {succeeded(packed(t, &connectorv2.InvokeActionResponse{Status: 77})), Result{Action: &ActionRun{State: ActionUnknown}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, resultOf(tt.in), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHelloOf(t *testing.T) {
	const in = `{"hostId":"h","taskId":"t","buildInfo":{"langVersion":"go1","package":"p","packageVersion":"v"},
		"osInfo":{"hostname":"n","os":"o","platform":"p","platformVersion":"1","platformFamily":"f","kernelVersion":"k","kernelArch":"a","virtualizationSystem":"none"},
		"connectorMetadata":{"displayName":"Acme","description":"d","helpUrl":"https://x","capabilities":{
			"resourceTypeCapabilities":[{"resourceType":{"id":"user","displayName":"User","description":"u","traits":["TRAIT_USER"],
				"annotations":[{"@type":"type.googleapis.com/c1.connector.v2.SkipEntitlementsAndGrants"}]},
				"capabilities":["CAPABILITY_SYNC",99],"permissions":{"permissions":[{"permission":"users.read"}]}}],
			"connectorCapabilities":["CAPABILITY_SYNC","CAPABILITY_SERVICE_MODE_TARGETED_SYNC"],
			"credentialDetails":{"capabilityAccountProvisioning":{"preferredCredentialOption":"CAPABILITY_DETAIL_CREDENTIAL_OPTION_SSO",
				"supportedCredentialOptions":["CAPABILITY_DETAIL_CREDENTIAL_OPTION_NO_PASSWORD","CAPABILITY_DETAIL_CREDENTIAL_OPTION_SSO"]}}},
			"accountCreationSchema":{"fieldMap":{"b":{"displayName":"B","order":2,"boolField":{}},"a":{"order":2,"stringListField":{}},"z":{"order":1,"required":true,"description":"d","placeholder":"p","stringField":{}},"m":{"order":3}}},
			"annotations":[{"@type":"type.googleapis.com/c1.connector.v2.SkipEntitlementsAndGrants"},
				{"@type":"type.googleapis.com/google.protobuf.Struct","value":{"another":true}},
				{"@type":"type.googleapis.com/google.protobuf.Struct","value":{"baton_roles":{"resource_type":"group","slug":"member","priority":"member","minimum_admins":2}}}]}}`
	var m batonv1.BatonServiceHelloRequest
	if err := protojson.Unmarshal([]byte(in), &m); err != nil {
		t.Fatal(err)
	}
	want := Hello{Host: "h", Task: "t", Build: Build{Language: "go1", Package: "p", Version: "v"},
		System: System{Hostname: "n", OS: "o", Platform: "p", PlatformVersion: "1", PlatformFamily: "f", KernelVersion: "k", KernelArch: "a", Virtualization: "none"},
		Connector: Description{DisplayName: "Acme", Description: "d", HelpURL: "https://x", Capabilities: []Capability{CanSync, CanSyncTargetedByTask},
			ResourceTypes: []TypeDescription{{ID: "user", DisplayName: "User", Description: "u", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true,
				Capabilities: []Capability{CanSync, "capability_99"}, Permissions: []string{"users.read"}}},
			AccountFields: []Field{{Name: "z", Kind: StringField, Required: true, Description: "d", Placeholder: "p"}, {Name: "a", Kind: StringsField},
				{Name: "b", DisplayName: "B", Kind: BoolField}, {Name: "m", Kind: OtherField}},
			Passwords: []PasswordKind{SingleSignOn, NoPassword},
			Roles:     &baton.RoleHints{ResourceType: "group", Slug: "member", Priority: "member", MinimumAdmins: 2}}}
	if diff := cmp.Diff(want, helloOf(&m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	helloOf(&batonv1.BatonServiceHelloRequest{}) // a message without anything does not panic
}

// FuzzResultOf reads arbitrary client messages.
func FuzzResultOf(f *testing.F) {
	for _, m := range []proto.Message{
		succeeded(mustPack(&connectorv2.GrantManagerServiceGrantResponse{Grants: []*connectorv2.Grant{{Id: "g"}}})),
		succeeded(mustPack(&connectorv2.CreateAccountResponse{Result: &connectorv2.CreateAccountResponse_Success{Success: &connectorv2.CreateAccountResponse_SuccessResult{
			Resource: &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "user", Resource: "u"}}}}})),
		succeeded(mustPack(&connectorv2.ListActionSchemasResponse{Schemas: []*connectorv2.BatonActionSchema{{Name: "a"}}})),
		failed(&status.Status{Code: 9, Message: "m"}, true),
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m batonv1.BatonServiceFinishTaskRequest
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		if _, err := json.Marshal(resultOf(&m)); err != nil {
			t.Errorf("the result cannot be stored: %v", err)
		}
	})
}

func mustPack(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}

// FuzzHelloOf reads arbitrary client messages.
func FuzzHelloOf(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m batonv1.BatonServiceHelloRequest
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		if _, err := json.Marshal(helloOf(&m)); err != nil {
			t.Errorf("the hello cannot be stored: %v", err)
		}
	})
}
