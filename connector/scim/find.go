package scim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"baton"
	"baton/connector/paging"
	"baton/internal/intern"
)

// FindUsers returns the users whose userName or address is the given name, compared by SameName. Choose
// selects the account among them. FindUsers sends a filter and checks each row itself, because some servers
// ignore filters. It reads the whole list if the server rejects filters, or finds nobody in a response that
// is not in SCIM form. A server with case-sensitive filters may hide a match: call ScanUsers after a
// conflict.
func (c *Client) FindUsers(ctx context.Context, userName string) ([]User, error) {
	active := false // the last row has that userName and is not disabled
	keep := func(u *User) bool {
		active = SameName(u.UserName, userName) && (u.Active == nil || *u.Active)
		return hasName(u, userName)
	}
	// One active user with that name is enough. No further request is made to prove the end of the list.
	enough := func(s ListStep, hits int) bool { return s.Rows == 1 && hits == 1 && s.Total <= 1 && active }
	found, shown, err := c.collect(ctx, search{filter: "userName eq " + quote(userName)}, keep, enough)
	if filterRejected(err) || err == nil && shown.rows == 0 && !shown.inForm() {
		return c.ScanUsers(ctx, userName)
	}
	return found, explain("find user", err)
}

// ScanUsers finds the same users as FindUsers by reading the whole list.
func (c *Client) ScanUsers(ctx context.Context, userName string) ([]User, error) {
	found, err := c.collectAll(ctx, search{}, func(u *User) bool { return hasName(u, userName) }, nil)
	return found, explain("find user in the list", err)
}

// UsersInGroup calls each with every user whose groups attribute names the group, once the list is complete.
// It is for servers whose groups do not list their members. It sends a filter first. If the server rejects
// the filter or finds nobody, perhaps because it does not know the attribute, UsersInGroup reads the whole
// list. The error is Unsupported if users do not list their groups.
func (c *Client) UsersInGroup(ctx context.Context, groupID string, each func(User)) error {
	const doing = "find users of a group"
	listing, silent := 0, 0
	problem := ""
	inGroup := func(u *User) bool {
		if !u.GroupsListed {
			silent++
			return false
		}
		listing++
		if p := u.GroupsProblem(); p != "" && problem == "" {
			problem = fmt.Sprintf("the groups of user %s cannot be read: %s", u.ID, p)
		}
		return slices.ContainsFunc(u.Groups, func(g GroupRef) bool {
			return g.IsGroup() && (g.Value == groupID || SameUUID(g.Value, groupID))
		})
	}
	found, _, err := c.collect(ctx, search{filter: "groups.value eq " + quote(groupID)}, inGroup, nil)
	if filterRejected(err) || err == nil && len(found) == 0 {
		listing, silent = 0, 0
		found, err = c.collectAll(ctx, search{}, inGroup, nil)
	}
	if err == nil && problem != "" {
		err = baton.Errorf(baton.Incomplete, "%s", problem)
	}
	if err != nil {
		return explain(doing, err)
	}
	// One user with groups shows that the server keeps the attribute, so users without it are in no group. If
	// no user has it, nothing is known.
	if listing == 0 && silent > 0 {
		return explain(doing, baton.Errorf(baton.Unsupported, "users do not say what groups they are in, so members cannot be determined"))
	}
	for _, u := range found {
		each(u)
	}
	return nil
}

// collect reads all pages of the users that match a search and returns those for which keep returns true. It
// stops early if enough is not nil and returns true for a page and the number of users kept so far.
func (c *Client) collect(ctx context.Context, by search, keep func(*User) bool, enough func(ListStep, int) bool) ([]User, evidence, error) {
	hits := 0
	return readAll(func(at paging.Position, sink paging.Sink[User]) (ListStep, error) {
		step, err := listPage(ctx, c, "Users", by, &at, sink, newUserReader(sink.Row))
		step.Done = step.Done || enough != nil && !step.Restart && enough(step, hits)
		return step, err
	}, func(u *User) (string, bool) {
		hit := keep(u)
		if hit {
			hits++
			// The reader reuses these slices for the next row.
			u.Emails, u.Groups = slices.Clone(u.Emails), slices.Clone(u.Groups)
		}
		return u.ID, hit
	})
}

