package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

func campaignSettings(name string) console.CampaignSettings {
	return console.CampaignSettings{Name: name, Reviewers: []console.Approver{{Kind: console.ApproverAppOwner}}, Outcome: console.OutcomeRule{Kind: console.OutcomeOne, Wins: console.ChooseRemove},
		Unanswered: console.UnansweredKeep, Lasts: console.DefaultLasts, MaxAge: console.DefaultMaxAge}
}

// testCampaign follows a campaign and a template through their states, and lists them in pages.
func testCampaign(t *testing.T, db Database) {
	s := open(t, db)
	people := addPersons(t, s, "ana", "ben")
	var all []console.ID
	for i := range 5 {
		update(t, s, byPerson(i, people[0]), func(tx *store.Tx) error {
			c, err := tx.AddCampaign(console.Campaign{CampaignSettings: campaignSettings(fmt.Sprint("Review ", i)), Owners: people[i%2 : i%2+1]})
			all = append(all, c.ID)
			return err
		})
	}
	settings := campaignSettings("Every quarter")
	settings.Repeats, settings.First = console.Quarterly, at(60)
	update(t, s, byPerson(5, people[0]), func(tx *store.Tx) error {
		c, err := tx.AddCampaign(console.Campaign{CampaignSettings: settings, State: console.CampaignTemplate})
		if err != nil {
			return err
		}
		when, ok, err := tx.DueAt(console.DueCampaign, string(c.ID))
		if !ok || !when.Equal(at(60)) {
			t.Errorf("the template is due at %v, %v", when, ok)
		}
		return err
	})
	for n := 1; n < 7; n++ {
		var got []console.ID
		view(t, s, func(tx *store.Tx) error {
			for before := console.ID(""); ; before = got[len(got)-1] {
				page, err := tx.Campaigns(store.CampaignFilter{}, before, n)
				if err != nil || len(page) == 0 {
					return err
				}
				for _, c := range page {
					got = append(got, c.ID)
				}
			}
		})
		slices.Reverse(got)
		slices.Sort(all)
		if !slices.Equal(got, all) {
			t.Errorf("pages of %d: %v, want %v", n, got, all)
		}
	}
	view(t, s, func(tx *store.Tx) error {
		own, err := tx.Campaigns(store.CampaignFilter{Owner: people[1]}, "", 10)
		if len(own) != 2 || !slices.Equal(own[0].Owners, people[1:2]) {
			t.Errorf("of an owner: %+v", own)
		}
		return err
	})
	id := all[0]
	change := func(minute int, version int64, edit func(*console.Campaign)) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			c, err := tx.Campaign(id)
			if err != nil {
				return err
			}
			edit(&c)
			c.Version = version
			_, err = tx.ChangeCampaign(c)
			return err
		}
	}
	rename := func(c *console.Campaign) { c.Name = "Other" }
	update(t, s, by(10), change(10, 1, rename))
	fails(t, s, by(11), "an old version", baton.Refused, change(11, 1, rename))
	fails(t, s, by(11), "no name", baton.Invalid, change(11, 2, func(c *console.Campaign) { c.Name = " " }))
	move := func(to console.CampaignState) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			_, err := tx.MoveCampaign(id, store.CampaignMove{To: to, Ends: at(1000), Staged: &console.Population{Items: 3}})
			return err
		}
	}
	fails(t, s, by(12), "a draft that starts", baton.Refused, move(console.CampaignRunning))
	update(t, s, by(12), move(console.CampaignPreparing))
	fails(t, s, by(12), "a change while it is prepared", baton.Refused, change(12, 3, rename))
	update(t, s, by(13), move(console.CampaignStaged))
	fails(t, s, by(14), "another scope after staging", baton.Refused, change(14, 4, func(c *console.Campaign) { c.Scope.Admins = true }))
	update(t, s, by(14), change(14, 4, func(c *console.Campaign) { c.Instructions = "Look twice." }))
	for i, to := range []console.CampaignState{console.CampaignRunning, console.CampaignClosing, console.CampaignRemediating, console.CampaignVerifying, console.CampaignComplete} {
		update(t, s, by(20+i), move(to))
	}
	fails(t, s, by(30), "a change at the end", baton.Refused, change(30, 10, rename))
	view(t, s, func(tx *store.Tx) error {
		c, err := tx.Campaign(id)
		if c.State != console.CampaignComplete || !c.Started.Equal(at(20)) || !c.Closed.Equal(at(21)) || !c.Finished.Equal(at(24)) || c.Staged.Items != 3 || c.Instructions != "Look twice." {
			t.Errorf("in the end: %+v", c)
		}
		return err
	})
	checkChain(t, s)
}

