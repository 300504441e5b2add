package console

import (
	"slices"
	"time"
)

// Account holds the attributes that a resource of a type with the user trait has in addition.
type Account struct {
	Kind        AccountKind
	Login       string
	Aliases     []string // further logins
	Emails      []string // as the upstream writes them; the primary one first
	GivenName   string
	FamilyName  string
	EmployeeIDs []string
	Manager     string // e-mail address or id, as the upstream gives it
	Department  string
	LastLogin   time.Time // current only: it has no history
}

// AccountKind says whom an account is for, numbered as on the wire.
type AccountKind int

// The kinds of accounts.
const (
	AccountUnspecified AccountKind = 0 // counts as human
	AccountHuman       AccountKind = 1
	AccountService     AccountKind = 2
	AccountSystem      AccountKind = 3
)

// Human reports whether a person signs in with accounts of this kind.
func (k AccountKind) Human() bool { return k == AccountUnspecified || k == AccountHuman }

// HasAccount reports whether a resource counts as having an account: a sync shows it, and
// it is neither disabled nor deleted. A status that the upstream does not give counts as
// enabled.
func HasAccount(present bool, status Status) bool {
	return present && status != StatusDisabled && status != StatusDeleted
}

// SameAccount reports whether an account that reappears under its former id is the former
// account: login and time of creation agree. Otherwise it is another account, without the
// reasons, the owner and the decisions of the former one. Without a login nothing is
// established.
func SameAccount(before, after Resource) bool {
	return before.Type == after.Type && before.ID == after.ID &&
		before.Account != nil && after.Account != nil &&
		before.Account.Login != "" && before.Account.Login == after.Account.Login &&
		before.Created.Equal(after.Created)
}

// AccountType says whom an account is for, and who says so.
type AccountType struct {
	Kind AccountKind
	By   TypeSource
}

// TypeSource is who says whom an account is for.
type TypeSource string

// The sources of an account's type.
const (
	TypeByUpstream TypeSource = "upstream"
	TypeByRole     TypeSource = "role" // as the role map of the app says
	TypeByPerson   TypeSource = "person"
)

// TypeOf returns whom an account is for: as a person said, else as its role says, else as the
// upstream says. Of two roles that may count, one for services goes before one for people:
// what nobody is sure to be behind does not count as a person.
func TypeOf(upstream, said AccountKind, role EffectiveRole) AccountType {
	if said != AccountUnspecified {
		return AccountType{said, TypeByPerson}
	}
	var byRole AccountKind
	for _, r := range []*AppRole{role.Floor, role.Risk} {
		if r != nil && r.Kind != AccountUnspecified && (byRole == AccountUnspecified || !r.Kind.Human()) {
			byRole = r.Kind
		}
	}
	if byRole != AccountUnspecified {
		return AccountType{byRole, TypeByRole}
	}
	return AccountType{upstream, TypeByUpstream}
}

// Valid reports whether it is one of the kinds of accounts.
func (k AccountKind) Valid() bool { return k >= AccountUnspecified && k <= AccountSystem }

// Ownership says whose an account was for some time.
type Ownership struct {
	Person ID // the canonical person; "" when it was nobody's
	From   time.Time
	Until  time.Time // zero when it still is
}

// RecentOwner is how long nobody decides about an account that was theirs.
const RecentOwner = 30 * 24 * time.Hour

// OwnersSince returns everybody whose an account was at some time after since and until now,
// in the order in which they got it.
func OwnersSince(history []Ownership, since, now time.Time) []ID {
	var owners []ID
	for _, o := range history {
		if o.Person != "" && !o.From.After(now) && (o.Until.IsZero() || o.Until.After(since)) && !slices.Contains(owners, o.Person) {
			owners = append(owners, o.Person)
		}
	}
	return owners
}
