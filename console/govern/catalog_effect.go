package govern

import (
	"slices"

	"baton/console"
	"baton/console/store"
)

// catalogEffects finds what the rows of an app in the catalogue would lead to. It reads once what is
// the same for all of them, when the first row needs it.
type catalogEffects struct {
	*Console
	tx      *store.Tx
	app     console.App
	m       store.Moment
	subject console.Person

	seats  *seatsNow
	admins *console.Admins
	held   map[console.ResourceKey][]console.EntitlementKey // entitlements of the role map, by account
}

// fill adds what granting a row leads to. account is the person's, nil if there is none.
func (f *catalogEffects) fill(row *CatalogRow, account *store.Resource) (err error) {
	if row.MasteredIn, err = f.masterOf(f.tx, f.m, f.app.ID, row.Entitlement, row.On.Type); err != nil || row.Have {
		return err
	}
	if account == nil {
		if f.seats == nil {
			s, err := f.seatsOf(f.tx, f.app.ID)
			if err != nil {
				return err
			}
			f.seats = &s
		}
		if row.Seat, err = f.seats.seatsForGrant(f.tx, console.Operation{App: f.app.ID, Person: f.subject.ID, Entitlement: row.Entitlement.Key, Verb: console.Grant}); err != nil {
			return err
		}
	}
	if !slices.Contains(f.app.Roles.Entitlements(), row.Entitlement.Key) {
		return nil
	}
	return f.roles(row, account)
}

func (f *catalogEffects) roles(row *CatalogRow, account *store.Resource) error {
	held, err := f.heldBy(account)
	if err != nil {
		return err
	}
	after := append(slices.Clone(held), row.Entitlement.Key)
	role := f.app.Roles.Effective(after)
	row.RoleUnknown = role.Risk != role.Floor
	if !f.app.Roles.GivesAdmin(row.Entitlement.Key) {
		return nil
	}
	if f.admins == nil {
		admins, err := f.tx.Admins(f.app.ID)
		if err != nil {
			return err
		}
		f.admins = &admins
	}
	o := console.Operation{App: f.app.ID, Person: f.subject.ID, Entitlement: row.Entitlement.Key, Verb: console.Grant}
	if account != nil {
		o.Account = account.Key
	}
	row.AdminsBefore, row.AdminsAfter = f.admins.Count(), adminsAfter(*f.admins, o, f.subject, account, after)
	return nil
}

// heldBy returns the entitlements of the role map that an account holds.
func (f *catalogEffects) heldBy(account *store.Resource) ([]console.EntitlementKey, error) {
	if account == nil {
		return nil, nil
	}
	if held, known := f.held[account.Key]; known {
		return held, nil
	}
	held, err := heldOfRoles(f.tx, f.m, f.app.Roles, account.Key)
	if f.held == nil {
		f.held = map[console.ResourceKey][]console.EntitlementKey{}
	}
	f.held[account.Key] = held
	return held, err
}

// heldOfRoles returns the entitlements of a role map that an account holds at a moment.
func heldOfRoles(tx *store.Tx, m store.Moment, roles console.RoleMap, account console.ResourceKey) (held []console.EntitlementKey, err error) {
	for _, e := range roles.Entitlements() {
		f, err := tx.Fact(m, e, account)
		if err != nil {
			return nil, err
		}
		if f != nil {
			held = append(held, e)
		}
	}
	return held, nil
}