// population freezes n items of a running campaign, each with the given reviewers.
func population(t testing.TB, s *store.Store, settings console.CampaignSettings, app console.ID, n int, reviewers ...console.ID) (c console.Campaign) {
	t.Helper()
	update(t, s, by(1), func(tx *store.Tx) (err error) {
		if c, err = tx.AddCampaign(console.Campaign{CampaignSettings: settings}); err != nil {
			return err
		}
		if c, err = tx.MoveCampaign(c.ID, store.CampaignMove{To: console.CampaignPreparing}); err != nil {
			return err
		}
		var items []*store.NewItem
		for i := range n {
			shown := console.ReviewShown{AppName: "app", Login: fmt.Sprint("u", i), EntitlementName: "\x00<b>"}
			item := &store.NewItem{ReviewItem: console.ReviewItem{Number: i + 1, Kind: console.ReviewAccess, App: app, Account: console.ResourceKey(100 + i), Entitlement: 7, Sync: 3, Shown: shown},
				Stored: shown.Encode(), Place: n - i}
			item.Hash = console.HashShown(item.Stored)
			for _, r := range reviewers {
				item.Asked = append(item.Asked, console.Asked{Person: r, Why: "owner of the application"})
			}
			items = append(items, item)
		}
		if err := tx.AddReviewItems(c.ID, items); err != nil {
			return err
		}
		if err := tx.CountPopulation(c.ID, items); err != nil {
			return err
		}
		if c, err = tx.MoveCampaign(c.ID, store.CampaignMove{To: console.CampaignStaged, Staged: &console.Population{Items: n}}); err != nil {
			return err
		}
		c, err = tx.MoveCampaign(c.ID, store.CampaignMove{To: console.CampaignRunning, Ends: at(9999)})
		return err
	})
	return c
}

func decision(i console.ReviewItem, choice console.ReviewChoice) console.ReviewDecision {
	return console.ReviewDecision{Item: i.Number, Choice: choice, Hash: i.Hash, Sync: i.Sync, Seconds: 4, Batch: 1, Eligible: "owner of the application"}
}

// testReview pages through a population, decides, submits, and shows that what is submitted stays.
func testReview(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	people := addPersons(t, s, "ana", "ben", "cleo")
	c := population(t, s, campaignSettings("Review"), w.app, 10, people[0], people[1])
	var items []console.ReviewItem
	for n := 1; n < 12; n += 3 {
		items = nil
		for after := 0; ; after = items[len(items)-1].Number {
			var page []console.ReviewItem
			view(t, s, func(tx *store.Tx) (err error) {
				page, err = tx.ReviewItems(c.ID, store.ItemFilter{App: w.app}, after, n)
				return err
			})
			if len(page) == 0 {
				break
			}
			items = append(items, page...)
		}
		if len(items) != 10 || items[9].Number != 10 || items[9].Shown.Login != "u9" || items[9].Outcome != nil {
			t.Fatalf("pages of %d: %+v", n, items)
		}
	}
	var byPlace []int
	view(t, s, func(tx *store.Tx) error {
		for after := (store.AssignmentPlace{}); ; {
			page, err := tx.ReviewerItems(c.ID, store.ReviewerFilter{Reviewer: people[0], ByPerson: true}, after, 3)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, p := range page {
				byPlace, after = append(byPlace, p.Item.Number), p.Place
			}
		}
	})
	if fmt.Sprint(byPlace) != "[10 9 8 7 6 5 4 3 2 1]" {
		t.Errorf("in the order of persons: %v", byPlace)
	}
	ana := func(minute int, what func(*store.Tx) error) {
		t.Helper()
		update(t, s, byPerson(minute, people[0]), what)
	}
	ana(10, func(tx *store.Tx) error {
		return tx.Decide(c.ID, people[0], []console.ReviewDecision{decision(items[0], console.ChooseRemove), decision(items[1], console.ChooseKeep), decision(items[2], console.ChooseAbstain)})
	})
	ana(11, func(tx *store.Tx) error {
		return tx.Decide(c.ID, people[0], []console.ReviewDecision{decision(items[1], console.ChooseRemove), decision(items[3], console.ChooseKeep)})
	})
	ana(12, func(tx *store.Tx) error { return tx.Withdraw(c.ID, people[0], []int{4}) })
	fails(t, s, byPerson(12, people[2]), "by somebody who is not asked", baton.Refused, func(tx *store.Tx) error {
		return tx.Decide(c.ID, people[2], []console.ReviewDecision{decision(items[0], console.ChooseKeep)})
	})
	var first console.ReviewSubmission
	ana(13, func(tx *store.Tx) error {
		pending, err := tx.PendingDecisions(c.ID, people[0], 0, 100)
		if err != nil {
			return err
		}
		if len(pending) != 3 || pending[1].Choice != console.ChooseRemove {
			t.Errorf("pending: %+v", pending)
		}
		first, err = tx.Submit(c, people[0], pending)
		return err
	})
	if first.Settled != 2 || first.Counts[console.ChooseRemove] != 2 || first.Counts[console.ChooseAbstain] != 1 {
		t.Errorf("submission: %+v", first)
	}
	for what, try := range map[string]func(*store.Tx) error{
		"another decision": func(tx *store.Tx) error {
			return tx.Decide(c.ID, people[0], []console.ReviewDecision{decision(items[0], console.ChooseKeep)})
		},
		"a withdrawal": func(tx *store.Tx) error { return tx.Withdraw(c.ID, people[0], []int{1}) },
	} {
		fails(t, s, byPerson(14, people[0]), what+" after the submission", baton.Refused, try)
	}
	update(t, s, byPerson(15, people[1]), func(tx *store.Tx) error {
		d := []console.ReviewDecision{decision(items[0], console.ChooseKeep), decision(items[2], console.ChooseKeep)}
		if err := tx.Decide(c.ID, people[1], d); err != nil {
			return err
		}
		pending, err := tx.PendingDecisions(c.ID, people[1], 0, 100)
		if err != nil {
			return err
		}
		s, err := tx.Submit(c, people[1], pending)
		if s.Settled != 1 {
			t.Errorf("the outcome of an item that was decided before changed: %+v", s)
		}
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		removed, err := tx.ReviewItems(c.ID, store.ItemFilter{Choices: []console.ReviewChoice{console.ChooseRemove}}, 0, 10)
		if len(removed) != 2 || removed[0].Outcome.Choice != console.ChooseRemove || !slices.Equal(removed[0].Outcome.By, people[:1]) {
			t.Errorf("removed: %+v", removed)
		}
		if err != nil {
			return err
		}
		rows, err := tx.ReviewAssignments(c.ID, []int{1})
		if err != nil {
			return err
		}
		var again []console.ReviewDecision
		for _, a := range rows {
			if a.Reviewer == people[0] {
				again = append(again, *a.Decision)
			}
		}
		for _, n := range []int{2, 3} {
			rows, err := tx.ReviewAssignments(c.ID, []int{n})
			if err != nil {
				return err
			}
			for _, a := range rows {
				if a.Reviewer == people[0] {
					again = append(again, *a.Decision)
				}
			}
		}
		if got := console.DigestDecisions(again); got != first.Digest {
			t.Errorf("the stored decisions have the digest %s, the submission %s", got, first.Digest)
		}
		stored, err := tx.ReviewItemStored(c.ID, 1)
		if console.HashShown(stored) != items[0].Hash {
			t.Errorf("the hash is not that of what is shown: %s", stored)
		}
		return err
	})
	checkChain(t, s)
}

