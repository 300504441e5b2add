package govern

import (
	"context"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/review"
	"baton/console/store"
)

// seeCampaign returns a campaign that a person may see: by a right, or as one of its reviewers.
func seeCampaign(tx *store.Tx, me console.Person, id console.ID) (c console.Campaign, all bool, err error) {
	if c, err = tx.Campaign(id); err != nil {
		return c, false, err
	}
	all, err = maySeeCampaign(tx, me, c)
	return c, all, err
}

// maySeeCampaign returns an error unless a person may see a campaign. all is whether that is all of it,
// not only the items of a reviewer.
func maySeeCampaign(tx *store.Tx, me console.Person, c console.Campaign) (all bool, err error) {
	if err = console.SeeCampaigns.Check(me, console.Object{Campaign: &c}); err == nil {
		return true, nil
	}
	p, e := tx.ReviewerProgress(c.ID, me.Canonical())
	if e != nil {
		return false, e
	}
	if p.Total > 0 && c.State != console.CampaignStaged {
		return false, nil
	}
	return false, hidden("review", err)
}

// holdCampaign returns a campaign that a person may see, and keeps it in its state until the end of the
// transaction.
func holdCampaign(tx *store.Tx, me console.Person, id console.ID) (console.Campaign, error) {
	c, err := tx.HoldCampaign(id)
	if err == nil {
		_, err = maySeeCampaign(tx, me, c)
	}
	return c, err
}

// runCampaign returns a campaign that a person may run.
func runCampaign(tx *store.Tx, me console.Person, id console.ID) (console.Campaign, error) {
	c, _, err := seeCampaign(tx, me, id)
	if err == nil {
		err = console.RunCampaigns.Check(me, console.Object{Campaign: &c})
	}
	return c, err
}

// changeCampaign runs a command about a campaign by somebody who may run it.
func (c *Console) changeCampaign(ctx context.Context, caller Caller, id console.ID, fn func(tx *store.Tx, me console.Person, campaign console.Campaign) error) error {
	return c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		campaign, err := runCampaign(tx, me, id)
		if err != nil {
			return err
		}
		return fn(tx, me, campaign)
	})
}

// NewCampaign holds the fields of a new campaign or template.
type NewCampaign struct {
	console.CampaignSettings
	Owners   []console.ID // none: the caller
	Template bool
	From     console.ID // the template whose settings it takes; "" for none
}

// AddCampaign adds a draft or a template of a review. Its owners are Campaign Administrators or Super
// Administrators.
func (c *Console) AddCampaign(ctx context.Context, caller Caller, n NewCampaign) (id console.ID, err error) {
	err = c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := console.AddCampaigns.Check(me, console.Object{}); err != nil {
			return err
		}
		campaign := console.Campaign{CampaignSettings: n.CampaignSettings, Owners: n.Owners}
		if n.From != "" {
			t, _, err := seeCampaign(tx, me, n.From)
			if err != nil {
				return err
			}
			name := campaign.Name
			if campaign.CampaignSettings = t.CampaignSettings; strings.TrimSpace(name) != "" {
				campaign.Name = name
			}
			if !n.Template {
				campaign.Repeats, campaign.First = console.Once, time.Time{}
			}
		}
		if n.Template {
			campaign.State = console.CampaignTemplate
		}
		if len(campaign.Owners) == 0 {
			campaign.Owners = []console.ID{me.Canonical()}
		}
		if err := checkCampaign(tx, &campaign); err != nil {
			return err
		}
		campaign, err := tx.AddCampaign(campaign)
		id = campaign.ID
		return err
	})
	return id, err
}

// checkCampaign checks the people and objects that the settings of a campaign name. People can be given
// by their e-mail addresses; it replaces these by their ids.
func checkCampaign(tx *store.Tx, c *console.Campaign) error {
	if len(c.Owners) == 0 {
		return baton.Errorf(baton.Invalid, "a review needs an owner")
	}
	for _, list := range []*[]console.ID{&c.Owners, &c.Scope.People, &c.Scope.Managers} {
		*list = slices.Clone(*list)
		for i, who := range *list {
			id, err := personNamed(tx, who)
			if err != nil {
				return err
			}
			(*list)[i] = id
		}
	}
	for i, id := range c.Owners {
		p, err := tx.Person(id)
		if err != nil {
			return err
		}
		if !slices.Contains(p.Roles, console.CampaignAdministrator) && !slices.Contains(p.Roles, console.SuperAdministrator) {
			return baton.Errorf(baton.Invalid, "%s cannot own a review", p.Name).WithFix("Its owners need the role Campaign Administrator or Super Administrator.")
		}
		c.Owners[i] = p.Canonical()
	}
	slices.Sort(c.Owners)
	c.Owners = slices.Compact(c.Owners)
	for _, app := range c.Scope.Apps {
		if _, err := presentApp(tx, app); err != nil {
			return err
		}
	}
	for _, list := range [][]console.Approver{c.Reviewers, c.Fallback} {
		for _, a := range list {
			if a.Kind != console.ApproverPerson {
				continue
			}
			if _, err := personNamed(tx, a.Person); err != nil {
				return err
			}
		}
	}
	return nil
}

