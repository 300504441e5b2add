package store

import (
	"maps"
	"slices"
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// progressDelta is a change of the counts of a campaign.
type progressDelta struct {
	total, pending, done, seconds, bulk, batch int
}

func (t *Tx) addProgress(campaign console.ID, dimension, key string, d progressDelta) error {
	if d == (progressDelta{}) {
		return nil
	}
	_, err := t.e.Exec(`INSERT INTO review_progress (campaign, dimension, key, total, pending, done, seconds, bulk, batch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (campaign, dimension, key) DO UPDATE SET total = review_progress.total + excluded.total, pending = review_progress.pending + excluded.pending, done = review_progress.done + excluded.done,
		seconds = review_progress.seconds + excluded.seconds, bulk = review_progress.bulk + excluded.bulk,
		batch = CASE WHEN excluded.batch > review_progress.batch THEN excluded.batch ELSE review_progress.batch END`,
		campaign, dimension, key, d.total, d.pending, d.done, d.seconds, d.bulk, d.batch)
	return err
}

// addProgresses is [Tx.addProgress] for several keys, in an order that prevents deadlocks.
func (t *Tx) addProgresses(campaign console.ID, dimension string, deltas map[string]progressDelta) error {
	for _, key := range slices.Sorted(maps.Keys(deltas)) {
		if err := t.addProgress(campaign, dimension, key, deltas[key]); err != nil {
			return err
		}
	}
	return nil
}

// CountPopulation adds items to the counts of a campaign that is being prepared.
func (t *Tx) CountPopulation(campaign console.ID, items []*NewItem) error {
	apps, reviewers := map[string]progressDelta{}, map[string]progressDelta{}
	for _, i := range items {
		a := apps[string(i.App)]
		a.total++
		apps[string(i.App)] = a
		for _, asked := range i.Asked {
			r := reviewers[string(asked.Person)]
			r.total++
			reviewers[string(asked.Person)] = r
		}
	}
	if err := t.addProgresses(campaign, "app", apps); err != nil {
		return err
	}
	return t.addProgresses(campaign, "reviewer", reviewers)
}

// ReviewProgress holds the counts of a campaign.
type ReviewProgress struct {
	Total, Decided int // items
	Apps           []AppProgress
	Choices        map[console.ReviewChoice]int // of the outcomes
	Reviewers      []ReviewerProgress
}

// AppProgress holds the counts of one app; "" is the console itself.
type AppProgress struct {
	App            console.ID
	Total, Decided int
}

// ReviewerProgress holds the counts of one reviewer.
type ReviewerProgress struct {
	Reviewer                  console.ID
	Total, Pending, Submitted int
	Seconds                   int // of all submitted decisions
	Bulk                      int // submitted decisions that were made several at once
	Batch                     int // the most decisions that were made at once
}

// ReviewProgress returns the counts of a campaign.
func (t *Tx) ReviewProgress(campaign console.ID) (ReviewProgress, error) {
	p := ReviewProgress{Choices: map[console.ReviewChoice]int{}}
	err := t.e.Query(func(r engine.Row) error {
		key, total, pending, done := r.Text(1), int(r.Int(2)), int(r.Int(3)), int(r.Int(4))
		switch r.Text(0) {
		case "app":
			p.Total += total
			p.Decided += done
			p.Apps = append(p.Apps, AppProgress{console.ID(key), total, done})
		case "choice":
			p.Choices[console.ReviewChoice(key)] = total
		case "reviewer":
			if total > 0 {
				p.Reviewers = append(p.Reviewers, ReviewerProgress{console.ID(key), total, pending, done, int(r.Int(5)), int(r.Int(6)), int(r.Int(7))})
			}
		}
		return nil
	}, "SELECT dimension, key, total, pending, done, seconds, bulk, batch FROM review_progress WHERE campaign = $1 ORDER BY dimension, key", campaign)
	return p, err
}

// ReviewerProgress returns the counts of one reviewer in a campaign; zero if the person was never
// asked.
func (t *Tx) ReviewerProgress(campaign, reviewer console.ID) (ReviewerProgress, error) {
	p, err := find(t, func(r engine.Row) ReviewerProgress {
		return ReviewerProgress{reviewer, int(r.Int(0)), int(r.Int(1)), int(r.Int(2)), int(r.Int(3)), int(r.Int(4)), int(r.Int(5))}
	}, "SELECT total, pending, done, seconds, bulk, batch FROM review_progress WHERE campaign = $1 AND dimension = 'reviewer' AND key = $2", campaign, reviewer)
	if err != nil || p == nil {
		return ReviewerProgress{Reviewer: reviewer}, err
	}
	return *p, nil
}

// CountOpenReviews counts the running campaigns in which a reviewer has items that are not submitted.
func (t *Tx) CountOpenReviews(reviewer console.ID) (int, error) {
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "count", `SELECT count(*) FROM campaign c JOIN review_progress p ON p.campaign = c.id AND p.dimension = 'reviewer' AND p.key = $1
		WHERE c.state = $2 AND p.total > p.done`, reviewer, console.CampaignRunning)
}

