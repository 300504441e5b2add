package baton

import "context"

// Connector is everything the runtime knows of one upstream. Functions that are
// nil are abilities that the connector does not have.
type Connector struct {
	Name          string // binary name, "baton-perplexity"
	DisplayName   string // "Perplexity"
	Description   string
	HelpURL       string
	ResourceTypes []ResourceType
	Feeds         []Feed

	// Origin identifies the upstream tenant, without secrets. A sync that was
	// interrupted resumes only against the same origin.
	Origin string

	// Validate makes the cheapest authenticated call and explains what is wrong.
	Validate func(ctx context.Context) error

	// Get reads one resource with its entitlements and grants, uncached, for
	// targeted syncs. NotFound if it does not exist.
	Get func(ctx context.Context, id ResourceID, page Page) error

	// Grant gives an entitlement to a principal. Already is set when it was held.
	// NotFound if the entitlement's resource or the principal does not exist
	// upstream.
	Grant func(ctx context.Context, req GrantRequest) (Outcome, error)

	// Revoke takes an entitlement away. Already is set when it was not held, or
	// when its resource or the principal no longer exists. Refused when a guard
	// forbids it.
	Revoke func(ctx context.Context, req GrantRequest) (Outcome, error)

	// Account creates accounts.
	Account *AccountCreation

	Actions []Action

	// Diagnose examines the upstream step by step, going on after a finding where
	// it can.
	Diagnose func(ctx context.Context, report func(Finding))

	// Review says in a few lines what the facts of a sync mean to a reviewer, such
	// as who holds which role.
	Review func(facts Facts) ([]Note, error)

	// Resolve finds out whom grants mean whose principals are the ids of no resource in the
	// sync: same has the ids of those who are known by another name, and unread are
	// principals of which it is not known whom they mean, so that the sync must not be
	// sealed. The others are principals that the upstream does not list; their grants are
	// dropped and counted, as they all are if Resolve is nil.
	Resolve func(unknown Unknown) (same map[string]string, unread []string, err error)

	// Roles says which entitlements of a sync amount to which role, where the upstream
	// has roles that are not entitlements themselves.
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
	Check  string // what was looked at, "token"
	Level  Level
	Detail string // what was found
	Fix    string // what to do, when Level is not OK
}

// Level grades a finding or a note.
type Level int

// The levels, from good to bad.
const (
	OK Level = iota
	Warning
	Failure
)

// String is the level in a word.
func (l Level) String() string { return [...]string{"ok", "warning", "failure"}[l] }

// Note is one line of a review.
type Note struct {
	Level Level
	Label string // "Admin"
	Text  string // "2 enabled accounts: ann@…, bob@…"
	// Counts marks a note that only counts what the sync holds. A report that shows the
	// rows leaves it out.
	Counts bool
	// Floors are counts that must not fall too low.
	Floors []Floor
}

// Floor counts what an upstream must not run out of, such as its enabled admins. A sync
// that counts fewer than Least, and fewer than the previous sync, is held.
type Floor struct {
	What  string // in the plural, "enabled admins"; it tells floors apart
	Count int
	Least int
}

// Facts is what one sealed sync holds.
type Facts interface {
	// Resources calls fn for each resource of the type, in no particular order. Only its
	// ID, DisplayName and Status are certain to be there.
	Resources(resourceType string, fn func(Resource) error) error
	// Grants calls fn for each grant of the entitlement. Only its ID is certain to be there.
	Grants(entitlement EntitlementID, fn func(Grant) error) error
}
