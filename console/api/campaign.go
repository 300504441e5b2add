package api

import (
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// campaignSettings holds what the owners of a review choose.
type campaignSettings struct {
	DisplayName  string       `json:"displayName"`
	Description  string       `json:"description"`
	Instructions string       `json:"instructions"`
	Scope        reviewScope  `json:"scope"`
	Reviewers    list[string] `json:"reviewers"` // "manager", "app-owner", "role:security-officer", an e-mail address …
	Fallback     list[string] `json:"fallback"`
	Outcome      string       `json:"outcome"` // "one", "all", "majority"
	Wins         string       `json:"wins"`    // "remove" or "keep", where reviewers disagree
	Unanswered   string       `json:"unanswered"`
	Cap          int          `json:"cap"`
	Lasts        string       `json:"lasts"`  // "14d"
	MaxAge       string       `json:"maxAge"` // "48h"
	NoReminders  bool         `json:"noReminders"`
	NoMeter      bool         `json:"noMeter"`
	AutoStart    bool         `json:"autoStart"`
	AutoClose    bool         `json:"autoClose"`
	Repeats      string       `json:"repeats"` // of a template: "monthly", "quarterly", "half-yearly", "yearly"
	FirstAt      string       `json:"firstAt"`
}

type reviewScope struct {
	AppIDs            list[string] `json:"appIds"`
	AppEntitlementIDs list[string] `json:"appEntitlementIds"`
	AppUserIDs        list[string] `json:"appUserIds"`
	Admins            bool         `json:"admins"`
	UserIDs           list[string] `json:"userIds"`
	ManagerIDs        list[string] `json:"managerIds"`
	Departments       list[string] `json:"departments"`
	Accounts          list[string] `json:"accounts"` // "unowned", "disabled", "service", "orphaned"
	States            list[string] `json:"states"`   // "unexplained", "came-back", "overdue", "baseline"
	NewSince          string       `json:"newSince"`
	NewWithin         string       `json:"newWithin"`
	Permanent         bool         `json:"permanent"`
	Incompatible      bool         `json:"incompatible"`
	Existence         bool         `json:"existence"`
	Console           bool         `json:"console"`
	OnlyConsole       bool         `json:"onlyConsole"`
}

func texts[T ~string](all []T) (s list[string]) {
	for _, x := range all {
		s = append(s, string(x))
	}
	return s
}

func typed[T ~string](all list[string]) (s []T) {
	for _, x := range all {
		s = append(s, T(x))
	}
	return s
}

func campaignSettingsOf(s console.CampaignSettings) campaignSettings {
	m := campaignSettings{DisplayName: s.Name, Description: s.Description, Instructions: s.Instructions, Outcome: string(s.Outcome.Kind), Wins: string(s.Outcome.Wins), Unanswered: string(s.Unanswered), Cap: s.Cap,
		Lasts: s.Lasts.String(), MaxAge: s.MaxAge.String(), NoReminders: s.NoReminders, NoMeter: s.NoMeter, AutoStart: s.AutoStart, AutoClose: s.AutoClose, Repeats: string(s.Repeats), FirstAt: textTime(s.First)}
	for _, a := range s.Reviewers {
		m.Reviewers = append(m.Reviewers, a.Text())
	}
	for _, a := range s.Fallback {
		m.Fallback = append(m.Fallback, a.Text())
	}
	x := s.Scope
	m.Scope = reviewScope{AppIDs: texts(x.Apps), Admins: x.Admins, UserIDs: texts(x.People), ManagerIDs: texts(x.Managers), Departments: x.Departments, Accounts: texts(x.Accounts), States: texts(x.States),
		NewSince: textTime(x.NewSince), Permanent: x.Permanent, Incompatible: x.Incompatible, Existence: x.Existence, Console: x.Console, OnlyConsole: x.OnlyConsole}
	for _, e := range x.Entitlements {
		m.Scope.AppEntitlementIDs = append(m.Scope.AppEntitlementIDs, key(e))
	}
	for _, a := range x.Principals {
		m.Scope.AppUserIDs = append(m.Scope.AppUserIDs, key(a))
	}
	if x.NewWithin > 0 {
		m.Scope.NewWithin = x.NewWithin.String()
	}
	return m
}

func textTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// settings returns the settings of a message. Times and durations that it does not say are those that
// the console proposes.
func (m campaignSettings) settings() (s console.CampaignSettings, err error) {
	x := m.Scope
	s = console.CampaignSettings{Name: m.DisplayName, Description: m.Description, Instructions: m.Instructions, Unanswered: console.UnansweredChoice(m.Unanswered), Cap: m.Cap,
		Outcome:     console.OutcomeRule{Kind: console.OutcomeKind(m.Outcome), Wins: console.ReviewChoice(m.Wins)},
		NoReminders: m.NoReminders, NoMeter: m.NoMeter, AutoStart: m.AutoStart, AutoClose: m.AutoClose, Repeats: console.Recurrence(m.Repeats), Lasts: console.DefaultLasts, MaxAge: console.DefaultMaxAge,
		Scope: console.ReviewScope{Apps: typed[console.ID](x.AppIDs), Admins: x.Admins, People: typed[console.ID](x.UserIDs), Managers: typed[console.ID](x.ManagerIDs), Departments: x.Departments,
			Accounts: typed[console.ReviewAccounts](x.Accounts), States: typed[console.State](x.States), Permanent: x.Permanent, Incompatible: x.Incompatible, Existence: x.Existence, Console: x.Console, OnlyConsole: x.OnlyConsole}}
	if s.Unanswered == "" {
		s.Unanswered = console.UnansweredKeep
	}
	if s.Outcome.Kind == "" {
		s.Outcome.Kind = console.OutcomeOne
	}
	if s.Outcome.Wins == "" {
		s.Outcome.Wins = console.ChooseRemove
	}
	for _, list := range []struct {
		texts []string
		into  *[]console.Approver
	}{{m.Reviewers, &s.Reviewers}, {m.Fallback, &s.Fallback}} {
		for _, text := range list.texts {
			a, err := console.ParseApprover(text)
			if err != nil {
				return s, err
			}
			*list.into = append(*list.into, a)
		}
	}
	for _, text := range x.AppEntitlementIDs {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return s, baton.Errorf(baton.Invalid, "%q is no entitlement", text)
		}
		s.Scope.Entitlements = append(s.Scope.Entitlements, console.EntitlementKey(n))
	}
	for _, text := range x.AppUserIDs {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return s, baton.Errorf(baton.Invalid, "%q is no account", text)
		}
		s.Scope.Principals = append(s.Scope.Principals, console.ResourceKey(n))
	}
	for _, d := range []struct {
		text string
		into *console.Duration
	}{{m.Lasts, &s.Lasts}, {m.MaxAge, &s.MaxAge}, {x.NewWithin, &s.Scope.NewWithin}} {
		if d.text == "" {
			continue
		}
		if *d.into, err = console.ParseDuration(d.text); err != nil {
			return s, err
		}
	}
	for _, t := range []struct {
		text string
		into *time.Time
	}{{m.FirstAt, &s.First}, {x.NewSince, &s.Scope.NewSince}} {
		if t.text == "" {
			continue
		}
		if *t.into, err = untilOf(t.text); err != nil {
			return s, err
		}
	}
	return s, nil
}

