package pagelog

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"baton"
	"baton/internal/disk"
)

const (
	magic      = "PAGELOG1"
	headerSize = 4 + 4 + 1
	// chunk bounds the memory of a page: rows are written in frames of about this size.
	chunk     = 256 << 10
	maxRecord = 32 << 20
	maxFrame  = maxRecord + 2*chunk
	// syncEvery bounds the pages that a power cut loses. A flush for every page would be
	// slow.
	syncEvery = time.Second

	kindRows   = 'r'
	kindCommit = 'c'
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Feed is the log of one feed. After an error of Append, Commit or Reset, all further calls
// fail, and the next open recovers the file to its last commit.
type Feed struct {
	file      disk.File
	state     []byte
	committed int64 // file size after the last commit
	written   int64 // file size
	buf       []byte
	records   int
	err       error
	synced    time.Time
}

func openFeed(fsys disk.FS, path string) (*Feed, error) {
	file, err := fsys.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, storage(err, path, "open %s", path)
	}
	f := &Feed{file: file, synced: time.Now()}
	if err := f.recover(); err != nil {
		file.Close()
		return nil, err
	}
	// The file is new, or its name may not be durable.
	if err := fsys.SyncDir(filepath.Dir(path)); err != nil {
		file.Close()
		return nil, storage(err, path, "open %s", path)
	}
	return f, nil
}

// recover finds the last commit, truncates the file there and loads its state.
func (f *Feed) recover() error {
	frames, err := newFrames(f.file)
	if err != nil {
		return storage(err, f.file.Name(), "read %s", f.file.Name())
	}
	if frames != nil {
		f.committed = int64(len(magic))
		for frames.next() {
			if frames.kind == kindCommit {
				f.committed = frames.end
				f.state = bytes.Clone(frames.payload)
			}
		}
		if frames.err != nil {
			return storage(frames.err, f.file.Name(), "read %s", f.file.Name())
		}
	}
	return f.cut()
}

// cut truncates the file after the last commit.
func (f *Feed) cut() error {
	if err := f.file.Truncate(f.committed); err != nil {
		return f.fail(err, "cut")
	}
	if _, err := f.file.Seek(f.committed, io.SeekStart); err != nil {
		return f.fail(err, "seek")
	}
	f.written = f.committed
	f.buf, f.records = f.buf[:0], 0
	if f.committed == 0 {
		if err := f.write([]byte(magic)); err != nil {
			return err
		}
		f.committed = f.written
	}
	return nil
}

// State returns the state of the last commit, or nil.
func (f *Feed) State() []byte { return f.state }

// Append adds a record to the current page.
func (f *Feed) Append(record []byte) error {
	if f.err != nil {
		return f.err
	}
	if len(record) > maxRecord {
		return baton.Errorf(baton.Invalid, "page log: a record has %d bytes, more than the limit of %d", len(record), maxRecord)
	}
	if len(f.buf) == 0 {
		f.buf = append(f.buf, make([]byte, headerSize)...)
	}
	f.buf = binary.AppendUvarint(f.buf, uint64(len(record)))
	f.buf = append(f.buf, record...)
	f.records++
	if len(f.buf) >= chunk {
		return f.flush(kindRows)
	}
	return nil
}

// Commit ends the page: its records and the state become durable together.
func (f *Feed) Commit(state []byte) error {
	if f.err != nil {
		return f.err
	}
	if f.records > 0 {
		if err := f.flush(kindRows); err != nil {
			return err
		}
	}
	f.buf = append(append(f.buf[:0], make([]byte, headerSize)...), state...)
	if err := f.flush(kindCommit); err != nil {
		return err
	}
	f.committed = f.written
	f.state = bytes.Clone(state)
	if now := time.Now(); now.Sub(f.synced) >= syncEvery {
		f.synced = now
		return f.Sync()
	}
	return nil
}

// Rollback drops the current page.
func (f *Feed) Rollback() error {
	if f.err != nil {
		return f.err
	}
	return f.cut()
}

// Reset drops all pages and commits a new state.
func (f *Feed) Reset(state []byte) error {
	if f.err != nil {
		return f.err
	}
	f.committed, f.state = int64(len(magic)), nil
	if err := f.cut(); err != nil {
		return err
	}
	return f.Commit(state)
}

// Sync flushes all commits to the disk.
func (f *Feed) Sync() error {
	if err := f.file.Sync(); err != nil {
		return f.fail(err, "flush")
	}
	return nil
}

