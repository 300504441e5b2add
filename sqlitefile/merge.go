package sqlitefile

import (
	"bufio"
	"encoding/binary"
	"io"
	"math/bits"

	"baton/disk"
)

// spill is the scratch file with the sorted runs that did not fit into memory. In a
// run each key is how many bytes it has in common with the one before, how many more
// it has, both as unsigned varints, and those.
type spill struct {
	fsys disk.FS
	dir  string
	file *disk.Scratch // nil until it is needed
	size int64
	w    *bufio.Writer
	head []byte
}

// run is where in the scratch file a sorted run is.
type run struct{ offset, size int64 }

func (s *spill) open() error {
	if s.file != nil {
		return nil
	}
	f, err := disk.NewScratch(s.fsys, s.dir, ".sort-")
	if err != nil {
		return err
	}
	f.Hide()
	s.file = f
	s.w = bufio.NewWriterSize(f, writeSize)
	return nil
}

func (s *spill) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// write appends a run.
func (s *spill) write(src *memory) (run, error) {
	if err := s.open(); err != nil {
		return run{}, err
	}
	r := run{offset: s.size}
	for {
		key, shared, err := src.next()
		if err == io.EOF {
			break
		}
		s.head = binary.AppendUvarint(s.head[:0], uint64(shared))
		s.head = binary.AppendUvarint(s.head, uint64(len(key)-shared))
		s.w.Write(s.head)
		s.w.Write(key[shared:])
		s.size += int64(len(s.head) + len(key) - shared)
	}
	r.size = s.size - r.offset
	if err := s.w.Flush(); err != nil {
		return run{}, disk.Errorf(err, s.file.Name(), "sqlitefile: write the scratch file")
	}
	return r, nil
}

// source is a sorted run of keys. The key is good until the next call; shared is how
// many bytes at least it has in common with the one before. It ends with io.EOF.
type source interface {
	next() (key []byte, shared int, err error)
}

// memory is the run that never left memory.
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

// common is how many bytes two keys have in common.
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

// stored is a run in the scratch file.
type stored struct {
	spill *spill
	r     *bufio.Reader
	key   []byte
}

// How much of a run is read at a time: enough to be worth a call, and so little that
// dozens of runs stay in the processor's caches.
const (
	minRead = 4 << 10
	maxRead = 32 << 10
)

func (s *spill) read(r run, buffer int) *stored {
	section := io.NewSectionReader(s.file, r.offset, r.size)
	return &stored{spill: s, r: bufio.NewReaderSize(section, min(max(buffer, minRead), maxRead))}
}

func (d *stored) next() (key []byte, shared int, err error) {
	head, err := d.r.Peek(2 * binary.MaxVarintLen32)
	if len(head) == 0 || err != nil && err != io.EOF {
		return nil, 0, d.trouble(err)
	}
	old, n := binary.Uvarint(head)
	more, m := binary.Uvarint(head[n:])
	d.r.Discard(n + m)
	size := int(old + more)
	if cap(d.key) < size {
		d.key = append(make([]byte, 0, 2*size), d.key...)
	}
	d.key = d.key[:size]
	if _, err := io.ReadFull(d.r, d.key[old:]); err != nil {
		return nil, 0, d.trouble(err)
	}
	return d.key, int(old), nil
}

func (d *stored) trouble(err error) error {
	if err == io.EOF {
		return err
	}
	return disk.Errorf(err, d.spill.file.Name(), "sqlitefile: read the scratch file")
}

// merger merges sorted runs in a tree of losers. Each run's key remembers how much of it
// is shared with the key that it lost to. On the way up from the run that gave the last
// key, all keys lost to that one, so the one that shares more of it is the smaller, and
// bytes are compared only where both share as much, and only after that.
type merger struct {
	sources []source
	keys    [][]byte // nil after the end
	shared  []int
	losers  []int // of each inner node; the winner of all at 0
}

func newMerger(sources []source) (*merger, error) {
	k := len(sources)
	m := &merger{sources: sources, keys: make([][]byte, k), shared: make([]int, k), losers: make([]int, k)}
	for i := range sources {
		if err := m.advance(i); err != nil {
			return nil, err
		}
	}
	m.losers[0] = m.start(1)
	return m, nil
}

func (m *merger) advance(i int) (err error) {
	m.keys[i], m.shared[i], err = m.sources[i].next()
	if err == io.EOF {
		m.keys[i] = nil
		return nil
	}
	return err
}

// start plays the matches below a node for the first time.
func (m *merger) start(node int) (winner int) {
	if node >= len(m.sources) {
		return node - len(m.sources)
	}
	a, b := m.start(2*node), m.start(2*node+1)
	winner, m.losers[node] = m.play(a, b)
	return winner
}

func (m *merger) play(a, b int) (winner, loser int) {
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

// key is the smallest key, nil after the last one, and how many bytes of it are those
// of the one before.
func (m *merger) key() (key []byte, shared int) {
	w := m.losers[0]
	return m.keys[w], m.shared[w]
}

// next goes to the next key.
func (m *merger) next() error {
	w := m.losers[0]
	if err := m.advance(w); err != nil {
		return err
	}
	for node := (w + len(m.sources)) / 2; node > 0; node /= 2 {
		w, m.losers[node] = m.play(w, m.losers[node])
	}
	m.losers[0] = w
	return nil
}
