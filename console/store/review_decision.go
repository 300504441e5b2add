package store

import (
	"slices"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// Decide stores decisions of one reviewer. They are pending until [Tx.Submit], and replace pending
// ones of the reviewer. The caller has checked that the reviewer may make them. An item that the
// reviewer is not asked about is Refused, as is one that the reviewer submitted.
func (t *Tx) Decide(campaign, reviewer console.ID, decisions []console.ReviewDecision) error {
	numbers := make([]int, len(decisions))
	for i, d := range decisions {
		numbers[i] = d.Item
	}
	before, err := t.assignmentsTo(campaign, reviewer, numbers, " FOR UPDATE")
	if err != nil {
		return err
	}
	d := progressDelta{}
	err = t.e.Each(`UPDATE review_assignment SET state = 1, choice = $1, until_at = $2, note = $3, decided = $4, hash = $5, sync = $6, seconds = $7, batch = $8, eligible = $9
		WHERE campaign = $10 AND item = $11 AND reviewer = $12`, func(w engine.Writer) error {
		d = progressDelta{}
		for _, x := range decisions {
			a, ok := before[x.Item]
			if err := open(a, ok, x.Item); err != nil {
				return err
			}
			if a.state == askedUndecided {
				d.pending++
			}
			w.Text(string(x.Choice))
			if x.Until.IsZero() {
				w.Null()
			} else {
				w.Int(engine.Micros(x.Until))
			}
			w.Bytes([]byte(x.Note))
			w.Int(engine.Micros(t.by.At))
			w.Bytes(x.Hash[:])
			w.Int(int64(x.Sync))
			w.Int(int64(x.Seconds))
			w.Int(int64(x.Batch))
			w.Text(x.Eligible)
			w.Text(string(campaign))
			w.Int(int64(x.Item))
			w.Text(string(reviewer))
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.addProgress(campaign, "reviewer", string(reviewer), d)
}

// open returns an error if an assignment cannot be decided.
func open(a assignment, there bool, item int) error {
	switch {
	case !there || a.state == askedEnded:
		return baton.Errorf(baton.Refused, "you are not asked about item %d", item).WithFix("Reload the list.")
	case a.state == askedSubmitted:
		return baton.Errorf(baton.Refused, "the decision about item %d is submitted, and stays", item)
	}
	return nil
}

// assignmentsTo returns the assignments of a reviewer to items, with a row lock.
func (t *Tx) assignmentsTo(campaign, reviewer console.ID, items []int, lock string) (map[int]assignment, error) {
	all, err := listOf(t, scanAssignment, distinct(items), "SELECT "+assignmentColumns+" FROM review_assignment a WHERE a.campaign = $1 AND a.reviewer = $2 AND a.item IN (keys)"+lock, campaign, reviewer)
	mine := make(map[int]assignment, len(all))
	for _, a := range all {
		mine[a.Item] = a
	}
	return mine, err
}

// MyAssignments returns the assignments of a reviewer to items.
func (t *Tx) MyAssignments(campaign, reviewer console.ID, items []int) (map[int]console.ReviewAssignment, error) {
	all, err := t.assignmentsTo(campaign, reviewer, items, "")
	mine := make(map[int]console.ReviewAssignment, len(all))
	for n, a := range all {
		mine[n] = a.ReviewAssignment
	}
	return mine, err
}

// RemindReviewers appends the event that reminds reviewers of their open items.
func (t *Tx) RemindReviewers(c console.Campaign, open []console.ID) error {
	return t.campaignEvent(c, "review.reminded", map[string]any{"reviewers": open, "ends": c.Ends.UTC(), "name": c.Name})
}

// Withdraw makes items undecided whose decision is pending.
func (t *Tx) Withdraw(campaign, reviewer console.ID, items []int) error {
	before, err := t.assignmentsTo(campaign, reviewer, items, " FOR UPDATE")
	if err != nil {
		return err
	}
	d := progressDelta{}
	for _, n := range distinct(items) {
		a, ok := before[n]
		if err := open(a, ok, n); err != nil {
			return err
		}
		if a.state != askedPending {
			continue
		}
		if err := t.change("assignment", `UPDATE review_assignment SET state = 0, choice = '', until_at = NULL, note = $4, decided = NULL, hash = $4, seconds = 0, batch = 0, eligible = ''
			WHERE campaign = $1 AND item = $2 AND reviewer = $3`, campaign, n, reviewer, []byte{}); err != nil {
			return err
		}
		d.pending--
	}
	return t.addProgress(campaign, "reviewer", string(reviewer), d)
}

// PendingDecisions returns up to n pending decisions of a reviewer about items with greater numbers
// than the given one.
func (t *Tx) PendingDecisions(campaign, reviewer console.ID, after, n int) ([]console.ReviewDecision, error) {
	all, err := list(t, scanAssignment, "SELECT "+assignmentColumns+" FROM review_assignment a WHERE a.reviewer = $1 AND a.campaign = $2 AND a.state = 1 AND a.item > $3 ORDER BY a.item LIMIT $4", reviewer, campaign, after, n)
	decisions := make([]console.ReviewDecision, len(all))
	for i, a := range all {
		decisions[i] = *a.Decision
	}
	return decisions, err
}

// PendingChoices counts the decisions of a reviewer that are not submitted, by choice.
func (t *Tx) PendingChoices(campaign, reviewer console.ID) (map[console.ReviewChoice]int, error) {
	counts := map[console.ReviewChoice]int{}
	err := t.e.Query(func(r engine.Row) error {
		counts[console.ReviewChoice(r.Text(0))] = int(r.Int(1))
		return nil
	}, "SELECT choice, count(*) FROM review_assignment WHERE reviewer = $1 AND campaign = $2 AND state = 1 GROUP BY choice", reviewer, campaign)
	return counts, err
}

// Submit makes pending decisions of one reviewer permanent, and settles the items that they decide.
// Decisions are in the order of their items. It sets the ID, the time, the counts and the digest of
// the submission.
func (t *Tx) Submit(c console.Campaign, reviewer console.ID, decisions []console.ReviewDecision) (console.ReviewSubmission, error) {
	s := console.ReviewSubmission{ID: console.NewID(t.by.At), Campaign: c.ID, Reviewer: reviewer, At: t.by.At, Client: t.by.Client, Counts: map[console.ReviewChoice]int{}, Digest: console.DigestDecisions(decisions)}
	numbers := make([]int, len(decisions))
	d := progressDelta{}
	for i, x := range decisions {
		numbers[i] = x.Item
		s.Counts[x.Choice]++
		d.pending--
		d.done++
		d.seconds += x.Seconds
		if x.Batch > 1 {
			d.bulk++
		}
		d.batch = max(d.batch, x.Batch)
	}
	items, err := t.lockItems(c.ID, numbers)
	if err != nil {
		return s, err
	}
	err = t.e.Each("UPDATE review_assignment SET state = 2, submitted = $1, submission = $2, eligible = $3 WHERE campaign = $4 AND item = $5 AND reviewer = $6 AND state = 1", func(w engine.Writer) error {
		for _, x := range decisions {
			w.Int(engine.Micros(t.by.At))
			w.Text(string(s.ID))
			w.Text(x.Eligible)
			w.Text(string(c.ID))
			w.Int(int64(x.Item))
			w.Text(string(reviewer))
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	if s.Settled, err = t.settle(c, items, numbers); err != nil {
		return s, err
	}
	if err := t.addProgress(c.ID, "reviewer", string(reviewer), d); err != nil {
		return s, err
	}
	if err := t.insert("submission", "INSERT INTO review_submission (id, campaign, reviewer, at, client, counts, digest, settled) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		s.ID, s.Campaign, s.Reviewer, s.At, null(s.Client), encode(s.Counts), s.Digest[:], s.Settled); err != nil {
		return s, err
	}
	t.Wake(CampaignTopic(c.ID))
	return s, t.event(console.Event{Kind: "review.submitted", Object: string(c.ID), Person: reviewer},
		map[string]any{"submission": s.ID, "counts": s.Counts, "decisions": len(decisions), "digest": s.Digest, "settled": s.Settled})
}

// settle gives an outcome to the items whose decisions amount to one, and returns their number.
func (t *Tx) settle(c console.Campaign, items map[int]console.ReviewItem, numbers []int) (int, error) {
	all, err := t.assignmentsOf(c.ID, numbers)
	if err != nil {
		return 0, err
	}
	type settled struct {
		number  int
		outcome *console.ReviewOutcome
	}
	var changed []settled
	apps, choices := map[string]progressDelta{}, map[string]progressDelta{}
	for n, rows := range grouped(all, func(a assignment) int { return a.Item }) {
		item := items[n]
		if item.Outcome != nil {
			continue // the outcome stays
		}
		reviewers, decisions := 0, []console.ReviewDecision{}
		for _, a := range rows {
			if a.state != askedEnded {
				reviewers++
			}
			if a.state == askedSubmitted {
				decisions = append(decisions, *a.Decision)
			}
		}
		slices.SortFunc(decisions, func(a, b console.ReviewDecision) int { return a.Submitted.Compare(b.Submitted) })
		o := c.Outcome.Settle(reviewers, decisions)
		if o == nil {
			continue
		}
		changed = append(changed, settled{n, o})
		app := apps[string(item.App)]
		app.done++
		apps[string(item.App)] = app
		choice := choices[string(o.Choice)]
		choice.total++
		choices[string(o.Choice)] = choice
	}
	slices.SortFunc(changed, func(a, b settled) int { return a.number - b.number })
	err = t.e.Each("UPDATE review_item SET choice = $1, outcome = $2, settled = $3, version = version + 1 WHERE campaign = $4 AND number = $5", func(w engine.Writer) error {
		for _, x := range changed {
			w.Text(string(x.outcome.Choice))
			w.Bytes(encode(x.outcome))
			w.Int(engine.Micros(t.by.At))
			w.Text(string(c.ID))
			w.Int(int64(x.number))
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := t.addProgresses(c.ID, "app", apps); err != nil {
		return 0, err
	}
	return len(changed), t.addProgresses(c.ID, "choice", choices)
}

// Submissions returns up to n submissions of a campaign after a time and an ID, the oldest first.
func (t *Tx) Submissions(campaign console.ID, after console.ReviewSubmission, n int) ([]console.ReviewSubmission, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	since := int64(-1)
	if !after.At.IsZero() {
		since = engine.Micros(after.At)
	}
	return list(t, func(r engine.Row) console.ReviewSubmission {
		s := console.ReviewSubmission{ID: console.ID(r.Text(0)), Campaign: campaign, Reviewer: console.ID(r.Text(1)), At: at(r, 2), Client: console.ID(r.Text(3)), Digest: hashOf(r.Bytes(5)), Settled: int(r.Int(6))}
		decode(r.Bytes(4), &s.Counts)
		return s
	}, "SELECT id, reviewer, at, client, counts, digest, settled FROM review_submission WHERE campaign = $1 AND (at, id) > ($2, $3) ORDER BY at, id LIMIT $4", campaign, since, string(after.ID), n)
}
