package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/review"
)

// backToReview leads to the list from which a form was sent.
func (c *call) backToReview() error {
	path, q := c.reviewPath(), c.reviewQuery()
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return c.redirect(path)
}

// onReview answers a form on the page of the caller's items.
func (c *call) onReview(err error, blocked []review.Blocked) error {
	if shown(err) || err == nil && len(blocked) > 0 {
		return c.showReview(err, c.blockedRows(blocked))
	}
	if err != nil {
		return err
	}
	return c.backToReview()
}

// decideReview keeps the decisions of the form, pending until they are submitted.
func decideReview(c *call) error {
	choices, err := c.reviewChoices()
	var d govern.Decided
	if err == nil && len(choices) > 0 {
		d, err = c.console().DecideReview(c.ctx(), c.caller, c.campaign(), choices, c.typedCount(), false)
	}
	if err == nil && c.r.PostFormValue("do") == "submit" {
		return c.redirect(c.reviewPath() + "/submit")
	}
	if err == nil && len(choices) == 0 {
		if err = c.mayReview(); err == nil {
			err = baton.Errorf(baton.Invalid, "nothing is decided yet").WithFix("Choose something for an item first.")
		}
	}
	return c.onReview(err, d.Blocked)
}

// mayReview returns an error unless the caller sees the review.
func (c *call) mayReview() error {
	_, err := c.console().PendingReview(c.ctx(), c.caller, c.campaign())
	return err
}

// withdrawReview makes items undecided again whose decision is not submitted.
func withdrawReview(c *call) error {
	items, err := c.numbers("withdraw")
	if may := c.mayReview(); may != nil {
		return may
	}
	if err == nil {
		err = c.console().WithdrawReview(c.ctx(), c.caller, c.campaign(), items)
	}
	return c.onReview(err, nil)
}

// passReview asks somebody else about the selected items, or the alternatives of the campaign.
func passReview(c *call) error {
	if err := c.mayReview(); err != nil {
		return err
	}
	items, err := c.numbers("item")
	if err != nil {
		return c.onReview(err, nil)
	}
	why := c.r.PostFormValue("why")
	if c.r.PostFormValue("do") == "escalate" {
		return c.onReview(c.console().EscalateReview(c.ctx(), c.caller, c.campaign(), items, "", why), nil)
	}
	blocked, err := c.console().ReassignReview(c.ctx(), c.caller, c.campaign(), items, c.caller.Person.Canonical(), console.ID(strings.TrimSpace(c.r.PostFormValue("to"))), why)
	return c.onReview(err, blocked)
}

// reviewSummary counts the pending decisions that the caller can submit.
type reviewSummary struct {
	Campaign console.Campaign
	Path     string
	Pending  []choiceCount
	Total    int
	Removals int
	Open     int // items without a decision
	Problem  *problem
}

func submitReviewPage(c *call) error { return c.showSubmit(nil) }

func (c *call) showSubmit(wrong error) error {
	p, err := c.console().MyReviewItems(c.ctx(), c.caller, c.campaign(), c.reviewFilter(), noPlace, 1)
	if err != nil {
		return err
	}
	s := reviewSummary{Campaign: p.Campaign, Path: c.reviewPath(), Total: p.Progress.Pending, Open: p.Progress.Total - p.Progress.Pending - p.Progress.Submitted, Problem: problemOf(wrong)}
	if s.Pending, err = c.pendingChoices(p.Campaign.ID); err != nil {
		return err
	}
	for _, n := range s.Pending {
		if n.Choice.Removes() {
			s.Removals += n.Count
		}
	}
	status := http.StatusOK
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "review-submit", "Submit: "+text(p.Campaign.Name), s)
}

func submitReview(c *call) error {
	if _, err := c.console().SubmitReview(c.ctx(), c.caller, c.campaign()); err != nil {
		if shown(err) {
			return c.showSubmit(err)
		}
		return err
	}
	return c.redirect(c.reviewPath() + "?submitted=1")
}

// reviewBulk is one decision about all undecided items of a filter, before it is made.
type reviewBulk struct {
	Campaign console.Campaign
	Path     string
	Back     string
	Keep     []hidden
	Choice   console.ReviewChoice
	Until    string
	Note     string
	Count    int // items of the filter
	Made     int // of them, that can be decided so
	Blocked  []blockedGroup
	Stays    int  // of them, that cannot
	Typed    bool // the number has to be typed
	Loaded   int64
	Problem  *problem
}

