package perplexity

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"baton"
	"baton/connector/scim"
)

// groupsCursor is where the groups feed stands: in the list, and in the groups of
// its last page whose members must be asked for one by one.
type groupsCursor struct {
	List    string   `json:"list,omitempty"`
	Listed  bool     `json:"listed,omitempty"` // the list is at its end
	Shows   bool     `json:"shows,omitempty"`  // the list has shown a member of some group
	Pending []string `json:"pending,omitempty"`
}

// Members that the list does not show are fetched a few groups at a time.
const (
	groupsPerPage = 16
	groupsAtOnce  = 4
)

// nextGroups reads one page of groups with their members, or the members of a few
// groups that the list showed without.
//
// Absent is not empty: an explicit empty list is believed only where the same list
// shows members of other groups. Everything else costs one more call for the group.
func (c *connector) nextGroups(ctx context.Context, at baton.Cursor, page baton.Page) (baton.Step, error) {
	var cur groupsCursor
	if at != "" {
		if err := json.Unmarshal([]byte(at), &cur); err != nil {
			return baton.Step{}, baton.Errorf(baton.Corrupt, "cursor of the groups: %w", err)
		}
	}
	restart := false
	var err error
	if len(cur.Pending) > 0 {
		n := min(groupsPerPage, len(cur.Pending))
		err = c.fetchMembers(ctx, cur.Pending[:n], page)
		cur.Pending = cur.Pending[n:]
	} else {
		restart, err = c.listGroups(ctx, &cur, page)
	}
	if err != nil {
		return baton.Step{}, err
	}
	b, err := json.Marshal(cur)
	if err != nil {
		return baton.Step{}, err
	}
	return baton.Step{Cursor: baton.Cursor(b), Done: cur.Listed && len(cur.Pending) == 0, Restart: restart}, nil
}

func (c *connector) listGroups(ctx context.Context, cur *groupsCursor, page baton.Page) (restart bool, err error) {
	pos, err := scim.ParsePosition(cur.List)
	if err != nil {
		return false, err
	}
	var absent, empty []string
	shows, members := cur.Shows, 0
	step, err := c.scim.ListGroups(ctx, pos, scim.GroupSink{
		Sink: scim.Sink[scim.Group]{
			Seen: func(id string) bool { return page.Seen(groupResource(id)) },
			Row: func(g scim.Group) {
				addGroup(page, g)
				switch {
				case members > 0:
					shows = true
				case g.MembersListed:
					empty = append(empty, g.ID)
				default:
					absent = append(absent, g.ID)
				}
				members = 0
			},
			Void: func() {
				page.Void()
				absent, empty, shows, members = nil, nil, cur.Shows, 0
			},
		},
		// As it is decoded: a page of large groups is more than should be held at once.
		Member: func(g *scim.Group, m scim.Member) {
			members++
			addMember(page, g, m)
		},
	})
	if err != nil {
		return false, err
	}
	cur.Shows = shows
	page.Expect(step.Total)
	cur.List, cur.Listed, cur.Pending = step.Next.String(), step.Done, absent
	if !cur.Shows {
		cur.Pending = append(cur.Pending, empty...)
	}
	if step.Restart {
		*cur = groupsCursor{List: cur.List}
	}
	return step.Restart, nil
}

// fetchMembers asks for the groups one by one, several at a time, and yields their
// members in the order of ids.
func (c *connector) fetchMembers(ctx context.Context, ids []string, page baton.Page) error {
	groups := make([]scim.Group, len(ids))
	errs := make([]error, len(ids))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, groupsAtOnce)
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if groups[i], errs[i] = c.scim.GetGroup(ctx, id); errs[i] != nil && baton.KindOf(errs[i]) != baton.NotFound {
				cancel()
			}
		})
	}
	wg.Wait()
	if err := cause(errs); err != nil {
		return err
	}
	for i, id := range ids {
		if errs[i] != nil {
			page.Exclude("group that was deleted while it was read", id)
			continue
		}
		addMembers(page, &groups[i])
	}
	return nil
}

// cause is the error that made the others cancel; a group that is gone is none.
func cause(errs []error) error {
	var canceled error
	for _, err := range errs {
		switch {
		case err == nil || baton.KindOf(err) == baton.NotFound:
		case baton.KindOf(err) == baton.Canceled:
			canceled = err
		default:
			return err
		}
	}
	return canceled
}

// addGroup writes the group with its entitlement, and without its members.
func addGroup(page baton.Page, g scim.Group) {
	name := g.Label()
	profile := baton.Profile{"group_id": g.ID, "group_name": name}
	if g.ExternalID != "" {
		profile["external_id"] = g.ExternalID
	}
	page.Resource(baton.Resource{
		ID:          groupResource(g.ID),
		DisplayName: name,
		CreatedAt:   g.Created,
		Profile:     profile,
		Group:       &baton.Group{},
	})
	page.Entitlement(baton.Entitlement{
		ID:           memberOf(g.ID),
		ResourceName: name,
		DisplayName:  name + " member",
		Description:  fmt.Sprintf("Member of the group %s", name),
		Purpose:      baton.PurposeAssignment,
		GrantableTo:  []string{userType},
	})
}

func addMembers(page baton.Page, g *scim.Group) {
	for _, m := range g.Members {
		addMember(page, g, m)
	}
}

func addMember(page baton.Page, g *scim.Group, m scim.Member) {
	switch {
	case m.Value == "":
		page.Exclude("member without an id", g.ID)
	case !m.IsUser():
		page.Exclude("nested group", m.Value+" in "+g.ID)
	default:
		page.Grant(membership(g.ID, g.Label(), m.Value))
	}
}

func membership(groupID, groupName, userID string) baton.Grant {
	return baton.Grant{ID: baton.GrantID{Entitlement: memberOf(groupID), Principal: userResource(userID)}, ResourceName: groupName}
}

// get reads one account or one group for a targeted sync.
func (c *connector) get(ctx context.Context, id baton.ResourceID, page baton.Page) error {
	if id.Type == userType {
		u, err := c.scim.GetUser(ctx, id.ID)
		if err == nil {
			page.Resource(accountOf(u))
		}
		return err
	}
	g, err := c.roster(ctx, id.ID)
	if err != nil {
		return err
	}
	if err := c.prove(ctx, &g, nil); err != nil {
		return err
	}
	if !g.proven {
		return g.unproven()
	}
	addGroup(page, g.Group)
	addMembers(page, &g.Group)
	return nil
}
