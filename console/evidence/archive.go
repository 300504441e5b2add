package evidence

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"

	"baton"
	"baton/console"
)

// The archive is a ZIP file whose every byte follows from the names and the content of its members:
// they are stored one after the other, without compression, times, extra fields or comments. So an
// archive cannot be larger than it seems, and a reader can check each byte.
const (
	localHeader   = 30
	centralHeader = 46
	endRecord     = 22
	maxArchive    = 1<<32 - 2
)

// entry is a member of an archive.
type entry struct {
	name   string
	crc    uint32
	size   int64
	offset int64 // of its local header
	sum    console.Hash
}

// content returns the offset of the entry's content.
func (e entry) content() int64 { return e.offset + localHeader + int64(len(e.name)) }

// end returns the offset after the entry's content.
func (e entry) end() int64 { return e.content() + e.size }

// local returns the local header and the name of the entry.
func (e entry) local() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0x04034b50)
	return append(e.fields(b), e.name...)
}

// fields appends what both headers of an entry have in common, up to the name.
func (e entry) fields(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, 20) // version that is needed to read it
	b = binary.LittleEndian.AppendUint16(b, 0)  // flags
	b = binary.LittleEndian.AppendUint16(b, 0)  // stored
	b = binary.LittleEndian.AppendUint16(b, 0)  // time
	b = binary.LittleEndian.AppendUint16(b, 33) // date: 1 January 1980
	b = binary.LittleEndian.AppendUint32(b, e.crc)
	b = binary.LittleEndian.AppendUint32(b, uint32(e.size))
	b = binary.LittleEndian.AppendUint32(b, uint32(e.size))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.name)))
	return binary.LittleEndian.AppendUint16(b, 0) // length of extra fields
}

// central returns the header of the entry in the directory, and its name.
func (e entry) central() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0x02014b50)
	b = binary.LittleEndian.AppendUint16(b, 20) // version that made it
	b = e.fields(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // comment, disk, attributes
	b = binary.LittleEndian.AppendUint32(b, uint32(e.offset))
	return append(b, e.name...)
}

// end returns the record at the end of an archive.
func end(entries int, directory, size int64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0x06054b50)
	b = binary.LittleEndian.AppendUint32(b, 0) // disks
	b = binary.LittleEndian.AppendUint16(b, uint16(entries))
	b = binary.LittleEndian.AppendUint16(b, uint16(entries))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(directory))
	return binary.LittleEndian.AppendUint16(b, 0) // length of the comment
}

// File holds a pack while it is made.
type File interface {
	io.ReaderAt
	io.WriterAt
}

// archive writes members one after the other.
type archive struct {
	f       File
	entries []entry
	offset  int64
}

// add writes a member.
func (a *archive) add(name string, write func(io.Writer) error) (entry, error) {
	e := entry{name: name, offset: a.offset}
	m := &memberWriter{to: io.NewOffsetWriter(a.f, e.content()), sum: sha256.New(), left: maxArchive - e.content()}
	w := bufio.NewWriterSize(m, 1<<16)
	if err := write(w); err != nil {
		return e, err
	}
	if err := w.Flush(); err != nil {
		return e, err
	}
	e.crc, e.size = m.crc, m.size
	m.sum.Sum(e.sum[:0])
	if _, err := a.f.WriteAt(e.local(), e.offset); err != nil {
		return e, baton.Errorf(baton.Storage, "write the pack: %w", err)
	}
	a.entries, a.offset = append(a.entries, e), e.end()
	return e, nil
}

// close writes the directory and returns the size of the archive.
func (a *archive) close() (int64, error) {
	var b []byte
	for _, e := range a.entries {
		b = append(b, e.central()...)
	}
	b = append(b, end(len(a.entries), a.offset, int64(len(b)))...)
	if a.offset+int64(len(b)) > maxArchive || len(a.entries) > maxMembers {
		return 0, tooLarge()
	}
	if _, err := a.f.WriteAt(b, a.offset); err != nil {
		return 0, baton.Errorf(baton.Storage, "write the pack: %w", err)
	}
	return a.offset + int64(len(b)), nil
}

// open returns a reader of the content of a member.
func (a *archive) open(e entry) *io.SectionReader {
	return io.NewSectionReader(a.f, e.content(), e.size)
}

func tooLarge() error {
	return baton.Errorf(baton.Unsupported, "a pack has at most 4 GB and %d members", maxMembers).WithFix("Divide the review by applications.")
}

// memberWriter writes the content of a member.
type memberWriter struct {
	to   io.Writer
	crc  uint32
	sum  hash.Hash
	size int64
	left int64
}

func (m *memberWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > m.left {
		return 0, tooLarge()
	}
	n, err := m.to.Write(p)
	m.crc = crc32.Update(m.crc, crc32.IEEETable, p[:n])
	m.sum.Write(p[:n])
	m.size, m.left = m.size+int64(n), m.left-int64(n)
	if err != nil {
		err = baton.Errorf(baton.Storage, "write the pack: %w", err)
	}
	return n, err
}
