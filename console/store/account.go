package store

import (
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// OwnerSource is how an account got its owner.
type OwnerSource string

// The sources of owners. Matching never changes an owner that a person set or cleared.
const (
	OwnerMatched OwnerSource = "matched" // by the matching rules
	OwnerSet     OwnerSource = "set"     // by a person
	OwnerCleared OwnerSource = "cleared" // by a person: it has no owner
	OwnerMerged  OwnerSource = "merged"  // the previous owner was merged into this one
	OwnerCreated OwnerSource = "created" // the console created the account for the person
)

// Owner is the owner of an account during an interval.
type Owner struct {
	Person console.ID // "" for no owner
	How    OwnerSource
	From   time.Time
	Until  time.Time     // zero for the current one
	By     console.Actor // who set it; zero if unknown
}

// SetAccountOwner sets the owner of an account from now on; an empty person means none.
func (t *Tx) SetAccountOwner(account console.ResourceKey, person console.ID, how OwnerSource) error {
	before, err := t.AccountOwner(account, time.Time{})
	if err != nil {
		return err
	}
	if person != "" {
		if _, err := t.Person(person); err != nil {
			return err
		}
	}
	if before.Person == person && before.How == how {
		return nil
	}
	if err := t.endInterval("account_owner", "account", account); err != nil {
		return err
	}
	if err := t.insert("owner", "INSERT INTO account_owner (account, from_at, person, how, set_by) VALUES ($1, $2, $3, $4, $5)",
		account, t.by.At, null(person), how, encodeActor(t.by.Actor)); err != nil {
		return err
	}
	app, err := t.appOfAccount(account)
	if err != nil {
		return err
	}
	if err := t.ownersChanged(app); err != nil {
		return err
	}
	return t.event(console.Event{Kind: OwnerChanged, App: app, Account: account, Person: person}, map[string]any{"before": before.Person, "how": how, "how_before": before.How})
}

// OwnerChanged is the kind of the event of a new owner, or of none any more. Decisions for the
// previous owner no longer apply to the account.
const OwnerChanged = "account.owner-changed"

// appOfAccount returns the app of an account; "" if no sync has shown the account.
func (t *Tx) appOfAccount(account console.ResourceKey) (console.ID, error) {
	app, err := t.AppOfResource(account)
	if baton.KindOf(err) == baton.NotFound {
		err = nil
	}
	return app, err
}

// AccountOwners returns all owners of an account, oldest first.
func (t *Tx) AccountOwners(account console.ResourceKey) ([]Owner, error) {
	return list(t, scanOwner, "SELECT "+ownerColumns+" FROM account_owner WHERE account = $1 ORDER BY from_at", account)
}

const ownerColumns = "person, how, from_at, until_at, set_by"

func scanOwner(r engine.Row) Owner {
	return Owner{Person: console.ID(r.Text(0)), How: OwnerSource(r.Text(1)), From: at(r, 2), Until: at(r, 3), By: decodeActor(r.Bytes(4))}
}

// RecentOwners returns everybody who owned an account within [console.RecentOwner] before a time, as
// canonical persons.
func (t *Tx) RecentOwners(account console.ResourceKey, now time.Time) ([]console.ID, error) {
	owners, err := t.AccountOwners(account)
	if err != nil {
		return nil, err
	}
	var all []console.Ownership
	for _, o := range owners {
		person, err := t.Canonical(o.Person)
		if err != nil {
			return nil, err
		}
		all = append(all, console.Ownership{Person: person, From: o.From, Until: o.Until})
	}
	return console.OwnersSince(all, now.Add(-console.RecentOwner), now), nil
}

// RecentlyOwned returns which of the accounts a person owned within [console.RecentOwner] before a
// time, as in [Tx.RecentOwners].
func (t *Tx) RecentlyOwned(accounts []console.ResourceKey, person console.ID, now time.Time) (map[console.ResourceKey]bool, error) {
	_, lately, err := t.OwnersAndLately(accounts, person, now)
	return lately, err
}

// OwnersAndLately returns whose accounts are now, without those that have no owner, and which of them
// a person owned as in [Tx.RecentlyOwned]. Owners are canonical persons.
func (t *Tx) OwnersAndLately(accounts []console.ResourceKey, person console.ID, now time.Time) (owners map[console.ResourceKey]console.ID, lately map[console.ResourceKey]bool, err error) {
	type owner struct {
		account console.ResourceKey
		console.Ownership
	}
	all, err := listOf(t, func(r engine.Row) owner {
		return owner{console.ResourceKey(r.Int(0)), console.Ownership{Person: console.ID(r.Text(1)), From: at(r, 2), Until: at(r, 3)}}
	}, distinct(accounts), `SELECT o.account, COALESCE(p.merged_into, p.id), o.from_at, o.until_at FROM account_owner o JOIN person p ON p.id = o.person
		WHERE o.account IN (keys) ORDER BY o.from_at`)
	owners, lately = map[console.ResourceKey]console.ID{}, map[console.ResourceKey]bool{}
	for _, o := range all {
		if o.Until.IsZero() {
			owners[o.account] = o.Person
		}
		if o.Person == person && len(console.OwnersSince([]console.Ownership{o.Ownership}, now.Add(-console.RecentOwner), now)) > 0 {
			lately[o.account] = true
		}
	}
	return owners, lately, err
}

// AccountKind is the kind of an account that a person set.
type AccountKind struct {
	Kind console.AccountKind // [console.AccountUnspecified]: not set, or no longer
	From time.Time
	By   console.Actor
}

// SetAccountKind sets the kind of an account from now on; [console.AccountUnspecified] leaves it to
// its role or the upstream.
func (t *Tx) SetAccountKind(account console.ResourceKey, kind console.AccountKind) error {
	if !kind.Valid() {
		return baton.Errorf(baton.Invalid, "there is no account type %d", kind)
	}
	app, err := t.AppOfResource(account)
	if err != nil {
		return err
	}
	if _, err := t.LockApp(app); err != nil { // the minimum of administrators counts people only
		return err
	}
	before, err := t.AccountKind(account, time.Time{})
	if err != nil || before.Kind == kind {
		return err
	}
	if err := t.endInterval("account_kind", "account", account); err != nil {
		return err
	}
	if err := t.insert("account type", "INSERT INTO account_kind (account, from_at, kind, set_by) VALUES ($1, $2, $3, $4)", account, t.by.At, kind, encodeActor(t.by.Actor)); err != nil {
		return err
	}
	if err := t.SetDue(console.DueMatch, string(app), t.by.At, nil); err != nil { // only accounts of people are matched
		return err
	}
	return t.event(console.Event{Kind: "account.type-changed", App: app, Account: account}, map[string]any{"before": before.Kind, "kind": kind})
}

// AccountKind returns the kind of an account that people had set at a time; the zero time means now.
func (t *Tx) AccountKind(account console.ResourceKey, when time.Time) (AccountKind, error) {
	where, args := asOf(account, when)
	k, err := find(t, func(r engine.Row) AccountKind {
		return AccountKind{Kind: console.AccountKind(r.Int(0)), From: at(r, 1), By: decodeActor(r.Bytes(2))}
	}, "SELECT kind, from_at, set_by FROM account_kind WHERE account = $1 AND "+where, args...)
	if err != nil || k == nil {
		return AccountKind{}, err
	}
	return *k, nil
}

// asOf returns the condition that selects the interval of a row at a time, and its
// arguments; the zero time means now.
func asOf(key any, when time.Time) (where string, args []any) {
	if when.IsZero() {
		return "until_at IS NULL", []any{key}
	}
	return "from_at <= $2 AND (until_at IS NULL OR until_at > $2)", []any{key, when}
}

// AccountRoles returns the role and the type of an account at a moment.
func (t *Tx) AccountRoles(m Moment, roles console.RoleMap, r Resource) (role console.EffectiveRole, typ console.AccountType, err error) {
	known, err := t.AccountsRoles(m, roles, []Resource{r})
	return known[r.Key].Role, known[r.Key].Type, err
}

// RoleAndType is the result of [Tx.AccountRoles] for one of many accounts.
type RoleAndType struct {
	Role console.EffectiveRole
	Type console.AccountType
}

// AccountsRoles is [Tx.AccountRoles] for many accounts.
func (t *Tx) AccountsRoles(m Moment, roles console.RoleMap, accounts []Resource) (map[console.ResourceKey]RoleAndType, error) {
	keys := make([]console.ResourceKey, len(accounts))
	for i, r := range accounts {
		keys[i] = r.Key
	}
	held, err := t.HeldOf(m.Streams, roles.Entitlements(), keys)
	if err != nil {
		return nil, err
	}
	said, err := t.kindsSaid(keys, m.At)
	if err != nil {
		return nil, err
	}
	all := make(map[console.ResourceKey]RoleAndType, len(accounts))
	for _, r := range accounts {
		role := roles.Effective(held[r.Key])
		all[r.Key] = RoleAndType{role, console.TypeOf(r.Account.Kind, said[r.Key], role)}
	}
	return all, nil
}

// HeldOf returns which of the given entitlements accounts hold, in the given order.
func (t *Tx) HeldOf(streams []StreamAt, entitlements []console.EntitlementKey, accounts []console.ResourceKey) (map[console.ResourceKey][]console.EntitlementKey, error) {
	held := map[console.ResourceKey][]console.EntitlementKey{}
	tuples := make([][]int64, len(accounts))
	for i, a := range accounts {
		tuples[i] = []int64{int64(a)}
	}
	for _, e := range entitlements {
		holds := map[console.ResourceKey]bool{}
		for _, s := range streams {
			// Counted per account: PostgreSQL expects a few holders of any entitlement, and would read all.
			holders, err := listOfTuples(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) }, tuples,
				`SELECT k.column1 FROM (tuples) k
				WHERE (SELECT count(*) FROM fact f WHERE f.stream = $1 AND f.entitlement = $2 AND f.principal = k.column1 AND f.opened <= $3 AND f.closed > $3) > 0`, s.Stream, e, s.Sync)
			if err != nil {
				return nil, err
			}
			for _, k := range holders {
				holds[k] = true
			}
		}
		for k := range holds {
			held[k] = append(held[k], e)
		}
	}
	return held, nil
}

