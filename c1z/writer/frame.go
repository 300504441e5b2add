package writer

import (
	"context"
	"encoding/binary"

	"github.com/klauspost/compress/zstd"

	"baton"
	"baton/c1z/internal/database"
	"baton/internal/disk"
)

// frame writes the container around a database while the database is written. Pages come in
// order, except that the first few come last. Those are stored in blocks without compression, so
// that their position and size are known from the beginning:
//
//	magic of the file | frame header with the content size | the first pages |
//	compressed blocks | checksum
//
// The compressed blocks come from the encoder of package zstd. A goroutine compresses the pages
// and computes the checksum.
type frame struct {
	ctx  context.Context
	out  *disk.Replacement
	head int    // size of the first pages, which come last; 0 before the first write
	buf  []byte // pages for the compressor
	comp *compressor
	err  error
}

// compressor compresses pages in a goroutine of its own.
type compressor struct {
	full     chan []byte // pages to compress
	empty    chan load   // the same memory, to be filled again
	finished chan error
	enc      *zstd.Encoder
	sum      checksum
	blocks   blockWriter
}

// load is memory that can be filled again, and the first error so far.
type load struct {
	buf []byte
	err error
}

const (
	// frameHeader is the magic number, the descriptor, the window and the content size.
	frameHeader = 4 + 1 + 1 + 8
	// rawBlock is the largest size of a block, blockHeader the size of its header.
	rawBlock    = 128 << 10
	blockHeader = 3

	// loadSize is the amount that the compressor gets at a time. One load is filled while
	// another one is compressed.
	loadSize = 256 << 10
	loads    = 3

	frameMagic = 0xfd2fb528
	// descriptor: a content size of eight bytes, a window, a checksum.
	descriptor = 3<<6 | 1<<2
	// window is the largest distance of a match. A larger one does not help sorted rows: with
	// 8 MiB the file of a million grants is smaller by less than a thousandth.
	window = 1 << 20
	// windowLog is log2(window) - 10, in the upper five bits.
	windowLog = (20 - 10) << 3
)

func newFrame(ctx context.Context, out *disk.Replacement) *frame {
	return &frame{ctx: ctx, out: out}
}

// WriteAt takes pages in the order in which package sqlitefile writes them.
func (f *frame) WriteAt(b []byte, off int64) (int, error) {
	if f.err == nil {
		f.err = f.ctx.Err()
	}
	if f.err == nil && f.head == 0 {
		f.err = f.begin(off)
	}
	if f.err == nil && off == 0 {
		f.err = f.finish(b)
	} else if f.err == nil {
		f.add(b)
	}
	if f.err != nil {
		return 0, f.err
	}
	return len(b), nil
}

// begin starts the compressor. Its blocks follow the first pages.
func (f *frame) begin(head int64) error {
	f.head = int(head)
	c := &compressor{full: make(chan []byte, loads), empty: make(chan load, loads), finished: make(chan error, 1), sum: newChecksum()}
	blocks := (f.head + rawBlock - 1) / rawBlock
	c.blocks = blockWriter{out: f.out, at: int64(len(database.Magic) + frameHeader + blocks*blockHeader + f.head)}
	var err error
	c.enc, err = zstd.NewWriter(&c.blocks, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(window), zstd.WithEncoderCRC(false))
	if err != nil {
		return baton.Errorf(baton.Internal, "c1z: %w", err)
	}
	f.buf = make([]byte, 0, loadSize)
	for range loads - 1 {
		c.empty <- load{buf: make([]byte, 0, loadSize)}
	}
	f.comp = c
	go c.run()
	return nil
}

// add adds pages, and passes full loads to the compressor.
func (f *frame) add(b []byte) {
	for len(b) > 0 && f.err == nil {
		n := min(len(b), loadSize-len(f.buf))
		f.buf, b = append(f.buf, b[:n]...), b[n:]
		if len(f.buf) == loadSize {
			f.pass()
		}
	}
}

