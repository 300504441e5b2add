package sqlitefile

import "slices"

// Limits for the part of a payload that stays on its page, in bytes. The rest goes to overflow
// pages.
const (
	maxLocalTable = pageSize - 35
	maxLocalIndex = (pageSize-12)*64/255 - 23
	minLocal      = (pageSize-12)*32/255 - 23
	overflowSize  = pageSize - 4
)

// tree builds a b-tree from cells in order, children before parents. In the tree of a table all
// rows are on leaves, and the divider between two pages is a copy of a rowid. In the tree of an
// index the divider is an entry that is on no leaf.
type tree struct {
	pages  *pageWriter
	index  bool
	levels []*level // leaves first
	cell   []byte
}

// level is one level of a tree. A full page is held back until the next page has a cell, because
// only a root may be empty.
type level struct {
	page, held *page
	holding    bool
	divider    []byte // body of the cell between held and page
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

// row adds a row to the tree of a table. Before is the previous rowid.
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
	space, err := t.leaf(len(t.cell), before)
	copy(space[:len(t.cell)], t.cell)
	return err
}

// rowSpace adds a row whose record, of that size, does not overflow. It returns a slice of the
// page to which the caller appends the record.
func (t *tree) rowSpace(rowid, before int64, record int) (space []byte, err error) {
	n := uint64(record)
	space, err = t.leaf(varintLen(n)+varintLen(uint64(rowid))+record, before)
	return appendVarint(appendVarint(space, n), uint64(rowid)), err
}

// entrySpace adds an entry as rowSpace adds a row.
func (t *tree) entrySpace(record int) (space []byte, err error) {
	n := uint64(record)
	space, err = t.leaf(varintLen(n)+record, 0)
	return appendVarint(space, n), err
}

// payload completes the cell, and writes its overflow pages.
func (t *tree) payload(record []byte, maxLocal int) error {
	if len(record) <= maxLocal {
		t.cell = append(t.cell, record...)
		return nil
	}
	local := minLocal + (len(record)-minLocal)%overflowSize
	if local > maxLocal {
		local = minLocal
	}
	t.cell = append(t.cell, record[:local]...)
	t.cell = appendUint32(t.cell, t.pages.number())
	rest := record[local:]
	var next [4]byte
	for len(rest) > 0 {
		part := rest[:min(len(rest), overflowSize)]
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

// hold holds back the full page of a level and begins another one.
func (t *tree) hold(depth int, right uint32) {
	l := t.levels[depth]
	l.page, l.held = l.held, l.page
	l.page.reset(t.pageType(depth))
	if depth > 0 {
		l.held.setRight(right)
	}
	l.holding = true
}

// leaf adds a cell of that size to the leaves, or as the divider of two leaves of an index, and
// returns the space for it. Before is the rowid that divides two leaves of a table.
func (t *tree) leaf(size int, before int64) (space []byte, err error) {
	l := t.levels[0]
	if !l.page.fits(size) {
		t.hold(0, 0)
		if t.index {
			l.divider = slices.Grow(l.divider[:0], size)[:size]
			return l.divider[:0], nil
		}
		l.divider = appendVarint(l.divider[:0], uint64(before))
	}
	space = l.page.cell(0, size)
	if l.holding {
		err = t.release(0)
	}
	return space, err
}

// add adds a cell to a level above the leaves, or as the divider of two pages of it.
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

// release writes the page that is held back, and adds it to the level above.
func (t *tree) release(depth int) error {
	l := t.levels[depth]
	l.holding = false
	number, err := t.pages.add(l.held.finish())
	if err != nil {
		return err
	}
	return t.add(depth+1, number, l.divider)
}

// finish writes the remaining pages except the root, and returns the root.
func (t *tree) finish() (root *page, err error) {
	var child uint32
	for depth := 0; ; depth++ {
		l := t.levels[depth]
		if depth > 0 {
			l.page.setRight(child)
		}
		if l.holding { // the page after the divider is empty: the divider moves to it
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
