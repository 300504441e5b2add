package scim

import (
	"context"
	"errors"
	"strings"
	"time"

	"baton/internal/jsonscan"
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
	Created       time.Time // zero when missing or unreadable
}

// Label is a name to show: displayName, externalId or id. It is never empty.
func (g *Group) Label() string { return firstText(g.DisplayName, g.ExternalID, g.ID) }

// Member is one member of a group.
type Member struct {
	Value string // id; taken from Ref if the server gives only that; may be empty
	Type  string // "User", "Group", or empty
	Ref   string
}

// clone is a member that keeps alive nothing but itself.
func (m Member) clone() Member {
	return Member{Value: strings.Clone(m.Value), Type: strings.Clone(m.Type), Ref: strings.Clone(m.Ref)}
}

// IsUser is false for a member that says to be a group, by its type or its
// reference. A server that says neither means users.
func (m Member) IsUser() bool {
	if strings.EqualFold(strings.TrimSpace(m.Type), "group") {
		return false
	}
	ref := strings.ToLower(m.Ref)
	return !strings.Contains(ref, "/groups/") && !strings.HasPrefix(ref, "groups/")
}

// clone is a group that keeps alive nothing but itself. Its members are not cloned.
func (g Group) clone() Group {
	g.ID, g.ExternalID, g.DisplayName = strings.Clone(g.ID), strings.Clone(g.ExternalID), strings.Clone(g.DisplayName)
	return g
}

// GetGroup reads one group, past any cache. NotFound if there is none with that id.
func (c *Client) GetGroup(ctx context.Context, id string) (Group, error) {
	r := newGroupReader(nil, nil)
	err := c.getOne(ctx, "group", "Groups", id, r)
	if err != nil {
		return Group{}, err
	}
	return r.group, nil
}

// GroupSink is a Sink of groups that can take their members one by one.
type GroupSink struct {
	Sink[Group]
	// Member gets each member of a group before Row gets the group, which then has no
	// Members. Of the group, id and label are certain. When nil, Row gets all.
	Member func(*Group, Member)
}

// groupReader reads groups. A server may name the members of a group before it names
// the group itself; they are kept then, until it does.
type groupReader struct {
	group  Group
	member func(*Group, Member) // nil to keep members in the group
	row    func(Group)
	hold   bool // keep members until the end of the group, whatever comes first

	attributes, value, meta *jsonscan.Names
}

// The attributes of a group.
const (
	groupID = iota
	groupExternalID
	groupDisplayName
	groupMembers
	groupMeta
)

// newGroupReader makes a reader that delivers to row and member; both may be nil.
func newGroupReader(row func(Group), member func(*Group, Member)) *groupReader {
	return &groupReader{
		row: row, member: member, value: memberNames(), meta: metaNames(),
		attributes: jsonscan.NewFolded([]string{
			groupID: "id", groupExternalID: "externalid", groupDisplayName: "displayname", groupMembers: "members", groupMeta: "meta",
		}),
	}
}

// errSaidAgain is for a group that changes its name behind its members: who it is that
// has them is known only at its end.
var errSaidAgain = errors.New("a group names itself twice")

func (r *groupReader) read(s *jsonscan.Scanner, fresh func(id string) bool) (string, error) {
	r.group = Group{}
	g := &r.group
	var told *Group // what members were handed out as
	for s.Object(); s.Known(r.attributes); {
		switch r.attributes.Field {
		case groupID:
			text(s, &g.ID)
		case groupExternalID:
			text(s, &g.ExternalID)
		case groupDisplayName:
			text(s, &g.DisplayName)
		case groupMembers:
			if r.mayStream() {
				told = &Group{ID: g.ID, DisplayName: g.DisplayName}
			}
			if r.members(s, told != nil, fresh) {
				g.MembersListed = true
			}
		case groupMeta:
			created(s, r.meta, &g.Created)
		}
	}
	if told != nil && (told.ID != g.ID || told.DisplayName != g.DisplayName) {
		return "", errSaidAgain
	}
	return g.ID, nil
}

// mayStream reports whether members can be handed out now: the group has told its id,
// and the name that its label comes from.
func (r *groupReader) mayStream() bool {
	return r.member != nil && !r.hold && r.group.ID != "" && strings.TrimSpace(r.group.DisplayName) != ""
}

// members reads the attribute of that name.
func (r *groupReader) members(s *jsonscan.Scanner, stream bool, fresh func(id string) bool) (listed bool) {
	g := &r.group
	if stream && !fresh(g.ID) {
		// Of a group that comes again, its members came before.
		return list(s, s.Skip)
	}
	return list(s, func() {
		v := readValue(s, r.value)
		m := Member{Value: v.id(), Type: v.Type, Ref: v.Ref}
		switch {
		case s.Err() != nil:
		case stream:
			r.member(g, m)
		default:
			g.Members = append(g.Members, m)
		}
	})
}

func (r *groupReader) deliver() {
	if r.member != nil {
		kept := r.group.Members
		r.group.Members = nil
		for _, m := range kept {
			r.member(&r.group, m)
		}
	}
	r.row(r.group)
}
