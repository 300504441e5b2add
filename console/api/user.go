package api

import (
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
)

func userOf(p console.Person) user {
	u := user{CreatedAt: stamp(p.ID.Time()), Department: text(p.Department), DirectoryStatus: "UNKNOWN", DisplayName: text(p.Name), Emails: p.Emails, ID: string(p.ID),
		Origin: "USER_ORIGIN_LOCAL", Type: "USER_TYPE_HUMAN"}
	if len(p.Emails) > 0 {
		u.Email, u.Username, u.Usernames = p.Emails[0], text(p.Emails[0]), list[string]{p.Emails[0]}
	}
	switch p.Status {
	case console.PersonActive:
		u.Status = "ENABLED"
	case console.PersonDisabled:
		u.Status = "DISABLED"
	case console.PersonGone:
		u.Status = "DELETED"
	default:
		u.Status = "UNKNOWN"
	}
	if p.Service {
		u.Type, u.Origin = "USER_TYPE_SERVICE", "USER_ORIGIN_SYSTEM"
	}
	if p.Manager != "" {
		u.ManagerIDs = list[string]{string(p.Manager)}
	}
	for _, r := range p.Roles {
		u.RoleIDs = append(u.RoleIDs, string(r))
	}
	return u
}

// ownerRole is the role in which clients of the platform recognize administrators.
const ownerRole = "role/c1.api.tenant.v1.Tenant:owner"

func introspect(c *call) (*introspectResponse, error) {
	i, err := c.Console.Introspect(c.ctx(), c.caller)
	if err != nil {
		return nil, err
	}
	r := introspectResponse{PrincipleID: string(i.Client.ID), UserID: string(i.Person.ID)}
	for _, role := range i.Person.Roles {
		if role == console.SuperAdministrator {
			r.Roles = append(r.Roles, ownerRole)
		}
		r.Roles = append(r.Roles, "role/console:"+string(role))
	}
	for _, s := range i.Client.Scopes {
		r.Permissions = append(r.Permissions, string(s))
	}
	return &r, nil
}

type userResponse struct {
	UserView userView  `json:"userView"`
	Expanded list[any] `json:"expanded"`
}

func getUser(c *call) (*userResponse, error) {
	v, err := c.Console.Person(c.ctx(), c.caller, c.path("user"))
	if err != nil {
		return nil, err
	}
	return &userResponse{UserView: userView{User: userOf(v.Person), UserID: string(v.ID)}}, nil
}

type searchUsersRequest struct {
	page
	Query       string   `json:"query"`
	Email       string   `json:"email"`
	DisplayName string   `json:"displayName"`
	IDs         []string `json:"ids"`
	ExcludeIDs  []string `json:"excludeIds"`
	Statuses    []string `json:"userStatuses"`
	RoleIDs     []string `json:"roleIds"`
}

type usersResponse struct {
	Expanded      list[any]      `json:"expanded"`
	List          list[userView] `json:"list"`
	NextPageToken string         `json:"nextPageToken"`
}

// match reports whether a person matches the search.
func (r searchUsersRequest) match(p console.Person) bool {
	u := userOf(p)
	has := func(text, part string) bool {
		return strings.Contains(strings.ToLower(text), strings.ToLower(strings.TrimSpace(part)))
	}
	return (r.Query == "" || has(string(u.DisplayName)+" "+strings.Join(u.Emails, " "), r.Query)) &&
		(r.Email == "" || slices.Contains(u.Emails, console.NormalizeEmail(r.Email))) &&
		(r.DisplayName == "" || has(string(u.DisplayName), r.DisplayName)) &&
		(len(r.IDs) == 0 || slices.Contains(r.IDs, u.ID)) &&
		!slices.Contains(r.ExcludeIDs, u.ID) &&
		(len(r.Statuses) == 0 || slices.Contains(r.Statuses, u.Status)) &&
		(len(r.RoleIDs) == 0 || slices.ContainsFunc(r.RoleIDs, func(id string) bool { return slices.Contains(u.RoleIDs, id) }))
}

func searchUsers(c *call, r searchUsersRequest) (*usersResponse, error) {
	for _, s := range r.Statuses {
		if !slices.Contains([]string{"UNKNOWN", "ENABLED", "DISABLED", "DELETED"}, s) {
			return nil, baton.Errorf(baton.Invalid, "there is no status %q of users", s)
		}
	}
	var after store.NameAfter
	if err := r.place("users", &after); err != nil {
		return nil, err
	}
	var out usersResponse
	for {
		people, more, err := c.Console.People(c.ctx(), c.caller, after, store.PageSize-1)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			if !r.match(p) {
				after = store.NameAfter{Sort: console.SortKey(p.Name), ID: p.ID}
				continue
			}
			if len(out.List) == r.size() {
				out.NextPageToken = token("users", after)
				return &out, nil
			}
			after = store.NameAfter{Sort: console.SortKey(p.Name), ID: p.ID}
			out.List = append(out.List, userView{User: userOf(p), UserID: string(p.ID)})
		}
		if !more {
			return &out, nil
		}
	}
}
