package sqlitefile

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	pageSize = 4096
	// lockPage is the page with the bytes that SQLite locks; it stays empty.
	lockPage = 1<<30/pageSize + 1

	fileHeader     = 100 // on page 1, before the page's own header
	leafHeader     = 8
	interiorHeader = 12

	tableInterior = 0x05
	tableLeaf     = 0x0d
	indexInterior = 0x02
	indexLeaf     = 0x0a
)

// page is a page of a b-tree that is being filled: cell pointers grow after the header,
// cells from the end towards them.
type page struct {
	buf    [pageSize]byte
	header int
	n      int // cells
	start  int // of the last cell
}

// reset empties the page. Bytes that are neither a cell nor a pointer keep their old content until
// finish clears them.
func (p *page) reset(typ byte) {
	p.buf[0] = typ
	p.header = leafHeader
	if typ == tableInterior || typ == indexInterior {
		p.header = interiorHeader
	}
	p.n, p.start = 0, pageSize
}

func (p *page) interior() bool { return p.header == interiorHeader }

// fits reports whether a cell with a body of that size fits, with its pointer. No cell is shorter
// than four bytes, the minimum of the format.
func (p *page) fits(body int) bool {
	return p.header+2*(p.n+1)+p.before()+body <= p.start
}

// before returns the number of bytes of a cell before its body.
func (p *page) before() int {
	if p.interior() {
		return 4
	}
	return 0
}

// cell adds a cell that fits, and returns an empty slice of the page to which the caller appends
// the body. On interior pages, child is the page before the cell.
func (p *page) cell(child uint32, body int) []byte {
	end := p.start
	p.start -= p.before() + body
	if p.interior() {
		binary.BigEndian.PutUint32(p.buf[p.start:], child)
	}
	binary.BigEndian.PutUint16(p.buf[p.header+2*p.n:], uint16(p.start))
	p.n++
	return p.buf[end-body : end-body : end]
}

// pop removes the last cell. It appends the body to dst.
func (p *page) pop(dst []byte) (child uint32, body []byte) {
	end := pageSize
	p.n--
	if p.n > 0 {
		end = int(binary.BigEndian.Uint16(p.buf[p.header+2*(p.n-1):]))
	}
	cell := p.buf[p.start:end]
	body = cell
	if p.interior() {
		child = binary.BigEndian.Uint32(cell)
		body = cell[4:]
	}
	body = append(dst, body...)
	p.start = end
	return child, body
}

// right returns the child after the last cell.
func (p *page) right() uint32         { return binary.BigEndian.Uint32(p.buf[8:]) }
func (p *page) setRight(child uint32) { binary.BigEndian.PutUint32(p.buf[8:], child) }

// finish writes the header, clears the space between pointers and cells, and returns the page.
func (p *page) finish() []byte {
	clear(p.buf[p.header+2*p.n : p.start])
	clear(p.buf[1:3]) // there are no free blocks
	binary.BigEndian.PutUint16(p.buf[3:], uint16(p.n))
	binary.BigEndian.PutUint16(p.buf[5:], uint16(p.start))
	p.buf[7] = 0 // and no fragments
	return p.buf[:]
}

// moveTo copies the page to page 1, after the header of the file, and reports whether it fits.
func (p *page) moveTo(first []byte) bool {
	end := p.header + 2*p.n
	if fileHeader+end > p.start {
		return false
	}
	p.finish()
	copy(first[fileHeader:], p.buf[:end])
	copy(first[p.start:], p.buf[p.start:])
	return true
}

// pageWriter numbers pages and writes them, in the order of their numbers.
type pageWriter struct {
	out    io.WriterAt // nil: pages are appended to kept
	kept   []byte
	buf    [pageSize]byte // for a page made of parts
	offset int64          // of the next page
	next   uint32         // number of the page after the last one
	err    error          // of an earlier write
}

func newPageWriter(out io.WriterAt, first uint32) *pageWriter {
	return &pageWriter{out: out, offset: int64(first-1) * pageSize, next: first}
}

// number returns the number that the next page will have.
func (w *pageWriter) number() uint32 {
	if w.next == lockPage {
		return lockPage + 1
	}
	return w.next
}

// after returns the number of the page after the next one.
func (w *pageWriter) after() uint32 {
	number := w.number() + 1
	if number == lockPage {
		number++
	}
	return number
}

// add writes a page, which consists of the parts and zeros, and returns its number. After an error
// it writes nothing.
func (w *pageWriter) add(parts ...[]byte) (uint32, error) {
	number := w.number()
	if number != w.next {
		clear(w.buf[:])
		w.write(w.buf[:])
	}
	page := parts[0]
	if len(page) != pageSize {
		n := 0
		for _, part := range parts {
			n += copy(w.buf[n:], part)
		}
		clear(w.buf[n:])
		page = w.buf[:]
	}
	w.write(page)
	w.next = number + 1
	return number, w.err
}

func (w *pageWriter) write(page []byte) {
	if w.out == nil {
		w.kept = append(w.kept, page...)
	} else if w.err == nil {
		if _, err := w.out.WriteAt(page, w.offset); err != nil {
			w.err = fmt.Errorf("sqlitefile: write the database: %w", err)
		}
	}
	w.offset += pageSize
}
