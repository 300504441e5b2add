package review

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// population reads what a campaign reviews, in one transaction.
type population struct {
	tx       *store.Tx
	now      time.Time
	settings console.CampaignSettings
	people   people
	pairs    []pairHolders
	items    []*item // items are large: growing and sorting a slice of them would move them often
	staged   console.Population
}

// item is an item with what its order and its reviewers depend on.
type item struct {
	store.NewItem
	app         *console.App // nil for the console itself
	person      *console.Person
	former      []console.ID // recent owners of the account
	entitlement []byte       // sort keys
	account     []byte
}

// Preview returns the population that a campaign with some settings would freeze now, with counts
// only.
func Preview(tx *store.Tx, settings console.CampaignSettings, now time.Time) (console.Population, error) {
	p := population{tx: tx, now: now, settings: settings, people: people{tx: tx}}
	if err := p.read(); err != nil {
		return p.staged, err
	}
	return p.staged, nil
}

// read reads the items and the sources of the scope.
func (p *population) read() error {
	p.staged.At = p.now
	if err := p.settings.Scope.Check(); err != nil {
		return err
	}
	pairs, err := p.tx.IncompatiblePairs()
	if err != nil {
		return err
	}
	for _, pair := range pairs {
		holders, err := p.tx.IncompatibleHolders(pair)
		if err != nil {
			return err
		}
		p.pairs = append(p.pairs, pairHolders{pair, holders})
	}
	if !p.settings.Scope.OnlyConsole {
		apps, err := Apps(p.tx, p.settings.Scope)
		if err != nil {
			return err
		}
		for _, a := range apps {
			if err := p.readApp(a); err != nil {
				return err
			}
		}
	}
	if p.settings.Scope.Console || p.settings.Scope.OnlyConsole {
		if err := p.readConsole(); err != nil {
			return err
		}
	}
	p.staged.Items = len(p.items)
	return nil
}

// Apps returns the applications of a scope, ordered by name.
func Apps(tx *store.Tx, s console.ReviewScope) (all []console.App, err error) {
	if s.OnlyConsole {
		return nil, nil
	}
	for after := (store.NameAfter{}); ; {
		page, err := tx.Apps(after, store.PageSize)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, a := range page {
			if a.ThereAt(time.Time{}) && (len(s.Apps) == 0 || slices.Contains(s.Apps, a.ID)) {
				all = append(all, a)
			}
		}
		last := page[len(page)-1]
		after = store.NameAfter{Sort: console.SortKey(last.Name), ID: last.ID}
	}
}

