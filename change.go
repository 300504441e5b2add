package baton

import "context"

// GrantRequest is a request to grant or revoke one entitlement.
type GrantRequest struct {
	Entitlement EntitlementID
	Principal   ResourceID
	DryRun      bool // read and plan, change nothing
}

// Outcome is the verified result of a change.
type Outcome struct {
	// Already reports that nothing had to be done.
	Already bool
	// Done describes the change (on a dry run, the planned change) in sentences for a person, most important
	// first.
	Done []string
	// Warnings describe effects that the caller may not expect, such as a role that does not change because
	// another group has priority.
	Warnings []string
	// Resource is the account that was created or found.
	Resource *Resource
	// Values holds an action's return values.
	Values map[string]any
}

// AccountCreation describes how a connector creates accounts. Accounts have no password: the upstreams of
// this project sign people in through SSO.
type AccountCreation struct {
	ResourceType string // the type of the created resource
	Fields       []Field
	// Create creates the account. If an account with that e-mail exists, Create returns it and sets Already.
	// The error is Invalid if a field is missing or refused.
	Create func(ctx context.Context, req AccountRequest) (Outcome, error)
}

// AccountRequest is a request to create an account.
type AccountRequest struct {
	Email   string
	Login   string
	Profile map[string]any // values of the fields, by name
	DryRun  bool
}

// ActionType classifies an action for C1. The numbers are those of the protocol.
type ActionType int

// The action types that this project uses.
const (
	ActionAccount        ActionType = 2
	ActionAccountDisable ActionType = 4
	ActionAccountEnable  ActionType = 5
)

// Action is a named operation other than granting and revoking.
type Action struct {
	Name        string
	DisplayName string
	Description string
	Types       []ActionType
	Arguments   []Field
	Returns     []Field
	// Run carries out the action. The caller checks the arguments against the schema first.
	Run func(ctx context.Context, req ActionRequest) (Outcome, error)
}

// ActionRequest is a request to run an action.
type ActionRequest struct {
	Arguments map[string]any
	DryRun    bool
	// Previously reports whether a previous sync has the resource. It distinguishes resources that the
	// upstream no longer has from those that never existed. It is nil if no previous sync can be read.
	Previously func(ResourceID) (bool, error)
}