// campaign is a review.
type campaign struct {
	ID         string           `json:"id"`
	Settings   campaignSettings `json:"settings"`
	OwnerIDs   list[string]     `json:"ownerIds"`
	State      string           `json:"state"`
	Reason     string           `json:"reason"` // why preparing failed, or why it was cancelled
	TemplateID string           `json:"templateId"`
	CreatedAt  stamp            `json:"createdAt"`
	StartedAt  stamp            `json:"startedAt"`
	EndsAt     stamp            `json:"endsAt"`
	ClosedAt   stamp            `json:"closedAt"`
	FinishedAt stamp            `json:"finishedAt"`
	PlanID     string           `json:"planId"`
	Items      int              `json:"items"`
	Decided    int              `json:"decided"`
	MyItems    int              `json:"myItems"`
	MyPending  int              `json:"myPending"`
	MyDecided  int              `json:"myDecided"` // submitted
	Version    int64            `json:"version,string"`
}

func campaignOf(s govern.CampaignSummary) campaign {
	return campaign{ID: string(s.ID), Settings: campaignSettingsOf(s.CampaignSettings), OwnerIDs: texts(s.Owners), State: string(s.State), Reason: s.Why, TemplateID: string(s.Template), CreatedAt: stamp(s.Created),
		StartedAt: stamp(s.Started), EndsAt: stamp(s.Ends), ClosedAt: stamp(s.Closed), FinishedAt: stamp(s.Finished), PlanID: string(s.Plan), Items: s.Items, Decided: s.Decided,
		MyItems: s.Mine.Total, MyPending: s.Mine.Pending, MyDecided: s.Mine.Submitted, Version: s.Version}
}

