package web

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// subTabs are the parts of one account, entitlement or person.
type subTabs struct {
	Label   string
	Current string
	Tabs    []appTab
}

func accountTabs(h appHead, key console.ResourceKey, current string) subTabs {
	base := fmt.Sprintf("/applications/%s/accounts/%d", h.App.ID, key)
	return subTabs{"Account", current, []appTab{{"holds", "Holds", base}, {"history", "History", base + "/history"}}}
}

func entitlementTabs(h appHead, key console.EntitlementKey, current string) subTabs {
	base := fmt.Sprintf("/applications/%s/entitlements/%d", h.App.ID, key)
	t := subTabs{"Entitlement", current, []appTab{{"holders", "Holders", base}, {"history", "History", base + "/history"}}}
	if slices.ContainsFunc(h.Tabs, func(tab appTab) bool { return tab.Name == "requests" }) {
		t.Tabs = append(t.Tabs, appTab{"requests", "Requests", base + "/requests"})
	}
	return t
}

func personTabs(id console.ID, current string) subTabs {
	base := "/people/" + string(id)
	return subTabs{"Person", current, []appTab{{"access", "Access", base}, {"history", "History", base + "/history"}}}
}

// timelinePage is a timeline on a page.
type timelinePage struct {
	govern.Timeline
	Older string // address of the page with older entries; "" at its end
}

// timelineAt reads the place in a timeline.
func (c *call) timelineAt() (at govern.TimelineAt, err error) {
	return at, c.placeOf("before", &at)
}

func (c *call) timelinePage(t govern.Timeline) timelinePage {
	p := timelinePage{Timeline: t}
	if t.Next != nil {
		p.Older = c.pathWith("before", cursor(*t.Next))
	}
	return p
}

type accountHistory struct {
	govern.AccountHistory
	Head     appHead
	Tabs     subTabs
	NextPath string
	Times    timelinePage
}

func accountHistoryPage(c *call) error {
	h, err := c.appHead("accounts")
	if err != nil {
		return err
	}
	key, err := c.key("account")
	if err != nil {
		return err
	}
	var before store.PastBefore
	if err := c.place(&before); err != nil {
		return err
	}
	at, err := c.timelineAt()
	if err != nil {
		return err
	}
	v, err := c.console().AccountHistory(c.ctx(), c.caller, h.App.ID, console.ResourceKey(key), before, at, rowsPerPage)
	if err != nil {
		return err
	}
	p := accountHistory{AccountHistory: v, Head: h, Tabs: accountTabs(h, v.Account.Key, "history"), Times: c.timelinePage(v.Timeline)}
	if v.NextPast != nil {
		p.NextPath = c.nextPath(cursor(*v.NextPast))
	}
	return c.page("account-history", "History of "+nameOr(v.Account.Name, v.Account.ID), p)
}

