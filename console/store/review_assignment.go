package store

import (
	"errors"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// The states of assignments.
const (
	askedUndecided = 0
	askedPending   = 1
	askedSubmitted = 2
	askedEnded     = 3 // somebody else was asked instead
)

const assignmentColumns = "a.campaign, a.item, a.reviewer, a.state, a.why, a.by_actor, a.at, a.ended, a.ended_why, a.on_behalf_of, a.choice, a.until_at, a.note, a.decided, a.hash, a.sync, a.seconds, a.batch, a.eligible, a.submitted, a.submission, a.place"

type assignment struct {
	console.ReviewAssignment
	state, place int
}

func scanAssignment(r engine.Row) assignment {
	a := assignment{console.ReviewAssignment{Campaign: console.ID(r.Text(0)), Item: int(r.Int(1)), Reviewer: console.ID(r.Text(2)), For: console.ID(r.Text(9)), Why: r.Text(4), By: decodeActor(r.Bytes(5)), At: at(r, 6),
		Ended: at(r, 7), EndedWhy: str(r, 8)}, int(r.Int(3)), int(r.Int(21))}
	if choice := r.Text(10); choice != "" {
		a.Decision = &console.ReviewDecision{Campaign: a.Campaign, Item: a.Item, Reviewer: a.Reviewer, For: a.For, Choice: console.ReviewChoice(choice), Until: at(r, 11), Note: str(r, 12),
			At: at(r, 13), Hash: hashOf(r.Bytes(14)), Sync: console.SyncNumber(r.Int(15)), Seconds: int(r.Int(16)), Batch: int(r.Int(17)), Eligible: r.Text(18), Submitted: at(r, 19), Submission: console.ID(r.Text(20))}
	}
	return a
}

func assignments(all []assignment) []console.ReviewAssignment {
	rows := make([]console.ReviewAssignment, len(all))
	for i, a := range all {
		rows[i] = a.ReviewAssignment
	}
	return rows
}

// ReviewAssignments returns the reviewers of items, also those who were replaced, in the order of the
// items and the time at which they were asked.
func (t *Tx) ReviewAssignments(campaign console.ID, items []int) ([]console.ReviewAssignment, error) {
	all, err := t.assignmentsOf(campaign, items)
	return assignments(all), err
}

func (t *Tx) assignmentsOf(campaign console.ID, items []int) ([]assignment, error) {
	return listOf(t, scanAssignment, distinct(items), "SELECT "+assignmentColumns+" FROM review_assignment a WHERE a.campaign = $1 AND a.item IN (keys) ORDER BY a.item, a.at, a.reviewer", campaign)
}

// AssignmentPlace is a place in a list of assignments. The zero value is the beginning.
type AssignmentPlace struct {
	Place int // only in the order of persons
	Item  int
}

// ReviewerItem is an item with the assignment of one reviewer.
type ReviewerItem struct {
	Item       console.ReviewItem
	Assignment console.ReviewAssignment
	Place      AssignmentPlace
}

// ReviewerFilter selects items of one reviewer.
type ReviewerFilter struct {
	Reviewer console.ID
	// Submitted selects decisions that were submitted, Pending those that were not; neither selects
	// undecided items.
	Submitted, Pending bool
	ByPerson           bool // in the order of persons, instead of applications
	ItemFilter
}

// ReviewerItems returns up to n items of a reviewer after a place.
func (t *Tx) ReviewerItems(campaign console.ID, f ReviewerFilter, after AssignmentPlace, n int) ([]ReviewerItem, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	state := askedUndecided
	switch {
	case f.Submitted:
		state = askedSubmitted
	case f.Pending:
		state = askedPending
	}
	// The keys come first, from an index that has all of them: SQLite would otherwise read the
	// assignments of everybody, or sort those of the reviewer.
	var s statement
	sql := ` FROM review_assignment a JOIN review_item i ON i.campaign = a.campaign AND i.number = a.item
		WHERE a.reviewer = ` + s.arg(f.Reviewer) + " AND a.campaign = " + s.arg(campaign) + " AND a.state = " + s.arg(state)
	columns, order := "a.reviewer, a.campaign, a.item", "a.item"
	if f.ByPerson {
		sql += " AND (a.place, a.item) > (" + s.arg(after.Place) + ", " + s.arg(after.Item) + ")"
		columns, order = columns+", a.place", "a.place, a.item"
	} else {
		sql += " AND a.item > " + s.arg(after.Item)
	}
	keys := "SELECT " + columns + f.where(&s, sql) + " ORDER BY " + order + " LIMIT " + s.arg(n)
	return list(t, func(r engine.Row) ReviewerItem {
		a := scanAssignment(from(r, itemWidth))
		return ReviewerItem{Item: scanItem(r), Assignment: a.ReviewAssignment, Place: AssignmentPlace{a.place, a.Item}}
	}, "SELECT "+itemColumns+", "+assignmentColumns+" FROM ("+keys+`) k JOIN review_assignment a ON a.campaign = k.campaign AND a.item = k.item AND a.reviewer = k.reviewer
		JOIN review_item i ON i.campaign = k.campaign AND i.number = k.item ORDER BY `+order, s.args...)
}

// Assign asks a person about items, in addition to those who are asked. Items about which the person
// is asked already, or has decided, stay. The caller has checked that the person may review them.
func (t *Tx) Assign(campaign console.ID, items []int, asked console.Asked) error {
	c, err := t.HoldCampaign(campaign)
	if err != nil {
		return err
	}
	locked, err := t.lockItems(campaign, items)
	if err != nil {
		return err
	}
	before, err := t.assignmentsOf(campaign, items)
	if err != nil {
		return err
	}
	places, have := map[int]int{}, map[int]int{}
	for _, a := range before {
		places[a.Item] = a.place
		if a.Reviewer == asked.Person {
			have[a.Item] = a.state + 1
		}
	}
	added := 0
	for _, n := range distinct(items) {
		if _, ok := locked[n]; !ok {
			return baton.Errorf(baton.NotFound, "no item %d", n)
		}
		switch state := have[n] - 1; {
		case have[n] == 0:
			err = t.insert("assignment", `INSERT INTO review_assignment (campaign, item, reviewer, state, place, on_behalf_of, why, by_actor, at, ended_why, choice, note, hash, sync, seconds, batch, eligible)
				VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, '', $9, $9, 0, 0, 0, '')`, campaign, n, asked.Person, places[n], null(asked.For), asked.Why, encodeActor(t.by.Actor), t.by.At, []byte{})
		case state == askedEnded:
			err = t.change("assignment", "UPDATE review_assignment SET state = 0, why = $4, by_actor = $5, at = $6, ended = NULL, ended_why = $7, on_behalf_of = $8 WHERE campaign = $1 AND item = $2 AND reviewer = $3",
				campaign, n, asked.Person, asked.Why, encodeActor(t.by.Actor), t.by.At, []byte{}, null(asked.For))
		default:
			continue
		}
		if err != nil {
			return err
		}
		added++
	}
	if added == 0 {
		return nil
	}
	if err := t.addProgress(campaign, "reviewer", string(asked.Person), progressDelta{total: added}); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "review.assigned", Object: string(campaign), Person: asked.Person}, map[string]any{"items": firstItems(items), "count": added, "why": asked.Why, "for": asked.For, "name": c.Name, "running": c.State == console.CampaignRunning})
}

