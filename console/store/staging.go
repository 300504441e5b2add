package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"iter"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// Staging writes the rows of one sync. It writes them in chunks, each in a transaction of its own
// that takes at most about 100 ms, so that other commands do not wait. Rows carry the sync's number.
// Readers ignore them until [Staging.Publish] moves the head to it in one short transaction.
//
// A Staging is used by one goroutine. If its process dies, the next BeginSync of the stream undoes
// its writes.
type Staging struct {
	Sync   console.Sync
	Number console.SyncNumber
	Head   console.SyncNumber // visible until Publish; 0 before the first sync

	// Scope lists the entitlements that a targeted sync covers. Set it before Publish.
	Scope []console.EntitlementKey
	// Now measures how long a chunk takes, to size the next one. With nil, or a clock that
	// stands still, chunks grow to the largest size.
	Now func() time.Time

	s      *Store
	chunk  int64
	pace   pace
	digest hash.Hash
	hashed []byte // memory for what digest takes
	counts Written
	sets   map[[16]byte]int64
	// Copies of rows in another order. They are sorted and written after the rows themselves: in
	// arrival order, each chunk would touch the whole table.
	lookups     lookups
	byPrincipal []principalFact
}

// Written counts the rows that a sync opened and closed. A changed row counts as both.
type Written struct {
	ResourcesOpened    int64 `json:"resources_opened"`
	ResourcesClosed    int64 `json:"resources_closed"`
	EntitlementsOpened int64 `json:"entitlements_opened"`
	EntitlementsClosed int64 `json:"entitlements_closed"`
	FactsOpened        int64 `json:"facts_opened"`
	FactsClosed        int64 `json:"facts_closed"`
}

// BeginSync starts writing a received or confirmed sync. Its stream accepts no other sync until this
// one is published, held or abandoned. BeginSync undoes the writes of an unfinished sync. The error
// is Refused if the sync began before the head ([console.OrderOf]); it is then recorded as
// superseded or stored.
//
// If another process is writing a sync of the stream, BeginSync takes over. Use a lease
// ([Store.Claim]) to give the work to one process at a time.
func (s *Store) BeginSync(ctx context.Context, by console.By, id console.ID) (*Staging, error) {
	var st *Staging
	var refused error
	for {
		var left console.SyncNumber // of an unfinished sync
		err := s.Update(ctx, by, func(t *Tx) (err error) {
			st, left, refused, err = t.beginSync(id)
			return err
		})
		switch {
		case err != nil:
			return nil, baton.Errorf(baton.KindOf(err), "begin sync %s: %w", id, err)
		case refused != nil:
			return nil, refused
		case left == 0:
			return st, s.forgetPublished(ctx)
		}
		if err := s.undo(ctx, by, st.Sync.Stream, left); err != nil {
			return nil, err
		}
	}
}

// beginSync starts a sync, or returns the number of an unfinished one that must be undone
// first.
func (t *Tx) beginSync(id console.ID) (st *Staging, left console.SyncNumber, refused, err error) {
	sync, err := t.lockSync(id)
	if err != nil {
		return nil, 0, nil, err
	}
	h, err := t.lockHead(sync.Stream)
	if err != nil {
		return nil, 0, nil, err
	}
	st = &Staging{s: t.s, Sync: sync, Head: h.head, digest: sha256.New(), sets: map[[16]byte]int64{}}
	if h.staging != 0 {
		return st, h.staging, nil, nil
	}
	switch sync.State {
	case console.SyncReceived, console.SyncConfirmed:
	default:
		return nil, 0, nil, baton.Errorf(baton.Refused, "the sync is %s", sync.State)
	}
	if refused, err = t.checkOrder(sync); refused != nil || err != nil {
		return nil, 0, refused, err
	}
	n, err := t.Numbers("sync", 1)
	if err != nil {
		return nil, 0, nil, err
	}
	st.Number = console.SyncNumber(n)
	if err := t.change("stream", "UPDATE head SET staging = $2 WHERE stream = $1", sync.Stream, st.Number); err != nil {
		return nil, 0, nil, err
	}
	return st, 0, nil, t.change("sync", "UPDATE sync SET state = $2, number = $3 WHERE id = $1", id, console.SyncStaging, st.Number)
}

