package govern

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// planRowsOf returns the rows of a plan whose cause says what they are.
func (c *Console) planRowsOf(ctx context.Context, caller Caller, n NewPlan) (rows []console.PlanRow, err error) {
	switch n.Cause.Kind {
	case console.PlanUnexplained:
		rows, err = c.unexplainedRows(ctx, caller, n)
	case console.PlanBothRoles:
		rows, err = c.severalRolesRows(ctx, caller, n)
	case console.PlanLeaving:
		rows, err = c.leavingRows(ctx, caller, console.ID(n.Cause.Ref))
	}
	if err == nil && len(rows) == 0 {
		err = baton.Errorf(baton.Refused, "there is nothing to remove").WithFix("Choose something else.")
	}
	return rows, err
}

// unexplainedRows returns the access that was gained between two moments without an explanation, and
// that the caller may remove.
func (c *Console) unexplainedRows(ctx context.Context, caller Caller, n NewPlan) (rows []console.PlanRow, err error) {
	q := n.Changes
	q.App, q.Show, q.N = console.ID(n.Cause.Ref), UnexplainedChanges, store.PageSize
	seen := map[console.Change]bool{}
	for {
		page, err := c.Changes(ctx, caller, q)
		if err != nil {
			return nil, err
		}
		for _, l := range page.Lines {
			row := console.PlanRow{App: l.App.ID, Account: l.Account.Key, Entitlement: l.Entitlement.Key, Do: console.PlanRemove}
			key := console.Change{Account: row.Account, Entitlement: row.Entitlement}
			if !l.MayRemove || seen[key] {
				continue
			}
			seen[key] = true
			rows = append(rows, row)
		}
		if page.Next == nil || len(rows) > console.MaxPlanRows {
			return rows, nil
		}
		q.After = *page.Next
	}
}

// severalRolesRows returns what accounts with several roles of an app hold of the others than the one
// that is kept.
func (c *Console) severalRolesRows(ctx context.Context, caller Caller, n NewPlan) (rows []console.PlanRow, err error) {
	app := console.ID(n.Cause.Ref)
	err = c.read(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) error {
		rows = nil
		a, err := changeableApp(tx, me, app)
		if err != nil {
			return err
		}
		kept := slices.IndexFunc(a.Roles.Roles, func(r console.AppRole) bool { return r.Name == n.Keep })
		if kept < 0 {
			return baton.Errorf(baton.Invalid, "the application has no role %q", n.Keep).WithFix("Choose the role that the accounts keep.")
		}
		_, m, err := appNow(tx, app)
		if err != nil {
			return err
		}
		var sets [][]console.EntitlementKey
		for _, r := range a.Roles.Roles {
			sets = append(sets, r.Entitlements)
		}
		for after := (store.ResourceAfter{}); ; {
			page, err := tx.FilterAccounts(m, store.AccountFilter{Several: sets}, after, store.PageSize)
			if err != nil {
				return err
			}
			accounts := make([]console.ResourceKey, len(page.Rows))
			for i, r := range page.Rows {
				accounts[i] = r.Key
			}
			held, err := tx.HeldOf(m.Streams, a.Roles.Entitlements(), accounts)
			if err != nil {
				return err
			}
			for _, account := range accounts {
				rows = append(rows, otherRoles(a, kept, account, held[account])...)
			}
			if page.Next == nil || len(rows) > console.MaxPlanRows {
				return nil
			}
			after = *page.Next
		}
	})
	return rows, err
}

// otherRoles returns what an account holds of other roles than the kept one; nothing if it does not
// have that one.
func otherRoles(a console.App, kept int, account console.ResourceKey, held []console.EntitlementKey) (rows []console.PlanRow) {
	keep := a.Roles.Roles[kept].Entitlements
	if !slices.ContainsFunc(keep, func(e console.EntitlementKey) bool { return slices.Contains(held, e) }) {
		return nil
	}
	for i, r := range a.Roles.Roles {
		for _, e := range r.Entitlements {
			if i == kept || !slices.Contains(held, e) || slices.Contains(keep, e) || slices.ContainsFunc(rows, func(r console.PlanRow) bool { return r.Entitlement == e }) {
				continue
			}
			rows = append(rows, console.PlanRow{App: a.ID, Account: account, Entitlement: e, Do: console.PlanRemove})
		}
	}
	return rows
}

