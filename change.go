package baton

import "context"

// GrantRequest asks to give or take one entitlement.
type GrantRequest struct {
	Entitlement EntitlementID
	Principal   ResourceID
	DryRun      bool // read and plan, change nothing
}

// Outcome is what a change did, after verification.
type Outcome struct {
	// Already says that nothing had to be done.
	Already bool
	// Done is what happened (or, on a dry run, would happen), in sentences for a
	// person, most important first.
	Done []string
	// Warnings are true things the asker may not expect, such as a role that does
	// not change because another group has priority.
	Warnings []string
	// Resource is the account that was created or found.
	Resource *Resource
	// Values are an action's return values.
	Values map[string]any
}

// AccountCreation is a connector's way to create accounts. Accounts are created
// without a password: the upstreams of this project sign people in through SSO.
type AccountCreation struct {
	ResourceType string // the type of the created resource
	Fields       []Field
	// Create makes the account. Already is set, with the existing account, when
	// there is one with that e-mail. Invalid when a field is missing or refused.
	Create func(ctx context.Context, req AccountRequest) (Outcome, error)
}

// AccountRequest asks for an account.
type AccountRequest struct {
	Email   string
	Login   string
	Profile map[string]any // values of the fields, by name
	DryRun  bool
}

// ActionType classifies an action for C1, numbered as the wire numbers them.
type ActionType int

// The action types that this project uses.
const (
	ActionAccount        ActionType = 2
	ActionAccountDisable ActionType = 4
	ActionAccountEnable  ActionType = 5
)

// Action is a named operation beside granting and revoking.
type Action struct {
	Name        string
	DisplayName string
	Description string
	Types       []ActionType
	Arguments   []Field
	Returns     []Field
	// Run carries the action out. Arguments are checked against the schema before.
	Run func(ctx context.Context, req ActionRequest) (Outcome, error)
}

// ActionRequest asks for an action.
type ActionRequest struct {
	Arguments map[string]any
	DryRun    bool
	// Previously reports whether a previous sync has the resource. It serves to tell what
	// the upstream no longer has from what never existed. It is nil where no previous sync
	// can be read.
	Previously func(ResourceID) (bool, error)
}
