package api

import (
	"context"

	"baton/connector/paging"
	"baton/internal/jsonscan"
)

// User is an account of the organisation. Missing texts are empty.
type User struct {
	ID, ExternalUserID, LoginName, Email string
	FirstName, LastName                  string
	Role                                 string // LEARNER, ADMIN, MANAGER and the like
	JobTitle, JobRole                    string
	ApprovalManager, DirectHRManager     Manager
	// The flags are nil if missing.
	IsActive, IsInstructor, HasCoaching                   *bool
	HasEnterpriseCoaching, HasEnterpriseCoachingDashboard *bool
	CustomAttributes                                      []Attribute
}

// Manager is a reference to another account, any part of which may be missing.
type Manager struct{ ID, Email, ExternalUserID string }

// Attribute is a field that the organisation defined. Value is empty for null.
type Attribute struct{ ID, Name, Value string }

// maxAttributes limits the capacity allocated before the attributes are read.
const maxAttributes = 100

// userReader reads accounts, one after the other.
type userReader struct {
	s                        *jsonscan.Scanner
	user, manager, attribute *jsonscan.Names
	attributes               int // of the previous account
}

// The fields of an account, of a manager and of an attribute.
const (
	userID = iota
	userExternalID
	userLogin
	userEmail
	userFirstName
	userLastName
	userRole
	userJobTitle
	userJobRole
	userApprovalManager
	userHRManager
	userActive
	userInstructor
	userCoaching
	userEnterpriseCoaching
	userEnterpriseDashboard
	userAttributes
)

const (
	managerID = iota
	managerEmail
	managerExternalID
)

const (
	attributeID = iota
	attributeName
	attributeValue
)

func readUsers(s *jsonscan.Scanner) func() User {
	r := &userReader{
		s: s,
		user: jsonscan.NewFolded([]string{
			userID: "id", userExternalID: "externaluserid", userLogin: "loginname", userEmail: "email", userFirstName: "firstname", userLastName: "lastname",
			userRole: "role", userJobTitle: "jobtitle", userJobRole: "jobrole", userApprovalManager: "approvalmanager", userHRManager: "directhrmanager",
			userActive: "isactive", userInstructor: "isinstructor", userCoaching: "hascoaching", userEnterpriseCoaching: "hasenterprisecoaching",
			userEnterpriseDashboard: "hasenterprisecoachingdashboard", userAttributes: "customattributes",
		}),
		manager:   jsonscan.NewFolded([]string{managerID: "id", managerEmail: "email", managerExternalID: "externaluserid"}),
		attribute: jsonscan.NewFolded([]string{attributeID: "id", attributeName: "name", attributeValue: "value"}),
	}
	return r.read
}

func (r *userReader) read() (u User) {
	s := r.s
	if !isObject(s) {
		return u
	}
	for s.Object(); s.Known(r.user); {
		switch r.user.Field {
		case userID:
			u.ID = text(s)
		case userExternalID:
			u.ExternalUserID = text(s)
		case userLogin:
			u.LoginName = text(s)
		case userEmail:
			u.Email = text(s)
		case userFirstName:
			u.FirstName = text(s)
		case userLastName:
			u.LastName = text(s)
		case userRole:
			u.Role = text(s)
		case userJobTitle:
			u.JobTitle = text(s)
		case userJobRole:
			u.JobRole = text(s)
		case userApprovalManager:
			r.readManager(&u.ApprovalManager)
		case userHRManager:
			r.readManager(&u.DirectHRManager)
		case userActive:
			u.IsActive = flag(s)
		case userInstructor:
			u.IsInstructor = flag(s)
		case userCoaching:
			u.HasCoaching = flag(s)
		case userEnterpriseCoaching:
			u.HasEnterpriseCoaching = flag(s)
		case userEnterpriseDashboard:
			u.HasEnterpriseCoachingDashboard = flag(s)
		case userAttributes:
			if isList(s) {
				u.CustomAttributes = r.readAttributes()
			}
		}
	}
	return u
}

func (r *userReader) readManager(m *Manager) {
	s := r.s
	if !isObject(s) {
		return
	}
	for s.Object(); s.Known(r.manager); {
		switch r.manager.Field {
		case managerID:
			m.ID = text(s)
		case managerEmail:
			m.Email = text(s)
		case managerExternalID:
			m.ExternalUserID = text(s)
		}
	}
}

func (r *userReader) readAttributes() []Attribute {
	s := r.s
	var all []Attribute
	if r.attributes > 0 {
		all = make([]Attribute, 0, r.attributes) // most accounts have the same
	}
	for s.Array(); s.Element(); {
		var a Attribute
		if isObject(s) {
			for s.Object(); s.Known(r.attribute); {
				switch r.attribute.Field {
				case attributeID:
					a.ID = text(s)
				case attributeName:
					a.Name = text(s)
				case attributeValue:
					a.Value = text(s)
				}
			}
		}
		all = append(all, a)
	}
	r.attributes = min(len(all), maxAttributes)
	return all
}

// ListUsers reads one page of accounts with one request. After an error the same position may be read again.
// The error is Incomplete if the list cannot be proved complete; see package paging.
func (c *Client) ListUsers(ctx context.Context, at paging.Position, sink paging.Sink[User]) (paging.Step, error) {
	l := listing[User]{path: c.path(userManagement, "v1", "users"), rows: readUsers, id: func(u User) string { return u.ID }, sink: sink}
	step, err := listPage(ctx, c, l, at)
	return step, explain("list users", userManagement, err)
}
