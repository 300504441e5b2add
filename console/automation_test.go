package console

import (
	"strings"
	"testing"
	"time"

	"baton"
)

func compiles(text string, _ ExpressionKind) error {
	if strings.Contains(text, "!!") {
		return baton.Errorf(baton.Invalid, "a syntax error")
	}
	return nil
}

// TestAutomationTemplates checks that every template is a valid draft.
func TestAutomationTemplates(t *testing.T) {
	for _, tt := range AutomationTemplates() {
		if err := tt.Rule.CheckDraft(compiles); err != nil || tt.Name == "" || tt.Does == "" {
			t.Errorf("%s: %v", tt.ID, err)
		}
	}
}

func TestAutomationDraft(t *testing.T) {
	action := AutomationStep{ID: "a", Kind: StepAction, Connector: "c", Action: "disable_user", Fields: map[string]string{"user_id": "=account.id"}}
	for _, tt := range []struct {
		name string
		rule AutomationRule
		want string // part of the error; "" for none
	}{
		{"an action", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerPersonDisabled}, Steps: []AutomationStep{action}}, ""},
		{"no trigger", AutomationRule{}, "no kind of triggers"},
		{"two steps of a name", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}, Steps: []AutomationStep{action, action}}, "another step is called"},
		{"a name of a step", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}, Steps: []AutomationStep{{ID: "A b", Kind: StepWait}}}, "no name of a step"},
		{"a field of another kind", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}, Steps: []AutomationStep{{ID: "a", Kind: StepWait, Action: "x"}}}, "has no action"},
		{"fields of a wait", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}, Steps: []AutomationStep{{ID: "a", Kind: StepWait, Fields: map[string]string{"x": "y"}}}}, "has no fields"},
		{"an expression", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}, Steps: []AutomationStep{{ID: "a", Kind: StepAction, Fields: map[string]string{"x": "=!!"}}}}, "field x: a syntax error"},
		{"a text that is none", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}, Steps: []AutomationStep{{ID: "a", Kind: StepAction, Fields: map[string]string{"x": "!!"}}}}, ""},
		{"a condition", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand, When: "!!"}}, "the trigger: a syntax error"},
		{"a schedule of another trigger", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand, Cron: "* * * * *"}}, "has no schedule"},
		{"a course of another trigger", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerPersonCreated, Entitlement: 3}}, "names no entitlement"},
		{"an origin", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerGrantFound, Origin: "maybe"}}, "no origin"},
		{"a form with two questions of a name", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand, Form: []RequestField{{Name: "a", Label: "A"}, {Name: "a", Label: "B"}}}}, "two questions"},
		{"a limit", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}, Limits: AutomationLimits{Runs: maxRuns + 1}}, "limits"},
		{"a period", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}, Limits: AutomationLimits{Period: 1}}, "period"},
		{"too many steps", AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}, Steps: make([]AutomationStep, maxAutomationSteps+1)}, "at most"},
	} {
		err := tt.rule.CheckDraft(compiles)
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || baton.KindOf(err) != baton.Invalid) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestAutomationComplete checks that what misses something is no error in a draft, and cannot be
// published.
func TestAutomationComplete(t *testing.T) {
	demand := AutomationTrigger{Kind: TriggerOnDemand}
	for _, tt := range []struct {
		rule AutomationRule
		want string
	}{
		{AutomationRule{Trigger: demand}, "no steps"},
		{AutomationRule{Trigger: AutomationTrigger{Kind: TriggerSchedule}, Steps: []AutomationStep{{ID: "a", Kind: StepDisable}}}, "no schedule"},
		{AutomationRule{Trigger: AutomationTrigger{Kind: TriggerWebhook}, Steps: []AutomationStep{{ID: "a", Kind: StepDisable}}}, "no incoming webhook"},
		{AutomationRule{Trigger: AutomationTrigger{Kind: TriggerCourseCompleted}, Steps: []AutomationStep{{ID: "a", Kind: StepDisable}}}, "no course"},
		{AutomationRule{Trigger: demand, Steps: []AutomationStep{{ID: "a", Kind: StepAction}}}, "no action"},
		{AutomationRule{Trigger: demand, Steps: []AutomationStep{{ID: "a", Kind: StepGrant}}}, "no entitlement"},
		{AutomationRule{Trigger: demand, Steps: []AutomationStep{{ID: "a", Kind: StepWait}}}, "how long"},
		{AutomationRule{Trigger: demand, Steps: []AutomationStep{{ID: "a", Kind: StepCondition}}}, "no condition"},
		{AutomationRule{Trigger: demand, Steps: []AutomationStep{{ID: "a", Kind: StepMail, To: MailOwner}}}, "no subject"},
		{AutomationRule{Trigger: demand, Steps: []AutomationStep{{ID: "a", Kind: StepWebhook}}}, "no webhook"},
		{AutomationRule{Trigger: demand, Steps: []AutomationStep{{ID: "a", Kind: StepRun}}}, "no automation"},
		{AutomationRule{Trigger: demand, Steps: []AutomationStep{{ID: "a", Kind: StepDisable}}}, ""},
	} {
		if err := tt.rule.CheckDraft(compiles); err != nil {
			t.Errorf("%q: a draft: %v", tt.want, err)
		}
		if err := tt.rule.CheckComplete(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

func TestAutomationTrips(t *testing.T) {
	l := AutomationLimits{Runs: 2, Changes: 3}
	for _, tt := range []struct {
		done          AutomationCount
		runs, changes int
		want          string
	}{
		{AutomationCount{}, 1, 0, ""},
		{AutomationCount{Runs: 1}, 1, 0, ""},
		{AutomationCount{Runs: 2}, 1, 0, "It would run more than 2 times in 1 day."},
		{AutomationCount{Runs: 2}, 0, 1, ""},
		{AutomationCount{Runs: 2, Changes: 3}, 0, 1, "It would make more than 3 changes in 1 day."},
	} {
		if got := l.Trips(tt.done, tt.runs, tt.changes); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt, got, tt.want)
		}
	}
	if got := (AutomationLimits{}).Trips(AutomationCount{Runs: DefaultRuns}, 1, 0); got == "" {
		t.Error("an automation without limits has none")
	}
}

// TestEcho checks that an automation does not react to its own effects, also through others, and that
// a chain of them ends.
func TestEcho(t *testing.T) {
	if Echo("a", nil) != "" || Echo("a", []ID{"b", "c"}) != "" {
		t.Error("an automation does not react to others")
	}
	if Echo("a", []ID{"a"}) == "" || Echo("a", []ID{"b", "a", "c"}) == "" {
		t.Error("an automation reacts to itself")
	}
	if Echo("e", []ID{"a", "b", "c", "d"}) == "" {
		t.Error("the chain has no end")
	}
}

// TestAutomationRights checks that each kind of steps needs the right for what it does.
func TestAutomationRights(t *testing.T) {
	app := App{ID: "app", Owners: []ID{"owner"}}
	rule := func(k StepKind) AutomationRule { return AutomationRule{Steps: []AutomationStep{{Kind: k}}} }
	owner := Person{ID: "owner", Name: "Owner", Status: PersonActive}
	for _, k := range StepRules() {
		want := ""
		switch k.Kind { // of all applications
		case StepWebhook:
			want = "may not manage webhooks"
		case StepCampaign:
			want = "may not make reviews"
		}
		if lacks := rule(k.Kind).Lacks(owner, app); lacks != want {
			t.Errorf("the owner of the application %s: %s", k.Kind, lacks)
		}
		if lacks := rule(k.Kind).Lacks(Person{ID: "user", Status: PersonActive}, app); lacks == "" {
			t.Errorf("a user may have an automation with %s", k.Kind)
		}
		if lacks := rule(k.Kind).Lacks(Person{ID: "officer", Status: PersonActive, Roles: []ConsoleRole{SecurityOfficer}}, app); lacks != "may not change automations" {
			t.Errorf("a security officer, %s: %q", k.Kind, lacks)
		}
	}
	owner.Status = PersonDisabled
	if lacks := rule(StepWait).Lacks(owner, app); lacks != "is not active" {
		t.Errorf("somebody who left: %q", lacks)
	}
	if !rule(StepGrant).Gives() || !rule(StepCreate).Gives() || rule(StepAction).Gives() || rule(StepRevoke).Gives() {
		t.Error("which steps give access")
	}
}

// TestChangeList checks the form of the list, on which two runs are compared byte by byte.
func TestChangeList(t *testing.T) {
	e := EntitlementKey(3)
	list := string(ChangeList([]AutomationChange{{Step: "a", Do: "revoke", Account: 7, Entitlement: &e}, {Step: "b", Do: "action", Action: "x", Arguments: map[string]string{"b": "2", "a": "1"}, For: Duration(time.Hour), Refused: "No."}}))
	want := `{"step":"a","do":"revoke","account":7,"entitlement":3}
{"step":"b","do":"action","action":"x","arguments":{"a":"1","b":"2"},"for":"1h","refused":"No."}
`
	if list != want {
		t.Errorf("%s", list)
	}
	for _, tt := range []struct {
		c    AutomationChange
		want int
	}{{AutomationChange{Do: "grant"}, 1}, {AutomationChange{Do: "grant", Nothing: "held"}, 0}, {AutomationChange{Do: "action", Refused: "no"}, 0}, {AutomationChange{Do: "mail"}, 0}} {
		if got := tt.c.Count(); got != tt.want {
			t.Errorf("%+v counts %d", tt.c, got)
		}
	}
}
