package store

import (
	"context"
	"iter"

	"baton/console"
	"baton/console/store/internal/engine"
)

// KnownEntitlement is an entitlement that the stream has ever shown, for comparison with a sync.
type KnownEntitlement struct {
	Key    console.EntitlementKey
	ID     string
	Shown  bool               // the head shows it
	From   console.SyncNumber // of its newest version
	Digest [16]byte           // of its newest version, [console.Entitlement.Digest]
}

// KnownEntitlements returns every entitlement that the stream has shown up to the head, ordered by
// the bytes of their ids. No transaction is open while the caller uses a row.
func (st *Staging) KnownEntitlements(ctx context.Context) iter.Seq2[KnownEntitlement, error] {
	return func(yield func(KnownEntitlement, error) bool) {
		var last KnownEntitlement
		for {
			var page []KnownEntitlement
			after := last.ID
			err := st.s.View(ctx, func(t *Tx) (err error) {
				page, err = list(t, func(r engine.Row) KnownEntitlement {
					k := KnownEntitlement{Key: console.EntitlementKey(r.Int(0)), ID: str(r, 1), From: console.SyncNumber(r.Int(2)), Shown: console.SyncNumber(r.Int(3)) > st.Head}
					copy(k.Digest[:], r.Bytes(4))
					return k
				}, `SELECT e.key, e.id, v.opened, v.closed, v.digest
					FROM (SELECT key, id FROM entitlement WHERE stream = $1 AND id > $3 ORDER BY id LIMIT $4) e
					JOIN entitlement_version v ON v.entitlement = e.key AND v.opened <= $2 ORDER BY e.id, v.opened`, st.Sync.Stream, st.Head, []byte(after), scanPage)
				return err
			})
			if err != nil {
				yield(KnownEntitlement{}, err)
				return
			}
			for _, e := range page {
				if last.Key != 0 && last.Key != e.Key && !yield(last, nil) {
					return
				}
				last = e
			}
			if len(page) == 0 {
				break
			}
		}
		if last.Key != 0 {
			yield(last, nil)
		}
	}
}

// EntitlementChange is a change of one entitlement by a sync. Close only needs Key.
type EntitlementChange struct {
	Change      Change
	New         bool // the entitlement has no row yet
	Entitlement console.Entitlement
}

// PutEntitlements writes changes of entitlements. The order of KnownEntitlements is the fastest.
func (st *Staging) PutEntitlements(ctx context.Context, changes iter.Seq2[EntitlementChange, error]) error {
	return inChunks(st, changes, func(batch []EntitlementChange) error {
		var undo undoList
		for _, c := range batch {
			isNew := int64(0)
			if c.New {
				isNew = 1
			}
			undo.add(c.Change, int64(c.Entitlement.Key), isNew)
		}
		if err := st.inChunk(ctx, stagedEntitlements, undo, func(t *Tx) error { return t.putEntitlements(st, batch) }); err != nil {
			return err
		}
		for _, c := range batch {
			if c.Change.closes() {
				st.counts.EntitlementsClosed++
			}
			if c.Change.opens() {
				st.counts.EntitlementsOpened++
				st.lookups.add(listEntitlements, nameKey(c.Entitlement.Name, c.Entitlement.ID), int64(c.Entitlement.Key))
				for _, w := range furtherWords(c.Entitlement.Name, c.Entitlement.ID) {
					st.lookups.add(listTerms, []byte(w), int64(c.Entitlement.Key))
				}
			}
			st.hashChange('e', c.Change, c.Entitlement.Digest(), int64(c.Entitlement.Key))
		}
		return nil
	})
}

func (t *Tx) putEntitlements(st *Staging, batch []EntitlementChange) error {
	err := t.e.Copy("entitlement", []string{"key", "stream", "id"}, func(w engine.Writer) error {
		for _, c := range batch {
			if !c.New || !c.Change.opens() {
				continue
			}
			if err := writeRow(w, int64(c.Entitlement.Key), int64(st.Sync.Stream), []byte(c.Entitlement.ID)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = t.e.Each("UPDATE entitlement_version SET closed = $1 WHERE entitlement = $2 AND closed = $3", func(w engine.Writer) error {
		for _, c := range batch {
			if !c.Change.closes() {
				continue
			}
			if err := writeRow(w, int64(st.Number), int64(c.Entitlement.Key), int64(console.Never)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = t.noteChanged(st, ChangedEntitlement, len(batch), func(i int) (Change, int64, int64) {
		return batch[i].Change, int64(batch[i].Entitlement.Key), 0
	})
	if err != nil {
		return err
	}
	columns := []string{"entitlement", "opened", "closed", "digest", "resource", "slug", "name", "description", "purpose", "immutable"}
	return t.e.Copy("entitlement_version", columns, func(w engine.Writer) error {
		for _, c := range batch {
			if !c.Change.opens() {
				continue
			}
			e, digest := c.Entitlement, c.Entitlement.Digest()
			w.Int(int64(e.Key))
			w.Int(int64(st.Number))
			w.Int(int64(console.Never))
			w.Bytes(digest[:])
			w.Int(int64(e.Resource))
			w.Bytes([]byte(e.Slug))
			w.Bytes([]byte(e.Name))
			w.Bytes([]byte(e.Description))
			w.Int(int64(e.Purpose))
			w.Bool(e.Immutable)
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Tx) undoEntitlements(n console.SyncNumber, changes undoList) error {
	return t.undoSteps(changes, []undoStep{
		{"DELETE FROM entitlement_version WHERE entitlement = $1 AND opened = $2",
			func(c Change, _ bool) bool { return c.opens() }, func(key int64) []any { return []any{key, int64(n)} }},
		{"UPDATE entitlement_version SET closed = $1 WHERE entitlement = $2 AND closed = $3",
			func(c Change, _ bool) bool { return c.closes() }, func(key int64) []any { return []any{int64(console.Never), key, int64(n)} }},
		{"DELETE FROM entitlement WHERE key = $1",
			func(c Change, isNew bool) bool { return isNew && c.opens() }, func(key int64) []any { return []any{key} }},
	})
}
