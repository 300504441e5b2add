package extsort

import (
	"bytes"
	"context"
	"io"
	"sort"
)

// List is a sequence of keys in order. It can be read from any key, any number of times.
type List struct {
	run    run
	firsts [][]byte // the first key of each chunk
	n      int
}

// List makes a list.
func (p *Pool) List() *List { return &List{run: run{scratch: &p.scratch}} }

// Len returns the number of keys.
func (l *List) Len() int { return l.n }

// Add adds a key that is not less than the previous one.
func (l *List) Add(key []byte) error {
	if len(l.run.tail) == 0 {
		l.firsts = append(l.firsts, bytes.Clone(key))
	}
	l.n++
	return l.run.add(key, common(l.run.last, key))
}

// Each calls fn with each key, which is valid during the call only.
func (l *List) Each(ctx context.Context, fn func(key []byte) error) error {
	for n, c := 0, l.From(nil); ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, err := c.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = fn(key)
		}
		if err != nil {
			return err
		}
	}
}

// Cursor reads a list.
type Cursor struct {
	list   *List
	reader reader
	from   []byte
	on     bool   // the next key may be less than from
	again  bool   // Next returns the last key again
	read   bool   // there is a last key
	before []byte // the beginning of the key before the last one; empty if there is none
}

// From returns a cursor at the first key that is not less than key. Several cursors can be in use
// at a time.
func (l *List) From(key []byte) *Cursor {
	c := &Cursor{list: l, reader: reader{run: &l.run}}
	c.Seek(key)
	return c
}

// remembered is the number of bytes of the key before the last one that are kept.
const remembered = 64

// Seek moves to the first key that is not less than key. If that key follows in the same chunk, it
// reads on from the current position.
func (c *Cursor) Seek(key []byte) {
	last := c.reader.key
	if c.read && c.isBefore(key) && bytes.Compare(last, key) >= 0 {
		c.again, c.on = true, false // a reader of keys with a prefix has read one key too far
		return
	}
	firsts := c.list.firsts
	at := max(sort.Search(len(firsts), func(i int) bool { return bytes.Compare(firsts[i], key) > 0 })-1, 0)
	if !c.read || len(c.reader.rest) == 0 || c.reader.at != at+1 || bytes.Compare(last, key) >= 0 {
		c.reader.at, c.reader.rest, c.read = at, nil, false
	}
	c.from, c.on, c.again = append(c.from[:0], key...), true, false
}

// isBefore reports whether the key before the last one is certainly less than key.
func (c *Cursor) isBefore(key []byte) bool {
	n := len(c.before)
	return n > 0 && bytes.Compare(c.before, key) < 0 && !(n == remembered && bytes.HasPrefix(key, c.before))
}

// Next returns the next key, which is valid until the next call, or io.EOF.
func (c *Cursor) Next() ([]byte, error) {
	if c.again {
		c.again = false
		return c.reader.key, nil
	}
	for {
		if c.read {
			c.before = append(c.before[:0], c.reader.key[:min(len(c.reader.key), remembered)]...)
		} else {
			c.before = c.before[:0]
		}
		key, _, err := c.reader.next()
		c.read = err == nil
		if err != nil || !c.on || bytes.Compare(key, c.from) >= 0 {
			c.on = false
			return key, err
		}
	}
}
