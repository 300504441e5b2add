package govern

import (
	"cmp"
	"slices"
	"time"

	"baton/console"
	"baton/console/store"
)

// SeatToFree is an enabled account whose seat could be freed, and why. Nothing is concluded from
// logins: a missing login proves nothing.
type SeatToFree struct {
	AccountRow
	Why []string
}

// maxToFree limits the accounts of each reason.
const maxToFree = 50

// seatsToFree returns enabled accounts whose seats could be freed, those with most reasons in front,
// and whether there are more.
func (c *Console) seatsToFree(tx *store.Tx, a console.App) (all []SeatToFree, more bool, err error) {
	m, err := tx.Moment(a.ID, time.Time{})
	if err != nil {
		return nil, false, err
	}
	at := map[console.ResourceKey]int{}
	add := func(f store.AccountFilter, why func(AccountRow) string) error {
		f.Enabled, f.Roles = true, a.Roles
		page, err := tx.FilterAccounts(m, f, store.ResourceAfter{}, maxToFree)
		if err != nil {
			return err
		}
		more = more || page.Next != nil
		rows, err := accountRows(tx, m, a, page.Rows)
		if err != nil {
			return err
		}
		for _, r := range rows {
			i, known := at[r.Key]
			if !known {
				i = len(all)
				at[r.Key], all = i, append(all, SeatToFree{AccountRow: r})
			}
			all[i].Why = append(all[i].Why, why(r))
		}
		return nil
	}
	if err := add(store.AccountFilter{Orphaned: true}, func(r AccountRow) string {
		if r.Owner.Status == console.PersonGone {
			return r.Owner.Name + " left"
		}
		return r.Owner.Name + " is disabled"
	}); err != nil {
		return nil, false, err
	}
	if err := c.addUnowned(tx, m, a, add); err != nil {
		return nil, false, err
	}
	if rolesAreKnown(a.Roles) {
		if err := add(store.AccountFilter{NoneOf: a.Roles.Entitlements()}, func(AccountRow) string { return "has no role" }); err != nil {
			return nil, false, err
		}
	}
	lacking, err := lackingHolders(tx, a.ID)
	if err != nil {
		return nil, false, err
	}
	if len(lacking) > 0 {
		if err := add(store.AccountFilter{Only: lacking}, func(AccountRow) string { return "lacks a required course" }); err != nil {
			return nil, false, err
		}
	}
	slices.SortStableFunc(all, func(x, y SeatToFree) int { return cmp.Compare(len(y.Why), len(x.Why)) })
	return all, more, nil
}

// addUnowned adds the accounts of people that belong to nobody and that at least [console.GoneAfter]
// full syncs showed, so that matching has had its time.
func (c *Console) addUnowned(tx *store.Tx, m store.Moment, a console.App, add func(store.AccountFilter, func(AccountRow) string) error) error {
	page, err := tx.FilterAccounts(m, store.AccountFilter{Unowned: true, Enabled: true, Roles: a.Roles}, store.ResourceAfter{}, maxToFree)
	if err != nil {
		return err
	}
	var keys []console.ResourceKey
	for _, r := range page.Rows {
		keys = append(keys, r.Key)
	}
	old, err := tx.ShownForLong(m, keys)
	if err != nil || len(old) == 0 {
		return err
	}
	return add(store.AccountFilter{Only: old}, func(AccountRow) string { return "belongs to nobody" })
}

// lackingHolders returns the accounts of an app that are established to lack a requirement, up to
// [maxToFree].
func lackingHolders(tx *store.Tx, app console.ID) (accounts []console.ResourceKey, err error) {
	all, err := tx.ActiveRequirements(app)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		lacks, err := tx.RequirementLacks(app, r.Entitlement, 0, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, l := range lacks {
			if l.State.Lacks() && !slices.Contains(accounts, l.Account) && len(accounts) < maxToFree {
				accounts = append(accounts, l.Account)
			}
		}
	}
	return accounts, nil
}