// kindsSaid returns the kinds of [Tx.AccountKind] for many accounts.
func (t *Tx) kindsSaid(accounts []console.ResourceKey, when time.Time) (map[console.ResourceKey]console.AccountKind, error) {
	where, args := "until_at IS NULL", []any(nil)
	if !when.IsZero() {
		where, args = "from_at <= $1 AND (until_at IS NULL OR until_at > $1)", []any{when}
	}
	said := map[console.ResourceKey]console.AccountKind{}
	_, err := listOf(t, func(r engine.Row) bool {
		said[console.ResourceKey(r.Int(0))] = console.AccountKind(r.Int(1))
		return true
	}, accounts, "SELECT account, kind FROM account_kind WHERE account IN (keys) AND "+where, args...)
	return said, err
}

// AccountType returns the type of an account at a moment. It reads the account's role only if some
// role of the app determines the type.
func (t *Tx) AccountType(m Moment, roles console.RoleMap, r Resource) (console.AccountType, error) {
	if !roles.SaysType() {
		roles = console.RoleMap{}
	}
	_, typ, err := t.AccountRoles(m, roles, r)
	return typ, err
}

// AccountOwner returns the owner of an account at a time; the zero time means now. Without any owner
// it is the zero Owner.
func (t *Tx) AccountOwner(account console.ResourceKey, when time.Time) (Owner, error) {
	where, args := asOf(account, when)
	o, err := find(t, scanOwner, "SELECT "+ownerColumns+" FROM account_owner WHERE account = $1 AND "+where, args...)
	if err != nil || o == nil {
		return Owner{}, err
	}
	return *o, nil
}

