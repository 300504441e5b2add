package fault_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/sandbox/fault"
)

var table = []fault.Fault{
	fault.Row("plain", "", "", "is on or off"),
	fault.Row("count", fault.Count, "2", "takes a number"),
	fault.Row("all", fault.CountOrZero, "3", "takes a number or 0"),
	fault.Row("rows", fault.Rows, "5/2", "takes rows and times"),
	fault.Row("slow", fault.Duration, "2s", "takes a duration"),
	fault.Row("away", fault.URL, "https://elsewhere.invalid/", "takes a URL"),
	fault.Row("choice", "red|green", "red", "takes colours"),
}

func parse(t *testing.T, names ...string) fault.Set {
	t.Helper()
	set, err := fault.Parse(table, names)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestValues(t *testing.T) {
	set := parse(t, "plain", "count", " all=0", "rows=7", "slow=1m", "away", "choice=red+green")
	if !set.On("plain") || set.On("no such") || set.Number("count") != 2 || set.Wait("slow") != time.Minute ||
		set.Value("away") != "https://elsewhere.invalid/" || !set.Chosen("choice", "green") || set.Chosen("plain", "green") {
		t.Errorf("the set is %v", set.Names())
	}
	if again := parse(t, set.Names()...); !slices.Equal(again.Names(), set.Names()) {
		t.Errorf("%q is read as %q", set.Names(), again.Names())
	}
}

func TestCounting(t *testing.T) {
	pattern := func(ask func() bool) string {
		var s strings.Builder
		for range 5 {
			s.WriteByte("-x"[map[bool]int{true: 1}[ask()]])
		}
		return s.String()
	}
	for name, tt := range map[string]struct {
		spec, want string
		ask        func(fault.Set) func() bool
	}{
		"every":        {"count", "-x-x-", func(s fault.Set) func() bool { return func() bool { return s.Every("count") } }},
		"first":        {"count", "xx---", func(s fault.Set) func() bool { return func() bool { return s.First("count") } }},
		"first of all": {"all=0", "xxxxx", func(s fault.Set) func() bool { return func() bool { return s.First("all") } }},
		"past":         {"all", "---xx", func(s fault.Set) func() bool { return func() bool { return s.Past("all") } }},
		"past at once": {"all=0", "xxxxx", func(s fault.Set) func() bool { return func() bool { return s.Past("all") } }},
		"cut":          {"rows", "xx---", func(s fault.Set) func() bool { return func() bool { return s.Cut("rows") == 5 } }},
		"cut always":   {"rows=5/0", "xxxxx", func(s fault.Set) func() bool { return func() bool { return s.Cut("rows") == 5 } }},
		"off is no cut": {"plain", "-----", func(s fault.Set) func() bool {
			return func() bool { return s.Cut("rows") >= 0 || s.Every("count") || s.Past("all") }
		}},
	} {
		if got := pattern(tt.ask(parse(t, tt.spec))); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestWrongValues(t *testing.T) {
	for _, name := range []string{"gremlins", "plain=1", "count=0", "count=x", "all=-1", "rows=1/-2", "rows=/", "slow=soon", "slow=-1s", "away=nowhere", "choice=blue", ""} {
		if _, err := fault.Parse(table, []string{name}); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}
