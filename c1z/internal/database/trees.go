package database

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// maxRow is the largest value that SQLite may read, in bytes. It allocates what the file claims.
const maxRow = 256 << 20

// trees checks the b-trees of a database that any program may have written. SQLite follows every
// pointer, so a tree whose branches share children is small on disk and has a practically endless
// number of rows. Therefore each page must belong to one branch only.
type trees struct {
	in       io.ReaderAt
	pageSize int64
	reserved int64
	size     int64 // of the database
	pages    int64
	kinds    []byte   // the first bytes of the first pages, as far as they are known
	seen     []uint64 // a bit for each page
}

var errShared = errors.New("two branches share a page")

// Types of pages that have children.
const (
	branchOfIndex = 2
	branchOfTable = 5
)

func hasChildren(kind byte) bool { return kind == branchOfIndex || kind == branchOfTable }

func newTrees(in io.ReaderAt, size int64, kinds []byte) (*trees, error) {
	head := make([]byte, 100)
	if _, err := in.ReadAt(head, 0); err == io.EOF {
		return nil, errors.New("it has no header")
	} else if err != nil {
		return nil, err
	}
	t := &trees{in: in, pageSize: pageSize(head), reserved: int64(head[20]), size: size, kinds: kinds}
	if t.pageSize == 0 {
		return nil, errors.New("its page size is invalid")
	}
	t.pages = (size + t.pageSize - 1) / t.pageSize
	t.seen = make([]uint64, t.pages/64+1)
	return t, nil
}

// pageSize returns the page size in the header of a database, 0 if SQLite does not allow it.
func pageSize(head []byte) int64 {
	n := int64(binary.BigEndian.Uint16(head[16:]))
	switch {
	case n == 1:
		return 1 << 16
	case n < 512 || n&(n-1) != 0:
		return 0
	}
	return n
}

// pageKinds collects the first byte of each page of a database. That byte tells whether the page
// has children. With it, a walk reads only pages that have some, about one in two hundred.
type pageKinds struct {
	begun    bool
	pageSize int64 // 0: nothing is collected
	next     int64 // where in the next piece the next page begins
	first    []byte
}

// add adds the next piece of the database. The first one must contain the page size, or nothing is
// collected.
func (k *pageKinds) add(b []byte) {
	if !k.begun {
		k.begun = true
		if len(b) >= 18 {
			k.pageSize = pageSize(b)
		}
	}
	if k.pageSize == 0 {
		return
	}
	for ; k.next < int64(len(b)); k.next += k.pageSize {
		k.first = append(k.first, b[k.next])
	}
	k.next -= int64(len(b))
}

// walk visits a tree from its root.
func (t *trees) walk(root int64) error {
	page := make([]byte, t.pageSize)
	for todo := []int64{root}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n < 1 || n > t.pages {
			return errors.New("a page is beyond the end")
		}
		if t.seen[n/64]&(1<<(n%64)) != 0 {
			return errShared
		}
		t.seen[n/64] |= 1 << (n % 64)
		head, at := page[:12], (n-1)*t.pageSize
		switch {
		case n == 1:
			at = 100 // after the header of the file
		case n <= int64(len(t.kinds)) && at+12 <= t.size && !hasChildren(t.kinds[n-1]):
			continue
		}
		if _, err := t.in.ReadAt(head, at); err != nil && err != io.EOF {
			return err
		} else if err != nil {
			return errors.New("a page is beyond the end")
		}
		if !hasChildren(head[0]) {
			continue
		}
		if _, err := t.in.ReadAt(page, (n-1)*t.pageSize); err != nil && err != io.EOF {
			return err
		}
		children, err := t.children(page, at-(n-1)*t.pageSize)
		if err != nil {
			return err
		}
		todo = append(todo, children...)
	}
	return nil
}

// children returns the children of a page, whose header is at start.
func (t *trees) children(page []byte, start int64) (children []int64, err error) {
	cells := int64(binary.BigEndian.Uint16(page[start+3:]))
	if start+12+2*cells > t.pageSize-t.reserved {
		return nil, errors.New("a page has more rows than it can hold")
	}
	children = append(children, int64(binary.BigEndian.Uint32(page[start+8:])))
	for i := range cells {
		cell := int64(binary.BigEndian.Uint16(page[start+12+2*i:]))
		if cell+4 > t.pageSize {
			return nil, errors.New("a row is beyond the end of its page")
		}
		children = append(children, int64(binary.BigEndian.Uint32(page[cell:])))
	}
	return children, nil
}

// checkTrees checks that reading a database takes a time that is limited by its size. The schema
// is checked before open, because it is a tree, too, and SQLite reads it first.
func checkTrees(in io.ReaderAt, size int64, kinds []byte, path string, open func() (*sqlite.Conn, error)) (*sqlite.Conn, error) {
	t, err := newTrees(in, size, kinds)
	if err == nil {
		err = t.walk(1)
	}
	if err != nil {
		return nil, misread(path, err)
	}
	conn, err := open()
	if err != nil {
		return nil, err
	}
	conn.Limit(sqlite.LimitLength, maxRow)
	var roots []int64
	err = sqlitex.ExecuteTransient(conn, `select rootpage from sqlite_schema where rootpage > 0`, &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error { roots = append(roots, s.ColumnInt64(0)); return nil }})
	err = Unreadable(path, err)
	for _, root := range roots {
		if err == nil {
			if e := t.walk(root); e != nil {
				err = misread(path, e)
			}
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// misread classifies an error as one of the disk or of a damaged file.
func misread(path string, err error) error {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return Storage("read", path, err)
	}
	return Damaged(path, err)
}
