package store

import (
	"cmp"
	"slices"

	"baton/console"
	"baton/console/store/internal/engine"
)

const (
	flagExpandable = 1
	flagImmutable  = 2
)

func flagsOf(f console.Fact) (flags int64) {
	if f.Expandable {
		flags |= flagExpandable
	}
	if f.Immutable {
		flags |= flagImmutable
	}
	return flags
}

const factColumns = "f.entitlement, f.principal, f.opened, f.closed, f.flags, f.detail, s.sources"

func scanFact(r engine.Row) console.Fact {
	f := console.Fact{Entitlement: console.EntitlementKey(r.Int(0)), Principal: console.ResourceKey(r.Int(1)),
		From: console.SyncNumber(r.Int(2)), Until: console.SyncNumber(r.Int(3)),
		Expandable: r.Int(4)&flagExpandable != 0, Immutable: r.Int(4)&flagImmutable != 0, Detail: r.Bytes(5)}
	if !r.Null(6) {
		decode(r.Bytes(6), &f.Sources)
	}
	return f
}

// Fact returns the fact that a principal holds an entitlement at a moment; nil if it does not.
func (t *Tx) Fact(m Moment, e console.EntitlementKey, principal console.ResourceKey) (*console.Fact, error) {
	for _, s := range m.Streams {
		f, err := find(t, scanFact, "SELECT "+factColumns+` FROM fact f LEFT JOIN source_set s ON s.key = f.sources
			WHERE f.stream = $1 AND f.entitlement = $2 AND f.principal = $3 AND f.opened <= $4 AND f.closed > $4`, s.Stream, e, principal, s.Sync)
		if err != nil || f != nil {
			return f, err
		}
	}
	return nil, nil
}

// FactHistory returns all facts about a principal and an entitlement, oldest first.
func (t *Tx) FactHistory(stream console.Stream, e console.EntitlementKey, principal console.ResourceKey) ([]console.Fact, error) {
	return list(t, scanFact, "SELECT "+factColumns+` FROM fact f JOIN head h ON h.stream = f.stream LEFT JOIN source_set s ON s.key = f.sources
		WHERE f.stream = $1 AND f.entitlement = $2 AND f.principal = $3 AND f.opened <= h.head ORDER BY f.opened`, stream, e, principal)
}

// factsOf returns all facts of pairs of an entitlement and a principal, oldest first. With a list of
// principals of one entitlement, PostgreSQL would read all its facts.
func (t *Tx) factsOf(stream console.Stream, pairs [][]int64) ([]console.Fact, error) {
	return listOfTuples(t, scanFact, pairs, "SELECT "+factColumns+` FROM (tuples) k CROSS JOIN fact f JOIN head h ON h.stream = f.stream LEFT JOIN source_set s ON s.key = f.sources
		WHERE f.stream = $1 AND f.entitlement = k.column1 AND f.principal = k.column2 AND f.opened <= h.head ORDER BY f.opened`, stream)
}

// factHistories is [Tx.FactHistory] for many principals.
func (t *Tx) factHistories(stream console.Stream, e console.EntitlementKey, principals []console.ResourceKey) (map[console.ResourceKey][]console.Fact, error) {
	tuples := make([][]int64, len(principals))
	for i, p := range principals {
		tuples[i] = []int64{int64(e), int64(p)}
	}
	facts, err := t.factsOf(stream, tuples)
	return grouped(facts, func(f console.Fact) console.ResourceKey { return f.Principal }), err
}

// HeldBy returns up to n facts of a principal at a moment, ordered by entitlement, after the given
// one.
func (t *Tx) HeldBy(m Moment, principal console.ResourceKey, after console.EntitlementKey, n int) ([]console.Fact, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	var all []console.Fact
	for _, s := range m.Streams {
		part, err := list(t, scanFact, "SELECT "+factColumns+` FROM fact_by_principal p
			JOIN fact f ON f.stream = $1 AND f.entitlement = p.entitlement AND f.principal = p.principal AND f.opened = p.opened
			LEFT JOIN source_set s ON s.key = f.sources
			WHERE p.principal = $2 AND p.entitlement > $3 AND p.opened <= $4 AND f.closed > $4 ORDER BY p.entitlement LIMIT $5`,
			s.Stream, principal, after, s.Sync, n)
		if err != nil {
			return nil, err
		}
		all = append(all, part...) // a principal belongs to one stream
	}
	return all, nil
}

// Holder is a fact with its principal.
type Holder struct {
	Fact      console.Fact
	Principal Resource
}

// manyHolders is the number of holders from which a page is found by scanning the names of all
// accounts. Below it, all holders are read and sorted.
const manyHolders = 2000

