package web

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

type changesList struct {
	Head     *appHead // of one app; nil for all
	Page     govern.ChangesPage
	From, To changesEnd
	Show     []choice
	Filter   []choice
	Chosen   url.Values // the filters of the page
	FromSync []choice
	ToSync   []choice
	Next     string
	Problem  *problem
	Path     string
}

// changesEnd is one end of a comparison, with its text and its form value.
type changesEnd struct {
	govern.ChangesEnd
	Text  string // as in the address
	Value string // value in the form with dates; "" for a sync
}

var changesShowLabels = map[govern.ChangesShow]string{
	govern.AllChanges:         "All changes",
	govern.UnexplainedChanges: "Unexplained",
	govern.ExplainedChanges:   "Explained",
	govern.ExpectedChanges:    "Expected",
}

// usualSpan is the default length of the compared period.
const usualSpan = 7 * 24 * time.Hour

// changesEnd decodes one end of a comparison: the number of a sync, or a moment.
func (c *call) changesEnd(name string) (e changesEnd, err error) {
	e.Text = c.r.FormValue(name)
	if e.Text == "" {
		return e, nil
	}
	if n, err := strconv.ParseInt(e.Text, 10, 64); err == nil {
		if n < 1 {
			return e, baton.Errorf(baton.Invalid, "%q is no number of a sync", e.Text)
		}
		e.Sync = console.SyncNumber(n)
		return e, nil
	}
	e.At, err = console.ParseMoment(e.Text, c.console().Now())
	e.Value = e.At.Format("2006-01-02T15:04:05")
	return e, err
}

func changesPage(c *call) error { return c.changesPage(nil) }

// changesPage shows the changes of one app or of all, with the error of a form if there is one.
func (c *call) changesPage(wrong error) (err error) {
	l := changesList{Problem: problemOf(wrong), Path: c.r.URL.Path, Chosen: url.Values{}}
	q := govern.ChangesQuery{App: c.app(), Show: govern.ChangesShow(c.r.FormValue("show")), Filter: govern.AccountFilter(c.r.FormValue("filter")), N: rowsPerPage}
	if q.App != "" {
		h, err := c.appHead("changes")
		if err != nil {
			return err
		}
		l.Head = &h
	}
	if l.From, err = c.changesEnd("from"); err != nil {
		return err
	}
	if l.To, err = c.changesEnd("to"); err != nil {
		return err
	}
	if q.App == "" && l.From.Sync+l.To.Sync != 0 {
		return baton.Errorf(baton.Invalid, "syncs are compared on the page of one application").WithFix("Choose two moments.")
	}
	if l.From.Text == "" && l.To.Sync == 0 {
		end := l.To.At
		if end.IsZero() {
			end = c.console().Now()
		}
		l.From.At = end.Add(-usualSpan).Truncate(time.Second)
		l.From.Value = l.From.At.UTC().Format("2006-01-02T15:04:05")
	}
	q.From, q.To = l.From.ChangesEnd, l.To.ChangesEnd
	if q.From.Sync == 0 && q.From.At.IsZero() {
		return baton.Errorf(baton.Invalid, "the sync to compare with is missing").WithFix("Choose two syncs.")
	}
	if !q.From.At.IsZero() && !q.To.At.IsZero() && q.To.At.Before(q.From.At) {
		return baton.Errorf(baton.Invalid, "%q is before %q", l.To.Text, l.From.Value).WithFix("Choose the earlier moment first.")
	}
	if err := c.place(&q.After); err != nil {
		return err
	}
	if l.Page, err = c.console().Changes(c.ctx(), c.caller, q); err != nil {
		return err
	}
	for _, s := range govern.ChangesShows() {
		l.Show = append(l.Show, choice{string(s), changesShowLabels[s], s == q.Show})
	}
	for _, f := range govern.ChangeFilters() {
		l.Filter = append(l.Filter, choice{string(f), accountFilterLabels[f], f == q.Filter})
	}
	for _, s := range l.Page.Syncs {
		label := shortTime(s.Began) + " UTC, sync " + strconv.FormatInt(int64(s.Number), 10)
		number := strconv.FormatInt(int64(s.Number), 10)
		l.FromSync = append(l.FromSync, choice{number, label, s.Number == q.From.Sync})
		l.ToSync = append(l.ToSync, choice{number, label, s.Number == q.To.Sync})
	}
	for _, name := range []string{"from", "to", "show", "filter"} {
		if v := c.r.FormValue(name); v != "" {
			l.Chosen.Set(name, v)
		}
	}
	if l.Page.Next != nil {
		next := clone(l.Chosen)
		if next.Get("from") == "" { // keeps the period on the next page
			next.Set("from", l.From.At.UTC().Format(time.RFC3339))
		}
		next.Set("after", cursor(*l.Page.Next))
		l.Next = "?" + next.Encode()
	}
	title := "Changes"
	if l.Head != nil {
		title = "Changes of " + l.Head.App.Name
	}
	status := 200
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "changes", title, l)
}

