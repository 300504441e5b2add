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
type frame struct {
	ctx  context.Context
	out  *disk.Replacement
	at   int64 // where the next compressed byte goes
	head int   // the size of the first pages; 0 before the first write
	enc  *zstd.Encoder
	sum  checksum
	skip *skipHeader
	err  error
}

const (
	// frameHeader is the magic number, the descriptor, the window and the content size.
	frameHeader = 4 + 1 + 1 + 8
	// rawBlock is the largest block, blockHeader what comes before each.
	rawBlock    = 128 << 10
	blockHeader = 3

	frameMagic = 0xfd2fb528
	// descriptor says: a content size of eight bytes, a window, a checksum.
	descriptor = 3<<6 | 1<<2
	// windowLog is the logarithm of the window, less ten, in the upper five bits.
	windowLog = (20 - 10) << 3
)

func newFrame(ctx context.Context, out *disk.Replacement) *frame {
	return &frame{ctx: ctx, out: out, sum: newChecksum()}
}

// WriteAt takes pages as sqlitefile gives them.
func (f *frame) WriteAt(b []byte, off int64) (int, error) {
	if f.err == nil {
		f.err = f.ctx.Err()
	}
	if f.err == nil && f.head == 0 {
		f.err = f.begin(off)
	}
	switch {
	case f.err != nil:
	case off == 0:
		f.err = f.finish(b)
	default:
		f.sum.add(b)
		_, f.err = f.enc.Write(b)
	}
	if f.err != nil {
		return 0, f.err
	}
	return len(b), nil
}

// begin leaves out the first pages.
func (f *frame) begin(head int64) error {
	f.head = int(head)
	blocks := (f.head + rawBlock - 1) / rawBlock
	f.at = int64(len(magic) + frameHeader + blocks*blockHeader + f.head)
	f.skip = &skipHeader{to: f}
	enc, err := zstd.NewWriter(f.skip, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(encodeWindow), zstd.WithEncoderCRC(false))
	if err != nil {
		return baton.Errorf(baton.Internal, "c1z: compress: %w", err)
	}
	f.enc = enc
	return nil
}

// Write puts compressed blocks into the file.
func (f *frame) Write(b []byte) (int, error) {
	if err := f.write(b, f.at); err != nil {
		return 0, err
	}
	f.at += int64(len(b))
	return len(b), nil
}

func (f *frame) write(b []byte, at int64) error {
	_, err := f.out.WriteAt(b, at)
	return storage("write", f.out.Name(), err)
}

// finish writes the first pages and all that goes by the whole.
func (f *frame) finish(head []byte) error {
	if len(head) != f.head {
		return baton.Errorf(baton.Internal, "c1z: the schema has %d bytes where %d were left out", len(head), f.head)
	}
	if err := f.enc.Close(); err != nil {
		return err
	}
	if err := f.sum.prepend(head, unused(head)); err != nil {
		return baton.Errorf(baton.Internal, "%w", err)
	}
	b := append(make([]byte, 0, len(magic)+frameHeader+len(head)+blockHeader), magic...)
	b = binary.LittleEndian.AppendUint32(b, frameMagic)
	b = append(b, descriptor, windowLog)
	b = binary.LittleEndian.AppendUint64(b, f.sum.size)
	for rest := head; len(rest) > 0; {
		n := min(len(rest), rawBlock)
		b = append(b, byte(n<<3), byte(n>>5), byte(n>>13)) // of type 0, raw, and not the last
		b = append(b, rest[:n]...)
		rest = rest[n:]
	}
	if err := f.write(b, 0); err != nil {
		return err
	}
	_, err := f.Write(binary.LittleEndian.AppendUint32(nil, f.sum.sum()))
	return err
}

// close gives up the compressor, if it is still at work.
func (f *frame) close() {
	if f.enc != nil {
		f.enc.Reset(io.Discard)
		f.enc.Close()
	}
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
