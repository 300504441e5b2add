package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
)

// Campaign is a review of access: a population that is frozen once, and the decisions of people about
// each of its items.
type Campaign struct {
	ID ID
	CampaignSettings
	Owners   []ID // canonical persons
	State    CampaignState
	Why      string // why preparing failed, or why it was cancelled
	Template ID     // the template that it was made from; "" for none
	Created  time.Time
	Author   Actor
	Staged   *Population // nil until it is staged
	Started  time.Time
	Ends     time.Time // when decisions are due; zero until it starts
	Closed   time.Time // when decisions ended
	Finished time.Time // when it was complete or cancelled
	Plan     ID        // the plan of its removals; "" for none
	Version  int64
}

// CampaignSettings holds what the owners of a campaign choose. From staging on, only the instructions
// and the reminders change.
type CampaignSettings struct {
	Name         string      `json:"name"`
	Description  string      `json:"description,omitempty"`
	Instructions string      `json:"instructions,omitempty"`
	Scope        ReviewScope `json:"scope"`
	// Reviewers lists who decides about an item. If none of them may, the first alternative in Fallback
	// with somebody who may is asked.
	Reviewers []Approver  `json:"reviewers"`
	Fallback  []Approver  `json:"fallback,omitempty"`
	Outcome   OutcomeRule `json:"outcome"`
	// Unanswered says what happens at the end to items that nobody decided.
	Unanswered UnansweredChoice `json:"unanswered"`
	Cap        int              `json:"cap,omitempty"` // removals of unanswered items, at most; for [UnansweredRemove]
	Lasts      Duration         `json:"lasts"`         // from the start until decisions are due
	// MaxAge is how old the newest sync of a source may be when the population is frozen.
	MaxAge      Duration `json:"max_age"`
	NoReminders bool     `json:"no_reminders,omitempty"`
	// NoMeter leaves out how long reviewers took, where the law asks for that.
	NoMeter bool `json:"no_meter,omitempty"`
	// Sample is the share of decided items, in percent, that a second reviewer sees again.
	Sample    int        `json:"sample,omitempty"`
	AutoStart bool       `json:"auto_start,omitempty"` // starts as soon as it is staged
	AutoClose bool       `json:"auto_close,omitempty"` // closes when decisions are due
	Repeats   Recurrence `json:"repeats,omitempty"`    // of a template
	First     time.Time  `json:"first,omitzero"`       // when the first campaign of a template begins
}

// StartsByItself reports whether the console prepares and starts the campaign without a person: it was
// made from a template, or by an automation.
func (c Campaign) StartsByItself() bool {
	return c.AutoStart && (c.Template != "" || c.ByAutomation())
}

// ByAutomation reports whether an automation made the campaign.
func (c Campaign) ByAutomation() bool { return c.Author.Kind == ActorAutomation }

// CampaignState is the state of a campaign.
type CampaignState string

const (
	CampaignTemplate    CampaignState = "template"    // settings from which campaigns are made
	CampaignDraft       CampaignState = "draft"       // its settings can change
	CampaignPreparing   CampaignState = "preparing"   // the population is being frozen
	CampaignStaged      CampaignState = "staged"      // the population is frozen
	CampaignRunning     CampaignState = "running"     // reviewers decide
	CampaignClosing     CampaignState = "closing"     // decisions ended; removals are not planned or not applied
	CampaignRemediating CampaignState = "remediating" // removals are carried out
	CampaignVerifying   CampaignState = "verifying"   // later syncs show what became of them
	CampaignComplete    CampaignState = "complete"
	CampaignCancelled   CampaignState = "cancelled"
)

// CampaignStates lists the states of campaigns in their order.
func CampaignStates() []CampaignState {
	return []CampaignState{CampaignTemplate, CampaignDraft, CampaignPreparing, CampaignStaged, CampaignRunning, CampaignClosing, CampaignRemediating, CampaignVerifying, CampaignComplete, CampaignCancelled}
}

var campaignTransitions = map[CampaignState][]CampaignState{
	CampaignDraft:       {CampaignPreparing, CampaignCancelled},
	CampaignPreparing:   {CampaignDraft, CampaignStaged, CampaignCancelled},
	CampaignStaged:      {CampaignDraft, CampaignRunning, CampaignCancelled},
	CampaignRunning:     {CampaignClosing, CampaignCancelled},
	CampaignClosing:     {CampaignRemediating, CampaignCancelled},
	CampaignRemediating: {CampaignVerifying},
	CampaignVerifying:   {CampaignComplete},
	CampaignTemplate:    {CampaignCancelled},
}

