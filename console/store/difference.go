package store

import (
	"bytes"
	"context"
	"iter"

	"baton/console"
	"baton/console/store/internal/engine"
)

// FactDifference is one fact that differs between two syncs.
type FactDifference struct {
	Change Change // Open: gained; Close: lost; Replace: held in both, with other attributes
	Before FactRow
	After  FactRow
	// At is the sync that made the change: the first that showed the new fact, or the
	// first that no longer showed the lost one.
	At console.SyncNumber
}

// same reports whether both syncs show the same fact: it changed in between, and changed back.
func (d FactDifference) same() bool {
	return d.Change == Replace && d.Before.Sources == d.After.Sources && d.Before.Flags == d.After.Flags && bytes.Equal(d.Before.Detail, d.After.Detail)
}

// FactDifferences returns the facts that differ between two published syncs of a stream, in the
// order of entitlement key and principal key. If from is 0, all facts are gained. No transaction is
// open while the caller uses a row.
func (s *Store) FactDifferences(ctx context.Context, stream console.Stream, from, to console.SyncNumber) iter.Seq2[FactDifference, error] {
	return func(yield func(FactDifference, error) bool) {
		var pending FactDifference // held back, because the next row may turn it into Replace
		emit := func() bool { return pending.Change == 0 || pending.same() || yield(pending, nil) }
		var last versionRow
		page := make([]versionRow, 0, factPage)
		for {
			page = page[:0]
			err := s.View(ctx, func(t *Tx) error {
				if err := t.checkKept(stream, from); err != nil { // in each transaction: retention works meanwhile
					return err
				}
				return t.factVersions(stream, from, to, last, &page)
			})
			if err != nil {
				yield(FactDifference{}, err)
				return
			}
			for _, v := range page {
				d := v.difference(from, to)
				if v.Entitlement == last.Entitlement && v.Principal == last.Principal && pending.Change == Close && d.Change == Open {
					pending.Change, pending.After, pending.At = Replace, d.After, d.At
				} else {
					if !emit() {
						return
					}
					pending = d
				}
				last = v
			}
			if len(page) < factPage {
				emit()
				return
			}
		}
	}
}

// versionRow is a stored fact with its end.
type versionRow struct {
	FactRow
	until console.SyncNumber
}

// factVersions reads the next facts that exactly one of two syncs shows.
func (t *Tx) factVersions(stream console.Stream, from, to console.SyncNumber, after versionRow, page *[]versionRow) error {
	return t.e.Query(func(r engine.Row) error {
		*page = append(*page, versionRow{FactRow{Entitlement: console.EntitlementKey(r.Int(0)), Principal: console.ResourceKey(r.Int(1)), From: console.SyncNumber(r.Int(2)),
			Sources: r.Int(3), Flags: r.Int(4), Detail: r.Bytes(5)}, console.SyncNumber(r.Int(6))})
		return nil
	}, `SELECT entitlement, principal, opened, sources, flags, detail, closed FROM fact
		WHERE stream = $1 AND (entitlement, principal, opened) > ($2, $3, $4)
		AND ((opened > $5 AND opened <= $6 AND closed > $6) OR (opened <= $5 AND closed > $5 AND closed <= $6))
		ORDER BY entitlement, principal, opened LIMIT $7`, stream, after.Entitlement, after.Principal, after.From, from, to, factPage)
}

func (v versionRow) difference(from, to console.SyncNumber) FactDifference {
	if v.From > from {
		return FactDifference{Change: Open, After: v.FactRow, At: v.From}
	}
	return FactDifference{Change: Close, Before: v.FactRow, At: v.until}
}
