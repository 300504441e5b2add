package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/review"
	"baton/console/store"
)

type reviewsList struct {
	Open, Rest []govern.CampaignSummary
	NextPage   string
	MaySee     bool // campaigns
}

// reviewsPage lists the reviews in which the caller is asked.
func reviewsPage(c *call) error {
	q := govern.CampaignsQuery{Mine: true, N: rowsPerPage}
	if err := c.place(&q.Before); err != nil {
		return err
	}
	p, err := c.console().Campaigns(c.ctx(), c.caller, q)
	if err != nil {
		return err
	}
	l := reviewsList{MaySee: mayCampaigns(c.caller.Person)}
	for _, s := range p.Campaigns {
		if s.State == console.CampaignRunning && s.Mine.Total > s.Mine.Submitted {
			l.Open = append(l.Open, s)
		} else if s.Mine.Total > 0 {
			l.Rest = append(l.Rest, s)
		}
	}
	if p.Next != "" {
		l.NextPage = c.nextPath(cursor(p.Next))
	}
	return c.page("reviews", "Reviews", l)
}

// mayCampaigns reports whether a person sees campaigns, not only the own reviews.
func mayCampaigns(p console.Person) bool {
	return console.SeeCampaigns.Of(p, console.Object{}) || console.AddCampaigns.Of(p, console.Object{})
}

// The lists of a reviewer's items.
const (
	showUndecided = ""
	showPending   = "pending"
	showSubmitted = "submitted"
)

type reviewWork struct {
	Campaign  console.Campaign
	Path      string
	Show, By  string
	Rows      []itemRow
	Mine      store.ReviewerProgress
	Pending   []choiceCount // decisions that are not submitted
	Tabs      []reviewTab
	Orders    []choice
	Apps      []choice
	Keep      []hidden // the filter, for forms
	Filtered  string   // what the filter selects
	Admins    bool
	Deciding  bool // the caller can decide
	MaySee    bool // the campaign
	Loaded    int64
	NextPage  string
	Here      string
	Problem   *problem
	Blocked   []blockedRow
	Removals  int // that need their number typed
	To, Why   string
	Submitted bool
}

type reviewTab struct {
	Label, Path string
	Current     bool
	Count       int
}

type hidden struct{ Name, Value string }

// Decided returns how many items have a decision of the caller.
func (w reviewWork) Decided() int { return w.Mine.Pending + w.Mine.Submitted }

// Waiting returns how many decisions are not submitted.
func (w reviewWork) Waiting() int { return w.Mine.Pending }

// Bulks lists the choices for all items of the filter.
func (w reviewWork) Bulks() []console.ReviewChoice {
	return []console.ReviewChoice{console.ChooseKeep, console.ChooseRemove, console.ChooseLower, console.ChooseKeepUntil, console.ChooseAcknowledge, console.ChooseAbstain}
}

// noPlace is the beginning of a list of a reviewer's items.
var noPlace store.AssignmentPlace

func (c *call) reviewPath() string { return "/reviews/" + string(c.campaign()) }

// reviewFilter reads which of the caller's items a page lists.
func (c *call) reviewFilter() store.ReviewerFilter {
	f := store.ReviewerFilter{ItemFilter: c.itemFilter(), ByPerson: c.r.FormValue("by") == "person"}
	switch c.r.FormValue("show") {
	case showPending:
		f.Pending = true
	case showSubmitted:
		f.Submitted = true
	}
	f.Undecided, f.Choices, f.Results, f.Gone, f.Unassigned, f.Sampled = false, nil, nil, false, false, false
	return f
}

// reviewQuery is the filter as a query, without the place in the list.
func (c *call) reviewQuery() url.Values {
	q := url.Values{}
	for _, name := range []string{"show", "by", "app", "entitlement", "person", "admins"} {
		if v := c.r.FormValue(name); v != "" {
			q.Set(name, v)
		}
	}
	return q
}

func reviewPage(c *call) error { return c.showReview(nil, nil) }

// showReview shows the items of the caller in a review, with the error of a form if there is one: what
// was entered stays.
func (c *call) showReview(wrong error, blocked []blockedRow) error {
	f := c.reviewFilter()
	var after store.AssignmentPlace
	if err := c.place(&after); err != nil {
		return err
	}
	p, err := c.console().MyReviewItems(c.ctx(), c.caller, c.campaign(), f, after, rowsPerPage)
	if err != nil {
		return err
	}
	if p.Progress.Total == 0 && console.SeeCampaigns.Of(c.caller.Person, console.Object{Campaign: &p.Campaign}) {
		return c.redirect(campaignPath(p.Campaign.ID))
	}
	w := reviewWork{Campaign: p.Campaign, Path: c.reviewPath(), Show: c.r.FormValue("show"), By: c.r.FormValue("by"), Rows: itemRows(p, c.caller.Person.Canonical()), Mine: p.Progress, Admins: f.Admins,
		Problem: problemOf(wrong), Blocked: blocked, Loaded: c.console().Now().Unix(), Submitted: c.r.FormValue("submitted") != "", MaySee: console.SeeCampaigns.Of(c.caller.Person, console.Object{Campaign: &p.Campaign})}
	w.Deciding = p.Campaign.State == console.CampaignRunning && w.Show != showSubmitted
	if w.Pending, err = c.pendingChoices(p.Campaign.ID); err != nil {
		return err
	}
	w.Here = w.Path + "?" + c.reviewQuery().Encode()
	if p.Next != nil {
		q := c.reviewQuery()
		q.Set("after", cursor(*p.Next))
		w.NextPage = "?" + q.Encode()
	}
	for name, values := range c.reviewQuery() {
		w.Keep = append(w.Keep, hidden{name, values[0]})
	}
	slices.SortFunc(w.Keep, func(a, b hidden) int { return strings.Compare(a.Name, b.Name) })
	w.group()
	w.choices(c)
	status := http.StatusOK
	if wrong != nil || len(blocked) > 0 {
		if status = http.StatusConflict; wrong != nil {
			status = statusOf(wrong)
		}
		w.again(c)
	}
	return c.show(status, "review", text(p.Campaign.Name), w)
}

