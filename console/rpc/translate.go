package rpc

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"baton"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/configv1"
	"baton/internal/pb/connectorv2"
	"baton/wire"
)

// Only this file and validate.go use the protocol's messages of tasks, results and hellos.

// taskMessage returns the message that hands the task to a host.
func taskMessage(t Task) (*batonv1.Task, error) {
	m := &batonv1.Task{Id: t.ID, Debug: t.Debug}
	if err := setWork(m, t.Work); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Work.Type(), err)
	}
	return m, nil
}

// canEncode returns why the task cannot be sent or stored, such as a text that is not
// valid UTF-8.
func canEncode(t Task) error {
	m, err := taskMessage(t)
	if err == nil {
		_, err = proto.Marshal(m)
	}
	if err == nil {
		_, err = json.Marshal(t.Work)
	}
	return err
}

func setWork(m *batonv1.Task, w Work) error {
	switch w.Type() {
	case HelloType:
		m.TaskType = &batonv1.Task_Hello{Hello: &batonv1.Task_HelloTask{}}
	case SyncType:
		// skip_expand_grants stays unset, because the console does not expand groups itself.
		sync := &batonv1.Task_SyncFullTask{SyncResourceTypeIds: w.Sync.Types, SkipGrants: w.Sync.SkipGrants,
			SkipEntitlementsAndGrants: w.Sync.SkipEntitlementsAndGrants, StorageEngine: "sqlite"}
		for _, id := range w.Sync.Resources {
			sync.TargetedSyncResources = append(sync.TargetedSyncResources, &connectorv2.Resource{Id: resourceID(id)})
		}
		m.TaskType = &batonv1.Task_SyncFull{SyncFull: sync}
	case GrantType:
		entitlement, principal, err := entitlementAndPrincipal(w.Grant.Entitlement, w.Grant.Principal)
		m.TaskType = &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{Entitlement: entitlement, Principal: principal}}
		return err
	case RevokeType:
		entitlement, principal, err := entitlementAndPrincipal(w.Revoke.Entitlement, w.Revoke.Principal)
		m.TaskType = &batonv1.Task_Revoke{Revoke: &batonv1.Task_RevokeTask{
			Grant: &connectorv2.Grant{Id: w.Revoke.ID, Entitlement: entitlement, Principal: principal}}}
		return err
	case CreateAccountType:
		account, err := accountTask(*w.CreateAccount)
		m.TaskType = &batonv1.Task_CreateAccount{CreateAccount: account}
		return err
	case DeleteResourceType:
		task := &batonv1.Task_DeleteResourceTask{ResourceId: resourceID(w.DeleteResource.ID)}
		if w.DeleteResource.Parent != (baton.ResourceID{}) {
			task.ParentResourceId = resourceID(w.DeleteResource.Parent)
		}
		m.TaskType = &batonv1.Task_DeleteResource{DeleteResource: task}
	case ListActionsType:
		m.TaskType = &batonv1.Task_ActionListSchemas{ActionListSchemas: &batonv1.Task_ActionListSchemasTask{ResourceTypeId: w.ListActions.ResourceType}}
	case RunActionType:
		args, err := structpb.NewStruct(jsonMap(w.RunAction.Arguments))
		m.TaskType = &batonv1.Task_ActionInvoke{ActionInvoke: &batonv1.Task_ActionInvokeTask{
			Name: w.RunAction.Name, Args: args, ResourceTypeId: w.RunAction.ResourceType}}
		return err
	case ActionStatusType:
		m.TaskType = &batonv1.Task_ActionStatus{ActionStatus: &batonv1.Task_ActionStatusTask{Name: w.ActionStatus.Name, Id: w.ActionStatus.ID}}
	}
	return nil
}

func resourceID(id baton.ResourceID) *connectorv2.ResourceId {
	return &connectorv2.ResourceId{ResourceType: id.Type, Resource: id.ID}
}

// resourceMessage encodes a resource like package wire does in sync files.
func resourceMessage(r baton.Resource) (*connectorv2.Resource, error) {
	var err error
	if r.Profile, err = wireProfile(r.Profile); err != nil {
		return nil, fmt.Errorf("resource %s: %w", r.ID, err)
	}
	b, err := wire.MarshalResource(r)
	if err != nil {
		return nil, err
	}
	m := &connectorv2.Resource{}
	return m, proto.Unmarshal(b, m)
}

