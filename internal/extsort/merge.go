package extsort

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// source returns sorted keys, then io.EOF. A key is valid until the next call. Shared is the length
// of the prefix that it shares with the previous key.
type source interface {
	next() (key []byte, shared int, err error)
}

// memory is a source of keys in memory.
type memory struct {
	keys  *keys
	items []item
	last  []byte
}

func (m *memory) next() (key []byte, shared int, err error) {
	if len(m.items) == 0 {
		return nil, 0, io.EOF
	}
	key = m.keys.key(&m.items[0])
	m.items = m.items[1:]
	shared = common(m.last, key)
	m.last = key
	return key, shared, nil
}

// common returns the length of the common prefix of two keys.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// Merger merges sorted sources with a loser tree. For each source's key it stores the length of
// the prefix that is shared with the key that it lost to. All keys on the path up from the source
// of the last key lost to that key. So the key that shares more with it is the smaller one, and
// bytes are compared only if both share the same length, and only after that prefix.
type Merger struct {
	sources []source
	keys    [][]byte // nil after the end
	shared  []int
	losers  []int // by inner node; at 0, the overall winner
	begun   bool
}

func newMerger(sources []source) (*Merger, error) {
	k := len(sources)
	if k == 1 {
		return &Merger{sources: sources}, nil
	}
	m := &Merger{sources: sources, keys: make([][]byte, k), shared: make([]int, k), losers: make([]int, k)}
	for i := range sources {
		if err := m.advance(i); err != nil {
			return nil, err
		}
	}
	m.losers[0] = m.start(1)
	return m, nil
}

func (m *Merger) advance(i int) (err error) {
	m.keys[i], m.shared[i], err = m.sources[i].next()
	if err == io.EOF {
		m.keys[i] = nil
		return nil
	}
	return err
}

// start plays the matches below a node for the first time.
func (m *Merger) start(node int) (winner int) {
	if node >= len(m.sources) {
		return node - len(m.sources)
	}
	a, b := m.start(2*node), m.start(2*node+1)
	winner, m.losers[node] = m.play(a, b)
	return winner
}

func (m *Merger) play(a, b int) (winner, loser int) {
	x, y := m.keys[a], m.keys[b]
	switch {
	case y == nil:
		return a, b
	case x == nil:
		return b, a
	case m.shared[a] > m.shared[b]:
		return a, b
	case m.shared[a] < m.shared[b]:
		return b, a
	}
	n := m.shared[a]
	n += common(x[n:], y[n:])
	if n < len(x) && n < len(y) && x[n] > y[n] {
		a, b = b, a
	}
	m.shared[b] = n
	return a, b
}

// Next returns the next key and the length of the prefix that it shares with the previous one, or
// io.EOF. The key is valid until the next call.
func (m *Merger) Next() (key []byte, shared int, err error) {
	if len(m.sources) == 1 {
		return m.sources[0].next()
	}
	w := m.losers[0]
	if m.begun {
		if err := m.advance(w); err != nil {
			return nil, 0, err
		}
		for node := (w + len(m.sources)) / 2; node > 0; node /= 2 {
			w, m.losers[node] = m.play(w, m.losers[node])
		}
		m.losers[0] = w
	}
	m.begun = true
	if m.keys[w] == nil {
		return nil, 0, io.EOF
	}
	return m.keys[w], m.shared[w], nil
}
