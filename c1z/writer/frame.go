package writer

import (
	"context"
	"encoding/binary"

	"baton"
	"baton/c1z/internal/database"
	"baton/c1z/internal/zblock"
	"baton/internal/disk"
)

// frame writes the container around a database while the database is written: it takes
// pages in order but for the first few, which come last, and passes them through the
// compressor into the file. The first pages become blocks of their own that are not
// compressed, so that their place and size are known before they are:
//
//	database.Magic of the file | frame header with the content size | the first pages |
//	compressed blocks | checksum
//
// Pages are gathered in a ring, and summed and compressed there beside whoever lays them out.
type frame struct {
	ctx  context.Context
	out  *disk.Replacement
	head int // the size of the first pages; 0 before the first write
	ring *[zblock.Ring]byte
	at   int // where in the ring the next page goes
	load int // where what is not passed on yet begins
	pack *packer
	err  error
}

// packer compresses what is gathered, in a goroutine of its own.
type packer struct {
	full chan []byte // parts of the ring, one behind the other
	done chan error  // for each of them, what the work has come to so far
	enc  *zblock.Encoder
	sum  checksum
	out  *disk.Replacement
	at   int64  // where the next compressed byte goes
	room []byte // what is compressed and not written yet
}

const (
	// frameHeader is the database.Magic number, the descriptor, the window and the content size.
	frameHeader = 4 + 1 + 1 + 8
	// rawBlock is the largest block, blockHeader what comes before each.
	rawBlock    = 128 << 10
	blockHeader = 3

	// A load is as much as is handed over at a time. The ring has room for that which is being
	// gathered, one that waits, one that is being compressed, and the window before it.
	loadSize = zblock.Window
	loads    = zblock.Ring / loadSize

	frameMagic = 0xfd2fb528
	// descriptor says: a content size of eight bytes, a window, a checksum.
	descriptor = 3<<6 | 1<<2
	// windowLog is the logarithm of zblock's window, less ten, in the upper five bits.
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
		n := copy(f.ring[f.at:f.load+loadSize], b)
		f.at, b = f.at+n, b[n:]
		if f.at == f.load+loadSize {
			f.pass()
		}
	}
}

// pass passes on what is gathered, and waits until there is room for more.
func (f *frame) pass() {
	f.pack.full <- f.ring[f.load:f.at]
	f.err = <-f.pack.done
	f.load = (f.load + loadSize) % len(f.ring)
	f.at = f.load
}

// begin leaves out the first pages.
func (f *frame) begin(head int64) error {
	f.head = int(head)
	blocks := (f.head + rawBlock - 1) / rawBlock
	f.ring = new([zblock.Ring]byte)
	f.pack = &packer{full: make(chan []byte, loads), done: make(chan error, loads), enc: zblock.New(f.ring), sum: newChecksum(),
		out: f.out, at: int64(len(database.Magic) + frameHeader + blocks*blockHeader + f.head)}
	for range loads - 2 {
		f.pack.done <- nil
	}
	go f.pack.run()
	return nil
}

// run compresses until the channel is closed. After an error there is nothing to do.
func (p *packer) run() {
	var err error
	for load := range p.full {
		if err == nil {
			err = p.compress(load)
		}
		p.done <- err
	}
	close(p.done)
}

func (p *packer) compress(load []byte) (err error) {
	for len(load) > 0 && err == nil {
		n := min(len(load), zblock.BlockSize)
		p.sum.add(load[:n]) // which brings it into the cache
		p.room = p.enc.Append(p.room, n)
		if load = load[n:]; len(p.room) >= rawBlock {
			err = p.flush()
		}
	}
	return err
}

// flush writes what is compressed.
func (p *packer) flush() error {
	_, err := p.out.WriteAt(p.room, p.at)
	p.at += int64(len(p.room))
	p.room = p.room[:0]
	return database.Storage("write", p.out.Name(), err)
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
	if err := p.sum.prepend(head, unused(head)); err != nil {
		return baton.Errorf(baton.Internal, "%w", err)
	}
	p.room = binary.LittleEndian.AppendUint32(zblock.AppendEnd(p.room), p.sum.sum())
	if err := p.flush(); err != nil {
		return err
	}
	b := append(make([]byte, 0, len(database.Magic)+frameHeader+len(head)+blockHeader), database.Magic...)
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
	for e := range f.pack.done {
		if e != nil {
			err = e
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
