package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// itemRow is an item of a review with what a page shows about it.
type itemRow struct {
	govern.ItemView
	Campaign console.Campaign
	Names    govern.Names
	Mine     *console.ReviewAssignment // of the caller, while somebody asks the caller
	Heading  string                    // of the group that begins here
	Note     string                    // typed into the form
	Until    string
	Chosen   console.ReviewChoice
	Wrong    *problem
}

// itemRows returns the rows of a page, each with the caller's assignment.
func itemRows(p govern.ItemsPage, me console.ID) (rows []itemRow) {
	for _, v := range p.Items {
		r := itemRow{ItemView: v, Campaign: p.Campaign, Names: p.Names}
		for i, a := range v.Assignments {
			if a.Reviewer == me && (a.Ended.IsZero() || a.Decision != nil) {
				r.Mine = &v.Assignments[i]
			}
		}
		if r.Mine != nil && r.Mine.Decision != nil {
			r.Chosen, r.Note = r.Mine.Decision.Choice, r.Mine.Decision.Note
			if t := r.Mine.Decision.Until; !t.IsZero() {
				r.Until = t.UTC().Add(-time.Second).Format(time.DateOnly)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// Who returns whose access it is.
func (r itemRow) Who() string {
	s := r.Shown
	switch {
	case s.PersonName != "":
		return s.PersonName
	case s.AccountName != "":
		return s.AccountName
	case s.Login != "":
		return s.Login
	}
	return "Nobody"
}

// Of returns more about whose access it is: department, account, login.
func (r itemRow) Of() string {
	s := r.Shown
	parts := []string{s.Department}
	if s.AccountName != r.Who() && s.AccountName != "" {
		parts = append(parts, s.AccountName)
	}
	if s.Login != s.AccountName && s.Login != r.Who() {
		parts = append(parts, s.Login)
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, " · ")
}

// What returns what is held.
func (r itemRow) What() string {
	switch s := r.Shown; {
	case s.EntitlementName != "":
		return s.EntitlementName
	case s.ResourceName != "":
		return s.ResourceName
	}
	return string(r.Kind)
}

// Knowing lists what is worth knowing about an item. It says nothing about use: the console does not
// know that.
func (r itemRow) Knowing() (all []chip) {
	s := r.Shown
	add := func(set bool, kind, label string) {
		if set {
			all = append(all, chip{kind, text(label)})
		}
	}
	add(r.GoneNow || !r.Gone.IsZero(), "plain", "Gone meanwhile")
	add(s.PersonStatus != "" && s.PersonStatus != console.PersonActive, "bad", "Left")
	add(s.Disabled && s.Admin, "bad", "Disabled, still administrator")
	add(s.Disabled && !s.Admin, "warn", "Disabled account")
	add(s.PersonName == "" && r.Kind == console.ReviewAccess, "warn", "Without owner")
	add(!s.Kind.Human() && r.Kind == console.ReviewAccess, "plain", "Account of a "+accountKind(s.Kind))
	add(s.Admin && !s.Disabled, "accent", "Administrator")
	if s.State == console.StateUnexplained || s.State == console.StateCameBack || s.State == console.StateOverdue || s.State == console.StateBaseline {
		all = append(all, stateChip(s.State))
	}
	add(s.Requirement != "", "warn", s.Requirement)
	for _, other := range s.Incompatible {
		add(true, "bad", "Incompatible with "+other)
	}
	add(s.Indirect, "plain", "Held through another")
	add(s.Immutable, "plain", "Cannot be removed here")
	add(s.MasteredBy != "", "warn", "Decided in "+s.MasteredBy)
	add(!s.Until.IsZero(), "plain", "Ends "+shortTime(s.Until))
	return all
}

// LastBy names who decided the last time.
func (r itemRow) LastBy() string {
	var names []string
	for _, id := range r.Shown.Last.By {
		names = append(names, r.Names.Of(id))
	}
	return strings.Join(names, ", ")
}

// Asked lists who is asked now.
func (r itemRow) Asked() (names []string) {
	for _, a := range r.Assignments {
		if a.Ended.IsZero() {
			names = append(names, r.Names.Of(a.Reviewer))
		}
	}
	return names
}

// ShownResult is the result of the item in the state of its campaign.
func (r itemRow) ShownResult() console.ReviewResult { return r.ResultIn(r.Campaign.State) }

// Lower returns the label of the choice to lower it.
func (r itemRow) Lower() string { return lowerLabel(r.Shown.Lower) }

// lowerLabel is "Lower to Member".
func lowerLabel(l *console.ShownLower) string {
	if l == nil {
		return console.ChooseLower.Label()
	}
	return console.ChooseLower.Label() + " to " + text(l.Name)
}

// ChoiceLabel returns the label of a choice for this item.
func (r itemRow) ChoiceLabel(c console.ReviewChoice) string {
	if c == console.ChooseLower {
		return r.Lower()
	}
	return c.Label()
}

// Path returns the address of the item.
func (r itemRow) Path() string {
	return campaignPath(r.Campaign.ID) + "/items/" + strconv.Itoa(r.Number)
}

type itemsList struct {
	Campaign  console.Campaign
	Path      string
	Rows      []itemRow
	Filter    store.ItemFilter
	Apps      []choice
	Outcomes  []choice
	Results   []choice
	Reviewers []choice
	Filtered  bool
	MayRun    bool
	CSV       string
	NextPage  string
	Problem   *problem
	Blocked   []blockedRow
	To, Why   string
}

// blockedRow is an item about which something cannot be done, and why.
type blockedRow struct {
	Number  int
	Path    string
	Problem *problem
}

// itemFilter reads the filter of items from the address.
func (c *call) itemFilter() store.ItemFilter {
	is := func(name string) bool { return c.r.FormValue(name) != "" }
	f := store.ItemFilter{App: console.ID(c.r.FormValue("app")), Person: console.ID(c.r.FormValue("person")), Admins: is("admins"), Undecided: is("undecided"), Gone: is("gone"), Unassigned: is("unassigned"), Sampled: is("sampled")}
	if v := c.r.FormValue("outcome"); v != "" {
		f.Choices = []console.ReviewChoice{console.ReviewChoice(v)}
	}
	if v := c.r.FormValue("result"); v != "" {
		f.Results = []console.ReviewResult{console.ReviewResult(v)}
	}
	if e, err := strconv.ParseInt(c.r.FormValue("entitlement"), 10, 64); err == nil {
		key := console.EntitlementKey(e)
		f.Entitlement = &key
	}
	return f
}

func campaignItemsPage(c *call) error {
	if c.asCSV() {
		return campaignItemsCSV(c)
	}
	return c.showCampaignItems(nil, nil)
}

// showCampaignItems lists the items of a review, with the error of a form if there is one.
func (c *call) showCampaignItems(wrong error, blocked []blockedRow) error {
	v, err := c.console().Campaign(c.ctx(), c.caller, c.campaign())
	if err != nil {
		return err
	}
	after := 0
	if err := c.place(&after); err != nil {
		return err
	}
	f := c.itemFilter()
	page, err := c.console().CampaignItems(c.ctx(), c.caller, v.ID, f, after, rowsPerPage)
	if err != nil {
		return err
	}
	l := itemsList{Campaign: v.CampaignSummary.Campaign, Path: campaignPath(v.ID), Rows: itemRows(page, c.caller.Person.Canonical()), Filter: f, Problem: problemOf(wrong), Blocked: blocked, MayRun: v.MayRun && (v.State == console.CampaignStaged || v.State == console.CampaignRunning)}
	l.CSV = c.pathWith("format", "csv")
	l.Filtered = len(c.r.URL.Query()) > 0
	if page.Next != nil {
		l.NextPage = c.nextPath(cursor(page.Next.Item))
	}
	l.Apps = []choice{{"", "All applications", f.App == ""}}
	for _, a := range v.Progress.Apps {
		if a.App != "" {
			l.Apps = append(l.Apps, choice{string(a.App), v.Apps[a.App], a.App == f.App})
		}
	}
	l.Outcomes = []choice{{"", "Any outcome", len(f.Choices) == 0}}
	for _, x := range console.ReviewChoices() {
		l.Outcomes = append(l.Outcomes, choice{string(x), x.Label(), slices.Contains(f.Choices, x)})
	}
	l.Results = []choice{{"", "Any result", len(f.Results) == 0}}
	for _, r := range reviewResults {
		l.Results = append(l.Results, choice{string(r), reviewResultChip(r).Label, slices.Contains(f.Results, r)})
	}
	l.Reviewers = []choice{{"", "In addition to those who are asked", true}}
	for _, r := range v.Progress.Reviewers {
		if r.Total > r.Submitted {
			l.Reviewers = append(l.Reviewers, choice{string(r.Reviewer), "Instead of " + v.Names.Of(r.Reviewer), false})
		}
	}
	status := http.StatusOK
	if wrong != nil {
		status, l.To, l.Why = statusOf(wrong), c.r.PostFormValue("to"), c.r.PostFormValue("why")
	}
	return c.show(status, "campaign-items", "Items of "+text(v.Name), l)
}

// numbers reads the selected items of a form.
func (c *call) numbers(name string) (all []int, err error) {
	for _, v := range c.r.PostForm[name] {
		n, err := strconv.Atoi(v)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "the form is damaged").WithFix("Load the page again.")
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return nil, baton.Errorf(baton.Invalid, "no item is selected").WithFix("Select the items, then send the form again.")
	}
	return all, nil
}

func reassignCampaign(c *call) error {
	v, err := c.console().Campaign(c.ctx(), c.caller, c.campaign())
	if err != nil {
		return err
	}
	if err := console.RunCampaigns.Check(c.caller.Person, console.Object{Campaign: &v.CampaignSummary.Campaign}); err != nil {
		return err
	}
	items, err := c.numbers("item")
	var rows []blockedRow
	if err == nil {
		blocked, e := c.console().ReassignReview(c.ctx(), c.caller, c.campaign(), items, console.ID(c.r.PostFormValue("from")), console.ID(strings.TrimSpace(c.r.PostFormValue("to"))), c.r.PostFormValue("why"))
		rows, err = c.blockedRows(blocked), e
	}
	if shown(err) || len(rows) > 0 {
		return c.showCampaignItems(err, rows)
	}
	if err != nil {
		return err
	}
	return c.redirect(c.here())
}

// itemDetail is the page of one item.
type itemDetail struct {
	itemRow
	All bool // the caller sees the whole review
}

// Row returns the item, for templates.
func (d itemDetail) Row() itemRow { return d.itemRow }

func campaignItemPage(c *call) error {
	n, err := c.key("item")
	if err != nil {
		return err
	}
	p, err := c.console().ReviewItem(c.ctx(), c.caller, c.campaign(), int(n))
	if err != nil {
		return err
	}
	d := itemDetail{itemRow: itemRows(p, c.caller.Person.Canonical())[0], All: console.SeeCampaigns.Of(c.caller.Person, console.Object{Campaign: &p.Campaign})}
	return c.page("campaign-item", text(d.Who())+": "+text(d.What()), d)
}

func campaignItemsCSV(c *call) error {
	header := []string{"Number", "Application", "Entitlement", "Account", "Login", "Person", "Department", "Administrator", "Worth knowing", "Outcome", "Decided by", "Result", "More", "Operation", "SHA-256"}
	f, id := c.itemFilter(), c.campaign()
	return c.writeCSV(govern.Export{What: "items of the review " + string(id), Campaign: id}, "review-"+string(id), header, func(row func(...string) error) error {
		for after := 0; ; {
			p, err := c.console().CampaignItems(c.ctx(), c.caller, id, f, after, rowsPerRead)
			if err != nil {
				return err
			}
			for _, r := range itemRows(p, "") {
				var knowing, by []string
				for _, k := range r.Knowing() {
					knowing = append(knowing, k.Label)
				}
				outcome := ""
				if r.Outcome != nil {
					outcome = string(r.Outcome.Choice)
					for _, id := range r.Outcome.By {
						by = append(by, r.Names.Of(id))
					}
				}
				if err := row(strconv.Itoa(r.Number), r.Shown.AppName, r.What(), r.Shown.AccountName, r.Shown.Login, r.Shown.PersonName, r.Shown.Department, csvBool(r.Admin), strings.Join(knowing, "; "),
					outcome, strings.Join(by, ", "), string(r.ShownResult()), r.Detail, string(r.Operation), r.Hash.String()); err != nil {
					return err
				}
			}
			if p.Next == nil {
				return nil
			}
			after = p.Next.Item
		}
	})
}