func entitlementAndPrincipal(e Entitlement, p baton.Resource) (*connectorv2.Entitlement, *connectorv2.Resource, error) {
	on, err := resourceMessage(e.Resource)
	if err != nil {
		return nil, nil, err
	}
	principal, err := resourceMessage(p)
	return &connectorv2.Entitlement{Id: e.ID, Slug: e.Slug, DisplayName: e.DisplayName, Description: e.Description,
		Purpose: connectorv2.Entitlement_PurposeValue(e.Purpose), Resource: on}, principal, err
}

func accountTask(w CreateAccountWork) (*batonv1.Task_CreateAccountTask, error) {
	profile, err := structpb.NewStruct(jsonMap(w.Profile))
	m := &batonv1.Task_CreateAccountTask{ResourceTypeId: w.ResourceType,
		AccountInfo: &connectorv2.AccountInfo{Login: w.Login, Profile: profile}, CredentialOptions: &connectorv2.CredentialOptions{}}
	for _, e := range w.Emails {
		m.AccountInfo.Emails = append(m.AccountInfo.Emails, &connectorv2.AccountInfo_Email{Address: e.Address, IsPrimary: e.Primary})
	}
	switch w.Password.Kind {
	case NoPassword:
		m.CredentialOptions.Options = &connectorv2.CredentialOptions_NoPassword_{NoPassword: &connectorv2.CredentialOptions_NoPassword{}}
	case RandomPassword:
		m.CredentialOptions.Options = &connectorv2.CredentialOptions_RandomPassword_{
			RandomPassword: &connectorv2.CredentialOptions_RandomPassword{Length: w.Password.Length}}
	case SingleSignOn:
		m.CredentialOptions.Options = &connectorv2.CredentialOptions_Sso{Sso: &connectorv2.CredentialOptions_SSO{SsoProvider: w.Password.Provider}}
	}
	for _, jwk := range w.Password.Recipients {
		m.EncryptionConfigs = append(m.EncryptionConfigs, &connectorv2.EncryptionConfig{Provider: "baton/jwk/v1",
			Config: &connectorv2.EncryptionConfig_JwkPublicKeyConfig{JwkPublicKeyConfig: &connectorv2.EncryptionConfig_JWKPublicKeyConfig{PubKey: jwk}}})
	}
	return m, err
}

// jsonMap converts a profile to the types of encoding/json and structpb.
func jsonMap(p baton.Profile) map[string]any {
	out := map[string]any{}
	for name, value := range p {
		switch v := value.(type) {
		case baton.Profile:
			value = jsonMap(v)
		case []string:
			list := make([]any, len(v))
			for i, s := range v {
				list[i] = s
			}
			value = list
		}
		out[name] = value
	}
	return out
}

