package extsort

import (
	"encoding/binary"
	"errors"
	"io"

	"baton/internal/disk"
)

// chunkSize is the approximate size of a chunk.
const chunkSize = 32 << 10

// scratch is the file for chunks. It is created with the first one.
type scratch struct {
	fsys disk.FS
	dir  string
	file *disk.Scratch
	size int64
}

// chunk is a part of the scratch file.
type chunk struct {
	at   int64
	size int
}

func (s *scratch) make() error {
	if s.file != nil {
		return nil
	}
	f, err := disk.NewScratch(s.fsys, s.dir, ".sort-")
	if err != nil {
		return err
	}
	f.Hide()
	s.file = f
	return nil
}

func (s *scratch) write(b []byte) (chunk, error) {
	if err := s.make(); err != nil {
		return chunk{}, err
	}
	if _, err := s.file.WriteAt(b, s.size); err != nil {
		return chunk{}, disk.Errorf(err, s.file.Name(), "sort: write the scratch file")
	}
	c := chunk{s.size, len(b)}
	s.size += int64(len(b))
	return c, nil
}

func (s *scratch) read(c chunk, buf []byte) ([]byte, error) {
	if cap(buf) < c.size {
		buf = make([]byte, c.size)
	}
	buf = buf[:c.size]
	if _, err := s.file.ReadAt(buf, c.at); err != nil {
		return nil, disk.Errorf(err, s.file.Name(), "sort: read the scratch file")
	}
	return buf, nil
}

func (s *scratch) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

var errChanged = errors.New("its content has changed")

// run is a sequence of keys in order. A key is stored as the length of the prefix that it shares
// with the previous key, the length of the rest, both unsigned varints, and the rest. The first
// key of a chunk is stored whole.
type run struct {
	scratch *scratch
	chunks  []chunk
	tail    []byte // the last chunk, which may stay in memory
	last    []byte
}

// add adds a key. Shared is the length of the prefix that it shares with the last one.
func (r *run) add(key []byte, shared int) error {
	r.last = append(r.last[:shared], key[shared:]...)
	if len(r.tail) == 0 {
		shared = 0
	}
	r.tail = binary.AppendUvarint(r.tail, uint64(shared))
	r.tail = binary.AppendUvarint(r.tail, uint64(len(key)-shared))
	r.tail = append(r.tail, key[shared:]...)
	if len(r.tail) >= chunkSize {
		return r.flush()
	}
	return nil
}

func (r *run) flush() error {
	if len(r.tail) == 0 {
		return nil
	}
	c, err := r.scratch.write(r.tail)
	if err != nil {
		return err
	}
	r.chunks = append(r.chunks, c)
	r.tail = r.tail[:0]
	return nil
}

// reader reads a run.
type reader struct {
	run  *run
	at   int    // the next chunk
	buf  []byte // a chunk of the file
	held int    // number of the chunk in buf, from 1
	rest []byte // the rest of the chunk
	key  []byte
}

// load goes to the next chunk.
func (d *reader) load() (err error) {
	switch {
	case d.at < len(d.run.chunks):
		if d.held != d.at+1 {
			d.held = 0
			if d.buf, err = d.run.scratch.read(d.run.chunks[d.at], d.buf); err != nil {
				return err
			}
			d.held = d.at + 1
		}
		d.rest = d.buf
	case d.at == len(d.run.chunks) && len(d.run.tail) > 0:
		d.rest = d.run.tail
	default:
		return io.EOF
	}
	d.at++
	return nil
}

func (d *reader) next() (key []byte, shared int, err error) {
	first := len(d.rest) == 0
	if first {
		if err := d.load(); err != nil {
			return nil, 0, err
		}
	}
	old, n := binary.Uvarint(d.rest)
	more, m := binary.Uvarint(d.rest[n:])
	suffix := d.rest[n+m:]
	if n <= 0 || m <= 0 || old > uint64(len(d.key)) || more > uint64(len(suffix)) {
		return nil, 0, disk.Errorf(errChanged, d.run.scratch.file.Name(), "sort: read the scratch file")
	}
	suffix, d.rest = suffix[:more], suffix[more:]
	shared = int(old)
	if first {
		shared = common(d.key, suffix)
	}
	d.key = append(d.key[:old], suffix...)
	return d.key, shared, nil
}
