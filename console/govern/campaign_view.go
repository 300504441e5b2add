package govern

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/review"
	"baton/console/store"
)

// CampaignSummary is a review in a list.
type CampaignSummary struct {
	console.Campaign
	OwnerNames     []string
	Items, Decided int
	// Mine are the counts of the caller as a reviewer.
	Mine store.ReviewerProgress
	// All is whether the caller sees the whole review, not only the own items.
	All bool
}

// CampaignsQuery selects reviews that the caller may see.
type CampaignsQuery struct {
	States []console.CampaignState // none: all but templates
	Mine   bool                    // in which the caller is a reviewer
	Before console.ID              // the last one of the previous page
	N      int
}

// CampaignsPage is a page of reviews, the newest first.
type CampaignsPage struct {
	Campaigns []CampaignSummary
	Next      console.ID // "" at the end
	MayAdd    bool
}

// Campaigns returns reviews that the caller may see.
func (c *Console) Campaigns(ctx context.Context, caller Caller, q CampaignsQuery) (p CampaignsPage, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		p = CampaignsPage{MayAdd: console.AddCampaigns.Of(me, console.Object{})}
		if q.N < 1 || q.N >= store.PageSize {
			return baton.Errorf(baton.Invalid, "a page has 1 to %d reviews", store.PageSize-1)
		}
		f := store.CampaignFilter{States: q.States}
		switch {
		case q.Mine:
			f.Reviewer = me.Canonical()
		case !console.SeeCampaigns.Of(me, console.Object{}) && slices.Contains(me.Roles, console.CampaignAdministrator):
			f.OwnerOrReviewer = me.Canonical()
		case !console.SeeCampaigns.Of(me, console.Object{}):
			f.Reviewer = me.Canonical()
		}
		all, err := tx.Campaigns(f, q.Before, q.N+1)
		if err != nil {
			return err
		}
		if len(all) > q.N {
			all = all[:q.N]
			p.Next = all[q.N-1].ID
		}
		names := Names{}
		for _, campaign := range all {
			s, err := campaignSummary(tx, me, campaign, names)
			if err != nil {
				return err
			}
			if s.All || s.Mine.Total > 0 && campaign.State != console.CampaignStaged {
				p.Campaigns = append(p.Campaigns, s)
			}
		}
		return nil
	})
	return p, err
}

func campaignSummary(tx *store.Tx, me console.Person, campaign console.Campaign, names Names) (s CampaignSummary, err error) {
	s = CampaignSummary{Campaign: campaign, All: console.SeeCampaigns.Of(me, console.Object{Campaign: &campaign})}
	if err := names.add(tx, campaign.Owners...); err != nil {
		return s, err
	}
	for _, o := range campaign.Owners {
		s.OwnerNames = append(s.OwnerNames, names.Of(o))
	}
	if s.All {
		if s.Items, s.Decided, err = tx.ReviewTotals(campaign.ID); err != nil {
			return s, err
		}
	}
	s.Mine, err = tx.ReviewerProgress(campaign.ID, me.Canonical())
	return s, err
}

// CampaignView is a review with its progress. Whoever only reviews sees the own counts.
type CampaignView struct {
	CampaignSummary
	Sources  []console.GateSource // what the accuracy gate knows now; only of a draft
	Problems []string             // why the accuracy gate refuses it
	Progress store.ReviewProgress
	Results  map[console.ReviewResult]int
	Burn     []store.BurnDay
	Plan     *console.RemovalPlan
	Names    Names // of owners and reviewers
	Apps     map[console.ID]string
	// Left are the reviewers with open items who are not active any more.
	Left     []console.ID
	Disagree int     // items of the sample that were decided differently
	Shows    Version // of the page
	MayRun   bool
	// OwnersLost is whether no owner may run it: they left the company, or lost the role.
	OwnersLost bool
	MayCarry   bool // the removals of the console itself
	Removals   int  // removals of the console itself that are not carried out
}