// nameOr returns a name, or what stands for it.
func nameOr(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

type entitlementHistory struct {
	govern.EntitlementHistory
	Head     appHead
	Tabs     subTabs
	NextPath string
	Times    timelinePage
}

func entitlementHistoryPage(c *call) error {
	h, err := c.appHead("entitlements")
	if err != nil {
		return err
	}
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	var before store.PastBefore
	if err := c.place(&before); err != nil {
		return err
	}
	at, err := c.timelineAt()
	if err != nil {
		return err
	}
	v, err := c.console().EntitlementHistory(c.ctx(), c.caller, h.App.ID, console.EntitlementKey(key), before, at, rowsPerPage)
	if err != nil {
		return err
	}
	p := entitlementHistory{EntitlementHistory: v, Head: h, Tabs: entitlementTabs(h, v.Entitlement.Key, "history"), Times: c.timelinePage(v.Timeline)}
	if v.NextPast != nil {
		p.NextPath = c.nextPath(cursor(*v.NextPast))
	}
	return c.page("entitlement-history", "History of "+nameOr(v.Entitlement.Name, v.Entitlement.ID), p)
}

type personHistory struct {
	govern.PersonHistory
	Tabs  subTabs
	Times timelinePage
}

func personHistoryPage(c *call) error {
	at, err := c.timelineAt()
	if err != nil {
		return err
	}
	v, err := c.console().PersonHistory(c.ctx(), c.caller, console.ID(c.r.PathValue("person")), at, rowsPerPage)
	if err != nil {
		return err
	}
	return c.page("person-history", "History of "+v.Name, personHistory{v, personTabs(v.ID, "history"), c.timelinePage(v.Timeline)})
}

type accessDetail struct {
	govern.AccessView
	Head  appHead
	Times timelinePage
}

// accessPage shows why an account holds an entitlement, and what proves it.
func accessPage(c *call) error {
	h, err := c.appHead("accounts")
	if err != nil {
		return err
	}
	account, err := c.key("account")
	if err != nil {
		return err
	}
	entitlement, err := c.key("entitlement")
	if err != nil {
		return err
	}
	at, err := c.timelineAt()
	if err != nil {
		return err
	}
	v, err := c.console().Access(c.ctx(), c.caller, h.App.ID, console.ResourceKey(account), console.EntitlementKey(entitlement), at, rowsPerPage)
	if err != nil {
		return err
	}
	return c.page("access", nameOr(v.Account.Name, v.Account.ID)+": "+nameOr(v.Entitlement.Name, v.Entitlement.ID), accessDetail{v, h, c.timelinePage(v.Timeline)})
}

// Who returns the name of whoever acts.
func (d accessDetail) Who(a console.Actor) string {
	switch a.Kind {
	case console.ActorPerson:
		if name := d.People[a.Person()]; name != "" {
			return name
		}
		return "somebody"
	case console.ActorConnector:
		return "the connector"
	case console.ActorAutomation:
		return "an automation"
	}
	return "the console"
}

type searchResult struct {
	govern.Found
	Text string
}

// foundPerKind is how many of each kind a search lists.
const foundPerKind = 10

func searchPage(c *call) error {
	text := c.r.FormValue("q")
	f, err := c.console().Search(c.ctx(), c.caller, text, foundPerKind)
	if err != nil {
		return err
	}
	return c.page("search", "Search", searchResult{f, text})
}

// Nothing reports whether nothing was found.
func (r searchResult) Nothing() bool {
	return len(r.People)+len(r.Apps)+len(r.Accounts)+len(r.Entitlements) == 0
}

type domainsForm struct {
	Text      string // one domain in a line
	MayChange bool
	Saved     bool
	Problem   *problem
}

func domainsPage(c *call) error {
	all, may, err := c.console().CompanyDomains(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.page("domains", "Company domains", domainsForm{Text: strings.Join(all, "\n"), MayChange: may, Saved: c.r.FormValue("saved") != ""})
}

func setDomains(c *call) error {
	text := c.r.PostFormValue("domains")
	err := c.console().SetCompanyDomains(c.ctx(), c.caller, strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' }))
	if baton.KindOf(err) == baton.Invalid && err != nil {
		return c.show(statusOf(err), "domains", "Company domains", domainsForm{Text: text, MayChange: true, Problem: problemOf(err)})
	}
	if err != nil {
		return err
	}
	return c.redirect("/settings/domains?saved=1")
}

// eventWords holds the sentences for kinds of events whose names are not sentences themselves.
var eventWords = map[string]string{
	"reason.added":           "wrote a reason",
	"reason.ended":           "ended a reason",
	"reason.until-changed":   "changed until when",
	"bar.added":              "barred it: no rule brings it back",
	"bar.lifted":             "lifted the bar",
	"account.owner-changed":  "changed whose account it is",
	"person.added":           "added the person",
	"person.changed":         "changed the person",
	"person.roles-changed":   "changed the roles in the console",
	"session.began":          "signed in",
	"session.ended":          "signed out",
	"login.changed":          "set up a login",
	"operation.created":      "asked the connector for the change",
	"operation.queued":       "asked the connector for the change",
	"operation.dispatched":   "took the change",
	"operation.applied":      "reported that the change is made",
	"operation.verified":     "saw the change in a later sync",
	"operation.contradicted": "saw in a later sync that the change is not there",
	"operation.failed":       "reported that the change failed",
}

// eventText returns what an event says was done.
func eventText(kind string) string {
	if words := eventWords[kind]; words != "" {
		return words
	}
	return strings.NewReplacer(".", ": ", "-", " ").Replace(kind)
}

// digest returns the beginning of a file's hash, and all of it.
func digest(sum []byte) string { return hex.EncodeToString(sum) }

// syncWords says how a sync came here.
func syncWords(k console.SyncKind) string {
	switch k {
	case console.SyncUpload:
		return "by hand"
	case console.SyncImport:
		return "imported by hand"
	case console.SyncTargeted:
		return "targeted"
	case console.SyncPartial:
		return "partial"
	}
	return "full"
}

// byHand reports whether a person brought the file of a sync.
func byHand(k console.SyncKind) bool { return k == console.SyncUpload || k == console.SyncImport }