type campaignsResponse struct {
	List          list[campaign] `json:"list"`
	NextPageToken string         `json:"nextPageToken"`
}

func listCampaigns(c *call) (*campaignsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	q := govern.CampaignsQuery{N: p.size(), Mine: c.r.URL.Query().Get("mine") == "true"}
	if state := c.r.URL.Query().Get("state"); state != "" {
		q.States = []console.CampaignState{console.CampaignState(state)}
	}
	if err := p.place("campaigns", &q.Before); err != nil {
		return nil, err
	}
	page, err := c.Console.Campaigns(c.ctx(), c.caller, q)
	out := &campaignsResponse{}
	for _, s := range page.Campaigns {
		out.List = append(out.List, campaignOf(s))
	}
	if page.Next != "" {
		out.NextPageToken = token("campaigns", page.Next)
	}
	return out, err
}

// campaignView is a review with its progress.
type campaignView struct {
	Campaign   campaign             `json:"campaign"`
	Population *populationMessage   `json:"population"`
	Problems   list[string]         `json:"problems"` // of the accuracy gate
	Apps       list[appProgress]    `json:"apps"`
	Choices    map[string]int       `json:"choices"` // number of items by outcome
	Results    map[string]int       `json:"results"`
	Reviewers  list[reviewerCounts] `json:"reviewers"`
	Days       list[burnDay]        `json:"days"`
	Disagree   int                  `json:"disagree"` // items of the sample that were decided differently
}

type populationMessage struct {
	FrozenAt   stamp                  `json:"frozenAt"`
	Items      int                    `json:"items"`
	Digest     string                 `json:"digest"`
	Unassigned int                    `json:"unassigned"`
	Sources    list[populationSource] `json:"sources"`
	OverrideBy string                 `json:"overrideBy"`
	Override   string                 `json:"override"`
}

type populationSource struct {
	AppID       string         `json:"appId"`
	AppName     string         `json:"appName"`
	ConnectorID string         `json:"connectorId"`
	SyncID      string         `json:"syncId"`
	BeganAt     stamp          `json:"beganAt"`
	SHA256      string         `json:"sha256"`
	Problem     string         `json:"problem"`
	Items       int            `json:"items"`
	Facts       int64          `json:"facts,string"` // of the whole file
	Accounts    int64          `json:"accounts,string"`
	Excluded    map[string]int `json:"excluded"`
}

func populationOf(p *console.Population) *populationMessage {
	if p == nil {
		return nil
	}
	m := &populationMessage{FrozenAt: stamp(p.At), Items: p.Items, Digest: p.Digest.String(), Unassigned: p.Unassigned}
	if p.Override != nil {
		m.OverrideBy, m.Override = string(p.Override.Person), p.Override.Why
	}
	for _, s := range p.Sources {
		m.Sources = append(m.Sources, populationSource{string(s.App), s.AppName, string(s.Connector), string(s.Sync), stamp(s.Began), s.SHA256, s.Problem, s.Items, s.Counts.Facts, s.Counts.Accounts, s.Excluded})
	}
	return m
}

type appProgress struct {
	AppID   string `json:"appId"`
	AppName string `json:"appName"`
	Items   int    `json:"items"`
	Decided int    `json:"decided"`
}

