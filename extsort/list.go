package extsort

import (
	"bytes"
	"sort"
)

// List is keys that are read as they were added, any number of times, and from anywhere if
// they were added in order.
type List struct {
	run    run
	firsts [][]byte // of each chunk
	n      int
}

// List begins a list.
func (p *Pool) List() *List { return &List{run: run{scratch: &p.scratch}} }

// Len is how many keys were added.
func (l *List) Len() int { return l.n }

// Add adds a key. A list of which one is less than the one before is only to be read from
// its beginning.
func (l *List) Add(key []byte) error {
	if len(l.run.tail) == 0 {
		l.firsts = append(l.firsts, bytes.Clone(key))
	}
	l.n++
	return l.run.add(key, common(l.run.last, key))
}

// Cursor reads a list.
type Cursor struct {
	list   *List
	reader reader
	from   []byte
	on     bool // the next key may be before from
}

// From reads the list from the first key on that is not less than this one. Several
// cursors can be open at a time.
func (l *List) From(key []byte) *Cursor {
	c := &Cursor{list: l, reader: reader{run: &l.run}}
	c.Seek(key)
	return c
}

// Seek goes on from the first key that is not less than this one.
func (c *Cursor) Seek(key []byte) {
	firsts := c.list.firsts
	at := sort.Search(len(firsts), func(i int) bool { return bytes.Compare(firsts[i], key) > 0 })
	c.reader.at, c.reader.rest = max(at-1, 0), nil
	c.from, c.on = append(c.from[:0], key...), true
}

// Next is the next key, which is good until the next call, or io.EOF.
func (c *Cursor) Next() ([]byte, error) {
	for {
		key, _, err := c.reader.next()
		if err != nil || !c.on || bytes.Compare(key, c.from) >= 0 {
			c.on = false
			return key, err
		}
	}
}
