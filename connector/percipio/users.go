package percipio

import (
	"cmp"
	"context"
	"strings"

	"baton"
	"baton/connector/paging"
	"baton/connector/percipio/api"
)

// nextUsers reads one page of accounts.
func (c *connector) nextUsers(ctx context.Context, at baton.Cursor, page baton.Page) (baton.Step, error) {
	pos, err := paging.ParsePosition(string(at))
	if err != nil {
		return baton.Step{}, err
	}
	var all accounts
	step, err := c.api.ListUsers(ctx, pos, paging.Sink[api.User]{
		Seen: func(id string) bool { return page.Seen(userResource(id)) },
		Row: func(u api.User) {
			if u.ID == "" {
				page.Exclude("account without an id", cmp.Or(u.Email, u.LoginName, u.ExternalUserID))
				return
			}
			page.Resource(all.account(&u))
		},
		Void: page.Void,
	})
	if err != nil {
		return baton.Step{}, err
	}
	page.Expect(step.Total)
	return baton.Step{Cursor: baton.Cursor(step.Next.String()), Done: step.Done, Restart: step.Restart}, nil
}

// accounts converts users into accounts, one after the other. They share one profile, because a page does not
// keep it.
type accounts struct {
	profile baton.Profile
	// names are the custom attributes of the previous account, keys their profile keys.
	names, keys []string
}

// account converts a user to an account. The profile keys are a contract, like the identities: those of the
// built-in attributes are always present, and those of custom attributes are the organisation's names.
func (all *accounts) account(u *api.User) baton.Resource {
	if all.profile == nil {
		all.profile = baton.Profile{}
	}
	profile := all.profile
	clear(profile)
	for _, p := range [...]struct{ key, value string }{
		{"id", u.ID},
		{"external_id", u.ExternalUserID},
		{"login_name", u.LoginName},
		{"email", u.Email},
		{"first_name", u.FirstName},
		{"last_name", u.LastName},
		{"role", u.Role},
		{"job_title", u.JobTitle},
		{"approval_manager", u.ApprovalManager.Email},
	} {
		profile[p.key] = p.value
	}
	for _, p := range [...]struct{ key, value string }{
		{"job_role", u.JobRole},
		{"approval_manager_id", u.ApprovalManager.ID},
		{"direct_hr_manager", u.DirectHRManager.Email},
		{"direct_hr_manager_id", u.DirectHRManager.ID},
		{"approval_manager_user_id", u.ApprovalManager.ExternalUserID},
	} {
		if p.value != "" {
			profile[p.key] = p.value
		}
	}
	for _, p := range [...]struct {
		key  string
		flag *bool
	}{
		{"is_instructor", u.IsInstructor},
		{"has_coaching", u.HasCoaching},
		{"has_enterprise_coaching", u.HasEnterpriseCoaching},
		{"has_enterprise_coaching_dashboard", u.HasEnterpriseCoachingDashboard},
	} {
		profile[p.key] = p.flag != nil && *p.flag
	}
	if u.IsActive != nil {
		profile["is_active"] = *u.IsActive
	}
	all.addCustom(u.CustomAttributes)
	account := baton.User{Login: u.LoginName, GivenName: u.FirstName, FamilyName: u.LastName}
	if u.Email != "" {
		account.Emails = []baton.Email{{Address: u.Email, Primary: true}}
	}
	status := baton.StatusUnspecified
	if u.IsActive != nil {
		status = baton.StatusDisabled
		if *u.IsActive {
			status = baton.StatusEnabled
		}
	}
	return baton.Resource{
		ID:          userResource(u.ID),
		DisplayName: cmp.Or(strings.TrimSpace(u.FirstName+" "+u.LastName), u.Email, u.LoginName, u.ID),
		Status:      status,
		Profile:     profile,
		User:        &account,
	}
}

// isReserved reports whether the key belongs to a built-in attribute that some accounts lack.
func isReserved(key string) bool {
	switch key {
	case "is_active", "job_role", "approval_manager_id", "approval_manager_user_id", "direct_hr_manager", "direct_hr_manager_id":
		return true
	}
	return false
}

// addCustom adds the custom attributes of the organisation. An attribute with the name of a built-in one, or
// of another custom one, gets a prefix, so that they cannot be confused. The keys depend only on the names.
func (all *accounts) addCustom(attributes []api.Attribute) {
	if !all.named(attributes) {
		all.name(attributes)
		return
	}
	for i, key := range all.keys {
		if key != "" {
			all.profile[key] = attributes[i].Value
		}
	}
}

// named reports whether the attributes have the same names as those of the previous account.
func (all *accounts) named(attributes []api.Attribute) bool {
	if len(attributes) != len(all.names) {
		return false
	}
	for i := range attributes {
		if cmp.Or(attributes[i].Name, attributes[i].ID) != all.names[i] {
			return false
		}
	}
	return true
}

// name chooses the keys of the attributes and writes them to the profile. An attribute without a name has an
// empty key.
func (all *accounts) name(attributes []api.Attribute) {
	all.names, all.keys = all.names[:0], all.keys[:0]
	taken := func(key string) bool {
		_, there := all.profile[key]
		return there || isReserved(key)
	}
	for _, a := range attributes {
		key := cmp.Or(a.Name, a.ID)
		all.names = append(all.names, key)
		for key != "" && taken(key) {
			key = "custom_" + key
		}
		all.keys = append(all.keys, key)
		if key != "" {
			all.profile[key] = a.Value
		}
	}
}