// CountHolders returns the number of holders of an entitlement at a moment, at most the given
// maximum.
func (t *Tx) CountHolders(m Moment, e console.EntitlementKey, maximum int) (int, error) {
	n := 0
	for _, s := range m.Streams {
		c, err := get(t, func(r engine.Row) int { return int(r.Int(0)) }, "stream", `SELECT count(*) FROM (
			SELECT 1 FROM fact WHERE stream = $1 AND entitlement = $2 AND opened <= $3 AND closed > $3 LIMIT $4) AS counted`, s.Stream, e, s.Sync, maximum-n)
		if err != nil {
			return 0, err
		}
		n += c
	}
	return n, nil
}

// Holders returns up to n holders of an entitlement at a moment, ordered by name: accounts first,
// then groups and other principals.
func (t *Tx) Holders(m Moment, e console.EntitlementKey, after HolderAfter, n int) ([]Holder, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	count, err := t.CountHolders(m, e, manyHolders)
	if err != nil {
		return nil, err
	}
	if count < manyHolders {
		return t.fewHolders(m, e, after, n)
	}
	var all []Holder
	if !after.Other {
		if all, err = t.walkHolders(m, e, listAccounts, after.ResourceAfter, n); err != nil || len(all) == n {
			return all, err
		}
		after.ResourceAfter = ResourceAfter{}
	}
	others, err := t.walkHolders(m, e, listResources, after.ResourceAfter, n-len(all))
	return append(all, others...), err
}

// HolderAfter is a place in a list of holders. The zero value is the beginning.
type HolderAfter struct {
	ResourceAfter
	Other bool // the holder is not an account
}

// After returns the place after a holder.
func (h Holder) After() HolderAfter {
	return HolderAfter{ResourceAfter: h.Principal.After(), Other: h.Principal.Account == nil}
}

// fewHolders reads all holders and sorts them.
func (t *Tx) fewHolders(m Moment, e console.EntitlementKey, after HolderAfter, n int) ([]Holder, error) {
	var all []Holder
	for _, s := range m.Streams {
		part, err := list(t, scanHolder, "SELECT "+resourceColumns+", "+factColumns+` FROM fact f
			JOIN resource_version v ON v.resource = f.principal AND v.opened <= $3 AND v.closed > $3`+resourceTables+`
			LEFT JOIN source_set s ON s.key = f.sources
			WHERE f.stream = $1 AND f.entitlement = $2 AND f.opened <= $3 AND f.closed > $3`, s.Stream, e, s.Sync)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	page, _ := pageAfter(all, Holder.After, comparePlaces, after, n)
	return page, nil
}

// walkHolders scans a list of names for principals that hold the entitlement. The list comes first
// in the plan, as in [Tx.FilterAccounts]: PostgreSQL would read and sort all holders whenever it
// believes that there are few.
func (t *Tx) walkHolders(m Moment, e console.EntitlementKey, which int, after ResourceAfter, n int) ([]Holder, error) {
	var all []Holder
	for _, s := range m.Streams {
		part, err := list(t, scanHolder, "SELECT "+resourceColumns+", "+factColumns+` FROM (SELECT l.key, l.opened FROM lookup l
				WHERE l.stream = $1 AND l.list = $2 AND (l.value, l.key) > ($3, $4) AND l.opened <= $5
				AND (SELECT count(*) FROM fact g WHERE g.stream = $1 AND g.entitlement = $7 AND g.principal = l.key AND g.opened <= $5 AND g.closed > $5) > 0
				AND (SELECT count(*) FROM resource_version w WHERE w.resource = l.key AND w.opened = l.opened AND w.closed > $5) > 0
				ORDER BY l.value, l.key LIMIT $6) c
			CROSS JOIN resource_version v CROSS JOIN fact f`+resourceTables+`
			LEFT JOIN source_set s ON s.key = f.sources
			WHERE v.resource = c.key AND v.opened = c.opened AND f.stream = $1 AND f.entitlement = $7 AND f.principal = c.key AND f.opened <= $5 AND f.closed > $5`,
			s.Stream, which, bytesOf(after.Sort), after.Key, s.Sync, n, e)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	sortByPlace(all, Holder.After, comparePlaces)
	return all[:min(n, len(all))], nil
}

func scanHolder(r engine.Row) Holder {
	return Holder{Principal: scanResource(r), Fact: scanFact(from(r, 16))}
}

func comparePlaces(a, b HolderAfter) int {
	if a.Other != b.Other {
		if b.Other {
			return -1
		}
		return 1
	}
	return cmp.Or(slices.Compare(a.Sort, b.Sort), cmp.Compare(a.Key, b.Key))
}

// columnsFrom hides the first columns of a row.
type columnsFrom struct {
	engine.Row
	first int
}

func from(r engine.Row, first int) engine.Row { return columnsFrom{r, first} }

func (c columnsFrom) Int(i int) int64    { return c.Row.Int(c.first + i) }
func (c columnsFrom) Bool(i int) bool    { return c.Row.Bool(c.first + i) }
func (c columnsFrom) Text(i int) string  { return c.Row.Text(c.first + i) }
func (c columnsFrom) Bytes(i int) []byte { return c.Row.Bytes(c.first + i) }
func (c columnsFrom) Null(i int) bool    { return c.Row.Null(c.first + i) }
