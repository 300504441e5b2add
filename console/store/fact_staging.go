package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// FactRow is a stored fact. Facts of the same entitlement and principal are equal if Sources, Flags
// and Detail are.
type FactRow struct {
	Entitlement console.EntitlementKey
	Principal   console.ResourceKey
	From        console.SyncNumber
	Sources     int64 // from [Staging.SourceSet]; 0 for none
	Flags       int64 // from [Flags]
	Detail      []byte
}

// Flags returns the flags of a fact.
func Flags(expandable, immutable bool) int64 {
	return flagsOf(console.Fact{Expandable: expandable, Immutable: immutable})
}

// factPage is the number of facts that are read in one transaction.
const factPage = 1 << 14

// Facts returns the facts of the head, ordered by entitlement key and principal key. No transaction
// is open while the caller uses a row.
func (st *Staging) Facts(ctx context.Context) iter.Seq2[FactRow, error] {
	return st.s.Facts(ctx, st.Sync.Stream, st.Head)
}

// Facts returns the facts of a published sync, ordered by entitlement key and principal key. No
// transaction is open while the caller uses a row.
func (s *Store) Facts(ctx context.Context, stream console.Stream, n console.SyncNumber) iter.Seq2[FactRow, error] {
	return func(yield func(FactRow, error) bool) {
		var last FactRow
		page := make([]FactRow, 0, factPage)
		for {
			page = page[:0]
			err := s.View(ctx, func(t *Tx) error {
				return t.e.Query(func(r engine.Row) error {
					page = append(page, FactRow{Entitlement: console.EntitlementKey(r.Int(0)), Principal: console.ResourceKey(r.Int(1)), From: console.SyncNumber(r.Int(2)),
						Sources: r.Int(3), Flags: r.Int(4), Detail: r.Bytes(5)})
					return nil
				}, `SELECT entitlement, principal, opened, sources, flags, detail FROM fact
					WHERE stream = $1 AND (entitlement, principal) > ($2, $3) AND opened <= $4 AND closed > $4 ORDER BY entitlement, principal LIMIT $5`,
					stream, last.Entitlement, last.Principal, n, factPage)
			})
			if err != nil {
				yield(FactRow{}, err)
				return
			}
			for _, f := range page {
				if !yield(f, nil) {
					return
				}
			}
			if len(page) < factPage {
				return
			}
			last = page[len(page)-1]
		}
	}
}

// SourceSet returns the number of a set of sources. Equal sets have the same number.
func (st *Staging) SourceSet(ctx context.Context, sources []console.Source) (int64, error) {
	if len(sources) == 0 {
		return 0, nil
	}
	encoded := encode(sources)
	sum := sha256.Sum256(encoded)
	digest := [16]byte(sum[:16])
	if key := st.sets[digest]; key != 0 {
		return key, nil
	}
	var key int64
	err := st.s.db.Write(ctx, func(e engine.Tx) error {
		t := &Tx{e: e, s: st.s}
		if err := t.holdsStaging(st); err != nil { // only one process adds sets of a stream at a time
			return err
		}
		known, err := find(t, func(r engine.Row) int64 { return r.Int(0) }, "SELECT key FROM source_set WHERE stream = $1 AND digest = $2", st.Sync.Stream, digest)
		if err != nil {
			return err
		}
		if known != nil {
			key = *known
			return nil
		}
		if key, err = t.Numbers("source_set", 1); err != nil {
			return err
		}
		return t.insert("set of sources", "INSERT INTO source_set (key, stream, digest, sources) VALUES ($1, $2, $3, $4)", key, st.Sync.Stream, digest, encoded)
	})
	if err == nil {
		st.sets[digest] = key
	}
	return key, err
}

// FactChange is a change of one fact by a sync. For Close and Replace, Was is the sync that opened
// the previous fact.
type FactChange struct {
	Change Change
	Was    console.SyncNumber
	Fact   FactRow // From is ignored
}

