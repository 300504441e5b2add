package ingest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/c1z"
	"baton/console"
)

// content converts a row to what the console stores of a resource, without keys.
func (d *delta) content(row c1z.Resource, account bool) console.Resource {
	r := console.Resource{Type: row.ID.Type, ID: row.ID.ID, Name: row.DisplayName, Description: row.Description,
		Status: console.Status(row.Status), Created: row.CreatedAt.UTC(), Profile: canonical(row.Profile)}
	if row.CreatedAt.IsZero() {
		r.Created = time.Time{}
	}
	if !account {
		r.App = d.appTypes[row.ID.Type] || slices.Contains(row.Annotations, "AppTrait")
		return r
	}
	a := &console.Account{Kind: accountKind(row.User)}
	if u := row.User; u != nil {
		a.Login, a.Aliases, a.GivenName, a.FamilyName, a.EmployeeIDs = u.Login, u.LoginAliases, u.GivenName, u.FamilyName, u.EmployeeIDs
		if !u.LastLogin.IsZero() {
			a.LastLogin = u.LastLogin.UTC()
		}
		for _, primary := range []bool{true, false} {
			for _, m := range u.Emails {
				if m.Primary == primary {
					a.Emails = append(a.Emails, m.Address)
				}
			}
		}
	}
	a.Manager = attribute(row.Profile, "manager", "manager_email", "managerEmail")
	a.Department = attribute(row.Profile, "department")
	r.Account = a
	return r
}

// accountKind returns the kind of an account; unspecified if the file does not say.
func accountKind(u *baton.User) console.AccountKind {
	if u == nil {
		return console.AccountUnspecified
	}
	switch u.Kind {
	case baton.ServiceAccount:
		return console.AccountService
	case baton.SystemAccount:
		return console.AccountSystem
	}
	return console.AccountHuman
}

// attribute returns the first of the named attributes that is a string.
func attribute(p baton.Profile, names ...string) string {
	for _, name := range names {
		if s, ok := p[name].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// canonical returns a profile as JSON with sorted keys; nil if it is empty.
func canonical(p baton.Profile) []byte {
	if len(p) == 0 {
		return nil
	}
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // cannot happen: all profile values can be encoded
	}
	return b
}

// entitlementContent converts a row to what the console stores of an entitlement, without keys.
func entitlementContent(row c1z.Entitlement) console.Entitlement {
	return console.Entitlement{ID: row.ID, Slug: row.Slug, Name: row.DisplayName, Description: row.Description,
		Purpose: int(row.Purpose), Immutable: slices.Contains(row.Annotations, "EntitlementImmutable")}
}

// sourceSet returns the number of a grant's set of sources.
func (d *delta) sourceSet(row c1z.Grant) int32 {
	if len(row.Sources) == 0 {
		return 0
	}
	sources := make([]console.Source, 0, len(row.Sources))
	for _, id := range row.Sources {
		// A grant that is also held directly names its own entitlement as a source.
		sources = append(sources, console.Source{Entitlement: id, Direct: id == row.Entitlement})
	}
	return d.addSources(sources)
}

// addSources numbers a set of sources.
func (d *delta) addSources(sources []console.Source) int32 {
	slices.SortFunc(sources, func(a, b console.Source) int { return strings.Compare(a.Entitlement, b.Entitlement) })
	sources = slices.CompactFunc(sources, func(a, b console.Source) bool { return a.Entitlement == b.Entitlement })
	if len(sources) == 1 && sources[0].Direct {
		return 0 // direct only
	}
	b, err := json.Marshal(sources)
	if err != nil {
		panic(err) // cannot happen: strings and booleans
	}
	n, _ := d.sources.Add(b)
	return int32(n)
}

func decodeSources(b []byte) (sources []console.Source) {
	json.Unmarshal(b, &sources) // written by addSources
	return sources
}

// detail numbers the metadata of a grant; 0 for none.
func (d *delta) detail(row c1z.Grant) int32 {
	b := canonical(row.Metadata)
	if b == nil {
		return 0
	}
	n, _ := d.details.Add(b)
	return int32(n)
}

func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
