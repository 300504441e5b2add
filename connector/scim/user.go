package scim

import (
	"context"
	"net/mail"
	"strings"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/internal/jsonscan"
)

// User holds the attributes of a SCIM user that this package reads (RFC 7643 section 4.1). Fields that are
// absent or unreadable are zero.
type User struct {
	ID          string // opaque and case-exact; this package never returns a user without it
	ExternalID  string
	UserName    string
	DisplayName string
	Name        Name
	Emails      []Email // without entries that have no address
	Active      *bool   // nil if absent, which differs from false

	Title    string
	UserType string

	// Attributes of the enterprise extension.
	EmployeeNumber string
	Department     string

	Groups       []GroupRef
	GroupsListed bool // the attribute was there; without it, Groups proves nothing

	Created time.Time // zero when missing or unreadable
}

// Name holds the parts of a person's name.
type Name struct{ Formatted, FamilyName, GivenName, MiddleName string }

// Email is one e-mail address.
type Email struct {
	Value   string // not blank
	Type    string // "work", "home", "other", or empty
	Primary bool
}

// GroupRef is an entry of a user's groups.
type GroupRef struct {
	Value   string // id of the group as the server writes it; empty with a Problem
	Type    string // "direct", "indirect", or empty
	Ref     string
	Display string
	Problem string // why the entry cannot be read, or empty
}

// IsGroup reports whether the entry refers to a group and not, for example, to a role.
func (g GroupRef) IsGroup() bool {
	endpoint, _ := splitRef(g.Ref, g.Value)
	switch kindOfEndpoint(endpoint) {
	case groupKind:
		return true
	case userKind, otherKind:
		return false
	}
	says := kindOf(g.Type)
	return says != userKind && says != otherKind
}

func (r *reference) groupRef() GroupRef {
	r.identify()
	g := GroupRef{Value: r.value, Type: r.kind, Ref: r.ref, Display: r.display, Problem: r.problem}
	switch {
	case g.Problem != "":
	case r.value == "":
		g.Problem = "it has neither a value nor a $ref with an id"
	case len(r.value) > maxID:
		g.Problem = "its id is too long"
	}
	if g.Problem != "" {
		g.Value = ""
	}
	return g
}

// GroupsProblem says why some groups of the user cannot be read, or is empty.
func (u *User) GroupsProblem() string {
	for _, g := range u.Groups {
		if g.Problem != "" && g.IsGroup() {
			return g.Problem
		}
	}
	return ""
}

// Email returns the primary address, else the first for work, else the first, else the userName if it is an
// address, else "".
func (u *User) Email() string {
	for _, e := range u.Emails {
		if e.Primary {
			return e.Value
		}
	}
	for _, e := range u.Emails {
		if strings.EqualFold(e.Type, "work") {
			return e.Value
		}
	}
	if len(u.Emails) > 0 {
		return u.Emails[0].Value
	}
	if name := strings.TrimSpace(u.UserName); isAddress(name) {
		return name
	}
	return ""
}

func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// Label returns a name to show: displayName, the formatted name, given and family name, userName, e-mail or
// id, whichever comes first. It is never empty.
func (u *User) Label() string {
	if name := strings.TrimSpace(u.DisplayName); name != "" {
		return name // the usual case, without computing the others
	}
	full := u.Name.GivenName + " " + u.Name.FamilyName
	return firstText(u.Name.Formatted, full, u.UserName, u.Email(), u.ID)
}

func firstText(candidates ...string) string {
	for _, s := range candidates {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return "(unnamed)"
}

// GetUser reads one user and bypasses caches. An error never proves that the user is gone; ask LookUpUser.
func (c *Client) GetUser(ctx context.Context, id string) (User, error) {
	r := newUserReader(nil)
	if err := c.getOne(ctx, "user", "Users", id, r); err != nil {
		return User{}, err
	}
	return r.user, nil
}

// getOne reads one resource and checks that it is the requested one: a response without its id proves
// nothing, whatever its status.
func (c *Client) getOne(ctx context.Context, noun, endpoint, id string, rows rowReader) error {
	doing := "get " + noun
	if id == "" {
		return explain(doing, baton.Errorf(baton.Invalid, "no id given"))
	}
	err := c.get(ctx, rest.Join(endpoint, id), nil, true, func(s *jsonscan.Scanner) error {
		rows.begin()
		got, err := readRow(s, rows, nil)
		if err == nil && s.Err() == nil && got != id {
			return baton.Errorf(baton.Incomplete, "the answer is not the %s that was asked for", noun)
		}
		return err
	})
	return explain(doing, err)
}
