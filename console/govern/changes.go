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

// ChangesQuery selects the changes between two moments or two syncs.
type ChangesQuery struct {
	App      console.ID // "" for all apps that the caller sees
	From, To ChangesEnd
	Show     ChangesShow
	Filter   AccountFilter // of the accounts at the later end; one of [ChangeFilters]
	After    store.ChangeKey
	N        int
}

// ChangesEnd is one end of a comparison: a sync, or the newest syncs before a time. The zero value
// is now.
type ChangesEnd struct {
	At   time.Time
	Sync console.SyncNumber
}

// ChangesShow selects changes by their explanation. The zero value selects all.
type ChangesShow string

const (
	AllChanges         ChangesShow = ""
	UnexplainedChanges ChangesShow = "unexplained" // made outside the console
	ExplainedChanges   ChangesShow = "explained"   // explained by a request, a review, a rule or a person
	ExpectedChanges    ChangesShow = "expected"    // baseline, and changes that affect nobody's access
)

func ChangesShows() []ChangesShow {
	return []ChangesShow{AllChanges, UnexplainedChanges, ExplainedChanges, ExpectedChanges}
}

// showOf returns the selection that a kind of explanation belongs to.
func showOf(k console.ExplanationKind) ChangesShow {
	switch k {
	case console.Unexplained:
		return UnexplainedChanges
	case console.ByBaseline, console.ByNature:
		return ExpectedChanges
	}
	return ExplainedChanges
}

// ChangeFilters lists the filters of changes by their accounts.
func ChangeFilters() []AccountFilter {
	return []AccountFilter{AllAccounts, RoleUnknown, SeveralRoles, OrphanedAccounts, CameBackWith}
}

// ChangeLine is one change with its explanation.
type ChangeLine struct {
	store.Changed
	store.WhyChanged
	Show      ChangesShow
	App       console.App
	Connector console.Connector
	Sync      console.Sync // the last one that made the change
	// Account is the account, group or other resource of the change; Group means that it is not an
	// account. Both are zero for an entitlement.
	Account store.Resource
	Group   bool
	Shown   bool           // the later end shows the account
	Owner   console.Person // of the account at the later end
	// Entitlement is the gained, lost or changed entitlement; zero for a resource.
	Entitlement store.Entitlement
	Role        console.EffectiveRole // of the account at the later end
	Attributes  []TimelineLine        // changed attributes of an account
	ExplainedBy console.Person        // the person who explained it
	By          console.Person        // the person behind the operation or the reason
	MayExplain  bool
	MayRemove   bool
}

// RoleUnknown reports whether the account holds several roles of an app without a priority.
func (l ChangeLine) RoleUnknown() bool {
	return l.Role.Risk != nil && l.Role.Floor != nil && l.Role.Risk != l.Role.Floor
}

// ChangesRange is the compared range of one connector.
type ChangesRange struct {
	App       console.App
	Connector console.Connector
	From, To  *console.Sync // nil before the first sync
	// New means that the range includes the first sync, whose content is baseline and not listed.
	New bool
}

// ChangesPage is a page of the changes between two moments.
type ChangesPage struct {
	Lines  []ChangeLine
	Next   *store.ChangeKey
	Looked int
	Ranges []ChangesRange
	Syncs  []console.Sync // the newest applied syncs of the app, for selection
}

// maxSyncsShown limits the syncs for selection, of each connector.
const maxSyncsShown = 50

