package review

import (
	"context"
	"slices"
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Close ends the decisions of a campaign. Pending decisions that nobody submitted do not count. What
// nobody decided is kept, and its owners are told, unless the campaign removes it: then it becomes a
// part of the plan, up to the cap.
func Close(tx *store.Tx, id console.ID) (console.Campaign, error) {
	c, err := tx.LockCampaign(id)
	if err != nil {
		return c, err
	}
	p, err := tx.ReviewProgress(id)
	if err != nil {
		return c, err
	}
	pending := 0
	for _, r := range p.Reviewers {
		pending += r.Pending
	}
	apps := map[console.ID]int{}
	for _, a := range p.Apps {
		if n := a.Total - a.Decided; n > 0 && a.App != "" {
			apps[a.App] = n
		}
	}
	owners := []console.ID{} // of the applications with items that nobody decided
	for _, app := range sortedKeys(apps) {
		a, err := tx.App(app)
		if err != nil {
			return c, err
		}
		owners = append(owners, a.Owners...)
	}
	slices.Sort(owners)
	return tx.MoveCampaign(id, store.CampaignMove{To: console.CampaignClosing, Data: map[string]any{"name": c.Name, "owners": c.Owners, "app_owners": slices.Compact(owners), "items": p.Total, "decided": p.Decided, "unanswered": p.Total - p.Decided, "pending": pending,
		"choices": p.Choices, "unanswered_choice": c.Unanswered, "unanswered_apps": apps}})
}

// closing does what follows the end of the decisions: it marks what is gone, shortens what is kept
// until a time, and plans the removals. A person applies the plan. It can be interrupted at any time.
func closing(ctx context.Context, s *store.Store, by console.By, c console.Campaign, extend func() error) error {
	if c.Plan != "" {
		return nil
	}
	steps := []func(tx *store.Tx, c console.Campaign, items []console.ReviewItem) error{
		func(tx *store.Tx, c console.Campaign, items []console.ReviewItem) error {
			return markGone(tx, c, byNumber(items))
		},
		shorten,
	}
	filters := []store.ItemFilter{{}, {Choices: []console.ReviewChoice{console.ChooseKeepUntil}}}
	for n, step := range steps {
		for after := 0; ; {
			if err := extend(); err != nil {
				return err
			}
			last := 0
			err := s.Update(ctx, by, func(tx *store.Tx) error {
				items, err := tx.ReviewItems(c.ID, filters[n], after, upkeepPage)
				if err != nil {
					return err
				}
				if len(items) == upkeepPage {
					last = items[len(items)-1].Number
				}
				return step(tx, c, items)
			})
			if err != nil {
				return err
			}
			if after = last; last == 0 {
				break
			}
		}
	}
	return s.Update(ctx, by, func(tx *store.Tx) error { return plan(tx, c.ID) })
}

func byNumber(items []console.ReviewItem) map[int]console.ReviewItem {
	all := make(map[int]console.ReviewItem, len(items))
	for _, i := range items {
		all[i.Number] = i
	}
	return all
}

// shorten lets access that is kept until a time end then. It never extends: reasons that end earlier
// stay. Access without a reason gets one that ends then.
func shorten(tx *store.Tx, c console.Campaign, items []console.ReviewItem) error {
	for _, i := range items {
		if i.Result != console.ItemNone {
			continue
		}
		result := console.ItemShortened
		if !i.Gone.IsZero() {
			result = console.ItemGone
		} else if err := shortenAccess(tx, c, i); err != nil {
			return err
		}
		if err := tx.SetItemResult(c.ID, i.Number, result, "", ""); err != nil {
			return err
		}
	}
	return nil
}

func shortenAccess(tx *store.Tx, c console.Campaign, i console.ReviewItem) error {
	if _, err := tx.LockApp(i.App); err != nil {
		return err
	}
	a, err := tx.Access(i.App, i.Account, i.Entitlement, tx.By().At)
	if err != nil {
		return err
	}
	open := console.OpenReasons(a.Reasons, a.Bar, tx.By().At)
	until := i.Outcome.Until
	if !until.After(tx.By().At) {
		until = tx.By().At.Add(time.Minute) // the time passed while reviewers decided
	}
	for _, r := range open {
		if shorter := r.KeepUntil(until); !shorter.Equal(r.Until) {
			if err := tx.SetReasonUntil(r.ID, shorter); err != nil {
				return err
			}
		}
	}
	if len(open) > 0 || !a.Held {
		return nil
	}
	_, err = tx.AddReason(console.Reason{App: i.App, Account: i.Account, Entitlement: i.Entitlement, Kind: console.ReasonBefore, Ref: string(c.ID), Until: until})
	return err
}

// plan makes the plan of the removals. Without removals, the campaign goes on.
func plan(tx *store.Tx, id console.ID) error {
	c, err := tx.LockCampaign(id)
	if err != nil || c.State != console.CampaignClosing || c.Plan != "" {
		return err
	}
	rows, err := removals(tx, c)
	if err != nil {
		return err
	}
	unanswered, err := unansweredRows(tx, c)
	if err != nil {
		return err
	}
	if rows = append(rows, unanswered...); len(rows) == 0 {
		return nil
	}
	p, err := tx.AddPlan(console.RemovalPlan{Cause: console.PlanCause{Kind: console.PlanCampaign, Ref: string(c.ID)}, Title: "Removals of " + c.Name, Why: "Decided in the review " + c.Name, Owners: c.Owners}, rows)
	if err != nil {
		return err
	}
	return tx.SetCampaignPlan(c, p.ID)
}

// removals returns the rows of the plan that reviewers decided.
func removals(tx *store.Tx, c console.Campaign) (rows []console.PlanRow, err error) {
	for after := 0; ; {
		items, err := tx.ReviewItems(c.ID, store.ItemFilter{Choices: []console.ReviewChoice{console.ChooseRemove, console.ChooseLower}}, after, store.PageSize)
		if err != nil {
			return nil, err
		}
		gone, err := Gone(tx, byNumber(items), tx.By().At)
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			after = i.Number
			if i.Kind != console.ReviewAccess {
				continue
			}
			if slices.Contains(gone, i.Number) {
				if err := tx.SetItemResult(c.ID, i.Number, console.ItemGone, "", ""); err != nil {
					return nil, err
				}
				continue
			}
			do := console.PlanRemove
			if i.Outcome.Choice == console.ChooseLower {
				do = console.PlanLower
			}
			rows = append(rows, console.PlanRow{App: i.App, Account: i.Account, Entitlement: i.Entitlement, Do: do, Ref: strconv.Itoa(i.Number)})
			if err := tx.SetItemResult(c.ID, i.Number, console.ItemPlanned, "", ""); err != nil {
				return nil, err
			}
		}
		if len(items) < store.PageSize {
			return rows, nil
		}
	}
}

