package scim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"baton"
	"baton/connector/paging"
	"baton/connector/rest"
	"baton/internal/jsonscan"
	"baton/internal/pause"
)

// This file decides what an answer proves about one user or group. There are three cases:
//
//	shown    SCIM showed the object in its own form, under the id that was asked for
//	gone     a complete list in SCIM's own form does not hold the object
//	unknown  anything else
//
// A 404 is unknown, whatever its form: load balancers, gateways and servers that are
// starting send it, and some directories send it for an account that they disabled.
// LookUser, LookGroup and ListedUsers return what is shown or gone. Unknown is an
// error. No other function of this package says that something is gone, and no error of
// this package has the kind NotFound.

// ErrNotShown is in the chain of the error for a 404 or a 410. Such an answer does not
// prove that anything is gone; LookUser and LookGroup look for proof.
var ErrNotShown = errors.New("a 404 alone does not prove that anything is gone")

// notShownError is the error of package rest for a 404 or a 410, without its kind.
type notShownError struct {
	err  error
	form string
}

func (e *notShownError) Error() string        { return e.err.Error() + " (" + e.form + ")" }
func (e *notShownError) Unwrap() error        { return e.err }
func (e *notShownError) Is(target error) bool { return target == ErrNotShown }

// relooks are the waits before a read that was answered 404 is repeated, where something
// speaks against that answer.
var relooks = [...]time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second}

// LookUser returns the user with that id, read past any cache, and true, if SCIM shows
// it; and false if the user is proved gone. Every other case is an error.
func (c *Client) LookUser(ctx context.Context, id string) (u User, shown bool, err error) {
	u, err = c.GetUser(ctx, id)
	if !errors.Is(err, ErrNotShown) {
		return u, err == nil, err
	}
	found, listErr := c.ListedUsers(ctx, id)
	if listErr != nil {
		return User{}, false, unsettled(err, listErr)
	}
	u, shown = found[id]
	return u, shown, nil
}

// ListedUsers returns those of the users with the ids that the list of users shows.
// The others are proved gone. It reads the list past any cache, to
// its end unless all of them are in it.
func (c *Client) ListedUsers(ctx context.Context, ids ...string) (map[string]User, error) {
	found := map[string]User{}
	for _, id := range ids {
		found[id] = User{}
	}
	rows, err := c.collectAll(ctx, search{fresh: true}, func(u *User) bool { _, wanted := found[u.ID]; return wanted },
		func(_ ListStep, hits int) bool { return hits == len(found) })
	if err != nil {
		return nil, explain("look for a user in the list", err)
	}
	clear(found)
	for _, u := range rows {
		found[u.ID] = u
	}
	return found, nil
}

// LookGroup is LookUser for a group. All its members are in it.
func (c *Client) LookGroup(ctx context.Context, id string) (g Group, shown bool, err error) {
	return c.lookGroup(ctx, id, func() (Group, error) { return c.GetGroup(ctx, id) }, true)
}

// StreamGroup is LookGroup, but holds none of the members: member gets each as it arrives,
// with the group's id and name. After void, what it got before does not count: the answer is
// read again.
func (c *Client) StreamGroup(ctx context.Context, id string, member func(*Group, Member), void func()) (g Group, shown bool, err error) {
	return c.lookGroup(ctx, id, func() (Group, error) { return c.streamGroup(ctx, id, member, void) }, false)
}

// lookGroup looks for the group with get. If rowWillDo, the group as the list shows it is
// as good, provided that the list shows its members.
func (c *Client) lookGroup(ctx context.Context, id string, get func() (Group, error), rowWillDo bool) (g Group, shown bool, err error) {
	g, err = get()
	if !errors.Is(err, ErrNotShown) {
		return g, err == nil, err
	}
	row, listed, listErr := c.listedGroup(ctx, id)
	switch {
	case listErr != nil:
		return Group{}, false, unsettled(err, listErr)
	case !listed:
		return Group{}, false, nil
	case rowWillDo && row.Members.Entries() > 0 && row.Members.Problem() == "":
		return row, true, nil
	}
	// Many servers list groups without members. Only the group itself says who is in it.
	for _, wait := range relooks {
		if err := pause.For(ctx, wait); err != nil {
			return Group{}, false, err
		}
		if g, err = get(); !errors.Is(err, ErrNotShown) {
			return g, err == nil, err
		}
	}
	return Group{}, false, unsettled(err, errors.New("the list of groups has it, without members that could be used"))
}

// listedGroup returns the group as the list of groups shows it, with its members, and
// whether the list shows it. Where it does not, the group is proved gone.
func (c *Client) listedGroup(ctx context.Context, id string) (g Group, listed bool, err error) {
	groups, err := c.allGroups(ctx, search{fresh: true}, func(g *Group, _ Member) bool { return g.ID == id })
	if err != nil {
		return Group{}, false, explain("look for a group in the list", err)
	}
	for _, g := range groups {
		if g.ID == id {
			return g, true, nil
		}
	}
	return Group{}, false, nil
}

