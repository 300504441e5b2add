package store

import (
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// StatusChange is a time at which somebody left: the status became disabled or gone.
type StatusChange struct {
	Person console.ID
	At     time.Time
	Status console.PersonStatus
}

// Left returns who became disabled or gone since a time, in that order. A person can be in it more than
// once.
func (t *Tx) Left(since time.Time) ([]StatusChange, error) {
	return list(t, func(r engine.Row) StatusChange {
		return StatusChange{console.ID(r.Text(0)), at(r, 1), console.PersonStatus(r.Text(2))}
	}, "SELECT person, from_at, status FROM person_status WHERE status <> 'active' AND from_at >= $1 ORDER BY from_at, person", since)
}

// AccountEnd says until when syncs showed an account enabled.
type AccountEnd struct {
	App   console.ID
	Name  string
	Ever  bool      // a sync showed it enabled at all
	Ended time.Time // when the first sync began that no longer did; zero if the newest does
}

// AccountEnd returns until when syncs showed an account enabled.
func (t *Tx) AccountEnd(account console.ResourceKey) (e AccountEnd, err error) {
	if e.App, err = t.appOfAccount(account); err != nil {
		return e, err
	}
	err = t.e.Query(func(r engine.Row) error {
		if e.Name = str(r, 0); r.Bool(1) && console.HasAccount(true, console.Status(r.Int(2))) {
			e.Ever, e.Ended = true, at(r, 3)
		}
		return nil
	}, "SELECT v.name, v.account, v.status, s.began FROM resource_version v LEFT JOIN sync s ON s.number = v.closed WHERE v.resource = $1 ORDER BY v.opened", account)
	return e, err
}

// ReviewedBy counts decisions of one person about the access of another.
type ReviewedBy struct {
	Reviewer, Subject console.ID
	Decisions         int
}

// ReviewedBy counts the decisions that were submitted since a time, by reviewer and by whose access
// they are about. Those about access of nobody are left out.
func (t *Tx) ReviewedBy(since time.Time) ([]ReviewedBy, error) {
	return list(t, func(r engine.Row) ReviewedBy {
		return ReviewedBy{console.ID(r.Text(0)), console.ID(r.Text(1)), int(r.Int(2))}
	}, `SELECT COALESCE(p.merged_into, p.id), COALESCE(q.merged_into, q.id), count(*) FROM review_assignment a JOIN review_item i ON i.campaign = a.campaign AND i.number = a.item
		JOIN person p ON p.id = a.reviewer JOIN person q ON q.id = i.person WHERE a.state = 2 AND a.submitted >= $1 GROUP BY 1, 2 ORDER BY 1, 2`, since)
}