// ChangeCampaign changes the settings and owners of a review. Version is the one that the caller saw.
func (c *Console) ChangeCampaign(ctx context.Context, caller Caller, campaign console.Campaign) error {
	return c.changeCampaign(ctx, caller, campaign.ID, func(tx *store.Tx, me console.Person, have console.Campaign) error {
		if len(campaign.Owners) == 0 {
			campaign.Owners = have.Owners
		}
		if err := checkCampaign(tx, &campaign); err != nil {
			return err
		}
		_, err := tx.ChangeCampaign(campaign)
		return err
	})
}

// PrepareCampaign begins to freeze what a review is about. Sources that are not accurate enough are
// Refused, unless override says why the review may go on without that; the person's name is kept with
// it.
func (c *Console) PrepareCampaign(ctx context.Context, caller Caller, id console.ID, override string) error {
	return c.changeCampaign(ctx, caller, id, func(tx *store.Tx, me console.Person, campaign console.Campaign) error {
		if override = strings.TrimSpace(override); override != "" {
			if err := c.recentOrClient(caller); err != nil {
				return err
			}
			var err error
			if override, err = because(override); err != nil {
				return err
			}
		}
		_, err := review.Prepare(tx, id, override)
		return err
	})
}

// ResetCampaign goes back from the frozen population to the draft. It is refused once the review has
// started.
func (c *Console) ResetCampaign(ctx context.Context, caller Caller, id console.ID) error {
	return c.changeCampaign(ctx, caller, id, func(tx *store.Tx, me console.Person, campaign console.Campaign) error {
		_, err := tx.MoveCampaign(id, store.CampaignMove{To: console.CampaignDraft})
		return err
	})
}

// StartCampaign lets the reviewers decide.
func (c *Console) StartCampaign(ctx context.Context, caller Caller, id console.ID) error {
	return c.changeCampaign(ctx, caller, id, func(tx *store.Tx, me console.Person, campaign console.Campaign) error {
		_, err := review.Start(tx, id)
		return err
	})
}

// CloseCampaign ends the decisions of a review. Removals become a plan, which somebody applies.
func (c *Console) CloseCampaign(ctx context.Context, caller Caller, id console.ID) error {
	return c.changeCampaign(ctx, caller, id, func(tx *store.Tx, me console.Person, campaign console.Campaign) error {
		if err := c.recentOrClient(caller); err != nil {
			return err
		}
		_, err := review.Close(tx, id)
		return err
	})
}

// CancelCampaign ends a review or a template without any consequence. Its decisions stay readable.
func (c *Console) CancelCampaign(ctx context.Context, caller Caller, id console.ID, why string) error {
	return c.changeCampaign(ctx, caller, id, func(tx *store.Tx, me console.Person, campaign console.Campaign) error {
		why, err := because(why)
		if err != nil {
			return err
		}
		if err := c.recentOrClient(caller); err != nil {
			return err
		}
		if campaign.Plan != "" {
			p, err := tx.Plan(campaign.Plan)
			if err != nil {
				return err
			}
			if p.State.Open() {
				return baton.Errorf(baton.Refused, "the plan of the review is open").WithFix("Discard the plan first.")
			}
		}
		_, err = tx.MoveCampaign(id, store.CampaignMove{To: console.CampaignCancelled, Why: why, Data: map[string]any{"why": why}})
		return err
	})
}

// CarryOutConsoleRemovals carries out the removals that were decided about the console itself: roles,
// ownerships and credentials. It needs a Super Administrator; nobody's own are carried out.
func (c *Console) CarryOutConsoleRemovals(ctx context.Context, caller Caller, id console.ID) error {
	return c.change(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		campaign, _, err := seeCampaign(tx, me, id)
		if err != nil {
			return err
		}
		if err := console.ChangeRoles.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		if campaign.State != console.CampaignClosing && campaign.State != console.CampaignRemediating {
			return baton.Errorf(baton.Refused, "a review that is %s has nothing to carry out", campaign.State)
		}
		for after := 0; ; {
			items, err := tx.ReviewItems(id, store.ItemFilter{Choices: []console.ReviewChoice{console.ChooseRemove}}, after, store.PageSize)
			if err != nil {
				return err
			}
			for _, i := range items {
				after = i.Number
				if i.Kind == console.ReviewAccess || i.Result != console.ItemNone {
					continue
				}
				if err := review.RemoveConsole(tx, campaign, i, me.Canonical()); err != nil {
					return err
				}
			}
			if len(items) < store.PageSize {
				return tx.DueBy(console.DueCampaign, string(id), c.now())
			}
		}
	})
}

// SampleCampaign draws a random share of the decided items, which another person reviews again. The
// outcomes stay; the second decisions show whether they agree. The person can be given by an e-mail
// address.
func (c *Console) SampleCampaign(ctx context.Context, caller Caller, id console.ID, percent int, reviewer console.ID) (n int, err error) {
	err = c.changeCampaign(ctx, caller, id, func(tx *store.Tx, me console.Person, campaign console.Campaign) error {
		id, err := personNamed(tx, reviewer)
		if err == nil {
			n, err = review.Sample(tx, campaign, percent, id)
		}
		return err
	})
	return n, err
}
