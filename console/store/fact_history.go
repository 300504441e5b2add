package store

import (
	"cmp"
	"slices"

	"baton/console"
	"baton/console/store/internal/engine"
)

// PastBefore is a place in a list of ended facts, the newest first. The zero value is the beginning.
type PastBefore struct {
	Closed      console.SyncNumber
	Principal   console.ResourceKey
	Entitlement console.EntitlementKey
}

func (b PastBefore) closed() console.SyncNumber {
	if b.Closed == 0 {
		return console.Never - 1
	}
	return b.Closed
}

// ended selects facts f that are the last of their interval: no fact begins where f ends.
const ended = ` AND NOT EXISTS (SELECT 1 FROM fact g WHERE g.stream = f.stream AND g.entitlement = f.entitlement AND g.principal = f.principal AND g.opened = f.closed)`

// PastHolders returns up to n ended facts of an entitlement at the moment, the newest first, each
// extended to its whole interval.
func (t *Tx) PastHolders(m Moment, e console.EntitlementKey, before PastBefore, n int) ([]console.Fact, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	var all []console.Fact
	for _, s := range m.Streams {
		part, err := list(t, scanFact, "SELECT "+factColumns+` FROM fact f LEFT JOIN source_set s ON s.key = f.sources
			WHERE f.stream = $1 AND f.entitlement = $2 AND f.closed < 9223372036854775807 AND f.closed <= $3 AND (f.closed, f.principal) < ($4, $5)`+ended+`
			ORDER BY f.closed DESC, f.principal DESC LIMIT $6`, s.Stream, e, s.Sync, before.closed(), before.Principal, n)
		if err != nil {
			return nil, err
		}
		all = append(all, part...) // an entitlement belongs to one stream
	}
	return all, t.wholeIntervals(m, all)
}

