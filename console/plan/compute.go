// Package plan computes plans to remove access, and carries them out. A plan is made with
// [store.Tx.AddPlan]. The worker, or package govern on behalf of a person, then calls [Compute], and
// [Advance] after the plan was applied. The package does not check the rights of people: package govern
// does.
package plan

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// written is the number of rows that are written in one transaction.
const written = 500

// Compute computes a draft: what each row relies on, which rows a guard forbids, and the consequence as
// a whole. It does nothing if the plan is no draft, or not any more.
func Compute(ctx context.Context, s *store.Store, by console.By, id console.ID) error {
	var p console.RemovalPlan
	var rows []console.PlanRow
	err := s.View(ctx, func(t *store.Tx) (err error) {
		if p, err = t.Plan(id); err != nil || p.State != console.PlanDraft {
			return err
		}
		if rows, err = allRows(t, id); err != nil {
			return err
		}
		p.Summary, err = compute(t, p, rows, by.At)
		return err
	})
	if err != nil || p.State != console.PlanDraft {
		return err
	}
	if p.Hash, err = hash(p, rows); err != nil {
		return err
	}
	for len(rows) > 0 {
		part := rows[:min(written, len(rows))]
		rows = rows[len(part):]
		stop := false
		err := s.Update(ctx, by, func(t *store.Tx) error {
			now, err := t.LockPlan(id)
			if err != nil {
				return err
			}
			if stop = now.State != console.PlanDraft || now.Version != p.Version; stop {
				return nil // somebody discarded it, or another process computed it
			}
			if err := t.ComputedPlanRows(id, part); err != nil || len(rows) > 0 {
				return err
			}
			_, err = t.MovePlan(p, console.PlanReady)
			return err
		})
		if err != nil || stop {
			return err
		}
	}
	return nil
}

func hash(p console.RemovalPlan, rows []console.PlanRow) (console.Hash, error) {
	return console.PlanHash(p.HeadLine(len(rows)), func(yield func([]byte) error) error {
		for _, r := range rows {
			if err := yield(r.Line()); err != nil {
				return err
			}
		}
		return nil
	})
}

func allRows(t *store.Tx, id console.ID) (all []console.PlanRow, err error) {
	for after := 0; ; {
		page, err := t.PlanRows(id, store.PlanRowFilter{}, after, store.PageSize)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < store.PageSize {
			return all, nil
		}
		after = page[len(page)-1].Place
	}
}

// Changed returns the rows of a plan that rely on something that has changed since it was computed.
// Their Said tells what.
func Changed(t *store.Tx, p console.RemovalPlan, now time.Time) (changed []console.PlanRow, err error) {
	rows, err := allRows(t, p.ID)
	if err != nil {
		return nil, err
	}
	fresh := slices.Clone(rows)
	if _, err := compute(t, p, fresh, now); err != nil {
		return nil, err
	}
	type access struct {
		account     console.ResourceKey
		entitlement console.EntitlementKey
	}
	current := make(map[access]console.PlanRow, len(fresh))
	for _, r := range fresh {
		current[access{r.Account, r.Entitlement}] = r
	}
	for _, r := range rows {
		if c := current[access{r.Account, r.Entitlement}]; !bytes.Equal(r.Line(), c.Line()) {
			r.Said, r.Fix = r.ChangedTo(c), "Compute the plan again."
			changed = append(changed, r)
		}
	}
	return changed, nil
}

// compute computes the rows of a plan, and puts them in order.
func compute(t *store.Tx, p console.RemovalPlan, rows []console.PlanRow, now time.Time) (console.PlanSummary, error) {
	c := computer{t: t, plan: p, now: now, apps: map[console.ID]*appFacts{}}
	if err := c.read(rows); err != nil {
		return console.PlanSummary{}, err
	}
	c.sort(rows)
	for i := range rows {
		if err := c.row(&rows[i]); err != nil {
			return console.PlanSummary{}, err
		}
	}
	return c.summary(rows), nil
}

// computer holds the facts about the rows of a plan.
type computer struct {
	t       *store.Tx
	plan    console.RemovalPlan
	now     time.Time
	apps    map[console.ID]*appFacts
	persons map[console.ResourceKey]console.Person // the owners, as canonical persons
	locked  bool                                   // the apps are locked
}

// appFacts holds the facts about the rows of one app.
type appFacts struct {
	app       console.App
	moment    store.Moment
	floor     *console.PlanFloor
	seats     int
	shown     map[console.ResourceKey]bool // by the head
	enabled   map[console.ResourceKey]bool
	connector map[console.ResourceKey]console.ID
	grounds   map[console.ID]*store.Ground
	held      map[console.ResourceKey][]console.EntitlementKey // of the role map
	by        map[console.EntitlementKey]*entitlementFacts
}

// entitlementFacts holds the facts about the rows of one entitlement.
type entitlementFacts struct {
	asks      bool
	able      map[console.ID]bool // by connector
	accesses  map[console.ResourceKey]console.Access
	proposals map[console.ResourceKey]console.Proposal
}

