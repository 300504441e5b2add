package api

import (
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// automationMessage is an automation.
type automationMessage struct {
	ID          string         `json:"id"`
	AppID       string         `json:"appId"`
	DisplayName string         `json:"displayName"`
	OwnerID     string         `json:"ownerId"`
	State       string         `json:"state"` // "on", "paused", "tripped" or "stopped"
	Why         string         `json:"why"`
	ChangedAt   stamp          `json:"changedAt"`
	Published   int            `json:"published"` // the version that runs; 0: none
	Draft       automationRule `json:"draft"`
	AuthorID    string         `json:"authorId"` // of the draft
	Version     int64          `json:"version,string"`
	Held        int            `json:"held"` // executions that wait for a person
	Open        int            `json:"open"` // other executions that have not ended
}

// automationRule says when an automation runs, and what it does.
type automationRule struct {
	Trigger automationTrigger    `json:"trigger"`
	Steps   list[automationStep] `json:"steps"`
	// The circuit breaker: what exceeds it waits for a person. 0: the default.
	MaxRuns    int    `json:"maxRuns"`
	MaxChanges int    `json:"maxChanges"`
	Period     string `json:"period"` // "86400s"
}

type automationTrigger struct {
	Kind             string               `json:"kind"`
	When             string               `json:"when"`
	FromAppID        string               `json:"fromAppId"`
	AppEntitlementID string               `json:"appEntitlementId"`
	Origin           string               `json:"origin"`
	Every            string               `json:"every"`
	Cron             string               `json:"cron"`
	TimeZone         string               `json:"timeZone"`
	EachAccount      bool                 `json:"eachAccount"`
	HookID           string               `json:"hookId"`
	Person           string               `json:"person"`
	PolicyID         string               `json:"policyId"` // decides about requests
	Form             list[automationForm] `json:"form"`
}

type automationForm struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Required bool   `json:"required"`
}

// automationStep is one step. Values that begin with = are expressions.
type automationStep struct {
	ID               string `json:"id"`
	Kind             string `json:"kind"`
	SkipIf           string `json:"skipIf"`
	ConnectorID      string `json:"connectorId"`
	Action           string `json:"action"`
	ResourceTypeID   string `json:"resourceTypeId"`
	Fields           words  `json:"fields"`
	AppEntitlementID string `json:"appEntitlementId"`
	For              string `json:"for"`
	When             string `json:"when"`
	To               string `json:"to"`
	Subject          string `json:"subject"`
	Text             string `json:"text"`
	WebhookID        string `json:"webhookId"`
	AutomationID     string `json:"automationId"`
}

func seconds(d console.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.FormatInt(int64(time.Duration(d)/time.Second), 10) + "s"
}

func parseSeconds(field, text string) (console.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, baton.Errorf(baton.Invalid, "%s: %q is no duration", field, text).WithFix("Write it in seconds, as 3600s.")
	}
	return console.Duration(d), nil
}

func entitlementID(e console.EntitlementKey) string {
	if e == 0 {
		return ""
	}
	return strconv.FormatInt(int64(e), 10)
}

func parseEntitlement(text string) (console.EntitlementKey, error) {
	if text == "" {
		return 0, nil
	}
	key, err := strconv.ParseInt(text, 10, 64)
	if err != nil || key < 1 {
		return 0, baton.Errorf(baton.Invalid, "appEntitlementId: %q is none", text)
	}
	return console.EntitlementKey(key), nil
}

func automationRuleOf(r console.AutomationRule) automationRule {
	t := r.Trigger
	m := automationRule{MaxRuns: r.Limits.Runs, MaxChanges: r.Limits.Changes, Period: seconds(r.Limits.Period),
		Trigger: automationTrigger{Kind: string(t.Kind), When: t.When, FromAppID: string(t.From), AppEntitlementID: entitlementID(t.Entitlement), Origin: string(t.Origin), Every: seconds(t.Every), Cron: t.Cron,
			TimeZone: t.Zone, EachAccount: t.Each, HookID: string(t.Hook), Person: t.Person, PolicyID: string(t.Policy)}}
	for _, f := range t.Form {
		m.Trigger.Form = append(m.Trigger.Form, automationForm{f.Name, f.Label, f.Required})
	}
	for _, s := range r.Steps {
		m.Steps = append(m.Steps, automationStep{ID: s.ID, Kind: string(s.Kind), SkipIf: s.Skip, ConnectorID: string(s.Connector), Action: s.Action, ResourceTypeID: s.ResourceType, Fields: s.Fields,
			AppEntitlementID: entitlementID(s.Entitlement), For: seconds(s.For), When: s.When, To: s.To, Subject: s.Subject, Text: s.Text, WebhookID: string(s.Webhook), AutomationID: string(s.Automation)})
	}
	return m
}

