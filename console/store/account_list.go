package store

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// AccountFilter selects accounts of an app. The zero value selects all; with several fields, all
// must match.
type AccountFilter struct {
	Words    string                     // in the name, or the beginning of a login or an e-mail address
	Unowned  bool                       // belongs to a person's kind of account and has no owner
	Orphaned bool                       // enabled, and its owner is not active
	Disabled bool                       // disabled or deleted
	Holding  bool                       // holds at least one entitlement
	Kinds    []console.AccountKind      // the effective kind is one of these
	Roles    console.RoleMap            // needed for Kinds
	Enabled  bool                       // neither disabled nor deleted
	AnyOf    []console.EntitlementKey   // holds one of these
	Several  [][]console.EntitlementKey // holds entitlements from at least two of these lists
	NoneOf   []console.EntitlementKey   // holds none of these
	Only     []console.ResourceKey      // is one of these; empty: any
	// Match decides in Go, about what no statement can look into; nil: all.
	Match func(Resource) bool

	said bool      // people or roles say for whom accounts are, and not the upstream alone
	when time.Time // of the moment
}

// AccountPage is a page of a list of accounts.
type AccountPage struct {
	Rows []Resource
	Next *ResourceAfter // where the next page begins; nil at the end
	// Looked is the number of accounts that were examined, if that limit made the page short.
	Looked int
}

// few is the number of rows up to which all are read and sorted to find a page. With more, the names
// of all accounts or entitlements are scanned in order.
const few = 1000

// maxLooked limits the rows that are examined for one page while names are scanned.
const maxLooked = 20_000

// FilterAccounts returns up to n accounts at a moment that match a filter, in the order of their
// names. If few accounts match and no index leads to them, the page can be short although the list
// continues.
func (t *Tx) FilterAccounts(m Moment, f AccountFilter, after ResourceAfter, n int) (AccountPage, error) {
	n, err := limit(n)
	if err != nil {
		return AccountPage{}, err
	}
	f.when = m.At
	if f.said = f.Roles.SaysType(); !f.said {
		if f.said, err = t.saysKinds(m.At); err != nil {
			return AccountPage{}, err
		}
	}
	s := newSearch(f.Words)
	match := f.Match
	if f.Words != "" {
		match = func(r Resource) bool { return s.account(r) && (f.Match == nil || f.Match(r)) }
	}
	for _, leads := range f.leads(s) {
		count, err := t.countLeads(m, leads)
		if err != nil {
			return AccountPage{}, err
		}
		if count > few {
			continue
		}
		rows, err := t.leadRows(m, f, leads, match)
		if err != nil {
			return AccountPage{}, err
		}
		return pageOf(rows, after, n), nil
	}
	if f.plain() && match == nil {
		rows, err := t.resources(m, f.list(), after, min(n+1, PageSize))
		return pageOf(rows, after, n), err
	}
	return t.walkAccounts(m, f, match, after, n)
}

// pageOf returns the first n rows after a place.
func pageOf(rows []Resource, after ResourceAfter, n int) (p AccountPage) {
	p.Rows, p.Next = pageAfter(rows, Resource.After, comparePlace, after, n)
	return p
}

func comparePlace(a, b ResourceAfter) int {
	return cmp.Or(slices.Compare(a.Sort, b.Sort), cmp.Compare(a.Key, b.Key))
}

// statement is an SQL statement with its arguments.
type statement struct {
	strings.Builder
	args []any
}