// bulkOf reads a decision about all items of a filter.
func (c *call) bulkOf() (b govern.ReviewBulk, err error) {
	b = govern.ReviewBulk{Filter: c.reviewFilter(), Choice: console.ReviewChoice(c.r.FormValue("choice")), Note: strings.TrimSpace(c.r.FormValue("note"))}
	if b.Choice == console.ChooseKeepUntil {
		b.Until, err = c.day("until")
	}
	return b, err
}

func reviewBulkPage(c *call) error { return c.showBulk(nil) }

// blockedGroup holds the items about which a decision cannot be made for the same reason.
type blockedGroup struct {
	Problem *problem
	Items   []blockedItem // the first of them
	Count   int
}

type blockedItem struct{ Path, Name string }

// More returns how many items are not listed.
func (g blockedGroup) More() int { return g.Count - len(g.Items) }

// blockedListed is how many items of a group are listed.
const blockedListed = 10

// blockedGroups groups blocked items by the reason, with the names that the rows of the page have.
func (c *call) blockedGroups(all []review.Blocked, rows []itemRow) (groups []blockedGroup) {
	names := map[int]string{}
	for _, r := range rows {
		names[r.Number] = r.Who() + ": " + r.What()
	}
	at := map[problem]int{}
	for _, b := range c.blockedRows(all) {
		k, known := at[*b.Problem]
		if !known {
			k = len(groups)
			at[*b.Problem] = k
			groups = append(groups, blockedGroup{Problem: b.Problem})
		}
		g := &groups[k]
		if g.Count++; len(g.Items) < blockedListed {
			g.Items = append(g.Items, blockedItem{b.Path, cmp.Or(names[b.Number], "Item "+strconv.Itoa(b.Number))})
		}
	}
	return groups
}

// showBulk says what a decision about all items of a filter would do, and why it cannot be made about some.
func (c *call) showBulk(wrong error) error {
	p, err := c.console().MyReviewItems(c.ctx(), c.caller, c.campaign(), c.reviewFilter(), noPlace, rowsPerPage)
	if err != nil {
		return err
	}
	back := c.reviewQuery()
	back.Del("show")
	v := reviewBulk{Campaign: p.Campaign, Path: c.reviewPath(), Back: c.reviewPath() + "?" + back.Encode(), Choice: console.ReviewChoice(c.r.FormValue("choice")), Until: c.r.FormValue("until"), Note: c.r.FormValue("note"), Loaded: c.console().Now().Unix()}
	for name, values := range back {
		v.Keep = append(v.Keep, hidden{name, values[0]})
	}
	b, err := c.bulkOf()
	if err == nil {
		b.DryRun = true
		var d govern.Decided
		d, err = c.console().DecideReviewBulk(c.ctx(), c.caller, c.campaign(), b)
		v.Made, v.Stays, v.Count = d.Made, len(d.Blocked), d.Made+len(d.Blocked)
		v.Blocked = c.blockedGroups(d.Blocked, itemRows(p, c.caller.Person.Canonical()))
	}
	if err != nil && !shown(err) {
		return err
	}
	if wrong == nil {
		wrong = err
	}
	v.Problem, v.Typed = problemOf(wrong), v.Choice.Removes() && v.Count > console.TypedCount
	status := http.StatusOK
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "review-bulk", v.Choice.Label()+": "+text(p.Campaign.Name), v)
}

// decideReviewBulk makes one decision about all items of a filter that can be decided so.
func decideReviewBulk(c *call) error {
	b, err := c.bulkOf()
	if err == nil {
		b.Expect, err = strconv.Atoi(c.r.PostFormValue("expect"))
		if err != nil || b.Expect < 1 {
			err = baton.Errorf(baton.Invalid, "the form does not say how many items were shown").WithFix("Look at them again.")
		}
	}
	if err == nil {
		b.Typed, b.Skip, b.Seconds = c.typedCount(), true, c.secondsSince()
		_, err = c.console().DecideReviewBulk(c.ctx(), c.caller, c.campaign(), b)
	}
	if shown(err) {
		return c.showBulk(err)
	}
	if err != nil {
		return err
	}
	q := url.Values{"show": {showPending}}
	return c.redirect(c.reviewPath() + "?" + q.Encode())
}
