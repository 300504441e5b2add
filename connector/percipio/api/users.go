package api

import (
	"context"

	"baton/jsonscan"
)

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

func readUser(s *jsonscan.Scanner) (u User) {
	object(s, func(name []byte) {
		switch string(name) {
		case "id":
			u.ID = text(s)
		case "externaluserid":
			u.ExternalUserID = text(s)
		case "loginname":
			u.LoginName = text(s)
		case "email":
			u.Email = text(s)
		case "firstname":
			u.FirstName = text(s)
		case "lastname":
			u.LastName = text(s)
		case "role":
			u.Role = text(s)
		case "jobtitle":
			u.JobTitle = text(s)
		case "jobrole":
			u.JobRole = text(s)
		case "approvalmanager":
			readManager(s, &u.ApprovalManager)
		case "directhrmanager":
			readManager(s, &u.DirectHRManager)
		case "isactive":
			u.IsActive = flag(s)
		case "isinstructor":
			u.IsInstructor = flag(s)
		case "hascoaching":
			u.HasCoaching = flag(s)
		case "hasenterprisecoaching":
			u.HasEnterpriseCoaching = flag(s)
		case "hasenterprisecoachingdashboard":
			u.HasEnterpriseCoachingDashboard = flag(s)
		case "customattributes":
			var all []Attribute
			if elements(s, func() { all = append(all, readAttribute(s)) }) {
				u.CustomAttributes = all
			}
		default:
			s.Skip()
		}
	})
	return u
}

func readManager(s *jsonscan.Scanner, m *Manager) {
	object(s, func(name []byte) {
		switch string(name) {
		case "id":
			m.ID = text(s)
		case "email":
			m.Email = text(s)
		case "externaluserid":
			m.ExternalUserID = text(s)
		default:
			s.Skip()
		}
	})
}

func readAttribute(s *jsonscan.Scanner) (a Attribute) {
	object(s, func(name []byte) {
		switch string(name) {
		case "id":
			a.ID = text(s)
		case "name":
			a.Name = text(s)
		case "value":
			a.Value = text(s)
		default:
			s.Skip()
		}
	})
	return a
}

// ListUsers reads one page of accounts, with one request. After an error the same
// position may be read again. Incomplete if the list cannot be proved complete; see
// the package comment.
func (c *Client) ListUsers(ctx context.Context, at Position, sink Sink[User]) (ListStep, error) {
	l := listing[User]{path: c.path(userManagement, "v1", "users"), read: readUser, id: func(u User) string { return u.ID }, sink: sink}
	step, err := listPage(ctx, c, l, at)
	return step, explain("list users", userManagement, err)
}
