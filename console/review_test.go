package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton"
)

// TestOutcomeRule settles items by truth tables: reviewers, rule, and decisions in their order.
func TestOutcomeRule(t *testing.T) {
	for _, tt := range []struct {
		rule      OutcomeKind
		wins      ReviewChoice
		reviewers int
		decisions string // k keep, r remove, l lower, u keep until, a acknowledge, x abstain
		want      ReviewChoice
	}{
		{OutcomeOne, ChooseRemove, 1, "", ""},
		{OutcomeOne, ChooseRemove, 2, "x", ""},
		{OutcomeOne, ChooseRemove, 2, "xk", ChooseKeep},
		{OutcomeOne, ChooseRemove, 2, "kr", ChooseKeep},
		{OutcomeOne, ChooseKeep, 2, "rk", ChooseRemove},
		{OutcomeAll, ChooseRemove, 3, "kk", ""},
		{OutcomeAll, ChooseRemove, 3, "kkk", ChooseKeep},
		{OutcomeAll, ChooseRemove, 3, "kr", ChooseRemove},
		{OutcomeAll, ChooseRemove, 3, "kl", ChooseLower},
		{OutcomeAll, ChooseRemove, 3, "lr", ChooseRemove},
		{OutcomeAll, ChooseKeep, 3, "rr", ""},
		{OutcomeAll, ChooseKeep, 3, "rrr", ChooseRemove},
		{OutcomeAll, ChooseKeep, 3, "rrl", ChooseLower},
		{OutcomeAll, ChooseKeep, 2, "rl", ChooseLower},
		{OutcomeAll, ChooseKeep, 3, "rk", ChooseKeep},
		{OutcomeAll, ChooseRemove, 3, "kxk", ChooseKeep},
		{OutcomeAll, ChooseRemove, 2, "xx", ""},
		{OutcomeMajority, ChooseRemove, 3, "k", ""},
		{OutcomeMajority, ChooseRemove, 3, "kk", ChooseKeep},
		{OutcomeMajority, ChooseRemove, 3, "kr", ""},
		{OutcomeMajority, ChooseRemove, 4, "kkrr", ChooseRemove},
		{OutcomeMajority, ChooseKeep, 4, "kkrr", ChooseKeep},
		{OutcomeMajority, ChooseKeep, 3, "xkr", ChooseKeep},
		{OutcomeMajority, ChooseKeep, 3, "rxr", ChooseRemove},
		{OutcomeMajority, ChooseRemove, 2, "ku", ChooseKeepUntil},
		{OutcomeMajority, ChooseKeep, 2, "ku", ChooseKeep},
	} {
		letters := map[rune]ReviewChoice{'k': ChooseKeep, 'r': ChooseRemove, 'l': ChooseLower, 'u': ChooseKeepUntil, 'a': ChooseAcknowledge, 'x': ChooseAbstain}
		var decisions []ReviewDecision
		for i, c := range tt.decisions {
			decisions = append(decisions, ReviewDecision{Choice: letters[c], Reviewer: ID(fmt.Sprint("r", i))})
		}
		got := OutcomeRule{tt.rule, tt.wins}.Settle(tt.reviewers, decisions)
		switch {
		case got == nil && tt.want != "" || got != nil && got.Choice != tt.want:
			t.Errorf("%s, %s wins, %d reviewers, %q: %+v, want %q", tt.rule, tt.wins, tt.reviewers, tt.decisions, got, tt.want)
		case got != nil && len(got.By) == 0:
			t.Errorf("%s %q: nobody decided it", tt.rule, tt.decisions)
		}
	}
}

// TestOutcomeUntil takes the earliest of several ends where removals win, else the latest.
func TestOutcomeUntil(t *testing.T) {
	early, late := time.Unix(1000, 0), time.Unix(2000, 0)
	decisions := []ReviewDecision{{Choice: ChooseKeepUntil, Until: late}, {Choice: ChooseKeepUntil, Until: early}}
	for wins, want := range map[ReviewChoice]time.Time{ChooseRemove: early, ChooseKeep: late} {
		if got := (OutcomeRule{OutcomeAll, wins}).Settle(2, decisions); got == nil || !got.Until.Equal(want) {
			t.Errorf("%s wins: %+v, want until %v", wins, got, want)
		}
	}
}

