package perplexity

import (
	"context"
	"strings"

	"baton"
	"baton/connector/scim"
)

// nextUsers reads one page of accounts. Where the server shows an account's groups,
// the page yields those memberships, too: member lists are cut short or left empty
// by some servers, and the account's side is then the only one that knows.
func (c *connector) nextUsers(ctx context.Context, at baton.Cursor, page baton.Page) (baton.Step, error) {
	pos, err := scim.ParsePosition(string(at))
	if err != nil {
		return baton.Step{}, err
	}
	var room accountRoom
	step, err := c.scim.ListUsers(ctx, pos, scim.Sink[scim.User]{
		Seen: func(id string) bool { return page.Seen(userResource(id)) },
		Row:  func(u scim.User) { addUser(page, &u, &room) },
		Void: page.Void,
	})
	if err != nil {
		return baton.Step{}, err
	}
	page.Expect(step.Total)
	return baton.Step{Cursor: baton.Cursor(step.Next.String()), Done: step.Done, Restart: step.Restart}, nil
}

func addUser(page baton.Page, u *scim.User, room *accountRoom) {
	page.Resource(room.account(u))
	for _, ref := range u.Groups {
		switch {
		case !ref.IsGroup():
			page.Exclude("membership in something that is no group", u.ID+" in "+ref.Value)
		case ref.Value == "":
			page.Exclude("group of an account that cannot be read", u.ID)
		case strings.EqualFold(ref.Type, "indirect"):
			page.Exclude("membership through a nested group", u.ID+" in "+ref.Value)
		default:
			page.Grant(membership(ref.Value, ref.Display, u.ID))
		}
	}
}

// accountOf is the account as C1 sees it. The profile keys are a contract, like the
// identities: the official CLI's export fills its columns from user_id, first_name
// and last_name.
func accountOf(u scim.User) baton.Resource { return new(accountRoom).account(&u) }

// accountRoom is for accounts of which none is kept when the next one is made: a page keeps
// nothing of what it is given.
type accountRoom struct {
	profile baton.Profile
	user    baton.User
	emails  []baton.Email
}

func (r *accountRoom) account(u *scim.User) baton.Resource {
	if r.profile == nil {
		r.profile = baton.Profile{}
	}
	profile := r.profile
	clear(profile)
	email := u.Email()
	profile["user_id"] = u.ID
	for _, p := range [...]struct{ key, value string }{
		{"user_name", u.UserName},
		{"login", u.UserName},
		{"email", email},
		{"display_name", u.DisplayName},
		{"first_name", u.Name.GivenName},
		{"last_name", u.Name.FamilyName},
		{"external_id", u.ExternalID},
		{"title", u.Title},
		{"user_type", u.UserType},
		{"department", u.Department},
		{"employee_number", u.EmployeeNumber},
	} {
		if p.value != "" {
			profile[p.key] = p.value
		}
	}
	r.emails = appendEmails(r.emails[:0], u, email)
	account := &r.user
	*account = baton.User{
		Emails:     r.emails,
		Login:      u.UserName,
		GivenName:  u.Name.GivenName,
		FamilyName: u.Name.FamilyName,
	}
	if u.Name.MiddleName != "" {
		account.MiddleNames = []string{u.Name.MiddleName}
	}
	if u.EmployeeNumber != "" {
		account.EmployeeIDs = []string{u.EmployeeNumber}
	}
	status := baton.StatusUnspecified
	if u.Active != nil {
		status = baton.StatusDisabled
		if *u.Active {
			status = baton.StatusEnabled
		}
		profile["active"] = *u.Active
	}
	return baton.Resource{
		ID:          userResource(u.ID),
		DisplayName: u.Label(),
		Status:      status,
		CreatedAt:   u.Created,
		Profile:     profile,
		User:        account,
	}
}

// appendEmails appends each address once, with exactly one of them primary.
func appendEmails(emails []baton.Email, u *scim.User, primary string) []baton.Email {
	if primary != "" {
		emails = append(emails, baton.Email{Address: primary, Primary: true})
	}
	var listed map[string]bool // in lower case
	for _, e := range u.Emails {
		address := strings.TrimSpace(e.Value)
		if address == primary || address == "" {
			continue
		}
		if listed == nil {
			listed = map[string]bool{strings.ToLower(primary): true}
		}
		if key := strings.ToLower(address); !listed[key] {
			listed[key] = true
			emails = append(emails, baton.Email{Address: address})
		}
	}
	return emails
}
