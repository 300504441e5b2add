package govern

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/schedule"
	"baton/console/store"
)

// automationText writes sentences about the parts of automations.
type automationText struct{ tx *store.Tx }

// name returns the name that a query yields, or what is said about something that is not there any
// more.
func name(found string, err error, gone string) (string, error) {
	if baton.KindOf(err) == baton.NotFound {
		return gone, nil
	}
	return found, err
}

// entitlement names an entitlement of an app as the newest sync shows it, or as an earlier one did.
func (x automationText) entitlement(e console.EntitlementKey) (string, error) {
	if e == 0 {
		return "", nil
	}
	versions, err := x.tx.EntitlementVersions(e)
	if err != nil || len(versions) == 0 {
		return "an entitlement that is gone", err
	}
	last := versions[len(versions)-1]
	if last.Name != "" {
		return "“" + last.Name + "”", nil
	}
	return "“" + last.ID + "”", nil
}

// trigger describes when an automation runs.
func (x automationText) trigger(t console.AutomationTrigger) (text string, err error) {
	rule, _ := t.Kind.Rule()
	text = rule.Label
	if t.Entitlement != 0 {
		e, err := x.entitlement(t.Entitlement)
		if err != nil {
			return "", err
		}
		text += ": " + e
	}
	if t.From != "" {
		a, err := x.tx.App(t.From)
		from, err := name(a.Name, err, "an application that is gone")
		if err != nil {
			return "", err
		}
		text += " of " + from
	}
	switch t.Origin {
	case console.OriginExplained:
		text += ", and the console knows the cause"
	case console.OriginUnexplained:
		text += ", and nobody asked for it here"
	}
	if t.Kind == console.TriggerSchedule && !schedule.OfTrigger(t).Never() {
		text = schedule.OfTrigger(t).Sentence()
		if t.Each {
			text += ", for each account"
		}
	}
	if t.Policy != "" {
		p, err := x.tx.Policy(t.Policy)
		policy, err := name(p.Name, err, "that is gone")
		if err != nil {
			return "", err
		}
		text += ", as the policy “" + policy + "” decides"
	}
	if t.Hook != "" {
		h, err := x.tx.Hook(t.Hook)
		hook, err := name(h.Name, err, "that is gone")
		if err != nil {
			return "", err
		}
		text += ": " + hook
	}
	if t.When != "" {
		text += ", if " + t.When
	}
	return text, nil
}

// step describes what a step does.
func (x automationText) step(s console.AutomationStep) (text string, err error) {
	rule, _ := s.Kind.Rule()
	text = rule.Label
	switch s.Kind {
	case console.StepAction:
		if s.Action == "" {
			break
		}
		c, err := x.tx.Connector(s.Connector)
		connector, err := name(c.Name, err, "a connector that is gone")
		if err != nil {
			return "", err
		}
		text = fmt.Sprintf("Perform %s of %s", s.Action, connector) + with(s.Fields)
	case console.StepGrant, console.StepRevoke:
		e, err := x.entitlement(s.Entitlement)
		if err != nil || e == "" {
			return text, err
		}
		if text = "Revoke " + e; s.Kind == console.StepGrant {
			text = "Grant " + e
			if s.For > 0 {
				text += " for " + s.For.Words()
			}
		}
	case console.StepCreate:
		text += with(s.Fields)
	case console.StepWait:
		if s.For > 0 {
			text = "Wait " + s.For.Words()
		}
	case console.StepCondition:
		if s.When != "" {
			text = "Go on only if " + s.When
		}
	case console.StepMail:
		if s.To != "" {
			text = "Send “" + s.Subject + "” to " + recipients(s.To)
		}
	case console.StepCampaign:
		e, err := x.entitlement(s.Entitlement)
		if err != nil {
			return "", err
		}
		if e != "" {
			text += " of " + e
		}
		if s.To != "" {
			text += " by " + recipients(s.To)
		}
		if s.For > 0 {
			text += " within " + s.For.Words()
		}
	case console.StepWebhook:
		if s.Webhook == "" {
			break
		}
		h, err := x.tx.Webhook(s.Webhook)
		hook, err := name(h.Address, err, "a webhook that is gone")
		if err != nil {
			return "", err
		}
		text = "Call " + hook
	case console.StepRun:
		if s.Automation == "" {
			break
		}
		a, err := x.tx.Automation(s.Automation)
		other, err := name(a.Name, err, "an automation that is gone")
		if err != nil {
			return "", err
		}
		text = "Run “" + other + "”" + with(s.Fields)
	}
	if s.Skip != "" {
		text += ", unless " + s.Skip
	}
	return text, nil
}

func recipients(to string) string {
	words := map[string]string{console.MailOwner: "the owner of the automation", console.MailAppOwners: "the owners of the application", console.MailSubject: "the person", console.MailManager: "the manager of the person"}
	if w := words[to]; w != "" {
		return w
	}
	return strings.TrimPrefix(to, "=")
}

// with lists the values of fields.
func with(fields map[string]string) string {
	var all []string
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		v, expression := strings.CutPrefix(fields[f], "=")
		if !expression {
			v = "“" + v + "”"
		}
		all = append(all, f+" = "+v)
	}
	if len(all) == 0 {
		return ""
	}
	return " with " + strings.Join(all, ", ")
}

// changeText describes one line of the list of what an automation does.
func changeText(tx *store.Tx, x console.AutomationChange) (text string, err error) {
	whom := ""
	if x.Account != 0 {
		if whom, err = accountName(tx, x.Account); err != nil {
			return "", err
		}
	}
	if whom == "" && x.Person != "" {
		p, err := tx.Person(x.Person)
		if whom, err = name(p.Name, err, "somebody"); err != nil {
			return "", err
		}
	}
	words := automationText{tx}
	switch x.Do {
	case "grant", "revoke":
		e := ""
		if x.Entitlement != nil {
			if e, err = words.entitlement(*x.Entitlement); err != nil {
				return "", err
			}
		}
		if text = "Revoke " + e + " from " + whom; x.Do == "grant" {
			text = "Grant " + e + " to " + whom
		}
		if x.For > 0 {
			text += " for " + x.For.Words()
		}
	case "disable":
		text = "Disable the account " + whom
	case "create":
		text = "Create an account for " + whom
	case "action":
		text = "Perform " + x.Action + with(x.Arguments)
	case "mail":
		text = fmt.Sprintf("Send “%s” to %d people", x.Text, len(x.To))
		if len(x.To) == 1 {
			text = "Send “" + x.Text + "” to 1 person"
		}
	case "campaign":
		if text = "Start the review “" + x.Text + "”"; whom != "" {
			text += " about " + whom
		}
	case "webhook":
		text, err = words.step(console.AutomationStep{Kind: console.StepWebhook, Webhook: x.Object})
	case "run":
		text, err = words.step(console.AutomationStep{Kind: console.StepRun, Automation: x.Object})
	}
	return text, err
}