// leavingRows returns the accounts of a person that are enabled, and what they hold that a connector
// can remove, as far as the caller may remove it.
func (c *Console) leavingRows(ctx context.Context, caller Caller, person console.ID) (rows []console.PlanRow, err error) {
	err = c.read(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		rows = nil
		_, accounts, err := c.seePerson(tx, me, person)
		if err != nil {
			return err
		}
		rights := newPlanRights(tx, me)
		for _, one := range accounts {
			all, err := everythingOf(tx, one)
			if err != nil {
				return err
			}
			for _, r := range all {
				switch err := rights.check([]console.PlanRow{r}); baton.KindOf(err) {
				case baton.PermissionDenied, baton.NotFound:
					continue
				default:
					if err != nil {
						return err
					}
				}
				rows = append(rows, r)
			}
		}
		return nil
	})
	return rows, err
}

// everythingOf returns an account, if it is enabled, and what it holds that a connector can remove.
func everythingOf(tx *store.Tx, one personAccount) (rows []console.PlanRow, err error) {
	if !one.app.Removed.IsZero() {
		return nil, nil
	}
	connector, r, err := showing(tx, one.app, one.key)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil // no sync shows it any more
	}
	if err != nil {
		return nil, err
	}
	_, m, err := appNow(tx, one.app.ID)
	if err != nil {
		return nil, err
	}
	row := console.PlanRow{App: one.app.ID, Account: one.key, Do: console.PlanRemove}
	if console.HasAccount(true, r.Status) {
		rows = append(rows, row)
	}
	for after := console.EntitlementKey(0); ; {
		facts, err := tx.HeldBy(m, one.key, after, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, f := range facts {
			after = f.Entitlement
			able, err := approve.Able(tx, connector, m, f.Entitlement)
			if err != nil {
				return nil, err
			}
			if row.Entitlement = f.Entitlement; able && f.Direct() {
				rows = append(rows, row)
			}
		}
		if len(facts) < store.PageSize {
			return rows, nil
		}
	}
}

// MayPlanLeaving reports whether the caller may remove something of a person whose access they see.
func (c *Console) MayPlanLeaving(ctx context.Context, caller Caller, v PersonView) (may bool, err error) {
	err = c.view(ctx, caller, func(_ *store.Tx, me console.Person) error {
		may = slices.ContainsFunc(v.Accounts, func(a AccountView) bool {
			return console.RemoveAccess.Of(me, console.Object{App: &a.App, Person: &v.Person})
		})
		return nil
	})
	return may, err
}

// ParsePlanRow parses a row as forms have it: "APP/ACCOUNT/ENTITLEMENT", and "/lower" for what is
// lowered.
func ParsePlanRow(text string) (r console.PlanRow, err error) {
	parts := strings.Split(text, "/")
	wrong := baton.Errorf(baton.Invalid, "%q is no row of a plan", text)
	if len(parts) < 3 || len(parts) > 4 {
		return r, wrong
	}
	account, wrongAccount := strconv.ParseInt(parts[1], 10, 64)
	e, wrongEntitlement := strconv.ParseInt(parts[2], 10, 64)
	if wrongAccount != nil || wrongEntitlement != nil {
		return r, wrong
	}
	r = console.PlanRow{App: console.ID(parts[0]), Account: console.ResourceKey(account), Entitlement: console.EntitlementKey(e), Do: console.PlanRemove}
	if len(parts) == 4 {
		r.Do = console.PlanDo(parts[3])
	}
	return r, nil
}
