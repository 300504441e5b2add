package api

import (
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

func appOf(s govern.AppSummary) app {
	a := app{AccessModel: "APP_ACCESS_MODEL_UNSPECIFIED", CreatedAt: stamp(s.App.ID.Time()), DisplayName: text(s.App.Name), ID: string(s.App.ID),
		IdentityMatching: "APP_USER_IDENTITY_MATCHING_STRICT", IsManuallyManaged: len(s.Connectors) == 0, UserCount: s.Counts.Accounts}
	for _, o := range s.Owners {
		a.AppOwners = append(a.AppOwners, userOf(o))
	}
	a.IsDirectory = slices.ContainsFunc(s.Connectors, func(c console.Connector) bool { return c.Directory })
	return a
}

type appResponse struct {
	App app `json:"app"`
}

type appsResponse struct {
	List          list[app] `json:"list"`
	NextPageToken string    `json:"nextPageToken"`
}

func getApp(c *call) (*appResponse, error) {
	s, err := c.Console.SeenApp(c.ctx(), c.caller, c.path("app"))
	return &appResponse{appOf(s)}, err
}

func listApps(c *call) (*appsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	return c.apps(p, nil)
}

type searchAppsRequest struct {
	page
	AppIDs          []string `json:"appIds"`
	DisplayName     string   `json:"displayName"`
	ExcludeAppIDs   []string `json:"excludeAppIds"`
	OnlyDirectories bool     `json:"onlyDirectories"`
	Query           string   `json:"query"`
}

func searchApps(c *call, r searchAppsRequest) (*appsResponse, error) {
	has := func(text, part string) bool {
		return strings.Contains(strings.ToLower(text), strings.ToLower(strings.TrimSpace(part)))
	}
	return c.apps(r.page, func(a console.App) bool {
		return (len(r.AppIDs) == 0 || slices.Contains(r.AppIDs, string(a.ID))) && !slices.Contains(r.ExcludeAppIDs, string(a.ID)) &&
			has(a.Name, r.DisplayName) && has(a.Name, r.Query)
	}, func(s govern.AppSummary) bool { return !r.OnlyDirectories || appOf(s).IsDirectory })
}

// apps returns a page of the selected apps.
func (c *call) apps(p page, selected func(console.App) bool, further ...func(govern.AppSummary) bool) (*appsResponse, error) {
	var after store.NameAfter
	if err := p.place("apps", &after); err != nil {
		return nil, err
	}
	var out appsResponse
	for {
		apps, more, err := c.Console.SeenApps(c.ctx(), c.caller, after, p.size()-len(out.List), selected)
		if err != nil {
			return nil, err
		}
		for _, s := range apps {
			after = store.NameAfter{Sort: console.SortKey(s.App.Name), ID: s.App.ID}
			if !slices.ContainsFunc(further, func(f func(govern.AppSummary) bool) bool { return !f(s) }) {
				out.List = append(out.List, appOf(s))
			}
		}
		if !more {
			return &out, nil
		}
		if len(out.List) == p.size() {
			out.NextPageToken = token("apps", after)
			return &out, nil
		}
	}
}

type createAppRequest struct {
	DisplayName string   `json:"displayName"`
	Owners      []string `json:"owners"`
	Description string   `json:"description"`
}

func createApp(c *call, r createAppRequest) (*appResponse, error) {
	if r.Description != "" {
		return nil, errNotKept("description")
	}
	id, err := c.Console.AddApp(c.ctx(), c.caller, r.DisplayName)
	if err != nil {
		return nil, err
	}
	if len(r.Owners) > 0 {
		owners := ids(r.Owners)
		if err := c.Console.ConfigureApp(c.ctx(), c.caller, id, govern.AppSettings{Owners: &owners}); err != nil {
			return nil, err
		}
	}
	s, err := c.Console.SeenApp(c.ctx(), c.caller, id)
	return &appResponse{appOf(s)}, err
}

// errNotKept is the error for a field that the console does not store.
func errNotKept(field string) error {
	return baton.Errorf(baton.Invalid, "the console does not keep the field %s", field).WithFix("Leave it out.")
}

func ids(texts []string) []console.ID {
	all := make([]console.ID, 0, len(texts))
	for _, t := range texts {
		all = append(all, console.ID(t))
	}
	return all
}

type updateAppRequest struct {
	App struct {
		DisplayName string   `json:"displayName"`
		Owners      []string `json:"owners"`
	} `json:"app"`
	UpdateMask mask `json:"updateMask"`
}

func updateApp(c *call, r updateAppRequest) (*appResponse, error) {
	fields, err := r.UpdateMask.fields(c.body, "app", "displayName")
	if err != nil {
		return nil, err
	}
	var s govern.AppSettings
	if slices.Contains(fields, "displayName") {
		s.Name = &r.App.DisplayName
	}
	if s.Name != nil {
		if err := c.Console.ConfigureApp(c.ctx(), c.caller, c.path("app"), s); err != nil {
			return nil, err
		}
	}
	return getApp(c)
}

func removeApp(c *call) (*empty, error) {
	return &empty{}, c.Console.RemoveApp(c.ctx(), c.caller, c.path("app"))
}

type userIDs struct {
	UserIDs list[string] `json:"userIds"`
}

func listAppOwnerIDs(c *call) (*userIDs, error) {
	s, err := c.Console.SeenApp(c.ctx(), c.caller, c.path("app"))
	var out userIDs
	for _, o := range s.App.Owners {
		out.UserIDs = append(out.UserIDs, string(o))
	}
	return &out, err
}

type ownersResponse struct {
	List          list[user] `json:"list"`
	NextPageToken string     `json:"nextPageToken"`
}

func listAppOwners(c *call) (*ownersResponse, error) {
	s, err := c.Console.SeenApp(c.ctx(), c.caller, c.path("app"))
	var out ownersResponse
	for _, o := range s.Owners {
		out.List = append(out.List, userOf(o))
	}
	return &out, err
}

func setAppOwners(c *call, r userIDs) (*empty, error) {
	owners := ids(r.UserIDs)
	return &empty{}, c.Console.ConfigureApp(c.ctx(), c.caller, c.path("app"), govern.AppSettings{Owners: &owners})
}

func removeAppOwners(c *call) (*empty, error) {
	owners := []console.ID{}
	return &empty{}, c.Console.ConfigureApp(c.ctx(), c.caller, c.path("app"), govern.AppSettings{Owners: &owners})
}
