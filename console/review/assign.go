package review

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Reassign asks a person about items instead of a reviewer who has not submitted them; from is ""
// to ask the person in addition. It refuses whoever would review the own access, for each item.
func Reassign(tx *store.Tx, c console.Campaign, items []int, from, to console.ID, why string) (blocked []Blocked, err error) {
	if c.State != console.CampaignRunning && c.State != console.CampaignStaged {
		return nil, baton.Errorf(baton.Refused, "reviewers do not change while the campaign is %s", c.State)
	}
	if len(items) > MaxBatch {
		return nil, baton.Errorf(baton.Invalid, "at most %d items are reassigned at once", MaxBatch)
	}
	p, err := tx.Person(to)
	if err != nil {
		return nil, err
	}
	if p.MergedInto != "" {
		if p, err = tx.Person(p.MergedInto); err != nil {
			return nil, err
		}
	}
	if p.Status != console.PersonActive || p.Service {
		return nil, baton.Errorf(baton.Refused, "%s cannot review", p.Name).WithFix("Choose a person who is active.")
	}
	have, err := tx.ReviewItemsByNumber(c.ID, items)
	if err != nil {
		return nil, err
	}
	subjects, err := Subjects(tx, have, p.ID, tx.By().At)
	if err != nil {
		return nil, err
	}
	for _, n := range items {
		i, there := have[n]
		switch err := subjects.Self(i, p.ID, ""); {
		case !there:
			blocked = append(blocked, Blocked{n, baton.Errorf(baton.NotFound, "no item %d", n)})
		case err != nil:
			blocked = append(blocked, Blocked{n, err})
		}
	}
	if len(blocked) > 0 {
		return blocked, blocked[0].Err
	}
	if from != "" {
		if from == p.ID {
			return nil, baton.Errorf(baton.Invalid, "%s is asked already", p.Name)
		}
		mine, err := tx.MyAssignments(c.ID, from, items)
		if err != nil {
			return nil, err
		}
		for _, n := range items {
			if a, asked := mine[n]; !asked || !a.Ended.IsZero() || a.Decision != nil && !a.Decision.Submitted.IsZero() {
				return nil, baton.Errorf(baton.Refused, "item %d does not wait for this reviewer", n).WithFix("Reload the list.")
			}
		}
	}
	if err := tx.Assign(c.ID, items, console.Asked{Person: p.ID, Why: why}); err != nil || from == "" {
		return nil, err
	}
	return nil, tx.Unassign(c.ID, items, from, why)
}

// Escalate asks the alternatives of the campaign about items that a reviewer has not submitted,
// instead of the reviewer.
func Escalate(tx *store.Tx, c console.Campaign, items []int, from console.ID, why string) error {
	if c.State != console.CampaignRunning && c.State != console.CampaignStaged {
		return baton.Errorf(baton.Refused, "reviewers do not change while the campaign is %s", c.State)
	}
	have, err := tx.ReviewItemsByNumber(c.ID, items)
	if err != nil {
		return err
	}
	above := c.CampaignSettings
	above.Reviewers, above.Fallback = c.Fallback, nil
	a := newAssigner(&people{tx: tx}, above, tx.By().At)
	groups := map[console.ID][]int{}
	for _, n := range items {
		i, there := have[n]
		if !there {
			return baton.Errorf(baton.NotFound, "no item %d", n)
		}
		asked, err := a.item(i, tx.By().At)
		if err != nil {
			return err
		}
		others := 0
		for _, x := range asked {
			if x.Person != from {
				groups[x.Person] = append(groups[x.Person], n)
				others++
			}
		}
		if others == 0 {
			return baton.Errorf(baton.Refused, "nobody else may review item %d", n).WithFix("Reassign it to a person.")
		}
	}
	for _, to := range sortedKeys(groups) {
		if _, err := Reassign(tx, c, groups[to], "", to, why); err != nil {
			return err
		}
	}
	return tx.Unassign(c.ID, items, from, why)
}

// item returns who is asked about a frozen item now.
func (a *assigner) item(i console.ReviewItem, now time.Time) ([]console.Asked, error) {
	tx := a.people.tx
	var app *console.App
	if i.App != "" {
		found, err := a.app(i.App)
		if err != nil {
			return nil, err
		}
		app = found
	}
	var person *console.Person
	var former []console.ID
	if i.Person != "" {
		found, err := a.people.get(i.Person)
		if err != nil {
			return nil, err
		}
		person = found
	}
	if i.Kind == console.ReviewAccess {
		owners, err := tx.RecentOwners(i.Account, now)
		if err != nil {
			return nil, err
		}
		for _, o := range owners {
			if person == nil || o != person.ID {
				former = append(former, o)
			}
		}
	}
	return a.of(app, person, i.Entitlement, former)
}

func (a *assigner) app(id console.ID) (*console.App, error) {
	if found := a.apps[id]; found != nil {
		return found, nil
	}
	found, err := a.people.tx.App(id)
	if err != nil {
		return nil, err
	}
	a.apps[id] = &found
	return &found, nil
}
