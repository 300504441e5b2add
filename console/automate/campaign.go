package automate

import (
	"time"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/store"
)

// reviewLasts is how long reviewers have if the step does not say.
const reviewLasts = console.Duration(7 * 24 * time.Hour)

// campaign starts a review of the access that the run is about: one entitlement of one account, as far
// as they are known. The console freezes its population and starts it as soon as the sources are
// accurate enough.
func (r *run) campaign(s console.AutomationStep) (outcome, error) {
	scope, whom, why, err := r.reviewed(s)
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	settings := console.CampaignSettings{Scope: scope, Outcome: console.OutcomeRule{Kind: console.OutcomeOne, Wins: console.ChooseRemove}, Unanswered: console.UnansweredKeep,
		Lasts: s.For, MaxAge: console.DefaultMaxAge, AutoStart: true, AutoClose: true, Reviewers: []console.Approver{{Kind: console.ApproverAppOwner}}, Description: r.why()}
	if s.To == console.MailManager {
		settings.Reviewers[0].Kind = console.ApproverManager
	}
	if settings.Lasts == 0 {
		settings.Lasts = reviewLasts
	}
	if settings.Name, err = r.value(s.Subject); err == nil {
		settings.Instructions, err = r.value(s.Text)
	}
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	if settings.Name == "" {
		settings.Name = r.a.Name
	}
	settings.Name = clipped(settings.Name, maxReviewName)
	c := console.AutomationChange{Do: "campaign", Person: r.subject.ID, Text: settings.Name}
	if len(scope.Principals) > 0 {
		c.Account = scope.Principals[0]
	}
	if len(scope.Entitlements) > 0 {
		c.Entitlement = &scope.Entitlements[0]
	}
	if why != "" {
		return nothing(c, why), nil
	}
	owner, err := r.reviewOwner()
	if err != nil {
		return outcome{}, err
	}
	made, err := r.t.AddCampaign(console.Campaign{CampaignSettings: settings, Owners: []console.ID{owner}})
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	return outcome{state: console.StepDone, changes: []console.AutomationChange{c}, input: map[string]string{"name": settings.Name, "about": whom}, result: map[string]any{"campaign": string(made.ID)}}, nil
}

// reviewed returns what a review of the run is about, the name of whose access it is, and why there is
// nothing to review; "" if there is.
func (r *run) reviewed(s console.AutomationStep) (scope console.ReviewScope, whom, why string, err error) {
	scope.Apps = []console.ID{r.app.ID}
	e := s.Entitlement
	if e == 0 {
		e = r.x.Trigger.Entitlement
	}
	if e != 0 && e != console.AccountItself {
		_, err := r.t.Entitlement(r.moment, e)
		switch {
		case err == nil:
			scope.Entitlements = []console.EntitlementKey{e}
		case baton.KindOf(err) != baton.NotFound:
			return scope, "", "", err
		case s.Entitlement != 0:
			return scope, "", "", baton.Errorf(baton.NotFound, "the newest sync does not show the entitlement")
		}
	}
	switch {
	case r.account != nil:
		whom, scope.Principals = valid(r.account.Name), []console.ResourceKey{r.account.Key}
		if len(scope.Entitlements) > 0 {
			why, err = r.notHeld(*r.account, e)
		}
	case r.x.Account != 0:
		why = "There is no account."
	case r.subject.ID != "":
		whom, scope.People = r.subject.Name, []console.ID{r.subject.ID}
	}
	return scope, whom, why, err
}

func (r *run) notHeld(account store.Resource, e console.EntitlementKey) (string, error) {
	access, err := r.t.Access(r.app.ID, account.Key, e, r.now)
	if err == nil && !access.Held {
		return "It is not held.", nil
	}
	return "", err
}

// reviewOwner returns the owner of a review: the owner of the automation, if that person may make
// reviews, else its publisher, who may.
func (r *run) reviewOwner() (console.ID, error) {
	owner, err := canonicalPerson(r.t, r.a.Owner)
	if err != nil {
		return "", err
	}
	if !console.AddCampaigns.Of(owner, console.Object{}) {
		owner, err = canonicalPerson(r.t, r.v.Publisher)
	}
	return owner.ID, err
}

// maxReviewName limits the name of a review, in bytes.
const maxReviewName = 200

// clipped returns the beginning of a text that has at most n bytes.
func clipped(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
