package sqlitefile

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
	if err := t.payload(record, maxLocalTable); err != nil {
		return err
	}
	if leaf := t.levels[0]; !leaf.page.fits(t.cell) {
		t.hold(0, 0)
		leaf.divider = appendVarint(leaf.divider[:0], uint64(before))
	}
	return t.add(0, 0, t.cell)
}

// entry adds an entry to the tree of an index.
func (t *tree) entry(record []byte) error {
	t.cell = appendVarint(t.cell[:0], uint64(len(record)))
	if err := t.payload(record, maxLocalIndex); err != nil {
		return err
	}
	return t.add(0, 0, t.cell)
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

// add adds a cell to a level, or parts two pages of it with the cell.
func (t *tree) add(depth int, child uint32, body []byte) error {
	if depth == len(t.levels) {
		t.grow()
	}
	l := t.levels[depth]
	if !l.page.fits(body) {
		t.hold(depth, child)
		l.divider = append(l.divider[:0], body...)
		return nil
	}
	l.page.put(child, body)
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
			l.page.put(between, l.divider)
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
