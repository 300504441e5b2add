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
)

// decisionForm is the form for decisions, on the page of a request and in the list of approvals.
type decisionForm struct {
	govern.RequestView
	Open      console.PlanStep
	Shorter   []preset
	Recent    bool // the step needs a recent login, and the caller's is too old
	Effective string
	Next      string // the page to go to afterwards; "" for the request's
}

// decisionForm returns the form for a request that waits for the caller's decision.
func (c *call) decisionForm(v govern.RequestView) decisionForm {
	d := decisionForm{RequestView: v}
	if v.Step < len(v.Plan.Steps) {
		d.Open = v.Plan.Steps[v.Step]
	}
	d.Recent = (d.Open.StepUp || v.Role != nil && v.Role.Admin) && !c.caller.Session.Recent(c.console().Now())
	length, limited := v.Term.Length(c.console().Now())
	d.Shorter = append(d.Shorter, preset{"", "As asked: " + v.Term.Words(), true})
	for _, p := range slices.Compact(slices.Sorted(slices.Values(append([]console.Duration{console.Duration(15 * time.Minute), console.Duration(30 * time.Minute)}, v.Settings.Presets...)))) {
		if !limited || p < length {
			d.Shorter = append(d.Shorter, preset{p.String(), p.Words(), false})
		}
	}
	switch t := v.Term; {
	case v.Kind == console.RequestRevoke:
		d.Effective = "at once"
	case !v.Start.IsZero() && !t.Until.IsZero():
		d.Effective = v.Start.UTC().Format("2 Jan 2006 15:04 UTC") + " to " + t.Until.UTC().Format("2 Jan 2006 15:04 UTC")
	case !v.Start.IsZero():
		d.Effective = "from " + v.Start.UTC().Format("2 Jan 2006 15:04 UTC") + ", " + durationFromEffect(t)
	case !t.Until.IsZero():
		d.Effective = "at approval, to " + t.Until.UTC().Format("2 Jan 2006 15:04 UTC")
	default:
		d.Effective = "at approval, " + durationFromEffect(t)
	}
	if t := v.Term; t.For > 0 && v.Kind == console.RequestGrant { // the end is absolute, too, as far as it can be told
		effect := c.console().Now()
		begins := "if it takes effect now"
		if v.Start.After(effect) {
			effect, begins = v.Start, "if it takes effect then"
		}
		d.Effective += ": to " + t.End(effect).UTC().Format("2 Jan 2006 15:04 UTC") + " " + begins
	}
	return d
}

// durationFromEffect returns the text of a term that begins when the access takes effect.
func durationFromEffect(t console.Term) string {
	if t.For > 0 {
		return t.For.Words() + " from when it takes effect"
	}
	return t.Words()
}

func decideRequest(c *call) error {
	d := govern.NewDecision{Request: c.requestAt(), Step: console.ID(c.r.PathValue("step")), Comment: c.r.PostFormValue("comment")}
	switch c.r.PostFormValue("decision") {
	case "approve":
		d.Approve = true
	case "deny":
	default:
		return baton.Errorf(baton.Invalid, "a decision is to approve or to deny")
	}
	version, err := strconv.ParseInt(c.r.PostFormValue("version"), 10, 64)
	if err != nil {
		return baton.Errorf(baton.Invalid, "the form has no version of the request").WithFix("Load the page again.")
	}
	d.Version = version
	if d.Approve {
		if d.Term, err = c.term(); err != nil {
			return c.requestDone(err)
		}
	}
	done, err := c.console().Decide(c.ctx(), c.caller, d)
	if err != nil {
		return c.requestDone(err)
	}
	if done.Reset {
		return c.showRequest(http.StatusConflict, nil, "What is asked for has changed since it was filed. Your decision does not count; whoever decides is asked again.")
	}
	if c.r.PostFormValue("next") == "/approvals" {
		as := "denied"
		if d.Approve {
			as = "approved"
		}
		return c.redirect("/approvals?as=" + as + "&decided=" + strconv.FormatInt(done.Request.Number, 10))
	}
	return c.redirect("/requests/" + string(d.Request))
}

func reassignRequest(c *call) error {
	return c.requestDone(c.console().Reassign(c.ctx(), c.caller, c.requestAt(), console.ID(c.r.PathValue("step")), console.ID(c.r.PostFormValue("to")), c.r.PostFormValue("why")))
}

type approvalsPage struct {
	Rows    []approvalRow
	Next    string
	Problem *problem
	Done    []bulkRow
	Decided *decidedNow
}

// decidedNow is the request that was decided just now.
type decidedNow struct {
	Number   int64
	Approved bool
}

// Bulk reports whether several requests can be decided together.
func (p approvalsPage) Bulk() bool {
	n := 0
	for _, r := range p.Rows {
		if r.Blocker == "" {
			n++
		}
	}
	return n > 1
}

type approvalRow struct {
	govern.Approval
	Form decisionForm
}

type bulkRow struct {
	Number  int64
	Request console.ID
	Problem *problem
}

func approvals(c *call) error { return c.showApprovals(http.StatusOK, nil, nil) }

func (c *call) showApprovals(status int, problem error, done []bulkRow) error {
	var after int64
	if s := c.r.URL.Query().Get("after"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return baton.Errorf(baton.Invalid, "the address of this page is damaged").WithFix("Begin the list anew.")
		}
		after = n
	}
	rows, next, err := c.console().Approvals(c.ctx(), c.caller, after, rowsPerPage)
	if err != nil {
		return err
	}
	p := approvalsPage{Problem: problemOf(problem), Done: done}
	if n, err := strconv.ParseInt(c.r.URL.Query().Get("decided"), 10, 64); err == nil && n > 0 && done == nil {
		p.Decided = &decidedNow{n, c.r.URL.Query().Get("as") == "approved"}
	}
	for _, r := range rows {
		form := c.decisionForm(r.RequestView)
		form.Next = "/approvals"
		p.Rows = append(p.Rows, approvalRow{r, form})
	}
	if next != 0 {
		p.Next = "?after=" + strconv.FormatInt(next, 10)
	}
	return c.show(status, "approvals", "Approvals", p)
}

// decideMany makes one decision for several requests.
func decideMany(c *call) error {
	approve := c.r.PostFormValue("decision") == "approve"
	if !approve && c.r.PostFormValue("decision") != "deny" {
		return baton.Errorf(baton.Invalid, "a decision is to approve or to deny")
	}
	var all []govern.NewDecision
	for _, s := range c.r.PostForm["request"] { // each value has the form "request,step,version"
		parts := strings.Split(s, "/")
		if len(parts) != 3 {
			return baton.Errorf(baton.Invalid, "the form is damaged").WithFix("Load the page again.")
		}
		version, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			return baton.Errorf(baton.Invalid, "the form is damaged").WithFix("Load the page again.")
		}
		all = append(all, govern.NewDecision{Request: console.ID(parts[0]), Step: console.ID(parts[1]), Version: version, Approve: approve, Comment: c.r.PostFormValue("comment")})
	}
	count, err := strconv.Atoi(strings.TrimSpace(c.r.PostFormValue("count")))
	if err != nil {
		count = -1
	}
	done, err := c.console().DecideMany(c.ctx(), c.caller, all, count)
	if k := baton.KindOf(err); err != nil && k == baton.Invalid {
		return c.showApprovals(statusOf(err), err, nil)
	}
	if err != nil {
		return err
	}
	var rows []bulkRow
	for _, b := range done {
		rows = append(rows, bulkRow{b.Number, b.Request, problemOf(b.Err)})
	}
	return c.showApprovals(http.StatusOK, nil, rows)
}
