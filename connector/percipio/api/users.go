package api

import "context"

// User is an account of the organisation. Texts are empty when the API has none.
type User struct {
	ID, ExternalUserID, LoginName, Email string
	FirstName, LastName                  string
	Role                                 string // LEARNER, ADMIN, MANAGER and the like
	JobTitle, JobRole                    string
	ApprovalManager, DirectHRManager     Manager
	// The flags are nil when the API does not say.
	IsActive, IsInstructor, HasCoaching                   *bool
	HasEnterpriseCoaching, HasEnterpriseCoachingDashboard *bool
	CustomAttributes                                      []Attribute
}

// Manager is a reference to another account, any part of which may be missing.
type Manager struct{ ID, Email, ExternalUserID string }

// Attribute is a field that the organisation defined. Value is empty for null.
type Attribute struct{ ID, Name, Value string }

type userRow struct {
	ID             text `json:"id"`
	ExternalUserID text `json:"externalUserId"`
	LoginName      text `json:"loginName"`
	Email          text `json:"email"`
	FirstName      text `json:"firstName"`
	LastName       text `json:"lastName"`
	Role           text `json:"role"`
	JobTitle       text `json:"jobTitle"`
	JobRole        text `json:"jobRole"`

	ApprovalManager object[managerRow] `json:"approvalManager"`
	DirectHRManager object[managerRow] `json:"directHrManager"`

	IsActive                       flag `json:"isActive"`
	IsInstructor                   flag `json:"isInstructor"`
	HasCoaching                    flag `json:"hasCoaching"`
	HasEnterpriseCoaching          flag `json:"hasEnterpriseCoaching"`
	HasEnterpriseCoachingDashboard flag `json:"hasEnterpriseCoachingDashboard"`

	CustomAttributes objects[struct {
		ID    text `json:"id"`
		Name  text `json:"name"`
		Value text `json:"value"`
	}] `json:"customAttributes"`
}

type managerRow struct {
	ID             text `json:"id"`
	Email          text `json:"email"`
	ExternalUserID text `json:"externalUserId"`
}

func (m managerRow) manager() Manager {
	return Manager{ID: string(m.ID), Email: string(m.Email), ExternalUserID: string(m.ExternalUserID)}
}

func (r userRow) user() User {
	u := User{
		ID: string(r.ID), ExternalUserID: string(r.ExternalUserID), LoginName: string(r.LoginName), Email: string(r.Email),
		FirstName: string(r.FirstName), LastName: string(r.LastName), Role: string(r.Role),
		JobTitle: string(r.JobTitle), JobRole: string(r.JobRole),
		ApprovalManager: r.ApprovalManager.v.manager(), DirectHRManager: r.DirectHRManager.v.manager(),
		IsActive: r.IsActive.said, IsInstructor: r.IsInstructor.said, HasCoaching: r.HasCoaching.said,
		HasEnterpriseCoaching: r.HasEnterpriseCoaching.said, HasEnterpriseCoachingDashboard: r.HasEnterpriseCoachingDashboard.said,
	}
	for _, a := range r.CustomAttributes {
		u.CustomAttributes = append(u.CustomAttributes, Attribute{ID: string(a.v.ID), Name: string(a.v.Name), Value: string(a.v.Value)})
	}
	return u
}

// ListUsers reads one page of accounts, with one request. seen reports whether the
// account with that id came with an earlier page of this pass, also if another
// process read that page; each gets the accounts that were not seen. After an error
// the same position may be read again. Incomplete if the list cannot be proved
// complete; see the package comment.
func (c *Client) ListUsers(ctx context.Context, at Position, seen func(id string) bool, each func(User)) (ListStep, error) {
	l := listing[User]{path: c.path(userManagement, "v1", "users"), id: func(u User) string { return u.ID }, seen: seen, each: each}
	step, err := listPage(ctx, c, l, at, userRow.user)
	return step, explain("list users", userManagement, err)
}