// PastAccess returns up to n ended facts of a principal, the newest first, each extended to its
// whole interval.
func (t *Tx) PastAccess(m Moment, principal console.ResourceKey, before PastBefore, n int) ([]console.Fact, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	var all []console.Fact
	for _, s := range m.Streams {
		part, err := list(t, scanFact, "SELECT "+factColumns+` FROM fact_by_principal p CROSS JOIN fact f
			LEFT JOIN source_set s ON s.key = f.sources
			WHERE f.stream = $1 AND f.entitlement = p.entitlement AND f.principal = p.principal AND f.opened = p.opened AND p.principal = $2 AND f.closed <= $3 AND (f.closed, f.entitlement) < ($4, $5)`+ended+`
			ORDER BY f.closed DESC, f.entitlement DESC LIMIT $6`, s.Stream, principal, s.Sync, before.closed(), before.Entitlement, n)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, t.wholeIntervals(m, all)
}

// wholeIntervals moves the start of facts to the start of their intervals. A fact that changed has
// several rows.
func (t *Tx) wholeIntervals(m Moment, facts []console.Fact) error {
	for i, f := range facts {
		for _, s := range m.Streams {
			intervals, err := t.heldIntervals(s, f.Principal, f.Entitlement)
			if err != nil {
				return err
			}
			for _, whole := range intervals {
				if whole.Until == f.Until {
					facts[i].From = whole.From
				}
			}
		}
	}
	return nil
}

// HeldIntervals returns the intervals in which a principal held an entitlement, oldest first.
// Adjacent intervals are merged, with the sources of the last one.
func (t *Tx) HeldIntervals(m Moment, principal console.ResourceKey, e console.EntitlementKey) (all []console.Fact, err error) {
	for _, s := range m.Streams {
		part, err := t.heldIntervals(s, principal, e)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

// LastShowing returns the newest applied sync of a stream before the given one: the last that showed
// facts which the given one closed.
func (t *Tx) LastShowing(stream console.Stream, until console.SyncNumber) (*console.Sync, error) {
	return find(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE stream = $1 AND state = 'applied' AND number < $2 AND number <= (SELECT head FROM head WHERE stream = $1) ORDER BY number DESC LIMIT 1", stream, until)
}

// Turn is how one sync changed what an account holds, or who holds an entitlement.
type Turn struct {
	Sync   console.SyncNumber
	Gained int
	Lost   int
	// GainedKeys and LostKeys hold up to maxTurnKeys entitlements of an account, or principals of an
	// entitlement.
	GainedKeys, LostKeys []int64
}

// maxTurnKeys limits the keys in a turn, turnRows the rows that are read for turns.
const (
	maxTurnKeys = 5
	turnRows    = PageSize
)

// AccountTurns returns the changes of an account's access by syncs before the given one, the newest
// first. 0 starts with the newest.
func (t *Tx) AccountTurns(m Moment, account console.ResourceKey, before console.SyncNumber) ([]Turn, error) {
	var c turns
	for _, s := range m.Streams {
		for _, column := range []string{"opened", "closed"} {
			meets := map[string]string{"opened": "closed", "closed": "opened"}[column]
			err := t.e.Query(func(r engine.Row) error {
				c.add(console.SyncNumber(r.Int(0)), r.Int(1), column == "opened")
				return nil
			}, `SELECT f.`+column+`, f.entitlement FROM fact_by_principal p CROSS JOIN fact f
				WHERE f.stream = $1 AND f.entitlement = p.entitlement AND f.principal = p.principal AND f.opened = p.opened AND p.principal = $2 AND f.opened <= $3 AND f.`+column+` <= $3 AND f.`+column+` < $4
				AND NOT EXISTS (SELECT 1 FROM fact g WHERE g.stream = f.stream AND g.entitlement = f.entitlement AND g.principal = f.principal AND g.`+meets+` = f.`+column+`)
				ORDER BY f.`+column+` DESC, f.entitlement LIMIT $5`, s.Stream, account, s.Sync, beforeOrEnd(before), turnRows)
			if err != nil {
				return nil, err
			}
		}
	}
	return c.all(turnRows), nil
}

// ManyHolders is the number of holders above which [Tx.EntitlementTurns] does not report gains.
const ManyHolders = 10_000

// EntitlementTurns returns the changes of an entitlement's holders by syncs before the given one,
// the newest first. 0 starts with the newest. For an entitlement with more than [ManyHolders], it
// reports losses only.
func (t *Tx) EntitlementTurns(m Moment, e console.EntitlementKey, before console.SyncNumber) ([]Turn, error) {
	var c turns
	for _, s := range m.Streams {
		err := t.e.Query(func(r engine.Row) error {
			c.add(console.SyncNumber(r.Int(0)), r.Int(1), false)
			return nil
		}, `SELECT f.closed, f.principal FROM fact f WHERE f.stream = $1 AND f.entitlement = $2 AND f.closed < 9223372036854775807 AND f.closed <= $3 AND f.closed < $4`+ended+`
			ORDER BY f.closed DESC, f.principal LIMIT $5`, s.Stream, e, s.Sync, beforeOrEnd(before), turnRows)
		if err != nil {
			return nil, err
		}
		count, err := t.CountHolders(Moment{Streams: []StreamAt{s}}, e, ManyHolders+1)
		if err != nil {
			return nil, err
		}
		switch {
		case count > ManyHolders: // no gains: all facts would have to be read
		case count > few:
			err = t.countGained(s, e, before, &c)
		default:
			err = t.e.Query(func(r engine.Row) error {
				c.add(console.SyncNumber(r.Int(0)), r.Int(1), true)
				return nil
			}, `SELECT f.opened, f.principal FROM fact f WHERE f.stream = $1 AND f.entitlement = $2 AND f.opened <= $3 AND f.opened < $4
				AND NOT EXISTS (SELECT 1 FROM fact g WHERE g.stream = f.stream AND g.entitlement = f.entitlement AND g.principal = f.principal AND g.closed = f.opened)
				ORDER BY f.opened DESC, f.principal LIMIT $5`, s.Stream, e, s.Sync, beforeOrEnd(before), turnRows)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.all(turnRows), nil
}

// countGained counts the gains of an entitlement with many holders per sync: facts that opened,
// without those that replace another.
func (t *Tx) countGained(s StreamAt, e console.EntitlementKey, before console.SyncNumber, c *turns) error {
	for _, q := range []struct {
		sign int
		sql  string
	}{
		{1, "SELECT f.opened, count(*) FROM fact f WHERE f.stream = $1 AND f.entitlement = $2 AND f.opened <= $3 AND f.opened < $4 GROUP BY f.opened"},
		{-1, `SELECT f.closed, count(*) FROM fact f WHERE f.stream = $1 AND f.entitlement = $2 AND f.closed < 9223372036854775807 AND f.closed <= $3 AND f.closed < $4
			AND EXISTS (SELECT 1 FROM fact g WHERE g.stream = f.stream AND g.entitlement = f.entitlement AND g.principal = f.principal AND g.opened = f.closed) GROUP BY f.closed`},
	} {
		err := t.e.Query(func(r engine.Row) error {
			c.turn(console.SyncNumber(r.Int(0))).Gained += q.sign * int(r.Int(1))
			return nil
		}, q.sql, s.Stream, e, s.Sync, beforeOrEnd(before))
		if err != nil {
			return err
		}
	}
	return nil
}

func beforeOrEnd(n console.SyncNumber) console.SyncNumber {
	if n == 0 {
		return console.Never
	}
	return n
}

// turns groups rows by sync.
type turns struct {
	bySync map[console.SyncNumber]*Turn
	rows   [2]int
	oldest [2]console.SyncNumber // oldest sync read, if the rows were cut off there; earlier syncs are incomplete
}

func (c *turns) turn(n console.SyncNumber) *Turn {
	if c.bySync == nil {
		c.bySync = map[console.SyncNumber]*Turn{}
	}
	if c.bySync[n] == nil {
		c.bySync[n] = &Turn{Sync: n}
	}
	return c.bySync[n]
}

func (c *turns) add(n console.SyncNumber, key int64, gained bool) {
	t, i := c.turn(n), 0
	count, keys := &t.Lost, &t.LostKeys
	if gained {
		i, count, keys = 1, &t.Gained, &t.GainedKeys
	}
	c.rows[i]++
	c.oldest[i] = n
	*count++
	if len(*keys) < maxTurnKeys {
		*keys = append(*keys, key)
	}
}

// all returns the complete turns, the newest first.
func (c *turns) all(limit int) []Turn {
	from := console.SyncNumber(0)
	for i, n := range c.rows {
		if n >= limit {
			from = max(from, c.oldest[i]+1) // the last sync may be incomplete
		}
	}
	var all []Turn
	for n, t := range c.bySync {
		if n >= from && t.Gained+t.Lost > 0 {
			all = append(all, *t)
		}
	}
	slices.SortFunc(all, func(a, b Turn) int { return cmp.Compare(b.Sync, a.Sync) })
	return all
}