// read reads the facts about rows, app by app in a fixed order.
func (c *computer) read(rows []console.PlanRow) error {
	accounts := make([]console.ResourceKey, len(rows))
	byApp := map[console.ID]map[console.EntitlementKey][]console.ResourceKey{}
	for i, r := range rows {
		accounts[i] = r.Account
		if byApp[r.App] == nil {
			byApp[r.App] = map[console.EntitlementKey][]console.ResourceKey{}
		}
		byApp[r.App][r.Entitlement] = append(byApp[r.App][r.Entitlement], r.Account)
	}
	slices.Sort(accounts)
	if err := c.readOwners(slices.Compact(accounts)); err != nil {
		return err
	}
	var apps []console.ID
	for app := range byApp {
		apps = append(apps, app)
	}
	slices.Sort(apps)
	for _, app := range apps {
		if err := c.readApp(app, byApp[app]); err != nil {
			return err
		}
	}
	return nil
}

func (c *computer) readOwners(accounts []console.ResourceKey) (err error) {
	if c.persons, err = c.t.OwnersNow(accounts); err != nil {
		return err
	}
	for account, p := range c.persons {
		if p.MergedInto == "" {
			continue
		}
		if c.persons[account], err = c.t.Person(p.Canonical()); err != nil {
			return err
		}
	}
	return nil
}

func (c *computer) readApp(id console.ID, rows map[console.EntitlementKey][]console.ResourceKey) (err error) {
	a := &appFacts{shown: map[console.ResourceKey]bool{}, enabled: map[console.ResourceKey]bool{}, connector: map[console.ResourceKey]console.ID{},
		grounds: map[console.ID]*store.Ground{}, by: map[console.EntitlementKey]*entitlementFacts{}}
	c.apps[id] = a
	if c.locked {
		a.app, err = c.t.LockApp(id)
	} else {
		a.app, err = c.t.App(id)
	}
	if err != nil {
		return err
	}
	if a.moment, err = c.t.Moment(id, time.Time{}); err != nil {
		return err
	}
	admins, err := c.t.Admins(id)
	if err != nil {
		return err
	}
	a.floor = console.NewPlanFloor(admins)
	if !c.locked { // only the summary needs them
		if a.seats, err = c.t.CountEnabled(a.moment); err != nil {
			return err
		}
	}
	var accounts []console.ResourceKey
	var entitlements []console.EntitlementKey
	for e, of := range rows {
		entitlements, accounts = append(entitlements, e), append(accounts, of...)
	}
	slices.Sort(entitlements)
	slices.Sort(accounts)
	accounts = slices.Compact(accounts)
	if err := c.readAccounts(a, accounts); err != nil {
		return err
	}
	if a.held, err = c.t.HeldOf(a.moment.Streams, a.app.Roles.Entitlements(), accounts); err != nil {
		return err
	}
	for _, e := range entitlements {
		if err := c.readEntitlement(a, e, rows[e]); err != nil {
			return err
		}
	}
	return nil
}

// readAccounts reads which connector shows, or showed, each account.
func (c *computer) readAccounts(a *appFacts, accounts []console.ResourceKey) (err error) {
	for _, s := range a.moment.Streams {
		last, err := c.t.LastResources(s.Stream, s.Sync, accounts)
		if err != nil {
			return err
		}
		for account, r := range last {
			if r.Account == nil {
				continue
			}
			a.connector[account], a.shown[account] = s.Connector, r.Until > s.Sync
			a.enabled[account] = console.HasAccount(a.shown[account], r.Status)
		}
	}
	for _, s := range a.moment.Streams {
		if a.grounds[s.Connector], err = c.t.ForeseeGround(a.app, s.Connector); err != nil {
			return err
		}
	}
	return nil
}

func (c *computer) readEntitlement(a *appFacts, e console.EntitlementKey, accounts []console.ResourceKey) (err error) {
	f := &entitlementFacts{able: map[console.ID]bool{}, proposals: map[console.ResourceKey]console.Proposal{}}
	a.by[e] = f
	if !c.plan.Cause.Kind.Decided() {
		unasked, err := approve.Unasked(c.t, a.app.ID, e)
		if err != nil {
			return err
		}
		f.asks = !unasked
	}
	var first console.SyncNumber
	if e != console.AccountItself {
		if first, err = c.t.FirstShown(e); err != nil {
			return err
		}
	}
	if f.accesses, err = c.t.Accesses(a.moment, a.app.ID, accounts, e, first, c.now); err != nil {
		return err
	}
	byConnector := map[console.ID][]console.ResourceKey{}
	for _, account := range accounts {
		if con := a.connector[account]; con != "" {
			byConnector[con] = append(byConnector[con], account)
		}
	}
	for con, of := range byConnector {
		f.able[con], err = approve.Able(c.t, con, a.moment, e)
		if err != nil && baton.KindOf(err) != baton.NotFound { // the entitlement is gone, and so is the access
			return err
		}
		proposals, err := c.t.ForeseeRemovals(a.grounds[con], e, of, f.accesses, a.shown)
		if err != nil {
			return err
		}
		for account, p := range proposals {
			f.proposals[account] = p
		}
	}
	return nil
}

