package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// sameAccesses checks that reading many accounts at once gives the same result as reading each one.
func sameAccesses(t testing.TB, tx *store.Tx, m store.Moment, app console.ID, accounts []console.ResourceKey, e console.EntitlementKey, now time.Time) error {
	t.Helper()
	first := console.SyncNumber(0)
	if e != console.AccountItself {
		var err error
		if first, err = tx.FirstShown(e); err != nil {
			return err
		}
	}
	batch, err := tx.Accesses(m, app, accounts, e, first, now)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		alone, err := tx.Access(app, account, e, now)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(batch[account], alone) {
			t.Errorf("account %d, entitlement %d: batch %+v, alone %+v", account, e, batch[account], alone)
		}
	}
	return nil
}

// testAccessBatch compares reads for the accounts of a page with reads for one account, on pages of
// several lengths.
func testAccessBatch(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{groups: []string{"admins", "members"}, grants: map[[2]string]grant{}}
	for i := range 150 {
		id := fmt.Sprintf("u%03d", i)
		m.accounts = append(m.accounts, id)
		if i%2 == 0 {
			m.grants[[2]string{"members", id}] = grant{}
		}
		if i%7 == 0 {
			m.grants[[2]string{"admins", id}] = grant{}
		}
	}
	w.sync(1, m)
	delete(m.grants, [2]string{"members", "u148"})
	m.grants[[2]string{"members", "u001"}] = grant{sources: []console.Source{{Entitlement: "group:admins:member"}}}
	w.sync(2, m)
	m.grants[[2]string{"members", "u148"}] = grant{}
	w.sync(3, m)
	var all []console.ResourceKey
	for _, id := range m.accounts {
		all = append(all, w.account(id))
	}
	member, admin := w.member("members"), w.member("admins")
	roles := console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{
		{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{admin}}, {Name: "Member", Kind: console.AccountService, Entitlements: []console.EntitlementKey{member}}}}
	update(t, s, by(4), func(tx *store.Tx) error {
		for i, account := range all {
			p, err := tx.AddPerson(console.Person{Name: fmt.Sprintf("Person %d", i), Emails: []string{fmt.Sprintf("b%d@example.test", i), fmt.Sprintf("a%d@example.test", i)}})
			if err == nil && i%3 == 0 {
				err = tx.SetAccountOwner(account, p, store.OwnerMatched)
			}
			if err == nil && i%5 == 0 {
				err = tx.SetAccountKind(account, console.AccountSystem)
			}
			if err == nil && i%11 == 0 {
				_, err = tx.AddReason(console.Reason{App: w.app, Account: account, Entitlement: member, Kind: console.ReasonRequest, Until: at(60 + i)})
			}
			if err == nil && i%13 == 0 {
				_, err = tx.AddBar(console.Bar{App: w.app, Account: account, Entitlement: member, Why: "review"})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	update(t, s, by(5), func(tx *store.Tx) error { return tx.SetAccountOwner(all[3], "", store.OwnerCleared) })
	view(t, s, func(tx *store.Tx) error {
		now := w.now(tx)
		for _, n := range []int{0, 1, 2, 8, 9, 63, 64, 65, 128, 150} {
			part := all[:n]
			owners, err := tx.OwnersNow(part)
			if err != nil {
				return err
			}
			var accounts []store.Resource
			for _, key := range part {
				var want console.Person
				o, err := tx.AccountOwner(key, time.Time{})
				if err == nil && o.Person != "" {
					want, err = tx.Person(o.Person)
				}
				if err != nil {
					return err
				}
				if !reflect.DeepEqual(owners[key], want) {
					t.Errorf("owner of %d among %d: %+v, want %+v", key, n, owners[key], want)
				}
				r, err := tx.Account(now, key)
				if err != nil {
					return err
				}
				accounts = append(accounts, r)
			}
			known, err := tx.AccountsRoles(now, roles, accounts)
			if err != nil {
				return err
			}
			for _, r := range accounts {
				var held []console.EntitlementKey
				for _, e := range roles.Entitlements() {
					f, err := tx.Fact(now, e, r.Key)
					if err != nil {
						return err
					}
					if f != nil {
						held = append(held, e)
					}
				}
				said, err := tx.AccountKind(r.Key, now.At)
				if err != nil {
					return err
				}
				role := roles.Effective(held)
				if want := (store.RoleAndType{Role: role, Type: console.TypeOf(r.Account.Kind, said.Kind, role)}); !reflect.DeepEqual(known[r.Key], want) {
					t.Errorf("role of %d among %d: %+v, want %+v", r.Key, n, known[r.Key], want)
				}
			}
			for _, e := range []console.EntitlementKey{member, admin, console.AccountItself} {
				if err := sameAccesses(t, tx, now, w.app, part, e, at(70)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