// Campaign returns a review that the caller may see.
func (c *Console) Campaign(ctx context.Context, caller Caller, id console.ID) (v CampaignView, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		v = CampaignView{Names: Names{}, Apps: map[console.ID]string{}}
		campaign, all, err := seeCampaign(tx, me, id)
		if err != nil {
			return err
		}
		if v.CampaignSummary, err = campaignSummary(tx, me, campaign, v.Names); err != nil || !all {
			return err
		}
		people := slices.Concat(campaign.Scope.People, campaign.Scope.Managers)
		for _, a := range slices.Concat(campaign.Reviewers, campaign.Fallback) {
			if !strings.Contains(string(a.Person), "@") {
				people = append(people, a.Person)
			}
		}
		if campaign.Staged != nil && campaign.Staged.Override != nil {
			people = append(people, campaign.Staged.Override.Person)
		}
		if err := v.Names.add(tx, people...); err != nil {
			return err
		}
		v.MayRun = console.RunCampaigns.Of(me, console.Object{Campaign: &campaign})
		v.OwnersLost = !slices.ContainsFunc(campaign.Owners, func(id console.ID) bool {
			return v.Names[id].Status == console.PersonActive && console.RunCampaigns.Of(v.Names[id], console.Object{Campaign: &campaign})
		})
		if campaign.State == console.CampaignDraft || campaign.State == console.CampaignTemplate {
			if v.Sources, err = review.Gate(tx, campaign.Scope, c.now()); err != nil {
				return err
			}
			v.Problems = console.Gate(v.Sources, campaign.MaxAge, c.now())
		}
		if err := c.campaignProgress(tx, me, &v); err != nil {
			return err
		}
		v.Shows, err = campaignVersion(tx, campaign)
		return err
	})
	return v, err
}

// CampaignVersion returns the version of the page of a review: its state, how many decided, and the
// results.
func (c *Console) CampaignVersion(ctx context.Context, caller Caller, id console.ID) (v Version, err error) {
	err = c.look(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := seeWholeCampaign(tx, me, id); err != nil {
			return err
		}
		campaign, err := tx.Campaign(id)
		if err == nil {
			v, err = campaignVersion(tx, campaign)
		}
		return err
	})
	return v, err
}

func campaignVersion(tx *store.Tx, c console.Campaign) (Version, error) {
	total, decided, err := tx.ReviewTotals(c.ID)
	if err != nil {
		return "", err
	}
	results, err := tx.ResultCounts(c.ID)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, c.ID, c.Version, total, decided)
	for _, r := range slices.Sorted(maps.Keys(results)) {
		fmt.Fprintln(h, r, results[r])
	}
	return versionOf(h), nil
}

// campaignProgress adds the counts of a review.
func (c *Console) campaignProgress(tx *store.Tx, me console.Person, v *CampaignView) (err error) {
	if v.Progress, err = tx.ReviewProgress(v.ID); err != nil {
		return err
	}
	apps := slices.Clone(v.Scope.Apps)
	for _, a := range v.Progress.Apps {
		apps = append(apps, a.App)
	}
	for _, id := range apps {
		if id == "" || v.Apps[id] != "" {
			continue
		}
		app, err := tx.App(id)
		if err != nil {
			return err
		}
		v.Apps[id] = app.Name
	}
	for _, r := range v.Progress.Reviewers {
		if err := v.Names.add(tx, r.Reviewer); err != nil {
			return err
		}
		if p := v.Names[r.Reviewer]; r.Total > r.Submitted && (p.Status != console.PersonActive || p.MergedInto != "") {
			v.Left = append(v.Left, r.Reviewer)
		}
	}
	if v.NoMeter {
		for i := range v.Progress.Reviewers {
			r := &v.Progress.Reviewers[i]
			r.Seconds, r.Bulk, r.Batch = 0, 0, 0
		}
	}
	if v.Results, err = tx.ResultCounts(v.ID); err != nil {
		return err
	}
	if v.Burn, err = tx.BurnDown(v.ID); err != nil {
		return err
	}
	if v.Disagree, err = tx.CountDisagreements(v.ID); err != nil {
		return err
	}
	if v.State == console.CampaignClosing || v.State == console.CampaignRemediating {
		if v.Removals, err = tx.CountConsoleRemovals(v.ID); err != nil {
			return err
		}
		v.MayCarry = v.Removals > 0 && console.ChangeRoles.Of(me, console.Object{})
	}
	if v.Campaign.Plan == "" {
		return nil
	}
	p, err := tx.Plan(v.Campaign.Plan)
	v.Plan = &p
	return err
}