// testReviewProgress decides, reassigns and submits at random, and compares the counts with a recount.
func testReviewProgress(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	people := addPersons(t, s, "ana", "ben", "cleo")
	settings := campaignSettings("Review")
	settings.Outcome.Kind = console.OutcomeAll
	c := population(t, s, settings, w.app, 20, people[0], people[1])
	random := rand.New(rand.NewPCG(1, 2))
	for minute := 10; minute < 70; minute++ {
		person, other := people[random.IntN(3)], people[random.IntN(3)]
		number := 1 + random.IntN(20)
		err := s.Update(ctx, byPerson(minute, person), func(tx *store.Tx) error {
			switch random.IntN(6) {
			case 0:
				if err := tx.Assign(c.ID, []int{number}, console.Asked{Person: other, Why: "asked by the owner"}); err != nil {
					return err
				}
				return tx.Unassign(c.ID, []int{number}, person, "away")
			case 1:
				return tx.Withdraw(c.ID, person, []int{number})
			case 2:
				pending, err := tx.PendingDecisions(c.ID, person, 0, 100)
				if err != nil || len(pending) == 0 {
					return err
				}
				_, err = tx.Submit(c, person, pending)
				return err
			}
			item, err := tx.ReviewItem(c.ID, number)
			if err != nil {
				return err
			}
			return tx.Decide(c.ID, person, []console.ReviewDecision{decision(item, console.ReviewChoices()[random.IntN(6)])})
		})
		if err != nil && baton.KindOf(err) != baton.Refused {
			t.Fatal(err)
		}
	}
	view(t, s, func(tx *store.Tx) error {
		p, err := tx.ReviewProgress(c.ID)
		if err != nil {
			return err
		}
		numbers := make([]int, 20)
		decided := 0
		for i := range numbers {
			numbers[i] = i + 1
			item, err := tx.ReviewItem(c.ID, i+1)
			if err != nil {
				return err
			}
			if item.Outcome != nil {
				decided++
				p.Choices[item.Outcome.Choice]--
			}
		}
		if p.Total != 20 || p.Decided != decided || decided == 0 {
			t.Errorf("%d of %d decided, want %d", p.Decided, p.Total, decided)
		}
		for choice, n := range p.Choices {
			if n != 0 {
				t.Errorf("%s: %d too many", choice, n)
			}
		}
		rows, err := tx.ReviewAssignments(c.ID, numbers)
		want := map[console.ID]store.ReviewerProgress{}
		for _, a := range rows {
			r := want[a.Reviewer]
			r.Reviewer = a.Reviewer
			if a.Ended.IsZero() {
				r.Total++
			}
			switch {
			case a.Decision == nil:
			case a.Decision.Submitted.IsZero():
				r.Pending++
			default:
				r.Submitted, r.Seconds, r.Batch = r.Submitted+1, r.Seconds+4, 1
			}
			want[a.Reviewer] = r
		}
		for _, r := range p.Reviewers {
			if r != want[r.Reviewer] {
				t.Errorf("reviewer: %+v, want %+v", r, want[r.Reviewer])
			}
		}
		return err
	})
	checkChain(t, s)
}
