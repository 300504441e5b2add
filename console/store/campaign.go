package store

import (
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const campaignColumns = "id, state, settings, template, created, author, staged, started, ends, closed, finished, plan, why, version"

func scanCampaign(r engine.Row) console.Campaign {
	c := console.Campaign{ID: console.ID(r.Text(0)), State: console.CampaignState(r.Text(1)), Template: console.ID(r.Text(3)), Created: at(r, 4), Author: decodeActor(r.Bytes(5)),
		Started: at(r, 7), Ends: at(r, 8), Closed: at(r, 9), Finished: at(r, 10), Plan: console.ID(r.Text(11)), Why: str(r, 12), Version: r.Int(13)}
	decode(r.Bytes(2), &c.CampaignSettings)
	if !r.Null(6) {
		c.Staged = &console.Population{}
		decode(r.Bytes(6), c.Staged)
	}
	return c
}

// CampaignTopic is woken when something about a campaign changed.
func CampaignTopic(id console.ID) string { return "campaign:" + string(id) }

func (t *Tx) campaignEvent(c console.Campaign, kind string, data any) error {
	t.Wake(CampaignTopic(c.ID))
	return t.event(console.Event{Kind: kind, Object: string(c.ID)}, data)
}

// AddCampaign adds a draft or a template. It sets an empty ID.
func (t *Tx) AddCampaign(c console.Campaign) (console.Campaign, error) {
	if c.State == "" {
		c.State = console.CampaignDraft
	}
	if c.State != console.CampaignDraft && c.State != console.CampaignTemplate {
		return c, baton.Errorf(baton.Invalid, "a new campaign is a draft or a template")
	}
	if err := c.Check(); err != nil {
		return c, err
	}
	if c.ID == "" {
		c.ID = console.NewID(t.by.At)
	}
	c.Created, c.Author, c.Version = t.by.At, t.by.Actor, 1
	if err := t.insert("campaign", "INSERT INTO campaign (id, name, state, settings, template, created, author, why, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)",
		c.ID, []byte(c.Name), c.State, encode(c.CampaignSettings), null(c.Template), c.Created, encodeActor(c.Author), []byte{}); err != nil {
		return c, err
	}
	if err := t.setOwners("campaign_owner", "campaign", c.ID, c.Owners); err != nil {
		return c, err
	}
	if err := t.campaignDue(c); err != nil {
		return c, err
	}
	return c, t.campaignEvent(c, "campaign.added", map[string]any{"state": c.State, "settings": c.CampaignSettings, "owners": c.Owners, "template": c.Template})
}

// campaignDue makes the worker look at a campaign if it has something to do about it.
func (t *Tx) campaignDue(c console.Campaign) error {
	when := t.by.At
	switch {
	case c.State == console.CampaignTemplate:
		if when = c.Next(t.by.At); when.IsZero() {
			return nil
		}
	case c.State == console.CampaignDraft && !c.StartsByItself(), c.State == console.CampaignStaged && !c.AutoStart, c.State == console.CampaignCancelled:
		return nil
	}
	return t.DueBy(console.DueCampaign, string(c.ID), when)
}

// ChangeCampaign changes the settings and the owners of a campaign. c.Version is the version that the
// person saw. Once the population is frozen, only texts, owners, reminders and the end change.
func (t *Tx) ChangeCampaign(c console.Campaign) (console.Campaign, error) {
	have, err := t.LockCampaign(c.ID)
	if err != nil {
		return c, err
	}
	if err := checkVersion("the campaign", have.Version, c.Version); err != nil {
		return c, err
	}
	if err := c.Check(); err != nil {
		return c, err
	}
	switch {
	case have.State.Ended():
		return c, baton.Errorf(baton.Refused, "the campaign is over").WithFix("Make a new one.")
	case have.State == console.CampaignPreparing:
		return c, baton.Errorf(baton.Refused, "the population is being frozen").WithFix("Wait until it is staged.")
	case have.State.Frozen():
		frozen := have.CampaignSettings
		frozen.Description, frozen.Instructions, frozen.NoReminders, frozen.AutoClose, frozen.AutoStart = c.Description, c.Instructions, c.NoReminders, c.AutoClose, c.AutoStart
		if string(encode(frozen)) != string(encode(c.CampaignSettings)) {
			return c, baton.Errorf(baton.Refused, "the population is frozen: only texts, owners, reminders and the end can change").WithFix("Go back to the draft, if the campaign has not started.")
		}
		if have.State == console.CampaignRunning && !c.Ends.IsZero() {
			have.Ends = c.Ends
		}
	}
	before := have
	have.CampaignSettings, have.Owners = c.CampaignSettings, c.Owners
	if err := t.change("campaign", "UPDATE campaign SET name = $2, settings = $3, ends = $4, version = version + 1 WHERE id = $1", have.ID, []byte(have.Name), encode(have.CampaignSettings), have.Ends); err != nil {
		return c, err
	}
	if err := t.setOwners("campaign_owner", "campaign", have.ID, have.Owners); err != nil {
		return c, err
	}
	have.Version++
	if err := t.campaignDue(have); err != nil {
		return c, err
	}
	return have, t.campaignEvent(have, "campaign.changed", map[string]any{"before": before.CampaignSettings, "after": have.CampaignSettings, "owners": have.Owners, "ends": timeOrNil(have.Ends)})
}

// SetCampaignPlan records the plan of a campaign's removals.
func (t *Tx) SetCampaignPlan(c console.Campaign, plan console.ID) error {
	if err := t.change("campaign", "UPDATE campaign SET plan = $2, version = version + 1 WHERE id = $1", c.ID, plan); err != nil {
		return err
	}
	return t.campaignEvent(c, "campaign.planned", map[string]any{"plan": plan})
}

// CampaignWaits records why a campaign that starts by itself has not been prepared yet. It appends an
// event only if that is new.
func (t *Tx) CampaignWaits(c console.Campaign, why string) error {
	if c.Why == why {
		return nil
	}
	if err := t.change("campaign", "UPDATE campaign SET why = $2, version = version + 1 WHERE id = $1", c.ID, []byte(why)); err != nil {
		return err
	}
	return t.campaignEvent(c, "campaign.waiting", map[string]any{"why": why, "name": c.Name, "owners": c.Owners})
}

// CampaignMove holds what changes with the state of a campaign. Fields that are zero stay.
type CampaignMove struct {
	To     console.CampaignState
	Staged *console.Population
	Ends   time.Time
	Plan   console.ID
	Why    string // of a failed preparation, or a cancellation
	Data   any    // of the event
}

// MoveCampaign changes the state of a campaign.
func (t *Tx) MoveCampaign(id console.ID, m CampaignMove) (console.Campaign, error) {
	c, err := t.LockCampaign(id)
	if err != nil {
		return c, err
	}
	if !c.State.CanBecome(m.To) {
		return c, baton.Errorf(baton.Refused, "a campaign that is %s does not become %s", c.State, m.To).WithFix("Reload the campaign.")
	}
	c.State, c.Why = m.To, m.Why
	if m.Staged != nil {
		c.Staged = m.Staged
	}
	if m.Plan != "" {
		c.Plan = m.Plan
	}
	switch m.To {
	case console.CampaignDraft:
		c.Staged = nil
		if err := t.clearReview(id); err != nil {
			return c, err
		}
	case console.CampaignRunning:
		c.Started, c.Ends = t.by.At, m.Ends
	case console.CampaignClosing:
		c.Closed = t.by.At
	case console.CampaignComplete, console.CampaignCancelled:
		c.Finished = t.by.At
	}
	var staged any
	if c.Staged != nil {
		staged = encode(c.Staged)
	}
	if err := t.change("campaign", "UPDATE campaign SET state = $2, staged = $3, started = $4, ends = $5, closed = $6, finished = $7, plan = $8, why = $9, version = version + 1 WHERE id = $1",
		id, c.State, staged, c.Started, c.Ends, c.Closed, c.Finished, null(c.Plan), []byte(c.Why)); err != nil {
		return c, err
	}
	c.Version++
	if err := t.campaignDue(c); err != nil {
		return c, err
	}
	return c, t.campaignEvent(c, "campaign."+string(c.State), m.Data)
}

// LockCampaign returns a campaign and prevents other changes to it until the transaction ends.
func (t *Tx) LockCampaign(id console.ID) (console.Campaign, error) {
	return t.campaign("SELECT "+campaignColumns+" FROM campaign WHERE id = $1 FOR UPDATE", id)
}

// HoldCampaign returns a campaign and prevents changes of its state until the transaction ends.
// Several transactions may hold the same campaign.
func (t *Tx) HoldCampaign(id console.ID) (console.Campaign, error) {
	return t.campaign("SELECT "+campaignColumns+" FROM campaign WHERE id = $1 FOR SHARE", id)
}

// Campaign returns a campaign.
func (t *Tx) Campaign(id console.ID) (console.Campaign, error) {
	return t.campaign("SELECT "+campaignColumns+" FROM campaign WHERE id = $1", id)
}

func (t *Tx) campaign(sql string, id console.ID) (console.Campaign, error) {
	c, err := get(t, scanCampaign, "campaign", sql, id)
	if err == nil {
		c.Owners, err = t.owners("campaign_owner", "campaign", id)
	}
	return c, err
}

// CampaignFilter selects campaigns.
type CampaignFilter struct {
	States   []console.CampaignState // none: all but templates
	Owner    console.ID              // whom they belong to; "" for all
	Reviewer console.ID              // who has open items in them; "" for all
	// OwnerOrReviewer is somebody whom they belong to, or who reviews in them; "" for all.
	OwnerOrReviewer console.ID
	Template        console.ID // that they were made from
}

// Campaigns returns up to n campaigns, the newest first, that are older than the one with an ID; ""
// for the newest.
func (t *Tx) Campaigns(f CampaignFilter, before console.ID, n int) ([]console.Campaign, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	var s statement
	sql := "SELECT " + campaignColumns + " FROM campaign c WHERE 1 = 1"
	states := f.States
	if len(states) == 0 {
		states = slices.DeleteFunc(console.CampaignStates(), func(s console.CampaignState) bool { return s == console.CampaignTemplate })
	}
	sql += " AND state IN (" + keyList(&s, states) + ")"
	if before != "" {
		sql += " AND id < " + s.arg(before)
	}
	if f.Template != "" {
		sql += " AND template = " + s.arg(f.Template)
	}
	owns := func(id console.ID) string {
		return "EXISTS (SELECT 1 FROM campaign_owner o WHERE o.campaign = c.id AND o.person = " + s.arg(id) + ")"
	}
	reviews := func(id console.ID) string {
		return "EXISTS (SELECT 1 FROM review_progress p WHERE p.campaign = c.id AND p.dimension = 'reviewer' AND p.total > 0 AND p.key = " + s.arg(id) + ")"
	}
	if f.Owner != "" {
		sql += " AND " + owns(f.Owner)
	}
	if f.Reviewer != "" {
		sql += " AND " + reviews(f.Reviewer)
	}
	if f.OwnerOrReviewer != "" {
		sql += " AND (" + owns(f.OwnerOrReviewer) + " OR " + reviews(f.OwnerOrReviewer) + ")"
	}
	all, err := list(t, scanCampaign, sql+" ORDER BY id DESC LIMIT "+s.arg(n), s.args...)
	for i := range all {
		if err == nil {
			all[i].Owners, err = t.owners("campaign_owner", "campaign", all[i].ID)
		}
	}
	return all, err
}
