package web

import (
	"net/url"
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

var findingStateLabels = map[console.FindingState]string{
	console.FindingOpen:     "Open",
	console.FindingAccepted: "Accepted",
	console.FindingSnoozed:  "Snoozed",
	console.FindingResolved: "Resolved",
}

// findingChip returns the chip for the state of a finding.
func findingChip(s console.FindingState) chip {
	if s == console.FindingOpen {
		return chip{"warn", findingStateLabels[s]}
	}
	if s == console.FindingResolved {
		return chip{"good", findingStateLabels[s]}
	}
	return chip{"plain", findingStateLabels[s]}
}

type findingsList struct {
	Page     govern.FindingsPage
	Query    govern.FindingsQuery
	App      string // name of the selected app
	Rule     console.FindingRule
	Apps     []choice
	Kinds    []choice
	States   []choice
	Next     string
	Here     string // address of the list, for the way back from a form
	Now      time.Time
	Problem  *problem
	Filtered bool
}

func findingsPage(c *call) error { return c.findings(nil) }

// findings shows the list of findings, and what is wrong with a form on it.
func (c *call) findings(wrong error) error {
	q := govern.FindingsQuery{App: console.ID(c.r.FormValue("app")), Kind: console.FindingKind(c.r.FormValue("kind")), State: console.FindingState(c.r.FormValue("state")), N: rowsPerPage}
	if q.State == "" {
		q.State = console.FindingOpen
	}
	if err := c.place(&q.After); err != nil {
		return err
	}
	l := findingsList{Query: q, Problem: problemOf(wrong), Filtered: q.App != "" || q.Kind != "" || q.State != console.FindingOpen, Now: c.console().Now()}
	var err error
	if l.Page, err = c.console().Findings(c.ctx(), c.caller, q); err != nil {
		return err
	}
	l.Rule, _ = q.Kind.Rule()
	l.Apps, l.Kinds = []choice{{"", "All applications", q.App == ""}}, []choice{{"", "All kinds", q.Kind == ""}}
	counts, kinds := map[console.ID]int{}, map[console.FindingKind]int{}
	for _, g := range l.Page.Groups {
		if counts[g.App.ID] == 0 {
			l.Apps = append(l.Apps, choice{string(g.App.ID), g.App.Name, g.App.ID == q.App})
		}
		counts[g.App.ID] += g.Count
		if q.App == "" || q.App == g.App.ID {
			kinds[g.Rule.Kind] += g.Count
		}
	}
	for i, a := range l.Apps {
		if n := counts[console.ID(a.Value)]; n > 0 {
			l.Apps[i].Label = a.Label + " (" + count(n) + ")"
		}
	}
	if q.App != "" {
		if counts[q.App] == 0 { // none is open there
			s, err := c.console().App(c.ctx(), c.caller, q.App)
			if err != nil {
				return err
			}
			l.Apps = append(l.Apps, choice{string(q.App), s.App.Name, true})
		}
	}
	for _, rule := range console.FindingRules() {
		label := rule.Label
		if n := kinds[rule.Kind]; n > 0 {
			label += " (" + count(n) + ")"
		}
		l.Kinds = append(l.Kinds, choice{string(rule.Kind), label, rule.Kind == q.Kind})
	}
	for _, s := range console.FindingStates() {
		l.States = append(l.States, choice{string(s), findingStateLabels[s], s == q.State})
	}
	here := url.Values{}
	for name, value := range map[string]string{"app": string(q.App), "kind": string(q.Kind), "state": c.r.FormValue("state"), "after": c.r.FormValue("after")} {
		if value != "" {
			here.Set(name, value)
		}
	}
	l.Here = "/findings"
	if len(here) > 0 {
		l.Here += "?" + here.Encode()
	}
	if l.Page.Next != nil {
		here.Set("after", cursor(*l.Page.Next))
		l.Next = "/findings?" + here.Encode()
	}
	status := 200
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "findings", "Findings", l)
}

// day reads the day until whose end something counts.
func (c *call) day(name string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, c.r.FormValue(name))
	if err != nil {
		return time.Time{}, baton.Errorf(baton.Invalid, "%q is no day", c.r.FormValue(name)).WithFix("Write a day like 2026-03-03; it counts until its end, in UTC.")
	}
	return day.AddDate(0, 0, 1), nil
}

// onFinding runs a command on a finding, and shows the list again.
func (c *call) onFinding(command func(id console.ID, version int64) error) error {
	version, _ := strconv.ParseInt(c.r.FormValue("version"), 10, 64) // 0: any
	if err := command(console.ID(c.r.PathValue("finding")), version); err != nil {
		if k := baton.KindOf(err); k == baton.Invalid || k == baton.Refused {
			return c.findings(err)
		}
		return err
	}
	return c.redirect(local(c.r.FormValue("back")))
}

func acceptFinding(c *call) error {
	return c.onFinding(func(id console.ID, version int64) error {
		until, wrong := c.day("until")
		err := c.console().AcceptFinding(c.ctx(), c.caller, id, version, until, c.r.FormValue("why"))
		if wrong != nil && baton.KindOf(err) == baton.Invalid {
			err = wrong
		}
		return err
	})
}

func snoozeFinding(c *call) error {
	return c.onFinding(func(id console.ID, version int64) error {
		days, _ := strconv.Atoi(c.r.FormValue("days")) // 0 is over
		return c.console().SnoozeFinding(c.ctx(), c.caller, id, version, c.console().Now().AddDate(0, 0, days))
	})
}

func reopenFinding(c *call) error {
	return c.onFinding(func(id console.ID, _ int64) error { return c.console().ReopenFinding(c.ctx(), c.caller, id) })
}