// TestReviewBlocks tries every choice for every kind of item.
func TestReviewBlocks(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	tomorrow := now.Add(24 * time.Hour)
	for _, tt := range []struct {
		name    string
		item    ReviewItem
		allowed string
	}{
		{"plain", ReviewItem{Kind: ReviewAccess}, "keep remove keep-until abstain"},
		{"with a lower role", ReviewItem{Kind: ReviewAccess, Shown: ReviewShown{Lower: &ShownLower{}}}, "keep remove lower keep-until abstain"},
		{"mastered elsewhere", ReviewItem{Kind: ReviewAccess, Shown: ReviewShown{MasteredBy: "Okta"}}, "keep remove keep-until acknowledge abstain"},
		{"indirect", ReviewItem{Kind: ReviewAccess, Shown: ReviewShown{Indirect: true}}, "keep acknowledge abstain"},
		{"immutable", ReviewItem{Kind: ReviewAccess, Shown: ReviewShown{Immutable: true, Lower: &ShownLower{}}}, "keep acknowledge abstain"},
		{"ends earlier", ReviewItem{Kind: ReviewAccess, Shown: ReviewShown{Until: now.Add(time.Hour)}}, "keep remove abstain"},
		{"ends later", ReviewItem{Kind: ReviewAccess, Shown: ReviewShown{Until: now.Add(48 * time.Hour)}}, "keep remove keep-until abstain"},
		{"role of the console", ReviewItem{Kind: ReviewRole}, "keep remove abstain"},
	} {
		var allowed []string
		for _, c := range ReviewChoices() {
			until := time.Time{}
			if c == ChooseKeepUntil {
				until = tomorrow
			}
			if tt.item.Blocks(c, until, now) == nil {
				allowed = append(allowed, string(c))
			}
		}
		if got := strings.Join(allowed, " "); got != tt.allowed {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.allowed)
		}
	}
	for what, err := range map[string]error{
		"no choice":          ReviewItem{}.Blocks("", time.Time{}, now),
		"until the past":     ReviewItem{Kind: ReviewAccess}.Blocks(ChooseKeepUntil, now, now),
		"a keep with an end": ReviewItem{Kind: ReviewAccess}.Blocks(ChooseKeep, tomorrow, now),
	} {
		if baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestReviewersOf finds reviewers: never the subject, the alternatives one after the other, and in the
// end whoever looks after the console.
func TestReviewersOf(t *testing.T) {
	people := map[ApproverKind][]ID{ApproverManager: {"manager"}, ApproverAppOwner: {"owner1", "owner2"}}
	roles := map[ConsoleRole][]ID{SuperAdministrator: {"root"}, SecurityOfficer: {"officer"}}
	r := Reviewers{Ask: []Approver{{Kind: ApproverManager}, {Kind: ApproverAppOwner}}, Fallback: []Approver{{Kind: ApproverPerson, Person: "other"}},
		People: func(a Approver) ([]ID, error) {
			switch a.Kind {
			case ApproverRole:
				return roles[a.Role], nil
			case ApproverPerson:
				return []ID{a.Person}, nil
			}
			return people[a.Kind], nil
		},
		Delegate: func(p ID) (ID, error) { return map[ID]ID{"owner2": "deputy", "root": "officer"}[p], nil }}
	for _, tt := range []struct {
		subject ReviewSubject
		want    string
	}{
		{ReviewSubject{Person: "ana"}, "manager owner1 deputy"},
		{ReviewSubject{Person: "owner1"}, "manager deputy"},
		{ReviewSubject{Person: "ana", Barred: map[ID]string{"manager": "was the owner", "owner1": "was the owner", "owner2": "was the owner"}}, "other"},
		{ReviewSubject{Person: "other", Barred: map[ID]string{"manager": "x", "owner1": "x", "owner2": "x"}}, "officer"},
		{ReviewSubject{Person: "deputy"}, "manager owner1 owner2"},
		{ReviewSubject{Person: "ana", Barred: map[ID]string{"owner1": "x", "owner2": "x"}}, "manager"},
		{ReviewSubject{Person: "root", Barred: map[ID]string{"manager": "x", "owner1": "x", "owner2": "x", "other": "x"}}, "officer"},
		{ReviewSubject{Person: "officer", Barred: map[ID]string{"manager": "x", "owner1": "x", "owner2": "x", "other": "x", "root": "x"}}, ""},
	} {
		asked, excluded, err := r.Of(tt.subject)
		var got []string
		for _, a := range asked {
			got = append(got, string(a.Person))
		}
		if s := strings.Join(got, " "); err != nil || s != tt.want {
			t.Errorf("%+v: %s (%v), want %s", tt.subject, s, err, tt.want)
		}
		if len(tt.subject.Barred) > 0 && len(excluded) == 0 {
			t.Errorf("%+v: nobody is excluded with a reason", tt.subject)
		}
	}
}

// TestCheckReviewer compares persons after merges, also for delegates.
func TestCheckReviewer(t *testing.T) {
	canonical := func(id ID) ID {
		if id == "ana-old" {
			return "ana"
		}
		return id
	}
	s := ReviewSubject{Person: "ana-old", Barred: map[ID]string{"ben": "was the owner of this account in the last 30 days"}}
	for _, tt := range []struct {
		reviewer, for_ ID
		refused        bool
	}{{"ana", "", true}, {"ana-old", "", true}, {"cleo", "ana", true}, {"ben", "", true}, {"cleo", "ben", true}, {"cleo", "", false}, {"cleo", "dan", false}} {
		err := s.CheckReviewer(tt.reviewer, tt.for_, canonical)
		if (err != nil) != tt.refused || err != nil && baton.KindOf(err) != baton.Refused {
			t.Errorf("%s for %q: %v", tt.reviewer, tt.for_, err)
		}
	}
	if err := (ReviewSubject{}).CheckReviewer("ana", "", canonical); err != nil {
		t.Errorf("an account without owner: %v", err)
	}
}

// TestScope excludes a candidate by each criterion, and counts the reason.
func TestScope(t *testing.T) {
	now := time.Unix(10_000_000, 0)
	ana := &Person{ID: "ana", Manager: "max", Department: "Sales", Status: PersonActive}
	plain := ReviewCandidate{App: "a", Entitlement: 7, Account: true, Person: ana, Kind: AccountHuman, State: StateExplained, Permanent: true}
	with := func(edit func(*ReviewCandidate)) ReviewCandidate { c := plain; edit(&c); return c }
	for _, tt := range []struct {
		name  string
		scope ReviewScope
		c     ReviewCandidate
		want  string
	}{
		{"everything", ReviewScope{}, plain, ""},
		{"a group", ReviewScope{}, with(func(c *ReviewCandidate) { c.Account = false }), ExcludedNoAccount},
		{"another entitlement", ReviewScope{Entitlements: []EntitlementKey{8}}, plain, ExcludedEntitlement},
		{"the account itself", ReviewScope{}, with(func(c *ReviewCandidate) { c.Entitlement = AccountItself }), ExcludedEntitlement},
		{"the account itself, wanted", ReviewScope{Existence: true, Entitlements: []EntitlementKey{8}}, with(func(c *ReviewCandidate) { c.Entitlement = AccountItself }), ""},
		{"a disabled account itself", ReviewScope{Existence: true}, with(func(c *ReviewCandidate) { c.Entitlement, c.Disabled = AccountItself, true }), ExcludedNotEnabled},
		{"no administrator", ReviewScope{Admins: true}, plain, ExcludedNotAdmin},
		{"by manager", ReviewScope{Managers: []ID{"max"}, People: []ID{"ben"}}, plain, ""},
		{"by department", ReviewScope{Departments: []string{"Legal"}}, plain, ExcludedPerson},
		{"nobody's, by person", ReviewScope{People: []ID{"ana"}}, with(func(c *ReviewCandidate) { c.Person = nil }), ExcludedPerson},
		{"unowned or service", ReviewScope{Accounts: []ReviewAccounts{AccountsUnowned, AccountsService}}, with(func(c *ReviewCandidate) { c.Kind = AccountService }), ""},
		{"unowned", ReviewScope{Accounts: []ReviewAccounts{AccountsUnowned}}, plain, ExcludedAccountKind},
		{"disabled", ReviewScope{Accounts: []ReviewAccounts{AccountsDisabled}}, with(func(c *ReviewCandidate) { c.Disabled = true }), ""},
		{"orphaned", ReviewScope{Accounts: []ReviewAccounts{AccountsOrphaned}}, with(func(c *ReviewCandidate) { c.Person = &Person{Status: PersonGone} }), ""},
		{"unexplained", ReviewScope{States: []State{StateUnexplained}}, plain, ExcludedState},
		{"new", ReviewScope{NewWithin: Duration(time.Hour)}, with(func(c *ReviewCandidate) { c.Since = now.Add(-time.Minute) }), ""},
		{"old", ReviewScope{NewWithin: Duration(time.Hour)}, with(func(c *ReviewCandidate) { c.Since = now.Add(-2 * time.Hour) }), ExcludedOld},
		{"of the baseline", ReviewScope{NewSince: now.Add(-time.Hour)}, plain, ExcludedOld},
		{"timed", ReviewScope{Permanent: true}, with(func(c *ReviewCandidate) { c.Permanent = false }), ExcludedLimited},
		{"compatible", ReviewScope{Incompatible: true}, plain, ExcludedCompatible},
	} {
		if got := tt.scope.Excludes(tt.c, now); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestGate refuses sources that were never read, are held, failed or are old.
func TestGate(t *testing.T) {
	now := time.Unix(10_000_000, 0)
	for _, tt := range []struct {
		source GateSource
		want   string
	}{
		{GateSource{Began: now.Add(-time.Hour)}, ""},
		{GateSource{}, "no sync was applied yet"},
		{GateSource{Began: now, Held: true}, "the newest sync is held"},
		{GateSource{Began: now, Failed: true}, "the last sync failed"},
		{GateSource{Began: now.Add(-50 * time.Hour)}, "the newest sync is 2 days 2 hours old; the limit is 2 days"},
	} {
		if got := tt.source.Problem(2*day, now); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.source, got, tt.want)
		}
	}
	if got := Gate([]GateSource{{Name: "good", Began: now}, {Name: "bad"}}, day, now); fmt.Sprint(got) != "[bad: no sync was applied yet]" {
		t.Errorf("problems: %v", got)
	}
}

// TestRecurrence makes campaigns on the day of the first one, also in months without it.
func TestRecurrence(t *testing.T) {
	first := time.Date(2025, 11, 30, 9, 0, 0, 0, time.UTC)
	s := CampaignSettings{Repeats: Quarterly, First: first}
	at, got := first.Add(-time.Second), ""
	for range 6 {
		at = s.Next(at)
		got += at.Format("2006-01-02 ")
	}
	if want := "2025-11-30 2026-02-28 2026-05-30 2026-08-30 2026-11-30 2027-02-28 "; got != want {
		t.Errorf("quarterly: %s, want %s", got, want)
	}
	s.Repeats = Once
	if next := s.Next(first); !next.IsZero() {
		t.Errorf("once: again at %v", next)
	}
	s.Repeats = Yearly
	if next := s.Next(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)); next.Format(time.DateOnly) != "2031-11-30" {
		t.Errorf("after years: %v", next)
	}
}

