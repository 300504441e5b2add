package evidence

import (
	"crypto/sha256"
	"time"

	"baton/console"
)

// Rows are the lines of members, as JSON. The order of their fields is part of the format.

// campaignRow is the content of campaign.json.
type campaignRow struct {
	ID       console.ID               `json:"id"`
	State    console.CampaignState    `json:"state"`
	Why      string                   `json:"why,omitempty"`
	Settings console.CampaignSettings `json:"settings"`
	Version  int64                    `json:"version"`
	Owners   []console.ID             `json:"owners"`
	Author   console.Actor            `json:"author"`
	Template console.ID               `json:"template,omitempty"`
	Created  time.Time                `json:"created"`
	Frozen   time.Time                `json:"frozen,omitzero"`
	Started  time.Time                `json:"started,omitzero"`
	Ends     time.Time                `json:"ends,omitzero"`
	Closed   time.Time                `json:"closed,omitzero"`
	Finished time.Time                `json:"finished,omitzero"`
	Items    int                      `json:"items"`
	Digest   console.Hash             `json:"digest"` // of the population
	Override *console.GateOverride    `json:"override,omitempty"`
}

func campaignOf(c console.Campaign) campaignRow {
	r := campaignRow{ID: c.ID, State: c.State, Why: c.Why, Settings: c.CampaignSettings, Version: c.Version, Owners: c.Owners, Author: c.Author, Template: c.Template,
		Created: utc(c.Created), Started: utc(c.Started), Ends: utc(c.Ends), Closed: utc(c.Closed), Finished: utc(c.Finished)}
	if r.Owners == nil {
		r.Owners = []console.ID{}
	}
	if s := c.Staged; s != nil {
		r.Frozen, r.Items, r.Digest, r.Override = utc(s.At), s.Items, s.Digest, s.Override
	}
	return r
}

// sourceRow says from which sync a part of the population came.
type sourceRow = console.PopulationSource

// itemRow is an item of the population, as it was frozen.
type itemRow struct {
	Item        int                    `json:"item"`
	Kind        console.ReviewKind     `json:"kind"`
	App         console.ID             `json:"app,omitempty"`
	Account     console.ResourceKey    `json:"account,omitempty"`
	Entitlement console.EntitlementKey `json:"entitlement"`
	Object      string                 `json:"object,omitempty"`
	Person      console.ID             `json:"person,omitempty"`
	Admin       bool                   `json:"admin,omitempty"`
	Sync        console.SyncNumber     `json:"sync,omitempty"`
	Hash        console.Hash           `json:"hash"` // of what was shown, as it was frozen
	// Erased means that personal data was removed from what was shown.
	Erased bool                `json:"erased,omitempty"`
	Shown  console.ReviewShown `json:"shown"`
}

func itemOf(i console.ReviewItem) itemRow {
	return itemRow{Item: i.Number, Kind: i.Kind, App: i.App, Account: i.Account, Entitlement: i.Entitlement, Object: i.Object, Person: i.Person, Admin: i.Admin,
		Sync: i.Sync, Hash: i.Hash, Erased: console.HashShown(i.Shown.Encode()) != i.Hash, Shown: i.Shown}
}

// member returns the name of the member with an item, without its ending.
func (r itemRow) member() string {
	if r.App == "" {
		return "population/console"
	}
	return "population/" + string(r.App)
}

type assignmentRow struct {
	Item     int           `json:"item"`
	Reviewer console.ID    `json:"reviewer"`
	Why      string        `json:"why"`
	By       console.Actor `json:"by"`
	At       time.Time     `json:"at"`
	Ended    time.Time     `json:"ended,omitzero"`
	EndedWhy string        `json:"ended_why,omitempty"`
}

func assignmentOf(a console.ReviewAssignment) assignmentRow {
	return assignmentRow{a.Item, a.Reviewer, a.Why, a.By, utc(a.At), utc(a.Ended), a.EndedWhy}
}

// decidedRow is the part of a decision that the digest of its submission covers, in the form in which
// it is hashed.
type decidedRow struct {
	Item     int                  `json:"item"`
	Reviewer console.ID           `json:"reviewer"`
	For      console.ID           `json:"for,omitempty"`
	Choice   console.ReviewChoice `json:"choice"`
	Until    string               `json:"until,omitempty"`
	Note     string               `json:"note_sha256,omitempty"`
	At       string               `json:"at"`
	Shown    string               `json:"shown"`
	Sync     console.SyncNumber   `json:"sync"`
	Seconds  int                  `json:"seconds"`
	Batch    int                  `json:"batch"`
	Eligible string               `json:"eligible"`
}

// decisionRow is a submitted decision.
type decisionRow struct {
	decidedRow
	Submission console.ID `json:"submission"`
	Submitted  time.Time  `json:"submitted"`
	NoteText   string     `json:"note,omitempty"`
}

func decisionOf(d console.ReviewDecision) decisionRow {
	r := decisionRow{decidedRow{Item: d.Item, Reviewer: d.Reviewer, For: d.For, Choice: d.Choice, At: d.At.UTC().Format(time.RFC3339Nano), Shown: d.Hash.String(),
		Sync: d.Sync, Seconds: d.Seconds, Batch: d.Batch, Eligible: d.Eligible}, d.Submission, utc(d.Submitted), d.Note}
	if !d.Until.IsZero() {
		r.Until = d.Until.UTC().Format(time.RFC3339Nano)
	}
	if d.Note != "" {
		r.Note = console.Hash(sha256.Sum256([]byte(d.Note))).String()
	}
	return r
}

// unansweredRow is an item that has no outcome from decisions.
type unansweredRow struct {
	Item   int                  `json:"item"`
	Choice console.ReviewChoice `json:"choice,omitempty"` // what the campaign chose for it; "" before its end
	Result string               `json:"result,omitempty"`
}

// resultRow holds the outcome of an item and its result.
type resultRow struct {
	Item       int                  `json:"item"`
	Choice     console.ReviewChoice `json:"choice,omitempty"`
	Until      time.Time            `json:"until,omitzero"`
	By         []console.ID         `json:"by,omitempty"`
	Unanswered bool                 `json:"unanswered,omitempty"`
	Settled    time.Time            `json:"settled,omitzero"`
	Sampled    bool                 `json:"sampled,omitempty"`
	Gone       time.Time            `json:"gone,omitzero"`
	Result     string               `json:"result,omitempty"`
	Operation  console.ID           `json:"operation,omitempty"`
	Detail     string               `json:"detail,omitempty"`
}

func resultOf(i console.ReviewItem) resultRow {
	r := resultRow{Item: i.Number, Settled: utc(i.Settled), Sampled: i.Sampled, Gone: utc(i.Gone), Result: string(i.Result), Operation: i.Operation, Detail: i.Detail}
	if o := i.Outcome; o != nil {
		r.Choice, r.Until, r.By, r.Unanswered = o.Choice, utc(o.Until), o.By, o.Unanswered
	}
	return r
}

// answered reports whether people decided about the item.
func (r resultRow) answered() bool { return r.Choice != "" && !r.Unanswered }

// ineffective lists the results of removals that did not take effect.
var ineffective = map[string]bool{"not-effective": true, "came-back": true, "failed": true, "blocked": true, "left-out": true}

// utc returns a time in the form that packs have: in UTC, and the zero time as such.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