// Changes returns changes between two moments or syncs, the newest first.
func (c *Console) Changes(ctx context.Context, caller Caller, q ChangesQuery) (p ChangesPage, err error) {
	permit := reading
	if q.App != "" {
		permit = permit.in(q.App)
	}
	err = c.read(ctx, caller, permit, func(tx *store.Tx, me console.Person) error {
		p = ChangesPage{}
		if !slices.Contains(ChangesShows(), q.Show) || !slices.Contains(ChangeFilters(), q.Filter) {
			return baton.Errorf(baton.Invalid, "there is no filter of that name")
		}
		r := &changesReader{c: c, tx: tx, me: me, q: q, lines: map[store.ChangeKey]*ChangeLine{}, apps: map[console.ID]console.App{}, ranges: map[console.Stream]ChangesRange{}}
		if err := r.findRanges(&p); err != nil {
			return err
		}
		page, err := tx.ChangedBetween(r.streams, q.After, q.N, r.only(), r.take)
		if err != nil {
			return err
		}
		p.Next, p.Looked = page.Next, page.Looked
		shown := make([]*ChangeLine, len(page.Lines))
		for i, line := range page.Lines {
			shown[i] = r.lines[line.ChangeKey]
		}
		if err := r.fill(shown); err != nil {
			return err
		}
		for _, l := range shown {
			p.Lines = append(p.Lines, *l)
		}
		return nil
	})
	return p, err
}

type changesReader struct {
	c       *Console
	tx      *store.Tx
	me      console.Person
	q       ChangesQuery
	streams []store.StreamRange
	ranges  map[console.Stream]ChangesRange
	apps    map[console.ID]console.App // with the role map of the later end
	lines   map[store.ChangeKey]*ChangeLine
}

// end is the later end of the range of a stream.
type end struct {
	stream console.Stream
	sync   console.SyncNumber
}

func (l *ChangeLine) end() end { return end{l.Stream, l.To} }

// only returns the part of the query that indexes answer.
func (r *changesReader) only() store.ChangedOnly {
	only := store.ChangedOnly{Explained: r.q.Show == ExplainedChanges, Unexplained: r.q.Show == UnexplainedChanges, Expected: r.q.Show == ExpectedChanges}
	switch r.q.Filter {
	case CameBackWith:
		only.CameBack = true
	case OrphanedAccounts:
		only.Owned, only.OwnerGone = !r.q.To.At.IsZero(), r.q.To.At.IsZero()
	case RoleUnknown, SeveralRoles:
		only.Several, only.Of = 2, map[console.ID][]console.EntitlementKey{}
		for _, a := range r.apps {
			of := a.Roles.Entitlements()
			slices.Sort(of)
			if only.Of[a.ID] = slices.Compact(of); len(only.Of[a.ID]) < len(a.Roles.Entitlements()) {
				only.Several = 1 // one entitlement can give two roles
			}
		}
	}
	return only
}

// findRanges determines the range of each connector to compare.
func (r *changesReader) findRanges(p *ChangesPage) error {
	if r.q.App != "" {
		a, err := seeAppAt(r.tx, r.me, r.q.App, console.SeeAccess, r.q.From.At)
		if err != nil {
			return err
		}
		return r.addApp(p, a)
	}
	for after := (store.NameAfter{}); ; {
		page, err := r.tx.ManagedApps(r.q.From.At, after, store.PageSize)
		if err != nil {
			return err
		}
		for _, a := range page {
			after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
			if !console.SeeAccess.Of(r.me, console.Object{App: &a}) {
				continue
			}
			if err := r.addApp(p, a); err != nil {
				return err
			}
		}
		if len(page) < store.PageSize {
			return nil
		}
	}
}

func (r *changesReader) addApp(p *ChangesPage, a console.App) error {
	connectors, err := r.tx.ConnectorsAt(a.ID, r.q.From.At)
	if err != nil {
		return err
	}
	if !r.q.To.At.IsZero() {
		if a.Roles, a.MinimumAdmins, err = r.tx.RoleMapAt(a.ID, r.q.To.At); err != nil {
			return err
		}
	}
	r.apps[a.ID] = a
	found := 0
	for _, con := range connectors {
		one, there, err := r.rangeOf(a, con)
		if err != nil {
			return err
		}
		if r.q.App != "" {
			syncs, err := r.tx.AppliedSyncs(con.Stream, maxSyncsShown)
			if err != nil {
				return err
			}
			p.Syncs = append(p.Syncs, syncs...)
		}
		if !there {
			continue
		}
		found++
		p.Ranges = append(p.Ranges, one)
		r.ranges[con.Stream] = one
		if one.From != nil && one.To != nil {
			r.streams = append(r.streams, store.StreamRange{Stream: con.Stream, Connector: con.ID, App: a.ID, From: one.From.Number, To: one.To.Number, Began: one.From.Began})
		}
	}
	slices.SortStableFunc(p.Syncs, func(a, b console.Sync) int { return cmp.Compare(b.Number, a.Number) })
	if found == 0 && (r.q.From.Sync != 0 || r.q.To.Sync != 0) && r.q.App != "" {
		return baton.Errorf(baton.NotFound, "no connector of the application has applied these two syncs").WithFix("Choose two syncs of one connector.")
	}
	return nil
}