// Replay calls fn with each committed record in order, and with its position for
// [Feed.ReadAt]. The slice is valid during the call only. Replay must not run concurrently
// with Append or Commit.
func (f *Feed) Replay(fn func(record []byte, at int64) error) error {
	if f.err != nil {
		return f.err
	}
	frames, err := newFrames(io.NewSectionReader(f.file, 0, f.committed))
	if err != nil {
		return storage(err, f.file.Name(), "read %s", f.file.Name())
	}
	if frames == nil {
		return f.changed()
	}
	for frames.next() {
		if frames.kind != kindRows {
			continue
		}
		for rest := frames.payload; len(rest) > 0; {
			n, width := binary.Uvarint(rest)
			if width <= 0 || n > uint64(len(rest)-width) {
				return baton.Errorf(baton.Corrupt, "page log: %s: a record is longer than its frame", f.file.Name())
			}
			at := frames.end - int64(len(rest)-width)
			if err := fn(rest[width:width+int(n)], at); err != nil {
				return err
			}
			rest = rest[width+int(n):]
		}
	}
	if frames.err == nil && frames.end != f.committed {
		return f.changed()
	}
	if frames.err != nil {
		return storage(frames.err, f.file.Name(), "read %s", f.file.Name())
	}
	return nil
}

// ReadAt reads a record at a position of Replay.
func (f *Feed) ReadAt(b []byte, at int64) (int, error) {
	n, err := f.file.ReadAt(b, at)
	if n == len(b) {
		return n, nil
	}
	if err == io.EOF {
		return n, f.changed()
	}
	return n, storage(err, f.file.Name(), "read %s", f.file.Name())
}

func (f *Feed) changed() error {
	return baton.Errorf(baton.Corrupt, "page log: %s changed while it was in use", f.file.Name()).
		WithFix("Let nothing else write there, check the disk, and run again.")
}

// Close flushes and closes the file and drops the current page.
func (f *Feed) Close() error {
	err := errors.Join(f.file.Sync(), f.file.Close())
	if err != nil && f.err == nil {
		return f.fail(err, "close")
	}
	return nil
}

// flush writes the buffer as one frame. Its first bytes are reserved for the header.
func (f *Feed) flush(kind byte) error {
	frame := f.buf
	frame[8] = kind
	binary.LittleEndian.PutUint32(frame[0:], uint32(len(frame)-headerSize))
	binary.LittleEndian.PutUint32(frame[4:], crc32.Checksum(frame[8:], castagnoli))
	err := f.write(frame)
	f.buf, f.records = f.buf[:0], 0
	return err
}

func (f *Feed) write(b []byte) error {
	n, err := f.file.Write(b)
	f.written += int64(n)
	if err != nil {
		return f.fail(err, "write")
	}
	return nil
}

func (f *Feed) fail(err error, doing string) error {
	if f.err == nil {
		f.err = storage(err, f.file.Name(), "%s %s", doing, f.file.Name())
	}
	return f.err
}

// frames iterates over the frames of a file up to the first invalid one.
type frames struct {
	r       *bufio.Reader
	kind    byte
	payload []byte
	end     int64 // offset after the frame
	err     error // of the disk; a torn frame is none
}

// newFrames returns nil if the file does not begin like a page log, and an error if its
// beginning cannot be read.
func newFrames(r io.ReadSeeker) (*frames, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	s := &frames{r: bufio.NewReaderSize(r, 64<<10), end: int64(len(magic))}
	head := make([]byte, len(magic))
	if !s.read(head) || string(head) != magic {
		return nil, s.err
	}
	return s, nil
}

func (s *frames) next() bool {
	var head [headerSize]byte
	if !s.read(head[:]) {
		return false
	}
	n := binary.LittleEndian.Uint32(head[0:])
	if n > maxFrame {
		return false
	}
	if uint32(cap(s.payload)) < n {
		s.payload = make([]byte, n)
	}
	s.payload = s.payload[:n]
	if !s.read(s.payload) {
		return false
	}
	sum := crc32.Update(crc32.Checksum(head[8:], castagnoli), castagnoli, s.payload)
	if sum != binary.LittleEndian.Uint32(head[4:]) {
		return false
	}
	s.kind = head[8]
	s.end += headerSize + int64(n)
	return true
}

func (s *frames) read(b []byte) bool {
	_, err := io.ReadFull(s.r, b)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		s.err = err
	}
	return err == nil
}
