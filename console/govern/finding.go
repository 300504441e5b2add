package govern

import (
	"cmp"
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// FindingsQuery selects findings. The zero value selects all open ones that the caller may see.
type FindingsQuery struct {
	App   console.ID          // "" for all
	Kind  console.FindingKind // "" for all
	State console.FindingState
	After store.FindingAfter
	N     int
}

// FindingRow is a finding in a list.
type FindingRow struct {
	console.Finding
	Rule        console.FindingRule
	App         console.App
	Connector   console.Connector // zero if it is about none
	Account     store.Resource    // zero if it is about none
	Owner       console.Person    // of the account
	Entitlement store.Entitlement // zero if it is about none
	Person      console.Person    // whom it is about, without an account
	AcceptedBy  console.Person    // who accepted or snoozed it
	MayAccept   bool
}

// Path returns the page on which somebody acts.
func (r FindingRow) Path() string { return r.Rule.Path(r.Finding) }

// FindingsPage is a page of findings.
type FindingsPage struct {
	Rows []FindingRow
	Next *store.FindingAfter
	// Groups counts the open findings that the caller may see, by kind and app, in the order in which
	// somebody should look at them.
	Groups []FindingGroup
}

// FindingGroup counts the open findings of a kind of an app.
type FindingGroup struct {
	Rule   console.FindingRule
	App    console.App
	Count  int
	Oldest time.Time
}

// Findings returns findings that the caller may see, those that somebody should look at first in
// front.
func (c *Console) Findings(ctx context.Context, caller Caller, q FindingsQuery) (p FindingsPage, err error) {
	permit := reading
	if q.App != "" {
		permit = permit.in(q.App)
	}
	err = c.read(ctx, caller, permit, func(tx *store.Tx, me console.Person) error {
		p = FindingsPage{}
		q.State = cmp.Or(q.State, console.FindingOpen)
		if !slices.Contains(console.FindingStates(), q.State) {
			return baton.Errorf(baton.Invalid, "there is no state %q of findings", q.State)
		}
		if _, ok := q.Kind.Rule(); q.Kind != "" && !ok {
			return baton.Errorf(baton.Invalid, "there is no kind %q of findings", q.Kind)
		}
		if q.App != "" {
			if _, err := seeApp(tx, me, q.App, console.SeeAccessCounts); err != nil {
				return err
			}
		}
		scope, err := findingScope(tx, me)
		if err != nil {
			return err
		}
		if p.Groups, err = findingGroups(tx, scope); err != nil {
			return err
		}
		if scope, err = narrow(tx, scope, q.App, q.Kind); err != nil {
			return err
		}
		if q.N < 1 || q.N >= store.PageSize {
			return baton.Errorf(baton.Invalid, "a page has 1 to %d findings", store.PageSize-1)
		}
		all, err := tx.Findings(scope, q.State, q.After, q.N+1)
		if err != nil {
			return err
		}
		if len(all) > q.N {
			all = all[:q.N]
			last := all[q.N-1]
			p.Next = &store.FindingAfter{Kind: last.Kind, Appeared: last.Appeared, ID: last.ID}
		}
		p.Rows, err = c.findingRows(tx, me, all)
		return err
	})
	return p, err
}

// OpenFindings counts the open findings of an app. looks says that the caller may see some kinds at all.
func (c *Console) OpenFindings(ctx context.Context, caller Caller, app console.ID) (n int, looks bool, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		n, looks = 0, false
		a, err := seeApp(tx, me, app, console.SeeAccessCounts)
		if err != nil {
			return err
		}
		looks = console.SeeAccess.Of(me, console.Object{App: &a}) || console.SeeConnectors.Of(me, console.Object{App: &a})
		scope, err := findingScope(tx, me)
		if err != nil {
			return err
		}
		if scope, err = narrow(tx, scope, app, ""); err != nil {
			return err
		}
		counts, err := tx.CountFindings(scope, console.FindingOpen)
		for _, f := range counts {
			n += f.Count
		}
		return err
	})
	return n, looks, err
}

// Finding returns a finding that the caller may see.
func (c *Console) Finding(ctx context.Context, caller Caller, id console.ID) (row FindingRow, err error) {
	err = c.read(ctx, caller, ofFinding(reading, id), func(tx *store.Tx, me console.Person) error {
		f, err := seeFinding(tx, me, id)
		if err != nil {
			return err
		}
		rows, err := c.findingRows(tx, me, []console.Finding{f})
		if err == nil {
			row = rows[0]
		}
		return err
	})
	return row, err
}

// AcceptFinding leaves a finding as it is until a time, for a reason. version is the version that the
// caller saw; 0 for any. Nobody accepts a finding about the own account.
func (c *Console) AcceptFinding(ctx context.Context, caller Caller, id console.ID, version int64, until time.Time, why string) error {
	return c.change(ctx, caller, ofFinding(configuring, id), func(tx *store.Tx, me console.Person) error {
		f, err := c.mayAccept(tx, me, id)
		if err != nil {
			return err
		}
		why, err := because(why)
		if err != nil {
			return err
		}
		return tx.AcceptFinding(id, cmp.Or(version, f.Version), console.FindingAccepted, until, why)
	})
}