// LastReminder returns when the reviewers of a campaign were reminded last; zero: never.
func (t *Tx) LastReminder(c console.Campaign) (time.Time, error) {
	found, err := find(t, func(r engine.Row) time.Time { return at(r, 0) }, "SELECT at FROM event WHERE object = $1 AND kind = 'review.reminded' ORDER BY number DESC LIMIT 1", string(c.ID))
	if err != nil || found == nil {
		return time.Time{}, err
	}
	return *found, nil
}

// CountConsoleRemovals counts the items about the console itself whose removal was decided and not
// carried out.
func (t *Tx) CountConsoleRemovals(campaign console.ID) (int, error) {
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "count", "SELECT count(*) FROM review_item WHERE campaign = $1 AND choice IN ('remove', 'lower') AND kind <> 'access' AND result = ''", campaign)
}

// ReviewTotals returns the number of items of a campaign, and of those that are decided.
func (t *Tx) ReviewTotals(campaign console.ID) (total, decided int, err error) {
	err = t.e.Query(func(r engine.Row) error {
		total, decided = int(r.Int(0)), int(r.Int(1))
		return nil
	}, "SELECT COALESCE(CAST(sum(total) AS bigint), 0), COALESCE(CAST(sum(done) AS bigint), 0) FROM review_progress WHERE campaign = $1 AND dimension = 'app'", campaign)
	return total, decided, err
}

// BurnDay counts what was submitted on one day, in UTC.
type BurnDay struct {
	Day                  time.Time
	Submissions, Decided int // Decided counts items that have an outcome since
}

// BurnDown returns the days on which something was submitted, the oldest first.
func (t *Tx) BurnDown(campaign console.ID) (days []BurnDay, err error) {
	err = t.e.Query(func(r engine.Row) error {
		day := at(r, 0).Truncate(24 * time.Hour)
		if len(days) == 0 || !days[len(days)-1].Day.Equal(day) {
			days = append(days, BurnDay{Day: day})
		}
		d := &days[len(days)-1]
		d.Submissions++
		d.Decided += int(r.Int(1))
		return nil
	}, "SELECT at, settled FROM review_submission WHERE campaign = $1 ORDER BY at, id", campaign)
	return days, err
}

// CountDisagreements counts the items of samples about which the second reviewer decided the opposite
// of the outcome.
func (t *Tx) CountDisagreements(campaign console.ID) (int, error) {
	again, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT key FROM review_progress WHERE campaign = $1 AND dimension = 'sample'", campaign)
	sum := 0
	for _, reviewer := range again {
		if err != nil {
			break
		}
		var n int
		n, err = get(t, func(r engine.Row) int { return int(r.Int(0)) }, "count", `SELECT count(*) FROM review_assignment a JOIN review_item i ON i.campaign = a.campaign AND i.number = a.item
			WHERE a.reviewer = $2 AND a.campaign = $1 AND a.state = 2 AND a.at >= i.settled AND i.sampled AND a.choice <> 'abstain'
			AND (a.choice IN ('remove', 'lower')) <> (i.choice IN ('remove', 'lower'))`, campaign, reviewer)
		sum += n
	}
	return sum, err
}
