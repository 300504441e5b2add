package console

import "time"

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
