package govern

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/plan"
	"baton/console/store"
)

// NewPlan is a plan to make: App, Account, Entitlement and Do of each row are chosen.
type NewPlan struct {
	Cause console.PlanCause
	Title string // "": what the cause says
	Why   string
	Cap   int // 0: none
	// Rows may be empty if the cause says what they are: [console.PlanUnexplained] with Changes,
	// [console.PlanBothRoles] with Keep, and [console.PlanLeaving].
	Rows    []console.PlanRow
	Changes ChangesQuery // from when to when access was gained; the app is the cause's Ref
	Keep    string       // the role that accounts with several roles of the app keep
}

// maxPlanTitle limits the title of a plan, in characters.
const maxPlanTitle = 200

// computedAtOnce is the number of rows up to which a plan is computed while its author waits.
const computedAtOnce = 500

// CreatePlan makes a plan to remove access, and computes its consequence: at once if it is short, else
// the worker does. The caller needs the right to remove each of its rows. Nothing is removed before
// somebody applies the plan. Campaigns make their plans with [store.Tx.AddPlan], because reviewers have
// decided about the rows.
func (c *Console) CreatePlan(ctx context.Context, caller Caller, n NewPlan) (id console.ID, err error) {
	if len(n.Rows) == 0 && n.Cause.Kind != console.PlanSelection {
		if n.Rows, err = c.planRowsOf(ctx, caller, n); err != nil {
			return "", err
		}
	}
	permit := configuring
	if len(n.Rows) > 0 && !slices.ContainsFunc(n.Rows, func(r console.PlanRow) bool { return r.App != n.Rows[0].App }) {
		permit = permit.in(n.Rows[0].App)
	}
	err = c.change(ctx, caller, permit, func(tx *store.Tx, me console.Person) error {
		if n.Cause.Kind.Decided() {
			return baton.Errorf(baton.Invalid, "only a campaign makes a plan of that cause")
		}
		why, err := because(n.Why)
		if err != nil {
			return err
		}
		p := console.RemovalPlan{Cause: n.Cause, Title: shortened(strings.TrimSpace(n.Title), maxPlanTitle), Why: why, Cap: n.Cap}
		if p.Title == "" {
			if p.Title, err = planTitle(tx, n); err != nil {
				return err
			}
		}
		for _, r := range n.Rows {
			if app, err := tx.AppOfResource(r.Account); err != nil || app != r.App {
				return hidden("account", err)
			}
		}
		if err := newPlanRights(tx, me).check(n.Rows); err != nil {
			return err
		}
		p, err = tx.AddPlan(p, n.Rows)
		id = p.ID
		return err
	})
	if err == nil && len(n.Rows) <= computedAtOnce {
		err = plan.Compute(ctx, c.store, c.by(caller), id)
	}
	return id, err
}

// planTitle returns the title of a plan by its cause.
func planTitle(tx *store.Tx, n NewPlan) (string, error) {
	in := ""
	if len(n.Rows) > 0 {
		a, err := tx.App(n.Rows[0].App)
		if err != nil {
			return "", err
		}
		in = " in " + a.Name
		if slices.ContainsFunc(n.Rows, func(r console.PlanRow) bool { return r.App != a.ID }) {
			in = " in several applications"
		}
	}
	switch n.Cause.Kind {
	case console.PlanUnexplained:
		return "Unexplained access" + in, nil
	case console.PlanBothRoles:
		return "Accounts with several roles" + in, nil
	case console.PlanLeaving:
		p, err := tx.Person(console.ID(n.Cause.Ref))
		return "Everything of " + p.Name, err
	}
	return "Selected access" + in, nil
}

// planRights checks who may remove the rows of a plan.
type planRights struct {
	tx     *store.Tx
	me     console.Person
	apps   map[console.ID]console.Object
	owners map[console.Need][]console.ID // of entitlements
	people map[console.ResourceKey]console.Person
}

func newPlanRights(tx *store.Tx, me console.Person) *planRights {
	return &planRights{tx: tx, me: me, apps: map[console.ID]console.Object{}, owners: map[console.Need][]console.ID{}}
}

// check returns an error if the person may not remove one of the rows.
func (r *planRights) check(rows []console.PlanRow) (err error) {
	accounts := make([]console.ResourceKey, len(rows))
	for i, row := range rows {
		accounts[i] = row.Account
	}
	slices.Sort(accounts)
	if r.people, err = r.tx.OwnersNow(slices.Compact(accounts)); err != nil {
		return err
	}
	for _, row := range rows {
		if err := r.may(row); err != nil {
			return err
		}
	}
	return nil
}