// pass passes a load to the compressor, and waits for memory for the next one.
func (f *frame) pass() {
	f.comp.full <- f.buf
	next := <-f.comp.empty
	f.buf, f.err = next.buf, next.err
}

// run compresses loads until there are no more. After an error it only returns their memory.
func (c *compressor) run() {
	var err error
	for b := range c.full {
		if err == nil {
			c.sum.add(b) // first: it brings the load into the cache
			_, err = c.enc.Write(b)
		}
		c.empty <- load{b[:0], err}
	}
	if e := c.enc.Close(); err == nil {
		err = e
	}
	c.finished <- err
}

// finish writes the first pages, the frame header and the checksum.
func (f *frame) finish(head []byte) error {
	if len(head) != f.head {
		return baton.Errorf(baton.Internal, "c1z: the schema has %d bytes, %d were reserved", len(head), f.head)
	}
	if f.pass(); f.err != nil {
		return f.err
	}
	c := f.comp
	if err := f.close(); err != nil {
		return err
	}
	if err := c.sum.prepend(head, unused(head)); err != nil {
		return baton.Errorf(baton.Internal, "%w", err)
	}
	if err := c.blocks.end(c.sum.sum()); err != nil {
		return err
	}
	b := append(make([]byte, 0, len(database.Magic)+frameHeader+len(head)+blockHeader), database.Magic...)
	b = binary.LittleEndian.AppendUint32(b, frameMagic)
	b = append(b, descriptor, windowLog)
	b = binary.LittleEndian.AppendUint64(b, c.sum.size)
	for rest := head; len(rest) > 0; {
		n := min(len(rest), rawBlock)
		b = append(b, byte(n<<3), byte(n>>5), byte(n>>13)) // type 0 (raw), not the last
		b = append(b, rest[:n]...)
		rest = rest[n:]
	}
	_, err := f.out.WriteAt(b, 0)
	return database.Storage("write", f.out.Name(), err)
}

// close ends the compressor after the loads that it has.
func (f *frame) close() error {
	if f.comp == nil {
		return nil
	}
	close(f.comp.full)
	err := <-f.comp.finished
	f.comp = nil
	return err
}

// blockWriter writes the blocks of a frame to a position in a file. It takes a whole frame without
// a checksum, and cuts off the header.
type blockWriter struct {
	out *disk.Replacement
	at  int64
	buf []byte
	cut bool // the header is cut off
}

// Write takes the next part of the frame.
func (w *blockWriter) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	if !w.cut && len(w.buf) >= zstd.HeaderMaxSize {
		if err := w.cutHeader(); err != nil {
			return 0, err
		}
	}
	if w.cut && len(w.buf) >= rawBlock {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (w *blockWriter) cutHeader() error {
	var h zstd.Header
	if err := h.Decode(w.buf); err != nil {
		return baton.Errorf(baton.Internal, "c1z: %w", err)
	}
	w.buf, w.cut = append(w.buf[:0], w.buf[h.HeaderSize:]...), true
	return nil
}

func (w *blockWriter) flush() error {
	_, err := w.out.WriteAt(w.buf, w.at)
	w.at += int64(len(w.buf))
	w.buf = w.buf[:0]
	return database.Storage("write", w.out.Name(), err)
}

// end writes the rest, and the checksum of the frame.
func (w *blockWriter) end(sum uint32) error {
	if !w.cut {
		if err := w.cutHeader(); err != nil {
			return err
		}
	}
	w.buf = binary.LittleEndian.AppendUint32(w.buf, sum)
	return w.flush()
}

// unused returns the offset of a stripe between the cell pointers and the cells of the first
// page, which SQLite does not read; -1 if there is none.
func unused(head []byte) int {
	const header = 100
	be := binary.BigEndian
	end := header + 8
	if head[header] == 5 { // an interior page
		end += 4
	}
	end += 2 * int(be.Uint16(head[header+3:]))
	at := (end + stripe - 1) / stripe * stripe
	if at+stripe > int(be.Uint16(head[header+5:])) {
		return -1
	}
	return at
}
