package govern

import (
	"context"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// People returns up to n persons whom the caller may see, ordered by name, and whether there are
// more.
func (c *Console) People(ctx context.Context, caller Caller, after store.NameAfter, n int) (people []console.Person, more bool, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		people, more = nil, false
		for {
			page, err := tx.PersonsAt(c.at, after, min(n+1, store.PageSize))
			if err != nil || len(page) == 0 {
				return err
			}
			for _, p := range page {
				after = store.NameAfter{Sort: console.SortKey(p.Name), ID: p.ID}
				if !console.SeePeople.Of(me, console.Object{Person: &p}) {
					continue
				}
				if more = len(people) == n; more {
					return nil
				}
				people = append(people, p)
			}
		}
	})
	return people, more, err
}

// PersonView is a person with the person's accounts.
type PersonView struct {
	console.Person
	ManagerPerson console.Person // zero if unknown
	Login         console.Login  // zero if there is none, or if the caller may not manage people
	// Identities are the person's identities, and Mapped the roles from groups of providers. Both
	// are empty if the caller may not manage people.
	Identities []console.Identity
	Mapped     map[console.ConsoleRole][]string
	Accounts   []AccountView
	// At is the moment that the accounts are of; zero for now.
	At   time.Time
	Self bool // it is the caller
	// MayGiveBack means that the caller may end the person's access early, and ask for its removal.
	MayGiveBack bool
}

// maxAccountHolds limits the entitlements shown for each account of a person.
const maxAccountHolds = 50

// Person returns a person with the accounts in all apps. Owners of apps see the owners of accounts
// in these apps, with those accounts only.
func (c *Console) Person(ctx context.Context, caller Caller, id console.ID) (v PersonView, err error) {
	p := reading
	if id == caller.Person.ID {
		p = own
	}
	err = c.read(ctx, caller, p, func(tx *store.Tx, me console.Person) error {
		v = PersonView{Self: id == me.ID}
		p, accounts, err := c.seePerson(tx, me, id)
		if err != nil {
			return err
		}
		v.Person, v.At = p, c.at
		v.MayGiveBack = c.at.IsZero() && console.GiveBack.Of(me, console.Object{Person: &p})
		if !c.at.IsZero() {
			there, err := tx.AddedBy(p.ID, c.at)
			if err != nil {
				return err
			}
			if !there {
				return baton.Errorf(baton.NotFound, "the person was not known to the console at %s UTC", c.at.UTC().Format("2 Jan 2006 15:04:05")).WithFix("Go back to now, or choose a later moment.")
			}
			if v.Status, err = tx.PersonStatusAt(p.Canonical(), c.at); err != nil {
				return err
			}
		}
		if p.Manager != "" {
			if v.ManagerPerson, err = tx.Person(p.Manager); err != nil && baton.KindOf(err) != baton.NotFound {
				return err
			}
		}
		if c.at.IsZero() && console.ManagePeople.Of(me, console.Object{}) {
			l, err := tx.Login(p.ID)
			if err != nil && baton.KindOf(err) != baton.NotFound {
				return err
			}
			l.Password = ""
			v.Login = l
			if v.Identities, err = tx.Identities(p.ID); err != nil {
				return err
			}
			if v.Mapped, err = tx.MappedRoles(p.ID); err != nil {
				return err
			}
		}
		for _, a := range accounts {
			if err := c.rolesThen(tx, &a.app); err != nil {
				return err
			}
			account, err := c.account(tx, a.app, a.key, 0, maxAccountHolds)
			if baton.KindOf(err) == baton.NotFound && !c.at.IsZero() {
				continue // it was matched before the sync that first shows it counted
			}
			if err != nil {
				return err
			}
			if account.Gone {
				continue // not in the newest sync; the person's history lists it
			}
			account.Linked = console.SeeAccess.Of(me, console.Object{App: &a.app})
			v.Accounts = append(v.Accounts, account)
		}
		return nil
	})
	return v, err
}

type personAccount struct {
	app console.App
	key console.ResourceKey
}

// seePerson returns a person if the caller may see the person, with the accounts that the caller may
// see.
func (c *Console) seePerson(tx *store.Tx, me console.Person, id console.ID) (p console.Person, accounts []personAccount, err error) {
	if p, err = tx.Person(id); err != nil {
		return p, nil, err
	}
	refused := console.SeePeople.Check(me, console.Object{Person: &p})
	keys, err := tx.AccountsOfAt(p.Canonical(), c.at)
	if err != nil {
		return p, nil, err
	}
	for _, key := range keys {
		id, err := tx.AppOfResource(key)
		if err != nil {
			return p, nil, err
		}
		a, err := tx.App(id)
		if err != nil {
			return p, nil, err
		}
		if refused == nil || console.SeeAccess.Of(me, console.Object{App: &a}) {
			accounts = append(accounts, personAccount{a, key})
		}
	}
	if refused != nil && len(accounts) == 0 {
		return p, nil, hidden("person", refused)
	}
	return p, accounts, nil
}

// AddPerson adds a person.
func (c *Console) AddPerson(ctx context.Context, caller Caller, p console.Person) (id console.ID, err error) {
	p.Name = strings.TrimSpace(p.Name)
	if err := checkName(p.Name); err != nil {
		return "", err
	}
	err = c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		if len(p.Roles) > 0 {
			if err := c.mayChangeRoles(caller, me, ""); err != nil {
				return err
			}
		}
		id, err = tx.AddPerson(p)
		return err
	})
	return id, err
}

// SetPersonStatus activates or disables a person. Disabling ends sessions and invitations.
func (c *Console) SetPersonStatus(ctx context.Context, caller Caller, id console.ID, status console.PersonStatus) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		p, err := tx.Person(id)
		if err != nil {
			return err
		}
		if p.Status == status {
			return nil
		}
		p.Status = status
		return tx.ChangePerson(p)
	})
}

// SetRoles sets the console roles of a person. People cannot change their own.
func (c *Console) SetRoles(ctx context.Context, caller Caller, id console.ID, roles []console.ConsoleRole) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := c.mayChangeRoles(caller, me, id); err != nil {
			return err
		}
		return tx.SetRoles(id, roles)
	})
}

func (c *Console) mayChangeRoles(caller Caller, me console.Person, person console.ID) error {
	if err := console.ChangeRoles.Check(me, console.Object{}); err != nil {
		return err
	}
	if person == me.ID {
		return baton.Errorf(baton.Refused, "nobody changes the own roles").WithFix("Ask another super administrator.")
	}
	return c.recent(caller)
}
