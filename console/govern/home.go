package govern

import (
	"context"
	"net/url"

	"baton/console"
	"baton/console/store"
)

// HomeView is the content of the start page.
type HomeView struct {
	// Todo lists what needs somebody, in the order in which the caller should look at it, up to
	// [maxTodo] lines.
	Todo []Todo
	More int // open findings that are not in Todo
	// Looks says that the caller sees findings at all.
	Looks bool
	// Emergencies is how many emergency requests wait for somebody to look at them afterwards,
	// up to [maxEmergencies]; for those who may.
	Emergencies int
	// Approvals is how many requests wait for the caller's decision.
	Approvals int
	// Reviews are the running reviews in which the caller has something to decide.
	Reviews []CampaignSummary
	Me      PersonView
}

// Todo is a line about what needs somebody: one finding, or all of a kind of an app.
type Todo struct {
	FindingGroup
	One  *FindingRow // nil if there are several
	Path string      // of the page on which somebody acts
}

// The limits of the start page.
const (
	maxEmergencies = 100
	maxTodo        = 20
)

// Home returns the caller's tasks and access.
func (c *Console) Home(ctx context.Context, caller Caller) (v HomeView, err error) {
	if v.Me, err = c.Person(ctx, caller, caller.Person.ID); err != nil {
		return v, err
	}
	err = c.read(ctx, caller, reading, func(tx *store.Tx, me console.Person) error {
		v.Todo, v.More, v.Emergencies = nil, 0, 0
		if v.Approvals, err = tx.CountAsked(me.ID); err != nil {
			return err
		}
		if v.Reviews, err = openReviews(tx, me); err != nil {
			return err
		}
		if console.ReviewEmergencies.Of(me, console.Object{}) {
			due, err := tx.Requests(store.RequestFilter{Review: true}, 0, maxEmergencies)
			if err != nil {
				return err
			}
			v.Emergencies = len(due)
		}
		scope, err := findingScope(tx, me)
		if err != nil {
			return err
		}
		v.Looks = len(scope) > 0
		groups, err := findingGroups(tx, scope)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if len(v.Todo) == maxTodo {
				v.More += g.Count
				continue
			}
			t, err := c.todo(tx, me, scope, g)
			if err != nil {
				return err
			}
			v.Todo = append(v.Todo, t)
		}
		return nil
	})
	return v, err
}

// openReviews returns the running reviews in which a person has something to decide.
func openReviews(tx *store.Tx, me console.Person) (open []CampaignSummary, err error) {
	n, err := tx.CountOpenReviews(me.Canonical())
	if err != nil || n == 0 {
		return nil, err
	}
	all, err := tx.Campaigns(store.CampaignFilter{States: []console.CampaignState{console.CampaignRunning}, Reviewer: me.Canonical()}, "", store.PageSize)
	names := Names{}
	for _, campaign := range all {
		s, err := campaignSummary(tx, me, campaign, names)
		if err != nil {
			return nil, err
		}
		if s.Mine.Total > s.Mine.Submitted {
			open = append(open, s)
		}
	}
	return open, err
}

// todo returns the line for a group of findings.
func (c *Console) todo(tx *store.Tx, me console.Person, scope store.FindingScope, g FindingGroup) (Todo, error) {
	t := Todo{FindingGroup: g, Path: "/findings?" + url.Values{"app": {string(g.App.ID)}, "kind": {string(g.Rule.Kind)}}.Encode()}
	if g.Count != 1 {
		return t, nil
	}
	one, err := narrow(tx, scope, g.App.ID, g.Rule.Kind)
	if err != nil {
		return t, err
	}
	all, err := tx.Findings(one, console.FindingOpen, store.FindingAfter{}, 1)
	if err != nil || len(all) == 0 {
		return t, err
	}
	rows, err := c.findingRows(tx, me, all)
	if err == nil {
		t.One, t.Path = &rows[0], rows[0].Path()
	}
	return t, err
}
