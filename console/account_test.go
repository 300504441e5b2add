package console

import (
	"slices"
	"testing"
	"time"
)

func TestTypeOf(t *testing.T) {
	plain, bot, person := &AppRole{Name: "r"}, &AppRole{Kind: AccountService}, &AppRole{Kind: AccountHuman}
	one := func(r *AppRole) EffectiveRole { return EffectiveRole{Risk: r, Floor: r, Held: 1} }
	for _, tt := range []struct {
		name           string
		upstream, said AccountKind
		role           EffectiveRole
		want           AccountType
	}{
		{"nobody says anything", AccountUnspecified, AccountUnspecified, EffectiveRole{}, AccountType{AccountUnspecified, TypeByUpstream}},
		{"the upstream", AccountService, AccountUnspecified, one(plain), AccountType{AccountService, TypeByUpstream}},
		{"the role", AccountHuman, AccountUnspecified, one(bot), AccountType{AccountService, TypeByRole}},
		{"a role for people", AccountService, AccountUnspecified, one(person), AccountType{AccountHuman, TypeByRole}},
		{"a person", AccountService, AccountHuman, one(bot), AccountType{AccountHuman, TypeByPerson}},
		{"two roles, one for services", AccountHuman, AccountUnspecified, EffectiveRole{Risk: person, Floor: bot, Held: 2}, AccountType{AccountService, TypeByRole}},
		{"two roles, the other way", AccountHuman, AccountUnspecified, EffectiveRole{Risk: bot, Floor: person, Held: 2}, AccountType{AccountService, TypeByRole}},
		{"two roles, one says nothing", AccountHuman, AccountUnspecified, EffectiveRole{Risk: bot, Floor: plain, Held: 2}, AccountType{AccountService, TypeByRole}},
	} {
		if got := TypeOf(tt.upstream, tt.said, tt.role); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestOwnersSince(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC) }
	history := []Ownership{{Person: "long-ago", From: day(1), Until: day(5)}, {Person: "ended-then", From: day(5), Until: day(10)}, {From: day(10), Until: day(12)},
		{Person: "before", From: day(12), Until: day(20)}, {Person: "now", From: day(20)}}
	for _, tt := range []struct {
		name       string
		since, now time.Time
		want       []ID
	}{
		{"all of it", day(1), day(30), []ID{"long-ago", "ended-then", "before", "now"}},
		{"an ownership that ended at the beginning", day(10), day(30), []ID{"before", "now"}},
		{"one that ended just after it", day(10).Add(-time.Microsecond), day(30), []ID{"ended-then", "before", "now"}},
		{"what comes later does not count", day(10), day(19), []ID{"before"}},
		{"one that begins now", day(10), day(20), []ID{"before", "now"}},
		{"only the current one", day(25), day(30), []ID{"now"}},
		{"nothing yet", day(1).Add(-time.Hour), day(1).Add(-time.Minute), nil},
	} {
		if got := OwnersSince(history, tt.since, tt.now); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	again := append(history, Ownership{Person: "before", From: day(25)})
	if got := OwnersSince(again, day(11), day(30)); !slices.Equal(got, []ID{"before", "now"}) {
		t.Errorf("somebody twice: %v", got)
	}
}