// collectAll calls collect for the list of all users. It returns an error if the list does not prove that
// there are no other users.
func (c *Client) collectAll(ctx context.Context, by search, keep func(*User) bool, enough func(ListStep, int) bool) ([]User, error) {
	found, shown, err := c.collect(ctx, by, keep, enough)
	if err == nil {
		err = c.proves(ctx, "Users", shown)
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// AllUsers calls each with every user. The calls count only if AllUsers returns nil. each may get a user
// twice if the list had to be read again.
func (c *Client) AllUsers(ctx context.Context, each func(User)) error {
	_, err := c.collectAll(ctx, search{}, func(u *User) bool {
		each(*u)
		return false
	}, nil)
	return explain("list users", err)
}

// AllGroups reads the list of groups to its end. Of each group's members it keeps the first, to show that the
// server lists members, those for which keep returns true, and those that cannot be read. Holding all members
// of all groups would take too much memory.
func (c *Client) AllGroups(ctx context.Context, keep func(*Group, Member) bool) ([]Group, error) {
	return c.allGroups(ctx, search{}, keep)
}

// allGroups reads all groups. It returns an error if the list does not prove that there are no others.
func (c *Client) allGroups(ctx context.Context, by search, keep func(*Group, Member) bool) ([]Group, error) {
	groups, shown, err := readAll(func(at paging.Position, sink paging.Sink[Group]) (ListStep, error) {
		var members *Members // of the current group, nil while there are none
		row, discard := sink.Row, sink.Discard
		sink.Row = func(g Group) {
			g.Members, members = members, nil
			row(g.clone())
		}
		sink.Void = func() {
			members = nil
			discard()
		}
		return c.listGroups(ctx, by, at, GroupSink{Sink: sink, Member: func(g *Group, m Member) {
			if members == nil {
				members = new(Members)
			}
			if members.Entries() == 0 || m.Kind == UnreadableMember || keep(g, m) {
				members.Add(m)
			}
		}})
	}, func(g *Group) (string, bool) { return g.ID, true })
	if err == nil {
		err = explain("list groups", c.proves(ctx, "Groups", shown))
	}
	if err != nil {
		return nil, err
	}
	return groups, nil
}

// readAll reads a list page by page. Once the list is complete, it returns the rows to keep and the evidence
// that the pages came from a SCIM server.
func readAll[T any](page func(paging.Position, paging.Sink[T]) (ListStep, error), row func(*T) (id string, keep bool)) ([]T, evidence, error) {
	var seen intern.Table
	var kept []T
	var shown evidence
	for at := (paging.Position{}); ; {
		before, known := len(kept), seen.Len()
		step, err := page(at, paging.Sink[T]{
			Seen: func(id string) bool {
				_, ok := seen.Find([]byte(id))
				return ok
			},
			Row: func(v T) {
				id, keep := row(&v)
				seen.Add([]byte(id))
				if keep {
					kept = append(kept, v)
				}
			},
			Void: func() {
				kept = kept[:before]
				seen.Truncate(known)
			},
		})
		shown.add(step)
		switch {
		case err != nil:
			return nil, shown, err
		case step.Restart:
			seen.Clear()
			kept = nil
		case step.Done:
			return kept, shown, nil
		}
		at = step.Next
	}
}

// quote writes a string for a filter as a JSON string (RFC 7644 section 3.4.2.2): it escapes backslashes,
// quotes and control characters.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			const hex = "0123456789abcdef"
			b.WriteString(`\u00`)
			b.WriteByte(hex[r>>4])
			b.WriteByte(hex[r&15])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
