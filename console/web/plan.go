package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

var planStateChips = map[console.PlanState]chip{
	console.PlanDraft:     {"plain", "Being computed"},
	console.PlanReady:     {"accent", "Ready"},
	console.PlanStale:     {"warn", "Stale"},
	console.PlanApplying:  {"accent", "Applying"},
	console.PlanVerifying: {"accent", "Verifying"},
	console.PlanComplete:  {"good", "Complete"},
	console.PlanDiscarded: {"plain", "Discarded"},
}

func planChip(s console.PlanState) chip { return planStateChips[s] }

var planResultChips = map[console.PlanResult]chip{
	console.PlanResult(console.RowPlanned): {"accent", "Planned"},
	console.PlanResult(console.RowBlocked): {"bad", "Blocked"},
	console.PlanResult(console.RowGone):    {"plain", "Not held"},
	console.PlanResult(console.RowAsked):   {"warn", "People decide first"},
	console.PlanResult(console.RowRefused): {"bad", "Refused"},
	console.PlanResult(console.RowChanged): {"warn", "Changed"},
	console.PlanResult(console.RowStopped): {"plain", "Stopped"},
	console.ResultUnderWay:                 {"accent", "Under way"},
	console.ResultManual:                   {"warn", "Manual task"},
	console.ResultApplied:                  {"accent", "Applied, not verified"},
	console.ResultVerified:                 {"good", "Verified"},
	console.ResultNotEffective:             {"bad", "Not effective"},
	console.ResultCameBack:                 {"bad", "Came back"},
	console.ResultFailed:                   {"bad", "Failed"},
}

func planResultChip(r console.PlanResult) chip { return planResultChips[r] }

type plansList struct {
	govern.PlanPage
	Open bool
	Next string
}

func plansPage(c *call) error {
	l := plansList{Open: c.r.FormValue("open") != ""}
	before := int64(0)
	if err := c.place(&before); err != nil {
		return err
	}
	var err error
	if l.PlanPage, err = c.console().Plans(c.ctx(), c.caller, l.Open, before, rowsPerPage); err != nil {
		return err
	}
	if l.PlanPage.Next != 0 {
		l.Next = c.nextPath(cursor(l.PlanPage.Next))
	}
	return c.page("plans", "Plans", l)
}

type planDetail struct {
	govern.PlanView
	Of       store.PlanRowFilter
	Filter   []choice
	Rest     int // rows of the filter; 0 without one
	NextPage string
	Person   string // name of the person whose rows are selected
	Typed    string
	Problem  *problem
	MayStop  bool
	MayApply bool
}

func (p planDetail) live() live { return live{Path: "/live/plans/" + string(p.ID), Version: p.Live()} }

// Count reports whether the number of rows has to be typed.
func (p planDetail) Count() bool { return p.Summary.Planned >= console.PlanCountFrom }

func planPage(c *call) error {
	if c.asCSV() {
		return planCSV(c)
	}
	return c.showPlan(nil)
}

func (c *call) plan() console.ID { return console.ID(c.r.PathValue("plan")) }

// showPlan shows a plan, with the error of a form if there is one.
func (c *call) showPlan(wrong error) error {
	after := 0
	if err := c.place(&after); err != nil {
		return err
	}
	p := planDetail{Of: store.PlanRowFilter{Result: console.PlanResult(c.r.FormValue("result")), Person: console.ID(c.r.FormValue("person"))}, Problem: problemOf(wrong)}
	if _, known := planResultChips[p.Of.Result]; p.Of.Result != "" && !known {
		return baton.Errorf(baton.Invalid, "there is no result %q", string(p.Of.Result))
	}
	var err error
	if p.PlanView, err = c.console().Plan(c.ctx(), c.caller, c.plan(), p.Of, after, rowsPerPage); err != nil {
		return err
	}
	if p.Next != 0 {
		p.NextPage = c.nextPath(cursor(p.Next))
	}
	p.MayApply, p.MayStop = p.Refused == nil && p.State == console.PlanReady, p.Refused == nil && p.State == console.PlanApplying
	if wrong != nil {
		p.Typed = c.r.PostFormValue("count")
	}
	p.Filter = []choice{{"", "All rows (" + count(p.PlanView.RemovalPlan.Rows) + ")", p.Of.Result == ""}}
	for _, r := range console.PlanResults() {
		if n := p.Results[r]; n > 0 || r == p.Of.Result {
			p.Filter = append(p.Filter, choice{string(r), planResultChip(r).Label + " (" + count(n) + ")", r == p.Of.Result})
		}
	}
	if p.Of.Person != "" && len(p.PlanView.Rows) > 0 {
		p.Person = p.PlanView.Rows[0].Owner.Name
	}
	status := http.StatusOK
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "plan", p.Title, p)
}

func planLive(c *call) error {
	return c.keepUpToDate(func() (govern.Version, error) { return c.console().PlanVersion(c.ctx(), c.caller, c.plan()) })
}

// onPlan answers a form on the page of a plan.
func (c *call) onPlan(err error) error {
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused) {
		return c.showPlan(err)
	}
	if err != nil {
		return err
	}
	return c.redirect("/plans/" + string(c.plan()))
}

func applyPlan(c *call) error {
	var hash console.Hash
	if err := hash.UnmarshalText([]byte(c.r.PostFormValue("hash"))); err != nil {
		return c.onPlan(baton.Errorf(baton.Invalid, "the hash of the plan is missing").WithFix("Load the page again."))
	}
	return c.onPlan(c.console().ApplyPlan(c.ctx(), c.caller, c.plan(), hash, c.r.PostFormValue("count")))
}