// PreviewCampaign returns the population that a review with some settings would freeze now, as
// counts. Nothing is stored.
func (c *Console) PreviewCampaign(ctx context.Context, caller Caller, settings console.CampaignSettings) (p console.Population, err error) {
	err = c.read(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := console.AddCampaigns.Check(me, console.Object{}); err != nil {
			return err
		}
		if settings.MaxAge == 0 {
			settings.MaxAge = console.DefaultMaxAge
		}
		p, err = review.Preview(tx, settings, c.now())
		return err
	})
	return p, err
}

// SubmissionView is a submission with the name of its reviewer.
type SubmissionView struct {
	console.ReviewSubmission
	Name string
}

// CampaignSubmissions returns a page of the submissions of a review, the oldest first. Whoever only
// reviews sees the own ones. after is the last one of the previous page.
func (c *Console) CampaignSubmissions(ctx context.Context, caller Caller, id console.ID, after console.ReviewSubmission, n int) (all []SubmissionView, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		all = nil
		_, see, err := seeCampaign(tx, me, id)
		if err != nil {
			return err
		}
		rows, err := tx.Submissions(id, after, n)
		if err != nil {
			return err
		}
		names := Names{}
		for _, s := range rows {
			if !see && s.Reviewer != me.Canonical() {
				continue
			}
			if err := names.add(tx, s.Reviewer); err != nil {
				return err
			}
			all = append(all, SubmissionView{s, names.Of(s.Reviewer)})
		}
		return nil
	})
	return all, err
}

// IncompatibleView is a pair of incompatible entitlements with the number of people who hold both.
type IncompatibleView struct {
	store.IncompatiblePair
	AppName, OtherAppName string
	Author                string
	Holders               int
}

// IncompatibleEntitlements returns the entitlements that are declared incompatible.
func (c *Console) IncompatibleEntitlements(ctx context.Context, caller Caller) (all []IncompatibleView, err error) {
	err = c.read(ctx, caller, reading, func(tx *store.Tx, me console.Person) error {
		all = nil
		if err := console.SeeIncompatible.Check(me, console.Object{}); err != nil {
			return err
		}
		pairs, err := tx.IncompatiblePairs()
		names := Names{}
		for _, p := range pairs {
			if err := names.add(tx, p.Incompatible.Author); err != nil {
				return err
			}
			holders, err := tx.IncompatibleHolders(p)
			if err != nil {
				return err
			}
			v := IncompatibleView{IncompatiblePair: p, Author: names.Of(p.Incompatible.Author), Holders: len(holders)}
			for name, id := range map[*string]console.ID{&v.AppName: p.App, &v.OtherAppName: p.OtherApp} {
				app, err := tx.App(id)
				if err != nil {
					return err
				}
				*name = app.Name
			}
			all = append(all, v)
		}
		return err
	})
	return all, err
}

// NewIncompatible names two entitlements that nobody should hold together.
type NewIncompatible struct {
	App              console.ID
	Entitlement      console.EntitlementKey
	OtherApp         console.ID
	OtherEntitlement console.EntitlementKey
	Why              string
}

// DeclareIncompatible declares two entitlements incompatible.
func (c *Console) DeclareIncompatible(ctx context.Context, caller Caller, n NewIncompatible) (id console.ID, err error) {
	err = c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := console.DeclareIncompatible.Check(me, console.Object{}); err != nil {
			return err
		}
		if n.Why, err = because(n.Why); err != nil {
			return err
		}
		for _, side := range []console.Need{{App: n.App, Entitlement: n.Entitlement}, {App: n.OtherApp, Entitlement: n.OtherEntitlement}} {
			if _, err := presentApp(tx, side.App); err != nil {
				return err
			}
			m, err := tx.Moment(side.App, time.Time{})
			if err != nil {
				return err
			}
			if _, err := tx.Entitlement(m, side.Entitlement); err != nil {
				return err
			}
		}
		x, err := tx.AddIncompatible(console.Incompatible{App: n.App, Entitlement: n.Entitlement, OtherApp: n.OtherApp, OtherEntitlement: n.OtherEntitlement, Why: n.Why})
		id = x.ID
		return err
	})
	return id, err
}

// EndIncompatible ends the declaration that two entitlements are incompatible.
func (c *Console) EndIncompatible(ctx context.Context, caller Caller, id console.ID, why string) error {
	return c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := console.DeclareIncompatible.Check(me, console.Object{}); err != nil {
			return err
		}
		why, err := because(why)
		if err != nil {
			return err
		}
		return tx.EndIncompatible(id, why)
	})
}