func (m automationRule) rule() (r console.AutomationRule, err error) {
	t := m.Trigger
	r.Trigger = console.AutomationTrigger{Kind: console.TriggerKind(t.Kind), When: t.When, From: console.ID(t.FromAppID), Origin: console.TriggerOrigin(t.Origin), Cron: t.Cron, Zone: t.TimeZone, Each: t.EachAccount,
		Hook: console.ID(t.HookID), Person: t.Person, Policy: console.ID(t.PolicyID)}
	if r.Trigger.Entitlement, err = parseEntitlement(t.AppEntitlementID); err != nil {
		return r, err
	}
	if r.Trigger.Every, err = parseSeconds("every", t.Every); err != nil {
		return r, err
	}
	for _, f := range t.Form {
		r.Trigger.Form = append(r.Trigger.Form, console.RequestField{Name: f.Name, Label: f.Label, Required: f.Required})
	}
	r.Limits.Runs, r.Limits.Changes = m.MaxRuns, m.MaxChanges
	if r.Limits.Period, err = parseSeconds("period", m.Period); err != nil {
		return r, err
	}
	for _, s := range m.Steps {
		step := console.AutomationStep{ID: s.ID, Kind: console.StepKind(s.Kind), Skip: s.SkipIf, Connector: console.ID(s.ConnectorID), Action: s.Action, ResourceType: s.ResourceTypeID, When: s.When, To: s.To,
			Subject: s.Subject, Text: s.Text, Webhook: console.ID(s.WebhookID), Automation: console.ID(s.AutomationID)}
		if len(s.Fields) > 0 {
			step.Fields = s.Fields
		}
		if step.Entitlement, err = parseEntitlement(s.AppEntitlementID); err != nil {
			return r, err
		}
		if step.For, err = parseSeconds("for", s.For); err != nil {
			return r, err
		}
		r.Steps = append(r.Steps, step)
	}
	return r, nil
}

func automationOf(s govern.AutomationSummary) automationMessage {
	return automationMessage{ID: string(s.ID), AppID: string(s.App), DisplayName: s.Name, OwnerID: string(s.Owner), State: string(s.State), Why: s.Why, ChangedAt: stamp(s.Changed), Published: s.Published,
		Draft: automationRuleOf(s.Draft), AuthorID: string(s.Author), Version: s.Version, Held: s.Held, Open: s.Open}
}

type automationsResponse struct {
	List          list[automationMessage] `json:"list"`
	NextPageToken string                  `json:"nextPageToken"` // empty: the list is complete
	Paused        bool                    `json:"paused"`        // all automations are
}

func listAutomations(c *call) (*automationsResponse, error) {
	v, err := c.Console.Automations(c.ctx(), c.caller)
	out := automationsResponse{Paused: v.Paused.Automations}
	for _, s := range v.All {
		out.List = append(out.List, automationOf(s))
	}
	return &out, err
}

type automationResponse struct {
	Automation automationMessage            `json:"automation"`
	Versions   list[automationVersionShown] `json:"versions"` // the newest first
	// Unpublishable is why the caller cannot publish the draft; empty if that is possible.
	Unpublishable string `json:"unpublishable"`
}

// automationVersionShown is a published version.
type automationVersionShown struct {
	Version     int            `json:"version"`
	Rule        automationRule `json:"rule"`
	AuthorID    string         `json:"authorId"`
	PublisherID string         `json:"publisherId"`
	PublishedAt stamp          `json:"publishedAt"`
}

func getAutomation(c *call) (*automationResponse, error) {
	return c.automation(c.path("automation"))
}

func (c *call) automation(id console.ID) (*automationResponse, error) {
	v, err := c.Console.Automation(c.ctx(), c.caller, id)
	if err != nil {
		return nil, err
	}
	out := automationResponse{Automation: automationOf(v.AutomationSummary), Unpublishable: v.Unpublishable}
	for _, x := range v.Versions {
		out.Versions = append(out.Versions, automationVersionShown{x.Version, automationRuleOf(x.AutomationRule), string(x.Author), string(x.Publisher), stamp(x.At)})
	}
	return &out, nil
}

