package perplexity

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"baton"
	"baton/connector/paging"
	"baton/connector/scim"
)

// groupsCursor is the cursor of the groups feed: a position in the list, and the groups of the
// last page whose members must be requested one by one.
type groupsCursor struct {
	List    string   `json:"list,omitempty"`
	Listed  bool     `json:"listed,omitempty"` // the list is at its end
	Shows   bool     `json:"shows,omitempty"`  // the list has shown a member of some group
	Pending []string `json:"pending,omitempty"`
	// Doubtful lists role groups with members that may not be accounts.
	Doubtful []string `json:"doubtful,omitempty"`
}

// Members that the list does not show are fetched a few groups at a time.
const (
	groupsPerPage = 16
	groupsAtOnce  = 4
)

// nextGroups reads one page of groups with their members, or the members of a few groups that
// the list showed without members.
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
	if at == "" {
		c.doubts.reset()
	}
	c.doubts.restore(cur.Doubtful)
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
	cur.Doubtful = c.doubts.in()
	b, err := json.Marshal(cur)
	if err != nil {
		return baton.Step{}, err
	}
	return baton.Step{Cursor: baton.Cursor(b), Done: cur.Listed && len(cur.Pending) == 0, Restart: restart}, nil
}

func (c *connector) listGroups(ctx context.Context, cur *groupsCursor, page baton.Page) (restart bool, err error) {
	pos, err := paging.ParsePosition(cur.List)
	if err != nil {
		return false, err
	}
	var absent, empty []string
	shows, members, unread := cur.Shows, 0, false
	step, err := c.scim.ListGroups(ctx, pos, scim.GroupSink{
		Sink: paging.Sink[scim.Group]{
			Seen: func(id string) bool { return page.Seen(groupResource(id)) },
			Row: func(g scim.Group) {
				addGroup(page, g)
				switch {
				case unread:
					absent = append(absent, g.ID) // GET of the group may return readable members
				case members > 0:
					shows = true
				case g.MembersListed:
					empty = append(empty, g.ID)
				default:
					absent = append(absent, g.ID)
				}
				members, unread = 0, false
			},
			Void: func() {
				page.Void()
				absent, empty, shows, members, unread = nil, nil, cur.Shows, 0, false
			},
		},
		// Write members as they are decoded: a page of large groups would take too much memory.
		Member: func(g *scim.Group, m scim.Member) {
			if m.Kind == scim.UnreadableMember {
				unread = true
				return
			}
			members++
			c.addMember(page, g, m)
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

// fetchMembers requests the groups one by one, several at a time, and yields their members as they arrive.
func (c *connector) fetchMembers(ctx context.Context, ids []string, page baton.Page) error {
	shown := make([]bool, len(ids))
	errs := make([]error, len(ids))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, groupsAtOnce)
	var wg sync.WaitGroup
	var pageLock sync.Mutex // protects page
	for i, id := range ids {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			entries := 0
			var unread error
			// Members of a response that broke off stay: they were members at that time.
			_, there, err := c.scim.StreamGroup(ctx, id, func(g *scim.Group, m scim.Member) {
				if entries++; m.Kind == scim.UnreadableMember {
					if unread == nil {
						unread = unreadable(g, entries, m)
					}
					return
				}
				pageLock.Lock()
				defer pageLock.Unlock()
				c.addMember(page, g, m)
			}, func() { entries, unread = 0, nil })
			if shown[i], errs[i] = there, cmp.Or(err, unread); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	if err := cause(errs); err != nil {
		return err
	}
	for i, id := range ids {
		if !shown[i] {
			page.Exclude("group that was deleted while it was read", id)
		}
	}
	return nil
}

// unreadable returns the error for a group with an unreadable member. Without it, the sync would lack that
// membership.
func unreadable(g *scim.Group, entry int, m scim.Member) error {
	members := new(scim.Members)
	for range entry - 1 {
		members.Skip()
	}
	members.Add(m)
	return rosterOf(scim.Group{ID: g.ID, DisplayName: g.DisplayName, Members: members}).unproven()
}

// cause returns the error that cancelled the other requests.
func cause(errs []error) error {
	var canceled error
	for _, err := range errs {
		switch {
		case err == nil:
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

// addMember writes the membership of an account. It counts other members as excluded.
func (c *connector) addMember(page baton.Page, g *scim.Group, m scim.Member) {
	switch m.Kind {
	case scim.GroupMember:
		page.Exclude("nested group", m.Value+" in "+g.ID)
	case scim.OtherMember:
		page.Exclude("member that is neither an account nor a group", fmt.Sprintf("%s in %s (%s)", m.Value, g.ID, m.Detail))
	default:
		if m.Kind == scim.LikelyUser && c.mayCarryRole(*g) {
			c.doubts.add(g.ID, m.Value)
		}
		page.Grant(membership(g.ID, g.Label(), m.Value))
	}
}

func membership(groupID, groupName, userID string) baton.Grant {
	return baton.Grant{ID: baton.GrantID{Entitlement: memberOf(groupID), Principal: userResource(userID)}, ResourceName: groupName}
}

// get reads one account or one group for a targeted sync.
func (c *connector) get(ctx context.Context, id baton.ResourceID, page baton.Page) error {
	if id.Type == userType {
		u, shown, err := c.scim.LookUpUser(ctx, id.ID)
		switch {
		case err != nil:
			return err
		case !shown:
			return gone("account", id.ID)
		}
		page.Resource(accountOf(u))
		return nil
	}
	g, shown, err := c.roster(ctx, id.ID)
	switch {
	case err != nil:
		return err
	case !shown:
		return gone("group", id.ID)
	}
	if err := c.prove(ctx, &g, nil); err != nil {
		return err
	}
	if !g.proven {
		return g.unproven()
	}
	if err := c.nameIfOdd(ctx, &g); err != nil {
		return err
	}
	if !g.proven {
		return g.unproven()
	}
	addGroup(page, g.Group)
	for name, kinds := range g.Members.All() {
		switch {
		case kinds.IsUser():
			id := name
			if as, ok := g.named[name]; ok {
				id = as
			}
			page.Grant(membership(g.ID, g.Label(), id))
		case kinds.Has(scim.GroupMember):
			c.addMember(page, &g.Group, scim.Member{Value: name, Kind: scim.GroupMember})
		default:
			c.addMember(page, &g.Group, scim.Member{Value: name, Kind: scim.OtherMember})
		}
	}
	for id, as := range g.aside {
		if as == "" {
			page.Grant(membership(g.ID, g.Label(), id))
		}
	}
	return nil
}