// sort puts rows in the order of pages: by person, then by account. Accounts without an owner come
// last.
func (c *computer) sort(rows []console.PlanRow) {
	keys := make(map[console.ID][]byte, len(c.persons))
	for _, p := range c.persons {
		if keys[p.ID] == nil {
			keys[p.ID] = console.SortKey(p.Name)
		}
	}
	slices.SortFunc(rows, func(a, b console.PlanRow) int {
		p, q := c.persons[a.Account].ID, c.persons[b.Account].ID
		if (p == "") != (q == "") {
			return cmp.Compare(q, p)
		}
		return cmp.Or(bytes.Compare(keys[p], keys[q]), cmp.Compare(p, q), cmp.Compare(a.App, b.App), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Entitlement, b.Entitlement))
	})
	for i := range rows {
		rows[i].Place = i + 1
	}
}

// row computes one row.
func (c *computer) row(r *console.PlanRow) error {
	a := c.apps[r.App]
	f := a.by[r.Entitlement]
	access, con := f.accesses[r.Account], a.connector[r.Account]
	owner := c.persons[r.Account]
	open := console.OpenReasons(access.Reasons, access.Bar, c.now)
	*r = console.PlanRow{App: r.App, Account: r.Account, Entitlement: r.Entitlement, Do: r.Do, Ref: r.Ref, Place: r.Place, State: console.RowPlanned,
		Asks: f.asks, Manual: !f.able[con], Mastered: f.proposals[r.Account].MasteredBy,
		Facts: console.PlanFacts{Since: access.From, Direct: access.Direct, Reasons: console.PlanReasons(open), Owner: owner.ID,
			Left: owner.ID != "" && owner.Status != console.PersonActive, Admin: console.AdminOf(a.app.Roles.Effective(a.held[r.Account]))}}
	if access.Bar != nil {
		r.Facts.Bar = access.Bar.ID
	}
	if access.Operation != nil {
		r.Pending = access.Operation.ID
	}
	p, known := f.proposals[r.Account]
	coming := access.Operation != nil && access.Operation.Verb == console.Grant
	switch {
	case !known, !access.Held && !coming && !p.Missing:
		r.State, r.Said = console.RowGone, "The account does not hold it any more."
		r.Manual, r.Asks = false, false
		return nil
	case r.Do == console.PlanLower:
		to, ok := a.app.Roles.Lower(r.Entitlement, a.held[r.Account])
		if !ok {
			r.State, r.Said, r.Fix = console.RowBlocked, "The application has no lower role.", "Map its roles, or remove the access."
			return nil
		}
		r.Facts.To = to
	}
	p.Cause = console.Cause{Kind: c.plan.Cause.Kind.Operation(), Evidence: console.EvidenceDecision}
	return c.guard(a, r, p)
}

// guard applies the guards to a row. If they allow it, the row counts for the rows after it.
func (c *computer) guard(a *appFacts, r *console.PlanRow, p console.Proposal) error {
	changes := []console.Proposal{p}
	if r.Facts.To != 0 { // the grant of the lower role comes first
		o := c.operation(*r, a.connector[r.Account])
		o.Entitlement, o.Verb = r.Facts.To, console.Grant
		grant, err := c.t.Foresee(o, store.Circumstances{})
		if err != nil {
			return err
		}
		changes = []console.Proposal{grant, p}
	}
	for i, p := range changes {
		p.Admins = a.floor.Of(p.Change)
		if i > 0 { // also what the grant does
			p.Admins.InFlight = append(slices.Clone(p.Admins.InFlight), changes[0].Change)
		}
		err := p.Check()
		if err == nil {
			continue
		}
		r.State, r.Said, r.Fix = console.RowBlocked, sentence(err), baton.FixOf(err)
		if refusal := (*console.Refusal)(nil); errors.As(err, &refusal) {
			r.Facts.Guard = refusal.Guard
		}
		return nil
	}
	for _, p := range changes {
		a.floor.Plan(p.Change)
	}
	return nil
}

// operation returns the operation that carries out a row.
func (c *computer) operation(r console.PlanRow, connector console.ID) console.Operation {
	ref := string(c.plan.ID)
	if c.plan.Cause.Kind.Decided() {
		ref = c.plan.Cause.Ref
	}
	return console.Operation{App: r.App, Connector: connector, Account: r.Account, Person: r.Facts.Owner, Entitlement: r.Entitlement, Verb: console.Revoke,
		Input: console.Input{Why: c.plan.Why},
		Cause: console.Cause{Kind: c.plan.Cause.Kind.Operation(), Ref: ref, By: console.ByPerson(c.plan.AppliedBy), Evidence: console.EvidenceDecision}}
}