// CanBecome reports whether a campaign in state s can change to another state.
func (s CampaignState) CanBecome(next CampaignState) bool {
	return slices.Contains(campaignTransitions[s], next)
}

// Ended reports whether nothing changes any more.
func (s CampaignState) Ended() bool { return s == CampaignComplete || s == CampaignCancelled }

// Frozen reports whether a population exists.
func (s CampaignState) Frozen() bool {
	return s == CampaignStaged || s == CampaignRunning || s == CampaignClosing || s == CampaignRemediating || s == CampaignVerifying || s == CampaignComplete
}

// Label returns the name of a state for display.
func (s CampaignState) Label() string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(string(s[:1])) + string(s[1:])
}

// UnansweredChoice says what happens to items that nobody decided.
type UnansweredChoice string

const (
	// UnansweredKeep keeps the access, and tells the owners of the campaign and of the applications.
	UnansweredKeep UnansweredChoice = "keep"
	// UnansweredRemove proposes to remove it. A person applies the plan, and the cap limits it.
	UnansweredRemove UnansweredChoice = "remove"
)

// Recurrence is how often a template makes a campaign.
type Recurrence string

const (
	Once       Recurrence = ""
	Monthly    Recurrence = "monthly"
	Quarterly  Recurrence = "quarterly"
	HalfYearly Recurrence = "half-yearly"
	Yearly     Recurrence = "yearly"
)

var recurrenceMonths = map[Recurrence]int{Once: 0, Monthly: 1, Quarterly: 3, HalfYearly: 6, Yearly: 12}

// Recurrences lists how often a template can make a campaign.
func Recurrences() []Recurrence { return []Recurrence{Once, Monthly, Quarterly, HalfYearly, Yearly} }

// Next returns the first time after now at which a template makes a campaign; zero if there is none.
// A month without the day of the first time has it on its last day.
func (s CampaignSettings) Next(now time.Time) time.Time {
	months := recurrenceMonths[s.Repeats]
	switch {
	case s.First.IsZero():
		return time.Time{}
	case s.First.After(now):
		return s.First
	case months == 0:
		return time.Time{}
	}
	passed := (now.Year()-s.First.Year())*12 + int(now.Month()) - int(s.First.Month())
	for n := passed/months - 1; ; n++ {
		if at := AddMonths(s.First, max(n, 0)*months); at.After(now) {
			return at
		}
	}
}

const (
	maxCampaignName  = 200
	maxCampaignText  = 20000
	maxCampaignCap   = 1000
	maxCampaignLasts = 366 * day
	// DefaultMaxAge is how old the newest sync of a source may be if the campaign names no age.
	DefaultMaxAge = 2 * day
	// DefaultLasts is how long reviewers have if the campaign does not say.
	DefaultLasts = 14 * day
)

// Check returns an error if the settings are invalid.
func (s CampaignSettings) Check() error {
	switch {
	case strings.TrimSpace(s.Name) == "" || len(s.Name) > maxCampaignName:
		return baton.Errorf(baton.Invalid, "a campaign needs a name of at most %d bytes", maxCampaignName)
	case len(s.Description) > maxCampaignText || len(s.Instructions) > maxCampaignText:
		return baton.Errorf(baton.Invalid, "a text of a campaign has at most %d bytes", maxCampaignText)
	case len(s.Reviewers) == 0:
		return baton.Errorf(baton.Invalid, "the campaign names no reviewers").WithFix("Choose the manager, the owners of the application, or people.")
	case s.Unanswered != UnansweredKeep && s.Unanswered != UnansweredRemove:
		return baton.Errorf(baton.Invalid, "there is no choice %q for what nobody answered", s.Unanswered).WithFix("Choose keep or remove.")
	case s.Unanswered == UnansweredRemove && s.Cap < 1:
		return baton.Errorf(baton.Invalid, "removing what nobody answered needs a cap").WithFix("Say how many accesses may be removed at most.")
	case s.Cap < 0 || s.Cap > maxCampaignCap:
		return baton.Errorf(baton.Invalid, "the cap is 1 to %d", maxCampaignCap)
	case s.Lasts <= 0 || s.Lasts > maxCampaignLasts:
		return baton.Errorf(baton.Invalid, "reviewers have 1 to 366 days")
	case s.MaxAge <= 0 || s.MaxAge > 31*day:
		return baton.Errorf(baton.Invalid, "the newest sync of a source is at most 31 days old")
	case s.Sample < 0 || s.Sample > 100:
		return baton.Errorf(baton.Invalid, "a sample is 0 to 100 percent")
	case !slices.Contains(Recurrences(), s.Repeats):
		return baton.Errorf(baton.Invalid, "there is no recurrence %q", s.Repeats).WithFix("Choose monthly, quarterly, half-yearly or yearly.")
	case s.Repeats != Once && s.First.IsZero():
		return baton.Errorf(baton.Invalid, "a recurring campaign needs the day of the first one")
	}
	for _, a := range append(slices.Clone(s.Reviewers), s.Fallback...) {
		if a.Kind == ApproverExpression {
			return baton.Errorf(baton.Invalid, "reviewers cannot be named by an expression").WithFix("Choose the manager, the owners of the application, or people.")
		}
		if err := a.check(nil); err != nil {
			return baton.Errorf(baton.Invalid, "reviewers: %v", err)
		}
	}
	if err := s.Outcome.Check(); err != nil {
		return err
	}
	return s.Scope.Check()
}