// SnoozeFinding puts a finding off until a time; see [Console.AcceptFinding].
func (c *Console) SnoozeFinding(ctx context.Context, caller Caller, id console.ID, version int64, until time.Time) error {
	return c.change(ctx, caller, ofFinding(configuring, id), func(tx *store.Tx, me console.Person) error {
		f, err := c.mayAccept(tx, me, id)
		if err != nil {
			return err
		}
		return tx.AcceptFinding(id, cmp.Or(version, f.Version), console.FindingSnoozed, until, "")
	})
}

// ReopenFinding ends an acceptance or a snooze.
func (c *Console) ReopenFinding(ctx context.Context, caller Caller, id console.ID) error {
	return c.change(ctx, caller, ofFinding(configuring, id), func(tx *store.Tx, me console.Person) error {
		if _, err := c.mayAccept(tx, me, id); err != nil {
			return err
		}
		return tx.ReopenFinding(id)
	})
}

// ofFinding returns the permit for a finding, which is that for its app.
func ofFinding(p permit, id console.ID) permit {
	p.app = func(tx *store.Tx) (console.ID, error) {
		f, err := tx.Finding(id)
		return f.App, err
	}
	return p
}

// findingObject returns what a right for a finding is checked against.
func findingObject(tx *store.Tx, f console.Finding) (o console.Object, rule console.FindingRule, err error) {
	rule, _ = f.Kind.Rule()
	a, err := tx.App(f.App)
	if err != nil {
		return o, rule, err
	}
	o.App = &a
	if rule.OfConnector && f.Connector != "" {
		con, err := tx.Connector(f.Connector)
		if err != nil {
			return o, rule, err
		}
		o.Connector = &con
	}
	return o, rule, nil
}

func seeFinding(tx *store.Tx, me console.Person, id console.ID) (console.Finding, error) {
	f, err := tx.Finding(id)
	if err != nil {
		return f, err
	}
	o, rule, err := findingObject(tx, f)
	if err != nil {
		return f, err
	}
	right := console.SeeAccess
	if rule.OfConnector {
		right = console.SeeConnectors
	}
	return f, hidden("finding", right.Check(me, o))
}

// acceptRight returns the right to accept findings of a kind.
func acceptRight(rule console.FindingRule) console.Right {
	if rule.OfConnector {
		return console.AcceptConnectorFindings
	}
	return console.AcceptFindings
}

// mayAccept returns a finding if the person may accept it.
func (c *Console) mayAccept(tx *store.Tx, me console.Person, id console.ID) (console.Finding, error) {
	f, err := seeFinding(tx, me, id)
	if err != nil {
		return f, err
	}
	o, rule, err := findingObject(tx, f)
	if err != nil {
		return f, err
	}
	if err := acceptRight(rule).Check(me, o); err != nil || f.Account == 0 {
		return f, err
	}
	own, err := c.ownAccount(tx, me, f.Account)
	if err == nil && own {
		err = baton.Errorf(baton.PermissionDenied, "nobody accepts findings about the own account").WithFix("Ask another owner of the application, a Security Officer or a Super Administrator.")
	}
	return f, err
}

// findingScope returns the findings that a person may see.
func findingScope(tx *store.Tx, me console.Person) (store.FindingScope, error) {
	apps, connectors, err := tx.OwnedBy(me.Canonical())
	if err != nil {
		return nil, err
	}
	others := connectors[:0:0]
	for _, id := range connectors {
		con, err := tx.Connector(id)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(apps, con.App) {
			others = append(others, id)
		}
	}
	scope := store.FindingScope{}
	for _, rule := range console.FindingRules() {
		switch {
		case console.SeeAccess.Of(me, console.Object{}), rule.OfConnector && console.SeeConnectors.Of(me, console.Object{}):
			scope[rule.Kind] = nil
		case rule.OfConnector && len(apps)+len(others) > 0:
			scope[rule.Kind] = &store.FindingsOf{Apps: apps, Connectors: others}
		case len(apps) > 0:
			scope[rule.Kind] = &store.FindingsOf{Apps: apps}
		}
	}
	return scope, nil
}

// narrow leaves the findings of one app and one kind in a scope; "" leaves all.
func narrow(tx *store.Tx, scope store.FindingScope, app console.ID, kind console.FindingKind) (store.FindingScope, error) {
	narrowed := store.FindingScope{}
	for k, of := range scope {
		if kind != "" && k != kind {
			continue
		}
		if app != "" {
			switch {
			case of == nil || slices.Contains(of.Apps, app):
				of = &store.FindingsOf{Apps: []console.ID{app}}
			default:
				var here []console.ID
				for _, id := range of.Connectors {
					con, err := tx.Connector(id)
					if err != nil {
						return nil, err
					}
					if con.App == app {
						here = append(here, id)
					}
				}
				of = &store.FindingsOf{Connectors: here}
			}
		}
		narrowed[k] = of
	}
	return narrowed, nil
}