type reviewerCounts struct {
	UserID    string `json:"userId"`
	UserName  string `json:"userName"`
	Items     int    `json:"items"`
	Pending   int    `json:"pending"`
	Submitted int    `json:"submitted"`
	Seconds   int    `json:"seconds"` // of all submitted decisions
	Bulk      int    `json:"bulk"`    // submitted decisions that were made several at once
	Batch     int    `json:"batch"`   // the most that were made at once
	Left      bool   `json:"left"`    // the person is not active any more
}

type burnDay struct {
	Day         string `json:"day"`
	Submissions int    `json:"submissions"`
	Decided     int    `json:"decided"`
}

func getCampaign(c *call) (*campaignView, error) {
	v, err := c.Console.Campaign(c.ctx(), c.caller, c.path("campaign"))
	if err != nil {
		return nil, err
	}
	out := &campaignView{Campaign: campaignOf(v.CampaignSummary), Problems: v.Problems, Choices: map[string]int{}, Results: map[string]int{}, Disagree: v.Disagree}
	if v.All {
		out.Population = populationOf(v.Staged)
	}
	for _, a := range v.Progress.Apps {
		out.Apps = append(out.Apps, appProgress{string(a.App), v.Apps[a.App], a.Total, a.Decided})
	}
	for choice, n := range v.Progress.Choices {
		out.Choices[string(choice)] = n
	}
	for result, n := range v.Results {
		out.Results[string(result)] = n
	}
	for _, r := range v.Progress.Reviewers {
		left := false
		for _, id := range v.Left {
			left = left || id == r.Reviewer
		}
		out.Reviewers = append(out.Reviewers, reviewerCounts{string(r.Reviewer), v.Names.Of(r.Reviewer), r.Total, r.Pending, r.Submitted, r.Seconds, r.Bulk, r.Batch, left})
	}
	for _, d := range v.Burn {
		out.Days = append(out.Days, burnDay{d.Day.Format(time.DateOnly), d.Submissions, d.Decided})
	}
	return out, nil
}

type createCampaignRequest struct {
	Settings   campaignSettings `json:"settings"`
	OwnerIDs   list[string]     `json:"ownerIds"`
	Template   bool             `json:"template"`
	TemplateID string           `json:"templateId"` // whose settings it takes
}

func createCampaign(c *call, r createCampaignRequest) (*campaignView, error) {
	s, err := r.Settings.settings()
	if err != nil {
		return nil, err
	}
	id, err := c.Console.AddCampaign(c.ctx(), c.caller, govern.NewCampaign{CampaignSettings: s, Owners: typed[console.ID](r.OwnerIDs), Template: r.Template, From: console.ID(r.TemplateID)})
	if err != nil {
		return nil, err
	}
	c.r.SetPathValue("campaign", string(id))
	return getCampaign(c)
}

type updateCampaignRequest struct {
	Settings campaignSettings `json:"settings"`
	OwnerIDs list[string]     `json:"ownerIds"` // none: they stay
	EndsAt   string           `json:"endsAt"`   // of a running review
	Version  int64            `json:"version,string"`
}

func updateCampaign(c *call, r updateCampaignRequest) (*campaignView, error) {
	s, err := r.Settings.settings()
	if err != nil {
		return nil, err
	}
	change := console.Campaign{ID: c.path("campaign"), CampaignSettings: s, Owners: typed[console.ID](r.OwnerIDs), Version: r.Version}
	if r.EndsAt != "" {
		if change.Ends, err = untilOf(r.EndsAt); err != nil {
			return nil, err
		}
	}
	if err := c.Console.ChangeCampaign(c.ctx(), c.caller, change); err != nil {
		return nil, err
	}
	return getCampaign(c)
}

type previewCampaignRequest struct {
	Settings campaignSettings `json:"settings"`
}

func previewCampaign(c *call, r previewCampaignRequest) (*populationMessage, error) {
	s, err := r.Settings.settings()
	if err != nil {
		return nil, err
	}
	p, err := c.Console.PreviewCampaign(c.ctx(), c.caller, s)
	return populationOf(&p), err
}