func (c *call) pendingChoices(id console.ID) (all []choiceCount, err error) {
	counts, err := c.console().PendingReview(c.ctx(), c.caller, id)
	for _, choice := range console.ReviewChoices() {
		if n := counts[choice]; n > 0 {
			all = append(all, choiceCount{choice, n})
		}
	}
	return all, err
}

// group sets the headings of the rows.
func (w *reviewWork) group() {
	last := ""
	for i := range w.Rows {
		r := &w.Rows[i]
		heading := r.Shown.AppName
		if r.App == "" {
			heading = "The console itself"
		}
		switch w.By {
		case "person":
			heading = r.Who()
		case "list":
			continue
		}
		if heading != last || i == 0 {
			r.Heading, last = heading, heading
		}
	}
}

// choices fills the tabs and the lists of the page.
func (w *reviewWork) choices(c *call) {
	undecided := w.Mine.Total - w.Mine.Pending - w.Mine.Submitted
	for _, t := range []struct {
		show, label string
		count       int
	}{{showUndecided, "Undecided", undecided}, {showPending, "Not submitted", w.Mine.Pending}, {showSubmitted, "Submitted", w.Mine.Submitted}} {
		q := c.reviewQuery()
		q.Del("show")
		if t.show != "" {
			q.Set("show", t.show)
		}
		path := w.Path
		if len(q) > 0 {
			path += "?" + q.Encode()
		}
		w.Tabs = append(w.Tabs, reviewTab{t.label, path, t.show == w.Show, t.count})
	}
	w.Orders = []choice{{"", "By application", w.By == ""}, {"person", "By person", w.By == "person"}, {"list", "As a list", w.By == "list"}}
	app, entitlement, person := c.r.FormValue("app"), c.r.FormValue("entitlement"), c.r.FormValue("person")
	for _, r := range w.Rows {
		switch {
		case person != "" && r.Person == console.ID(person):
			w.Filtered = r.Who()
		case entitlement != "":
			w.Filtered = r.What()
		case app != "" && person == "":
			w.Filtered = r.Shown.AppName
		}
	}
	if w.Filtered == "" && app+entitlement+person != "" {
		w.Filtered = "what you chose"
	}
}

// again fills the rows with what was entered.
func (w *reviewWork) again(c *call) {
	w.To, w.Why = c.r.PostFormValue("to"), c.r.PostFormValue("why")
	removals := 0
	for i := range w.Rows {
		r := &w.Rows[i]
		n := strconv.Itoa(r.Number)
		if choice := console.ReviewChoice(c.r.PostFormValue("choice." + n)); choice != "" {
			r.Chosen, r.Note, r.Until = choice, c.r.PostFormValue("note."+n), c.r.PostFormValue("until."+n)
			if choice.Removes() {
				removals++
			}
		}
		for _, b := range w.Blocked {
			if b.Number == r.Number {
				r.Wrong = b.Problem
			}
		}
	}
	if removals > console.TypedCount {
		w.Removals = removals
	}
}

// blockedRows returns blocked items for display.
func (c *call) blockedRows(all []review.Blocked) (rows []blockedRow) {
	for _, b := range all {
		rows = append(rows, blockedRow{b.Item, campaignPath(c.campaign()) + "/items/" + strconv.Itoa(b.Item), problemOf(b.Err)})
	}
	return rows
}

// reviewChoices reads the decisions of the form. Rows without a choice stay undecided. The time since the
// page was loaded is shared among the decisions.
func (c *call) reviewChoices() (all []review.Choice, err error) {
	for name, values := range c.r.PostForm {
		text, is := strings.CutPrefix(name, "choice.")
		if !is || values[0] == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "the form is damaged").WithFix("Load the page again.")
		}
		x := review.Choice{Item: n, Choice: console.ReviewChoice(values[0]), Note: strings.TrimSpace(c.r.PostFormValue("note." + text))}
		if x.Choice == console.ChooseKeepUntil {
			if x.Until, err = c.day("until." + text); err != nil {
				return nil, err
			}
		}
		if err := x.Hash.UnmarshalText([]byte(c.r.PostFormValue("hash." + text))); err != nil {
			return nil, baton.Errorf(baton.Invalid, "the form is damaged").WithFix("Load the page again.")
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b review.Choice) int { return a.Item - b.Item })
	seconds := c.secondsSince()
	for i := range all {
		all[i].Seconds = seconds / len(all)
	}
	return all, nil
}

// secondsSince returns how long ago the page was loaded, as its form says.
func (c *call) secondsSince() int {
	loaded, err := strconv.ParseInt(c.r.PostFormValue("loaded"), 10, 64)
	if err != nil {
		return 0
	}
	return int(max(c.console().Now().Sub(time.Unix(loaded, 0))/time.Second, 0))
}

// typedCount returns the number of removals that was typed; 0 if there is none.
func (c *call) typedCount() int {
	n, _ := strconv.Atoi(strings.TrimSpace(c.r.PostFormValue("typed"))) // 0 is refused where it is needed
	return n
}