type createAutomationRequest struct {
	AppID       string          `json:"appId"`
	DisplayName string          `json:"displayName"`
	Template    string          `json:"template"` // "leaver", "joiner", "course", "unexplained", "seats" or "empty"; not with draft
	Draft       *automationRule `json:"draft"`
}

func createAutomation(c *call, r createAutomationRequest) (*automationResponse, error) {
	n := govern.NewAutomation{App: console.ID(r.AppID), Name: r.DisplayName, Template: r.Template}
	if r.Draft != nil {
		rule, err := r.Draft.rule()
		if err != nil {
			return nil, err
		}
		n.Rule = &rule
	}
	id, err := c.Console.AddAutomation(c.ctx(), c.caller, n)
	if err != nil {
		return nil, err
	}
	return c.automation(id)
}

type updateAutomationRequest struct {
	DisplayName *string         `json:"displayName"`
	OwnerID     *string         `json:"ownerId"`
	Draft       *automationRule `json:"draft"`
	Version     string          `json:"version"` // that was read; empty: any
}

func updateAutomation(c *call, r updateAutomationRequest) (*automationResponse, error) {
	e := govern.AutomationEdit{Name: r.DisplayName, Owner: r.OwnerID}
	var err error
	if e.Version, err = parseVersion(r.Version); err != nil {
		return nil, err
	}
	if r.Draft != nil {
		rule, err := r.Draft.rule()
		if err != nil {
			return nil, err
		}
		e.Rule = &rule
	}
	if err := c.Console.ChangeAutomation(c.ctx(), c.caller, c.path("automation"), e); err != nil {
		return nil, err
	}
	return getAutomation(c)
}

func parseVersion(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, baton.Errorf(baton.Invalid, "version: %q is none", text)
	}
	return n, nil
}

type publishAutomationRequest struct {
	Version string `json:"version"` // that was read; empty: any
}

func publishAutomation(c *call, r publishAutomationRequest) (*automationResponse, error) {
	version, err := parseVersion(r.Version)
	if err != nil {
		return nil, err
	}
	if _, err := c.Console.PublishAutomation(c.ctx(), c.caller, c.path("automation"), version); err != nil {
		return nil, err
	}
	return getAutomation(c)
}

type pauseAutomationRequest struct {
	Reason string `json:"reason"`
}

func pauseAutomation(c *call, r pauseAutomationRequest) (*automationResponse, error) {
	if err := c.Console.PauseAutomation(c.ctx(), c.caller, c.path("automation"), r.Reason); err != nil {
		return nil, err
	}
	return getAutomation(c)
}

type resumeAutomationRequest struct {
	// RunHeld lets the executions run that wait for a person; otherwise they are cancelled.
	RunHeld bool   `json:"runHeld"`
	Reason  string `json:"reason"`
}

func resumeAutomation(c *call, r resumeAutomationRequest) (*automationResponse, error) {
	if err := c.Console.ResumeAutomation(c.ctx(), c.caller, c.path("automation"), r.RunHeld, r.Reason); err != nil {
		return nil, err
	}
	return getAutomation(c)
}

func deleteAutomation(c *call) (*empty, error) {
	return &empty{}, c.Console.RemoveAutomation(c.ctx(), c.caller, c.path("automation"))
}

// pauseAutomationsRequest is the body of the calls that pause and resume all automations.
type pauseAutomationsRequest struct {
	Reason string `json:"reason"`
}

func pauseAutomations(paused bool) func(*call, pauseAutomationsRequest) (*empty, error) {
	return func(c *call, r pauseAutomationsRequest) (*empty, error) {
		return &empty{}, c.Console.PauseAutomations(c.ctx(), c.caller, paused, r.Reason)
	}
}

// automationTarget says for whom an automation is tried or run.
type automationTarget struct {
	Whom   string `json:"whom"` // e-mail address of a person, or id or login of an account; empty: nobody
	Form   words  `json:"form"`
	Reason string `json:"reason"`
}

type testAutomationRequest struct {
	Target    automationTarget `json:"target"`
	Published bool             `json:"published"` // the version that runs; otherwise the draft
}

// testAutomationResponse is the result of a dry run.
type testAutomationResponse struct {
	Steps list[automationStepRun] `json:"steps"`
	// Changes has one JSON object for each change. It is byte-equal to that of the execution that
	// follows, if nothing changes in between.
	Changes list[string] `json:"changes"`
}

type automationStepRun struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	State     string `json:"state"`
	Does      string `json:"does"`
	Why       string `json:"why"`
	Input     string `json:"input"`  // JSON
	Result    string `json:"result"` // JSON
	BeganAt   stamp  `json:"beganAt"`
	EndedAt   stamp  `json:"endedAt"`
	Operation string `json:"operationId"`
	Execution string `json:"executionId"` // of the automation that it ran
}

