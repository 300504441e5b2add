package perplexity

import (
	"fmt"
	"strings"

	"baton"
	"baton/connector/scim"
)

// notThere returns the error for a configured name that no group has. If the name is part of the name of a
// group that contains commas, the error shows how to write that name in a list.
func notThere(groups []scim.Group, names []string, name, setting string) error {
	for _, g := range groups {
		parts := strings.Split(g.Label(), ",")
		if len(parts) < 2 || !consecutive(parts, names, name) {
			continue
		}
		written := `"` + strings.ReplaceAll(g.Label(), `"`, `""`) + `"`
		return baton.Errorf(baton.Invalid, "the group %q in %s does not exist; a comma separates names, and there is a group %s", name, setting, labels([]scim.Group{g})).
			WithFix("Set %s to the id %s, or to the name in double quotes: %s (in the shell: %s).", setting, g.ID, written, shellWord(written))
	}
	e := baton.Errorf(baton.Invalid, "the group %q in %s does not exist", name, setting)
	fix := fmt.Sprintf("Correct %s; it takes the display name or the id of a group that SCIM lists.", setting)
	if len(names) > 1 {
		fix += " A name with a comma is written in double quotes."
	}
	return e.WithFix("%s", fix)
}

// consecutive reports whether parts are neighbours among the names, and name is one of them.
func consecutive(parts, names []string, name string) bool {
	for i := range len(names) - len(parts) + 1 {
		same, has := true, false
		for j, part := range parts {
			same = same && similarName(part, names[i+j])
			has = has || names[i+j] == name
		}
		if same && has {
			return true
		}
	}
	return false
}

// shellWord quotes a text as one word for a shell.
func shellWord(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
