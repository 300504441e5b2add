package c1z

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"baton"
	"baton/disk"
)

// frame writes the container around a database while the database is written: it takes
// pages in order but for the first few, which come last, and passes them through the
// compressor into the file. The first pages become blocks of their own that are not
// compressed, so that their place and size are known before they are:
//
//	magic of the file | frame header with the content size | the first pages |
//	compressed blocks | checksum
//
// Pages are gathered, and summed and compressed beside whoever lays them out.
type frame struct {
	ctx  context.Context
	out  *disk.Replacement
	head int    // the size of the first pages; 0 before the first write
	load []byte // pages that are gathered
	pack *packer
	err  error
}

// packer compresses what is gathered, in a goroutine of its own.
type packer struct {
	full  chan []byte
	empty chan emptied
	enc   *zstd.Encoder
	sum   checksum
	skip  *skipHeader
	out   *disk.Replacement
	at    int64  // where the next compressed byte goes
	room  []byte // what is compressed and not written yet
}

// emptied is room for more pages, and what the packer's work has come to so far.
type emptied struct {
	load []byte
	err  error
}

const (
	// frameHeader is the magic number, the descriptor, the window and the content size.
	frameHeader = 4 + 1 + 1 + 8
	// rawBlock is the largest block, blockHeader what comes before each.
	rawBlock    = 128 << 10
	blockHeader = 3

	// loads of pages go around, of a size at which handing them over costs nothing.
	loads    = 3
	loadSize = 1 << 20

	frameMagic = 0xfd2fb528
	// descriptor says: a content size of eight bytes, a window, a checksum.
	descriptor = 3<<6 | 1<<2
	// windowLog is the logarithm of the window, less ten, in the upper five bits.
	windowLog = (20 - 10) << 3
)

func newFrame(ctx context.Context, out *disk.Replacement) *frame {
	return &frame{ctx: ctx, out: out}
}

// WriteAt takes pages as sqlitefile gives them.
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
		f.gather(b)
	}
	if f.err != nil {
		return 0, f.err
	}
	return len(b), nil
}

// gather takes pages, and passes on what is full.
func (f *frame) gather(b []byte) {
	for len(b) > 0 && f.err == nil {
		n := min(len(b), cap(f.load)-len(f.load))
		f.load, b = append(f.load, b[:n]...), b[n:]
		if len(f.load) == cap(f.load) {
			f.pass()
		}
	}
}

// pass passes on what is gathered.
func (f *frame) pass() {
	f.pack.full <- f.load
	next := <-f.pack.empty
	f.load, f.err = next.load, next.err
}

// begin leaves out the first pages.
func (f *frame) begin(head int64) error {
	f.head = int(head)
	blocks := (f.head + rawBlock - 1) / rawBlock
	p := &packer{full: make(chan []byte, loads), empty: make(chan emptied, loads), sum: newChecksum(),
		out: f.out, at: int64(len(magic) + frameHeader + blocks*blockHeader + f.head)}
	p.skip = &skipHeader{to: p}
	enc, err := zstd.NewWriter(p.skip, zstd.WithWindowSize(encodeWindow), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return baton.Errorf(baton.Internal, "c1z: compress: %w", err)
	}
	p.enc = enc
	for range loads - 1 {
		p.empty <- emptied{load: make([]byte, 0, loadSize)}
	}
	f.load = make([]byte, 0, loadSize)
	f.pack = p
	go p.run()
	return nil
}

// run compresses until the channel is closed. After an error there is nothing to do.
func (p *packer) run() {
	var err error
	for load := range p.full {
		if err == nil {
			p.sum.add(load)
			_, err = p.enc.Write(load)
		}
		p.empty <- emptied{load[:0], err}
	}
	close(p.empty)
}

// Write takes compressed blocks.
func (p *packer) Write(b []byte) (int, error) {
	p.room = append(p.room, b...)
	if len(p.room) >= rawBlock {
		return len(b), p.flush()
	}
	return len(b), nil
}

func (p *packer) flush() error {
	_, err := p.out.WriteAt(p.room, p.at)
	p.at += int64(len(p.room))
	p.room = p.room[:0]
	return storage("write", p.out.Name(), err)
}

// finish writes the first pages and all that goes by the whole.
func (f *frame) finish(head []byte) error {
	if len(head) != f.head {
		return baton.Errorf(baton.Internal, "c1z: the schema has %d bytes where %d were left out", len(head), f.head)
	}
	if f.pass(); f.err != nil {
		return f.err
	}
	p := f.pack
	if err := f.close(); err != nil {
		return err
	}
	if err := p.enc.Close(); err != nil {
		return err
	}
	if err := p.sum.prepend(head, unused(head)); err != nil {
		return baton.Errorf(baton.Internal, "%w", err)
	}
	p.room = binary.LittleEndian.AppendUint32(p.room, p.sum.sum())
	if err := p.flush(); err != nil {
		return err
	}
	b := append(make([]byte, 0, len(magic)+frameHeader+len(head)+blockHeader), magic...)
	b = binary.LittleEndian.AppendUint32(b, frameMagic)
	b = append(b, descriptor, windowLog)
	b = binary.LittleEndian.AppendUint64(b, p.sum.size)
	for rest := head; len(rest) > 0; {
		n := min(len(rest), rawBlock)
		b = append(b, byte(n<<3), byte(n>>5), byte(n>>13)) // of type 0, raw, and not the last
		b = append(b, rest[:n]...)
		rest = rest[n:]
	}
	p.at = 0
	p.room = b
	return p.flush()
}

// close ends the packer, if it is still at work, when it has done what was passed on.
func (f *frame) close() (err error) {
	if f.pack == nil {
		return nil
	}
	close(f.pack.full)
	for e := range f.pack.empty {
		if e.err != nil {
			err = e.err
		}
	}
	f.pack = nil
	return err
}

// unused is the offset of a whole stripe on the first page of a database that lies
// between the pointers to its cells and the cells, where SQLite reads nothing; -1 if
// there is none.
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

// skipHeader passes on what follows the header of a frame.
type skipHeader struct {
	to   io.Writer
	held []byte
	done bool
}

func (s *skipHeader) Write(b []byte) (int, error) {
	if s.done {
		return s.to.Write(b)
	}
	s.held = append(s.held, b...)
	var h zstd.Header
	err := h.Decode(s.held)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return len(b), nil
	}
	if err != nil {
		return 0, fmt.Errorf("c1z: compress: %w", err)
	}
	s.done = true
	if _, err := s.to.Write(s.held[h.HeaderSize:]); err != nil {
		return 0, err
	}
	s.held = nil
	return len(b), nil
}