// wireProfile converts a profile that encoding/json may have decoded to the types of package wire.
func wireProfile(p baton.Profile) (baton.Profile, error) {
	if p == nil {
		return nil, nil
	}
	out := baton.Profile{}
	for name, value := range p {
		switch v := value.(type) {
		case nil:
			continue
		case map[string]any:
			inner, err := wireProfile(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			value = inner
		case []any:
			list := make([]string, len(v))
			for i, item := range v {
				text, ok := item.(string)
				if !ok {
					return nil, fmt.Errorf("profile attribute %s is a list of other things than texts", name)
				}
				list[i] = text
			}
			value = list
		}
		out[name] = value
	}
	return out, nil
}

// resultOf translates the result that a host reports. It does not fail: an answer that it cannot
// read is kept as [Result.Other].
func resultOf(m *batonv1.BatonServiceFinishTaskRequest) Result {
	var r Result
	var annotations []*anypb.Any
	var response *anypb.Any
	switch end := m.GetFinalState().(type) {
	case *batonv1.BatonServiceFinishTaskRequest_Success_:
		annotations, response = end.Success.GetAnnotations(), end.Success.GetResponse()
	case *batonv1.BatonServiceFinishTaskRequest_Error_:
		annotations, response = end.Error.GetAnnotations(), end.Error.GetResponse()
		r.Code, r.Message, r.NonRetryable = uint32(m.GetStatus().GetCode()), m.GetStatus().GetMessage(), end.Error.GetNonRetryable()
		if r.Code == uint32(codes.OK) { // an error without a code is still an error
			r.Code = uint32(codes.Unknown)
		}
		r.Refusal = refusal(m.GetStatus().GetDetails())
	}
	if response != nil {
		answered := r
		inner, ok := answered.answer(response)
		annotations = slices.Concat(annotations, inner)
		if _, err := json.Marshal(answered); err != nil { // JSON cannot encode NaN and the year 10000
			answered, ok = r, false
		}
		if r = answered; !ok {
			r.Other = &OtherAnswer{Type: string(response.MessageName()), Bytes: response.GetValue()}
		}
	}
	for _, a := range annotations {
		r.annotate(a)
	}
	return r
}

// refusal returns the reason in the error detail with which connectors mark a deliberate refusal of
// a grant.
func refusal(details []*anypb.Any) string {
	for _, detail := range details {
		var info errdetails.ErrorInfo
		if detail.MessageIs(&info) && detail.UnmarshalTo(&info) == nil && info.GetReason() == "grant_cancelled" {
			return cmp.Or(info.GetMetadata()["reason"], info.GetReason())
		}
	}
	return ""
}

func (r *Result) annotate(a *anypb.Any) {
	switch a.MessageName() {
	case "c1.connector.v2.GrantAlreadyExists", "c1.connector.v2.GrantAlreadyRevoked":
		r.Already = true
	case "c1.connector.v2.ResourceDeleted", "c1.connector.v2.ResourceDoesNotExist":
		r.Gone = true
	case "c1.connector.v2.GrantReplaced":
		var replaced connectorv2.GrantReplaced
		if a.UnmarshalTo(&replaced) == nil {
			r.ReplacedGrant = replaced.GetReplacedGrantId()
		}
	}
}

// answer translates the response of a task. It returns its annotations, and false if the response
// has another type or cannot be read.
func (r *Result) answer(response *anypb.Any) (annotations []*anypb.Any, ok bool) {
	m, err := response.UnmarshalNew()
	if err != nil {
		return nil, false
	}
	switch m := m.(type) {
	case *connectorv2.GrantManagerServiceGrantResponse:
		for _, g := range m.GetGrants() {
			id := g.GetPrincipal().GetId()
			r.Grants = append(r.Grants, GrantedID{ID: g.GetId(), Entitlement: g.GetEntitlement().GetId(),
				Principal: baton.ResourceID{Type: id.GetResourceType(), ID: id.GetResource()}})
		}
		return m.GetAnnotations(), true
	case *connectorv2.GrantManagerServiceRevokeResponse:
		return m.GetAnnotations(), true
	case *connectorv2.CreateAccountResponse:
		r.Account, ok = accountResult(m)
		return m.GetAnnotations(), ok
	case *connectorv2.ListActionSchemasResponse:
		r.Actions = actions(m.GetSchemas())
		return m.GetAnnotations(), true
	case *connectorv2.GetActionSchemaResponse:
		r.Actions = actions([]*connectorv2.BatonActionSchema{m.GetSchema()})
		return m.GetAnnotations(), true
	case *connectorv2.InvokeActionResponse:
		r.Action = &ActionRun{ID: m.GetId(), Name: m.GetName(), State: actionState(m.GetStatus()), Values: values(m.GetResponse())}
		return m.GetAnnotations(), true
	case *connectorv2.GetActionStatusResponse:
		r.Action = &ActionRun{ID: m.GetId(), Name: m.GetName(), State: actionState(m.GetStatus()), Values: values(m.GetResponse())}
		return m.GetAnnotations(), true
	}
	return nil, false
}

func accountResult(m *connectorv2.CreateAccountResponse) (a *AccountResult, ok bool) {
	a = &AccountResult{}
	var resource *connectorv2.Resource
	switch result := m.GetResult().(type) {
	case *connectorv2.CreateAccountResponse_Success:
		a.State, resource = AccountCreated, result.Success.GetResource()
		if at := result.Success.GetInvitationExpiresAt(); at.IsValid() {
			a.InvitationExpires = at.AsTime()
		}
	case *connectorv2.CreateAccountResponse_AlreadyExists:
		a.State, resource = AccountExists, result.AlreadyExists.GetResource()
	case *connectorv2.CreateAccountResponse_ActionRequired:
		a.State, resource, a.Message = AccountActionRequired, result.ActionRequired.GetResource(), result.ActionRequired.GetMessage()
	case *connectorv2.CreateAccountResponse_InProgress:
		a.State, resource = AccountInProgress, result.InProgress.GetResource()
	default:
		return nil, false
	}
	for _, e := range m.GetEncryptedData() {
		a.Secrets = append(a.Secrets, SealedSecret{Name: e.GetName(), Description: e.GetDescription(),
			Provider: e.GetProvider(), KeyIDs: e.GetKeyIds(), Bytes: e.GetEncryptedBytes()})
	}
	if resource == nil {
		return a, true
	}
	b, err := proto.Marshal(resource)
	if err != nil {
		return a, false
	}
	decoded, err := wire.UnmarshalResource(b)
	if err != nil {
		return a, false
	}
	a.Resource = &decoded
	return a, true
}

func actionState(s connectorv2.BatonActionStatus) ActionState {
	switch s {
	case connectorv2.BatonActionStatus_BATON_ACTION_STATUS_PENDING:
		return ActionPending
	case connectorv2.BatonActionStatus_BATON_ACTION_STATUS_RUNNING:
		return ActionRunning
	case connectorv2.BatonActionStatus_BATON_ACTION_STATUS_COMPLETE:
		return ActionComplete
	case connectorv2.BatonActionStatus_BATON_ACTION_STATUS_FAILED:
		return ActionFailed
	}
	return ActionUnknown
}

func values(s *structpb.Struct) baton.Profile {
	if s == nil {
		return nil
	}
	return s.AsMap()
}

func actions(list []*connectorv2.BatonActionSchema) []Action {
	var out []Action
	for _, m := range list {
		a := Action{Name: m.GetName(), DisplayName: m.GetDisplayName(), Description: m.GetDescription(), ResourceType: m.GetResourceTypeId(),
			Arguments: configFields(m.GetArguments()), Returns: configFields(m.GetReturnTypes())}
		for _, t := range m.GetActionType() {
			a.Types = append(a.Types, baton.ActionType(t))
		}
		out = append(out, a)
	}
	return out
}

func configFields(list []*configv1.Field) []Field {
	var out []Field
	for _, m := range list {
		out = append(out, Field{Name: m.GetName(), DisplayName: m.GetDisplayName(), Description: m.GetDescription(),
			Placeholder: m.GetPlaceholder(), Kind: fieldKind(m.ProtoReflect()), Required: m.GetIsRequired(), Secret: m.GetIsSecret()})
	}
	return out
}

// fieldKind returns the kind of a field by the member of its oneof "field" that is set.
func fieldKind(m protoreflect.Message) FieldKind {
	set := m.WhichOneof(m.Descriptor().Oneofs().ByName("field"))
	if set == nil {
		return OtherField
	}
	if set.Name() == "string_slice_field" { // the name in action schemas
		return StringsField
	}
	return FieldKind(strings.TrimSuffix(string(set.Name()), "_field"))
}

// helloOf translates a host's description.
func helloOf(m *batonv1.BatonServiceHelloRequest) Hello {
	build, system, metadata := m.GetBuildInfo(), m.GetOsInfo(), m.GetConnectorMetadata()
	return Hello{
		Host: m.GetHostId(), Task: m.GetTaskId(),
		Build: Build{Language: build.GetLangVersion(), Package: build.GetPackage(), Version: build.GetPackageVersion()},
		System: System{Hostname: system.GetHostname(), OS: system.GetOs(), Platform: system.GetPlatform(),
			PlatformVersion: system.GetPlatformVersion(), PlatformFamily: system.GetPlatformFamily(),
			KernelVersion: system.GetKernelVersion(), KernelArch: system.GetKernelArch(), Virtualization: system.GetVirtualizationSystem()},
		Connector: Description{
			DisplayName: metadata.GetDisplayName(), Description: metadata.GetDescription(), HelpURL: metadata.GetHelpUrl(),
			Capabilities:  capabilities(metadata.GetCapabilities().GetConnectorCapabilities()),
			ResourceTypes: typeDescriptions(metadata.GetCapabilities().GetResourceTypeCapabilities()),
			AccountFields: accountFields(metadata.GetAccountCreationSchema()),
			Passwords:     passwords(metadata.GetCapabilities().GetCredentialDetails().GetCapabilityAccountProvisioning()),
			Roles:         roleHintsOf(metadata.GetAnnotations()),
		},
	}
}

// maxRoleNames limits the names of one list of role hints: they are kept for each host.
const maxRoleNames = 100

// roleHintsOf returns the role hints in the annotations of a connector's description. It ignores
// hints that are too long: they only help people.
func roleHintsOf(annotations []*anypb.Any) *baton.RoleHints {
	for _, a := range annotations {
		if !a.MessageIs((*structpb.Struct)(nil)) || len(a.GetValue()) > maxText*8 {
			continue
		}
		h := wire.RoleHints(a.GetValue())
		if h == nil {
			continue
		}
		for _, names := range [][]string{h.Admin.Configured, h.Admin.Usual, h.Member.Configured, h.Member.Usual} {
			if len(names) > maxRoleNames {
				return nil
			}
		}
		return h
	}
	return nil
}

// enumName returns the protocol's name of an enum value without its prefix, in lower case; the
// number if it has no name.
func enumName(e protoreflect.Enum, prefix string) string {
	value := e.Descriptor().Values().ByNumber(e.Number())
	if value == nil {
		return fmt.Sprint(strings.ToLower(prefix), e.Number())
	}
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), prefix))
}