func (r *planRights) may(row console.PlanRow) error {
	o, known := r.apps[row.App]
	if !known {
		a, err := presentApp(r.tx, row.App)
		if err != nil {
			return err
		}
		o = console.Object{App: &a}
		r.apps[row.App] = o
	}
	if console.ChangeAccess.Of(r.me, o) {
		return nil
	}
	if row.Do == console.PlanLower { // which also grants
		return console.ChangeAccess.Check(r.me, o)
	}
	key := console.Need{App: row.App, Entitlement: row.Entitlement}
	if _, known := r.owners[key]; !known {
		owners, err := entitlementOwners(r.tx, row.App, row.Entitlement)
		if err != nil {
			return err
		}
		r.owners[key] = owners
	}
	o.EntitlementOwners = r.owners[key]
	if p, owned := r.people[row.Account]; owned {
		if p.MergedInto != "" {
			var err error
			if p, err = r.tx.Person(p.Canonical()); err != nil {
				return err
			}
		}
		o.Person = &p
	}
	err := console.RemoveAccess.Check(r.me, o)
	if err != nil && !console.SeeAccessCounts.Of(r.me, o) && !console.SeePeople.Of(r.me, o) {
		err = hidden("app", err)
	}
	return err
}

// seePlan returns a plan that the person may see, with its apps: their own, and those of apps whose
// access they see.
func seePlan(tx *store.Tx, me console.Person, id console.ID) (p console.RemovalPlan, apps []console.App, err error) {
	if p, err = tx.Plan(id); err != nil {
		return p, nil, err
	}
	ids, err := tx.PlanApps(id)
	if err != nil {
		return p, nil, err
	}
	for _, app := range ids {
		a, err := tx.App(app)
		if err != nil {
			return p, nil, err
		}
		apps = append(apps, a)
	}
	if ownPlan(p, me) {
		return p, apps, nil
	}
	for _, a := range apps {
		if err := console.SeePlans.Check(me, console.Object{App: &a}); err != nil {
			return p, nil, hidden("plan", err)
		}
	}
	return p, apps, nil
}

// ownPlan reports whether a person made a plan, or owns its cause.
func ownPlan(p console.RemovalPlan, me console.Person) bool {
	return p.By.Person() == me.Canonical() || slices.Contains(p.Owners, me.Canonical())
}

// changePlan runs a command about a plan of a caller who may apply it.
func (c *Console) changePlan(ctx context.Context, caller Caller, id console.ID, fn func(tx *store.Tx, me console.Person, p console.RemovalPlan) error) error {
	return c.change(ctx, caller, configuring.on(id), func(tx *store.Tx, me console.Person) error {
		p, _, err := seePlan(tx, me, id)
		if err != nil {
			return err
		}
		if err := mayApply(tx, me, p); err != nil {
			return err
		}
		return fn(tx, me, p)
	})
}

// mayApply returns an error if the person may not apply a plan: they have to be allowed to remove each
// row, unless they own its cause.
func mayApply(tx *store.Tx, me console.Person, p console.RemovalPlan) error {
	if slices.Contains(p.Owners, me.Canonical()) {
		return nil
	}
	rights := newPlanRights(tx, me)
	apps, err := tx.PlanApps(p.ID)
	if err != nil {
		return err
	}
	everywhere := true
	for _, app := range apps {
		a, err := tx.App(app)
		if err != nil {
			return err
		}
		everywhere = everywhere && console.ChangeAccess.Of(me, console.Object{App: &a})
	}
	for after := 0; !everywhere; {
		rows, err := tx.PlanRows(p.ID, store.PlanRowFilter{}, after, store.PageSize)
		if err != nil {
			return err
		}
		if err := rights.check(rows); err != nil {
			return err
		}
		if len(rows) < store.PageSize {
			break
		}
		after = rows[len(rows)-1].Place
	}
	return nil
}

