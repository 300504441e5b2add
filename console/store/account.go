package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// OwnerSource is how an account was assigned to its owner.
type OwnerSource string

// The sources of owners. An owner that a person set or cleared is never changed by
// matching.
const (
	OwnerMatched OwnerSource = "matched" // by the rules
	OwnerSet     OwnerSource = "set"     // by a person
	OwnerCleared OwnerSource = "cleared" // by a person: it belongs to nobody
	OwnerMerged  OwnerSource = "merged"  // the owner was merged into this one
	OwnerCreated OwnerSource = "created" // the console created the account for the person
)

// Owner is whose an account is.
type Owner struct {
	Person console.ID // "" when it is nobody's
	How    OwnerSource
	From   time.Time
	Until  time.Time // zero when it is current
}

// SetAccountOwner sets whose an account is from now on; an empty person means nobody.
func (t *Tx) SetAccountOwner(account console.ResourceKey, person console.ID, how OwnerSource) error {
	before, err := t.AccountOwner(account, time.Time{})
	if err != nil {
		return err
	}
	if person != "" {
		if _, err := t.Person(person); err != nil {
			return err
		}
	}
	if before.Person == person && before.How == how {
		return nil
	}
	if err := t.endInterval("account_owner", "account", account); err != nil {
		return err
	}
	if err := t.insert("owner", "INSERT INTO account_owner (account, from_at, person, how) VALUES ($1, $2, $3, $4)", account, t.by.At, null(person), how); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "account.owner-changed", Account: account, Person: person}, map[string]any{"before": before.Person, "how": how})
}

// AccountOwner returns whose an account was at a time; the zero time means now. It is the
// zero Owner if nobody said.
func (t *Tx) AccountOwner(account console.ResourceKey, when time.Time) (Owner, error) {
	where, args := "until_at IS NULL", []any{account}
	if !when.IsZero() {
		where, args = "from_at <= $2 AND (until_at IS NULL OR until_at > $2)", append(args, when)
	}
	o, err := find(t, func(r engine.Row) Owner {
		return Owner{Person: console.ID(r.Text(0)), How: OwnerSource(r.Text(1)), From: at(r, 2), Until: at(r, 3)}
	}, "SELECT person, how, from_at, until_at FROM account_owner WHERE account = $1 AND "+where, args...)
	if err != nil || o == nil {
		return Owner{}, err
	}
	return *o, nil
}

// AccountsOf returns the accounts that belong to a person now, in all apps.
func (t *Tx) AccountsOf(person console.ID) ([]console.ResourceKey, error) {
	return list(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
		"SELECT account FROM account_owner WHERE person = $1 AND until_at IS NULL ORDER BY account", person)
}

// Accounts returns up to n accounts that an app had at a moment, in the order of their
// names.
func (t *Tx) Accounts(m Moment, after ResourceAfter, n int) ([]Resource, error) {
	return t.resources(m, listAccounts, after, n)
}

// AccountsByEmail returns the accounts with an e-mail address at a moment.
func (t *Tx) AccountsByEmail(m Moment, email string) ([]Resource, error) {
	return t.resourcesByValue(m, listEmails, loginKey(email))
}

// AccountsByLogin returns the accounts with a login at a moment.
func (t *Tx) AccountsByLogin(m Moment, login string) ([]Resource, error) {
	return t.resourcesByValue(m, listLogins, loginKey(login))
}

// Account returns an account as it was at a moment. NotFound if the app had none such.
func (t *Tx) Account(m Moment, key console.ResourceKey) (Resource, error) {
	r, err := t.Resource(m, key)
	if err == nil && r.Account == nil {
		err = baton.Errorf(baton.NotFound, "no account")
	}
	return r, err
}

// MatchedAccounts returns the accounts of a stream whose owner was found by matching.
func (t *Tx) MatchedAccounts(stream console.Stream) ([]console.ResourceKey, error) {
	return list(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
		`SELECT o.account FROM account_owner o JOIN resource r ON r.key = o.account
		WHERE r.stream = $1 AND o.until_at IS NULL AND o.how = $2 AND o.person IS NOT NULL ORDER BY o.account`, stream, OwnerMatched)
}
