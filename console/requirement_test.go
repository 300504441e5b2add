package console

import (
	"testing"
	"time"

	"baton"
)

func day0(text string) time.Time {
	at, err := time.Parse("2006-01-02", text)
	if err != nil {
		panic(err)
	}
	return at
}

func TestRequirementAtLeast(t *testing.T) {
	a, b, c := Need{"p", 1}, Need{"p", 2}, Need{"p", 3}
	rule := func(change func(*RequirementRule)) RequirementRule {
		r := RequirementRule{Needs: []Need{a, b}, Months: 12, Grace: 7 * day, Mode: RequirementEnforce}
		change(&r)
		return r
	}
	base := rule(func(*RequirementRule) {})
	anyOf := func(needs ...Need) RequirementRule {
		return rule(func(r *RequirementRule) { r.Needs, r.Any = needs, true })
	}
	allOf := func(needs ...Need) RequirementRule { return rule(func(r *RequirementRule) { r.Needs = needs }) }
	for name, tt := range map[string]struct {
		now, before RequirementRule
		want        bool
	}{
		"the same":              {base, base, true},
		"the first one":         {anyOf(a), RequirementRule{}, true},
		"none any more":         {RequirementRule{Mode: RequirementReport}, base, false},
		"one more of all":       {allOf(a, b, c), base, true},
		"one fewer of all":      {allOf(a), base, false},
		"another one":           {allOf(a, c), base, false},
		"any in place of all":   {anyOf(a, b), base, false},
		"all in place of any":   {base, anyOf(a, b), true},
		"all of others":         {allOf(c), anyOf(a, b), false},
		"one of any":            {anyOf(a), anyOf(a, b), true},
		"one more of any":       {anyOf(a, b, c), anyOf(a, b), false},
		"any of one is all":     {anyOf(a), allOf(a), true},
		"one month more":        {rule(func(r *RequirementRule) { r.Months = 13 }), base, false},
		"one month less":        {rule(func(r *RequirementRule) { r.Months = 11 }), base, true},
		"of any age":            {rule(func(r *RequirementRule) { r.Months = 0 }), base, false},
		"no longer of any age":  {base, rule(func(r *RequirementRule) { r.Months = 0 }), true},
		"more grace":            {rule(func(r *RequirementRule) { r.Grace = 8 * day }), base, false},
		"less grace":            {rule(func(r *RequirementRule) { r.Grace = 0 }), base, true},
		"report in place of it": {rule(func(r *RequirementRule) { r.Mode = RequirementReport }), base, false},
		"enforced":              {base, rule(func(r *RequirementRule) { r.Mode = RequirementReport }), true},
	} {
		if got := tt.now.AtLeast(tt.before); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestRequirementCheck(t *testing.T) {
	n := Need{"p", 1}
	for name, tt := range map[string]struct {
		r     RequirementRule
		valid bool
	}{
		"none":           {RequirementRule{Mode: RequirementReport}, true},
		"one":            {RequirementRule{Needs: []Need{n}, Mode: RequirementEnforce, Months: 12, Grace: 14 * day, Cap: 5}, true},
		"no mode":        {RequirementRule{Needs: []Need{n}}, false},
		"twice":          {RequirementRule{Needs: []Need{n, n}, Mode: RequirementReport}, false},
		"many":           {RequirementRule{Needs: make([]Need, 17), Mode: RequirementReport}, false},
		"negative age":   {RequirementRule{Needs: []Need{n}, Mode: RequirementReport, Months: -1}, false},
		"a large cap":    {RequirementRule{Needs: []Need{n}, Mode: RequirementReport, Cap: 101}, false},
		"negative grace": {RequirementRule{Needs: []Need{n}, Mode: RequirementReport, Grace: -1}, false},
	} {
		if err := tt.r.Check(); (err == nil) != tt.valid || err != nil && baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	now := day0("2026-05-01")
	for name, tt := range map[string]struct {
		x     Exemption
		valid bool
	}{
		"complete":    {Exemption{Person: "ana", Why: "parental leave", Until: now.AddDate(0, 1, 0)}, true},
		"nobody":      {Exemption{Why: "leave", Until: now.AddDate(0, 1, 0)}, false},
		"no reason":   {Exemption{Person: "ana", Why: " ", Until: now.AddDate(0, 1, 0)}, false},
		"no end":      {Exemption{Person: "ana", Why: "leave"}, false},
		"in the past": {Exemption{Person: "ana", Why: "leave", Until: now}, false},
		"for long":    {Exemption{Person: "ana", Why: "leave", Until: now.AddDate(2, 0, 0)}, false},
	} {
		if err := tt.x.Check(now); (err == nil) != tt.valid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRequirementJudge shows what syncs establish about a need, and what they do not.
func TestRequirementJudge(t *testing.T) {
	now := day0("2026-11-30")
	none := NeedShown{InScope: true, Account: true, Head: now}
	with := func(change func(*NeedShown)) NeedShown {
		n := none
		change(&n)
		return n
	}
	held := func(change func(*NeedShown)) NeedShown {
		return with(func(n *NeedShown) {
			n.Held, n.Ever, n.First = true, true, day0("2025-01-01")
			change(n)
		})
	}
	lost := func(change func(*NeedShown)) NeedShown {
		return with(func(n *NeedShown) {
			n.Ever, n.Missed, n.LostAt, n.Completed = true, 2, day0("2026-11-29"), day0("2026-01-05")
			change(n)
		})
	}
	for name, tt := range map[string]struct {
		shown  NeedShown
		months int
		want   RequirementState
	}{
		"never completed":               {none, 0, RequirementMissing},
		"no sync":                       {NeedShown{}, 0, RequirementUnknown},
		"course outside the sync":       {with(func(n *NeedShown) { n.InScope = false }), 0, RequirementUnknown},
		"narrowed list, completed once": {lost(func(n *NeedShown) { n.InScope = false }), 0, RequirementUnknown},
		"account gone in one sync":      {with(func(n *NeedShown) { n.Account, n.Unconfirmed = false, true }), 0, RequirementUnknown},
		"account gone":                  {with(func(n *NeedShown) { n.Account = false }), 0, RequirementUnknown},
		"a newer sync is held":          {with(func(n *NeedShown) { n.HeldSync = true }), 0, RequirementUnknown},
		"completed":                     {held(func(*NeedShown) {}), 0, RequirementMet},
		"completed, newer sync held":    {held(func(n *NeedShown) { n.HeldSync = true }), 0, RequirementMet},
		"recently":                      {held(func(n *NeedShown) { n.Completed = day0("2025-12-01") }), 12, RequirementMet},
		"to the day":                    {held(func(n *NeedShown) { n.Completed = day0("2025-11-30") }), 12, RequirementLapsed},
		"long ago, newer sync held":     {held(func(n *NeedShown) { n.Completed, n.HeldSync = day0("2020-11-30"), true }), 12, RequirementUnknown},
		"no date, on the baseline":      {held(func(*NeedShown) {}), 12, RequirementUnknown},
		"no date, seen to come":         {held(func(n *NeedShown) { n.Before = day0("2026-10-01") }), 12, RequirementMet},
		"no date, came long ago":        {held(func(n *NeedShown) { n.Before = day0("2024-10-01") }), 12, RequirementUnknown},
		"restarted":                     {with(func(n *NeedShown) { n.Restarted, n.Ever, n.Completed = true, true, day0("2026-10-01") }), 12, RequirementMet},
		"restarted, and long ago":       {with(func(n *NeedShown) { n.Restarted, n.Ever, n.Completed = true, true, day0("2020-10-01") }), 12, RequirementLapsed},
		"gone in one sync":              {lost(func(n *NeedShown) { n.Missed = 1 }), 0, RequirementUnknown},
		"gone in two":                   {lost(func(*NeedShown) {}), 0, RequirementMissing},
		"look-back narrowed":            {lost(func(n *NeedShown) { n.Narrowed = true }), 0, RequirementUnknown},
	} {
		got := RequirementRule{Months: tt.months}.Judge(tt.shown, now)
		if got.State != tt.want || got.State != RequirementMet && got.Why == "" {
			t.Errorf("%s: %+v, want %s", name, got, tt.want)
		}
	}
	if got := (RequirementRule{Months: 12}).Judge(held(func(n *NeedShown) { n.Completed = day0("2024-02-29") }), now); !got.Since.Equal(day0("2025-02-28")) {
		t.Errorf("lapsed since %s", got.Since)
	}
}

func TestAddMonths(t *testing.T) {
	for _, tt := range []struct {
		from   string
		months int
		want   string
	}{{"2026-01-31", 1, "2026-02-28"}, {"2024-02-29", 12, "2025-02-28"}, {"2024-02-29", 48, "2028-02-29"}, {"2026-08-31", 6, "2027-02-28"}, {"2026-12-15", 1, "2027-01-15"}} {
		if got := AddMonths(day0(tt.from), tt.months); !got.Equal(day0(tt.want)) {
			t.Errorf("%s + %d months = %s", tt.from, tt.months, got)
		}
	}
}

func TestRequirementCombine(t *testing.T) {
	met, unknown := NeedResult{State: RequirementMet, Until: day0("2027-01-01")}, NeedResult{State: RequirementUnknown}
	early, late := NeedResult{State: RequirementLapsed, Since: day0("2026-01-01")}, NeedResult{State: RequirementMissing, Since: day0("2026-02-01")}
	for name, tt := range map[string]struct {
		any   bool
		needs []NeedResult
		want  NeedResult
	}{
		"all met":                {false, []NeedResult{met, met}, met},
		"all, one lacks":         {false, []NeedResult{met, late}, late},
		"all, unknown and lacks": {false, []NeedResult{unknown, late}, late},
		"all, one unknown":       {false, []NeedResult{met, unknown}, unknown},
		"all lack":               {false, []NeedResult{late, early}, early},
		"any met":                {true, []NeedResult{early, met}, met},
		"any, one unknown":       {true, []NeedResult{early, unknown}, unknown},
		"any, all lack":          {true, []NeedResult{early, late}, late},
	} {
		if got := (RequirementRule{Any: tt.any}).Combine(tt.needs); got != tt.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRequirementDeadline(t *testing.T) {
	r := RequirementRule{Grace: 14 * day}
	lapsed, held, enforced := day0("2026-01-01"), day0("2025-01-01"), day0("2026-03-01")
	for name, tt := range map[string]struct {
		lapsed, held, enforced time.Time
		exempt                 []Exemption
		want                   string
	}{
		"from the enforcement":    {lapsed, held, enforced, nil, "2026-03-15"},
		"from the lapse":          {day0("2026-05-01"), held, enforced, nil, "2026-05-15"},
		"from the access":         {lapsed, day0("2026-06-01"), enforced, nil, "2026-06-15"},
		"from an exemption's end": {lapsed, held, enforced, []Exemption{{Until: day0("2026-07-01")}, {Until: day0("2026-12-01"), Ended: day0("2026-04-01")}}, "2026-07-15"},
	} {
		if got := r.Deadline(tt.lapsed, tt.held, tt.enforced, tt.exempt); !got.Equal(day0(tt.want)) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestRequirementFor never lets a weaker version count for its author or for whoever confirmed it.
func TestRequirementFor(t *testing.T) {
	strict := RequirementRule{Needs: []Need{{"p", 1}}, Mode: RequirementEnforce}
	versions := []Requirement{{Version: 2, RequirementRule: RequirementRule{Mode: RequirementReport}, Author: "ana", Second: "ben", Weaker: true}, {Version: 1, RequirementRule: strict, Author: "ana"}}
	for who, want := range map[ID]int{"ana": 1, "ben": 1, "cem": 2} {
		if got := RequirementFor(versions, func(p ID) bool { return p == who }); got.Version != want {
			t.Errorf("%s: version %d", who, got.Version)
		}
	}
	if got := RequirementFor(nil, func(ID) bool { return true }); got.Active() {
		t.Errorf("%+v", got)
	}
}

func TestFactCompleted(t *testing.T) {
	for detail, want := range map[string]string{`{"completed_date":"2026-01-17T13:37:03Z"}`: "2026-01-17T13:37:03Z", `{"completed_date":"soon"}`: "", `{"completed_date":3}`: "", "": "", "{": ""} {
		got := Fact{Detail: []byte(detail)}.Completed()
		if want == "" && !got.IsZero() || want != "" && got.Format(time.RFC3339) != want {
			t.Errorf("%q: %s", detail, got)
		}
	}
}
