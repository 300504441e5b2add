package govern

import (
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// KeptRole says which of several roles of an account remains.
type KeptRole string

const (
	KeepLowest  KeptRole = "lowest"  // the least powerful one
	KeepHighest KeptRole = "highest" // the most powerful one
)

// SeveralRolesView holds the accounts that have several roles of an app. With a role to keep, it holds the
// removals that leave only that.
type SeveralRolesView struct {
	App     console.App
	Account console.ResourceKey // 0 for all accounts
	Keep    KeptRole            // "" while nobody chose
	Rows    []SeveralRolesRow
	More    bool // there are further accounts
	// MayChange means that the caller may remove access of the app.
	MayChange bool
}

// SeveralRolesRow is an account with several roles.
type SeveralRolesRow struct {
	AccountRow
	Held     []HeldRole // the most powerful first
	Removals []RoleRemoval
}

// Lowest returns the least powerful role that the account holds.
func (r SeveralRolesRow) Lowest() string { return r.Held[len(r.Held)-1].Role.Name }

// Highest returns the most powerful role that the account holds.
func (r SeveralRolesRow) Highest() string { return r.Held[0].Role.Name }

// HeldRole is a role of an account, with the entitlements that give it.
type HeldRole struct {
	Role  console.AppRole
	Gives []RoleEntitlement
}

// RoleRemoval is the removal of one entitlement that gives a role.
type RoleRemoval struct {
	Account     AccountRow
	Role        string
	Entitlement RoleEntitlement
	Remove      Consequence
}

// maxSeveral limits the accounts that are changed at once.
const maxSeveral = 50

// SeveralRoles returns the accounts of an app with several roles, or one of them. With a role to keep,
// it returns what would be removed, and changes nothing.
func (c *Console) SeveralRoles(ctx context.Context, caller Caller, app console.ID, account console.ResourceKey, keep KeptRole) (v SeveralRolesView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v = SeveralRolesView{Account: account, Keep: keep}
		if keep != "" && keep != KeepLowest && keep != KeepHighest {
			return baton.Errorf(baton.Invalid, "there is no role %q to keep", keep).WithFix("Write lowest or highest.")
		}
		if v.App, err = seeApp(tx, me, app, console.SeeAccess); err != nil {
			return err
		}
		v.MayChange = console.ChangeAccess.Of(me, console.Object{App: &v.App})
		if len(v.App.Roles.Roles) < 2 {
			return nil
		}
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		f := store.AccountFilter{Roles: v.App.Roles}
		if account != 0 {
			f.Only = []console.ResourceKey{account}
		}
		for _, r := range v.App.Roles.Roles {
			f.Several = append(f.Several, r.Entitlements)
		}
		page, err := tx.FilterAccounts(m, f, store.ResourceAfter{}, maxSeveral)
		if err != nil {
			return err
		}
		v.More = page.Next != nil
		rows, err := accountRows(tx, m, v.App, page.Rows)
		if err != nil {
			return err
		}
		for _, r := range rows {
			row, err := c.severalRolesRow(tx, me, m, v, r)
			if err != nil {
				return err
			}
			v.Rows = append(v.Rows, row)
		}
		return nil
	})
	return v, err
}

func (c *Console) severalRolesRow(tx *store.Tx, me console.Person, m store.Moment, v SeveralRolesView, r AccountRow) (row SeveralRolesRow, err error) {
	row.AccountRow = r
	if row.Held, err = heldRoles(tx, m, v.App, r.Key); err != nil || v.Keep == "" || len(row.Held) < 2 {
		return row, err
	}
	removed := row.Held[:len(row.Held)-1]
	if v.Keep == KeepHighest {
		removed = row.Held[1:]
	}
	for _, h := range removed {
		for _, e := range h.Gives {
			one := RoleRemoval{Account: r, Role: h.Role.Name, Entitlement: e}
			if one.Remove, err = c.consequence(tx, me, v.MayChange, v.App, r.Key, e.Key, console.Revoke); err != nil {
				return row, err
			}
			row.Removals = append(row.Removals, one)
		}
	}
	return row, nil
}

