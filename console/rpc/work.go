package rpc

import (
	"errors"
	"fmt"

	"baton"
)

// Type is the protocol's name for a kind of work.
type Type string

// The types of work that the console creates.
const (
	HelloType          Type = "hello"
	SyncType           Type = "sync_full"
	GrantType          Type = "grant"
	RevokeType         Type = "revoke"
	CreateAccountType  Type = "create_account"
	DeleteResourceType Type = "delete_resource"
	ListActionsType    Type = "action_list_schemas"
	RunActionType      Type = "action_invoke"
	ActionStatusType   Type = "action_status"
)

// Work is the request to a connector. Exactly one field is set. It is stored as JSON.
type Work struct {
	Hello          *HelloWork          `json:"hello,omitempty"`
	Sync           *SyncWork           `json:"sync_full,omitempty"`
	Grant          *GrantWork          `json:"grant,omitempty"`
	Revoke         *RevokeWork         `json:"revoke,omitempty"`
	CreateAccount  *CreateAccountWork  `json:"create_account,omitempty"`
	DeleteResource *DeleteResourceWork `json:"delete_resource,omitempty"`
	ListActions    *ListActionsWork    `json:"action_list_schemas,omitempty"`
	RunAction      *RunActionWork      `json:"action_invoke,omitempty"`
	ActionStatus   *ActionStatusWork   `json:"action_status,omitempty"`
}

type (
	// HelloWork asks a host for a new hello, which ends the task.
	HelloWork struct{}

	// SyncWork asks for a sync file. The server always asks for grants in expanded form
	// and for storage engine "sqlite".
	SyncWork struct {
		Types                     []string           `json:"types,omitempty"`     // resource types; none: all
		Resources                 []baton.ResourceID `json:"resources,omitempty"` // a targeted sync of these resources; none: a full sync
		SkipGrants                bool               `json:"skip_grants,omitempty"`
		SkipEntitlementsAndGrants bool               `json:"skip_entitlements_and_grants,omitempty"`
	}

	// GrantWork asks to grant an entitlement to a principal.
	GrantWork struct {
		Entitlement Entitlement    `json:"entitlement"`
		Principal   baton.Resource `json:"principal"`
	}

	// RevokeWork asks to revoke a grant.
	RevokeWork struct {
		ID          string         `json:"id"` // of the grant, as the connector reported it
		Entitlement Entitlement    `json:"entitlement"`
		Principal   baton.Resource `json:"principal"`
	}

	// CreateAccountWork asks for an account.
	CreateAccountWork struct {
		ResourceType string         `json:"resource_type,omitempty"` // empty: the connector's only type
		Emails       []baton.Email  `json:"emails,omitempty"`
		Login        string         `json:"login,omitempty"`
		Profile      baton.Profile  `json:"profile,omitempty"` // keyed by the names of [Description.AccountFields]
		Password     PasswordOption `json:"password"`
	}

	// DeleteResourceWork asks to delete a resource, such as an account.
	DeleteResourceWork struct {
		ID     baton.ResourceID `json:"id"`
		Parent baton.ResourceID `json:"parent"`
	}

	// ListActionsWork asks for the actions of the connector.
	ListActionsWork struct {
		ResourceType string `json:"resource_type,omitempty"` // empty: all actions
	}

	// RunActionWork asks to run an action.
	RunActionWork struct {
		Name         string        `json:"name"`
		Arguments    baton.Profile `json:"arguments,omitempty"`
		ResourceType string        `json:"resource_type,omitempty"` // set for actions of a resource type
	}

	// ActionStatusWork asks for the state of an action. Only the host that runs it knows: set
	// [Task.OnlyHost].
	ActionStatusWork struct {
		Name string `json:"name,omitempty"`
		ID   string `json:"id"` // [ActionRun.ID]
	}
)

// Entitlement describes an entitlement as the connector reported it. ID is opaque.
type Entitlement struct {
	ID          string         `json:"id"`
	Slug        string         `json:"slug,omitempty"`
	DisplayName string         `json:"display_name,omitempty"`
	Description string         `json:"description,omitempty"`
	Purpose     baton.Purpose  `json:"purpose,omitempty"`
	Resource    baton.Resource `json:"resource"`
}

// PasswordOption is how the first password of an account is created.
type PasswordOption struct {
	Kind   PasswordKind `json:"kind"`
	Length int64        `json:"length,omitempty"` // characters of a random password, 8 to 64
	// Recipients are the public keys, JWKs as JSON, that a random password is encrypted to.
	Recipients [][]byte `json:"recipients,omitempty"`
	Provider   string   `json:"provider,omitempty"` // of single sign-on
}

// PasswordKind names a [PasswordOption], as connectors list what they support.
type PasswordKind string

// The kinds of passwords.
const (
	NoPassword     PasswordKind = "no_password"
	RandomPassword PasswordKind = "random_password"
	SingleSignOn   PasswordKind = "sso"
)

// Type returns the type of the work, or "" if not exactly one field is set.
func (w Work) Type() Type {
	var found Type
	for _, field := range []struct {
		t   Type
		set bool
	}{
		{HelloType, w.Hello != nil}, {SyncType, w.Sync != nil}, {GrantType, w.Grant != nil}, {RevokeType, w.Revoke != nil},
		{CreateAccountType, w.CreateAccount != nil}, {DeleteResourceType, w.DeleteResource != nil},
		{ListActionsType, w.ListActions != nil}, {RunActionType, w.RunAction != nil}, {ActionStatusType, w.ActionStatus != nil},
	} {
		if field.set && found != "" {
			return ""
		}
		if field.set {
			found = field.t
		}
	}
	return found
}

// Check returns an error if the work lacks something that a connector needs.
func (w Work) Check() error {
	var missing string
	need := func(name, value string) {
		if value == "" && missing == "" {
			missing = name
		}
	}
	resource := func(name string, id baton.ResourceID) {
		need("the type of "+name, id.Type)
		need("the id of "+name, id.ID)
	}
	entitlement := func(e Entitlement) {
		need("the id of the entitlement", e.ID)
		resource("the entitlement's resource", e.Resource.ID)
	}
	switch w.Type() {
	case "":
		return errors.New("the work has no type, or several")
	case SyncType:
		for _, id := range w.Sync.Resources {
			resource("a resource to sync", id)
		}
	case GrantType:
		entitlement(w.Grant.Entitlement)
		resource("the principal", w.Grant.Principal.ID)
	case RevokeType:
		need("the id of the grant", w.Revoke.ID)
		entitlement(w.Revoke.Entitlement)
		resource("the principal", w.Revoke.Principal.ID)
	case CreateAccountType:
		switch p := w.CreateAccount.Password; {
		case p.Kind == RandomPassword && (p.Length < 8 || p.Length > 64):
			return fmt.Errorf("%s: the length of a random password is %d, want 8 to 64", w.Type(), p.Length)
		case p.Kind == RandomPassword && len(p.Recipients) == 0:
			missing = "a recipient of the random password"
		case p.Kind != NoPassword && p.Kind != RandomPassword && p.Kind != SingleSignOn:
			return fmt.Errorf("%s: %q is no kind of password", w.Type(), p.Kind)
		}
	case DeleteResourceType:
		resource("the resource", w.DeleteResource.ID)
	case RunActionType:
		need("the name of the action", w.RunAction.Name)
	case ActionStatusType:
		need("the id of the action", w.ActionStatus.ID)
	}
	if missing != "" {
		return fmt.Errorf("%s: %s is missing", w.Type(), missing)
	}
	return nil
}
