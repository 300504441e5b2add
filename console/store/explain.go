package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// Difference is one difference between two syncs of a connector. Exactly one of Resource,
// Entitlement and Fact is set.
type Difference struct {
	Resource    *VersionDifference[Resource]
	Entitlement *VersionDifference[Entitlement]
	Fact        *FactDifference
	Explanation console.Explanation
}

// VersionDifference is a resource or an entitlement that differs between two syncs. Before is not
// set for Open, nor After for Close.
type VersionDifference[T any] struct {
	Change        Change
	Before, After T
	// At is the sync that made the change, as in [FactDifference].
	At console.SyncNumber
}

// Differences returns how two published syncs of a connector differ: resources, entitlements, then
// facts, each with its explanation. If from is 0, everything is gained, as baseline. No transaction
// is open while the caller uses a row.
func (s *Store) Differences(ctx context.Context, connector console.ID, from, to console.SyncNumber) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		x := &explainer{s: s, ctx: ctx, from: from, to: to, first: map[console.EntitlementKey]console.SyncNumber{}, received: map[console.SyncNumber]time.Time{}}
		err := x.begin(connector)
		if err == nil {
			err = x.yieldAll(yield)
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(Difference{}, err)
		}
	}
}

// errEnough stops an iteration when the caller wants no more.
var errEnough = errors.New("enough")

type access struct {
	account     console.ResourceKey
	entitlement console.EntitlementKey
}

// explainer explains the differences between two syncs.
type explainer struct {
	s         *Store
	ctx       context.Context
	from, to  console.SyncNumber
	connector console.Connector
	began     time.Time          // when the earlier sync began
	firstSync console.SyncNumber // of the stream
	known     map[access]bool    // accesses with a reason or an operation
	first     map[console.EntitlementKey]console.SyncNumber
	received  map[console.SyncNumber]time.Time
}

func (x *explainer) begin(connector console.ID) error {
	return x.s.View(x.ctx, func(t *Tx) (err error) {
		if x.connector, err = t.Connector(connector); err != nil {
			return err
		}
		for _, n := range []console.SyncNumber{x.from, x.to} {
			if n == 0 {
				continue
			}
			sync, err := t.SyncByNumber(n)
			if err != nil {
				return err
			}
			if sync.Stream != x.connector.Stream || sync.State != console.SyncApplied {
				return baton.Errorf(baton.NotFound, "the connector has no applied sync %d", n)
			}
			if n == x.from {
				x.began = sync.Began
			}
		}
		if x.firstSync, err = t.FirstSync(x.connector.Stream); err != nil {
			return err
		}
		x.known = map[access]bool{}
		return t.e.Query(func(r engine.Row) error {
			x.known[access{console.ResourceKey(r.Int(0)), console.EntitlementKey(r.Int(1))}] = true
			return nil
		}, "SELECT account, entitlement FROM reason WHERE app = $1 UNION SELECT account, entitlement FROM operation WHERE app = $1", x.connector.App)
	})
}

func (x *explainer) yieldAll(yield func(Difference, error) bool) error {
	pass := func(d Difference, err error) error {
		if err == nil && !yield(d, nil) {
			err = errEnough
		}
		return err
	}
	for d, err := range versionDifferences(x, (*Tx).resourceVersions, func(r Resource) (int64, console.SyncNumber, console.SyncNumber) { return int64(r.Key), r.From, r.Until }, sameResource) {
		line := Difference{Resource: &d}
		if err == nil {
			line.Explanation, err = x.resource(d)
		}
		if err := pass(line, err); err != nil {
			return err
		}
	}
	for d, err := range versionDifferences(x, (*Tx).entitlementVersions, func(e Entitlement) (int64, console.SyncNumber, console.SyncNumber) {
		return int64(e.Key), e.From, e.Until
	}, sameEntitlement) {
		line := Difference{Entitlement: &d, Explanation: console.Explanation{Kind: console.Unexplained}}
		if err == nil && d.Change == Open {
			var first console.SyncNumber
			if first, err = x.firstShown(d.After.Key); console.IsBaseline(d.At, first) {
				line.Explanation.Kind = console.ByBaseline
			}
		}
		if err := pass(line, err); err != nil {
			return err
		}
	}
	for d, err := range x.s.FactDifferences(x.ctx, x.connector.Stream, x.from, x.to) {
		line := Difference{Fact: &d}
		if err == nil {
			line.Explanation, err = x.fact(d)
		}
		if err := pass(line, err); err != nil {
			return err
		}
	}
	return nil
}

func sameResource(a, b Resource) bool {
	return a.Digest() == b.Digest()
}

func sameEntitlement(a, b Entitlement) bool { return a.Digest() == b.Digest() }

// resource explains a difference of a resource by its effect on having an account.
func (x *explainer) resource(d VersionDifference[Resource]) (console.Explanation, error) {
	has := func(r Resource) bool { return r.Account != nil && console.HasAccount(true, r.Status) }
	before, after := has(d.Before), has(d.After)
	c := console.AccessChange{Baseline: d.Change == Open && console.IsBaseline(d.At, x.firstSync)}
	if d.Change == Open && d.After.Account == nil && !c.Baseline { // a new group or course is baseline; a new account is not
		err := x.s.View(x.ctx, func(t *Tx) error {
			versions, err := t.ResourceVersions(d.After.Key)
			c.Baseline = len(versions) > 0 && console.IsBaseline(d.At, versions[0].From)
			return err
		})
		if err != nil {
			return console.Explanation{}, err
		}
	}
	switch {
	case after && !before:
		c.Verb = console.Grant
	case before && !after:
		c.Verb = console.Revoke
	}
	return x.explain(c, access{max(d.Before.Key, d.After.Key), console.AccountItself}, d.At)
}

