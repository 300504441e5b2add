package store

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const itemColumns = "i.campaign, i.number, i.kind, i.app, i.account, i.entitlement, i.object, i.person, i.admin, i.sync, i.shown, i.hash, i.outcome, i.settled, i.sampled, i.gone, i.result, i.operation, i.detail, i.version"

// itemWidth is the number of columns in itemColumns.
const itemWidth = 20

func scanItem(r engine.Row) console.ReviewItem {
	i := console.ReviewItem{Campaign: console.ID(r.Text(0)), Number: int(r.Int(1)), Kind: console.ReviewKind(r.Text(2)), App: console.ID(r.Text(3)), Account: console.ResourceKey(r.Int(4)),
		Entitlement: console.EntitlementKey(r.Int(5)), Object: r.Text(6), Person: console.ID(r.Text(7)), Admin: r.Bool(8), Sync: console.SyncNumber(r.Int(9)), Hash: hashOf(r.Bytes(11)),
		Settled: at(r, 13), Sampled: r.Bool(14), Gone: at(r, 15), Result: console.ReviewResult(r.Text(16)), Operation: console.ID(r.Text(17)), Detail: str(r, 18), Version: r.Int(19)}
	decode(r.Bytes(10), &i.Shown)
	if !r.Null(12) {
		i.Outcome = &console.ReviewOutcome{}
		decode(r.Bytes(12), i.Outcome)
	}
	return i
}

// NewItem is an item that becomes part of a population, with who is asked about it.
type NewItem struct {
	console.ReviewItem
	Stored []byte // [console.ReviewShown.Encode]
	Asked  []console.Asked
	Place  int // in the order of persons
}

