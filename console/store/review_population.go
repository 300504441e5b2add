package store

import (
	"slices"
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// Population holds what the newest syncs of one connector show, and what the console knows about it,
// for freezing the population of a campaign. It is read with a few statements, however large it is.
type Population struct {
	Connector    console.Connector
	Sync         console.Sync // the newest applied one; zero if there is none
	Entitlements map[console.EntitlementKey]Entitlement
	Resources    map[console.ResourceKey]Resource
	// Facts are ordered by entitlement and principal. From is the sync that first showed the access
	// without a gap.
	Facts []console.Fact
	// Existing lists the accounts that are present, with the sync since which they are; only if they
	// were asked for.
	Existing  []console.Fact
	Owners    map[console.ResourceKey]console.ID // of accounts
	Former    map[console.ResourceKey][]console.ID
	Said      map[console.ResourceKey]console.AccountKind
	Reasons   map[AccessKey][]console.Reason
	Bars      map[AccessKey]*console.Bar
	Alive     map[AccessKey]*console.Operation
	Removals  map[AccessKey]*console.Operation // the newest verified one
	Overdue   map[AccessKey]*console.Overdue
	Lacks     map[AccessKey]console.RequirementLack
	Last      map[AccessKey]console.LastDecision
	First     map[console.EntitlementKey]console.SyncNumber // see [Tx.FirstShown]
	Began     map[console.SyncNumber]time.Time              // of syncs in which something began
	Masters   map[console.EntitlementKey]string             // where it is decided who holds it
	unlimited bool
}

// PopulationOf selects what [Tx.ReadPopulation] reads.
type PopulationOf struct {
	// Entitlements limits the facts; nil: all.
	Entitlements []console.EntitlementKey
	Existing     bool // also the accounts themselves
	Now          time.Time
}

// ReadPopulation reads the population of one connector of an app at the current moment.
func (t *Tx) ReadPopulation(app console.ID, s StreamAt, of PopulationOf) (*Population, error) {
	p := &Population{Entitlements: map[console.EntitlementKey]Entitlement{}, Resources: map[console.ResourceKey]Resource{}}
	var err error
	if p.Connector, err = t.Connector(s.Connector); err != nil || s.Sync == 0 {
		return p, err
	}
	if p.Sync, err = t.SyncByNumber(s.Sync); err != nil {
		return p, err
	}
	entitlements, err := list(t, scanEntitlement, "SELECT "+entitlementColumns+` FROM entitlement e JOIN entitlement_version v ON v.entitlement = e.key
		WHERE e.stream = $1 AND v.opened <= $2 AND v.closed > $2`, s.Stream, s.Sync)
	if err != nil {
		return p, err
	}
	for _, e := range entitlements {
		p.Entitlements[e.Key] = e
	}
	for _, step := range []func(*Population, console.ID, StreamAt, PopulationOf) error{t.populationFacts, t.populationResources, t.populationOwners, t.populationAccess, t.populationTimes} {
		if err := step(p, app, s, of); err != nil {
			return p, err
		}
	}
	return p, nil
}

// populationFacts reads the facts of the head. The versions of one access without a gap between them
// are one fact, as in [joined].
func (t *Tx) populationFacts(p *Population, _ console.ID, s StreamAt, of PopulationOf) error {
	sql := "SELECT " + factColumns + ` FROM fact f LEFT JOIN source_set s ON s.key = f.sources WHERE f.stream = $1 AND f.opened <= $2`
	const order = " ORDER BY f.entitlement, f.principal, f.opened"
	var rows []console.Fact
	var err error
	if of.Entitlements == nil {
		rows, err = list(t, scanFact, sql+order, s.Stream, s.Sync)
	} else {
		rows, err = listOf(t, scanFact, distinct(of.Entitlements), sql+" AND f.entitlement IN (keys)"+order, s.Stream, s.Sync)
	}
	if err != nil {
		return err
	}
	p.Facts = currentFacts(rows, s.Sync)
	if !of.Existing {
		return nil
	}
	versions, err := list(t, func(r engine.Row) console.Fact {
		return console.Fact{Principal: console.ResourceKey(r.Int(0)), From: console.SyncNumber(r.Int(1)), Until: console.SyncNumber(r.Int(2)), Immutable: !console.HasAccount(true, console.Status(r.Int(3)))}
	}, `SELECT v.resource, v.opened, v.closed, v.status FROM resource r JOIN resource_version v ON v.resource = r.key
		WHERE r.stream = $1 AND v.account AND v.opened <= $2 ORDER BY v.resource, v.opened`, s.Stream, s.Sync)
	// Versions in which the account was disabled are gaps.
	p.Existing = currentFacts(slices.DeleteFunc(versions, func(f console.Fact) bool { return f.Immutable }), s.Sync)
	return err
}

// currentFacts returns the facts that a sync shows, from the versions of each access in their order,
// since there was no gap.
func currentFacts(versions []console.Fact, sync console.SyncNumber) (current []console.Fact) {
	for i, f := range versions {
		if i > 0 {
			if before := versions[i-1]; before.Entitlement == f.Entitlement && before.Principal == f.Principal && before.Until == f.From {
				f.From = before.From
				versions[i] = f
			}
		}
		if f.Visible(sync) {
			current = append(current, f)
		}
	}
	return current
}

// fewAccounts is the number of accounts from which a whole table is read, instead of the rows of each
// account.
const fewAccounts = 2000

func (t *Tx) populationResources(p *Population, _ console.ID, s StreamAt, _ PopulationOf) error {
	var keys []console.ResourceKey
	for _, f := range p.Facts {
		keys = append(keys, f.Principal)
	}
	for _, f := range p.Existing {
		keys = append(keys, f.Principal)
	}
	for _, e := range p.Entitlements {
		keys = append(keys, e.Resource)
	}
	keys = distinct(keys)
	sql := "SELECT " + resourceColumns + " FROM resource_version v" + resourceTables + "WHERE r.stream = $1 AND v.opened <= $2 AND v.closed > $2"
	var rows []Resource
	var err error
	if p.unlimited = len(keys) >= fewAccounts; p.unlimited {
		rows, err = list(t, scanResource, sql, s.Stream, s.Sync)
	} else {
		rows, err = listOf(t, scanResource, keys, sql+" AND v.resource IN (keys)", s.Stream, s.Sync)
	}
	for _, r := range rows {
		p.Resources[r.Key] = r
	}
	return err
}

func (t *Tx) populationOwners(p *Population, _ console.ID, _ StreamAt, of PopulationOf) error {
	p.Owners, p.Former, p.Said = map[console.ResourceKey]console.ID{}, map[console.ResourceKey][]console.ID{}, map[console.ResourceKey]console.AccountKind{}
	var accounts []console.ResourceKey
	for key, r := range p.Resources {
		if r.Account != nil {
			accounts = append(accounts, key)
		}
	}
	slices.Sort(accounts)
	since := of.Now.Add(-console.RecentOwner)
	owned := func(r engine.Row) bool {
		account, until := console.ResourceKey(r.Int(0)), at(r, 2)
		if _, there := p.Resources[account]; !there {
			return false
		}
		switch {
		case until.IsZero():
			p.Owners[account] = console.ID(r.Text(1))
		case until.After(since):
			p.Former[account] = append(p.Former[account], console.ID(r.Text(1)))
		}
		return false
	}
	said := func(r engine.Row) bool {
		p.Said[console.ResourceKey(r.Int(0))] = console.AccountKind(r.Int(1))
		return false
	}
	const owners = "SELECT o.account, COALESCE(q.merged_into, q.id), o.until_at FROM account_owner o JOIN person q ON q.id = o.person WHERE (o.until_at IS NULL OR o.until_at > $1)"
	const kinds = "SELECT account, kind FROM account_kind WHERE until_at IS NULL"
	var err error
	if p.unlimited {
		if _, err = list(t, owned, owners, since); err == nil {
			_, err = list(t, said, kinds)
		}
		return err
	}
	if _, err = listOf(t, owned, accounts, owners+" AND o.account IN (keys)", since); err == nil {
		_, err = listOf(t, said, accounts, kinds+" AND account IN (keys)")
	}
	return err
}

// populationAccess reads what the console knows about the access of an app.
func (t *Tx) populationAccess(p *Population, app console.ID, _ StreamAt, _ PopulationOf) error {
	p.Reasons, p.Bars, p.Alive, p.Removals = map[AccessKey][]console.Reason{}, map[AccessKey]*console.Bar{}, map[AccessKey]*console.Operation{}, map[AccessKey]*console.Operation{}
	p.Overdue, p.Lacks = map[AccessKey]*console.Overdue{}, map[AccessKey]console.RequirementLack{}
	reasons, err := list(t, scanReason, "SELECT "+reasonColumns+" FROM reason WHERE app = $1 AND account <> 0 ORDER BY created, id", app)
	if err != nil {
		return err
	}
	for _, r := range reasons {
		key := AccessKey{r.Account, r.Entitlement}
		p.Reasons[key] = append(p.Reasons[key], r)
	}
	bars, err := list(t, scanBar, "SELECT "+barColumns+" FROM bar WHERE app = $1 AND lifted IS NULL", app)
	if err != nil {
		return err
	}
	for _, b := range bars {
		p.Bars[AccessKey{b.Account, b.Entitlement}] = &b
	}
	operations, err := list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND account <> 0 AND (alive OR state = 'verified' AND verb = 'revoke') ORDER BY created, id", app)
	if err != nil {
		return err
	}
	for _, o := range operations {
		key := AccessKey{o.Account, o.Entitlement}
		if o.State.Alive() {
			p.Alive[key] = &o
		} else {
			p.Removals[key] = &o
		}
	}
	overdue, err := list(t, scanOverdue, "SELECT "+overdueColumns+" FROM overdue WHERE app = $1", app)
	if err != nil {
		return err
	}
	for _, o := range overdue {
		p.Overdue[AccessKey{o.Account, o.Entitlement}] = &o
	}
	lacks, err := list(t, scanLack, "SELECT "+lackColumns+" FROM requirement_lack WHERE app = $1", app)
	if err != nil {
		return err
	}
	for _, l := range lacks {
		p.Lacks[AccessKey{l.Account, l.Entitlement}] = l
	}
	p.Last, err = t.LastDecisions(app)
	return err
}

// populationTimes reads when entitlements were first shown, when syncs began, and where entitlements
// are mastered.
func (t *Tx) populationTimes(p *Population, _ console.ID, s StreamAt, _ PopulationOf) error {
	p.First, p.Began, p.Masters = map[console.EntitlementKey]console.SyncNumber{}, map[console.SyncNumber]time.Time{}, map[console.EntitlementKey]string{}
	if _, err := list(t, func(r engine.Row) bool {
		p.First[console.EntitlementKey(r.Int(0))] = console.SyncNumber(r.Int(1))
		return true
	}, "SELECT v.entitlement, min(v.opened) FROM entitlement e JOIN entitlement_version v ON v.entitlement = e.key WHERE e.stream = $1 GROUP BY v.entitlement", s.Stream); err != nil {
		return err
	}
	for key, e := range p.Entitlements {
		if on, there := p.Resources[e.Resource]; there && t.s.masters != nil {
			if where := t.s.masters(p.Connector.Product, on.Type); where != "" {
				p.Masters[key] = where
			}
		}
	}
	_, err := list(t, func(r engine.Row) bool {
		p.Began[console.SyncNumber(r.Int(0))] = at(r, 1)
		return true
	}, "SELECT number, began FROM sync WHERE stream = $1 AND state = 'applied' AND number IS NOT NULL", s.Stream)
	return err
}

// Access returns the access of an account of the population, as [Tx.Access] does.
func (p *Population) Access(f console.Fact) console.Access {
	key := AccessKey{f.Principal, f.Entitlement}
	a := console.Access{Held: true, From: f.From, Direct: f.Direct(), Reasons: p.Reasons[key], Bar: p.Bars[key], Operation: p.Alive[key], Overdue: p.Overdue[key], Removal: p.Removals[key],
		FirstShown: p.First[f.Entitlement]}
	return a
}
