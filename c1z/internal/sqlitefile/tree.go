package sqlitefile

import "slices"

// The parts of a payload that stay on a page of a b-tree, in bytes; the rest overflows.
const (
	maxLocalTable = pageSize - 35
	maxLocalIndex = (pageSize-12)*64/255 - 23
	minLocal      = (pageSize-12)*32/255 - 23
	overflowRoom  = pageSize - 4
)

// tree builds a b-tree from cells in order, children before parents. In a tree of a
// table all rows are on leaves, and what parts two pages is a copy of the rowid before;
// in one of an index what parts two pages is an entry of its own.
type tree struct {
	pages  *pageWriter
	index  bool
	levels []*level // leaves first
	cell   []byte
}

// level is one level of a tree. A page that is full is held back until the next one
// has a cell, for only a root may be without.
type level struct {
	page, held *page
	holding    bool
	divider    []byte // the body of the cell between the two
}

func newTree(pages *pageWriter, index bool) *tree {
	t := &tree{pages: pages, index: index}
	t.grow()
	return t
}

func (t *tree) pageType(depth int) byte {
	switch {
	case t.index && depth == 0:
		return indexLeaf
	case t.index:
		return indexInterior
	case depth == 0:
		return tableLeaf
	}
	return tableInterior
}

func (t *tree) grow() {
	l := &level{page: new(page), held: new(page)}
	l.page.reset(t.pageType(len(t.levels)))
	t.levels = append(t.levels, l)
}

// row adds a row to the tree of a table. Before is the rowid of the row before.
func (t *tree) row(rowid, before int64, record []byte) error {
	t.cell = appendVarint(t.cell[:0], uint64(len(record)))
	t.cell = appendVarint(t.cell, uint64(rowid))
	return t.put(record, maxLocalTable, before)
}

// entry adds an entry to the tree of an index.
func (t *tree) entry(record []byte) error {
	t.cell = appendVarint(t.cell[:0], uint64(len(record)))
	return t.put(record, maxLocalIndex, 0)
}

// put completes the cell and adds it.
func (t *tree) put(record []byte, maxLocal int, before int64) error {
	if err := t.payload(record, maxLocal); err != nil {
		return err
	}
	room, err := t.leaf(len(t.cell), before)
	copy(room[:len(t.cell)], t.cell)
	return err
}

// rowRoom adds a row whose record, of so many bytes, does not overflow, and returns the room
// for it: the record is appended where it stays.
func (t *tree) rowRoom(rowid, before int64, record int) (room []byte, err error) {
	n := uint64(record)
	room, err = t.leaf(varintLen(n)+varintLen(uint64(rowid))+record, before)
	return appendVarint(appendVarint(room, n), uint64(rowid)), err
}

// entryRoom adds an entry as rowRoom does a row.
func (t *tree) entryRoom(record int) (room []byte, err error) {
	n := uint64(record)
	room, err = t.leaf(varintLen(n)+record, 0)
	return appendVarint(room, n), err
}

// payload completes the cell, and writes the overflow pages of it.
func (t *tree) payload(record []byte, maxLocal int) error {
	if len(record) <= maxLocal {
		t.cell = append(t.cell, record...)
		return nil
	}
	local := minLocal + (len(record)-minLocal)%overflowRoom
	if local > maxLocal {
		local = minLocal
	}
	t.cell = append(t.cell, record[:local]...)
	t.cell = appendUint32(t.cell, t.pages.number())
	rest := record[local:]
	var next [4]byte
	for len(rest) > 0 {
		part := rest[:min(len(rest), overflowRoom)]
		rest = rest[len(part):]
		following := uint32(0)
		if len(rest) > 0 {
			following = t.pages.after()
		}
		if _, err := t.pages.add(appendUint32(next[:0], following), part); err != nil {
			return err
		}
	}
	return nil
}

func appendUint32(dst []byte, v uint32) []byte {
	return append(dst, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// hold sets the full page of a level aside and begins another one.
func (t *tree) hold(depth int, right uint32) {
	l := t.levels[depth]
	l.page, l.held = l.held, l.page
	l.page.reset(t.pageType(depth))
	if depth > 0 {
		l.held.setRight(right)
	}
	l.holding = true
}

// leaf adds a cell of so many bytes to the leaves, or parts two of an index with it, and
// returns the room for it. Before is the rowid that parts two leaves of a table.
func (t *tree) leaf(size int, before int64) (room []byte, err error) {
	l := t.levels[0]
	if !l.page.fits(size) {
		t.hold(0, 0)
		if t.index {
			l.divider = slices.Grow(l.divider[:0], size)[:size]
			return l.divider[:0], nil
		}
		l.divider = appendVarint(l.divider[:0], uint64(before))
	}
	room = l.page.cell(0, size)
	if l.holding {
		err = t.release(0)
	}
	return room, err
}

// add adds a cell to a level above the leaves, or parts two pages of it with the cell.
func (t *tree) add(depth int, child uint32, body []byte) error {
	if depth == len(t.levels) {
		t.grow()
	}
	l := t.levels[depth]
	if !l.page.fits(len(body)) {
		t.hold(depth, child)
		l.divider = append(l.divider[:0], body...)
		return nil
	}
	copy(l.page.cell(child, len(body))[:len(body)], body)
	if l.holding {
		return t.release(depth)
	}
	return nil
}

// release writes the page that is held back, and tells the level above.
func (t *tree) release(depth int) error {
	l := t.levels[depth]
	l.holding = false
	number, err := t.pages.add(l.held.finish())
	if err != nil {
		return err
	}
	return t.add(depth+1, number, l.divider)
}

// finish writes what is left, but for the root, which it returns.
func (t *tree) finish() (root *page, err error) {
	var child uint32
	for depth := 0; ; depth++ {
		l := t.levels[depth]
		if depth > 0 {
			l.page.setRight(child)
		}
		if l.holding { // nothing came after the divider: one more cell moves over
			before, body := l.held.pop(nil)
			between := uint32(0)
			if depth > 0 {
				between = l.held.right()
				l.held.setRight(before)
			}
			copy(l.page.cell(between, len(l.divider))[:len(l.divider)], l.divider)
			l.divider = body
			if err := t.release(depth); err != nil {
				return nil, err
			}
		}
		if depth == len(t.levels)-1 {
			return l.page, nil
		}
		if child, err = t.pages.add(l.page.finish()); err != nil {
			return nil, err
		}
	}
}