func recomputePlan(c *call) error {
	return c.onPlan(c.console().RecomputePlan(c.ctx(), c.caller, c.plan()))
}
func discardPlan(c *call) error {
	return c.onPlan(c.console().DiscardPlan(c.ctx(), c.caller, c.plan()))
}

func stopPlan(c *call) error {
	return c.onPlan(c.console().StopPlan(c.ctx(), c.caller, c.plan(), c.r.PostFormValue("why")))
}

// createPlan makes a plan of the rows that were selected, or of those that its cause says.
func createPlan(c *call) error {
	form := c.r.PostForm
	n := govern.NewPlan{Cause: console.PlanCause{Kind: console.PlanCauseKind(form.Get("cause")), Ref: form.Get("ref")}, Why: form.Get("why"), Keep: form.Get("keep")}
	if n.Cause.Kind == "" {
		n.Cause.Kind = console.PlanSelection
	}
	if form.Get("all") == "" {
		for _, text := range form["row"] {
			r, err := govern.ParsePlanRow(text)
			if err != nil {
				return err
			}
			n.Rows = append(n.Rows, r)
		}
	}
	if n.Cause.Kind == console.PlanUnexplained {
		if len(n.Rows) == 0 && form.Get("all") == "" {
			return baton.Errorf(baton.Invalid, "no change is selected").WithFix("Go back, and select what to remove.")
		}
		from, err := c.changesEnd("from")
		if err != nil {
			return err
		}
		to, err := c.changesEnd("to")
		if err != nil {
			return err
		}
		n.Changes = govern.ChangesQuery{From: from.ChangesEnd, To: to.ChangesEnd, Filter: govern.AccountFilter(form.Get("filter"))}
	}
	id, err := c.console().CreatePlan(c.ctx(), c.caller, n)
	if err != nil {
		return err
	}
	return c.redirect("/plans/" + string(id))
}

func planCSV(c *call) error {
	header := []string{"Person", "Application", "Account", "Login", "Entitlement", "What", "Granted instead", "Result", "Why", "Administrator", "Decided in", "Person or account owner left", "Operation", "Request"}
	id := c.plan()
	v, err := c.console().Plan(c.ctx(), c.caller, id, store.PlanRowFilter{}, 0, 1)
	if err != nil {
		return err
	}
	return c.writeCSV(govern.Export{What: "rows of the plan " + string(id), Plan: id}, "plan-"+strconv.FormatInt(v.Number, 10), header, func(row func(...string) error) error {
		for after := 0; ; {
			v, err := c.console().Plan(c.ctx(), c.caller, id, store.PlanRowFilter{}, after, rowsPerRead)
			if err != nil {
				return err
			}
			for _, r := range v.Rows {
				if err := row(r.Owner.Name, r.Names.App, r.Names.Account, r.Names.Login, r.Names.Entitlement, planDoes(r), r.To, planResultChip(r.Result).Label, r.Said, r.Facts.Admin, r.Mastered,
					csvBool(r.Facts.Left), string(r.Operation), string(r.Request)); err != nil {
					return err
				}
			}
			if after = v.Next; after == 0 {
				return nil
			}
		}
	})
}

// planDoes says what a plan does about a row.
func planDoes(r govern.PlanRowView) string {
	switch {
	case r.Do == console.PlanLower && r.To != "":
		return "lowered to " + r.To
	case r.Do == console.PlanLower:
		return "removed; a lower role stays"
	case r.Entitlement == console.AccountItself:
		return "account disabled"
	}
	return "removed"
}

// planLines sends the lines of a plan, whose hash is that of the plan.
func planLines(c *call) error {
	begun := false
	err := c.console().PlanLines(c.ctx(), c.caller, c.plan(), func(lines []byte) error {
		if !begun {
			c.download("application/jsonl", "plan-"+string(c.plan())+".jsonl")
		}
		begun = true
		_, err := c.w.Write(lines)
		return err
	})
	if begun && err != nil {
		panic(http.ErrAbortHandler) // an incomplete file must not look complete
	}
	return err
}

// planRow returns the value of a check box that selects an access for a plan.
func planRow(app console.ID, account console.ResourceKey, e console.EntitlementKey) string {
	return string(app) + "/" + strconv.FormatInt(int64(account), 10) + "/" + strconv.FormatInt(int64(e), 10)
}

// Sentences returns what else there is to know about a plan.
func (p planDetail) Sentences() (all []string) {
	s := p.Summary
	add := func(n int, one, many string) {
		if n > 0 {
			words := many
			if n == 1 {
				words = one
			}
			all = append(all, strings.Replace(words, "#", count(n), 1))
		}
	}
	add(s.Disable, "One account is disabled.", "# accounts are disabled.")
	add(s.Lower, "One account gets a lower role.", "# accounts get a lower role.")
	add(s.Nobody, "One of the rows is of an account without an owner.", "# of the rows are of accounts without an owner.")
	add(s.Asks, "People decide about one row first, because its policy says so.", "People decide about # rows first, because their policy says so.")
	add(s.Manual, "A person has to make one of the changes, because the connector cannot.", "A person has to make # of the changes, because the connector cannot.")
	add(s.Pending, "An operation is under way on one row already.", "Operations are under way on # rows already.")
	add(s.Blocked, "One row is blocked by a guard, and stays as it is.", "# rows are blocked by a guard, and stay as they are.")
	add(s.Gone, "One row is not held any more.", "# rows are not held any more.")
	for _, where := range slices.Sorted(maps.Keys(s.Mastered)) {
		add(s.Mastered[where], "Who holds one of them is decided in "+text(where)+": what is removed here may come back from there.", "Who holds # of them is decided in "+text(where)+": what is removed here may come back from there.")
	}
	return all
}

// CSVPath returns the address of all rows as CSV.
func (p planDetail) CSVPath() string { return "?" + url.Values{"format": {"csv"}}.Encode() }