// PutFacts writes changes of facts, ordered as by Facts: ascending by entitlement key and principal
// key, without duplicates.
func (st *Staging) PutFacts(ctx context.Context, changes iter.Seq2[FactChange, error]) error {
	// This frees the memory of the lookups before the facts need it.
	if err := st.writeLookups(ctx); err != nil {
		return err
	}
	var last FactRow
	return inChunks(st, changes, func(batch []FactChange) error {
		undo := make(undoList, 0, 8*len(batch))
		for _, c := range batch {
			if c.Fact.Entitlement < last.Entitlement || c.Fact.Entitlement == last.Entitlement && c.Fact.Principal <= last.Principal {
				return baton.Errorf(baton.Internal, "facts are not in order: (%d, %d) after (%d, %d)", c.Fact.Entitlement, c.Fact.Principal, last.Entitlement, last.Principal)
			}
			last = c.Fact
			undo.add(c.Change, int64(c.Fact.Entitlement), int64(c.Fact.Principal))
		}
		if err := st.inChunk(ctx, stagedFacts, undo, func(t *Tx) error { return t.putFacts(st, batch) }); err != nil {
			return err
		}
		for _, c := range batch {
			st.noteFact(c)
		}
		return nil
	})
}

func (st *Staging) noteFact(c FactChange) {
	if c.Change.closes() {
		st.counts.FactsClosed++
	}
	if c.Change.opens() {
		st.counts.FactsOpened++
		st.byPrincipal = append(st.byPrincipal, principalFact{c.Fact.Principal, c.Fact.Entitlement})
	}
	var content [16]byte
	binary.BigEndian.PutUint64(content[:8], uint64(c.Fact.Sources))
	binary.BigEndian.PutUint64(content[8:], uint64(c.Fact.Flags))
	if c.Fact.Detail != nil {
		sum := sha256.Sum256(append(content[:], c.Fact.Detail...))
		content = [16]byte(sum[:16])
	}
	st.hashChange('f', c.Change, content, int64(c.Fact.Entitlement), int64(c.Fact.Principal))
}

func (t *Tx) putFacts(st *Staging, batch []FactChange) error {
	err := t.e.Each("UPDATE fact SET closed = $1 WHERE stream = $2 AND entitlement = $3 AND principal = $4 AND opened = $5", func(w engine.Writer) error {
		for _, c := range batch {
			if !c.Change.closes() {
				continue
			}
			if err := writeRow(w, int64(st.Number), int64(st.Sync.Stream), int64(c.Fact.Entitlement), int64(c.Fact.Principal), int64(c.Was)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = t.noteChanged(st, ChangedFact, len(batch), func(i int) (Change, int64, int64) {
		return batch[i].Change, int64(batch[i].Fact.Entitlement), int64(batch[i].Fact.Principal)
	})
	if err != nil {
		return err
	}
	return t.e.Copy("fact", []string{"stream", "entitlement", "principal", "opened", "closed", "sources", "flags", "detail"}, func(w engine.Writer) error {
		for _, c := range batch {
			if !c.Change.opens() {
				continue
			}
			w.Int(int64(st.Sync.Stream))
			w.Int(int64(c.Fact.Entitlement))
			w.Int(int64(c.Fact.Principal))
			w.Int(int64(st.Number))
			w.Int(int64(console.Never))
			w.Int(c.Fact.Sources)
			w.Int(c.Fact.Flags)
			if c.Fact.Detail == nil {
				w.Null()
			} else {
				w.Bytes(c.Fact.Detail)
			}
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
}

// undoFacts undoes a chunk. Its changes are ordered by key, so the range from the first to the last
// key contains all of them and no other rows of the sync.
func (t *Tx) undoFacts(stream console.Stream, n console.SyncNumber, changes undoList) error {
	var first, last [2]int64
	err := changes.each(2, func(_ Change, v []int64) error {
		if last = [2]int64(v); first == [2]int64{} {
			first = last
		}
		return nil
	})
	if err != nil {
		return err
	}
	const chunk = " WHERE stream = $1 AND (entitlement, principal) >= ($2, $3) AND (entitlement, principal) <= ($4, $5)"
	if _, err := t.e.Exec("DELETE FROM fact"+chunk+" AND opened = $6", stream, first[0], first[1], last[0], last[1], n); err != nil {
		return err
	}
	_, err = t.e.Exec("UPDATE fact SET closed = $7"+chunk+" AND closed = $6", stream, first[0], first[1], last[0], last[1], n, console.Never)
	return err
}
