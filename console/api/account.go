package api

import (
	"encoding/json"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

var (
	accountKinds    = []string{"APP_USER_TYPE_UNSPECIFIED", "APP_USER_TYPE_USER", "APP_USER_TYPE_SERVICE_ACCOUNT", "APP_USER_TYPE_SYSTEM_ACCOUNT"}
	accountTypes    = []string{"user", "user", "service", "system"}
	accountStatuses = []string{"STATUS_UNSPECIFIED", "STATUS_ENABLED", "STATUS_DISABLED", "STATUS_DELETED"}
)

func nth(names []string, i int) string {
	if i < 0 || i >= len(names) {
		i = 0
	}
	return names[i]
}

// profile returns further attributes; null if there are none.
func profile(b []byte) json.RawMessage {
	if len(b) == 0 || !json.Valid(b) {
		return json.RawMessage("null")
	}
	return b
}

func appUserOf(app console.ID, r store.Resource, owner console.ID, external bool) appUser {
	u := appUser{AppID: string(app), AppUserType: nth(accountKinds, 0), CreatedAt: stamp(r.Created), DisplayName: text(r.Name), ID: key(r.Key), IdentityUserID: string(owner),
		IsExternal: external, Profile: profile(r.Profile), Status: appUserStatus{Status: nth(accountStatuses, int(r.Status))}}
	if a := r.Account; a != nil {
		u.AppUserType, u.Emails, u.EmployeeIDs, u.Username = nth(accountKinds, int(a.Kind)), a.Emails, a.EmployeeIDs, text(a.Login)
		if len(a.Emails) > 0 {
			u.Email = a.Emails[0]
		}
		if a.Login != "" {
			u.Usernames = append(list[string]{a.Login}, a.Aliases...)
		}
	}
	return u
}

type appUsersResponse struct {
	Expanded      list[any]         `json:"expanded"`
	List          list[appUserView] `json:"list"`
	NextPageToken string            `json:"nextPageToken"`
}

func listAppUsers(c *call) (*appUsersResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	own, err := c.Console.OwnAccountsOnly(c.ctx(), c.caller, c.path("app"))
	if err != nil {
		return nil, err
	}
	if own {
		found, err := c.Console.PersonAccounts(c.ctx(), c.caller, c.path("app"), c.caller.Person.ID)
		out := appUsersResponse{}
		for _, r := range found {
			out.List = append(out.List, appUserView{AppUser: appUserOf(c.path("app"), r, c.caller.Person.ID, false)})
		}
		return &out, err
	}
	rows, next, err := c.accounts(p, govern.AccountQuery{App: c.path("app")})
	out := appUsersResponse{NextPageToken: next}
	for _, r := range rows {
		out.List = append(out.List, appUserView{AppUser: appUserOf(c.path("app"), r.Resource, r.Owner.ID, r.External)})
	}
	return &out, err
}

// accounts returns a page of the accounts of an app, and the token of the next page.
func (c *call) accounts(p page, q govern.AccountQuery) ([]govern.AccountRow, string, error) {
	then, err := c.then()
	if err != nil {
		return nil, "", err
	}
	if err := p.place("accounts", &q.After); err != nil {
		return nil, "", err
	}
	q.N = p.size()
	found, err := then.Accounts(c.ctx(), c.caller, q)
	if err != nil || found.Next == nil {
		return found.Rows, "", err
	}
	return found.Rows, token("accounts", *found.Next), nil
}

func listAppUsersOf(c *call) (*appUsersResponse, error) {
	found, err := c.Console.PersonAccounts(c.ctx(), c.caller, c.path("app"), c.path("user"))
	out := appUsersResponse{}
	for _, r := range found {
		out.List = append(out.List, appUserView{AppUser: appUserOf(c.path("app"), r, c.path("user"), false)})
	}
	return &out, err
}

// listAppUserCredentials returns an empty list: the console does not store passwords of accounts.
func listAppUserCredentials(*call) (*empty, error) {
	return nil, baton.Errorf(baton.Unsupported, "the console keeps no passwords of accounts").WithFix("Whoever has the account sets the password in the application.")
}

// account is an account in the console's own form.
type account struct {
	appUser
	Type        string `json:"type"` // "user", "service", "system"
	Role        string `json:"role"`
	RoleUnknown bool   `json:"roleUnknown"` // it holds several roles of an app without a priority
	Person      string `json:"person"`      // name of its owner
}

func accountOf(app console.ID, r govern.AccountRow) account {
	a := account{appUser: appUserOf(app, r.Resource, r.Owner.ID, r.External), Type: nth(accountTypes, int(r.Type.Kind)), Person: r.Owner.Name, RoleUnknown: r.RoleUnknown()}
	if r.Role.Risk != nil {
		a.Role = r.Role.Risk.Name
	}
	return a
}

// appQuery returns the app in the query of a call.
func (c *call) appQuery() (console.ID, error) {
	for _, name := range []string{"app_id", "appId"} {
		if v := c.r.URL.Query().Get(name); v != "" {
			return console.ID(v), nil
		}
	}
	return "", baton.Errorf(baton.Invalid, "app_id is missing").WithFix("Name the application in the query: ?app_id=ID.")
}

type accountsResponse struct {
	List          list[account] `json:"list"`
	NextPageToken string        `json:"nextPageToken"`
}

func listAccounts(c *call) (*accountsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	app, err := c.appQuery()
	if err != nil {
		return nil, err
	}
	q := c.r.URL.Query()
	rows, next, err := c.accounts(p, govern.AccountQuery{App: app, Filter: govern.AccountFilter(q.Get("filter")), Type: govern.AccountType(q.Get("type")), Role: q.Get("role"), Search: q.Get("search")})
	out := accountsResponse{NextPageToken: next}
	for _, r := range rows {
		out.List = append(out.List, accountOf(app, r))
	}
	return &out, err
}

type accountResponse struct {
	Account  account                         `json:"account"`
	Bindings list[appEntitlementUserBinding] `json:"bindings"`
}

// maxHolds limits the entitlements in the response about one account.
const maxHolds = 900

func getAccount(c *call) (*accountResponse, error) {
	app, err := c.appQuery()
	if err != nil {
		return nil, err
	}
	k, err := c.key("account", "account")
	if err != nil {
		return nil, err
	}
	then, err := c.then()
	if err != nil {
		return nil, err
	}
	v, err := then.Account(c.ctx(), c.caller, app, console.ResourceKey(k), 0, maxHolds)
	out := accountResponse{Account: accountOf(app, v.AccountRow)}
	for _, h := range v.Holds {
		out.Bindings = append(out.Bindings, appEntitlementUserBinding{AppEntitlementID: key(h.Entitlement.Key), AppID: string(app), AppUserID: key(v.Key), CreatedAt: stamp(h.Since), DeprovisionAt: stamp(h.Until)})
	}
	return &out, err
}