// findingGroups counts the open findings of a scope.
func findingGroups(tx *store.Tx, scope store.FindingScope) ([]FindingGroup, error) {
	counts, err := tx.CountFindings(scope, console.FindingOpen)
	if err != nil {
		return nil, err
	}
	groups := make([]FindingGroup, 0, len(counts))
	apps := map[console.ID]console.App{}
	for _, n := range counts {
		a, known := apps[n.App]
		if !known {
			if a, err = tx.App(n.App); err != nil {
				return nil, err
			}
			apps[n.App] = a
		}
		rule, ok := n.Kind.Rule()
		if !ok {
			continue // of another version
		}
		groups = append(groups, FindingGroup{rule, a, n.Count, n.Oldest})
	}
	place := map[console.FindingKind]int{}
	for i, rule := range console.FindingRules() {
		place[rule.Kind] = i
	}
	slices.SortFunc(groups, func(a, b FindingGroup) int {
		return cmp.Or(cmp.Compare(place[a.Rule.Kind], place[b.Rule.Kind]), a.Oldest.Compare(b.Oldest), cmp.Compare(a.App.ID, b.App.ID))
	})
	return groups, nil
}

// findingRows adds the objects of findings.
func (c *Console) findingRows(tx *store.Tx, me console.Person, all []console.Finding) ([]FindingRow, error) {
	r := findingReader{c: c, tx: tx, me: me, apps: map[console.ID]console.App{}, moments: map[console.ID]store.Moment{}, connectors: map[console.ID]console.Connector{}}
	var accounts []console.ResourceKey
	var people []console.ID
	for _, f := range all {
		if f.Account != 0 {
			accounts = append(accounts, f.Account)
		}
		people = append(people, f.By.Person(), console.ID(f.Detail["person"]))
	}
	var err error
	if r.owners, err = tx.OwnersNow(accounts); err != nil {
		return nil, err
	}
	if r.own, err = tx.RecentlyOwned(accounts, me.Canonical(), c.now()); err != nil {
		return nil, err
	}
	slices.Sort(people)
	if r.people, err = tx.PersonsByID(slices.DeleteFunc(slices.Compact(people), func(id console.ID) bool { return id == "" })); err != nil {
		return nil, err
	}
	rows := make([]FindingRow, 0, len(all))
	for _, f := range all {
		row, err := r.row(f)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

type findingReader struct {
	c          *Console
	tx         *store.Tx
	me         console.Person
	apps       map[console.ID]console.App
	moments    map[console.ID]store.Moment
	connectors map[console.ID]console.Connector
	owners     map[console.ResourceKey]console.Person
	own        map[console.ResourceKey]bool
	people     map[console.ID]console.Person
}

func (r findingReader) row(f console.Finding) (row FindingRow, err error) {
	row = FindingRow{Finding: f, Person: r.people[console.ID(f.Detail["person"])], AcceptedBy: r.people[f.By.Person()], Owner: r.owners[f.Account]}
	row.Rule, _ = f.Kind.Rule()
	m, known := r.moments[f.App]
	if !known {
		if r.apps[f.App], err = r.tx.App(f.App); err != nil {
			return row, err
		}
		if m, err = r.tx.Moment(f.App, time.Time{}); err != nil {
			return row, err
		}
		r.moments[f.App] = m
	}
	row.App = r.apps[f.App]
	o := console.Object{App: &row.App}
	if f.Connector != "" {
		con, known := r.connectors[f.Connector]
		if !known {
			if con, err = r.tx.Connector(f.Connector); err != nil {
				return row, err
			}
			r.connectors[f.Connector] = con
		}
		if row.Connector = con; row.Rule.OfConnector {
			o.Connector = &con
		}
	}
	row.MayAccept = f.State != console.FindingResolved && acceptRight(row.Rule).Of(r.me, o) && !r.own[f.Account]
	if f.Account != 0 {
		if row.Account, err = r.tx.Resource(m, f.Account); baton.KindOf(err) == baton.NotFound { // no longer shown
			versions, e := r.tx.ResourceVersions(f.Account)
			if err = e; len(versions) > 0 {
				row.Account = versions[len(versions)-1]
			}
		}
		if err != nil {
			return row, err
		}
	}
	if f.Entitlement != console.AccountItself {
		if row.Entitlement, err = r.tx.Entitlement(m, f.Entitlement); baton.KindOf(err) == baton.NotFound {
			versions, e := r.tx.EntitlementVersions(f.Entitlement)
			if err = e; len(versions) > 0 {
				row.Entitlement = versions[len(versions)-1]
			}
		}
	}
	return row, err
}