// AddReviewItems adds items to the population of a campaign that is being prepared.
func (t *Tx) AddReviewItems(campaign console.ID, items []*NewItem) error {
	err := t.e.Copy("review_item", []string{"campaign", "number", "kind", "app", "account", "entitlement", "object", "person", "admin", "sync", "shown", "hash", "choice", "sampled", "result", "detail", "version"}, func(w engine.Writer) error {
		for _, i := range items {
			w.Text(string(campaign))
			w.Int(int64(i.Number))
			w.Text(string(i.Kind))
			textOrNull(w, string(i.App))
			w.Int(int64(i.Account))
			w.Int(int64(i.Entitlement))
			w.Text(i.Object)
			textOrNull(w, string(i.Person))
			w.Bool(i.Admin)
			w.Int(int64(i.Sync))
			w.Bytes(i.Stored)
			w.Bytes(i.Hash[:])
			w.Text("")
			w.Bool(false)
			w.Text("")
			w.Bytes(nil)
			w.Int(1)
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	by := encodeActor(t.by.Actor)
	return t.e.Copy("review_assignment", []string{"campaign", "item", "reviewer", "state", "place", "on_behalf_of", "why", "by_actor", "at", "ended_why", "choice", "note", "hash", "sync", "seconds", "batch", "eligible"}, func(w engine.Writer) error {
		for _, i := range items {
			for _, a := range i.Asked {
				w.Text(string(campaign))
				w.Int(int64(i.Number))
				w.Text(string(a.Person))
				w.Int(askedUndecided)
				w.Int(int64(i.Place))
				textOrNull(w, string(a.For))
				w.Text(a.Why)
				w.Bytes(by)
				w.Int(engine.Micros(t.by.At))
				w.Bytes(nil)
				w.Text("")
				w.Bytes(nil)
				w.Bytes(nil)
				w.Int(0)
				w.Int(0)
				w.Int(0)
				w.Text("")
				if err := w.End(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// AnalyzeReviews lets the database learn what was written for a new campaign, so that pages of it are read by
// indexes at once. Without that they are slower, until the database does it by itself; so errors are ignored.
func (s *Store) AnalyzeReviews(ctx context.Context) {
	s.db.Analyze(ctx, "review_item", "review_assignment")
}

// clearReview removes the population of a campaign that has not started.
func (t *Tx) clearReview(campaign console.ID) error {
	for _, table := range []string{"review_item", "review_assignment", "review_progress"} {
		if _, err := t.e.Exec("DELETE FROM "+table+" WHERE campaign = $1", campaign); err != nil {
			return err
		}
	}
	return nil
}

// ClearReview removes what an interrupted preparation wrote.
func (t *Tx) ClearReview(campaign console.ID) error {
	c, err := t.Campaign(campaign)
	if err != nil {
		return err
	}
	if c.State != console.CampaignPreparing {
		return baton.Errorf(baton.Refused, "the population of the campaign is frozen")
	}
	return t.clearReview(campaign)
}

// ItemFilter selects items of a campaign. Fields that are zero select all.
type ItemFilter struct {
	App         console.ID
	Entitlement *console.EntitlementKey
	Person      console.ID
	Account     console.ResourceKey
	Admins      bool
	Undecided   bool                   // without an outcome
	Choices     []console.ReviewChoice // of the outcome
	Results     []console.ReviewResult
	Gone        bool // the access is gone meanwhile
	Unassigned  bool // nobody may decide
	Sampled     bool
}

func (f ItemFilter) where(s *statement, sql string) string {
	add := func(condition string, v any) { sql += " AND " + condition + s.arg(v) }
	if f.App != "" {
		add("i.app = ", f.App)
	}
	if f.Entitlement != nil {
		add("i.entitlement = ", *f.Entitlement)
		sql += " AND i.kind = 'access'"
	}
	if f.Person != "" {
		add("i.person = ", f.Person)
	}
	if f.Account != 0 {
		add("i.account = ", f.Account)
	}
	if f.Admins {
		sql += " AND i.admin"
	}
	if f.Undecided {
		sql += " AND i.choice = ''"
	}
	if len(f.Choices) > 0 {
		sql += " AND i.choice IN (" + keyList(s, f.Choices) + ")"
	}
	if len(f.Results) > 0 {
		sql += " AND i.result <> '' AND i.result IN (" + keyList(s, f.Results) + ")"
	}
	if f.Gone {
		sql += " AND i.gone IS NOT NULL"
	}
	if f.Sampled {
		sql += " AND i.sampled"
	}
	if f.Unassigned {
		sql += " AND NOT EXISTS (SELECT 1 FROM review_assignment a WHERE a.campaign = i.campaign AND a.item = i.number AND a.state <> 3)"
	}
	return sql
}

// ReviewItems returns up to n items of a campaign with greater numbers than the given one, in the
// order of their numbers.
func (t *Tx) ReviewItems(campaign console.ID, f ItemFilter, after, n int) ([]console.ReviewItem, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	var s statement
	sql := f.where(&s, "SELECT "+itemColumns+" FROM review_item i WHERE i.campaign = "+s.arg(campaign)+" AND i.number > "+s.arg(after))
	return list(t, scanItem, sql+" ORDER BY i.number LIMIT "+s.arg(n), s.args...)
}

// ReviewItem returns an item.
func (t *Tx) ReviewItem(campaign console.ID, number int) (console.ReviewItem, error) {
	return get(t, scanItem, "item", "SELECT "+itemColumns+" FROM review_item i WHERE i.campaign = $1 AND i.number = $2", campaign, number)
}

// lockItems returns the items with some numbers, and prevents other changes to them.
func (t *Tx) lockItems(campaign console.ID, numbers []int) (map[int]console.ReviewItem, error) {
	all, err := listOf(t, scanItem, distinct(numbers), "SELECT "+itemColumns+" FROM review_item i WHERE i.campaign = $1 AND i.number IN (keys) ORDER BY i.number FOR UPDATE", campaign)
	items := make(map[int]console.ReviewItem, len(all))
	for _, i := range all {
		items[i.Number] = i
	}
	return items, err
}

// ReviewItemStored returns what an item shows, as it is stored: its hash is that of these bytes.
func (t *Tx) ReviewItemStored(campaign console.ID, number int) ([]byte, error) {
	return get(t, func(r engine.Row) []byte { return r.Bytes(0) }, "item", "SELECT shown FROM review_item WHERE campaign = $1 AND number = $2", campaign, number)
}

// LastDecisions returns the newest outcome about each account and entitlement of an app in campaigns
// that were closed.
func (t *Tx) LastDecisions(app console.ID) (map[AccessKey]console.LastDecision, error) {
	last := map[AccessKey]console.LastDecision{}
	err := t.e.Query(func(r engine.Row) error {
		key := AccessKey{console.ResourceKey(r.Int(0)), console.EntitlementKey(r.Int(1))}
		when := at(r, 4)
		if have, ok := last[key]; ok && !when.After(have.At) {
			return nil
		}
		var o console.ReviewOutcome
		decode(r.Bytes(3), &o)
		last[key] = console.LastDecision{Campaign: console.ID(r.Text(2)), Choice: o.Choice, By: o.By, At: when}
		return nil
	}, `SELECT i.account, i.entitlement, i.campaign, i.outcome, i.settled FROM review_item i JOIN campaign c ON c.id = i.campaign
		WHERE i.app = $1 AND i.choice <> '' AND i.kind = 'access' AND c.closed IS NOT NULL AND i.settled IS NOT NULL`, app)
	return last, err
}

// AccessKey identifies an access: an account and an entitlement.
type AccessKey struct {
	Account     console.ResourceKey
	Entitlement console.EntitlementKey
}

// ReviewItemsByNumber returns the items with some numbers.
func (t *Tx) ReviewItemsByNumber(campaign console.ID, numbers []int) (map[int]console.ReviewItem, error) {
	all, err := listOf(t, scanItem, distinct(numbers), "SELECT "+itemColumns+" FROM review_item i WHERE i.campaign = $1 AND i.number IN (keys)", campaign)
	items := make(map[int]console.ReviewItem, len(all))
	for _, i := range all {
		items[i.Number] = i
	}
	return items, err
}

// MarkItemGone records that the access of an item is gone. It does nothing if that is recorded.
func (t *Tx) MarkItemGone(campaign console.ID, number int) error {
	_, err := t.e.Exec("UPDATE review_item SET gone = $3, version = version + 1 WHERE campaign = $1 AND number = $2 AND gone IS NULL", campaign, number, t.by.At)
	return err
}

// SetItemResult records how far the outcome of an item was carried out.
func (t *Tx) SetItemResult(campaign console.ID, number int, result console.ReviewResult, operation console.ID, detail string) error {
	return t.change("item", "UPDATE review_item SET result = $3, operation = COALESCE($4, operation), detail = $5, version = version + 1 WHERE campaign = $1 AND number = $2",
		campaign, number, result, null(operation), []byte(detail))
}

// SettledNumbers returns up to n numbers, greater than the given one, of the items that reviewers
// decided and that are in no sample.
func (t *Tx) SettledNumbers(campaign console.ID, after, n int) ([]int, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, func(r engine.Row) int { return int(r.Int(0)) },
		"SELECT number FROM review_item i WHERE campaign = $1 AND number > $2 AND choice <> '' AND NOT sampled ORDER BY number LIMIT $3", campaign, after, n)
}

// MarkSampled marks decided items that a reviewer sees again.
func (t *Tx) MarkSampled(campaign, reviewer console.ID, numbers []int) error {
	err := t.e.Each("UPDATE review_item SET sampled = $1, version = version + 1 WHERE campaign = $2 AND number = $3", func(w engine.Writer) error {
		for _, n := range numbers {
			w.Bool(true)
			w.Text(string(campaign))
			w.Int(int64(n))
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.addProgress(campaign, "sample", string(reviewer), progressDelta{total: len(numbers)})
}

// ResultCounts counts the items of a campaign by result, without those that have none.
func (t *Tx) ResultCounts(campaign console.ID) (map[console.ReviewResult]int, error) {
	counts := map[console.ReviewResult]int{}
	err := t.e.Query(func(r engine.Row) error {
		counts[console.ReviewResult(r.Text(0))] = int(r.Int(1))
		return nil
	}, "SELECT result, count(*) FROM review_item WHERE campaign = $1 AND result <> '' GROUP BY result", campaign)
	return counts, err
}

// HeldNow returns which of the accesses a moment shows.
func (t *Tx) HeldNow(m Moment, all []AccessKey) (map[AccessKey]bool, error) {
	tuples := make([][]int64, len(all))
	for i, k := range all {
		tuples[i] = []int64{int64(k.Entitlement), int64(k.Account)}
	}
	held := make(map[AccessKey]bool, len(all))
	for _, s := range m.Streams {
		// Counted per access: PostgreSQL would read all facts of the entitlements.
		found, err := listOfTuples(t, func(r engine.Row) AccessKey {
			return AccessKey{Account: console.ResourceKey(r.Int(1)), Entitlement: console.EntitlementKey(r.Int(0))}
		}, tuples, `SELECT k.column1, k.column2 FROM (tuples) k
			WHERE (SELECT count(*) FROM fact f WHERE f.stream = $1 AND f.entitlement = k.column1 AND f.principal = k.column2 AND f.opened <= $2 AND f.closed > $2) > 0`, s.Stream, s.Sync)
		if err != nil {
			return nil, err
		}
		for _, k := range found {
			held[k] = true
		}
	}
	return held, nil
}