func (x *explainer) fact(d FactDifference) (console.Explanation, error) {
	f, c := d.After, console.AccessChange{}
	switch d.Change {
	case Open:
		c.Verb = console.Grant
	case Close:
		f, c.Verb = d.Before, console.Revoke
	}
	if d.Change == Open {
		first, err := x.firstShown(f.Entitlement)
		if err != nil {
			return console.Explanation{}, err
		}
		c.Baseline = console.IsBaseline(d.At, first)
	}
	return x.explain(c, access{f.Principal, f.Entitlement}, d.At)
}

func (x *explainer) firstShown(e console.EntitlementKey) (first console.SyncNumber, err error) {
	if first, ok := x.first[e]; ok {
		return first, nil
	}
	err = x.s.View(x.ctx, func(t *Tx) error {
		first, err = t.FirstShown(e)
		return err
	})
	x.first[e] = first
	return first, err
}

func (x *explainer) explain(c console.AccessChange, a access, at console.SyncNumber) (console.Explanation, error) {
	if !x.known[a] {
		return c.Explain(), nil
	}
	err := x.s.View(x.ctx, func(t *Tx) (err error) {
		c.After, c.Before = x.began, x.received[at]
		if c.Before.IsZero() {
			sync, err := t.SyncByNumber(at)
			if err != nil {
				return err
			}
			c.Before, x.received[at] = sync.Received, sync.Received
		}
		if c.Operations, err = t.Operations(a.account, a.entitlement); err != nil {
			return err
		}
		if c.Reasons, err = t.Reasons(x.connector.App, a.account, a.entitlement); err != nil {
			return err
		}
		c.Bar, err = t.Bar(a.account, a.entitlement)
		return err
	})
	return c.Explain(), err
}

// resourceVersions appends the next versions that exactly one of two syncs shows.
func (t *Tx) resourceVersions(x *explainer, after Resource, page *[]Resource) error {
	return t.e.Query(func(r engine.Row) error {
		*page = append(*page, scanResource(r))
		return nil
	}, "SELECT "+resourceColumns+" FROM resource_version v"+resourceTables+`WHERE r.stream = $1 AND (r.type, r.id, r.incarnation) >= ($2, $3, $4)
		AND NOT (r.type = $2 AND r.id = $3 AND r.incarnation = $4 AND v.opened <= $5)
		AND ((v.opened > $6 AND v.opened <= $7 AND v.closed > $7) OR (v.opened <= $6 AND v.closed > $6 AND v.closed <= $7))
		ORDER BY r.type, r.id, r.incarnation, v.opened LIMIT $8`,
		x.connector.Stream, []byte(after.Type), []byte(after.ID), after.Incarnation, after.From, x.from, x.to, scanPage)
}

// entitlementVersions is resourceVersions for entitlements.
func (t *Tx) entitlementVersions(x *explainer, after Entitlement, page *[]Entitlement) error {
	return t.e.Query(func(r engine.Row) error {
		*page = append(*page, scanEntitlement(r))
		return nil
	}, "SELECT "+entitlementColumns+` FROM entitlement_version v JOIN entitlement e ON e.key = v.entitlement WHERE e.stream = $1 AND e.id >= $2 AND NOT (e.id = $2 AND v.opened <= $3)
		AND ((v.opened > $4 AND v.opened <= $5 AND v.closed > $5) OR (v.opened <= $4 AND v.closed > $4 AND v.closed <= $5))
		ORDER BY e.id, v.opened LIMIT $6`, x.connector.Stream, []byte(after.ID), after.From, x.from, x.to, scanPage)
}

// versionDifferences reads versions page by page, and joins a version that ended with the one that
// replaced it.
func versionDifferences[T any](x *explainer, read func(*Tx, *explainer, T, *[]T) error, bounds func(T) (key int64, opened, closed console.SyncNumber), same func(a, b T) bool) iter.Seq2[VersionDifference[T], error] {
	return func(yield func(VersionDifference[T], error) bool) {
		var pending VersionDifference[T] // held back, because the next row may turn it into Replace
		var pendingKey int64
		emit := func() bool {
			return pending.Change == 0 || pending.Change == Replace && same(pending.Before, pending.After) || yield(pending, nil)
		}
		var last T
		page := make([]T, 0, scanPage)
		for {
			page = page[:0]
			if err := x.s.View(x.ctx, func(t *Tx) error { return read(t, x, last, &page) }); err != nil {
				yield(VersionDifference[T]{}, err)
				return
			}
			for _, v := range page {
				last = v
				key, opened, closed := bounds(v)
				d := VersionDifference[T]{Change: Close, Before: v, At: closed}
				if opened > x.from {
					d = VersionDifference[T]{Change: Open, After: v, At: opened}
				}
				if key == pendingKey && pending.Change == Close && d.Change == Open {
					pending.Change, pending.After, pending.At = Replace, d.After, d.At
					continue
				}
				if !emit() {
					return
				}
				pending, pendingKey = d, key
			}
			if len(page) < scanPage {
				emit()
				return
			}
		}
	}
}