func (p *population) readApp(a console.App) error {
	m, err := p.tx.Moment(a.ID, time.Time{})
	if err != nil {
		return err
	}
	of := store.PopulationOf{Entitlements: p.entitlements(a), Existing: p.settings.Scope.Existence, Now: p.now}
	var all []*store.Population
	for _, s := range m.Streams {
		one, err := p.tx.ReadPopulation(a.ID, s, of)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	held := heldRoles(a.Roles, all)
	for _, one := range all {
		if err := p.readSource(&a, one, held); err != nil {
			return err
		}
		if len(p.items) > console.MaxReviewItems {
			return baton.Errorf(baton.Refused, "more than %d items are in the scope", console.MaxReviewItems).WithFix("Narrow the scope, or make a campaign for each application.")
		}
	}
	return nil
}

// entitlements returns the entitlements of an app whose facts are read; nil for all.
func (p *population) entitlements(a console.App) []console.EntitlementKey {
	s := p.settings.Scope
	var of []console.EntitlementKey
	switch {
	case s.Admins:
		of = a.Roles.AdminEntitlements()
	case len(s.Entitlements) > 0:
		of = s.Entitlements
	default:
		return nil
	}
	return append(append([]console.EntitlementKey{}, of...), a.Roles.Entitlements()...)
}

// heldRoles returns the entitlements of an app's roles that each account holds.
func heldRoles(roles console.RoleMap, all []*store.Population) map[console.ResourceKey][]console.EntitlementKey {
	of, held := roles.Entitlements(), map[console.ResourceKey][]console.EntitlementKey{}
	for _, p := range all {
		for _, f := range p.Facts {
			if slices.Contains(of, f.Entitlement) {
				held[f.Principal] = append(held[f.Principal], f.Entitlement)
			}
		}
	}
	return held
}

// readSource adds the items of one connector.
func (p *population) readSource(a *console.App, one *store.Population, held map[console.ResourceKey][]console.EntitlementKey) error {
	source := console.PopulationSource{App: a.ID, AppName: a.Name, Connector: one.Connector.ID, ConnectorName: one.Connector.Name, Excluded: map[string]int{}}
	if one.Sync.ID != "" {
		source.Sync, source.Number, source.Began, source.Received, source.File, source.Counts = one.Sync.ID, one.Sync.Number, one.Sync.Began, one.Sync.Received, one.Sync.File, one.Sync.Counts
		source.SHA256 = hexOf(one.Sync.SHA256)
	}
	gate, err := gateSource(p.tx, one.Connector, p.now)
	if err != nil {
		return err
	}
	source.Problem = gate.Problem(p.settings.MaxAge, p.now)
	if err := p.people.load(one.Owners); err != nil {
		return err
	}
	first := len(p.items)
	r := reader{p, a, one, held, map[console.EntitlementKey][]byte{}}
	for _, f := range one.Facts {
		r.add(f, &source)
	}
	for _, f := range one.Existing {
		r.add(f, &source)
	}
	slices.SortFunc(p.items[first:], func(x, y *item) int {
		return cmp.Or(bytes.Compare(x.entitlement, y.entitlement), cmp.Compare(x.Entitlement, y.Entitlement), bytes.Compare(x.account, y.account), cmp.Compare(x.Account, y.Account))
	})
	if n := one.Sync.Counts.Dangling; n > 0 {
		source.Excluded[console.ExcludedUnknown] += int(n)
	}
	source.Items = len(p.items) - first
	p.staged.Sources = append(p.staged.Sources, source)
	return nil
}

// reader makes items of the facts of one connector.
type reader struct {
	*population
	app  *console.App
	of   *store.Population
	held map[console.ResourceKey][]console.EntitlementKey
	keys map[console.EntitlementKey][]byte // sort keys of entitlements
}

// add adds the item of a fact, or counts why it is none.
func (r *reader) add(f console.Fact, source *console.PopulationSource) {
	on, there := r.of.Resources[f.Principal]
	e, shown := r.of.Entitlements[f.Entitlement]
	switch {
	case !there:
		source.Excluded[console.ExcludedUnknown]++
		return
	case !shown && f.Entitlement != console.AccountItself:
		source.Excluded[console.ExcludedNoEntitlement]++
		return
	}
	role := r.app.Roles.Effective(r.held[f.Principal])
	access := r.of.Access(f)
	if f.Entitlement == console.AccountItself {
		e.Name, access.FirstShown = existenceName, f.From
		access.Direct = true
	}
	c := console.ReviewCandidate{App: r.app.ID, Entitlement: f.Entitlement, Principal: f.Principal, Admin: r.app.Roles.GivesAdmin(f.Entitlement), Account: on.Account != nil,
		Person: r.people.of(r.of.Owners[f.Principal]), Disabled: !console.HasAccount(true, on.Status), State: access.State(r.now)}
	if on.Account != nil {
		c.Kind = console.TypeOf(on.Account.Kind, r.of.Said[f.Principal], role).Kind
	}
	if f.Entitlement != console.AccountItself && !console.IsBaseline(f.From, access.FirstShown) {
		c.Since = r.of.Began[f.From]
	}
	until, limited := console.Expiry(access.Reasons, access.Bar, r.now)
	c.Permanent = !limited
	incompatible := r.incompatible(c)
	c.Incompatible = len(incompatible) > 0
	if why := r.settings.Scope.Excludes(c, r.now); why != "" {
		source.Excluded[why]++
		return
	}
	if r.keys[f.Entitlement] == nil {
		r.keys[f.Entitlement] = append(console.SortKey(e.Name), 0)
	}
	i := &item{app: r.app, person: c.Person, former: r.of.Former[f.Principal], entitlement: r.keys[f.Entitlement], account: console.SortKey(on.Name)}
	i.Kind, i.App, i.Account, i.Entitlement, i.Admin, i.Sync = console.ReviewAccess, r.app.ID, f.Principal, f.Entitlement, c.Admin, r.of.Sync.Number
	if c.Person != nil {
		i.Person = c.Person.ID
	}
	i.Shown = r.shown(f, on, e, c, access, role)
	i.Shown.Until, i.Shown.Incompatible = until, incompatible
	r.items = append(r.items, i)
}

// existenceName is the name of having an account.
const existenceName = "An account"

// shown returns what a reviewer sees beside an item.
func (r *reader) shown(f console.Fact, on store.Resource, e store.Entitlement, c console.ReviewCandidate, access console.Access, role console.EffectiveRole) console.ReviewShown {
	s := console.ReviewShown{AppName: r.app.Name, EntitlementName: e.Name, EntitlementID: e.ID, AccountName: on.Name, Login: on.Account.Login, AccountID: on.ID, Kind: c.Kind, Disabled: c.Disabled,
		Admin: c.Admin, State: c.State, Since: c.Since, Indirect: !access.Direct, Immutable: f.Immutable || e.Immutable, MasteredBy: r.of.Masters[f.Entitlement]}
	if f.Entitlement == console.AccountItself {
		s.Immutable = false
	}
	if of, there := r.of.Resources[e.Resource]; there {
		s.ResourceName = of.Name
	}
	if p := c.Person; p != nil {
		s.PersonName, s.Department, s.PersonStatus = p.Name, p.Department, p.Status
	}
	if role.Risk != nil {
		s.Role = role.Risk.Name
	}
	for _, reason := range console.OpenReasons(access.Reasons, access.Bar, r.now) {
		s.Reasons = append(s.Reasons, console.ShownReason{Kind: reason.Kind, Ref: reason.Ref, Until: reason.Until})
	}
	if to, ok := r.app.Roles.Lower(f.Entitlement, r.held[f.Principal]); ok {
		s.Lower = &console.ShownLower{Entitlement: to, Name: r.of.Entitlements[to].Name, Held: to == 0}
	}
	key := store.AccessKey{Account: f.Principal, Entitlement: f.Entitlement}
	if l, there := r.of.Lacks[key]; there && l.State != console.RequirementExempt {
		s.Requirement = cmp.Or(l.Why, string(l.State))
	}
	if last, there := r.of.Last[key]; there {
		s.Last = &last
	}
	return s
}

// pairHolders is a pair of incompatible entitlements with the people who hold both.
type pairHolders struct {
	pair    store.IncompatiblePair
	holders map[console.ID]bool
}

// incompatible returns the names of the entitlements that the person of a candidate holds and that
// are incompatible with it.
func (p *population) incompatible(c console.ReviewCandidate) (names []string) {
	if c.Person == nil {
		return nil
	}
	for _, x := range p.pairs {
		if !x.holders[c.Person.ID] {
			continue
		}
		switch {
		case x.pair.App == c.App && x.pair.Entitlement == c.Entitlement:
			names = append(names, x.pair.OtherName)
		case x.pair.OtherApp == c.App && x.pair.OtherEntitlement == c.Entitlement:
			names = append(names, x.pair.Name)
		}
	}
	return names
}

// number orders the items, numbers and hashes them.
func (p *population) number() console.Hash {
	type group struct {
		name []byte
		id   console.ID
	}
	var persons []group
	seen := map[console.ID]bool{}
	for _, i := range p.items {
		if i.person != nil && !seen[i.person.ID] {
			seen[i.person.ID] = true
			persons = append(persons, group{console.SortKey(i.person.Name), i.person.ID})
		}
	}
	slices.SortFunc(persons, func(a, b group) int {
		return cmp.Or(bytes.Compare(a.name, b.name), strings.Compare(string(a.id), string(b.id)))
	})
	places := make(map[console.ID]int, len(persons))
	for n, g := range persons {
		places[g.id] = n + 1
	}
	hashes := make([]console.Hash, len(p.items))
	for n, i := range p.items {
		i.Number, i.Stored = n+1, i.Shown.Encode()
		i.Hash = console.HashShown(i.Stored)
		hashes[n] = i.Hash
		if i.Place = len(persons) + 1; i.person != nil {
			i.Place = places[i.person.ID]
		}
	}
	return console.DigestItems(hashes)
}

// gateSource returns what the accuracy gate knows about a connector.
func gateSource(tx *store.Tx, con console.Connector, now time.Time) (g console.GateSource, err error) {
	g = console.GateSource{App: con.App, Connector: con.ID, Name: con.Name}
	head, err := tx.HeadSync(con.Stream)
	if err != nil {
		return g, err
	}
	if head != nil {
		g.Began = head.Began
	}
	held, err := tx.HeldSync(con.ID)
	if err != nil {
		return g, err
	}
	g.Held = held != nil
	n, err := rpcstore.ConnectionOf(tx, con, now)
	if err != nil {
		return g, err
	}
	state, _ := n.State(now)
	g.Failed = state == console.ConnectorError || state == console.HeldByConnector
	return g, nil
}

// Gate returns what the accuracy gate knows about the sources of a scope.
func Gate(tx *store.Tx, s console.ReviewScope, now time.Time) (sources []console.GateSource, err error) {
	apps, err := Apps(tx, s)
	if err != nil {
		return nil, err
	}
	for _, a := range apps {
		connectors, err := tx.Connectors(a.ID)
		if err != nil {
			return nil, err
		}
		for _, con := range connectors {
			g, err := gateSource(tx, con, now)
			if err != nil {
				return nil, err
			}
			sources = append(sources, g)
		}
	}
	return sources, nil
}
