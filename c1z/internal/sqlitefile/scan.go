package sqlitefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Scan reads the rows of a table in the order of their rowids. Any program may have written the
// database, if it has pages of [PageSize] bytes and UTF-8 text. Scan fails where it finds
// anything else, or a page that is malformed, and does not say whether the file is damaged.
//
//	s, err := sqlitefile.NewScan(file, size, root)
//	for s.Next() {
//		fmt.Println(s.Rowid, s.Row)
//	}
//	err = s.Err()
type Scan struct {
	Rowid int64
	// Row holds the columns as stored: an alias of the rowid is NULL, and columns that were
	// added to the table after the row was written are missing. It is valid until the next
	// call.
	Row []Value

	in       io.ReaderAt
	pages    int64
	branches []branch // from the root down
	buf      []byte
	window   []byte // the pages that were read last; part of buf
	first    int64  // number of the first page in the window
	last     int64  // number of the page that was loaded last
	leaf     []byte // in the window
	cells    int    // of the leaf
	at       int
	whole    []byte // of a row that overflows
	err      error
}

// PageSize is the size of pages, in bytes.
const PageSize = pageSize

// branch is an interior page.
type branch struct {
	page  []byte
	cells int
	at    int // the child that is being read; the last child has no cell
}

const (
	// readAhead is the number of pages that are read at once while the leaves of a table follow
	// each other. There may be pages of indexes between them.
	readAhead = 16

	maxBranches = 20
	maxPayload  = 256 << 20
)

var (
	errForeign   = errors.New("sqlitefile: the database has another page size or encoding")
	errMalformed = errors.New("sqlitefile: a page is malformed")
)

// NewScan begins to read the table with that root page. Size is the size of the database in bytes.
func NewScan(in io.ReaderAt, size int64, root int64) (*Scan, error) {
	head := make([]byte, fileHeader)
	if _, err := in.ReadAt(head, 0); err != nil {
		return nil, err
	}
	be := binary.BigEndian
	const (
		sizeAt, reservedAt, encodingAt = 16, 20, 56
		utf8                           = 1
	)
	if !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) || be.Uint16(head[sizeAt:]) != pageSize || head[reservedAt] != 0 || be.Uint32(head[encodingAt:]) != utf8 {
		return nil, errForeign
	}
	s := &Scan{in: in, pages: size / pageSize, buf: make([]byte, readAhead*pageSize)}
	return s, s.descend(root)
}

// Next goes to the next row, and reports whether there is one.
func (s *Scan) Next() bool {
	for s.err == nil && s.at == s.cells {
		if !s.nextLeaf() {
			return false
		}
	}
	if s.err != nil {
		return false
	}
	cell := s.leaf[binary.BigEndian.Uint16(s.leaf[leafHeader+2*s.at:]):]
	s.at++
	s.err = s.read(cell)
	return s.err == nil
}

// Err returns the error that ended the scan; nil at the end of the table.
func (s *Scan) Err() error { return s.err }

// page returns a page of the tree and the number of its cells. The page is valid until the next
// one is loaded.
func (s *Scan) page(number int64) (b []byte, cells int, err error) {
	if number < 2 || number > s.pages { // the first one is of the schema
		return nil, 0, errMalformed
	}
	if b, err = s.load(number); err != nil {
		return nil, 0, err
	}
	header := leafHeader
	switch b[0] {
	case tableInterior:
		header = interiorHeader
	case tableLeaf:
	default:
		return nil, 0, errMalformed
	}
	cells = int(binary.BigEndian.Uint16(b[3:]))
	first := header + 2*cells
	if first > pageSize {
		return nil, 0, errMalformed
	}
	for at := header; at < first; at += 2 {
		if cell := int(binary.BigEndian.Uint16(b[at:])); cell < first || cell > pageSize-4 {
			return nil, 0, errMalformed
		}
	}
	return b, cells, nil
}

// load returns a page. If it is at most readAhead pages after the last one, the pages that follow
// are read with it.
func (s *Scan) load(number int64) ([]byte, error) {
	at := (number - s.first) * pageSize
	if at < 0 || at >= int64(len(s.window)) {
		n := int64(1)
		if ahead := number - s.last; ahead > 0 && ahead <= readAhead {
			n = min(readAhead, s.pages-number+1)
		}
		at, s.first, s.window = 0, number, s.buf[:n*pageSize]
		if _, err := s.in.ReadAt(s.window, (number-1)*pageSize); err != nil {
			s.window = nil
			return nil, err
		}
	}
	s.last = number
	return s.window[at : at+pageSize], nil
}

