package review

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"

	"baton"
	"baton/console"
	"baton/console/store"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// upkeepPage is the number of items that are looked at in one transaction.
const upkeepPage = 500

// Replace replaces reviewers who left, or who are not whom the campaign asks any more, for items that
// they have not submitted; also those whose delegate decides now, and delegates whose time is over. It looks at a page of the items of one reviewer, and returns the last
// number; 0 at the end. Whoever was asked by a person stays while active.
func Replace(tx *store.Tx, c console.Campaign, reviewer console.ID, after int) (last int, err error) {
	numbers, err := tx.OpenItems(c.ID, reviewer, after, upkeepPage)
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	p, err := tx.Person(reviewer)
	if err != nil {
		return 0, err
	}
	left := p.Status != console.PersonActive || p.MergedInto != ""
	items, err := tx.ReviewItemsByNumber(c.ID, numbers)
	if err != nil {
		return 0, err
	}
	mine, err := tx.MyAssignments(c.ID, reviewer, numbers)
	if err != nil {
		return 0, err
	}
	a := newAssigner(&people{tx: tx}, c.CampaignSettings, tx.By().At)
	groups := map[console.Asked][]int{}
	var gone []int
	delegated := false
	for _, n := range numbers {
		if !left && mine[n].By.Person() != "" {
			continue
		}
		asked, err := a.item(items[n], tx.By().At)
		if err != nil {
			return 0, err
		}
		if !left && slices.ContainsFunc(asked, func(x console.Asked) bool { return x.Person == reviewer }) {
			continue
		}
		delegation := mine[n].For != "" || slices.ContainsFunc(asked, func(x console.Asked) bool { return x.For == reviewer })
		if !left && delegation && mine[n].Decision != nil {
			continue // pending: whoever made it submits it
		}
		gone = append(gone, n)
		for _, x := range asked {
			groups[x] = append(groups[x], n)
			delegated = delegated || x.For == reviewer
		}
	}
	if err := assignGroups(tx, c.ID, groups); err != nil {
		return 0, err
	}
	if len(gone) > 0 {
		why := "not asked any more: " + p.Name + " has another position"
		switch {
		case left:
			why = p.Name + " left"
		case delegated:
			why = "not asked any more: a delegate decides for " + p.Name
		case mine[gone[0]].For != "":
			why = "not asked any more: " + p.Name + " is no delegate any more"
		}
		if err := tx.Unassign(c.ID, gone, reviewer, why); err != nil {
			return 0, err
		}
	}
	if last = numbers[len(numbers)-1]; len(numbers) < upkeepPage {
		last = 0
	}
	return last, nil
}

// assignGroups asks people about items, in a fixed order.
func assignGroups(tx *store.Tx, campaign console.ID, groups map[console.Asked][]int) error {
	for _, to := range slices.SortedFunc(maps.Keys(groups), func(a, b console.Asked) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.For, b.For), cmp.Compare(a.Why, b.Why))
	}) {
		if err := tx.Assign(campaign, groups[to], to); err != nil {
			return err
		}
	}
	return nil
}

// Remind appends the event that reminds the reviewers with open items, and nobody else.
func Remind(tx *store.Tx, c console.Campaign) error {
	p, err := tx.ReviewProgress(c.ID)
	if err != nil {
		return err
	}
	var open []console.ID
	for _, r := range p.Reviewers {
		if r.Total > r.Submitted {
			open = append(open, r.Reviewer)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return tx.RemindReviewers(c, open)
}

// Sample draws a random share of the items that reviewers decided, and asks another person about them
// again. Items that are the person's own access, or that the person decided, are left out. It returns
// their number.
func Sample(tx *store.Tx, c console.Campaign, percent int, reviewer console.ID) (int, error) {
	if c.State != console.CampaignRunning {
		return 0, baton.Errorf(baton.Refused, "a sample is drawn while the review is running")
	}
	if percent < 1 || percent > 100 {
		return 0, baton.Errorf(baton.Invalid, "a sample is 1 to 100 percent")
	}
	var numbers []int
	for after := 0; ; {
		page, err := tx.SettledNumbers(c.ID, after, store.PageSize)
		if err != nil {
			return 0, err
		}
		numbers = append(numbers, page...)
		if len(page) < store.PageSize {
			break
		}
		after = page[len(page)-1]
	}
	want := min((len(numbers)*percent+99)/100, MaxBatch)
	rand.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	chosen, err := undecidedBy(tx, c, numbers, reviewer, want)
	if err != nil {
		return 0, err
	}
	if len(chosen) == 0 {
		return 0, baton.Errorf(baton.Refused, "no decided item is left that this person may review again")
	}
	if _, err := Reassign(tx, c, chosen, "", reviewer, "random sample of the decided items"); err != nil {
		return 0, err
	}
	return len(chosen), tx.MarkSampled(c.ID, reviewer, chosen)
}

// undecidedBy returns up to n of the items, in their order, that a person has not decided and that are
// not the person's own access.
func undecidedBy(tx *store.Tx, c console.Campaign, numbers []int, reviewer console.ID, n int) (chosen []int, err error) {
	for part := range slices.Chunk(numbers, upkeepPage) {
		if len(chosen) >= n {
			break
		}
		items, err := tx.ReviewItemsByNumber(c.ID, part)
		if err != nil {
			return nil, err
		}
		subjects, err := Subjects(tx, items, reviewer, tx.By().At)
		if err != nil {
			return nil, err
		}
		mine, err := tx.MyAssignments(c.ID, reviewer, part)
		if err != nil {
			return nil, err
		}
		for _, number := range part {
			if _, asked := mine[number]; !asked && subjects.Self(items[number], reviewer, "") == nil && len(chosen) < n {
				chosen = append(chosen, number)
			}
		}
	}
	slices.Sort(chosen)
	return chosen, nil
}