// heldRoles returns the roles that an account holds, the most powerful first.
func heldRoles(tx *store.Tx, m store.Moment, a console.App, account console.ResourceKey) (all []HeldRole, err error) {
	for _, role := range a.Roles.Roles {
		h := HeldRole{Role: role}
		for _, key := range role.Entitlements {
			f, err := tx.Fact(m, key, account)
			if err != nil {
				return nil, err
			}
			if f == nil {
				continue
			}
			e, err := roleEntitlement(tx, m, key)
			if err != nil {
				return nil, err
			}
			h.Gives = append(h.Gives, e)
		}
		if len(h.Gives) > 0 {
			all = append(all, h)
		}
	}
	return all, nil
}

// RoleRemoved is the result of one removal.
type RoleRemoved struct {
	RoleRemoval
	Done approve.Removed
	Err  error
}

// LeaveOneRole removes entitlements that give a role, of accounts that hold another role, too. Each is
// removed as [Console.RemoveAccess] does it; what one of them refuses does not stop the others.
func (c *Console) LeaveOneRole(ctx context.Context, caller Caller, app console.ID, removals []RoleRemoval, why string) (done []RoleRemoved, err error) {
	err = c.read(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) error {
		if _, err := changeableApp(tx, me, app); err != nil {
			return err
		}
		if why, err = because(why); err != nil {
			return err
		}
		if len(removals) == 0 || len(removals) > 2*maxSeveral {
			return baton.Errorf(baton.Invalid, "nothing is chosen, or more than %d", 2*maxSeveral).WithFix("Choose what is removed.")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range removals {
		one := RoleRemoved{RoleRemoval: r}
		if one.Err = c.stillSeveral(ctx, caller, app, &one.RoleRemoval); one.Err == nil {
			one.Done, one.Err = c.RemoveAccess(ctx, caller, app, r.Account.Key, r.Entitlement.Key, why)
		}
		if k := baton.KindOf(one.Err); one.Err != nil && k != baton.Refused && k != baton.Invalid && k != baton.AlreadyExists && k != baton.NotFound {
			return done, one.Err
		}
		done = append(done, one)
	}
	return done, nil
}

// stillSeveral refuses to remove the last role of an account, and names what is removed.
func (c *Console) stillSeveral(ctx context.Context, caller Caller, app console.ID, r *RoleRemoval) error {
	return c.read(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) error {
		a, err := changeableApp(tx, me, app)
		if err != nil {
			return err
		}
		m, account, err := accountNow(tx, a, r.Account.Key)
		if err != nil {
			return err
		}
		if r.Account, err = accountRow(tx, m, a, account); err != nil {
			return err
		}
		held, err := heldRoles(tx, m, a, account.Key)
		if err != nil {
			return err
		}
		other := false
		for _, h := range held {
			i := slices.IndexFunc(h.Gives, func(e RoleEntitlement) bool { return e.Key == r.Entitlement.Key })
			if i >= 0 {
				r.Role, r.Entitlement = h.Role.Name, h.Gives[i]
				continue
			}
			ending, err := removalAlive(tx, account.Key, h)
			if err != nil {
				return err
			}
			other = other || !ending
		}
		switch {
		case r.Role == "":
			return baton.Errorf(baton.Refused, "the account does not hold it").WithFix("Nothing has to be done.")
		case !other:
			return baton.Errorf(baton.Refused, "it is the last role of the account").WithFix("Remove it on the page of the account, if that is what you want.")
		}
		return nil
	})
}

// removalAlive reports whether every entitlement of a role is being removed from an account.
func removalAlive(tx *store.Tx, account console.ResourceKey, h HeldRole) (bool, error) {
	for _, e := range h.Gives {
		all, err := tx.Operations(account, e.Key)
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(all, func(o console.Operation) bool { return o.State.Alive() && o.Verb == console.Revoke }) {
			return false, nil
		}
	}
	return true, nil
}
