package console

import (
	"slices"
	"strings"
	"time"

	"baton"
)

// Provider is an OpenID Connect provider with which people sign in. The secret of the
// console's client there is sealed apart from it.
type Provider struct {
	Name        string // part of addresses; never changes
	Label       string // as people read it
	Issuer      string
	ClientID    string
	Scopes      []string // beside openid
	GroupsClaim string   // "": groups play no part
	Groups      []GroupRole
	// AddPeople makes a person of everybody who signs in for the first time and whose
	// verified e-mail address nobody has.
	AddPeople bool
	Enabled   bool
	Version   int64
}

// GroupRole gives the members of a group at a provider a role in the console.
type GroupRole struct {
	Group string
	Role  ConsoleRole
}

// Check returns an error if a provider lacks something or holds what it cannot.
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

// RolesOf returns the roles that groups give, sorted. Groups match exactly.
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

// Identity is who a person is at an issuer. It is never found by an e-mail address.
type Identity struct {
	Issuer, Subject string
	Person          ID
	Email           string // as the provider gave it last; only for people to read
	Bound           time.Time
	Seen            time.Time
}

// SignIn is a login with a provider that is under way.
type SignIn struct {
	Provider string
	Browser  [32]byte // SHA-256 of what the browser that began it shows
	Nonce    string
	Verifier string
	Next     string // the page that it leads back to
	// Session is the session whose person proves again who it is; nil for a new session.
	Session []byte
	Began   time.Time
	Address string
}

// SignInLife is how long a login with a provider may take.
const SignInLife = 10 * time.Minute
