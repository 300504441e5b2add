package extsort

import (
	"bytes"
	"slices"

	"baton/internal/disk"
)

// Pool is what sorters share: a limit on memory and a scratch file. Neither it nor what
// it hands out is safe for concurrent use.
type Pool struct {
	arena   *arena
	scratch scratch
	sorters []*Sorter
	items   []item
}

// NewPool makes a pool of so many bytes. What does not fit goes to a nameless file in
// dir, or in the usual directory for such files when it is empty; on the system's disk
// when fsys is nil.
func NewPool(fsys disk.FS, dir string, memory int) *Pool {
	return &Pool{arena: newArena(memory), scratch: scratch{fsys: disk.Of(fsys), dir: dir}}
}

// Prepare makes the scratch file now, so that trouble with its directory shows early.
func (p *Pool) Prepare() error { return p.scratch.make() }

// Close gives up the scratch file and everything that is in it. It can be called more
// than once.
func (p *Pool) Close() error {
	p.arena, p.items, p.sorters = newArena(0), nil, nil
	return p.scratch.close()
}

// maxPiles is how many piles a sorter keeps. Text columns that are sorted one by one and
// come in the order of the same columns joined need as many as there are names of which
// each begins with the one before, times the syncs that are side by side.
const maxPiles = 12

// Sorter sorts keys.
type Sorter struct {
	pool  *Pool
	n     int
	piles []*run // the one with the greatest last key first
	runs  []*run
	keys  keys
}

// Sorter begins to sort.
func (p *Pool) Sorter() *Sorter {
	s := &Sorter{pool: p, keys: keys{arena: p.arena}}
	p.sorters = append(p.sorters, s)
	return s
}

// Len is how many keys were added.
func (s *Sorter) Len() int { return s.n }

// Add adds a key, which is not kept. After an error no more can be added.
func (s *Sorter) Add(key []byte) error {
	s.n++
	if r, shared := s.pile(key); r != nil {
		return r.add(key, shared)
	}
	if !s.keys.room(key) {
		for s.pool.arena.full(len(key)) {
			if spilled, err := s.pool.spill(); err != nil {
				return err
			} else if !spilled {
				break
			}
		}
		s.keys.grow(key)
	}
	s.keys.add(key)
	return nil
}

// pile is the pile that the key fits on, and how much it shares with the last one there.
// It is the one with the greatest last key that is not greater, which leaves the others
// open for what is smaller.
func (s *Sorter) pile(key []byte) (*run, int) {
	n := len(s.piles)
	if n == maxPiles && bytes.Compare(key, s.piles[n-1].last) < 0 {
		return nil, 0
	}
	for _, r := range s.piles {
		shared := common(r.last, key)
		if shared == len(r.last) || shared < len(key) && key[shared] > r.last[shared] {
			return r, shared
		}
	}
	if n == maxPiles {
		return nil, 0
	}
	r := &run{scratch: &s.pool.scratch}
	s.piles = append(s.piles, r)
	return r, 0
}

// spill moves the keys of the sorter that has the most of them in memory to the file.
func (p *Pool) spill() (spilled bool, err error) {
	var largest *Sorter
	for _, s := range p.sorters {
		if s.keys.n > 0 && (largest == nil || s.keys.size > largest.keys.size) {
			largest = s
		}
	}
	if largest == nil {
		return false, nil
	}
	return true, largest.spill()
}

func (s *Sorter) spill() error {
	r := &run{scratch: &s.pool.scratch}
	for src := s.memory(); len(src.items) > 0; {
		key, shared, err := src.next()
		if err == nil {
			err = r.add(key, shared)
		}
		if err != nil {
			return err
		}
	}
	if err := r.flush(); err != nil {
		return err
	}
	r.tail, r.last = nil, nil
	s.runs = append(s.runs, r)
	s.keys.release()
	return nil
}

// memory is the keys in memory, in order.
func (s *Sorter) memory() *memory {
	s.pool.items = s.keys.sorted(s.pool.items[:0])
	return &memory{keys: &s.keys, items: s.pool.items}
}

// Merge ends the adding. While the keys are read, no other sorter of the pool can be
// merged and none can be added to.
func (s *Sorter) Merge() (*Merger, error) {
	var sources []source
	for _, r := range slices.Concat(s.piles, s.runs) {
		sources = append(sources, &reader{run: r})
	}
	if s.keys.n > 0 || len(sources) == 0 {
		sources = append(sources, s.memory())
	}
	return newMerger(sources)
}

// Release gives the memory back to the pool, when the keys were read.
func (s *Sorter) Release() {
	s.keys.release()
	s.piles, s.runs = nil, nil
}
