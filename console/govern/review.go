package govern

import (
	"context"
	"time"

	"baton"
	"baton/console"
	"baton/console/review"
	"baton/console/store"
)

// ItemView is an item of a review with its reviewers.
type ItemView struct {
	console.ReviewItem
	Assignments []console.ReviewAssignment
	// GoneNow is whether the newest syncs do not show the access any more.
	GoneNow bool
	// Offers lists the choices that can be made, for reviewers.
	Offers []console.ReviewChoice
}

// ItemsPage is a page of items.
type ItemsPage struct {
	Campaign console.Campaign
	Items    []ItemView
	Next     *store.AssignmentPlace // nil at the end
	Names    Names
	Progress store.ReviewerProgress // of the caller
}

// CampaignItems returns a page of the items of a review, in the order of their numbers, after the given
// number. It needs the right to see the review.
func (c *Console) CampaignItems(ctx context.Context, caller Caller, id console.ID, f store.ItemFilter, after, n int) (p ItemsPage, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		p = ItemsPage{Names: Names{}}
		campaign, all, err := seeCampaign(tx, me, id)
		if err != nil {
			return err
		}
		if !all {
			return console.SeeCampaigns.Check(me, console.Object{Campaign: &campaign})
		}
		if n < 1 || n >= store.PageSize {
			return baton.Errorf(baton.Invalid, "a page has 1 to %d items", store.PageSize-1)
		}
		p.Campaign = campaign
		items, err := tx.ReviewItems(id, f, after, n+1)
		if err != nil {
			return err
		}
		if len(items) > n {
			items = items[:n]
			p.Next = &store.AssignmentPlace{Item: items[n-1].Number}
		}
		return c.itemViews(tx, &p, items, "")
	})
	return p, err
}

// MyReviewItems returns a page of the items that the caller is asked about.
func (c *Console) MyReviewItems(ctx context.Context, caller Caller, id console.ID, f store.ReviewerFilter, after store.AssignmentPlace, n int) (p ItemsPage, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		p = ItemsPage{Names: Names{}}
		campaign, _, err := seeCampaign(tx, me, id)
		if err != nil {
			return err
		}
		if n < 1 || n >= store.PageSize {
			return baton.Errorf(baton.Invalid, "a page has 1 to %d items", store.PageSize-1)
		}
		p.Campaign, f.Reviewer = campaign, me.Canonical()
		if p.Progress, err = tx.ReviewerProgress(id, f.Reviewer); err != nil {
			return err
		}
		rows, err := tx.ReviewerItems(id, f, after, n+1)
		if err != nil {
			return err
		}
		if len(rows) > n {
			rows = rows[:n]
			p.Next = &rows[n-1].Place
		}
		items := make([]console.ReviewItem, len(rows))
		for i, r := range rows {
			items[i] = r.Item
		}
		return c.itemViews(tx, &p, items, f.Reviewer)
	})
	return p, err
}

// ReviewItem returns an item that the caller may see.
func (c *Console) ReviewItem(ctx context.Context, caller Caller, id console.ID, number int) (p ItemsPage, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		p = ItemsPage{Names: Names{}}
		campaign, all, err := seeCampaign(tx, me, id)
		if err != nil {
			return err
		}
		p.Campaign = campaign
		item, err := tx.ReviewItem(id, number)
		if err != nil {
			return err
		}
		if mine, err := tx.MyAssignments(id, me.Canonical(), []int{number}); err != nil || !all && len(mine) == 0 {
			return orNotFound(err, "item")
		}
		return c.itemViews(tx, &p, []console.ReviewItem{item}, me.Canonical())
	})
	return p, err
}

// orNotFound returns the error, or that there is no such object.
func orNotFound(err error, what string) error {
	if err == nil {
		err = baton.Errorf(baton.NotFound, "no %s", what)
	}
	return err
}