// AccountOwnersNow is [Tx.AccountOwner] for many accounts, now.
func (t *Tx) AccountOwnersNow(accounts []console.ResourceKey) (map[console.ResourceKey]Owner, error) {
	type owned struct {
		account console.ResourceKey
		Owner
	}
	rows, err := listOf(t, func(r engine.Row) owned {
		return owned{console.ResourceKey(r.Int(0)), scanOwner(from(r, 1))}
	}, accounts, "SELECT account, "+ownerColumns+" FROM account_owner WHERE account IN (keys)")
	owners := map[console.ResourceKey]Owner{}
	for _, o := range rows {
		if o.Until.IsZero() { // selected here, see [Tx.OwnersNow]
			owners[o.account] = o.Owner
		}
	}
	return owners, err
}

// OwnersNow returns the current owners of accounts, without accounts that have none.
func (t *Tx) OwnersNow(accounts []console.ResourceKey) (map[console.ResourceKey]console.Person, error) {
	type owned struct {
		account console.ResourceKey
		person  console.ID
	}
	// Selected here: PostgreSQL would read all current owners with the index that has only them.
	rows, err := listOf(t, func(r engine.Row) owned {
		if !r.Null(2) {
			return owned{}
		}
		return owned{console.ResourceKey(r.Int(0)), console.ID(r.Text(1))}
	}, accounts, "SELECT account, person, until_at FROM account_owner WHERE account IN (keys)")
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(o owned) bool { return o.person == "" })
	var ids []console.ID
	for _, r := range rows {
		ids = append(ids, r.person)
	}
	slices.Sort(ids)
	persons, err := t.PersonsByID(slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	owners := make(map[console.ResourceKey]console.Person, len(rows))
	for _, r := range rows {
		owners[r.account] = persons[r.person]
	}
	return owners, nil
}