// arg adds an argument and returns its placeholder.
func (s *statement) arg(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

// during returns the condition that selects of a table of intervals those of a time; the zero
// time means now.
func (s *statement) during(table string, when time.Time) string {
	if when.IsZero() {
		return table + ".until_at IS NULL"
	}
	return "(" + table + ".from_at <= " + s.arg(when) + " AND (" + table + ".until_at IS NULL OR " + table + ".until_at > " + s.arg(when) + "))"
}

// lead is a way to accounts that are selected, among others: a table, conditions on it,
// and its column with the account.
type lead struct {
	table, column string
	where         func(s *statement, at StreamAt) string
}

// leads returns the alternative ways to find the candidates; each is a union of leads.
func (f AccountFilter) leads(s search) (all [][]lead) {
	between := func(list int, prefix []byte) lead {
		return lead{"lookup x", "x.key", func(st *statement, at StreamAt) string {
			return "x.stream = " + st.arg(at.Stream) + " AND x.list = " + st.arg(list) + " AND x.value >= " + st.arg(prefix) + " AND x.value < " + st.arg(behind(prefix)) + " AND x.opened <= " + st.arg(at.Sync)
		}}
	}
	if !s.empty() {
		var union []lead
		if len(s.words) > 0 {
			union = append(union, between(listAccounts, s.longest()), between(listWords, s.longest()))
		}
		if len(s.whole) > 0 {
			union = append(union, between(listLogins, s.whole), between(listEmails, s.whole))
		}
		all = append(all, union)
	}
	if len(f.Only) > 0 {
		all = append(all, []lead{{"resource x", "x.key", func(st *statement, _ StreamAt) string { return "x.key IN (" + keyList(st, f.Only) + ")" }}})
	}
	anyOf := [][]console.EntitlementKey{f.AnyOf}
	if len(f.Several) > 1 { // an account in two of the lists is in one that is not the last
		anyOf = append(anyOf, slices.Concat(f.Several[:len(f.Several)-1]...))
	}
	for _, entitlements := range anyOf {
		if len(entitlements) > 0 {
			all = append(all, []lead{{"fact x", "x.principal", func(st *statement, at StreamAt) string {
				return "x.stream = " + st.arg(at.Stream) + " AND x.entitlement IN (" + st.keys(entitlements) + ") AND x.opened <= " + st.arg(at.Sync) + " AND x.closed > " + st.arg(at.Sync)
			}}})
		}
	}
	switch {
	case f.Orphaned && f.when.IsZero():
		all = append(all, []lead{{"person p CROSS JOIN account_owner x", "x.account", func(*statement, StreamAt) string {
			return "x.person = p.id AND x.until_at IS NULL AND p.status <> 'active'"
		}}})
	case f.Orphaned:
		all = append(all, []lead{{"person_status q CROSS JOIN person p CROSS JOIN account_owner x", "x.account", func(st *statement, _ StreamAt) string {
			return "q.status <> 'active' AND " + st.during("q", f.when) + " AND (p.id = q.person OR p.merged_into = q.person) AND x.person = p.id AND " + st.during("x", f.when)
		}}})
	}
	return all
}

func (s *statement) keys(keys []console.EntitlementKey) string { return keyList(s, keys) }

// keyList adds keys as arguments and returns their places.
func keyList[K any](s *statement, keys []K) string {
	var places []string
	for _, k := range keys {
		places = append(places, s.arg(k))
	}
	return strings.Join(places, ", ")
}

// countLeads counts the candidates of leads, up to few+1.
func (t *Tx) countLeads(m Moment, leads []lead) (count int, err error) {
	for _, at := range m.Streams {
		for _, l := range leads {
			var s statement
			s.WriteString("SELECT count(*) FROM (SELECT 1 FROM " + l.table + " WHERE " + l.where(&s, at) + " LIMIT " + s.arg(few+1-count) + ") AS counted")
			n, err := get(t, func(r engine.Row) int { return int(r.Int(0)) }, "count", s.String(), s.args...)
			if err != nil {
				return 0, err
			}
			if count += n; count > few {
				return count, nil
			}
		}
	}
	return count, nil
}

// leadRows returns the matching accounts among the candidates of leads.
func (t *Tx) leadRows(m Moment, f AccountFilter, leads []lead, match func(Resource) bool) (rows []Resource, err error) {
	seen := map[console.ResourceKey]bool{}
	for _, at := range m.Streams {
		for _, l := range leads {
			var s statement
			s.WriteString("SELECT " + resourceColumns + " FROM (SELECT " + l.column + " AS k FROM " + l.table + " WHERE " + l.where(&s, at) + fence + ") c CROSS JOIN resource_version v" + resourceTables +
				"WHERE v.resource = c.k AND v.account AND v.opened <= " + s.arg(at.Sync) + " AND v.closed > " + s.arg(at.Sync) + " AND r.stream = " + s.arg(at.Stream))
			f.conditions(&s, at)
			err := t.e.Query(func(r engine.Row) error {
				if row := scanResource(r); !seen[row.Key] && (match == nil || match(row)) {
					seen[row.Key] = true
					rows = append(rows, row)
				}
				return nil
			}, s.String(), s.args...)
			if err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// list returns the list of table lookup that contains every matching account.
func (f AccountFilter) list() int {
	switch {
	case f.Disabled:
		return listDisabled
	case !f.said && len(f.Kinds) > 0 && !slices.ContainsFunc(f.Kinds, console.AccountKind.Human):
		return listMachines
	}
	return listAccounts
}

// plain reports whether the filter matches a whole list.
func (f AccountFilter) plain() bool {
	machines := len(f.Kinds) == 2 && f.list() == listMachines
	return !f.Unowned && !f.Orphaned && !f.Holding && !f.Enabled && len(f.Only) == 0 && (len(f.Kinds) == 0 || machines) && len(f.AnyOf)+len(f.Several)+len(f.NoneOf) == 0
}

// fence makes databases start these statements with the smallest table, whatever their statistics
// say. SQLite keeps the order of tables in a CROSS JOIN. PostgreSQL does not optimize across a
// LIMIT, and evaluates subqueries with an aggregate by index for the remaining rows; it would turn
// an EXISTS into a join with all facts.
const fence = " LIMIT 1000000"

// conditions adds the conditions of the filter on a version v of a resource r.
func (f AccountFilter) conditions(s *statement, at StreamAt) {
	status := func(op string) string {
		return " AND v.status " + op + " IN (" + s.arg(console.StatusDisabled) + ", " + s.arg(console.StatusDeleted) + ")"
	}
	if f.Disabled {
		s.WriteString(status(""))
	}
	if f.Enabled || f.Orphaned {
		s.WriteString(status("NOT"))
	}
	kinds := f.Kinds
	if f.Unowned && len(kinds) == 0 {
		kinds = []console.AccountKind{console.AccountUnspecified, console.AccountHuman}
	}
	if len(kinds) > 0 {
		var places []string
		for _, k := range kinds {
			places = append(places, s.arg(k))
		}
		s.WriteString(" AND " + f.kind(s, at) + " IN (" + strings.Join(places, ", ") + ")")
	}
	if len(f.Only) > 0 {
		s.WriteString(" AND v.resource IN (" + keyList(s, f.Only) + ")")
	}
	if f.Unowned {
		s.WriteString(" AND (SELECT count(*) FROM account_owner o WHERE o.account = v.resource AND " + s.during("o", f.when) + " AND o.person IS NOT NULL) = 0")
	}
	switch {
	case f.Orphaned && f.when.IsZero():
		s.WriteString(" AND (SELECT count(*) FROM account_owner o CROSS JOIN person p WHERE p.id = o.person AND o.account = v.resource AND o.until_at IS NULL AND p.status <> 'active') > 0")
	case f.Orphaned: // by what the person was then who the owner is now, after merges
		s.WriteString(" AND (SELECT count(*) FROM account_owner o CROSS JOIN person p CROSS JOIN person_status q WHERE p.id = o.person AND o.account = v.resource AND " + s.during("o", f.when) +
			" AND q.person = COALESCE(p.merged_into, p.id) AND " + s.during("q", f.when) + " AND q.status <> 'active') > 0")
	}
	if f.Holding {
		s.WriteString(" AND (SELECT 1 FROM fact_by_principal b CROSS JOIN fact f WHERE f.stream = " + s.arg(at.Stream) + " AND f.entitlement = b.entitlement AND f.principal = b.principal AND f.opened = b.opened" +
			" AND b.principal = v.resource AND f.opened <= " + s.arg(at.Sync) + " AND f.closed > " + s.arg(at.Sync) + " LIMIT 1) IS NOT NULL")
	}
	holds := func(keys []console.EntitlementKey) string { return s.holds(at, keys) }
	if len(f.AnyOf) > 0 {
		s.WriteString(" AND " + holds(f.AnyOf))
	}
	if len(f.NoneOf) > 0 {
		s.WriteString(" AND NOT " + holds(f.NoneOf))
	}
	if len(f.Several) > 0 {
		s.WriteString(" AND 0")
		for _, keys := range f.Several {
			if len(keys) > 0 {
				s.WriteString(" + CASE WHEN " + holds(keys) + " THEN 1 ELSE 0 END")
			}
		}
		s.WriteString(" > 1")
	}
}

// holds returns the condition that a version v of a resource r holds one of the entitlements.
func (s *statement) holds(at StreamAt, keys []console.EntitlementKey) string {
	return "((SELECT count(*) FROM fact f WHERE f.stream = " + s.arg(at.Stream) + " AND f.entitlement IN (" + s.keys(keys) + ") AND f.principal = v.resource" +
		" AND f.opened <= " + s.arg(at.Sync) + " AND f.closed > " + s.arg(at.Sync) + ") > 0)"
}

// roleKind returns the expression for the kind of account that the first held role determines; NULL
// if none does.
func (s *statement) roleKind(at StreamAt, roles []console.AppRole) string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, r := range roles {
		if len(r.Entitlements) > 0 {
			b.WriteString(" WHEN " + s.holds(at, r.Entitlements) + " THEN NULLIF(" + strconv.Itoa(int(r.Kind)) + ", 0)")
		}
	}
	if b.Len() == len("CASE") {
		return "NULL"
	}
	return "(" + b.String() + " END)"
}

// saysKinds reports whether any person said for whom an account was at a time; the zero time
// means now.
func (t *Tx) saysKinds(when time.Time) (bool, error) {
	var s statement
	s.WriteString("SELECT account FROM account_kind WHERE kind <> 0 AND " + s.during("account_kind", when) + " LIMIT 1")
	some, err := find(t, func(r engine.Row) int64 { return r.Int(0) }, s.String(), s.args...)
	return some != nil, err
}

// kind returns the expression for the kind of a version v of an account, as [console.TypeOf]
// determines it.
func (f AccountFilter) kind(s *statement, at StreamAt) string {
	if !f.said {
		return "v.kind"
	}
	byRole := ""
	if f.Roles.SaysType() {
		reversed := slices.Clone(f.Roles.Roles)
		slices.Reverse(reversed)
		switch f.Roles.Priority {
		case console.HighestWins:
			byRole = s.roleKind(at, f.Roles.Roles) + ", "
		case console.LowestWins:
			byRole = s.roleKind(at, reversed) + ", "
		default:
			first, last := s.roleKind(at, f.Roles.Roles), s.roleKind(at, reversed)
			machine := " IN (" + s.arg(console.AccountService) + ", " + s.arg(console.AccountSystem) + ")"
			byRole = "CASE WHEN " + last + machine + " THEN " + last + " WHEN " + first + machine + " THEN " + first + " ELSE COALESCE(" + last + ", " + first + ") END, "
		}
	}
	return "COALESCE((SELECT NULLIF(k.kind, 0) FROM account_kind k WHERE k.account = v.resource AND " + s.during("k", f.when) + "), " + byRole + "v.kind)"
}

// walkAccounts scans a list of names for matching accounts.
func (t *Tx) walkAccounts(m Moment, f AccountFilter, match func(Resource) bool, after ResourceAfter, n int) (p AccountPage, err error) {
	for chunk := max(100, 2*n); ; chunk *= 2 {
		chunk = min(chunk, maxLooked-p.Looked)
		rows, end, err := t.walkChunk(m, f, match, after, chunk)
		if err != nil {
			return p, err
		}
		p.Rows = append(p.Rows, firstByName(rows, len(rows))...)
		p.Looked += chunk
		switch {
		case len(p.Rows) > n:
			p.Rows, p.Looked = p.Rows[:n], 0
			last := p.Rows[n-1].After()
			p.Next = &last
			return p, nil
		case end == nil:
			p.Looked = 0
			return p, nil
		case p.Looked >= maxLooked:
			p.Next = end
			return p, nil
		}
		after = *end
	}
}

// walkChunk returns the matching accounts among the next rows of a list, and the place up to which
// it scanned; nil at the end of the list.
func (t *Tx) walkChunk(m Moment, f AccountFilter, match func(Resource) bool, after ResourceAfter, chunk int) (rows []Resource, end *ResourceAfter, err error) {
	if end, err = t.chunkEnd(m, f.list(), after, chunk); err != nil {
		return nil, nil, err
	}
	for _, at := range m.Streams {
		var s statement
		s.WriteString("SELECT " + resourceColumns + " FROM " + s.names(at, f.list(), after, end) + " c CROSS JOIN resource_version v" + resourceTables +
			"WHERE v.resource = c.key AND v.opened = c.opened AND v.closed > " + s.arg(at.Sync) + " AND r.stream = " + s.arg(at.Stream))
		f.conditions(&s, at)
		err = t.e.Query(func(r engine.Row) error {
			if row := scanResource(r); match == nil || match(row) {
				rows = append(rows, row)
			}
			return nil
		}, s.String(), s.args...)
		if err != nil {
			return nil, nil, err
		}
	}
	return rows, end, nil
}

// chunkEnd returns the place in a list at which the next chunk of every stream ends; nil for the
// rest of the list.
func (t *Tx) chunkEnd(m Moment, which int, after ResourceAfter, chunk int) (end *ResourceAfter, err error) {
	for _, at := range m.Streams {
		last, err := find(t, func(r engine.Row) ResourceAfter {
			return ResourceAfter{Sort: r.Bytes(0), Key: console.ResourceKey(r.Int(1))}
		}, "SELECT value, key FROM lookup WHERE stream = $1 AND list = $2 AND (value, key) > ($3, $4) AND opened <= $5 ORDER BY value, key LIMIT 1 OFFSET $6",
			at.Stream, which, bytesOf(after.Sort), after.Key, at.Sync, chunk-1)
		if err != nil {
			return nil, err
		}
		if last != nil && (end == nil || comparePlace(*last, *end) < 0) {
			end = last
		}
	}
	return end, nil
}

// names adds the rows of a list between two places.
func (s *statement) names(at StreamAt, which int, after ResourceAfter, end *ResourceAfter) string {
	sql := "(SELECT value, key, opened FROM lookup WHERE stream = " + s.arg(at.Stream) + " AND list = " + s.arg(which) + " AND (value, key) > (" + s.arg(bytesOf(after.Sort)) + ", " + s.arg(after.Key) + ") AND opened <= " + s.arg(at.Sync)
	if end != nil {
		sql += " AND (value, key) <= (" + s.arg(bytesOf(end.Sort)) + ", " + s.arg(end.Key) + ")"
	}
	return sql + " ORDER BY value, key" + fence + ")"
}