// itemViews adds items with their reviewers. Other reviewers' pending decisions are left out: nobody
// decides by what others are about to decide.
func (c *Console) itemViews(tx *store.Tx, p *ItemsPage, items []console.ReviewItem, reviewer console.ID) error {
	numbers, byNumber := make([]int, len(items)), map[int]console.ReviewItem{}
	for i, item := range items {
		numbers[i], byNumber[item.Number] = item.Number, item
	}
	assignments, err := tx.ReviewAssignments(p.Campaign.ID, numbers)
	if err != nil {
		return err
	}
	of := map[int][]console.ReviewAssignment{}
	for _, a := range assignments {
		if a.Reviewer != reviewer && a.Decision != nil && a.Decision.Submitted.IsZero() {
			a.Decision = nil
		}
		if p.Campaign.NoMeter && a.Decision != nil {
			d := *a.Decision
			d.Seconds, d.Batch = 0, 0
			a.Decision = &d
		}
		of[a.Item] = append(of[a.Item], a)
		if err := p.Names.add(tx, a.Reviewer, a.For, a.By.Person()); err != nil {
			return err
		}
	}
	gone := map[int]bool{}
	if p.Campaign.State == console.CampaignRunning {
		numbers, err := review.Gone(tx, byNumber, c.now())
		if err != nil {
			return err
		}
		for _, n := range numbers {
			gone[n] = true
		}
	}
	for _, item := range items {
		v := ItemView{ReviewItem: item, Assignments: of[item.Number], GoneNow: gone[item.Number]}
		for _, choice := range console.ReviewChoices() {
			until := time.Time{}
			if choice == console.ChooseKeepUntil {
				if until = c.now().Add(time.Minute); !item.Shown.Until.IsZero() && !until.Before(item.Shown.Until) {
					continue
				}
			}
			if item.Blocks(choice, until, c.now()) == nil {
				v.Offers = append(v.Offers, choice)
			}
		}
		if last := item.Shown.Last; last != nil {
			if err := p.Names.add(tx, last.By...); err != nil {
				return err
			}
		}
		p.Items = append(p.Items, v)
	}
	return nil
}

// Decided is the result of decisions that were made at once.
type Decided struct {
	Made    int
	Blocked []review.Blocked // those that cannot be made, and why
}

// DecideReview makes decisions about items, pending until they are submitted. typed is the number of
// removals, which more than [console.TypedCount] need. If some decisions cannot be made, none is, unless skip
// is set; either way the result lists them.
func (c *Console) DecideReview(ctx context.Context, caller Caller, id console.ID, choices []review.Choice, typed int, skip bool) (d Decided, err error) {
	err = c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		campaign, err := holdCampaign(tx, me, id)
		if err != nil {
			return err
		}
		removals := 0
		for _, x := range choices {
			if x.Choice.Removes() {
				removals++
			}
		}
		if err := console.CheckRemovals(removals, typed); err != nil {
			return err
		}
		d.Made, d.Blocked, err = review.Decide(tx, campaign, me.Canonical(), choices, skip)
		return err
	})
	return d, err
}

// ReviewBulk is one decision about all undecided items of a filter.
type ReviewBulk struct {
	Filter  store.ReviewerFilter // Reviewer, Submitted and Pending do not matter
	Choice  console.ReviewChoice
	Until   time.Time
	Note    string
	Seconds int // for all of them together
	// Expect is the number of items that the caller saw; another number is Refused.
	Expect int
	Typed  int // see [Console.DecideReview]
	Skip   bool
	DryRun bool // only counts what can be decided, and lists what cannot
}

// DecideReviewBulk makes one decision about all undecided items of the caller that pass a filter.
func (c *Console) DecideReviewBulk(ctx context.Context, caller Caller, id console.ID, b ReviewBulk) (d Decided, err error) {
	do := func(tx *store.Tx, me console.Person) error {
		d = Decided{}
		campaign, _, err := seeCampaign(tx, me, id)
		if err != nil {
			return err
		}
		b.Filter.Reviewer, b.Filter.Submitted, b.Filter.Pending, b.Filter.ByPerson = me.Canonical(), false, false, false
		var choices []review.Choice
		for after := (store.AssignmentPlace{}); ; {
			rows, err := tx.ReviewerItems(id, b.Filter, after, store.PageSize)
			if err != nil {
				return err
			}
			for _, r := range rows {
				after = r.Place
				choices = append(choices, review.Choice{Item: r.Item.Number, Choice: b.Choice, Until: b.Until, Note: b.Note})
			}
			if len(rows) < store.PageSize || len(choices) > review.MaxBatch {
				break
			}
		}
		if b.Expect != 0 && b.Expect != len(choices) {
			return baton.Errorf(baton.Refused, "the number of items that pass the filter is %d now, not %d", len(choices), b.Expect).WithFix("Look at them again.")
		}
		for i := range choices {
			choices[i].Seconds = b.Seconds / len(choices)
		}
		if b.DryRun {
			decisions, blocked, err := review.Check(tx, campaign, me.Canonical(), choices, len(choices), c.now())
			d = Decided{len(decisions), blocked}
			return err
		}
		if b.Choice.Removes() {
			if err := console.CheckRemovals(len(choices), b.Typed); err != nil {
				return err
			}
		}
		d.Made, d.Blocked, err = review.Decide(tx, campaign, me.Canonical(), choices, b.Skip)
		return err
	}
	if b.DryRun {
		err = c.read(ctx, caller, deciding, do)
		return d, err
	}
	err = c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		if _, err := tx.HoldCampaign(id); err != nil {
			return err
		}
		return do(tx, me)
	})
	return d, err
}

