package scim

import (
	"context"
	"strings"
)

// Group is a SCIM group.
type Group struct {
	ID          string // opaque and case-exact; never empty in what this package returns
	ExternalID  string
	DisplayName string
	Members     []Member
	// MembersListed says that the attribute was there and not null. Without it,
	// nothing is known about members; and some servers list none although there
	// are some, so that an empty list is weak evidence too.
	MembersListed bool
	Meta          Meta
}

// Label is a name to show: displayName, externalId or id. It is never empty.
func (g *Group) Label() string { return firstText(g.DisplayName, g.ExternalID, g.ID) }

// Member is one member of a group.
type Member struct {
	Value   string // id; taken from Ref if the server gives only that; may be empty
	Type    string // "User", "Group", or empty
	Ref     string
	Display string
}

// IsUser is false for a member that says to be a group, by its type or its
// reference. A server that says neither means users.
func (m Member) IsUser() bool {
	ref := strings.ToLower(m.Ref)
	return !strings.EqualFold(strings.TrimSpace(m.Type), "group") &&
		!strings.Contains(ref, "/groups/") && !strings.HasPrefix(ref, "groups/")
}

// GetGroup reads one group, past any cache. NotFound if there is none with that id.
func (c *Client) GetGroup(ctx context.Context, id string) (Group, error) {
	return getOne(ctx, c, "group", "Groups", id, decodeGroup)
}
