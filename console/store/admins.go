package store

import (
	"slices"
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// Admins returns the current data for the minimum of administrators of an app. Lock the app first
// ([Tx.LockApp]) if a change depends on the answer.
func (t *Tx) Admins(app console.ID) (console.Admins, error) {
	m, err := t.Moment(app, time.Time{})
	if err != nil {
		return console.Admins{}, err
	}
	a, err := t.adminsAt(app, m)
	if err != nil {
		return a, err
	}
	// Of the live operations, only those on accounts with a role matter.
	accounts := make([]console.ResourceKey, len(a.Holders))
	for i, h := range a.Holders {
		accounts[i] = h.Account
	}
	changes, err := listOf(t, func(r engine.Row) console.Change {
		return console.Change{Account: console.ResourceKey(r.Int(0)), Entitlement: console.EntitlementKey(r.Int(1)), Verb: console.Verb(r.Text(2))}
	}, accounts, "SELECT account, entitlement, verb FROM operation WHERE account IN (keys) AND alive AND account <> 0 ORDER BY created, id")
	if err != nil {
		return a, err
	}
	own := grouped(changes, func(c console.Change) console.ResourceKey { return c.Account })
	for _, account := range accounts {
		a.InFlight = append(a.InFlight, own[account]...)
	}
	return a, nil
}

// AdminsAt returns who held which roles of an app at a moment, with the role map, the minimum and
// the owners of that time. It contains no changes in flight.
func (t *Tx) AdminsAt(app console.ID, m Moment) (console.Admins, error) { return t.adminsAt(app, m) }

func (t *Tx) adminsAt(app console.ID, m Moment) (a console.Admins, err error) {
	if a.Roles, a.Minimum, err = t.RoleMapAt(app, m.At); err != nil {
		return a, err
	}
	seen := map[console.ResourceKey]bool{}
	for _, role := range a.Roles.Roles {
		if !role.Admin {
			continue // skipped: a role that everybody has may have very many holders
		}
		for _, e := range role.Entitlements {
			for _, s := range m.Streams {
				accounts, err := list(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
					"SELECT principal FROM fact WHERE stream = $1 AND entitlement = $2 AND opened <= $3 AND closed > $3 ORDER BY principal", s.Stream, e, s.Sync)
				if err != nil {
					return a, err
				}
				accounts = slices.DeleteFunc(accounts, func(account console.ResourceKey) bool { return seen[account] })
				for _, account := range accounts {
					seen[account] = true
				}
				if err := t.addHolders(&a, m, s, accounts); err != nil {
					return a, err
				}
			}
		}
	}
	return a, nil
}

// addHolders adds the accounts among principals that hold an administrator entitlement, with all
// their roles.
func (t *Tx) addHolders(a *console.Admins, m Moment, s StreamAt, principals []console.ResourceKey) error {
	versions := map[console.ResourceKey]console.RoleHolder{}
	_, err := listOf(t, func(r engine.Row) bool {
		account := console.ResourceKey(r.Int(0))
		if r.Bool(1) {
			versions[account] = console.RoleHolder{Account: account, Kind: console.AccountKind(r.Int(2)), Enabled: console.HasAccount(true, console.Status(r.Int(3)))}
		}
		return true
	}, principals, "SELECT resource, account, kind, status FROM resource_version WHERE resource IN (keys) AND opened <= $1 AND closed > $1", s.Sync)
	if err != nil {
		return err
	}
	var accounts []console.ResourceKey
	for _, key := range principals {
		if _, found := versions[key]; found { // a group, or a principal that the sync does not contain
			accounts = append(accounts, key)
		}
	}
	held, err := t.HeldOf([]StreamAt{s}, a.Roles.Entitlements(), accounts)
	if err != nil {
		return err
	}
	said, err := t.kindsSaid(accounts, m.At)
	if err != nil {
		return err
	}
	persons, err := t.accountPersons(accounts, m.At)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		h := versions[account]
		h.Held, h.Said = held[account], said[account]
		h.Person, h.PersonActive = persons[account].id, persons[account].active
		a.Holders = append(a.Holders, h)
	}
	return nil
}

// accountPerson is the result of [Tx.AccountPerson].
type accountPerson struct {
	id     console.ID
	active bool
}

// accountPersons is [Tx.AccountPerson] for many accounts. Current owners are read with one
// statement.
func (t *Tx) accountPersons(accounts []console.ResourceKey, when time.Time) (map[console.ResourceKey]accountPerson, error) {
	all := make(map[console.ResourceKey]accountPerson, len(accounts))
	if !when.IsZero() {
		for _, account := range accounts {
			id, active, err := t.AccountPerson(account, when)
			if err != nil {
				return nil, err
			}
			all[account] = accountPerson{id, active}
		}
		return all, nil
	}
	owners, err := t.OwnersNow(accounts)
	if err != nil {
		return nil, err
	}
	for account, p := range owners {
		if id := p.Canonical(); id != p.ID {
			if p, err = t.Person(id); err != nil {
				return nil, err
			}
		}
		all[account] = accountPerson{p.ID, p.Status == console.PersonActive}
	}
	return all, nil
}

// AccountPerson returns the owner of an account at a time as the canonical person, and whether the
// owner was active; the zero time means now. The person is "" if there is no owner.
func (t *Tx) AccountPerson(account console.ResourceKey, when time.Time) (id console.ID, active bool, err error) {
	owner, err := t.AccountOwner(account, when)
	if err != nil || owner.Person == "" {
		return "", false, err
	}
	p, err := t.Person(owner.Person)
	if err != nil {
		return "", false, err
	}
	if id = p.Canonical(); id != p.ID {
		if p, err = t.Person(id); err != nil {
			return "", false, err
		}
	}
	if !when.IsZero() {
		if p.Status, err = t.PersonStatusAt(p.ID, when); err != nil {
			return "", false, err
		}
	}
	return id, p.Status == console.PersonActive, nil
}