// explainChange records a person's explanation.
func explainChange(c *call) error {
	var key store.ChangeKey
	number := func(name string) int64 {
		n, err := strconv.ParseInt(c.r.PostFormValue(name), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	key = store.ChangeKey{Sync: console.SyncNumber(number("sync")), Kind: store.ChangedKind(number("kind")), Entitlement: console.EntitlementKey(number("entitlement")), Principal: console.ResourceKey(number("principal"))}
	err := c.console().ExplainChange(c.ctx(), c.caller, c.app(), key, c.r.PostFormValue("why"), c.r.PostFormValue("keep") != "")
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused || k == baton.AlreadyExists) {
		return c.changesPage(err)
	}
	if err != nil {
		return err
	}
	back := url.Values{}
	for _, name := range []string{"from", "to", "show", "filter"} {
		if v := c.r.PostFormValue(name); v != "" {
			back.Set(name, v)
		}
	}
	path := "/applications/" + string(c.app()) + "/changes"
	if c.r.PostFormValue("all") != "" {
		path = "/changes"
	}
	if len(back) > 0 {
		path += "?" + back.Encode()
	}
	return c.redirect(path)
}

// MayPlan reports whether one of the changes can be removed.
func (l changesList) MayPlan() bool {
	return slices.ContainsFunc(l.Page.Lines, func(line govern.ChangeLine) bool { return line.MayRemove })
}

// Narrowed reports whether a filter is set.
func (l changesList) Narrowed() bool {
	return l.Chosen.Get("show") != "" || l.Chosen.Get("filter") != ""
}

// Whole returns the address of the page without filters.
func (l changesList) Whole() string {
	q := clone(l.Chosen)
	q.Del("show")
	q.Del("filter")
	return "?" + q.Encode()
}

// What describes a change.
func (changesList) What(l govern.ChangeLine) chip {
	account := l.Resource != nil && !l.Group
	switch {
	case l.Fact != nil && l.Fact.Change == store.Open:
		return chip{"good", "Gained"}
	case l.Fact != nil && l.Fact.Change == store.Close:
		return chip{"plain", "Lost"}
	case l.Fact != nil:
		return chip{"plain", "Held differently"}
	case account && l.Verb == console.Grant && l.Resource.Change == store.Replace:
		return chip{"good", "Account enabled"}
	case account && l.Verb == console.Revoke && l.Resource.Change == store.Replace:
		return chip{"plain", "Account disabled"}
	}
	noun, change := "Entitlement", store.Change(0)
	switch {
	case l.Entitlement.Key != 0 && l.Changed.Entitlement != nil:
		change = l.Changed.Entitlement.Change
	case account:
		noun, change = "Account", l.Resource.Change
	case l.Resource != nil:
		noun, change = "Resource", l.Resource.Change
	}
	switch change {
	case store.Open:
		return chip{"good", noun + " appeared"}
	case store.Close:
		return chip{"plain", noun + " gone"}
	}
	return chip{"plain", noun + " changed"}
}

// showChip returns the chip for the explanation of a change.
func showChip(s govern.ChangesShow) chip {
	switch s {
	case govern.UnexplainedChanges:
		return chip{"bad", "Unexplained"}
	case govern.ExplainedChanges:
		return chip{"good", "Explained"}
	}
	return chip{"plain", "Expected"}
}

// causeWords describes the cause of an operation.
func causeWords(k console.CauseKind) string {
	switch k {
	case console.CauseRequest, console.CauseApproval:
		return "a request"
	case console.CauseReview:
		return "a review"
	case console.CauseExpiry:
		return "the end of its time"
	case console.CausePlan:
		return "a plan"
	case console.CauseAutomation:
		return "an automation"
	case console.CauseAction:
		return "an action"
	}
	return "a change by hand"
}

// reasonWords describes the source of a reason.
func reasonWords(k console.ReasonKind) string {
	switch k {
	case console.ReasonRequest:
		return "a request"
	case console.ReasonManual:
		return "a reason written down"
	case console.ReasonBefore:
		return "access from before"
	case console.ReasonProfile:
		return "a profile"
	case console.ReasonAutomation:
		return "an automation"
	}
	return "a rule"
}
