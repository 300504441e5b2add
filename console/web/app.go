package web

import (
	"encoding/base64"
	"encoding/json"
	"strconv"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// rowsPerPage is how many rows a list shows at once.
const rowsPerPage = 50

// cursor encodes the place in a list at which its next page begins.
func cursor(place any) string {
	b, err := json.Marshal(place)
	if err != nil {
		panic(err) // places are plain structs
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// place reads the cursor of a page; without one, the list begins.
func (c *call) place(into any) error {
	s := c.r.FormValue("after")
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
		l.Next = cursor(store.NameAfter{Sort: console.SortKey(last.Name), ID: last.ID})
	}
	return c.page("apps", "Applications", l)
}

// appHead is on top of every page of an app.
type appHead struct {
	govern.AppSummary
	Tab  string
	Tabs []appTab
}

type appTab struct {
	Name, Label, Path string
}

func (c *call) appHead(tab string) (appHead, error) {
	s, err := c.console().App(c.ctx(), c.caller, c.app())
	base := "/applications/" + string(c.app())
	tabs := []appTab{{"overview", "Overview", base}}
	if console.SeeAccess.Of(c.caller.Person, console.Object{App: &s.App}) {
		tabs = append(tabs, appTab{"accounts", "Accounts", base + "/accounts"}, appTab{"entitlements", "Entitlements", base + "/entitlements"})
	}
	return appHead{s, tab, tabs}, err
}

func appPage(c *call) error {
	h, err := c.appHead("overview")
	if err != nil {
		return err
	}
	return c.page("app", h.App.Name, h)
}

type accountsList struct {
	Head    appHead
	Page    govern.AccountPage
	Search  string
	Filter  govern.AccountFilter
	Filters []accountFilter
	Next    string
}

type accountFilter struct {
	Value govern.AccountFilter
	Label string
}

var accountFilterLabels = map[govern.AccountFilter]string{
	govern.AllAccounts:      "All accounts",
	govern.WithoutOwner:     "Without owner",
	govern.OrphanedAccounts: "Orphaned: the owner is disabled or gone",
	govern.DisabledWith:     "Disabled with access",
	govern.ServiceAccounts:  "Service and system accounts",
	govern.RoleUnknown:      "Role unknown",
}

func accountsPage(c *call) error {
	h, err := c.appHead("accounts")
	if err != nil {
		return err
	}
	l := accountsList{Head: h, Search: c.r.FormValue("search"), Filter: govern.AccountFilter(c.r.FormValue("filter"))}
	for _, f := range govern.AccountFilters() {
		l.Filters = append(l.Filters, accountFilter{f, accountFilterLabels[f]})
	}
	if accountFilterLabels[l.Filter] == "" {
		return baton.Errorf(baton.Invalid, "there is no filter of that name")
	}
	q := govern.AccountQuery{App: h.App.ID, Filter: l.Filter, Search: l.Search, N: rowsPerPage}
	if err := c.place(&q.After); err != nil {
		return err
	}
	if l.Page, err = c.console().Accounts(c.ctx(), c.caller, q); err != nil {
		return err
	}
	if l.Page.Next != nil {
		l.Next = cursor(*l.Page.Next)
	}
	return c.page("accounts", "Accounts of "+h.App.Name, l)
}

type accountDetail struct {
	Head appHead
	govern.AccountView
	NextHolds string
}

func accountPage(c *call) error {
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
	d := accountDetail{Head: h, AccountView: v}
	if v.Next != 0 {
		d.NextHolds = cursor(v.Next)
	}
	return c.page("account", v.Name, d)
}

type entitlementsList struct {
	Head appHead
	Rows []govern.EntitlementRow
	Next string
}

func entitlementsPage(c *call) error {
	h, err := c.appHead("entitlements")
	if err != nil {
		return err
	}
	var after store.EntitlementAfter
	if err := c.place(&after); err != nil {
		return err
	}
	rows, next, err := c.console().Entitlements(c.ctx(), c.caller, h.App.ID, after, rowsPerPage)
	if err != nil {
		return err
	}
	l := entitlementsList{Head: h, Rows: rows}
	if next != nil {
		l.Next = cursor(*next)
	}
	return c.page("entitlements", "Entitlements of "+h.App.Name, l)
}

type entitlementDetail struct {
	Head appHead
	govern.EntitlementView
	NextHolders string
}

func entitlementPage(c *call) error {
	h, err := c.appHead("entitlements")
	if err != nil {
		return err
	}
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	var after store.HolderAfter
	if err := c.place(&after); err != nil {
		return err
	}
	v, err := c.console().Entitlement(c.ctx(), c.caller, h.App.ID, console.EntitlementKey(key), after, rowsPerPage)
	if err != nil {
		return err
	}
	d := entitlementDetail{Head: h, EntitlementView: v}
	if v.Next != nil {
		d.NextHolders = cursor(*v.Next)
	}
	return c.page("entitlement", v.Name, d)
}
