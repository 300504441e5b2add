package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"regexp"

	"baton"
)

// Limits of what is read. A pack of 250,000 items has far less.
const (
	maxMembers   = 10_000
	maxName      = 100
	maxDirectory = maxMembers * (centralHeader + maxName)
)

// memberName matches the names that members can have. They are safe as names of files everywhere.
var memberName = regexp.MustCompile(`^(population/)?[A-Za-z0-9][A-Za-z0-9-]*\.(txt|json|jsonl|csv|html|pem|sig)$`)

// opened is an archive that is read.
type opened struct {
	r       io.ReaderAt
	entries []entry // in the order of the directory; their content lies within the file
}

// directoryName names what is not in a member, in faults.
const directoryName = "the ZIP directory"

// openArchive reads the directory of an archive, and checks every byte that is not content. It calls
// fault for each difference. Entries are those that can be read all the same. The error says that r
// could not be read.
func openArchive(r io.ReaderAt, size int64, fault func(member, format string, args ...any)) (*opened, error) {
	o := &opened{r: r}
	if size < endRecord || size > maxArchive {
		fault(directoryName, "a file of %d bytes is no pack", size)
		return o, nil
	}
	tail := make([]byte, endRecord)
	if err := readAt(r, tail, size-endRecord); err != nil {
		return o, err
	}
	count := int(binary.LittleEndian.Uint16(tail[10:]))
	length, start := int64(binary.LittleEndian.Uint32(tail[12:])), int64(binary.LittleEndian.Uint32(tail[16:]))
	if !bytes.Equal(tail, end(count, start, length)) || start+length+endRecord != size || length > maxDirectory || count > maxMembers {
		fault(directoryName, "its end is damaged, or something follows it")
		return o, nil
	}
	directory := make([]byte, length)
	if err := readAt(r, directory, start); err != nil {
		return o, err
	}
	next, names := int64(0), map[string]bool{}
	for range count {
		e, n, why := parseEntry(directory)
		if why != "" {
			fault(directoryName, "the entry after %d others: %s", len(o.entries), why)
			return o, nil
		}
		if !bytes.Equal(directory[:n], e.central()) {
			fault(e.name, "its entry in the ZIP directory is altered")
		}
		directory = directory[n:]
		switch {
		case names[e.name]:
			fault(e.name, "is there twice")
			return o, nil
		case e.offset != next || e.end() > start:
			fault(e.name, "does not lie where the member before ends, or has another size")
			return o, nil
		}
		local := make([]byte, e.content()-e.offset)
		if err := readAt(r, local, e.offset); err != nil {
			return o, err
		}
		if !bytes.Equal(local, e.local()) {
			fault(e.name, "its header in the ZIP file is altered")
		}
		next, names[e.name] = e.end(), true
		o.entries = append(o.entries, e)
	}
	if len(directory) > 0 || next != start {
		fault(directoryName, "there is something between the members and the directory, or in the directory")
	}
	return o, nil
}

// parseEntry reads an entry of the directory and returns its length, or why it cannot be read.
func parseEntry(b []byte) (e entry, n int, why string) {
	if len(b) < centralHeader {
		return e, 0, "is cut off"
	}
	length := int(binary.LittleEndian.Uint16(b[28:]))
	if n = centralHeader + length; length > maxName || n > len(b) {
		return e, 0, "has no possible name"
	}
	e = entry{name: string(b[centralHeader:n]), crc: binary.LittleEndian.Uint32(b[16:]), size: int64(binary.LittleEndian.Uint32(b[24:])), offset: int64(binary.LittleEndian.Uint32(b[42:]))}
	if !memberName.MatchString(e.name) {
		return e, 0, "has no possible name"
	}
	return e, n, ""
}

// check reads the content of each entry, calculates its hash and reports a wrong checksum.
func (o *opened) check(fault func(member, format string, args ...any)) error {
	for i := range o.entries {
		e := &o.entries[i]
		m := &memberWriter{to: io.Discard, sum: sha256.New(), left: e.size}
		if _, err := io.Copy(m, o.open(*e)); err != nil {
			return readError(err)
		}
		m.sum.Sum(e.sum[:0])
		if m.crc != e.crc {
			fault(e.name, "its content does not have its checksum")
		}
	}
	return nil
}

func (o *opened) open(e entry) *io.SectionReader {
	return io.NewSectionReader(o.r, e.content(), e.size)
}

// find returns a member; nil if there is none.
func (o *opened) find(name string) *entry {
	for i := range o.entries {
		if o.entries[i].name == name {
			return &o.entries[i]
		}
	}
	return nil
}

// read returns the content of a small member; nil if it is not there or too large.
func (o *opened) read(name string, limit int64) ([]byte, error) {
	e := o.find(name)
	if e == nil || e.size > limit {
		return nil, nil
	}
	b := make([]byte, e.size)
	return b, readAt(o.r, b, e.content())
}

func readAt(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	return readError(err)
}

func readError(err error) error { return baton.Errorf(baton.Storage, "read the pack: %w", err) }
