package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// rowsPerPage is how many rows a list shows at once.
const rowsPerPage = 50

// cursor encodes a place in a list for an address.
func cursor(place any) string {
	b, err := json.Marshal(place)
	if err != nil {
		panic(err) // cannot happen: places are plain structs
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// place decodes the cursor of a page. Without one, place is unchanged: the beginning of the list.
func (c *call) place(into any) error { return c.placeOf("after", into) }

func (c *call) placeOf(parameter string, into any) error {
	s := c.r.FormValue(parameter)
	if s == "" {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return baton.Errorf(baton.Invalid, "the address of this page is damaged").WithFix("Begin the list anew.")
	}
	return nil
}

// key reads a number from the path.
func (c *call) key(name string) (int64, error) {
	n, err := strconv.ParseInt(c.r.PathValue(name), 10, 64)
	if err != nil || n < 0 {
		return 0, baton.Errorf(baton.NotFound, "no %s", name)
	}
	return n, nil
}

func (c *call) app() console.ID { return console.ID(c.r.PathValue("app")) }

type appsList struct {
	Apps []govern.AppSummary
	Next string
}

func appsPage(c *call) error {
	var after store.NameAfter
	if err := c.place(&after); err != nil {
		return err
	}
	apps, more, err := c.console().Apps(c.ctx(), c.caller, after, rowsPerPage)
	if err != nil {
		return err
	}
	l := appsList{Apps: apps}
	if more {
		last := apps[len(apps)-1].App
		l.Next = c.nextPath(cursor(store.NameAfter{Sort: console.SortKey(last.Name), ID: last.ID}))
	}
	return c.page("apps", "Applications", l)
}

// appHead is the top of every page of an app.
type appHead struct {
	govern.AppSummary
	Tab  string
	Tabs []appTab
	At   time.Time // the moment that the page shows; zero for now
}

type appTab struct {
	Name, Label, Path string
}

func (c *call) appHead(tab string) (appHead, error) {
	s, err := c.console().App(c.ctx(), c.caller, c.app())
	base, then := "/applications/"+string(c.app()), past(c.at)
	tabs := []appTab{{"overview", "Overview", base + then}}
	if console.SeeAccess.Of(c.caller.Person, console.Object{App: &s.App}) {
		tabs = append(tabs, appTab{"accounts", "Accounts", base + "/accounts" + then}, appTab{"entitlements", "Entitlements", base + "/entitlements" + then}, appTab{"changes", "Changes", base + "/changes"}, appTab{"operations", "Operations", base + "/operations"}, appTab{"seats", "Seats", base + "/seats"}, appTab{"settings", "Settings", base + "/settings"}, appTab{"provisioning", "Provisioning", base + "/provisioning"})
	}
	if c.mayRecover(s.App) {
		tabs = append(tabs, appTab{"recovery", "Recovery card", base + "/recovery"})
	}
	if console.ConfigureApps.Of(c.caller.Person, console.Object{App: &s.App}) {
		tabs = append(tabs, appTab{"requests", "Requests", base + "/requests"})
	}
	return appHead{s, tab, tabs, c.at}, err
}

type appOverview struct {
	appHead
	Owning  ownerList
	Problem *problem
	// Findings is how many open findings the app has; Looks says that the caller may see some.
	Findings int
	Looks    bool
}

func appPage(c *call) error { return c.appOverview(nil) }

// appOverview shows the page of an app, with the error of a form if there is one.
func (c *call) appOverview(wrong error) error {
	h, err := c.appHead("overview")
	if err != nil {
		return err
	}
	status := http.StatusOK
	if wrong != nil {
		status = statusOf(wrong)
	}
	may := c.at.IsZero() && console.ConfigureApps.Of(c.caller.Person, console.Object{App: &h.App})
	list := ownerList{Owners: h.Owners, Action: "/applications/" + string(h.App.ID) + "/owners", What: "application", May: may,
		Second: len(h.Owners) > 0 && len(h.App.Roles.AdminEntitlements()) > 0, Waits: c.r.FormValue("waits") != ""}
	p := appOverview{appHead: h, Owning: list, Problem: problemOf(wrong)}
	if c.at.IsZero() { // findings are of now
		if p.Findings, p.Looks, err = c.console().OpenFindings(c.ctx(), c.caller, h.App.ID); err != nil {
			return err
		}
	}
	return c.show(status, "app", h.App.Name, p)
}

type accountsList struct {
	CSV    string // address of the list as a file; "" if the caller may not export it
	Head   appHead
	Page   govern.AccountPage
	Query  govern.AccountQuery
	Roles  []string // names of the app's roles
	Next   string
	Filter []choice
	Types  []choice
	Held   []choice // effective roles
	// MayCreate says that the caller may make accounts by hand.
	MayCreate bool
	MayPlan   bool // the listed accounts have several roles, and the person may remove some
}

type choice struct {
	Value, Label string
	Chosen       bool
}

var accountFilterLabels = map[govern.AccountFilter]string{
	govern.AllAccounts:      "All accounts",
	govern.WithoutOwner:     "Without owner",
	govern.OrphanedAccounts: "Orphaned: the owner is disabled or gone",
	govern.ExternalAccounts: "External",
	govern.DisabledWith:     "Disabled with access",
	govern.RoleUnknown:      "Role unknown",
	govern.SeveralRoles:     "Several roles",
	govern.CameBackWith:     "Came back after a removal",
}

var accountTypeLabels = map[govern.AccountType]string{
	govern.AnyType:        "Any type",
	govern.UserAccounts:   "Users",
	govern.ServiceAccount: "Service accounts",
	govern.SystemAccount:  "System accounts",
}

// accountQuery decodes the filters of a list of accounts.
func (c *call) accountQuery(app console.ID) (q govern.AccountQuery, err error) {
	q = govern.AccountQuery{App: app, Filter: govern.AccountFilter(c.r.FormValue("filter")), Type: govern.AccountType(c.r.FormValue("type")),
		Role: c.r.FormValue("role"), Search: c.r.FormValue("search"), N: rowsPerPage}
	if accountFilterLabels[q.Filter] == "" || accountTypeLabels[q.Type] == "" {
		return q, baton.Errorf(baton.Invalid, "there is no filter of that name")
	}
	return q, c.place(&q.After)
}

// Filtered reports whether a filter is set.
func (l accountsList) Filtered() bool {
	return l.Query.Search != "" || l.Query.Filter != govern.AllAccounts || l.Query.Type != govern.AnyType || l.Query.Role != ""
}

func accountsPage(c *call) error {
	if c.asCSV() {
		return accountsCSV(c)
	}
	h, err := c.appHead("accounts")
	if err != nil {
		return err
	}
	l := accountsList{Head: h, MayCreate: console.ChangeAccess.Of(c.caller.Person, console.Object{App: &h.App})}
	if l.Query, err = c.accountQuery(h.App.ID); err != nil {
		return err
	}
	if l.Page, err = c.console().Accounts(c.ctx(), c.caller, l.Query); err != nil {
		return err
	}
	for _, f := range govern.AccountFilters() {
		l.Filter = append(l.Filter, choice{string(f), accountFilterLabels[f], f == l.Query.Filter})
	}
	for _, t := range govern.AccountTypes() {
		l.Types = append(l.Types, choice{string(t), accountTypeLabels[t], t == l.Query.Type})
	}
	if roles := h.App.Roles.Roles; len(roles) > 0 {
		l.Held = []choice{{"", "Any role", l.Query.Role == ""}}
		for _, r := range roles {
			l.Held = append(l.Held, choice{r.Name, r.Name, r.Name == l.Query.Role})
		}
		l.Held = append(l.Held, choice{govern.NoRole, "No role", l.Query.Role == govern.NoRole})
	}
	if l.Page.Next != nil {
		l.Next = c.nextPath(cursor(*l.Page.Next))
	}
	l.MayPlan = l.MayCreate && l.Query.Filter == govern.SeveralRoles && len(l.Page.Rows) > 0
	l.CSV = c.csvPath(console.Object{App: &h.App})
	return c.page("accounts", "Accounts of "+h.App.Name, l)
}

// nextPath returns the address of the next page of a list.
func (c *call) nextPath(after string) string { return c.pathWith("after", after) }

// pathWith returns the address of this page with one parameter changed.
func (c *call) pathWith(name, value string) string {
	q := c.r.URL.Query()
	q.Set(name, value)
	for k, v := range q {
		if len(v) == 1 && v[0] == "" {
			q.Del(k)
		}
	}
	return "?" + q.Encode()
}

type accountDetail struct {
	Head appHead
	Tabs subTabs
	govern.AccountView
	NextHolds string
	Record    govern.AccountRecord
	Actions   []govern.OfferedAction
	Problem   *problem
}

func accountPage(c *call) error { return c.accountPage(nil) }

// accountPage shows an account, with the error of a form if there is one.
func (c *call) accountPage(problem error) error {
	h, err := c.appHead("accounts")
	if err != nil {
		return err
	}
	key, err := c.key("account")
	if err != nil {
		return err
	}
	var after console.EntitlementKey
	if err := c.place(&after); err != nil {
		return err
	}
	v, err := c.console().Account(c.ctx(), c.caller, h.App.ID, console.ResourceKey(key), after, rowsPerPage)
	if err != nil {
		return err
	}
	d := accountDetail{Head: h, AccountView: v, Tabs: accountTabs(h, v.Key, "holds")}
	if v.Next != 0 {
		d.NextHolds = c.nextPath(cursor(v.Next))
	}
	if d.Record, err = c.console().AccountRecord(c.ctx(), c.caller, h.App.ID, v.Key); err != nil {
		return err
	}
	if d.Actions, err = c.console().AccountActions(c.ctx(), c.caller, h.App.ID, v.Key); err != nil {
		return err
	}
	status := http.StatusOK
	if problem != nil {
		d.Problem, status = problemOf(problem), statusOf(problem)
	}
	return c.show(status, "account", v.Name, d)
}

type entitlementsList struct {
	Head   appHead
	Page   govern.EntitlementPage
	Query  govern.EntitlementQuery
	Next   string
	Filter []choice
}

var entitlementFilterLabels = map[govern.EntitlementFilter]string{
	govern.AllEntitlements: "All entitlements",
	govern.GivesRole:       "Give a role",
	govern.GivesAdmin:      "Mean administrator",
	govern.GivesNoRole:     "Give no role",
	govern.HeldByNobody:    "Held by nobody",
}

// entitlementQuery decodes the filters of a list of entitlements.
func (c *call) entitlementQuery(app console.ID) (q govern.EntitlementQuery, err error) {
	q = govern.EntitlementQuery{App: app, Filter: govern.EntitlementFilter(c.r.FormValue("filter")), Search: c.r.FormValue("search"), N: rowsPerPage}
	if entitlementFilterLabels[q.Filter] == "" {
		return q, baton.Errorf(baton.Invalid, "there is no filter of that name")
	}
	return q, c.place(&q.After)
}

func entitlementsPage(c *call) error {
	h, err := c.appHead("entitlements")
	if err != nil {
		return err
	}
	l := entitlementsList{Head: h}
	if l.Query, err = c.entitlementQuery(h.App.ID); err != nil {
		return err
	}
	if l.Page, err = c.console().Entitlements(c.ctx(), c.caller, l.Query); err != nil {
		return err
	}
	for _, f := range govern.EntitlementFilters() {
		l.Filter = append(l.Filter, choice{string(f), entitlementFilterLabels[f], f == l.Query.Filter})
	}
	if l.Page.Next != nil {
		l.Next = c.nextPath(cursor(*l.Page.Next))
	}
	return c.page("entitlements", "Entitlements of "+h.App.Name, l)
}

type entitlementDetail struct {
	CSV  string
	Head appHead
	Tabs subTabs
	govern.EntitlementView
	NextHolders string
	Actions     []govern.OfferedAction
	Problem     *problem
	// Masters are proposed for where it is decided who holds the entitlement.
	Masters      []string
	MastersNote  string // what to know about them
	Master       string // as somebody said of this entitlement
	MayConfigure bool
	MayPlan      bool // the person may remove it from the holders
	MayReview    bool // the person may make a review of it
}

func entitlementPage(c *call) error {
	if c.asCSV() {
		return holdersCSV(c)
	}
	return c.entitlementPage(nil)
}

// entitlementPage shows an entitlement, and what is wrong with a form on the page.
func (c *call) entitlementPage(wrong error) error {
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	var after store.HolderAfter
	if err := c.place(&after); err != nil {
		return err
	}
	v, err := c.console().Entitlement(c.ctx(), c.caller, c.app(), console.EntitlementKey(key), after, rowsPerPage)
	if err != nil {
		return err
	}
	if v.Alone {
		d := entitlementDetail{EntitlementView: v}
		if v.Next != nil {
			d.NextHolders = c.nextPath(cursor(*v.Next))
		}
		return c.page("entitlement-alone", v.Name, d)
	}
	h, err := c.appHead("entitlements")
	if err != nil {
		return err
	}
	d := entitlementDetail{Head: h, EntitlementView: v, Tabs: entitlementTabs(h, v.Key, "holders")}
	if v.Next != nil {
		d.NextHolders = c.nextPath(cursor(*v.Next))
	}
	d.CSV = c.csvPath(console.Object{App: &h.App})
	d.MayPlan = console.ChangeAccess.Of(c.caller.Person, console.Object{App: &h.App})
	d.MayReview = console.AddCampaigns.Of(c.caller.Person, console.Object{})
	if d.Actions, err = c.console().EntitlementActions(c.ctx(), c.caller, h.App.ID, v.Key); err != nil {
		return err
	}
	if d.MayConfigure = console.ConfigureApps.Of(c.caller.Person, console.Object{App: &h.App}); d.MayConfigure {
		p, err := c.console().Provisioning(c.ctx(), c.caller, h.App.ID)
		if err != nil {
			return err
		}
		d.Master, d.Masters, d.MastersNote = p.Current.Masters[v.Key], p.Masters, p.MastersNote
	}
	status := http.StatusOK
	if wrong != nil {
		d.Problem, status = problemOf(wrong), statusOf(wrong)
	}
	return c.show(status, "entitlement", v.Name, d)
}
