package console

import (
	"encoding/json"
	"slices"
)

// PolicyFor returns the version of a policy that applies to a request, from all its versions, the
// newest first. A weaker version never applies to its authors, nor does a later version that is
// still weaker than the one before. party reports whether a person is the requester or the subject.
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

// SettingsFor returns the settings that apply to a request; see [PolicyFor]. Before the first
// version, they are the zero value.
func SettingsFor(versions []SettingsVersion, party func(ID) bool) RequestSettings {
	all := append(slices.Clone(versions), SettingsVersion{})
	return all[newestFor(len(all),
		func(i int) bool { return all[i].Weaker && (party(all[i].Author) || party(all[i].Second)) },
		func(i, j int) bool { return all[i].Settings.AtLeast(all[j].Settings) })].Settings
}

// newestFor returns the index of the newest of n versions that applies; -1 if none does. weakened
// reports whether a party of the request wrote version i and it is weaker than the one before.
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

// sameRules reports whether rules are equal except for texts for people.
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
			return "" // cannot happen: rules only have types that can be encoded
		}
		return string(b)
	}
	return text(a) == text(b)
}
