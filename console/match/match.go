// Package match assigns accounts to people.
//
// The rule is strict: an account belongs to a person if its login or one of its e-mail addresses is
// an address of that person and of nobody else. Owners that a person set are never changed.
package match

import (
	"cmp"
	"context"
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
	if !a.Roles.SaysType() {
		a.Roles = console.RoleMap{}
	}
	var plan []change
	for after := (store.ResourceAfter{}); ; {
		accounts, err := tx.Accounts(m, after, store.PageSize)
		if err != nil {
			return nil, err
		}
		if len(accounts) == 0 {
			slices.SortFunc(plan, func(a, b change) int { return cmp.Compare(a.account, b.account) })
			return plan, nil
		}
		after = accounts[len(accounts)-1].After()
		changes, err := ofPage(tx, m, a.Roles, accounts)
		if err != nil {
			return nil, err
		}
		plan = append(plan, changes...)
	}
}

// ofPage returns the necessary changes of some accounts. Its statements do not depend on the number of
// people, so an app with few accounts is matched fast where many people are known.
func ofPage(tx *store.Tx, m store.Moment, roles console.RoleMap, accounts []store.Resource) ([]change, error) {
	keys := make([]console.ResourceKey, len(accounts))
	var emails []string
	for i, a := range accounts {
		keys[i] = a.Key
		emails = append(emails, addresses(a)...)
	}
	known, err := tx.PersonsByEmail(emails)
	if err != nil {
		return nil, err
	}
	owners, err := tx.AccountOwnersNow(keys)
	if err != nil {
		return nil, err
	}
	candidates := map[console.ResourceKey][]console.ID{}
	var named []store.Resource
	for _, a := range accounts {
		for _, address := range addresses(a) {
			if p, ok := known[address]; ok && !slices.Contains(candidates[a.Key], p) {
				candidates[a.Key] = append(candidates[a.Key], p)
			}
		}
		if len(candidates[a.Key]) == 1 {
			named = append(named, a)
		}
	}
	types, err := tx.AccountsRoles(m, roles, named)
	if err != nil {
		return nil, err
	}
	var plan []change
	for _, account := range keys {
		var person console.ID
		if len(candidates[account]) == 1 && types[account].Type.Kind.Human() {
			person = candidates[account][0]
		}
		owner := owners[account]
		if owner.How != "" && owner.How != store.OwnerMatched || owner.Person == person {
			continue
		}
		plan = append(plan, change{account, owner, person})
	}
	return plan, nil
}

// addresses returns the addresses by which an account is matched.
func addresses(r store.Resource) (all []string) {
	for _, address := range append([]string{r.Account.Login}, r.Account.Emails...) {
		if address = console.NormalizeEmail(address); address != "" {
			all = append(all, address)
		}
	}
	return all
}

// Account returns the person whom the rule assigns an account to; "" for nobody.
func Account(tx *store.Tx, m store.Moment, roles console.RoleMap, r store.Resource) (console.ID, error) {
	typ, err := tx.AccountType(m, roles, r)
	if err != nil || !typ.Kind.Human() {
		return "", err
	}
	var owner console.ID
	for _, address := range addresses(r) {
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