// checkOrder records and returns why a sync must not be applied.
func (t *Tx) checkOrder(sync console.Sync) (refused, err error) {
	head, err := t.HeadSync(sync.Stream)
	if err != nil {
		return nil, err
	}
	live, err := t.liveSync(sync.Stream)
	if err != nil {
		return nil, err
	}
	state, why := console.SyncSuperseded, ""
	switch console.OrderOf(sync, head, live) {
	case console.Applicable:
		return nil, nil
	case console.TooOld:
		why = "a sync that began later is applied already"
	case console.TooLate:
		state, why = console.SyncRefused, "history cannot be imported after the connector's first own sync"
	case console.Stored:
		state, why = console.SyncStored, "a partial file is kept and not applied"
	}
	return baton.Errorf(baton.Refused, "sync %s is not applied: %s", sync.ID, why), t.setSyncState(sync, state, why)
}

// Hold ends the staging before anything is written: the sync is held until a person confirms it.
func (st *Staging) Hold(ctx context.Context, by console.By, holds []console.Hold) error {
	return st.end(ctx, by, func(t *Tx) error { return t.holdSync(st.Sync, holds) })
}

// Refuse ends the staging and undoes its writes: the file is damaged, foreign or too large.
func (st *Staging) Refuse(ctx context.Context, by console.By, why string) error {
	return st.end(ctx, by, func(t *Tx) error { return t.setSyncState(st.Sync, console.SyncRefused, why) })
}

// Abandon undoes the writes. The sync is as before BeginSync.
func (st *Staging) Abandon(ctx context.Context, by console.By) error {
	return st.end(ctx, by, func(t *Tx) error { return nil })
}

func (st *Staging) end(ctx context.Context, by console.By, fn func(*Tx) error) error {
	if err := st.s.undo(ctx, by, st.Sync.Stream, st.Number); err != nil {
		return err
	}
	return st.s.Update(ctx, by, fn)
}

