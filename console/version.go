package console

import (
	"encoding/json"
	"slices"
)

// PolicyFor returns the version of a policy that counts for a request, of all its versions
// with the newest first. A version that asks for less never counts for those who wrote or
// confirmed it; nor does a later one, whoever wrote it, that still asks for less than the one
// before. party reports whether a person asks, or is asked for.
func PolicyFor(versions []Policy, party func(ID) bool) (Policy, bool) {
	i := newestFor(len(versions),
		func(i int) bool {
			return versions[i].Weaker && (party(versions[i].Author) || party(versions[i].Second))
		},
		func(i, j int) bool { return versions[i].AtLeast(versions[j]) })
	if i < 0 {
		return Policy{}, false
	}
	return versions[i], true
}

// SettingsFor returns the settings that count for a request, as [PolicyFor] does for
// policies. Those before the first version are the zero value.
func SettingsFor(versions []SettingsVersion, party func(ID) bool) RequestSettings {
	all := append(slices.Clone(versions), SettingsVersion{})
	return all[newestFor(len(all),
		func(i int) bool { return all[i].Weaker && (party(all[i].Author) || party(all[i].Second)) },
		func(i, j int) bool { return all[i].Settings.AtLeast(all[j].Settings) })].Settings
}

// newestFor returns the newest of n versions that counts; -1 if none does. weakened reports
// whether a party of the request wrote version i and it asks for less than the one before.
func newestFor(n int, weakened func(i int) bool, atLeast func(i, before int) bool) int {
	for i := range n {
		counts := true
		for j := i; counts && j < n; j++ {
			if weakened(j) {
				counts = j > i && j+1 < n && atLeast(i, j+1)
			}
		}
		if counts {
			return i
		}
	}
	return -1
}

// sameRules reports whether rules are the same in everything but what only people read.
func sameRules(a, b []PolicyRule) bool {
	text := func(rules []PolicyRule) string {
		rules = slices.Clone(rules)
		for i := range rules {
			rules[i].Name, rules[i].Why = "", ""
			rules[i].Steps = slices.Clone(rules[i].Steps)
			for j := range rules[i].Steps {
				rules[i].Steps[j].Name = ""
			}
		}
		b, err := json.Marshal(rules)
		if err != nil {
			return "" // of other types than can be encoded; rules have none
		}
		return string(b)
	}
	return text(a) == text(b)
}