// Unassign asks a person no longer about items that the person has not submitted. A pending decision
// is dropped.
func (t *Tx) Unassign(campaign console.ID, items []int, reviewer console.ID, why string) error {
	if _, err := t.HoldCampaign(campaign); err != nil {
		return err
	}
	if _, err := t.lockItems(campaign, items); err != nil {
		return err
	}
	before, err := t.assignmentsOf(campaign, items)
	if err != nil {
		return err
	}
	d := progressDelta{}
	for _, a := range before {
		if a.Reviewer != reviewer || a.state == askedSubmitted || a.state == askedEnded {
			continue
		}
		if err := t.change("assignment", `UPDATE review_assignment SET state = 3, ended = $4, ended_why = $5, choice = '', until_at = NULL, note = $6, decided = NULL, hash = $6, seconds = 0, batch = 0, eligible = ''
			WHERE campaign = $1 AND item = $2 AND reviewer = $3`, campaign, a.Item, reviewer, t.by.At, []byte(why), []byte{}); err != nil {
			return err
		}
		d.total--
		if a.state == askedPending {
			d.pending--
		}
	}
	if d.total == 0 {
		return nil
	}
	if err := t.addProgress(campaign, "reviewer", string(reviewer), d); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "review.unassigned", Object: string(campaign), Person: reviewer}, map[string]any{"items": firstItems(items), "count": -d.total, "why": why})
}

// firstItems returns the first items, for an event.
func firstItems(items []int) []int { return items[:min(len(items), 10)] }

// reviewersChange makes the worker look at the campaigns in which people have open items.
func (t *Tx) reviewersChange(people ...console.ID) error {
	ids, err := listOf(t, func(r engine.Row) string { return r.Text(0) }, distinct(people), "SELECT DISTINCT campaign FROM review_assignment WHERE reviewer IN (keys) AND state IN (0, 1) ORDER BY campaign")
	for _, id := range ids {
		c, e := t.Campaign(console.ID(id))
		if e == nil && c.State == console.CampaignRunning {
			e = t.campaignDue(c)
		}
		err = errors.Join(err, e)
	}
	return err
}

// OpenItems returns up to n numbers, greater than the given one, of the items that a reviewer has not
// submitted.
func (t *Tx) OpenItems(campaign, reviewer console.ID, after, n int) ([]int, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, func(r engine.Row) int { return int(r.Int(0)) },
		"SELECT item FROM review_assignment WHERE reviewer = $1 AND campaign = $2 AND state IN (0, 1) AND item > $3 ORDER BY item LIMIT $4", reviewer, campaign, after, n)
}
