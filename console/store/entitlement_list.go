package store

import (
	"cmp"
	"slices"

	"baton/console"
	"baton/console/store/internal/engine"
)

// EntitlementFilter selects entitlements of an app. The zero value selects all; with several fields,
// all must match.
type EntitlementFilter struct {
	Words  string // in the name
	Unheld bool   // nobody holds it
	// Only limits the selection; nil: no limit.
	Only []console.EntitlementKey
	Not  []console.EntitlementKey
}

// EntitlementPage is a page of a list of entitlements.
type EntitlementPage struct {
	Rows   []Entitlement
	Next   *EntitlementAfter // where the next page begins; nil at the end
	Looked int               // as in [AccountPage]
}

// FilterEntitlements returns up to n entitlements at a moment that match a filter, in the order of
// their names. If few match and no index leads to them, the page can be short although the list
// continues.
func (t *Tx) FilterEntitlements(m Moment, f EntitlementFilter, after EntitlementAfter, n int) (EntitlementPage, error) {
	n, err := limit(n)
	if err != nil {
		return EntitlementPage{}, err
	}
	s := newSearch(f.Words)
	match := func(e Entitlement) bool {
		return (f.Words == "" || s.named(e.Name, e.ID)) && !slices.Contains(f.Not, e.Key) && (f.Only == nil || slices.Contains(f.Only, e.Key))
	}
	switch {
	case f.Words != "" && len(s.words) == 0:
		return EntitlementPage{}, nil
	case f.Only != nil:
		rows, err := t.onlyEntitlements(m, f, match)
		return entitlementPageOf(rows, after, n), err
	case f.Words != "":
		rows, enough, err := t.entitlementsByWord(m, f, s.longest(), match)
		if err != nil || !enough {
			return entitlementPageOf(rows, after, n), err
		}
	case !f.Unheld && len(f.Not) == 0:
		rows, err := t.Entitlements(m, after, min(n+1, PageSize))
		return entitlementPageOf(rows, after, n), err
	}
	return t.walkEntitlements(m, f, match, after, n)
}

func entitlementPageOf(rows []Entitlement, after EntitlementAfter, n int) (p EntitlementPage) {
	p.Rows, p.Next = pageAfter(rows, Entitlement.After, compareEntitlements, after, n)
	return p
}

func compareEntitlements(a, b EntitlementAfter) int {
	return cmp.Or(slices.Compare(a.Sort, b.Sort), cmp.Compare(a.Key, b.Key))
}

// unheld checks for any holder. PostgreSQL does not turn a scalar subquery into a join.
const unheld = ` AND (SELECT 1 FROM fact f WHERE f.stream = e.stream AND f.entitlement = e.key AND f.opened <= $1 AND f.closed > $1 LIMIT 1) IS NULL`

// condition returns the condition of the filter on an entitlement e at sync $1.
func (f EntitlementFilter) condition() string {
	if f.Unheld {
		return unheld
	}
	return ""
}

func (t *Tx) onlyEntitlements(m Moment, f EntitlementFilter, match func(Entitlement) bool) (rows []Entitlement, err error) {
	for _, at := range m.Streams {
		for _, key := range f.Only {
			e, err := find(t, scanEntitlement, "SELECT "+entitlementColumns+` FROM entitlement_version v JOIN entitlement e ON e.key = v.entitlement
				WHERE v.opened <= $1 AND v.closed > $1 AND v.entitlement = $2 AND e.stream = $3`+f.condition(), at.Sync, key, at.Stream)
			if err != nil {
				return nil, err
			}
			if e != nil && match(*e) {
				rows = append(rows, *e)
			}
		}
	}
	return rows, nil
}

// entitlementsByWord reads the entitlements with a word in their names. enough is true if there are
// more than few.
func (t *Tx) entitlementsByWord(m Moment, f EntitlementFilter, word []byte, match func(Entitlement) bool) (rows []Entitlement, enough bool, err error) {
	seen, looked := map[console.EntitlementKey]bool{}, 0
	for _, at := range m.Streams {
		for _, which := range []int{listEntitlements, listTerms} {
			err := t.e.Query(func(r engine.Row) error {
				looked++
				if e := scanEntitlement(r); !seen[e.Key] && match(e) {
					seen[e.Key] = true
					rows = append(rows, e)
				}
				return nil
			}, "SELECT "+entitlementColumns+` FROM lookup l
				JOIN entitlement_version v ON v.entitlement = l.key AND v.opened = l.opened JOIN entitlement e ON e.key = v.entitlement
				WHERE l.stream = $2 AND l.list = $3 AND l.value >= $4 AND l.value < $5 AND l.opened <= $1 AND v.closed > $1`+f.condition()+" LIMIT $6",
				at.Sync, at.Stream, which, word, behind(word), few+1)
			if err != nil {
				return nil, false, err
			}
			if looked > few {
				return nil, true, nil
			}
		}
	}
	return rows, false, nil
}

// walkEntitlements scans the names of all entitlements for matching ones.
func (t *Tx) walkEntitlements(m Moment, f EntitlementFilter, match func(Entitlement) bool, after EntitlementAfter, n int) (p EntitlementPage, err error) {
	for chunk := 500; ; chunk *= 2 {
		chunk = min(chunk, maxLooked-p.Looked)
		place := ResourceAfter{Sort: after.Sort, Key: console.ResourceKey(after.Key)}
		end, err := t.chunkEnd(m, listEntitlements, place, chunk)
		if err != nil {
			return p, err
		}
		var rows []Entitlement
		for _, at := range m.Streams {
			s := statement{args: []any{at.Sync}}
			s.WriteString("SELECT " + entitlementColumns + " FROM " + s.names(at, listEntitlements, place, end) +
				" c CROSS JOIN entitlement_version v JOIN entitlement e ON e.key = v.entitlement WHERE v.entitlement = c.key AND v.opened = c.opened AND v.closed > $1 AND e.stream = " + s.arg(at.Stream) + f.condition())
			err := t.e.Query(func(r engine.Row) error {
				if e := scanEntitlement(r); match(e) {
					rows = append(rows, e)
				}
				return nil
			}, s.String(), s.args...)
			if err != nil {
				return p, err
			}
		}
		sortByPlace(rows, Entitlement.After, compareEntitlements)
		p.Rows = append(p.Rows, rows...)
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
		}
		after = EntitlementAfter{Sort: end.Sort, Key: console.EntitlementKey(end.Key)}
		if p.Looked >= maxLooked {
			p.Next = &after
			return p, nil
		}
	}
}