// OwnersAt is [Tx.OwnersNow] at a time, with the people that count now, after merges, and the
// status that they had then; the zero time means now.
func (t *Tx) OwnersAt(accounts []console.ResourceKey, when time.Time) (map[console.ResourceKey]console.Person, error) {
	if when.IsZero() {
		return t.OwnersNow(accounts)
	}
	type owned struct {
		account console.ResourceKey
		person  console.ID
	}
	rows, err := listOf(t, func(r engine.Row) owned { return owned{console.ResourceKey(r.Int(0)), console.ID(r.Text(1))} }, accounts,
		`SELECT o.account, COALESCE(p.merged_into, p.id) FROM account_owner o JOIN person p ON p.id = o.person
		WHERE o.account IN (keys) AND o.from_at <= $1 AND (o.until_at IS NULL OR o.until_at > $1)`, when)
	if err != nil {
		return nil, err
	}
	var ids []console.ID
	for _, r := range rows {
		ids = append(ids, r.person)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	persons, err := t.PersonsByID(ids)
	if err != nil {
		return nil, err
	}
	statuses, err := t.personStatusesAt(ids, when)
	if err != nil {
		return nil, err
	}
	owners := make(map[console.ResourceKey]console.Person, len(rows))
	for _, r := range rows {
		p := persons[r.person]
		p.Status = statuses[r.person]
		owners[r.account] = p
	}
	return owners, nil
}

// AccountsOfAt returns the accounts that belonged to a person at a time, in all apps; the zero
// time means now. What belonged to people who were merged into the person is the person's.
func (t *Tx) AccountsOfAt(person console.ID, when time.Time) ([]console.ResourceKey, error) {
	if when.IsZero() {
		return t.AccountsOf(person)
	}
	ids, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT id FROM person WHERE merged_into = $1", person)
	if err != nil {
		return nil, err
	}
	var all []console.ResourceKey
	for _, condition := range []string{"until_at IS NULL", "until_at IS NOT NULL AND until_at > $1"} {
		part, err := listOf(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) }, append(ids, person),
			"SELECT account FROM account_owner WHERE person IN (keys) AND from_at <= $1 AND "+condition, when)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// AccountsOf returns the accounts that belong to a person now, in all apps.
func (t *Tx) AccountsOf(person console.ID) ([]console.ResourceKey, error) {
	return list(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
		"SELECT account FROM account_owner WHERE person = $1 AND until_at IS NULL ORDER BY account", person)
}

// Accounts returns up to n accounts that an app had at a moment, in the order of their
// names.
func (t *Tx) Accounts(m Moment, after ResourceAfter, n int) ([]Resource, error) {
	return t.resources(m, listAccounts, after, n)
}

// AccountsByEmail returns the accounts with an e-mail address at a moment.
func (t *Tx) AccountsByEmail(m Moment, email string) ([]Resource, error) {
	return t.resourcesByValue(m, listEmails, loginKey(email))
}

// AccountsByLogin returns the accounts with a login at a moment.
func (t *Tx) AccountsByLogin(m Moment, login string) ([]Resource, error) {
	return t.resourcesByValue(m, listLogins, loginKey(login))
}

// Account returns an account at a moment. NotFound if the app had no such account.
func (t *Tx) Account(m Moment, key console.ResourceKey) (Resource, error) {
	r, err := t.Resource(m, key)
	if err == nil && r.Account == nil {
		err = baton.Errorf(baton.NotFound, "no account")
	}
	return r, err
}

// CountEnabled returns the number of enabled accounts at a moment: the seats in use, as far as the
// connectors of the app show them.
func (t *Tx) CountEnabled(m Moment) (n int, err error) {
	for _, s := range m.Streams {
		some, err := get(t, func(r engine.Row) int { return int(r.Int(0)) }, "accounts", `SELECT count(*) FROM lookup l CROSS JOIN resource_version v
			WHERE l.stream = $1 AND l.list = $2 AND v.resource = l.key AND v.opened = l.opened AND v.opened <= $3 AND v.closed > $3 AND v.status NOT IN ($4, $5)`,
			s.Stream, listAccounts, s.Sync, int(console.StatusDisabled), int(console.StatusDeleted))
		if err != nil {
			return 0, err
		}
		n += some
	}
	return n, nil
}
