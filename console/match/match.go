// Package match assigns accounts to people.
//
// The rule is strict: an account belongs to a person if its login or one of its e-mail addresses is
// an address of that person and of nobody else. Owners that a person set are never changed.
package match

import (
	"context"
	"maps"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// App matches the accounts in an app's newest syncs, and returns the number of changed owners.
func App(ctx context.Context, s *store.Store, by console.By, app console.ID) (changed int, err error) {
	var plan []change
	err = s.View(ctx, func(tx *store.Tx) error {
		plan, err = find(tx, app)
		return err
	})
	if err != nil || len(plan) == 0 {
		return 0, err
	}
	for part := range slices.Chunk(plan, batch) {
		err := s.Update(ctx, by, func(tx *store.Tx) error {
			for _, c := range part {
				now, err := tx.AccountOwner(c.account, time.Time{})
				if err != nil {
					return err
				}
				if now != c.before {
					continue // somebody set the owner in the meantime
				}
				if err := tx.SetAccountOwner(c.account, c.person, store.OwnerMatched); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return changed, err
		}
		changed += len(part)
	}
	return changed, nil
}

// batch limits the changes of one transaction.
const batch = 200

// change assigns an account to a person, or to nobody.
type change struct {
	account console.ResourceKey
	before  store.Owner
	person  console.ID
}

// find returns the necessary changes.
func find(tx *store.Tx, app console.ID) ([]change, error) {
	m, err := tx.Moment(app, time.Time{})
	if err != nil {
		return nil, err
	}
	a, err := tx.App(app)
	if err != nil {
		return nil, err
	}
	people, err := candidates(tx, m, a.Roles)
	if err != nil {
		return nil, err
	}
	// Matched accounts whose addresses no longer belong to anybody.
	for _, s := range m.Streams {
		matched, err := tx.MatchedAccounts(s.Stream)
		if err != nil {
			return nil, err
		}
		for _, account := range matched {
			if _, ok := people[account]; ok {
				continue
			}
			if _, err := tx.Account(m, account); err == nil {
				people[account] = nil // shown, without an owner
			} else if baton.KindOf(err) != baton.NotFound {
				return nil, err
			}
		}
	}
	var plan []change
	for _, account := range slices.Sorted(maps.Keys(people)) {
		owner, err := tx.AccountOwner(account, time.Time{})
		if err != nil {
			return nil, err
		}
		var person console.ID
		if len(people[account]) == 1 {
			person = people[account][0]
		}
		if owner.How != "" && owner.How != store.OwnerMatched || owner.Person == person {
			continue
		}
		plan = append(plan, change{account, owner, person})
	}
	return plan, nil
}

// candidates returns the people who have an address of an account, by account.
func candidates(tx *store.Tx, m store.Moment, roles console.RoleMap) (map[console.ResourceKey][]console.ID, error) {
	found := map[console.ResourceKey][]console.ID{}
	var after store.NameAfter
	for {
		page, err := tx.Persons(after, store.PageSize)
		if err != nil || len(page) == 0 {
			return found, err
		}
		for _, p := range page {
			after = store.NameAfter{Sort: console.SortKey(p.Name), ID: p.ID}
			for _, address := range p.Emails {
				for _, accounts := range []func(store.Moment, string) ([]store.Resource, error){tx.AccountsByEmail, tx.AccountsByLogin} {
					all, err := accounts(m, address)
					if err != nil {
						return nil, err
					}
					for _, a := range all {
						if slices.Contains(found[a.Key], p.ID) {
							continue
						}
						typ, err := tx.AccountType(m, roles, a)
						if err != nil {
							return nil, err
						}
						if typ.Kind.Human() {
							found[a.Key] = append(found[a.Key], p.ID)
						}
					}
				}
			}
		}
	}
}

// Account returns the person whom the rule assigns an account to; "" for nobody.
func Account(tx *store.Tx, m store.Moment, roles console.RoleMap, r store.Resource) (console.ID, error) {
	typ, err := tx.AccountType(m, roles, r)
	if err != nil || !typ.Kind.Human() {
		return "", err
	}
	var owner console.ID
	for _, address := range append([]string{r.Account.Login}, r.Account.Emails...) {
		if console.NormalizeEmail(address) == "" {
			continue
		}
		p, err := tx.PersonByEmail(address)
		switch {
		case baton.KindOf(err) == baton.NotFound:
		case err != nil:
			return "", err
		case owner != "" && owner != p.ID:
			return "", nil
		default:
			owner = p.ID
		}
	}
	return owner, nil
}