// rangeOf returns the range of one connector; there is false if it has none.
func (r *changesReader) rangeOf(a console.App, con console.Connector) (one ChangesRange, there bool, err error) {
	one = ChangesRange{App: a, Connector: con}
	if one.From, there, err = r.end(con, r.q.From); err != nil || !there {
		return one, false, err
	}
	if one.To, there, err = r.end(con, r.q.To); err != nil || !there {
		return one, false, err
	}
	if one.From != nil && one.To != nil && one.From.Number > one.To.Number {
		return one, false, baton.Errorf(baton.Invalid, "what is compared ends before it begins").WithFix("Choose the earlier one first.")
	}
	if one.From != nil || one.To == nil {
		return one, true, nil
	}
	first, err := r.tx.FirstSync(con.Stream)
	if err != nil {
		return one, false, err
	}
	sync, err := r.tx.SyncByNumber(first)
	one.From, one.New = &sync, true
	return one, true, err
}

// end returns the sync at one end of the comparison; nil before the first one. there is false if the
// end is a sync of another connector.
func (r *changesReader) end(con console.Connector, e ChangesEnd) (s *console.Sync, there bool, err error) {
	if e.Sync == 0 {
		s, err = r.c.AsOf(e.At).syncThen(r.tx, con.Stream)
		return s, true, err
	}
	sync, err := r.tx.SyncByNumber(e.Sync)
	if baton.KindOf(err) == baton.NotFound || err == nil && (sync.Stream != con.Stream || sync.State != console.SyncApplied) {
		return nil, false, nil
	}
	return &sync, err == nil, err
}

// take selects the lines to show.
func (r *changesReader) take(changed []store.Changed) (taken []bool, err error) {
	why, err := r.tx.WhyChanged(changed)
	if err != nil {
		return nil, err
	}
	taken = make([]bool, len(changed))
	var lines []*ChangeLine
	for i, c := range changed {
		l := &ChangeLine{Changed: c, WhyChanged: why[i], Show: showOf(why[i].Kind)}
		r.lines[c.ChangeKey] = l
		taken[i] = r.q.Show == AllChanges || r.q.Show == l.Show
		lines = append(lines, l)
	}
	if r.q.Filter != AllAccounts {
		if err := r.fillAccounts(lines); err != nil {
			return nil, err
		}
	}
	for i, l := range lines {
		switch r.q.Filter {
		case RoleUnknown:
			taken[i] = taken[i] && l.RoleUnknown()
		case SeveralRoles:
			taken[i] = taken[i] && l.Role.Held > 1
		case OrphanedAccounts:
			taken[i] = taken[i] && l.Shown && console.HasAccount(true, l.Account.Status) && l.Owner.ID != "" && l.Owner.Status != console.PersonActive
		case CameBackWith:
			taken[i] = taken[i] && l.CameBack
		}
	}
	return taken, nil
}

