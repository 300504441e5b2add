package perplexity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"baton"
	"baton/connector/scim"
	"baton/internal/pause"
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

// createAccount creates an account with its e-mail address as the user name. The account has no password:
// Perplexity signs people in through SSO.
func (c *connector) createAccount(ctx context.Context, req baton.AccountRequest) (baton.Outcome, error) {
	account, err := newAccount(req)
	if err != nil {
		return baton.Outcome{}, err
	}
	// Look first, so that a repeated request does not count as a conflict, and a creation whose response was
	// lost is told from an account that somebody else created.
	found, ok, err := c.find(ctx, account.UserName)
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("look for an account %s: %w", account.UserName, err)
	}
	if ok {
		return existing(found, account), nil
	}
	if req.DryRun {
		return baton.Outcome{Done: []string{fmt.Sprintf("Would create an account for %s (%s).", account.DisplayName, account.UserName)}}, nil
	}
	created, isNew, err := c.scim.CreateUser(ctx, account)
	if err != nil {
		return c.afterRefusal(ctx, account, err)
	}
	out, err := c.confirm(ctx, created, account)
	if err == nil && !isNew {
		out.Warnings = append(out.Warnings, "The server did not confirm a creation: the account may have existed before.")
	}
	return out, err
}

func newAccount(req baton.AccountRequest) (scim.NewUser, error) {
	email := cmp.Or(strings.TrimSpace(req.Email), strings.TrimSpace(req.Login))
	if email == "" {
		return scim.NewUser{}, baton.Errorf(baton.Invalid, "an account needs an e-mail address").
			WithFix("Give the address with which the person signs in.")
	}
	if parsed, err := mail.ParseAddress(email); err != nil || parsed.Address != email {
		return scim.NewUser{}, baton.Errorf(baton.Invalid, "%q is not an e-mail address", email).
			WithFix("Give the bare address, as in jane@example.com.")
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

// find returns the account that the name identifies, and whether there is one.
func (c *connector) find(ctx context.Context, name string) (scim.User, bool, error) {
	users, err := c.scim.FindUsers(ctx, name)
	if err != nil {
		return scim.User{}, false, err
	}
	return scim.Choose(users, name)
}

// existing returns the outcome for an account that existed before.
func existing(u scim.User, wanted scim.NewUser) baton.Outcome {
	res := accountOf(u)
	out := baton.Outcome{Already: true, Resource: &res, Done: []string{fmt.Sprintf("The account %s exists already.", quoted(u.UserName, u.ID))}}
	out.Warnings = renamed(u, wanted)
	if u.Active != nil && !*u.Active {
		out.Warnings = append(out.Warnings, "It is disabled. The action enable_user enables it, and gives back the groups that it is still in.")
	}
	return out
}

// renamed returns a warning if the account's user name differs from the requested one.
func renamed(u scim.User, wanted scim.NewUser) []string {
	if scim.SameName(u.UserName, wanted.UserName) {
		return nil
	}
	return []string{fmt.Sprintf("Its user name is %q and not %q; it is the account because that is its primary address.", u.UserName, wanted.UserName)}
}

// afterRefusal finds out what a creation's error means: the account exists, it was created and only the
// response was lost, or the creation was refused.
func (c *connector) afterRefusal(ctx context.Context, account scim.NewUser, refusal error) (baton.Outcome, error) {
	kind := baton.KindOf(refusal)
	if kind == baton.AlreadyExists || kind == baton.Unavailable || kind == baton.DeadlineExceeded {
		found, ok, err := c.find(ctx, account.UserName)
		var others []scim.User
		if !ok && err == nil && kind == baton.AlreadyExists {
			// The filter may be case-sensitive although the conflict ignored case.
			if others, err = c.scim.ScanUsers(ctx, account.UserName); err == nil {
				found, ok, err = scim.Choose(others, account.UserName)
			}
		}
		switch {
		case err != nil && baton.KindOf(err) == baton.AlreadyExists: // several accounts match
			return baton.Outcome{}, fmt.Errorf("create %s: %w; the server said: %v, which may have been carried out", account.UserName, err, refusal)
		case err != nil:
			return baton.Outcome{}, fmt.Errorf("create %s: %w; it may have been carried out, because looking for the account failed: %v", account.UserName, refusal, err)
		case ok && kind == baton.AlreadyExists:
			return existing(found, account), nil
		case ok:
			return c.confirm(ctx, found, account)
		case len(others) > 0:
			return baton.Outcome{}, baton.Errorf(baton.AlreadyExists, "create %s: the address is taken, but not by an account of that person: %s; if it was free before, this may have been carried out: %w",
				account.UserName, scim.FormatUsers(others), refusal).
				WithFix("Remove the address from the account that has it in the identity provider, or use another address.")
		case kind == baton.AlreadyExists:
			return baton.Outcome{}, baton.Errorf(baton.AlreadyExists, "create %s: it exists, but SCIM does not show it; if it did not exist before, this may have been carried out: %w", account.UserName, refusal).
				WithFix("It was probably created in the Perplexity console, or belongs to another organisation; have Perplexity move it under SCIM.")
		}
	}
	return baton.Outcome{}, fmt.Errorf("create %s: %w", account.UserName, perhaps(refusal))
}

// confirm reads the new account back and checks that it is the requested one: some servers answer a creation
// with another user's record.
func (c *connector) confirm(ctx context.Context, created scim.User, account scim.NewUser) (baton.Outcome, error) {
	var u scim.User
	var err error
	for _, wait := range rereads {
		if err := pause.For(ctx, wait); err != nil {
			return baton.Outcome{}, notVerified(err)
		}
		if u, err = c.scim.GetUser(ctx, created.ID); !errors.Is(err, scim.ErrNotShown) {
			break
		}
	}
	if errors.Is(err, scim.ErrNotShown) {
		shown := false
		if u, shown, err = c.scim.LookUpUser(ctx, created.ID); err == nil && !shown {
			err = gone("account", created.ID)
		}
	}
	if err == nil && !u.GoesBy(account.UserName) {
		return baton.Outcome{}, fmt.Errorf("create %s: %w", account.UserName, scim.OtherRecord(account.UserName, u))
	}
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("create %s: %w", account.UserName, notVerified(err))
	}
	res := accountOf(u)
	out := baton.Outcome{Resource: &res, Done: []string{fmt.Sprintf("Created the account %s.", quoted(u.UserName, u.ID))}}
	out.Warnings = append(renamed(u, account), "Perplexity sends no welcome mail, and the account has no role until it is in a role group.")
	if u.Active != nil && !*u.Active {
		out.Warnings = append(out.Warnings, "The server created it disabled.")
	}
	return out, nil
}
