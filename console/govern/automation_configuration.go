package govern

import (
	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// CheckAutomation returns an error if configuration files cannot describe a rule. A draft may be
// incomplete.
func CheckAutomation(r console.AutomationRule, draft bool) error {
	if err := checkDraft(r); err != nil || draft {
		return err
	}
	return r.CheckComplete()
}

// PublishConfigured publishes the draft of an automation that configuration files describe, unless it has
// to wait: for somebody other than its author if it gives access, or for what a step needs. program means
// that a credential applies the files.
func PublishConfigured(tx *store.Tx, me console.Person, a console.Automation, program bool) (wait console.ConfigurationWait, err error) {
	now := tx.By().At
	app, err := tx.App(a.App)
	if err != nil {
		return "", err
	}
	for _, s := range a.Draft.Steps {
		if wait, err := stepWaits(tx, s); wait != console.WaitsForNothing || err != nil {
			return wait, err
		}
	}
	if a.Draft.Gives() {
		author, err := tx.Person(a.Author)
		if err != nil {
			return "", err
		}
		if program || author.Service || me.Canonical() == author.Canonical() {
			return console.WaitsForSecondPerson, nil
		}
	}
	why, err := unpublishable(tx, me, a, app, now)
	switch {
	case err != nil:
		return "", err
	case why != "" && tx.By().Actor.Person() == "": // the start of the console does not fail because of it
		return console.WaitsForSecondPerson, nil
	case why != "":
		return "", baton.Errorf(baton.Refused, "%s", why).WithFix("Correct the automation in the files, or describe it as a draft.")
	}
	_, err = publish(tx, a.ID, a.Version, me, now)
	return console.WaitsForNothing, err
}

// stepWaits says what a step needs that the console may have later: a connector that never said which
// actions it offers is asked, and another automation may not be published yet.
func stepWaits(tx *store.Tx, s console.AutomationStep) (console.ConfigurationWait, error) {
	switch {
	case s.Kind == console.StepAction && s.Connector != "":
		offer, err := rpcstore.Actions(tx, string(s.Connector))
		if err != nil || offer.Known {
			return console.WaitsForNothing, err
		}
		if !offer.Asked && offer.Failed.IsZero() {
			err = rpcstore.AskActions(tx, string(s.Connector))
		}
		return console.WaitsForSync, err
	case s.Kind == console.StepRun && s.Automation != "":
		other, err := tx.Automation(s.Automation)
		if err == nil && other.Removed.IsZero() && other.Published == 0 {
			return console.WaitsForNamed, nil
		}
		return console.WaitsForNothing, err
	}
	return console.WaitsForNothing, nil
}