// fillAccounts adds the accounts of lines, their owners and roles, as of the later end.
func (r *changesReader) fillAccounts(lines []*ChangeLine) error {
	byEnd := map[end][]*ChangeLine{}
	for _, l := range lines {
		if l.Principal != 0 && l.Account.Key == 0 {
			byEnd[l.end()] = append(byEnd[l.end()], l)
		}
	}
	byApp := map[console.ID][]*ChangeLine{}
	for at, lines := range byEnd {
		var keys []console.ResourceKey
		for _, l := range lines {
			keys = append(keys, l.Principal)
		}
		last, err := r.tx.LastResources(at.stream, at.sync, keys)
		if err != nil {
			return err
		}
		for _, l := range lines {
			l.Account = last[l.Principal]
			l.Shown, l.Group = l.Account.Until > l.To, l.Account.Account == nil
			if !l.Group {
				byApp[l.StreamRange.App] = append(byApp[l.StreamRange.App], l)
			}
		}
	}
	for app, lines := range byApp {
		m := store.Moment{At: r.q.To.At}
		for _, s := range r.streams {
			if s.App == app {
				m.Streams = append(m.Streams, store.StreamAt{Stream: s.Stream, Connector: s.Connector, Sync: s.To})
			}
		}
		var accounts []store.Resource
		var keys []console.ResourceKey
		for _, l := range lines {
			if !slices.Contains(keys, l.Account.Key) {
				accounts, keys = append(accounts, l.Account), append(keys, l.Account.Key)
			}
		}
		owners, err := r.tx.OwnersAt(keys, m.At)
		if err != nil {
			return err
		}
		roles, err := r.tx.AccountsRoles(m, r.apps[app].Roles, accounts)
		if err != nil {
			return err
		}
		for _, l := range lines {
			l.Owner, l.Role = owners[l.Account.Key], roles[l.Account.Key].Role
		}
	}
	return nil
}

// fill adds the remaining data of lines, of all together.
func (r *changesReader) fill(lines []*ChangeLine) error {
	if err := r.fillAccounts(lines); err != nil {
		return err
	}
	if err := r.fillEntitlements(lines); err != nil {
		return err
	}
	var numbers []console.SyncNumber
	var ids []console.ID
	var accounts []console.ResourceKey
	for _, l := range lines {
		numbers = append(numbers, l.ChangeKey.Sync)
		by, explained := l.people()
		ids = append(ids, by, explained)
		if l.Principal != 0 {
			accounts = append(accounts, l.Principal)
		}
	}
	syncs, err := r.tx.SyncsByNumber(numbers)
	if err != nil {
		return err
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id console.ID) bool { return id == "" })
	people, err := r.tx.PersonsByID(ids)
	if err != nil {
		return err
	}
	own, err := r.tx.RecentlyOwned(accounts, r.me.Canonical(), r.c.now())
	if err != nil {
		return err
	}
	for _, l := range lines {
		l.App, l.Connector, l.Sync = r.apps[l.StreamRange.App], r.ranges[l.Stream].Connector, syncs[l.ChangeKey.Sync]
		if d := l.Resource; d != nil && d.Change == store.Replace && d.Before.Account != nil && d.After.Account != nil {
			l.Attributes = accountChanges(d.Before, d.After)
		}
		by, explained := l.people()
		l.By, l.ExplainedBy = people[by], people[explained]
		o := console.Object{App: &l.App}
		l.MayExplain = l.Show == UnexplainedChanges && !own[l.Principal] && console.ExplainChanges.Of(r.me, o)
		l.MayRemove = l.Show == UnexplainedChanges && l.Verb == console.Grant && l.Shown && !l.Group && console.ChangeAccess.Of(r.me, o)
	}
	return nil
}

// people returns the person behind the operation or the reason, and the one who explained the
// change later; "" for none.
func (l *ChangeLine) people() (by, explained console.ID) {
	switch {
	case l.Operation != nil:
		by = l.Operation.Cause.By.Person()
	case l.Reason != nil:
		by = l.Reason.CreatedBy.Person()
	}
	if l.Person != nil {
		explained = l.Person.By.Person()
	}
	return by, explained
}