// TestReminders come before the end, at the end, and every day after it.
func TestReminders(t *testing.T) {
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	c := Campaign{State: CampaignRunning, Started: start, Ends: start.Add(10 * 24 * time.Hour)}
	at, got := start, ""
	for range 6 {
		at = c.NextReminder(at)
		got += at.Format("02 ")
	}
	if want := "04 08 10 11 12 13 "; got != want {
		t.Errorf("days: %s, want %s", got, want)
	}
	c.NoReminders = true
	if next := c.NextReminder(start); !next.IsZero() {
		t.Errorf("without reminders: %v", next)
	}
}

// TestCheckRemovals asks for the number of many removals.
func TestCheckRemovals(t *testing.T) {
	for _, tt := range []struct {
		removals, typed int
		ok              bool
	}{{25, 0, true}, {26, 0, false}, {26, 25, false}, {26, 26, true}, {0, 0, true}} {
		if err := CheckRemovals(tt.removals, tt.typed); (err == nil) != tt.ok {
			t.Errorf("%d removals, %d typed: %v", tt.removals, tt.typed, err)
		}
	}
}

// TestDigestDecisions changes with every field of a decision.
func TestDigestDecisions(t *testing.T) {
	plain := ReviewDecision{Item: 1, Reviewer: "r", Choice: ChooseKeep, At: time.Unix(5, 0)}
	seen := map[Hash]string{DigestDecisions([]ReviewDecision{plain}): "plain"}
	for name, edit := range map[string]func(*ReviewDecision){
		"item": func(d *ReviewDecision) { d.Item = 2 }, "reviewer": func(d *ReviewDecision) { d.Reviewer = "s" }, "for": func(d *ReviewDecision) { d.For = "f" },
		"choice": func(d *ReviewDecision) { d.Choice = ChooseRemove }, "until": func(d *ReviewDecision) { d.Until = time.Unix(9, 0) }, "note": func(d *ReviewDecision) { d.Note = "n" },
		"at": func(d *ReviewDecision) { d.At = time.Unix(6, 0) }, "shown": func(d *ReviewDecision) { d.Hash[3] = 1 }, "sync": func(d *ReviewDecision) { d.Sync = 4 },
		"seconds": func(d *ReviewDecision) { d.Seconds = 3 }, "batch": func(d *ReviewDecision) { d.Batch = 3 }, "eligible": func(d *ReviewDecision) { d.Eligible = "e" },
	} {
		d := plain
		edit(&d)
		h := DigestDecisions([]ReviewDecision{d})
		if other := seen[h]; other != "" {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[h] = name
	}
}
