package report

import (
	"baton/c1z"
	"fmt"
	"maps"
	"slices"
	"strings"

	"baton"
)

// attribute is an attribute of a row, as text.
type attribute struct {
	name, before, after string
}

// differences returns the attributes that differ, by name.
func differences(before, after map[string]string) []attribute {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	var list []attribute
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before[name] != after[name] {
			list = append(list, attribute{name, before[name], after[name]})
		}
	}
	return list
}

// distinct removes attributes that repeat another one under a different name, such as an address in
// the profile.
func distinct(list []attribute) []attribute {
	seen := map[[2]string]bool{}
	var kept []attribute
	for _, inProfile := range []bool{false, true} {
		for _, a := range list {
			pair := [2]string{a.before, a.after}
			if strings.HasPrefix(a.name, "profile ") == inProfile && !seen[pair] {
				seen[pair] = true
				kept = append(kept, a)
			}
		}
	}
	return kept
}

func resourceAttributes(r *baton.Resource) map[string]string {
	all := map[string]string{
		"display name": r.DisplayName,
		"description":  r.Description,
		"status":       statusWord(r.Status),
		"created":      stamp(r.CreatedAt),
	}
	if r.Parent != (baton.ResourceID{}) {
		all["parent"] = r.Parent.String()
	}
	if u := r.User; u != nil {
		var addresses []string
		for _, e := range u.Emails {
			addresses = append(addresses, e.Address)
		}
		all["e-mail"] = addressOf(u)
		all["e-mails"] = strings.Join(addresses, ", ")
		all["login"] = u.Login
		all["login aliases"] = strings.Join(u.LoginAliases, ", ")
		all["given name"] = u.GivenName
		all["middle names"] = strings.Join(u.MiddleNames, ", ")
		all["family name"] = u.FamilyName
		all["employee ids"] = strings.Join(u.EmployeeIDs, ", ")
		all["last login"] = stamp(u.LastLogin)
	}
	addProfile(all, "profile ", r.Profile)
	return all
}

func entitlementAttributes(e *c1z.Entitlement) map[string]string {
	return map[string]string{
		"display name": e.DisplayName,
		"description":  e.Description,
		"resource":     e.ResourceName,
		"purpose":      purposeWord(e.Purpose),
		"grantable to": strings.Join(e.GrantableTo, ", "),
	}
}

func purposeWord(p baton.Purpose) string {
	words := [...]string{"", "assignment", "permission", "ownership"}
	if p < 0 || int(p) >= len(words) {
		return fmt.Sprint(int(p))
	}
	return words[p]
}

// resourceName is the attribute of a grant that repeats the name of its resource.
const resourceName = "resource"

func grantAttributes(g *c1z.Grant) map[string]string {
	all := map[string]string{resourceName: g.ResourceName}
	addProfile(all, "", g.Metadata)
	return all
}

func addProfile(all map[string]string, prefix string, p baton.Profile) {
	for key, value := range p {
		if nested, ok := value.(baton.Profile); ok {
			addProfile(all, prefix+key+".", nested)
			continue
		}
		all[prefix+key] = flat(value)
	}
}