// fillEntitlements adds the entitlements of lines as of the later end.
func (r *changesReader) fillEntitlements(lines []*ChangeLine) error {
	keys := map[end][]console.EntitlementKey{}
	for _, l := range lines {
		if key := l.ChangeKey.Entitlement; key != 0 {
			keys[l.end()] = append(keys[l.end()], key)
		}
	}
	last := map[end]map[console.EntitlementKey]store.Entitlement{}
	for at, keys := range keys {
		var err error
		if last[at], err = r.tx.LastEntitlements(at.stream, at.sync, keys); err != nil {
			return err
		}
	}
	for _, l := range lines {
		l.Entitlement = last[l.end()][l.ChangeKey.Entitlement]
	}
	return nil
}

// own reports whether the account of a line belongs to the caller, or recently did.
func (r *changesReader) own(l *ChangeLine) (bool, error) {
	if l.Principal == 0 {
		return false, nil
	}
	return r.c.ownAccount(r.tx, r.me, l.Principal)
}

// ownAccount reports whether an account belongs to a person, or did within [console.RecentOwner].
func (c *Console) ownAccount(tx *store.Tx, me console.Person, account console.ResourceKey) (bool, error) {
	owners, err := tx.RecentOwners(account, c.now())
	return slices.Contains(owners, me.Canonical()), err
}

// ExplainChange records a person's explanation of an unexplained change. With keep, gained access
// also gets a reason, so that it counts as explained from then on. People cannot explain changes of
// their own access.
func (c *Console) ExplainChange(ctx context.Context, caller Caller, app console.ID, key store.ChangeKey, why string, keep bool) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		if err := console.ExplainChanges.Check(me, console.Object{App: &a}); err != nil {
			return err
		}
		if why, err = because(why); err != nil {
			return err
		}
		r := &changesReader{c: c, tx: tx, me: me, q: ChangesQuery{App: app}, lines: map[store.ChangeKey]*ChangeLine{}, apps: map[console.ID]console.App{a.ID: a}}
		line, err := r.alone(a, key)
		if err != nil {
			return err
		}
		own, err := r.own(line)
		if err != nil {
			return err
		}
		if own {
			return baton.Errorf(baton.PermissionDenied, "nobody explains changes of the own access").WithFix("Ask another owner of the application, a Security Officer or a Super Administrator.")
		}
		if line.Show != UnexplainedChanges {
			return baton.Errorf(baton.Refused, "the change is explained already").WithFix("Read the changes again.")
		}
		if _, err := tx.Explain(line.StreamRange, key, why); err != nil {
			return err
		}
		if !keep || line.Verb != console.Grant {
			return nil
		}
		access, err := tx.Access(a.ID, key.Principal, key.Entitlement, c.now())
		if err != nil || !access.Held {
			return err
		}
		_, err = tx.AddReason(console.Reason{App: a.ID, Account: key.Principal, Entitlement: key.Entitlement, Kind: console.ReasonManual, Ref: shortened(why, maxRef)})
		return err
	})
}

// maxRef limits the source of a reason, in characters.
const maxRef = 200

func shortened(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}

// alone returns one change of an app as the line of the sync that made it.
func (r *changesReader) alone(a console.App, key store.ChangeKey) (*ChangeLine, error) {
	missing := baton.Errorf(baton.NotFound, "no such change")
	sync, err := r.tx.SyncByNumber(key.Sync)
	if err != nil {
		return nil, hidden("such change", err)
	}
	connectors, err := r.tx.ConnectorsAt(a.ID, r.q.From.At)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(connectors, func(con console.Connector) bool { return con.Stream == sync.Stream })
	if i < 0 {
		return nil, missing
	}
	before, err := r.tx.LastShowing(sync.Stream, sync.Number)
	if err != nil || before == nil {
		return nil, cmp.Or(err, error(missing))
	}
	of := store.StreamRange{Stream: sync.Stream, Connector: connectors[i].ID, App: a.ID, From: before.Number, To: sync.Number, Began: before.Began}
	c, err := r.tx.ChangedAt(of, key)
	if err != nil || c == nil {
		return nil, cmp.Or(err, error(missing))
	}
	if _, err := r.take([]store.Changed{*c}); err != nil {
		return nil, err
	}
	return r.lines[key], nil
}
