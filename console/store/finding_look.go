package store

import (
	"math"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// AccountEvents lists the beginnings of the kinds of events of an app after which its accounts, their
// owners or their roles may be different. Events about people without an app are further ones.
var AccountEvents = []string{"sync.applied", "app.added", "app.removed", "app.roles-changed", "account.", "connector.continued"}

// Touched says which accounts of an app events may have changed.
type Touched struct {
	All      bool // too many to list, or unknown
	Accounts []console.ResourceKey
	Event    int64 // the last event that was considered
}

// LookedAt returns up to which event a kind of findings was looked for in an app; 0 if never.
func (t *Tx) LookedAt(app console.ID, kind console.FindingKind) (int64, error) {
	n, err := find(t, func(r engine.Row) int64 { return r.Int(0) }, "SELECT event FROM finding_looked WHERE app = $1 AND kind = $2", app, kind)
	if err != nil || n == nil {
		return 0, err
	}
	return *n, nil
}

// SetLookedAt records up to which event a kind of findings was looked for in an app; 0 forgets it.
func (t *Tx) SetLookedAt(app console.ID, kind console.FindingKind, event int64) error {
	_, err := t.e.Exec("INSERT INTO finding_looked (app, kind, event) VALUES ($1, $2, $3) ON CONFLICT (app, kind) DO UPDATE SET event = excluded.event", app, kind, event)
	return err
}

// TouchedAccounts returns the accounts of an app that the events after a number may have changed, if
// they are at most n.
func (t *Tx) TouchedAccounts(app console.ID, after int64, n int) (touched Touched, err error) {
	head, err := t.ChainHead()
	if err != nil || after >= head.Number && after > 0 {
		return Touched{Event: after}, err
	}
	touched = Touched{Event: head.Number}
	accounts, all, err := t.accountsOfEvents(app, after, n)
	if err == nil && !all {
		var more []console.ResourceKey
		more, all, err = t.accountsOfPeople(app, after, n)
		accounts = append(accounts, more...)
	}
	if touched.All = all || after == 0; touched.All || err != nil {
		return touched, err
	}
	touched.Accounts = distinct(accounts)
	touched.All = len(touched.Accounts) > n
	return touched, nil
}

// accountsOfEvents returns the accounts that the events of an app may have changed. all means that it
// may be any account.
func (t *Tx) accountsOfEvents(app console.ID, after int64, n int) (accounts []console.ResourceKey, all bool, err error) {
	type event struct {
		kind    string
		account console.ResourceKey
		object  console.ID
	}
	s := statement{args: []any{app, after, n + 1}}
	var kinds []string
	for _, k := range AccountEvents {
		if strings.HasSuffix(k, ".") {
			kinds = append(kinds, "kind LIKE "+s.arg(k+"%"))
		} else {
			kinds = append(kinds, "kind = "+s.arg(k))
		}
	}
	events, err := list(t, func(r engine.Row) event {
		return event{r.Text(0), console.ResourceKey(r.Int(1)), console.ID(r.Text(2))}
	},
		"SELECT kind, COALESCE(account, 0), object FROM event WHERE app = $1 AND number > $2 AND ("+strings.Join(kinds, " OR ")+") ORDER BY number LIMIT $3", s.args...)
	if err != nil || len(events) > n {
		return nil, true, err
	}
	for _, e := range events {
		switch {
		case e.account != 0:
			accounts = append(accounts, e.account)
		case e.kind == "sync.applied":
			changed, all, err := t.accountsOfSync(e.object, n)
			if all || err != nil {
				return nil, true, err
			}
			accounts = append(accounts, changed...)
		default:
			return nil, true, nil
		}
	}
	return accounts, false, nil
}

// changesOfEach is the number of changes of an account, on average, up to which those of a sync are
// read.
const changesOfEach = 10

// accountsOfSync returns the accounts that a sync changed. all means that it may be any account: the
// changes are too many, or are not known.
func (t *Tx) accountsOfSync(id console.ID, n int) (accounts []console.ResourceKey, all bool, err error) {
	sync, err := t.Sync(id)
	if baton.KindOf(err) == baton.NotFound {
		return nil, true, nil
	}
	if err != nil {
		return nil, true, err
	}
	first, err := t.FirstSync(sync.Stream)
	if err != nil || sync.Number <= first { // it is the baseline
		return nil, true, err
	}
	if err := t.checkKept(sync.Stream, sync.Number); err != nil {
		if baton.KindOf(err) == baton.NotFound {
			err = nil
		}
		return nil, true, err
	}
	accounts, err = list(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
		"SELECT principal FROM changed WHERE stream = $1 AND sync = $2 AND kind <> $3 LIMIT $4", sync.Stream, sync.Number, int64(ChangedEntitlement), changesOfEach*n+1)
	if len(accounts) > changesOfEach*n {
		return nil, true, err
	}
	accounts = distinct(accounts)
	return accounts, len(accounts) > n, err
}

// accountsOfPeople returns the accounts of the people whom events without an app are about.
func (t *Tx) accountsOfPeople(app console.ID, after int64, n int) (accounts []console.ResourceKey, all bool, err error) {
	people, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) },
		"SELECT person FROM event WHERE number > $1 AND app IS NULL AND person IS NOT NULL AND kind LIKE 'person.%' ORDER BY number LIMIT $2", after, n+1)
	if err != nil || len(people) > n {
		return nil, true, err
	}
	accounts, err = listOf(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) }, distinct(people),
		"SELECT o.account FROM account_owner o JOIN resource r ON r.key = o.account JOIN connector c ON c.stream = r.stream WHERE o.person IN (keys) AND o.until_at IS NULL AND c.app = $1", app)
	return accounts, false, err
}

