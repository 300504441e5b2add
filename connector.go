package baton

import "context"

// Connector describes one upstream and the operations on it. A nil function means that the connector does not
// support the operation.
type Connector struct {
	Name          string // binary name, "baton-perplexity"
	DisplayName   string // "Perplexity"
	Description   string
	HelpURL       string
	ResourceTypes []ResourceType
	Feeds         []Feed

	// Origin identifies the upstream tenant, without secrets. An interrupted sync resumes only if the origin
	// is the same.
	Origin string

	// Validate makes the cheapest authenticated call. Its error explains what is wrong.
	Validate func(ctx context.Context) error

	// Get reads one resource with its entitlements and grants, uncached, for targeted syncs. The error is
	// NotFound if the resource does not exist.
	Get func(ctx context.Context, id ResourceID, page Page) error

	// Grant grants an entitlement to a principal. It sets Already if the principal held it. The error is
	// NotFound if the entitlement's resource or the principal does not exist upstream.
	Grant func(ctx context.Context, req GrantRequest) (Outcome, error)

	// Revoke revokes an entitlement. It sets Already if the principal did not hold it, or if its resource or
	// the principal no longer exists. The error is Refused if a guard forbids the change.
	Revoke func(ctx context.Context, req GrantRequest) (Outcome, error)

	// Account creates accounts.
	Account *AccountCreation

	Actions []Action

	// Diagnose examines the upstream step by step and continues after a finding if possible.
	Diagnose func(ctx context.Context, report func(Finding))

	// Review summarises the facts of a sync in a few lines for a reviewer, such as who holds which role.
	Review func(facts Facts) ([]Note, error)

	// Resolve identifies principals of grants that are not the id of a resource in the sync. same maps those
	// known by another name to their ids. unread lists principals that cannot be identified, so that the sync
	// must not be sealed. The upstream does not list the others; their grants are dropped and counted. If
	// Resolve is nil, all of them are.
	Resolve func(unknown Unknown) (same map[string]string, unread []string, err error)

	// RoleHints are the operator's names of the resources that carry the roles; nil if there are
	// none.
	RoleHints *RoleHints

	// Roles returns the roles in a sync, if the upstream has roles that are not entitlements
	// themselves.
	Roles func(facts Facts) (Roles, error)
}

// ResourceType returns the declared type with that id.
func (c *Connector) ResourceType(id string) (ResourceType, bool) {
	for _, t := range c.ResourceTypes {
		if t.ID == id {
			return t, true
		}
	}
	return ResourceType{}, false
}

// Action returns the action with that name.
func (c *Connector) Action(name string) (Action, bool) {
	for _, a := range c.Actions {
		if a.Name == name {
			return a, true
		}
	}
	return Action{}, false
}

// Provisions reports whether the connector can change anything.
func (c *Connector) Provisions() bool {
	return c.Grant != nil || c.Revoke != nil || c.Account != nil || len(c.Actions) > 0
}

// Finding is one result of Diagnose.
type Finding struct {
	Check  string // the subject, "token"
	Level  Level
	Detail string // the observation
	Fix    string // advice, if Level is not OK
}

// Level grades a finding or a note.
type Level int

// The levels, from good to bad.
const (
	OK Level = iota
	Warning
	Failure
)

// String returns the level as a word.
func (l Level) String() string { return [...]string{"ok", "warning", "failure"}[l] }

// Note is one line of a review.
type Note struct {
	Level Level
	Label string // "Admin"
	Text  string // "2 enabled accounts: ann@…, bob@…"
	// Counts marks a note that only counts rows of the sync. A report that shows the rows omits it.
	Counts bool
	// Floors are counts that must not fall too low.
	Floors []Floor
}

// Floor is a count with a minimum, such as the enabled admins of an upstream. A sync whose count is below
// Least, and below the count of the previous sync, is held.
type Floor struct {
	Noun  string // in the plural, "enabled admins"; identifies the floor
	Count int
	Least int
}

// Facts reads one sealed sync.
type Facts interface {
	// Resources calls fn for each resource of the type, in no particular order. Only ID, DisplayName and
	// Status are always set.
	Resources(resourceType string, fn func(Resource) error) error
	// Grants calls fn for each grant of the entitlement. Only its ID is always set.
	Grants(entitlement EntitlementID, fn func(Grant) error) error
}
