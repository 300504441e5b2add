package web

import (
	"slices"
	"strconv"
	"strings"

	"baton/console"
	"baton/console/govern"
)

// campaignFacts lists the settings of a review for display.
func campaignFacts(v govern.CampaignView) (all []fact) {
	s := v.CampaignSettings
	add := func(label string, texts ...string) {
		if texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" }); len(texts) > 0 {
			all = append(all, fact{label, strings.Join(texts, ", ")})
		}
	}
	add("Scope", scopeWords(v)...)
	add("Reviewers", approverWords(s.Reviewers, v.Names)...)
	add("If none of them may", approverWords(s.Fallback, v.Names)...)
	rule := outcomeLabels[s.Outcome.Kind]
	if s.Outcome.Kind != console.OutcomeOne {
		rule += "; where they disagree, " + strings.ToLower(s.Outcome.Wins.Label()) + " wins"
	}
	add("Several reviewers", rule)
	unanswered := unansweredLabels[s.Unanswered]
	if s.Unanswered == console.UnansweredRemove {
		unanswered += " of " + count(s.Cap)
	}
	add("Unanswered", unanswered)
	add("Time to decide", s.Lasts.Words())
	add("Newest sync at most", s.MaxAge.Words()+" old")
	var by []string
	if s.AutoStart {
		by = append(by, "prepares and starts")
	}
	if s.AutoClose {
		by = append(by, "closes when it is due")
	}
	add("By itself", by...)
	if s.NoReminders {
		add("Reminders", "none")
	}
	if s.NoMeter {
		add("Time of reviewers", "not recorded")
	}
	if s.Repeats != console.Once {
		add("Repeats", strings.ToLower(recurrenceLabels[s.Repeats])+", first on "+dayText(s.First))
	}
	return all
}

// scopeWords says what a scope selects.
func scopeWords(v govern.CampaignView) (all []string) {
	s := v.Scope
	if s.OnlyConsole {
		return []string{"only the console itself: roles, owners and credentials"}
	}
	if len(s.Apps) == 0 {
		all = append(all, "all applications")
	}
	for _, id := range s.Apps {
		all = append(all, v.Apps[id])
	}
	if n := len(s.Entitlements); n == 1 {
		all = append(all, "one entitlement")
	} else if n > 1 {
		all = append(all, strconv.Itoa(n)+" entitlements")
	}
	if s.Admins {
		all = append(all, "only administrators")
	}
	for _, id := range s.People {
		all = append(all, v.Names.Of(id))
	}
	for _, id := range s.Managers {
		all = append(all, "reports of "+v.Names.Of(id))
	}
	for _, d := range s.Departments {
		all = append(all, "department "+d)
	}
	for _, k := range s.Accounts {
		all = append(all, strings.ToLower(accountKindLabels[k]))
	}
	for _, k := range s.States {
		all = append(all, strings.ToLower(stateChip(k).Label))
	}
	if !s.NewSince.IsZero() {
		all = append(all, "new since "+dayText(s.NewSince))
	}
	if s.NewWithin > 0 {
		all = append(all, "new within "+s.NewWithin.Words())
	}
	for _, x := range []struct {
		set  bool
		text string
	}{{s.Permanent, "only without an end"}, {s.Incompatible, "only incompatible entitlements"}, {s.Existence, "having an account, too"}, {s.Console, "the console itself, too"}} {
		if x.set {
			all = append(all, x.text)
		}
	}
	return all
}

func approverWords(all []console.Approver, names govern.Names) (words []string) {
	for _, a := range all {
		switch name := names.Of(a.Person); {
		case a.Kind == console.ApproverPerson && name != "":
			words = append(words, name)
		case a.Kind == console.ApproverPerson:
			words = append(words, string(a.Person))
		case a.Kind == console.ApproverGroup:
			words = append(words, "holders of "+a.Entitlement)
		default:
			words = append(words, a.ReviewerLabel())
		}
	}
	return words
}
