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

// This file decides whether a response proves that a user or group exists or is gone. There are three cases:
//
//	shown    SCIM returned the object in SCIM form, under the requested id
//	gone     a complete list in SCIM form does not hold the object
//	unknown  anything else
//
// A 404 is unknown, whatever its form: load balancers, gateways and servers that are starting send it, and
// some directories send it for an account that they disabled. LookUpUser, LookUpGroup and ListedUsers return
// shown or gone. Unknown is an error. No other function of this package says that something is gone, and no
// error of this package has the kind NotFound.

// ErrNotShown is in the chain of the error for a 404 or a 410. Such a response does not prove that anything
// is gone; LookUpUser and LookUpGroup look for proof.
var ErrNotShown = errors.New("a 404 alone does not prove that anything is gone")

// notShownError wraps the error of package rest for a 404 or a 410 and hides its kind.
type notShownError struct {
	err  error
	form string
}

func (e *notShownError) Error() string        { return e.err.Error() + " (" + e.form + ")" }
func (e *notShownError) Unwrap() error        { return e.err }
func (e *notShownError) Is(target error) bool { return target == ErrNotShown }

// lookUpWaits are the waits before repeating a read that got a 404 although other evidence shows the object.
var lookUpWaits = [...]time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second}

// LookUpUser returns the user with that id and true if SCIM shows it, and false if the user is proved gone.
// Every other case is an error. It bypasses caches.
func (c *Client) LookUpUser(ctx context.Context, id string) (u User, shown bool, err error) {
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

// ListedUsers returns the users with the given ids that the list of users shows. The others are proved gone.
// It bypasses caches, and reads the list to its end unless it finds all ids before.
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

// LookUpGroup looks up a group as LookUpUser looks up a user. The group holds all its members.
func (c *Client) LookUpGroup(ctx context.Context, id string) (g Group, shown bool, err error) {
	return c.lookUpGroup(ctx, id, func() (Group, error) { return c.GetGroup(ctx, id) }, true)
}

// StreamGroup does the same as LookUpGroup, but holds no members in memory: member gets each as it arrives,
// with the group's id and name. A call of void cancels all earlier calls of member: the response is read
// again.
func (c *Client) StreamGroup(ctx context.Context, id string, member func(*Group, Member), void func()) (g Group, shown bool, err error) {
	return c.lookUpGroup(ctx, id, func() (Group, error) { return c.streamGroup(ctx, id, member, void) }, false)
}

// lookUpGroup looks for the group with get. If acceptRow is true, it also accepts the group as the list shows
// it, provided that the list shows its members.
func (c *Client) lookUpGroup(ctx context.Context, id string, get func() (Group, error), acceptRow bool) (g Group, shown bool, err error) {
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
	case acceptRow && row.Members.Entries() > 0 && row.Members.Problem() == "":
		return row, true, nil
	}
	// Many servers list groups without members. Only the group itself shows them.
	for _, wait := range lookUpWaits {
		if err := pause.For(ctx, wait); err != nil {
			return Group{}, false, err
		}
		if g, err = get(); !errors.Is(err, ErrNotShown) {
			return g, err == nil, err
		}
	}
	return Group{}, false, unsettled(err, errors.New("the list of groups has it, without members that could be used"))
}

// listedGroup returns the group as the list of groups shows it, with its members, and whether the list shows
// it. If it does not, the group is proved gone.
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

// proves checks that a complete list came from a SCIM server that shows its data. Only then is a row outside
// the list gone.
func (c *Client) proves(ctx context.Context, endpoint string, shown evidence) error {
	switch {
	case !shown.inForm():
		return c.notSCIM(endpoint)
	case shown.rows > 0:
		return nil
	}
	// A server that has lost its data sends an empty list, too.
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
		return baton.Errorf(baton.Incomplete, "%s shows no users and no groups at all, so it cannot prove that one of them is gone", c.rest.Origin()).
			WithFix("Check that the token belongs to the right organisation, and try again when the SCIM server shows its users.")
	}
	return nil
}

// notSCIM returns the error for a list that may not come from a SCIM server.
func (c *Client) notSCIM(endpoint string) error {
	return baton.Errorf(baton.Incomplete, "GET /%s: the answer is JSON, but not a SCIM list: it lacks the schema of a list", endpoint).
		WithFix("Find out what answers at %s. Check the SCIM URL, which ends above /%s.", c.rest.Origin(), endpoint)
}

// evidence counts what the pages of one list show about their origin.
type evidence struct {
	rows   int  // different rows
	pages  int  // responses read
	formal int  // responses with the schema of a list response
	named  bool // rows have the name attribute of SCIM users or groups
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

// inForm reports whether the list is in SCIM form. Some servers leave the schema out of all lists. Then the
// name attributes of the rows decide.
func (t evidence) inForm() bool {
	return t.formal == t.pages || t.formal == 0 && t.named
}

// isListSchema reports whether the URN is that of a list response in SCIM 2.0 or 1.1.
func isListSchema(urn string) bool {
	return strings.EqualFold(urn, "urn:ietf:params:scim:api:messages:2.0:ListResponse") ||
		strings.EqualFold(urn, "urn:scim:schemas:core:1.0")
}

// notShown replaces the NotFound error of package rest for a 404 or a 410 by one that describes the response
// and its sender. It returns other errors unchanged.
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

// persist repeats reading a list if something other than SCIM answers 404 although the server has answered
// before. Behind a load balancer, one of several instances may be missing for a moment.
func (c *Client) persist(ctx context.Context, read func() error) error {
	err := read()
	for _, wait := range lookUpWaits[1:] {
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

// isSCIMError reports whether the error response behind err has a SCIM error as its body.
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

// unsettled returns the error for an object that is neither shown nor proved gone.
func unsettled(read, list error) error {
	return baton.Errorf(baton.Incomplete, "%w; that does not prove that it is gone, and the list does not, either: %w", read, list).WithFix("%s", cmp.Or(baton.FixOf(list), baton.FixOf(read)))
}
