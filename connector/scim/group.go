package scim

import (
	"context"
	"strings"
	"time"

	"baton"
	"baton/connector/paging"
	"baton/internal/jsonscan"
)

// Group is a SCIM group.
type Group struct {
	ID          string // opaque and case-exact; never empty in what this package returns
	ExternalID  string
	DisplayName string
	// Members holds the members if the whole group was requested. Lists deliver members one by one.
	Members *Members
	// MembersListed reports whether the attribute was present and not null. Without it, nothing is known
	// about members. Some servers send an empty list for groups that have members, so an empty list is weak
	// evidence, too.
	MembersListed bool
	Created       time.Time // zero when missing or unreadable
}

// Label returns a name to show: displayName, externalId or id. It is never empty.
func (g *Group) Label() string { return firstText(g.DisplayName, g.ExternalID, g.ID) }

// clone returns a copy that keeps no other memory alive. It shares the members.
func (g Group) clone() Group {
	g.ID, g.ExternalID, g.DisplayName = strings.Clone(g.ID), strings.Clone(g.ExternalID), strings.Clone(g.DisplayName)
	return g
}

// GetGroup reads one group with its members and bypasses caches. An error never proves that the group is
// gone; ask LookUpGroup.
func (c *Client) GetGroup(ctx context.Context, id string) (Group, error) {
	members := new(Members)
	r := newGroupReader(nil, func(_ *Group, m Member) { members.Add(m) })
	r.void = func() { *members = Members{} }
	r.known, r.nameless = map[int]identity{0: {id: id}}, true
	g, err := c.readGroup(ctx, id, r)
	g.Members = members
	return g, err
}

// streamGroup reads one group as GetGroup does, but does not hold the members in memory.
func (c *Client) streamGroup(ctx context.Context, id string, member func(*Group, Member), void func()) (Group, error) {
	r := newGroupReader(nil, member)
	r.void = void
	return c.readGroup(ctx, id, r)
}

func (c *Client) readGroup(ctx context.Context, id string, r *groupReader) (Group, error) {
	err := c.getOne(ctx, "group", "Groups", id, r)
	for err == nil && r.readAgain() {
		err = c.getOne(ctx, "group", "Groups", id, r)
	}
	if err == nil && r.late {
		err = explain("get group", errLate())
	}
	if err != nil {
		return Group{}, err
	}
	r.flush()
	return r.group, nil
}

// GroupSink is a Sink of groups that receives their members one by one.
type GroupSink struct {
	paging.Sink[Group]
	// Member gets each member of a group before Row gets the group. Only the group's id and label are set by
	// then.
	Member func(*Group, Member)
}

// groupReader reads groups. A server may write the members of a group before its id and name, or change these
// afterwards, so members are held until both arrive. If there are too many to hold, the response is read once
// more with the ids and names of the first reading.
type groupReader struct {
	group  Group
	row    func(Group) // may be nil
	member func(*Group, Member)
	void   func() // called before a response is read again; may be nil

	held     heldMembers      // of the current group
	at       int              // index of the current group in the response
	known    map[int]identity // groups of the response by index, from the previous reading
	nameless bool             // members may be delivered without the group's name
	learnt   map[int]identity // groups that need it if the response is read again
	late     bool             // an id or a name came too late: delivered members are void
	begun    bool
	rounds   int

	attributes, meta *jsonscan.Names
	references       *referenceReader
}

type identity struct{ id, name string }

// The attributes of a group.
const (
	groupID = iota
	groupExternalID
	groupDisplayName
	groupMembers
	groupMeta
	groupAside
)

func newGroupReader(row func(Group), member func(*Group, Member)) *groupReader {
	return &groupReader{
		row: row, member: member, references: newReferenceReader(), meta: metaNames(),
		attributes: jsonscan.NewFolded([]string{
			groupID: "id", groupExternalID: "externalid", groupDisplayName: "displayname", groupMembers: "members", groupMeta: "meta",
		}).Others(func(name []byte) int {
			if aboutMembers(name) {
				return groupAside
			}
			return -1
		}),
	}
}

// errLate returns the error for a response whose ids or names still arrive too late after another reading.
func errLate() error {
	return baton.Errorf(baton.Incomplete, "groups change their ids or names from one answer to the next")
}

// maxRounds limits how often one response is read to learn ids and names.
const maxRounds = 3

// readAgain reports whether the response must be read once more, and prepares for that.
func (r *groupReader) readAgain() bool {
	if !r.late || r.rounds == maxRounds {
		return false
	}
	r.rounds++
	r.known, r.nameless = r.learnt, false
	return true
}

func (r *groupReader) begin() {
	if r.begun && r.void != nil {
		r.void()
	}
	r.begun, r.late, r.learnt, r.at = true, false, nil, 0
}

func (r *groupReader) read(s *jsonscan.Scanner, fresh func(id string) bool) (string, error) {
	r.group = Group{}
	r.held.reset()
	g := &r.group
	var announced identity // the group to which members were delivered
	to, known := r.known[r.at]
	early := false // members came before the id and the name
	tally := memberTally{}
	for s.Object(); s.Known(r.attributes); {
		switch r.attributes.Field {
		case groupID:
			text(s, &g.ID)
		case groupExternalID:
			text(s, &g.ExternalID)
		case groupDisplayName:
			text(s, &g.DisplayName)
		case groupMembers:
			if !known {
				to = identity{g.ID, g.DisplayName}
			}
			stream := to.id != "" && (known || strings.TrimSpace(to.name) != "")
			if stream {
				announced = to
			} else {
				early = true
			}
			if r.readMembers(s, to, stream, &tally, fresh) {
				g.MembersListed = true
			}
		case groupMeta:
			created(s, r.meta, &g.Created)
		case groupAside:
			tally.read(s, string(s.Lower()))
		}
	}
	if s.Err() != nil {
		return "", nil
	}
	if announced.id != "" && (announced.id != g.ID || announced.name != g.DisplayName && !r.nameless) {
		r.late = true
	}
	if early || known || r.late {
		if r.learnt == nil {
			r.learnt = map[int]identity{}
		}
		r.learnt[r.at] = identity{strings.Clone(g.ID), strings.Clone(g.DisplayName)}
	}
	r.at++
	if problem := tally.problem(); problem != "" {
		r.held.add(unreadable(problem))
		g.MembersListed = true
	}
	return g.ID, nil
}

// readMembers reads the attribute of that name and delivers the members or holds them.
func (r *groupReader) readMembers(s *jsonscan.Scanner, to identity, stream bool, tally *memberTally, fresh func(id string) bool) (listed bool) {
	if r.late || stream && fresh != nil && !fresh(to.id) {
		// The members are void, or the group's members were read before.
		listed = s.Kind() != 'n'
		s.Skip()
		return listed
	}
	g := Group{ID: to.id, DisplayName: to.name}
	return r.references.list(s, func(ref reference) {
		if s.Err() != nil || r.late {
			return
		}
		tally.listed++
		if m := ref.member(); stream {
			r.member(&g, m)
		} else if !r.held.add(m) {
			r.held.reset()
			r.late = true
		}
	})
}

// flush delivers the members that were held.
func (r *groupReader) flush() {
	r.held.each(func(m Member) { r.member(&r.group, m) })
	r.held.reset()
}

func (r *groupReader) named() bool { return r.group.DisplayName != "" }

func (r *groupReader) deliver() {
	if r.late {
		return
	}
	r.flush()
	r.row(r.group)
}