// WithdrawReview makes items undecided whose decision the caller has not submitted.
func (c *Console) WithdrawReview(ctx context.Context, caller Caller, id console.ID, items []int) error {
	return c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		campaign, err := holdCampaign(tx, me, id)
		if err == nil && campaign.State != console.CampaignRunning {
			err = baton.Errorf(baton.Refused, "nobody decides while the review is %s", campaign.State)
		}
		if err != nil {
			return err
		}
		return tx.Withdraw(id, me.Canonical(), items)
	})
}

// PendingReview returns how many decisions of the caller are not submitted, by choice.
func (c *Console) PendingReview(ctx context.Context, caller Caller, id console.ID) (pending map[console.ReviewChoice]int, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		if _, _, err := seeCampaign(tx, me, id); err != nil {
			return err
		}
		pending, err = tx.PendingChoices(id, me.Canonical())
		return err
	})
	return pending, err
}

// CountReviews returns in how many reviews the caller has something to decide.
func (c *Console) CountReviews(ctx context.Context, caller Caller) (n int, err error) {
	err = c.read(ctx, caller, own, func(tx *store.Tx, me console.Person) error {
		n, err = tx.CountOpenReviews(me.Canonical())
		return err
	})
	return n, err
}

// SubmitReview makes the caller's pending decisions permanent.
func (c *Console) SubmitReview(ctx context.Context, caller Caller, id console.ID) (s console.ReviewSubmission, err error) {
	err = c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		campaign, err := holdCampaign(tx, me, id)
		if err != nil {
			return err
		}
		s, err = review.Submit(tx, campaign, me.Canonical())
		return err
	})
	return s, err
}

// ReassignReview asks a person about items instead of a reviewer: the caller, or anybody for those
// who run the review. An empty from asks the person in addition. The person can be given by an e-mail
// address.
func (c *Console) ReassignReview(ctx context.Context, caller Caller, id console.ID, items []int, from, to console.ID, why string) (blocked []review.Blocked, err error) {
	err = c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		campaign, why, err := c.passOn(tx, me, id, from, why)
		if err == nil {
			to, err = personNamed(tx, to)
		}
		if err != nil {
			return err
		}
		blocked, err = review.Reassign(tx, campaign, items, from, to, why)
		return err
	})
	return blocked, err
}

// EscalateReview asks the alternatives of the review about items, instead of a reviewer.
func (c *Console) EscalateReview(ctx context.Context, caller Caller, id console.ID, items []int, from console.ID, why string) error {
	return c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		if from == "" {
			from = me.Canonical()
		}
		campaign, why, err := c.passOn(tx, me, id, from, why)
		if err != nil {
			return err
		}
		return review.Escalate(tx, campaign, items, from, why)
	})
}

// passOn checks that a person may pass items of a reviewer on.
func (c *Console) passOn(tx *store.Tx, me console.Person, id, from console.ID, why string) (console.Campaign, string, error) {
	campaign, err := holdCampaign(tx, me, id)
	if err == nil && from != me.Canonical() {
		err = console.RunCampaigns.Check(me, console.Object{Campaign: &campaign})
	}
	if err == nil {
		why, err = because(why)
	}
	return campaign, why, err
}