func stepRuns(steps []govern.ExecutedStep) (all list[automationStepRun]) {
	for _, s := range steps {
		all = append(all, automationStepRun{s.Step, string(s.Kind), string(s.State), s.Does, s.Why, string(s.Input), string(s.Result), stamp(s.Began), stamp(s.Ended), string(s.Operation), string(s.Child)})
	}
	return all
}

func changeLines(b []byte) (all list[string]) {
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
		if line != "" {
			all = append(all, line)
		}
	}
	return all
}

func testAutomation(c *call, r testAutomationRequest) (*testAutomationResponse, error) {
	d, err := c.Console.TestAutomation(c.ctx(), c.caller, c.path("automation"), govern.AutomationTarget{Whom: r.Target.Whom, Form: r.Target.Form, Why: r.Target.Reason}, !r.Published)
	return &testAutomationResponse{stepRuns(d.Steps), changeLines(d.List)}, err
}

type runAutomationRequest struct {
	Target automationTarget `json:"target"`
}

func runAutomation(c *call, r runAutomationRequest) (*executionResponse, error) {
	id, err := c.Console.RunAutomation(c.ctx(), c.caller, c.path("automation"), govern.AutomationTarget{Whom: r.Target.Whom, Form: r.Target.Form, Why: r.Target.Reason})
	if err != nil {
		return nil, err
	}
	return c.execution(id)
}

// executionMessage is one run of an automation.
type executionMessage struct {
	ID           string `json:"id"`
	AutomationID string `json:"automationId"`
	Version      int    `json:"version"`
	State        string `json:"state"`
	Trigger      string `json:"trigger"`
	UserID       string `json:"userId"`
	AppUserID    string `json:"appUserId"`
	Waits        string `json:"waits"`
	Why          string `json:"why"`
	Changes      int    `json:"changes"`
	CreatedAt    stamp  `json:"createdAt"`
	BeganAt      stamp  `json:"beganAt"`
	FinishedAt   stamp  `json:"finishedAt"`
	ParentID     string `json:"parentId"`
}

func executionOf(x console.AutomationExecution) executionMessage {
	m := executionMessage{ID: string(x.ID), AutomationID: string(x.Automation), Version: x.Version, State: string(x.State), Trigger: string(x.Trigger.Kind), UserID: string(x.Person), Waits: x.Waits, Why: x.Why,
		Changes: x.Changes, CreatedAt: stamp(x.Created), BeganAt: stamp(x.Began), FinishedAt: stamp(x.Finished), ParentID: string(x.Parent)}
	if x.Account != 0 {
		m.AppUserID = strconv.FormatInt(int64(x.Account), 10)
	}
	return m
}

type executionsResponse struct {
	List          list[executionMessage] `json:"list"`
	NextPageToken string                 `json:"nextPageToken"`
}

func listExecutions(c *call) (*executionsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	var before store.ExecutionBefore
	if err := p.place("executions", &before); err != nil {
		return nil, err
	}
	v, err := c.Console.Executions(c.ctx(), c.caller, c.path("automation"), console.ExecutionState(c.r.URL.Query().Get("state")), before, p.size())
	var out executionsResponse
	for _, x := range v.All {
		out.List = append(out.List, executionOf(x.AutomationExecution))
	}
	if v.Next.ID != "" {
		out.NextPageToken = token("executions", v.Next)
	}
	return &out, err
}

type executionResponse struct {
	Execution executionMessage        `json:"execution"`
	Steps     list[automationStepRun] `json:"steps"`
	Changes   list[string]            `json:"changes"` // one JSON object for each
}

func getExecution(c *call) (*executionResponse, error) { return c.execution(c.path("execution")) }

func (c *call) execution(id console.ID) (*executionResponse, error) {
	v, err := c.Console.Execution(c.ctx(), c.caller, c.path("automation"), id)
	return &executionResponse{executionOf(v.AutomationExecution), stepRuns(v.Steps), changeLines(v.List)}, err
}

type cancelExecutionRequest struct {
	Reason string `json:"reason"`
}

func cancelExecution(c *call, r cancelExecutionRequest) (*executionResponse, error) {
	if err := c.Console.CancelExecution(c.ctx(), c.caller, c.path("automation"), c.path("execution"), r.Reason); err != nil {
		return nil, err
	}
	return getExecution(c)
}
