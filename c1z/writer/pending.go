package writer

import (
	"bytes"
	"encoding/binary"
)

// pending holds grants that have no numbers yet. Looking them up in batches of 64 hides cache
// misses.
type pending struct {
	entitlements, principals, tails texts
	grants                          []pendingGrant
	e, p                            []int // for reuse
}

type pendingGrant struct{ entitlement, principal, tail int } // indexes of texts

const (
	batchSize  = 64
	batchBytes = 64 << 10 // of tails
)

// add adds a grant.
func (g *grants) add(r Row) error {
	w := &g.pending
	w.entitlements.b = appendEntitlement(w.entitlements.b, r.ends[0], r.ends[1], r.entitlement())
	start := r.ends[2] + 1
	w.principals.b = binary.AppendUvarint(w.principals.b, uint64(r.ends[3]-start))
	w.principals.b = append(w.principals.b, r.id[start:]...)
	w.tails.b = append(w.tails.b, r.data...)
	w.grants = append(w.grants, pendingGrant{w.entitlements.end(), w.principals.end(), w.tails.end()})
	if len(w.grants) < batchSize && len(w.tails.b) < batchBytes {
		return nil
	}
	return g.number()
}

// number gives numbers to the entitlements and principals of the pending grants, and queues them.
func (g *grants) number() error {
	w := &g.pending
	w.e = g.entitlements.AddAll(w.e[:0], w.entitlements.b, w.entitlements.ends)
	w.p = g.principals.AddAll(w.p[:0], w.principals.b, w.principals.ends)
	for _, it := range w.grants {
		e, tail := w.e[it.entitlement], w.tails.at(it.tail)
		if e == len(g.given) {
			g.given = append(g.given, given{tail: bytes.Clone(tail[:min(len(tail), maxShared)])})
		}
		to := &g.given[e]
		to.n++
		shared := 0
		for shared < min(len(to.tail), len(tail)) && to.tail[shared] == tail[shared] {
			shared++
		}
		g.key = binary.AppendUvarint(g.key[:0], uint64(e))
		g.key = binary.AppendUvarint(g.key, uint64(w.p[it.principal]))
		g.key = binary.AppendUvarint(g.key, uint64(shared))
		if err := g.added.Add(append(g.key, tail[shared:]...)); err != nil {
			return err
		}
	}
	w.entitlements.clear()
	w.principals.clear()
	w.tails.clear()
	w.grants = w.grants[:0]
	return nil
}

// texts holds byte strings one after the other. A repetition of the last one is stored once.
type texts struct {
	b    []byte
	ends []int
}

func (t *texts) at(n int) []byte {
	start := 0
	if n > 0 {
		start = t.ends[n-1]
	}
	return t.b[start:t.ends[n]]
}

// end ends the text that was appended to b, and returns its index.
func (t *texts) end() int {
	n := len(t.ends)
	if n > 0 {
		start := t.ends[n-1]
		if bytes.Equal(t.b[start:], t.at(n-1)) {
			t.b = t.b[:start]
			return n - 1
		}
	}
	t.ends = append(t.ends, len(t.b))
	return n
}

func (t *texts) clear() { t.b, t.ends = t.b[:0], t.ends[:0] }
