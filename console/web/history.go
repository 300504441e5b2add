package web

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// subTabs are the tabs of the pages of one account, entitlement or person.
type subTabs struct {
	Label   string
	Current string
	Tabs    []appTab
}

func accountTabs(h appHead, key console.ResourceKey, current string) subTabs {
	base := fmt.Sprintf("/applications/%s/accounts/%d", h.App.ID, key)
	return subTabs{"Account", current, []appTab{{"holds", "Holds", base + past(h.At)}, {"history", "History", base + "/history"}}}
}

func entitlementTabs(h appHead, key console.EntitlementKey, current string) subTabs {
	base := fmt.Sprintf("/applications/%s/entitlements/%d", h.App.ID, key)
	t := subTabs{"Entitlement", current, []appTab{{"holders", "Holders", base + past(h.At)}, {"history", "History", base + "/history"}, {"requirement", "Requirement", base + "/requirement"}}}
	if slices.ContainsFunc(h.Tabs, func(tab appTab) bool { return tab.Name == "requests" }) {
		t.Tabs = append(t.Tabs, appTab{"requests", "Requests", base + "/requests"})
	}
	return t
}

func personTabs(id console.ID, current string, at time.Time) subTabs {
	base := "/people/" + string(id)
	return subTabs{"Person", current, []appTab{{"access", "Access", base + past(at)}, {"history", "History", base + "/history"}}}
}

// timelinePage is a page of a timeline.
type timelinePage struct {
	govern.Timeline
	Older string   // address of the page with older entries; "" at its end
	of    []string // names of what the page is about
}

// About returns the names in an event without those of the page, and each once: an account often has the
// name of its owner.
func (p timelinePage) About(e govern.TimelineEntry) string {
	var names []string
	for _, n := range []string{e.Entitlement, e.Account, e.Person} {
		if n != "" && !slices.Contains(p.of, n) && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// timelineAt decodes the place in a timeline.
func (c *call) timelineAt() (at govern.TimelineAt, err error) {
	return at, c.placeOf("before", &at)
}

// timelinePage returns the page of a timeline. of are the names of what it is about.
func (c *call) timelinePage(t govern.Timeline, of ...string) timelinePage {
	p := timelinePage{Timeline: t, of: of}
	if t.Next != nil {
		p.Older = c.pathWith("before", cursor(*t.Next))
	}
	return p
}

// historyCall holds the parameters of the histories of accounts and entitlements.
type historyCall struct {
	head   appHead
	key    int64
	before store.PastBefore
	at     govern.TimelineAt
}

// historyOf decodes a historyCall. what is the name of the key in the path.
func (c *call) historyOf(what string) (h historyCall, err error) {
	if h.head, err = c.appHead(what + "s"); err != nil {
		return h, err
	}
	if h.key, err = c.key(what); err != nil {
		return h, err
	}
	if err := c.place(&h.before); err != nil {
		return h, err
	}
	h.at, err = c.timelineAt()
	return h, err
}

// olderPath returns the address of the next page of past access; "" at the end.
func (c *call) olderPath(next *store.PastBefore) string {
	if next == nil {
		return ""
	}
	return c.nextPath(cursor(*next))
}

type accountHistory struct {
	govern.AccountHistory
	Head     appHead
	Tabs     subTabs
	NextPath string
	Times    timelinePage
}

func accountHistoryPage(c *call) error {
	h, err := c.historyOf("account")
	if err != nil {
		return err
	}
	v, err := c.console().AccountHistory(c.ctx(), c.caller, h.head.App.ID, console.ResourceKey(h.key), h.before, h.at, rowsPerPage)
	if err != nil {
		return err
	}
	return c.page("account-history", "History of "+cmp.Or(v.Account.Name, v.Account.ID),
		accountHistory{v, h.head, accountTabs(h.head, v.Account.Key, "history"), c.olderPath(v.NextPast), c.timelinePage(v.Timeline, v.Account.Name)})
}

type entitlementHistory struct {
	govern.EntitlementHistory
	Head     appHead
	Tabs     subTabs
	NextPath string
	Times    timelinePage
}

func entitlementHistoryPage(c *call) error {
	h, err := c.historyOf("entitlement")
	if err != nil {
		return err
	}
	v, err := c.console().EntitlementHistory(c.ctx(), c.caller, h.head.App.ID, console.EntitlementKey(h.key), h.before, h.at, rowsPerPage)
	if err != nil {
		return err
	}
	return c.page("entitlement-history", "History of "+cmp.Or(v.Entitlement.Name, v.Entitlement.ID),
		entitlementHistory{v, h.head, entitlementTabs(h.head, v.Entitlement.Key, "history"), c.olderPath(v.NextPast), c.timelinePage(v.Timeline, v.Entitlement.Name)})
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
	return c.page("person-history", "History of "+v.Name, personHistory{v, personTabs(v.ID, "history", c.at), c.timelinePage(v.Timeline, v.Name)})
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
	return c.page("access", cmp.Or(v.Account.Name, v.Account.ID)+": "+cmp.Or(v.Entitlement.Name, v.Entitlement.ID), accessDetail{v, h, c.timelinePage(v.Timeline, v.Account.Name, v.Entitlement.Name)})
}

// Who returns the name of an actor.
func (d accessDetail) Who(a console.Actor) string { return a.Name(d.People[a.Person()]) }

// digest returns a hash in hex.
func digest(sum []byte) string { return hex.EncodeToString(sum) }

// syncWords describes how a sync was received.
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

// byHand reports whether a person uploaded the file of a sync.
func byHand(k console.SyncKind) bool { return k == console.SyncUpload || k == console.SyncImport }