// unansweredRows returns the rows of the plan that nobody decided, if the campaign removes them. If
// they are more than its cap, all of them are kept.
func unansweredRows(tx *store.Tx, c console.Campaign) (rows []console.PlanRow, err error) {
	if c.Unanswered != console.UnansweredRemove {
		return nil, nil
	}
	var open []console.ReviewItem
	for after := 0; ; {
		items, err := tx.ReviewItems(c.ID, store.ItemFilter{Undecided: true}, after, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			after = i.Number
			if i.Kind == console.ReviewAccess && i.Gone.IsZero() && i.Blocks(console.ChooseRemove, time.Time{}, tx.By().At) == nil {
				open = append(open, i)
			}
		}
		if len(items) < store.PageSize || len(open) > c.Cap {
			break
		}
	}
	if len(open) > c.Cap {
		return nil, nil
	}
	for _, i := range open {
		rows = append(rows, console.PlanRow{App: i.App, Account: i.Account, Entitlement: i.Entitlement, Do: console.PlanRemove, Ref: strconv.Itoa(i.Number)})
		if err := tx.SetItemResult(c.ID, i.Number, console.ItemPlanned, "", "nobody answered"); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// resultOf returns the result of an item for a row of the plan.
func resultOf(r console.PlanRow) console.ReviewResult {
	switch r.Result {
	case console.PlanResult(console.RowPlanned):
		return console.ItemPlanned
	case console.PlanResult(console.RowBlocked), console.PlanResult(console.RowRefused), console.PlanResult(console.RowChanged):
		return console.ItemBlocked
	case console.PlanResult(console.RowGone):
		return console.ItemGone
	case console.PlanResult(console.RowStopped):
		return console.ItemLeftOut
	case console.ResultApplied:
		return console.ItemApplied
	case console.ResultVerified:
		return console.ItemVerified
	case console.ResultNotEffective:
		return console.ItemNotEffective
	case console.ResultCameBack:
		return console.ItemCameBack
	case console.ResultFailed:
		return console.ItemFailed
	}
	return console.ItemApplying
}

// follow writes the results of the rows of a plan to their items.
func follow(ctx context.Context, s *store.Store, by console.By, c console.Campaign, discarded bool) error {
	for after := 0; ; {
		more := false
		err := s.Update(ctx, by, func(tx *store.Tx) error {
			rows, err := tx.PlanRows(c.Plan, store.PlanRowFilter{}, after, upkeepPage)
			if err != nil || len(rows) == 0 {
				return err
			}
			var numbers []int
			for _, r := range rows {
				n, _ := strconv.Atoi(r.Ref) // written by plan
				numbers = append(numbers, n)
			}
			items, err := tx.ReviewItemsByNumber(c.ID, numbers)
			if err != nil {
				return err
			}
			for k, r := range rows {
				result := resultOf(r)
				if discarded {
					result = console.ItemLeftOut
				}
				i := items[numbers[k]]
				if i.Result == result && i.Operation == r.Operation {
					continue
				}
				if err := tx.SetItemResult(c.ID, i.Number, result, r.Operation, r.Said); err != nil {
					return err
				}
			}
			after, more = rows[len(rows)-1].Place, len(rows) == upkeepPage
			return nil
		})
		if err != nil || !more {
			return err
		}
	}
}

// RemoveConsole carries out a removal that was decided about the console itself: it takes a role, an
// ownership or a credential. A guard's refusal is the result of the item.
func RemoveConsole(tx *store.Tx, c console.Campaign, i console.ReviewItem, me console.ID) error {
	err := console.Decision{Actor: me, Subject: i.Person}.CheckSelf(func(id console.ID) console.ID {
		if canonical, err := tx.Canonical(id); err == nil {
			return canonical
		}
		return id
	})
	if err == nil {
		err = takeFromConsole(tx, i)
	}
	switch {
	case err == nil:
		return tx.SetItemResult(c.ID, i.Number, console.ItemVerified, "", "")
	case baton.KindOf(err) == baton.NotFound:
		return tx.SetItemResult(c.ID, i.Number, console.ItemGone, "", "")
	}
	return err
}