// descend goes to the first leaf below a page.
func (s *Scan) descend(number int64) error {
	for {
		page, cells, err := s.page(number)
		if err != nil {
			return err
		}
		if page[0] == tableLeaf {
			s.leaf, s.cells, s.at = page, cells, 0
			return nil
		}
		if len(s.branches) == maxBranches {
			return errMalformed
		}
		b := branch{page: bytes.Clone(page), cells: cells}
		s.branches = append(s.branches, b)
		number = b.child()
	}
}

func (b *branch) child() int64 {
	be := binary.BigEndian
	if b.at == b.cells {
		return int64(be.Uint32(b.page[8:]))
	}
	return int64(be.Uint32(b.page[be.Uint16(b.page[interiorHeader+2*b.at:]):]))
}

// nextLeaf goes to the leaf after this one, and reports whether there is one.
func (s *Scan) nextLeaf() bool {
	for n := len(s.branches); n > 0; n = len(s.branches) {
		b := &s.branches[n-1]
		if b.at < b.cells {
			b.at++
			s.err = s.descend(b.child())
			return s.err == nil
		}
		s.branches = s.branches[:n-1]
	}
	return false
}

// read reads a row.
func (s *Scan) read(cell []byte) error {
	size, n := uvarint(cell)
	rowid, m := uvarint(cell[n:])
	if n == 0 || m == 0 || size > maxPayload {
		return errMalformed
	}
	s.Rowid = int64(rowid)
	payload := cell[n+m:]
	if size <= maxLocalTable {
		if uint64(len(payload)) < size {
			return errMalformed
		}
		return s.record(payload[:size])
	}
	local := minLocal + (int(size)-minLocal)%overflowSize
	if local > maxLocalTable {
		local = minLocal
	}
	if len(payload) < local+4 {
		return errMalformed
	}
	s.whole = append(s.whole[:0], payload[:local]...)
	for next := binary.BigEndian.Uint32(payload[local:]); len(s.whole) < int(size); {
		if next < 2 || int64(next) > s.pages {
			return errMalformed
		}
		at, part := int64(next-1)*pageSize, min(int(size)-len(s.whole), overflowSize)
		start := len(s.whole)
		s.whole = append(s.whole, make([]byte, 4+part)...)
		if _, err := s.in.ReadAt(s.whole[start:], at); err != nil {
			return err
		}
		next = binary.BigEndian.Uint32(s.whole[start:])
		s.whole = append(s.whole[:start], s.whole[start+4:]...)
	}
	return s.record(s.whole)
}

// record parses a record into Row.
func (s *Scan) record(b []byte) error {
	header, n := uvarint(b)
	if n == 0 || header < uint64(n) || header > uint64(len(b)) {
		return errMalformed
	}
	types, body := b[n:header], b[header:]
	s.Row = s.Row[:0]
	for len(types) > 0 {
		serial, n := uvarint(types)
		if n == 0 {
			return errMalformed
		}
		types = types[n:]
		var v Value
		size := uint64(0)
		switch {
		case serial >= serialBlob:
			v.kind = blob
			if size = (serial - serialBlob) / 2; serial%2 == 1 {
				v.kind = text
			}
		case serial < uint64(len(widths)):
			size = uint64(widths[serial])
		default:
			return errMalformed
		}
		if size > uint64(len(body)) {
			return errMalformed
		}
		content := body[:size:size]
		body = body[size:]
		switch {
		case serial >= serialBlob:
			v.b = content
		case serial == serialNull:
		case serial == serialReal:
			v.kind, v.n = real, int64(binary.BigEndian.Uint64(content))
		case serial >= serialZero:
			v.kind, v.n = integer, int64(serial-serialZero)
		default:
			v.kind, v.n = integer, int64(int8(content[0]))
			for _, b := range content[1:] {
				v.n = v.n<<8 | int64(b)
			}
		}
		s.Row = append(s.Row, v)
	}
	if len(body) > 0 {
		return errMalformed
	}
	return nil
}

// uvarint decodes what appendVarint encodes, and returns its length; 0 if it is incomplete.
func uvarint(b []byte) (v uint64, n int) {
	for n < len(b) && n < 8 {
		c := b[n]
		n++
		if v = v<<7 | uint64(c&0x7f); c < 0x80 {
			return v, n
		}
	}
	if n == 8 && len(b) > 8 {
		return v<<8 | uint64(b[8]), 9
	}
	return 0, 0
}