func capabilities(list []connectorv2.Capability) []Capability {
	var out []Capability
	for _, c := range list {
		out = append(out, Capability(enumName(c, "CAPABILITY_")))
	}
	return out
}

func typeDescriptions(list []*connectorv2.ResourceTypeCapability) []TypeDescription {
	var out []TypeDescription
	for _, m := range list {
		t := TypeDescription{ID: m.GetResourceType().GetId(), DisplayName: m.GetResourceType().GetDisplayName(),
			Description: m.GetResourceType().GetDescription(), Capabilities: capabilities(m.GetCapabilities())}
		for _, trait := range m.GetResourceType().GetTraits() {
			t.Traits = append(t.Traits, baton.Trait(trait))
		}
		t.NoEntitlements = slices.ContainsFunc(m.GetResourceType().GetAnnotations(), func(a *anypb.Any) bool {
			return a.MessageIs((*connectorv2.SkipEntitlementsAndGrants)(nil))
		})
		for _, p := range m.GetPermissions().GetPermissions() {
			t.Permissions = append(t.Permissions, p.GetPermission())
		}
		out = append(out, t)
	}
	return out
}

// accountFields returns the fields of new accounts in the connector's order.
func accountFields(m *connectorv2.ConnectorAccountCreationSchema) []Field {
	var out []Field
	order := map[string]int32{}
	for name, f := range m.GetFieldMap() {
		order[name] = f.GetOrder()
		out = append(out, Field{Name: name, DisplayName: f.GetDisplayName(), Description: f.GetDescription(),
			Placeholder: f.GetPlaceholder(), Kind: fieldKind(f.ProtoReflect()), Required: f.GetRequired()})
	}
	slices.SortFunc(out, func(a, b Field) int {
		return cmp.Or(cmp.Compare(order[a.Name], order[b.Name]), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// passwords returns the supported kinds of first passwords, the preferred one first.
func passwords(m *connectorv2.CredentialDetailsAccountProvisioning) []PasswordKind {
	var out []PasswordKind
	add := func(o connectorv2.CapabilityDetailCredentialOption) {
		if kind := PasswordKind(enumName(o, "CAPABILITY_DETAIL_CREDENTIAL_OPTION_")); o != 0 && !slices.Contains(out, kind) {
			out = append(out, kind)
		}
	}
	add(m.GetPreferredCredentialOption())
	for _, o := range m.GetSupportedCredentialOptions() {
		add(o)
	}
	return out
}
