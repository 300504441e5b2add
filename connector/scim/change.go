package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"baton"
	"baton/connector/rest"
	"baton/internal/jsonscan"
)

const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// NewUser holds the attributes of an account to create. Empty fields are not sent: servers reject null and
// often mishandle empty strings.
type NewUser struct {
	UserName    string // required
	ExternalID  string
	DisplayName string
	GivenName   string
	FamilyName  string
	Email       string // becomes the primary address for work
}

type newUserBody struct {
	Schemas     []string       `json:"schemas"`
	UserName    string         `json:"userName"`
	ExternalID  string         `json:"externalId,omitempty"`
	Name        *newNameBody   `json:"name,omitempty"`
	DisplayName string         `json:"displayName,omitempty"`
	Emails      []newEmailBody `json:"emails,omitempty"`
	Active      bool           `json:"active"`
}

type newNameBody struct {
	GivenName  string `json:"givenName,omitempty"`
	FamilyName string `json:"familyName,omitempty"`
}

type newEmailBody struct {
	Value   string `json:"value"`
	Type    string `json:"type"`
	Primary bool   `json:"primary"`
}

// CreateUser creates an active user. It returns the record in the server's response, or, if the response
// holds none, the record that the server shows under the userName. If that record belongs to another user,
// the error is Incomplete and names it. The response may still be wrong: read the user back by ID and check
// GoesBy again. isNew is false if the status is not that of a creation: the user may have existed before. The
// error is AlreadyExists on a conflict, which does not mean that the other user is visible through SCIM. An
// error does not prove that nothing was stored: a server may keep a user that it rejected, and a response may
// be lost. Look before trying again.
func (c *Client) CreateUser(ctx context.Context, user NewUser) (u User, isNew bool, err error) {
	const doing = "create user"
	if strings.TrimSpace(user.UserName) == "" {
		return User{}, false, explain(doing, baton.Errorf(baton.Invalid, "a user needs a userName"))
	}
	body := newUserBody{
		Schemas:     []string{userSchema},
		UserName:    user.UserName,
		ExternalID:  user.ExternalID,
		DisplayName: user.DisplayName,
		Active:      true,
	}
	if user.GivenName != "" || user.FamilyName != "" {
		body.Name = &newNameBody{GivenName: user.GivenName, FamilyName: user.FamilyName}
	}
	if user.Email != "" {
		body.Emails = []newEmailBody{{Value: user.Email, Type: "work", Primary: true}}
	}
	resp, err := c.write(ctx, http.MethodPost, "/Users", rest.RetryNever, body)
	if err != nil {
		return User{}, false, explain(doing, err)
	}
	isNew = resp.Status == http.StatusCreated
	if u, ok := userOf(resp.Body); ok {
		if (u.UserName != "" || u.OwnAddress() != "") && !u.GoesBy(user.UserName) {
			return User{}, false, explain(doing, OtherRecord(user.UserName, u))
		}
		return u, isNew, nil
	}
	// The response does not say which user was created.
	found, err := c.FindUsers(ctx, user.UserName)
	ok := false
	if err == nil {
		u, ok, err = Choose(found, user.UserName)
	}
	switch {
	case err != nil:
		return User{}, false, explain(doing, baton.Errorf(baton.Incomplete, "the server reports success, but not which user it created: %w", err))
	case !ok:
		return User{}, false, explain(doing, baton.Errorf(baton.Incomplete, "the server reports success, but shows no user with that userName"))
	}
	return u, isNew, nil
}

// OtherRecord returns the error for a creation that the server answered with another user's record.
func OtherRecord(userName string, got User) error {
	return baton.Errorf(baton.Incomplete, "the server reports success, but shows a record that is not that of %q: %s", userName, FormatUsers([]User{got})).
		WithFix("Whether an account was created is not known. In the identity provider, check the record %s and look for an account of %s.", got.ID, userName)
}

// userOf returns the user in a body, if the body holds one with an id.
func userOf(body []byte) (User, bool) {
	s := jsonscan.New(bytes.NewReader(body))
	defer s.Free()
	r := newUserReader(nil)
	id, err := readRow(s, r, nil)
	return r.user, err == nil && s.End() == nil && id != ""
}

// SetActive enables or disables a user and changes nothing else. If the server rejects the attribute as a
// path, SetActive repeats the request without a path. Success does not prove the change: read the user again.
func (c *Client) SetActive(ctx context.Context, id string, active bool) error {
	err := c.patch(ctx, "Users", id, operation{Op: "replace", Path: "active", Value: active})
	if statusOf(err) == http.StatusBadRequest && baton.KindOf(err) == baton.Invalid {
		pathless := operation{Op: "replace", Value: map[string]bool{"active": active}}
		if c.patch(ctx, "Users", id, pathless) == nil {
			err = nil
		}
	}
	return explain("set active", err)
}

// AddMember adds one user to a group and touches no other member. Success does not prove membership, because
// servers silently drop users that they cannot resolve.
func (c *Client) AddMember(ctx context.Context, groupID, userID string) error {
	if userID == "" {
		return explain("add member", errNoID())
	}
	value := []map[string]string{{"value": userID}}
	return explain("add member", c.patch(ctx, "Groups", groupID, operation{Op: "add", Path: "members", Value: value}))
}

// RemoveMember removes one user from a group and touches no other member.
func (c *Client) RemoveMember(ctx context.Context, groupID, userID string) error {
	if userID == "" {
		return explain("remove member", errNoID())
	}
	// Never send the path without the filter: removing "members" empties the group.
	path := "members[value eq " + quote(userID) + "]"
	return explain("remove member", c.patch(ctx, "Groups", groupID, operation{Op: "remove", Path: path}))
}

func errNoID() error { return baton.Errorf(baton.Invalid, "no id given") }

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

// patch sends one operation. Every operation of this package is idempotent.
func (c *Client) patch(ctx context.Context, endpoint, id string, op operation) error {
	if id == "" {
		return errNoID()
	}
	_, err := c.write(ctx, http.MethodPatch, rest.Join(endpoint, id), rest.RetrySafe, struct {
		Schemas    []string    `json:"schemas"`
		Operations []operation `json:"Operations"`
	}{[]string{patchSchema}, []operation{op}})
	return err
}

// write sends a body and accepts any 2xx status except 202, which only promises a later change (RFC 9967): it
// could not be verified now.
func (c *Client) write(ctx context.Context, method, path string, retry rest.RetryPolicy, body any) (*rest.Response, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, baton.Errorf(baton.Internal, "encode request: %w", err)
	}
	var resp *rest.Response
	err := c.negotiate(retry == rest.RetrySafe, func(accept, content string) (err error) {
		resp, err = c.rest.Do(ctx, rest.Request{
			Method: method,
			Path:   path,
			Header: http.Header{"Accept": {accept}, "Content-Type": {content}},
			Body:   bytes.TrimRight(b.Bytes(), "\n"),
			Retry:  retry,
		})
		return err
	})
	if err == nil && resp.Status == http.StatusAccepted {
		return nil, baton.Errorf(baton.Unavailable, "%s %s: %w", method, path, errAccepted).
			WithFix("look again later whether the change took place")
	}
	return resp, c.notShown(err)
}

var errAccepted = errors.New("the server accepted the change, but has not made it yet")