// proves checks that a complete list came from a SCIM server that shows what it has, so
// that what is not in it is gone.
func (c *Client) proves(ctx context.Context, endpoint string, shown evidence) error {
	switch {
	case !shown.inForm():
		return c.notSCIM(endpoint)
	case shown.rows > 0:
		return nil
	}
	// An empty list is also what a server says that has lost its data.
	other := "Users"
	if endpoint == "Users" {
		other = "Groups"
	}
	var rows rowReader = newUserReader(func(User) {})
	if other == "Groups" {
		rows = newGroupReader(func(Group) {}, func(*Group, Member) {})
	}
	step, err := listPage(ctx, c, other, search{fresh: true}, new(paging.Position), paging.Sink[struct{}]{}, rows)
	if err != nil {
		return err
	}
	if step.Rows == 0 {
		return baton.Errorf(baton.Incomplete, "%s shows no user and no group at all, which proves nothing about one of them", c.rest.Origin()).
			WithFix("Check that the token belongs to the right organisation, and try again when the SCIM server shows its users.")
	}
	return nil
}

// notSCIM is the error for a list that may come from something that is not SCIM.
func (c *Client) notSCIM(endpoint string) error {
	return baton.Errorf(baton.Incomplete, "GET /%s: the answer is JSON, but not a SCIM list: it does not have the schema of one", endpoint).
		WithFix("Find out what answers at %s. Check the SCIM URL, which ends above /%s.", c.rest.Origin(), endpoint)
}

// evidence counts what the pages of one list show about being SCIM.
type evidence struct {
	rows   int  // different ones
	pages  int  // answers that were read
	formal int  // of those, answers with the schema of a list response
	named  bool // rows have the names that users and groups have in SCIM
}

func (t *evidence) add(s ListStep) {
	if s.Restart {
		*t = evidence{}
		return
	}
	t.rows += s.Fresh
	if s.refused {
		return
	}
	t.pages++
	if s.formal {
		t.formal++
	}
	t.named = t.named || s.named
}

// inForm reports whether the list is in the form of SCIM. Some servers leave the schema
// out of all lists. Then the names of the rows decide.
func (t evidence) inForm() bool {
	return t.formal == t.pages || t.formal == 0 && t.named
}

// isListSchema reports whether the URN is that of a list response, of SCIM 2.0 or 1.1.
func isListSchema(urn string) bool {
	return strings.EqualFold(urn, "urn:ietf:params:scim:api:messages:2.0:ListResponse") ||
		strings.EqualFold(urn, "urn:scim:schemas:core:1.0")
}

// notShown replaces the error for a 404 or a 410, which package rest calls NotFound, by
// one that says what was seen and from whom. Other errors stay as they are.
func (c *Client) notShown(err error) error {
	if baton.KindOf(err) != baton.NotFound {
		return err
	}
	e := &notShownError{err: err, form: "this is no SCIM answer"}
	if isSCIMError(err) {
		e.form = "a SCIM answer"
	}
	return baton.Errorf(baton.Incomplete, "%w", e).WithFix("%s", c.whoAnswers())
}

// persist repeats the read of a list that is answered 404 by something that is not SCIM,
// although the server was there before: behind a load balancer, one of several instances
// may be missing for a moment.
func (c *Client) persist(ctx context.Context, read func() error) error {
	err := read()
	for _, wait := range relooks[1:] {
		if !c.answered.Load() || !errors.Is(err, ErrNotShown) || isSCIMError(err) {
			break
		}
		if paused := pause.For(ctx, wait); paused != nil {
			break
		}
		err = read()
	}
	return err
}

func (c *Client) whoAnswers() string {
	return fmt.Sprintf("Find out what answers at %s: a proxy, a load balancer or a SCIM server that is starting may say 404. Check the SCIM URL, which ends above /Users, and try again.", c.rest.Origin())
}

// isSCIMError reports whether the body of the error answer behind err is a SCIM error.
func isSCIMError(err error) bool {
	var status *rest.StatusError
	if !errors.As(err, &status) {
		return false
	}
	s := jsonscan.New(bytes.NewReader(status.Body))
	defer s.Free()
	is := false
	each(s, func(name []byte) {
		if string(name) != "schemas" {
			s.Skip()
			return
		}
		list(s, func() {
			var urn string
			text(s, &urn)
			is = is || strings.EqualFold(urn, "urn:ietf:params:scim:api:messages:2.0:Error")
		})
	})
	return s.End() == nil && is
}

// unsettled is the error for an object that is neither shown nor gone.
func unsettled(read, list error) error {
	return baton.Errorf(baton.Incomplete, "%w; that does not prove that it is gone, and the list does not, either: %w", read, list).WithFix("%s", cmp.Or(baton.FixOf(list), baton.FixOf(read)))
}
