package store

import (
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// Admins returns what the minimum of admins of an app is judged by now. Lock the app first
// ([Tx.LockApp]) where the answer decides about a change.
func (t *Tx) Admins(app console.ID) (console.Admins, error) {
	m, err := t.Moment(app, time.Time{})
	if err != nil {
		return console.Admins{}, err
	}
	a, err := t.adminsAt(app, m)
	if err != nil {
		return a, err
	}
	// Of the operations that are alive, only those on accounts that hold a role matter.
	for _, h := range a.Holders {
		own, err := list(t, func(r engine.Row) console.Change {
			return console.Change{Account: h.Account, Entitlement: console.EntitlementKey(r.Int(0)), Verb: console.Verb(r.Text(1))}
		}, "SELECT entitlement, verb FROM operation WHERE account = $1 AND alive AND account <> 0 ORDER BY created, id", h.Account)
		if err != nil {
			return a, err
		}
		a.InFlight = append(a.InFlight, own...)
	}
	return a, nil
}

// AdminsAt returns who held which roles of an app at a moment, with the role map, the
// minimum and the owners of that time. Changes in flight are not part of it.
func (t *Tx) AdminsAt(app console.ID, m Moment) (console.Admins, error) { return t.adminsAt(app, m) }

func (t *Tx) adminsAt(app console.ID, m Moment) (a console.Admins, err error) {
	if a.Roles, a.Minimum, err = t.RoleMapAt(app, m.At); err != nil {
		return a, err
	}
	seen := map[console.ResourceKey]bool{}
	for _, role := range a.Roles.Roles {
		if !role.Admin {
			continue // a role that everybody has may have very many holders
		}
		for _, e := range role.Entitlements {
			for _, s := range m.Streams {
				accounts, err := list(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
					"SELECT principal FROM fact WHERE stream = $1 AND entitlement = $2 AND opened <= $3 AND closed > $3 ORDER BY principal", s.Stream, e, s.Sync)
				if err != nil {
					return a, err
				}
				for _, account := range accounts {
					if seen[account] {
						continue
					}
					seen[account] = true
					if err := t.addHolder(&a, m, s, account); err != nil {
						return a, err
					}
				}
			}
		}
	}
	return a, nil
}

// addHolder adds an account that holds an admin entitlement, with all its roles.
func (t *Tx) addHolder(a *console.Admins, m Moment, s StreamAt, account console.ResourceKey) error {
	h := console.RoleHolder{Account: account}
	found := false
	err := t.e.Query(func(r engine.Row) error {
		found = r.Bool(0)
		h.Kind, h.Enabled = console.AccountKind(r.Int(1)), console.HasAccount(true, console.Status(r.Int(2)))
		return nil
	}, "SELECT account, kind, status FROM resource_version WHERE resource = $1 AND opened <= $2 AND closed > $2", account, s.Sync)
	if err != nil || !found { // a group, or a principal that the sync does not contain
		return err
	}
	for _, e := range a.Roles.Entitlements() {
		f, err := t.Fact(Moment{Streams: []StreamAt{s}}, e, account)
		if err != nil {
			return err
		}
		if f != nil {
			h.Held = append(h.Held, e)
		}
	}
	said, err := t.AccountKind(account, m.At)
	if err != nil {
		return err
	}
	h.Said = said.Kind
	if h.Person, h.PersonActive, err = t.AccountPerson(account, m.At); err != nil {
		return err
	}
	a.Holders = append(a.Holders, h)
	return nil
}

// AccountPerson returns whose an account was at a time, as the canonical person, and whether
// that person was active; the zero time means now. The person is "" if nobody is known.
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
