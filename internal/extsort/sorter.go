package extsort

import (
	"bytes"
	"slices"

	"baton/internal/disk"
)

// Pool holds what sorters, lists and queues share: memory and a scratch file. Neither it nor they
// are safe for concurrent use.
type Pool struct {
	arena   *arena
	scratch scratch
	sorters []*Sorter
	items   []item
}

// NewPool makes a pool with that much memory, in bytes. Keys that do not fit go to a nameless file
// in dir, or in the default directory for temporary files if dir is empty. If fsys is nil, it is
// that of the system.
func NewPool(fsys disk.FS, dir string, memory int) *Pool {
	return &Pool{arena: newArena(memory), scratch: scratch{fsys: disk.Of(fsys), dir: dir}}
}

// Prepare creates the scratch file now, so that an error of its directory is reported early.
func (p *Pool) Prepare() error { return p.scratch.make() }

// Close removes the scratch file. It can be called more than once.
func (p *Pool) Close() error {
	p.arena, p.items, p.sorters = newArena(0), nil, nil
	return p.scratch.close()
}

// maxOpen is the number of open runs of a sorter. Columns that are sorted one by one, but come in
// the order of the columns joined, need one per id in a chain of prefixes, times the number of
// syncs.
const maxOpen = 12

// Sorter sorts keys.
type Sorter struct {
	pool *Pool
	n    int
	open []*run // the run with the greatest last key first
	runs []*run
	keys keys
}

// Sorter makes a sorter.
func (p *Pool) Sorter() *Sorter {
	s := &Sorter{pool: p, keys: keys{arena: p.arena}}
	p.sorters = append(p.sorters, s)
	return s
}

// Len returns the number of keys that were added.
func (s *Sorter) Len() int { return s.n }

// Add adds a key, which is not kept. After an error no more can be added.
func (s *Sorter) Add(key []byte) error {
	s.n++
	if r, shared := s.openRun(key); r != nil {
		return r.add(key, shared)
	}
	if !s.keys.fits(key) {
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

// openRun returns the open run to which the key can be appended, and the length of the prefix that
// it shares with the last key there; nil if there is none. Among several runs it is the one with
// the greatest last key, which leaves the others for smaller keys.
func (s *Sorter) openRun(key []byte) (*run, int) {
	n := len(s.open)
	if n == maxOpen && bytes.Compare(key, s.open[n-1].last) < 0 {
		return nil, 0
	}
	for _, r := range s.open {
		shared := common(r.last, key)
		if shared == len(r.last) || shared < len(key) && key[shared] > r.last[shared] {
			return r, shared
		}
	}
	if n == maxOpen {
		return nil, 0
	}
	r := &run{scratch: &s.pool.scratch}
	s.open = append(s.open, r)
	return r, 0
}

// spill writes the keys of the sorter that uses the most memory to the file.
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

// memory returns the keys in memory, in order.
func (s *Sorter) memory() *memory {
	s.pool.items = s.keys.sorted(s.pool.items[:0])
	return &memory{keys: &s.keys, items: s.pool.items}
}

// Merge ends the adding. Until all keys are read, no other sorter of the pool may be merged, and
// no key may be added to one.
func (s *Sorter) Merge() (*Merger, error) {
	var sources []source
	for _, r := range slices.Concat(s.open, s.runs) {
		sources = append(sources, &reader{run: r})
	}
	if s.keys.n > 0 || len(sources) == 0 {
		sources = append(sources, s.memory())
	}
	return newMerger(sources)
}

// Release returns the memory to the pool, after the keys were read.
func (s *Sorter) Release() {
	s.keys.release()
	s.open, s.runs = nil, nil
}