// Population says what a campaign froze, and from which syncs.
type Population struct {
	At       time.Time          `json:"at"`
	Items    int                `json:"items"`
	Digest   Hash               `json:"digest"` // of the items, see [DigestItems]
	Sources  []PopulationSource `json:"sources"`
	Override *GateOverride      `json:"override,omitempty"`
	// Unassigned counts the items for which nobody may decide.
	Unassigned int `json:"unassigned,omitempty"`
}

// PopulationSource is one connector whose facts were read, and the sync that showed them.
type PopulationSource struct {
	App           ID         `json:"app"`
	AppName       string     `json:"app_name"`
	Connector     ID         `json:"connector"`
	ConnectorName string     `json:"connector_name"`
	Sync          ID         `json:"sync,omitempty"` // "" if no sync was applied
	Number        SyncNumber `json:"number,omitempty"`
	Began         time.Time  `json:"began,omitzero"`
	Received      time.Time  `json:"received,omitzero"`
	SHA256        string     `json:"sha256,omitempty"` // of the c1z
	File          ID         `json:"file,omitempty"`
	Counts        Counts     `json:"counts"` // of the whole file
	Problem       string     `json:"problem,omitempty"`
	Items         int        `json:"items"`
	// Excluded counts the facts that are no items, by reason.
	Excluded map[string]int `json:"excluded,omitempty"`
}

// GateOverride records who froze a population although a source did not pass the accuracy gate.
type GateOverride struct {
	Person   ID        `json:"person"`
	Why      string    `json:"why"`
	At       time.Time `json:"at"`
	Problems []string  `json:"problems"`
}

// GateSource holds the data about one connector that the accuracy gate checks.
type GateSource struct {
	App, Connector ID
	Name           string // of the connector
	Began          time.Time
	Held           bool // its newest sync is held
	Failed         bool // its last sync failed
}

// Gate returns what keeps the sources from being accurate enough to freeze a population; nothing if
// all are.
func Gate(sources []GateSource, maxAge Duration, now time.Time) (problems []string) {
	for _, s := range sources {
		if p := s.Problem(maxAge, now); p != "" {
			problems = append(problems, s.Name+": "+p)
		}
	}
	return problems
}

// Problem returns why the newest sync of the source is not accurate enough; "" if it is.
func (s GateSource) Problem(maxAge Duration, now time.Time) string {
	switch {
	case s.Began.IsZero():
		return "no sync was applied yet"
	case s.Held:
		return "the newest sync is held"
	case s.Failed:
		return "the last sync failed"
	case now.Sub(s.Began) > time.Duration(maxAge):
		return fmt.Sprintf("the newest sync is %s old; the limit is %s", Duration(now.Sub(s.Began).Truncate(time.Minute)).Words(), maxAge.Words())
	}
	return ""
}

// DueCampaign is the kind of the due rows of campaigns and templates for which the console has
// something to do: freeze the population, start, remind, close, verify. They refer to the campaign.
const DueCampaign = "campaign"

// Reminders lists how long before the end reviewers with open items are reminded.
func Reminders() []time.Duration {
	return []time.Duration{7 * 24 * time.Hour, 3 * 24 * time.Hour, 24 * time.Hour}
}

// NextReminder returns when reviewers are reminded next; zero if they are not. After the end, they
// are reminded every day while the campaign is open.
func (c Campaign) NextReminder(now time.Time) time.Time {
	if c.NoReminders || c.State != CampaignRunning || c.Ends.IsZero() {
		return time.Time{}
	}
	for _, before := range Reminders() {
		if at := c.Ends.Add(-before); at.After(now) && at.After(c.Started) {
			return at
		}
	}
	if c.Ends.After(now) {
		return c.Ends
	}
	days := now.Sub(c.Ends)/(24*time.Hour) + 1
	return c.Ends.Add(days * 24 * time.Hour)
}