// ApplyPlan carries out a plan. hash is that of the plan that the caller looked at, and count the
// number of its planned rows as the caller typed it; it is needed from [console.PlanCountFrom] on. If
// something that a row relies on has changed, the plan becomes stale and the error names the rows.
// The worker creates the operations.
func (c *Console) ApplyPlan(ctx context.Context, caller Caller, id console.ID, hash console.Hash, count string) error {
	count = strings.TrimSpace(count)
	var changed []console.PlanRow
	err := c.read(ctx, caller, configuring.on(id), func(tx *store.Tx, me console.Person) error {
		p, _, err := seePlan(tx, me, id)
		if err == nil {
			err = mayApply(tx, me, p)
		}
		if err != nil || p.CheckApply(hash, count) != nil { // which the command says
			return err
		}
		changed, err = plan.Changed(tx, p, c.now())
		return err
	})
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		return c.stalePlan(ctx, caller, id, changed)
	}
	return c.guarded(ctx, caller, configuring.on(id), func(tx *store.Tx, me console.Person) (o console.Operation, err error) {
		p, _, err := seePlan(tx, me, id)
		if err == nil {
			err = mayApply(tx, me, p)
		}
		if err != nil {
			return o, err
		}
		if p.State == console.PlanReady && hash == p.Hash && !p.Cause.Kind.Decided() {
			if o, err = plan.Refusal(tx, p, me.Canonical()); err != nil {
				return o, err
			}
		}
		if err := p.CheckApply(hash, count); err != nil {
			return o, err
		}
		_, err = tx.MovePlan(p, console.PlanApplying)
		return o, err
	})
}

// stalePlan marks rows that have changed, and returns the error that names them.
func (c *Console) stalePlan(ctx context.Context, caller Caller, id console.ID, changed []console.PlanRow) error {
	var names []string
	err := c.changePlan(ctx, caller, id, func(tx *store.Tx, _ console.Person, p console.RemovalPlan) error {
		if p.State != console.PlanReady {
			return baton.Errorf(baton.Refused, "the plan is %s and cannot be applied", p.State)
		}
		names = nil
		for _, r := range changed {
			r.State = console.RowChanged
			if err := tx.EndPlanRow(id, r); err != nil {
				return err
			}
			if len(names) < 3 {
				name, err := c.rowName(tx, r)
				if err != nil {
					return err
				}
				names = append(names, name)
			}
		}
		_, err := tx.MovePlan(p, console.PlanStale)
		return err
	})
	if err != nil {
		return err
	}
	text := strings.Join(names, "; ")
	if n := len(changed) - len(names); n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return baton.Errorf(baton.Refused, "the plan is stale, because what it relies on has changed: %s", text).WithFix("Compute it again, and look at it.")
}

// rowName returns what a row of a plan is about, and its sentence.
func (c *Console) rowName(tx *store.Tx, r console.PlanRow) (string, error) {
	a, m, err := appNow(tx, r.App)
	if err != nil {
		return "", err
	}
	n, _, err := c.names(tx, m, a, console.Operation{App: r.App, Account: r.Account, Entitlement: r.Entitlement})
	return fmt.Sprintf("“%s” of %s (%s)", n.Entitlement, n.Account, strings.TrimSuffix(r.Said, ".")), err
}

// RecomputePlan computes a plan again, with the rows that were chosen.
func (c *Console) RecomputePlan(ctx context.Context, caller Caller, id console.ID) error {
	rows := 0
	err := c.changePlan(ctx, caller, id, func(tx *store.Tx, _ console.Person, p console.RemovalPlan) error {
		rows = p.Rows
		_, err := tx.MovePlan(p, console.PlanDraft)
		return err
	})
	if err == nil && rows <= computedAtOnce {
		err = plan.Compute(ctx, c.store, c.by(caller), id)
	}
	return err
}

// DiscardPlan ends a plan of which nothing was carried out.
func (c *Console) DiscardPlan(ctx context.Context, caller Caller, id console.ID) error {
	return c.changePlan(ctx, caller, id, func(tx *store.Tx, _ console.Person, p console.RemovalPlan) error {
		_, err := tx.MovePlan(p, console.PlanDiscarded)
		return err
	})
}

// StopPlan stops carrying out a plan. What was handed to connectors goes on; each operation can be
// cancelled by itself.
func (c *Console) StopPlan(ctx context.Context, caller Caller, id console.ID, why string) error {
	return c.changePlan(ctx, caller, id, func(tx *store.Tx, _ console.Person, p console.RemovalPlan) error {
		why, err := because(why)
		if err != nil {
			return err
		}
		if p.State != console.PlanApplying {
			return baton.Errorf(baton.Refused, "the plan is %s, so there is nothing to stop", p.State)
		}
		_, err = tx.StopPlan(id, why)
		return err
	})
}