// KeyRange is a range of accounts: those after one key and up to another, or those that it lists.
type KeyRange struct {
	After, Last console.ResourceKey
	Only        []console.ResourceKey // in the order of their keys; nil: all of the range
}

// lastKey is greater than every key of an account.
const lastKey = console.ResourceKey(math.MaxInt64)

// Accounts returns the range of all accounts after a key.
func Accounts(after console.ResourceKey) KeyRange { return KeyRange{After: after, Last: lastKey} }

// NextAccounts returns the range of up to n resources of every stream of an app after a key. more
// means that there are further ones.
func (t *Tx) NextAccounts(m Moment, after console.ResourceKey, n int) (keys KeyRange, more bool, err error) {
	keys = Accounts(after)
	for _, s := range m.Streams {
		last, err := find(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
			"SELECT key FROM resource WHERE stream = $1 AND key > $2 ORDER BY key LIMIT 1 OFFSET $3", s.Stream, after, n-1)
		if err != nil {
			return keys, false, err
		}
		if last != nil {
			keys.Last = min(keys.Last, *last)
		}
	}
	return keys, keys.Last != lastKey, nil
}

// MatchingAccounts returns the accounts of a range that a filter selects at a moment, in the order of
// their keys. The filter's words are not considered.
func (t *Tx) MatchingAccounts(m Moment, f AccountFilter, keys KeyRange) (all []console.ResourceKey, err error) {
	f.when = m.At
	if f.said = f.Roles.SaysType(); !f.said {
		if f.said, err = t.saysKinds(m.At); err != nil {
			return nil, err
		}
	}
	key := func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) }
	for _, at := range m.Streams {
		var s statement
		s.WriteString("SELECT v.resource FROM resource r CROSS JOIN resource_version v WHERE v.resource = r.key AND r.stream = " + s.arg(at.Stream) +
			" AND v.account AND v.opened <= " + s.arg(at.Sync) + " AND v.closed > " + s.arg(at.Sync))
		f.conditions(&s, at)
		var part []console.ResourceKey
		if keys.Only != nil {
			part, err = listOf(t, key, keys.Only, s.String()+" AND v.resource IN (keys)", s.args...)
		} else {
			after, last := s.arg(keys.After), s.arg(keys.Last)
			part, err = list(t, key, s.String()+" AND r.key > "+after+" AND r.key <= "+last+" AND v.resource > "+after+" AND v.resource <= "+last, s.args...)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	slices.Sort(all)
	return all, nil
}

// FindingsAbout returns the findings of a kind of an app about accounts of a range, with access to an
// entitlement, whose cause is there, by subject.
func (t *Tx) FindingsAbout(app console.ID, kind console.FindingKind, entitlement console.EntitlementKey, keys KeyRange) (map[string]console.Finding, error) {
	rows, err := list(t, scanFinding, "SELECT "+findingColumns+" FROM finding WHERE app = $1 AND kind = $2 AND state <> 'resolved' AND account > $3 AND account <= $4 AND entitlement = $5",
		app, kind, keys.After, keys.Last, entitlement)
	all := make(map[string]console.Finding, len(rows))
	for _, f := range rows {
		all[f.Subject] = f
	}
	return all, err
}

// FindingsOfAccounts returns the findings of a kind of an app about nothing but an account of a range,
// whose cause is there. Only the ID and the account of each are read.
func (t *Tx) FindingsOfAccounts(app console.ID, kind console.FindingKind, keys KeyRange) (rows []console.Finding, err error) {
	const sql = "SELECT id, account FROM finding WHERE app = $1 AND kind = $2 AND state <> 'resolved' AND account "
	scan := func(r engine.Row) console.Finding {
		return console.Finding{ID: console.ID(r.Text(0)), FindingAbout: console.FindingAbout{Account: console.ResourceKey(r.Int(1))}}
	}
	if keys.Only != nil {
		for part := range slices.Chunk(keys.Only, longList) { // the range keeps PostgreSQL from reading all of the kind
			some, err := listOf(t, scan, part, sql+"> $3 AND account <= $4 AND account IN (keys)", app, kind, part[0]-1, part[len(part)-1])
			if err != nil {
				return nil, err
			}
			rows = append(rows, some...)
		}
		return rows, nil
	}
	return list(t, scan, sql+"> $3 AND account <= $4", app, kind, keys.After, keys.Last)
}

// FindingsElsewhere returns up to n findings of a kind of an app whose cause is there and that are
// about access to none of the entitlements, by subject.
func (t *Tx) FindingsElsewhere(app console.ID, kind console.FindingKind, entitlements []console.EntitlementKey, n int) (map[string]console.Finding, error) {
	s := statement{args: []any{app, kind, n}}
	s.WriteString("SELECT " + findingColumns + " FROM finding WHERE app = $1 AND kind = $2 AND state <> 'resolved'")
	if len(entitlements) > 0 {
		s.WriteString(" AND entitlement NOT IN (" + s.keys(entitlements) + ")")
	}
	rows, err := list(t, scanFinding, s.String()+" LIMIT $3", s.args...)
	all := make(map[string]console.Finding, len(rows))
	for _, f := range rows {
		all[f.Subject] = f
	}
	return all, err
}

// NextReturn returns when the next acceptance or snooze of a kind of findings of an app is over; zero
// if there is none.
func (t *Tx) NextReturn(app console.ID, kind console.FindingKind) (time.Time, error) {
	first, err := find(t, func(r engine.Row) time.Time { return at(r, 0) },
		"SELECT until FROM finding WHERE app = $1 AND kind = $2 AND until IS NOT NULL AND state IN ('accepted', 'snoozed') ORDER BY until LIMIT 1", app, kind)
	if err != nil || first == nil {
		return time.Time{}, err
	}
	return *first, nil
}
