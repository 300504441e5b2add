package perplexity

import (
	"cmp"
	"context"
	"fmt"
	"net/mail"
	"strings"

	"baton"
	"baton/connector/scim"
)

const displayNameField = "display_name"

func (c *connector) accountCreation() *baton.AccountCreation {
	return &baton.AccountCreation{
		ResourceType: userType,
		Fields: []baton.Field{{
			Name: displayNameField, DisplayName: "Display name", Kind: baton.StringField, Required: true, Placeholder: "Jane Smith",
			Description: "First and last name, separated by a space. The first word becomes the given name, the rest the family name.",
		}},
		Create: c.createAccount,
	}
}

// createAccount makes an account whose e-mail is its user name. It has no password:
// Perplexity signs people in through SSO.
func (c *connector) createAccount(ctx context.Context, req baton.AccountRequest) (baton.Outcome, error) {
	account, err := newAccount(req)
	if err != nil {
		return baton.Outcome{}, err
	}
	// Looking first keeps a repeated request from counting as a conflict, and tells
	// an answer that was lost from an account that somebody else made.
	found, err := c.find(ctx, account.UserName)
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("look for an account %s: %w", account.UserName, err)
	}
	if found != nil {
		return existing(*found), nil
	}
	if req.DryRun {
		return baton.Outcome{Done: []string{fmt.Sprintf("Would create an account for %s (%s).", account.DisplayName, account.UserName)}}, nil
	}
	created, err := c.scim.CreateUser(ctx, account)
	if err != nil {
		return c.afterRefusal(ctx, account, err)
	}
	return c.confirm(ctx, created, account)
}

func newAccount(req baton.AccountRequest) (scim.NewUser, error) {
	email := cmp.Or(strings.TrimSpace(req.Email), strings.TrimSpace(req.Login))
	if email == "" {
		return scim.NewUser{}, baton.Errorf(baton.Invalid, "an account needs an e-mail address")
	}
	if parsed, err := mail.ParseAddress(email); err != nil || parsed.Address != email {
		return scim.NewUser{}, baton.Errorf(baton.Invalid, "%q is not an e-mail address", email)
	}
	name, _ := req.Profile[displayNameField].(string)
	words := strings.Fields(name)
	if len(words) == 0 {
		return scim.NewUser{}, baton.Errorf(baton.Invalid, "an account needs %s", displayNameField).
			WithFix(`Give the first and last name, as in {"display_name": "Jane Smith"}.`)
	}
	return scim.NewUser{
		UserName:    email,
		DisplayName: strings.Join(words, " "),
		GivenName:   words[0],
		FamilyName:  strings.Join(words[1:], " "),
		Email:       email,
	}, nil
}

// find is the account with that user name or address, or nil.
func (c *connector) find(ctx context.Context, name string) (*scim.User, error) {
	users, err := c.scim.FindUsers(ctx, name)
	return pick(users, name), err
}

// pick prefers the account with that user name to one that only has the address.
func pick(users []scim.User, name string) *scim.User {
	for i := range users {
		if strings.EqualFold(users[i].UserName, name) {
			return &users[i]
		}
	}
	if len(users) == 0 {
		return nil
	}
	return &users[0]
}

func existing(u scim.User) baton.Outcome {
	res := accountOf(u)
	out := baton.Outcome{Already: true, Resource: &res, Done: []string{fmt.Sprintf("The account %s exists already.", quoted(u.UserName, u.ID))}}
	if u.Active != nil && !*u.Active {
		out.Warnings = append(out.Warnings, "It is disabled. The action enable_user enables it, and gives back the groups that it is still in.")
	}
	return out
}

// afterRefusal tells apart what an error of the creation can mean: it exists, it was
// created and only the answer was lost, or it was refused.
func (c *connector) afterRefusal(ctx context.Context, account scim.NewUser, refusal error) (baton.Outcome, error) {
	kind := baton.KindOf(refusal)
	if kind == baton.AlreadyExists || kind == baton.Unavailable || kind == baton.DeadlineExceeded {
		found, err := c.find(ctx, account.UserName)
		if found == nil && err == nil && kind == baton.AlreadyExists {
			// The filter may mind the case of the name where the conflict did not.
			var users []scim.User
			users, err = c.scim.ScanUsers(ctx, account.UserName)
			found = pick(users, account.UserName)
		}
		switch {
		case err != nil:
			return baton.Outcome{}, fmt.Errorf("create %s: %w; it may have been carried out, for looking for the account failed: %v", account.UserName, refusal, err)
		case found != nil && kind == baton.AlreadyExists:
			return existing(*found), nil
		case found != nil:
			return c.confirm(ctx, *found, account)
		case kind == baton.AlreadyExists:
			return baton.Outcome{}, baton.Errorf(baton.AlreadyExists, "create %s: it exists, but SCIM does not show it; if it did not exist before, this may have been carried out: %w", account.UserName, refusal).
				WithFix("It was probably created in the Perplexity console, or belongs to another organisation; have Perplexity move it under SCIM.")
		}
	}
	return baton.Outcome{}, fmt.Errorf("create %s: %w", account.UserName, perhaps(refusal))
}

// confirm reads the new account back.
func (c *connector) confirm(ctx context.Context, created scim.User, account scim.NewUser) (baton.Outcome, error) {
	var u scim.User
	var err error
	for _, wait := range rereads {
		if err := pause(ctx, wait); err != nil {
			return baton.Outcome{}, notVerified(err)
		}
		if created.ID == "" {
			var found *scim.User
			if found, err = c.find(ctx, account.UserName); found != nil {
				u = *found
			} else if err == nil {
				err = baton.Errorf(baton.NotFound, "no account %s", account.UserName)
			}
		} else {
			u, err = c.scim.GetUser(ctx, created.ID)
		}
		if baton.KindOf(err) != baton.NotFound {
			break
		}
	}
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("create %s: %w", account.UserName, notVerified(err))
	}
	res := accountOf(u)
	out := baton.Outcome{Resource: &res, Done: []string{fmt.Sprintf("Created the account %s.", quoted(u.UserName, u.ID))}}
	out.Warnings = append(out.Warnings, "Perplexity sends no welcome mail, and the account has no role until it is in a role group.")
	if u.Active != nil && !*u.Active {
		out.Warnings = append(out.Warnings, "The server created it disabled.")
	}
	return out, nil
}
