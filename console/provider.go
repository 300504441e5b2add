package console

import (
	"slices"
	"strings"
	"time"

	"baton"
)

// Provider is an OpenID Connect provider. The client secret is stored apart, sealed.
type Provider struct {
	Name        string // part of addresses; never changes
	Label       string // for display
	Issuer      string
	ClientID    string
	Scopes      []string // in addition to openid
	GroupsClaim string   // "": groups are ignored
	Groups      []GroupRole
	// AddPeople creates a person at the first login if no person has the verified e-mail address.
	AddPeople bool
	Enabled   bool
	Version   int64
}

// GroupRole gives the members of a provider's group a role in the console.
type GroupRole struct {
	Group string
	Role  ConsoleRole
}

// Check returns an error if the settings are incomplete or invalid.
func (p Provider) Check() error {
	invalid := func(format string, args ...any) error { return baton.Errorf(baton.Invalid, format, args...) }
	ofName := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' }
	switch {
	case p.Name == "" || len(p.Name) > 40 || strings.ContainsFunc(p.Name, func(r rune) bool { return !ofName(r) }):
		return invalid("the name in addresses has 1 to 40 small letters, digits and hyphens, not %q", p.Name)
	case p.Name == "new" || p.Name == "break-glass":
		return invalid("the name %q is taken", p.Name)
	case strings.TrimSpace(p.Label) == "" || len(p.Label) > 100:
		return invalid("the label has 1 to 100 characters")
	case p.Issuer == "" || len(p.Issuer) > 500:
		return invalid("the issuer is missing, or longer than 500 characters")
	case p.ClientID == "" || len(p.ClientID) > 500:
		return invalid("the client ID is missing, or longer than 500 characters")
	case len(p.Groups) > 0 && p.GroupsClaim == "":
		return invalid("groups give roles, and it is not said which claim holds the groups")
	}
	for _, s := range p.Scopes {
		if s == "" || strings.ContainsAny(s, " \t\r\n\"\\") {
			return invalid("%q is no scope", s)
		}
	}
	for i, g := range p.Groups {
		switch {
		case g.Group == "":
			return invalid("a group has no name")
		case g.Role == "":
			return invalid("the group %q has no role", g.Group)
		case !slices.Contains(ConsoleRoles(), g.Role):
			return invalid("there is no role %q", g.Role)
		case slices.Contains(p.Groups[:i], g):
			return invalid("the group %q gives the role %s twice", g.Group, g.Role.Label())
		}
	}
	return nil
}

// RolesOf returns the roles for groups, sorted. Group names must match exactly.
func (p Provider) RolesOf(groups []string) []ConsoleRole {
	var roles []ConsoleRole
	for _, g := range p.Groups {
		if slices.Contains(groups, g.Group) {
			roles = append(roles, g.Role)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// Identity is a person's identity at an issuer. E-mail addresses are never used to find it.
type Identity struct {
	Issuer, Subject string
	Person          ID
	Email           string // the last one that the provider gave; for display only
	Bound           time.Time
	Seen            time.Time
}

// SignIn is an unfinished login with a provider.
type SignIn struct {
	Provider string
	Browser  [32]byte // SHA-256 of the cookie of the browser that began it
	Nonce    string
	Verifier string
	Next     string // the page to return to
	// Session is the session that is authenticated again; nil for a new session.
	Session []byte
	Began   time.Time
	Address string
}

// SignInLife is how long a login with a provider may take.
const SignInLife = 10 * time.Minute