// Publish makes the written rows visible. counts describe the file; Publish adds the differences.
// Older held syncs of the connector are superseded. The event "sync.applied" carries the counts and
// a digest of all changes.
func (st *Staging) Publish(ctx context.Context, by console.By, counts console.Counts) error {
	if err := st.writeLookups(ctx); err != nil {
		return err
	}
	if err := st.writePrincipals(ctx); err != nil {
		return err
	}
	if err := st.analyze(ctx); err != nil {
		return err
	}
	counts.Opened, counts.Closed = st.counts.FactsOpened, st.counts.FactsClosed
	err := st.s.Update(ctx, by, func(t *Tx) error {
		if err := t.holdsStaging(st); err != nil {
			return err
		}
		if err := t.change("stream", "UPDATE head SET head = $2, staging = 0 WHERE stream = $1", st.Sync.Stream, st.Number); err != nil {
			return err
		}
		if err := t.change("sync", "UPDATE sync SET state = $2, applied = $3, counts = $4, scope = $5 WHERE id = $1", st.Sync.ID, console.SyncApplied, by.At, encode(counts), scopeOrNil(st.Scope)); err != nil {
			return err
		}
		held, err := list(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE connector = $1 AND state = $2 FOR UPDATE", st.Sync.Connector, console.SyncHeld)
		if err != nil {
			return err
		}
		for _, old := range held {
			if err := t.setSyncState(old, console.SyncSuperseded, "a newer sync is applied"); err != nil {
				return err
			}
		}
		t.Wake(SyncTopic)
		return t.syncEvent(st.Sync, "sync.applied", map[string]any{"number": st.Number, "counts": counts, "written": st.counts,
			"digest": hexOf(st.digest.Sum(nil)), "sha256": hexOf(st.Sync.SHA256), "confirmed": st.Sync.State == console.SyncConfirmed})
	})
	if err != nil {
		return baton.Errorf(baton.KindOf(err), "publish sync %s: %w", st.Sync.ID, err)
	}
	if err := st.s.forgetStaged(ctx, st.Number); err != nil {
		return baton.Errorf(baton.KindOf(err), "sync %s is published; clean up after it: %w", st.Sync.ID, err)
	}
	return nil
}

func scopeOrNil(scope []console.EntitlementKey) []byte {
	if scope == nil {
		return nil
	}
	return encode(scope)
}

// manyWritten is the number of written rows after which the statistics of the database are updated.
const manyWritten = 5000

// analyze updates the statistics of the database after many changes. Its errors are ignored unless
// the context has ended: the database also updates them by itself.
func (st *Staging) analyze(ctx context.Context) error {
	w := st.counts
	if w.ResourcesOpened+w.ResourcesClosed+w.EntitlementsOpened+w.EntitlementsClosed+w.FactsOpened+w.FactsClosed >= manyWritten {
		st.s.db.Analyze(ctx, "resource", "resource_version", "volatile", "entitlement", "entitlement_version", "lookup", "fact", "fact_by_principal")
	}
	return ctx.Err()
}

// SyncTopic is woken after a sync was applied.
const SyncTopic = "sync"

// holdsStaging locks the stream's head and checks that no other process took over.
func (t *Tx) holdsStaging(st *Staging) error {
	h, err := t.lockHead(st.Sync.Stream)
	if err == nil && h.staging != st.Number {
		err = baton.Errorf(baton.Refused, "another process took over sync %s", st.Sync.ID)
	}
	return err
}

// inChunk runs fn in a transaction that writes one chunk, with the list to undo it.
func (st *Staging) inChunk(ctx context.Context, kind string, undo []byte, fn func(*Tx) error) error {
	return st.s.db.Write(ctx, func(e engine.Tx) error {
		t := &Tx{e: e, s: st.s}
		if err := t.holdsStaging(st); err != nil {
			return err
		}
		if _, err := e.Exec("INSERT INTO staged (sync, chunk, kind, changes) VALUES ($1, $2, $3, $4)", st.Number, st.chunk, kind, undo); err != nil {
			return err
		}
		return fn(t)
	})
}

// pace sizes chunks so that each takes about chunkTarget.
type pace struct{ rows int }

const (
	chunkTarget = 40 * time.Millisecond
	minChunk    = 256
	maxChunk    = 1 << 15
)

func (p *pace) size() int {
	if p.rows == 0 {
		p.rows = 512
	}
	return p.rows
}

// took adjusts the size after a chunk of n rows took d.
func (p *pace) took(n int, d time.Duration) {
	if n == 0 {
		return
	}
	want := maxChunk
	if d > 0 {
		want = int(float64(n) * float64(chunkTarget) / float64(d))
	}
	p.rows = min(max(want, p.rows/2, minChunk), p.rows*2, maxChunk)
}

func (st *Staging) now() time.Time {
	if st.Now == nil {
		return time.Time{}
	}
	return st.Now()
}

// inChunks cuts a sequence into chunks and writes each. write must not keep the slice.
func inChunks[T any](st *Staging, seq iter.Seq2[T, error], write func([]T) error) error {
	batch := make([]T, 0, st.pace.size())
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		began := st.now()
		if err := write(batch); err != nil {
			return err
		}
		st.pace.took(len(batch), st.now().Sub(began))
		st.chunk++
		clear(batch)
		batch = batch[:0]
		return nil
	}
	for v, err := range seq {
		if err != nil {
			return err
		}
		batch = append(batch, v)
		if len(batch) >= st.pace.size() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// Change is the effect of a sync on a row.
type Change int

// The changes of a row, compared with the head.
const (
	Open    Change = iota + 1 // only in the sync
	Close                     // only in the head
	Replace                   // in both, with differences
	Touch                     // in both; only attributes without history differ
)

func (c Change) opens() bool  { return c == Open || c == Replace }
func (c Change) closes() bool { return c == Close || c == Replace }

// undoList lists changes so that they can be undone: numbers in variable length.
type undoList []byte

func (u *undoList) add(c Change, values ...int64) {
	*u = append(*u, byte(c))
	for _, v := range values {
		*u = binary.AppendVarint(*u, v)
	}
}

// each calls fn for each change, with its given number of values.
func (u undoList) each(values int, fn func(c Change, v []int64) error) error {
	v := make([]int64, values)
	for len(u) > 0 {
		c := Change(u[0])
		u = u[1:]
		for i := range v {
			n, size := binary.Varint(u)
			if size <= 0 {
				return baton.Errorf(baton.Corrupt, "the list of staged changes is cut off")
			}
			v[i], u = n, u[size:]
		}
		if err := fn(c, v); err != nil {
			return err
		}
	}
	return nil
}

// The kinds of rows in table staged.
const (
	stagedResources    = "resource"
	stagedEntitlements = "entitlement"
	stagedFacts        = "fact"
	stagedLookups      = "lookup"
	stagedPrincipals   = "fact_by_principal"
)

// lookupRange is a chunk of sorted lookups.
type lookupRange struct {
	FromList uint8  `json:"from_list"`
	From     []byte `json:"from"`
	ToList   uint8  `json:"to_list"`
	To       []byte `json:"to"`
}

func (t *Tx) undoLookups(stream console.Stream, n console.SyncNumber, chunk []byte) error {
	var r lookupRange
	decode(chunk, &r)
	_, err := t.e.Exec("DELETE FROM lookup WHERE stream = $1 AND (list, value) >= ($2, $3) AND (list, value) <= ($4, $5) AND opened = $6",
		stream, int64(r.FromList), bytesOf(r.From), int64(r.ToList), bytesOf(r.To), n)
	return err
}

func (t *Tx) undoPrincipals(n console.SyncNumber, changes undoList) error {
	return changes.each(2, func(_ Change, v []int64) error {
		_, err := t.e.Exec("DELETE FROM fact_by_principal WHERE principal >= $1 AND principal <= $2 AND opened = $3", v[0], v[1], n)
		return err
	})
}

// undo reverts everything that an unfinished sync wrote, the newest chunk first, each in a
// transaction of its own. Then it releases the stream.
func (s *Store) undo(ctx context.Context, by console.By, stream console.Stream, n console.SyncNumber) error {
	for done := false; !done; {
		err := s.db.Write(ctx, func(e engine.Tx) error {
			t := &Tx{e: e, s: s}
			h, err := t.lockHead(stream)
			if err != nil {
				return err
			}
			if h.staging != n {
				done = true // undone by another process
				return nil
			}
			done, err = t.undoChunk(stream, n)
			return err
		})
		if err != nil {
			return baton.Errorf(baton.KindOf(err), "undo the unfinished sync %d: %w", n, err)
		}
	}
	return nil
}

type stagedChunk struct {
	chunk   int64
	kind    string
	changes undoList
}

// undoChunk reverts the newest chunk. If there is none, it releases the stream.
func (t *Tx) undoChunk(stream console.Stream, n console.SyncNumber) (done bool, err error) {
	c, err := find(t, func(r engine.Row) stagedChunk { return stagedChunk{r.Int(0), r.Text(1), r.Bytes(2)} },
		"SELECT chunk, kind, changes FROM staged WHERE sync = $1 ORDER BY chunk DESC LIMIT 1", n)
	if err != nil {
		return false, err
	}
	if c == nil {
		if all, err := t.forgetChanged(stream, n); err != nil || !all {
			return false, err
		}
		if _, err := t.e.Exec("UPDATE sync SET number = NULL, state = CASE WHEN holds = $3 THEN $2 ELSE $4 END WHERE number = $1",
			n, console.SyncReceived, encode([]console.Hold(nil)), console.SyncConfirmed); err != nil {
			return false, err
		}
		return true, t.change("stream", "UPDATE head SET staging = 0 WHERE stream = $1", stream)
	}
	switch c.kind {
	case stagedResources:
		err = t.undoResources(n, c.changes)
	case stagedEntitlements:
		err = t.undoEntitlements(n, c.changes)
	case stagedFacts:
		err = t.undoFacts(stream, n, c.changes)
	case stagedLookups:
		err = t.undoLookups(stream, n, c.changes)
	case stagedPrincipals:
		err = t.undoPrincipals(n, c.changes)
	}
	if err != nil {
		return false, err
	}
	return false, t.change("chunk", "DELETE FROM staged WHERE sync = $1 AND chunk = $2", n, c.chunk)
}

// forgetPublished removes the undo lists of published syncs. A process that died after publishing
// leaves them.
func (s *Store) forgetPublished(ctx context.Context) error {
	var left []console.SyncNumber
	err := s.View(ctx, func(t *Tx) (err error) {
		left, err = list(t, func(r engine.Row) console.SyncNumber { return console.SyncNumber(r.Int(0)) },
			"SELECT DISTINCT sync FROM staged WHERE sync NOT IN (SELECT staging FROM head)")
		return err
	})
	for _, n := range left {
		if err == nil {
			err = s.forgetStaged(ctx, n)
		}
	}
	return err
}

// forgetStaged removes the undo lists of a published sync, in small transactions.
func (s *Store) forgetStaged(ctx context.Context, n console.SyncNumber) error {
	for {
		removed := int64(0)
		err := s.db.Write(ctx, func(e engine.Tx) (err error) {
			removed, err = e.Exec("DELETE FROM staged WHERE sync = $1 AND chunk < (SELECT min(chunk) FROM staged WHERE sync = $1) + 32", n)
			return err
		})
		if err != nil || removed == 0 {
			return err
		}
	}
}

// numbers reserves n numbers of a counter in a transaction of its own. Numbers of an abandoned sync
// are not used again.
func (st *Staging) numbers(ctx context.Context, counter string, n int) (first int64, err error) {
	err = st.s.db.Write(ctx, func(e engine.Tx) (err error) {
		first, err = (&Tx{e: e}).Numbers(counter, int64(n))
		return err
	})
	return first, err
}

// ResourceKeys returns the first of n new keys for resources. Assign them in the order of type and
// id, so that neighbours are stored together.
func (st *Staging) ResourceKeys(ctx context.Context, n int) (console.ResourceKey, error) {
	first, err := st.numbers(ctx, "resource", n)
	return console.ResourceKey(first), err
}

// EntitlementKeys returns the first of n new keys for entitlements.
func (st *Staging) EntitlementKeys(ctx context.Context, n int) (console.EntitlementKey, error) {
	first, err := st.numbers(ctx, "entitlement", n)
	return console.EntitlementKey(first), err
}

// lookups collects rows of table lookup, with their values in large blocks.
type lookups struct {
	blocks [][]byte
	rows   []lookupRow
}

// lookupBlock is the size of a block. Values are shorter.
const lookupBlock = 1 << 16

type lookupRow struct {
	offset uint32 // block and place in it
	length uint16
	list   uint8
	key    int64
}

func (l *lookups) add(which uint8, value []byte, key int64) {
	last := len(l.blocks) - 1
	if last < 0 || len(l.blocks[last])+len(value) >= lookupBlock {
		l.blocks = append(l.blocks, make([]byte, 0, lookupBlock))
		last++
	}
	b := l.blocks[last]
	l.rows = append(l.rows, lookupRow{uint32(last*lookupBlock + len(b)), uint16(len(value)), which, key})
	l.blocks[last] = append(b, value...)
}

func (l *lookups) value(r lookupRow) []byte {
	return l.blocks[r.offset/lookupBlock][r.offset%lookupBlock:][:r.length]
}

type principalFact struct {
	principal   console.ResourceKey
	entitlement console.EntitlementKey
}

func (st *Staging) writeLookups(ctx context.Context) error {
	l := &st.lookups
	slices.SortFunc(l.rows, func(a, b lookupRow) int {
		if a.list != b.list {
			return int(a.list) - int(b.list)
		}
		if c := bytes.Compare(l.value(a), l.value(b)); c != 0 {
			return c
		}
		return int(a.key - b.key)
	})
	err := inChunks(st, values(l.rows), func(rows []lookupRow) error {
		first, last := rows[0], rows[len(rows)-1]
		undo := encode(lookupRange{first.list, l.value(first), last.list, l.value(last)})
		return st.inChunk(ctx, stagedLookups, undo, func(t *Tx) error {
			return t.e.Copy("lookup", []string{"stream", "list", "value", "key", "opened"}, func(w engine.Writer) error {
				for _, r := range rows {
					w.Int(int64(st.Sync.Stream))
					w.Int(int64(r.list))
					w.Bytes(l.value(r))
					w.Int(r.key)
					w.Int(int64(st.Number))
					if err := w.End(); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
	*l = lookups{}
	return err
}

func (st *Staging) writePrincipals(ctx context.Context) error {
	slices.SortFunc(st.byPrincipal, func(a, b principalFact) int {
		if a.principal != b.principal {
			return int(a.principal - b.principal)
		}
		return int(a.entitlement - b.entitlement)
	})
	err := inChunks(st, values(st.byPrincipal), func(rows []principalFact) error {
		var undo undoList
		undo.add(Open, int64(rows[0].principal), int64(rows[len(rows)-1].principal))
		return st.inChunk(ctx, stagedPrincipals, undo, func(t *Tx) error {
			return t.e.Copy("fact_by_principal", []string{"principal", "entitlement", "opened"}, func(w engine.Writer) error {
				for _, r := range rows {
					w.Int(int64(r.principal))
					w.Int(int64(r.entitlement))
					w.Int(int64(st.Number))
					if err := w.End(); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
	st.byPrincipal = nil
	return err
}

func values[T any](s []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range s {
			if !yield(v, nil) {
				return
			}
		}
	}
}
