package console

import (
	"slices"
	"time"
)

// Account holds the attributes that only accounts have: resources of a type with the user trait.
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
	LastLogin   time.Time // the current value only; it has no history
}

// AccountKind says whom an account is for, with the numbers of the protocol.
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

// HasAccount reports whether a resource counts as having an account: a sync shows it, and it is
// neither disabled nor deleted. An unknown status counts as enabled.
func HasAccount(present bool, status Status) bool {
	return present && status != StatusDisabled && status != StatusDeleted
}

// SameAccount reports whether an account that reappears under its former id is the same account:
// login and creation time agree. If they differ, it starts without the reasons, the owner and the
// decisions of the former account. Without a login, nothing is known and the result is false.
func SameAccount(before, after Resource) bool {
	return before.Type == after.Type && before.ID == after.ID &&
		before.Account != nil && after.Account != nil &&
		before.Account.Login != "" && before.Account.Login == after.Account.Login &&
		before.Created.Equal(after.Created)
}

// AccountType is whom an account is for, and the source of that.
type AccountType struct {
	Kind AccountKind
	By   TypeSource
}

// TypeSource is the source of an account's type.
type TypeSource string

const (
	TypeByUpstream TypeSource = "upstream"
	TypeByRole     TypeSource = "role" // the role map of the app
	TypeByPerson   TypeSource = "person"
)

// TypeOf returns whom an account is for. What a person said comes first, then its role, then the
// upstream. Of two roles that may count, one for services comes first, so that an account that may
// be a machine does not count as a person.
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

// Valid reports whether k is one of the kinds of accounts.
func (k AccountKind) Valid() bool { return k >= AccountUnspecified && k <= AccountSystem }

// Ownership is a time during which an account belonged to a person.
type Ownership struct {
	Person ID // the canonical person; "" if it had no owner
	From   time.Time
	Until  time.Time // zero while it lasts
}

// RecentOwner is how long former owners of an account may not decide about it.
const RecentOwner = 30 * 24 * time.Hour

// OwnersSince returns everybody who owned an account after since and until now, in the order in
// which they got it.
func OwnersSince(history []Ownership, since, now time.Time) []ID {
	var owners []ID
	for _, o := range history {
		if o.Person != "" && !o.From.After(now) && (o.Until.IsZero() || o.Until.After(since)) && !slices.Contains(owners, o.Person) {
			owners = append(owners, o.Person)
		}
	}
	return owners
}
