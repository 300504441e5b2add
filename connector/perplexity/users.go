package perplexity

import (
	"context"
	"strings"

	"baton"
	"baton/connector/paging"
	"baton/connector/scim"
)

// nextUsers reads one page of accounts. If the server shows an account's groups, it writes these memberships,
// too: some servers truncate member lists or leave them empty, and then only the accounts' own groups are
// complete.
func (c *connector) nextUsers(ctx context.Context, at baton.Cursor, page baton.Page) (baton.Step, error) {
	pos, err := paging.ParsePosition(string(at))
	if err != nil {
		return baton.Step{}, err
	}
	var buf accountBuffer
	step, err := c.scim.ListUsers(ctx, pos, paging.Sink[scim.User]{
		Seen: func(id string) bool { return page.Seen(userResource(id)) },
		Row:  func(u scim.User) { addUser(page, &u, &buf) },
		Void: page.Void,
	})
	if err != nil {
		return baton.Step{}, err
	}
	page.Expect(step.Total)
	return baton.Step{Cursor: baton.Cursor(step.Next.String()), Done: step.Done, Restart: step.Restart}, nil
}

func addUser(page baton.Page, u *scim.User, buf *accountBuffer) {
	page.Resource(buf.account(u))
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

// accountOf returns the resource of an account. The profile keys are a contract, like the
// identities: the export of the official CLI fills columns from user_id, first_name and
// last_name.
func accountOf(u scim.User) baton.Resource { return new(accountBuffer).account(&u) }

// accountBuffer holds the memory of one account. The next account overwrites it, which is safe because a page
// keeps no references.
type accountBuffer struct {
	profile baton.Profile
	user    baton.User
	emails  []baton.Email
}

func (r *accountBuffer) account(u *scim.User) baton.Resource {
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
