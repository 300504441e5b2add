package c1z3

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"baton"
)

// Magic is the start of every file of version 3.
const Magic = "C1Z3\x00"

const (
	indexMagic = "C1ZIDX1\x00"
	footerSize = 28 // index offset, index length, index hash, magic

	maxManifest = 16 << 20
	maxIndex    = 64 << 20
	maxName     = 4096
	maxFiles    = 1 << 16

	// Encodings of the payload.
	encodingTarZstd = 1
	encodingTar     = 2
	encodingIndexed = 5
)

// Limits bound the resources for unpacking a file.
type Limits struct {
	Window  uint64 // largest zstd window in bytes
	Decoded int64  // largest sum of unpacked bytes, unless the ratio below allows more
	Ratio   int64  // unpacked bytes allowed per byte of the file
}

// DefaultLimits are those of the official reader.
var DefaultLimits = Limits{Window: 128 << 20, Decoded: 10 << 30, Ratio: 100}

// manifest holds the fields of the manifest that a reader needs.
type manifest struct {
	engine   string
	encoding uint64
}

// unpack writes the database files of a c1z file into dir, which must be empty.
func unpack(in io.ReaderAt, size int64, dir string, limits Limits) (manifest, error) {
	c := container{in: in, size: size, dir: dir, limits: limits}
	c.budget = max(limits.Decoded, saturate(limits.Ratio, size))
	return c.unpack()
}

func saturate(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

// container is a file while it is unpacked.
type container struct {
	in     io.ReaderAt
	size   int64
	dir    string
	limits Limits
	budget int64 // unpacked bytes that may still be written
	files  int
}

func (c *container) unpack() (manifest, error) {
	head := make([]byte, len(Magic)+4)
	if _, err := c.in.ReadAt(head, 0); err != nil || string(head[:len(Magic)]) != Magic {
		return manifest{}, damaged("it does not begin as a version 3 file")
	}
	length := int64(binary.BigEndian.Uint32(head[len(Magic):]))
	payload := int64(len(head)) + length
	if length > maxManifest || payload > c.size {
		return manifest{}, damaged("its manifest is cut off or too large")
	}
	raw := make([]byte, length)
	if _, err := c.in.ReadAt(raw, int64(len(head))); err != nil {
		return manifest{}, damaged("its manifest cannot be read: %w", err)
	}
	m, err := parseManifest(raw)
	if err != nil {
		return manifest{}, err
	}
	switch m.engine {
	case "pebble", "pebble2", "pebble3":
	default:
		return manifest{}, unsupported("it was written by storage engine %q, which this program does not know", m.engine)
	}
	switch m.encoding {
	case encodingIndexed:
		err = c.indexed(payload, raw)
	case encodingTarZstd:
		err = c.compressedTar(payload)
	case encodingTar:
		err = c.tar(io.NewSectionReader(c.in, payload, c.size-payload))
	default:
		err = unsupported("its payload encoding %d is unknown", m.encoding)
	}
	return m, err
}

// parseManifest reads a C1ZManifestV3.
func parseManifest(b []byte) (m manifest, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
		switch {
		case number == 1 && kind == protowire.BytesType:
			m.engine = string(value)
		case number == 4 && kind == protowire.VarintType:
			m.encoding = n
		case number == 1 || number == 4:
			return damaged("field %d of its manifest has the wrong type", number)
		}
		return nil
	})
	return m, err
}

// entry is one file of an indexed payload.
type entry struct {
	name                        string
	offset, compressed, rawSize int64
	hash                        uint64
	sum                         []byte
}

// indexed unpacks encoding 5: zstd frames, one a file, an index of them, and a footer.
func (c *container) indexed(payload int64, rawManifest []byte) error {
	if c.size-payload < footerSize {
		return damaged("it is cut off")
	}
	footer := make([]byte, footerSize)
	if _, err := c.in.ReadAt(footer, c.size-footerSize); err != nil {
		return damaged("its end cannot be read: %w", err)
	}
	offset, length := binary.BigEndian.Uint64(footer), int64(binary.BigEndian.Uint32(footer[8:]))
	if string(footer[20:]) != indexMagic || length > maxIndex || offset > uint64(c.size) ||
		int64(offset) < payload || int64(offset)+length+footerSize != c.size {
		return damaged("it is cut off, or something follows its end")
	}
	index := make([]byte, length)
	if _, err := c.in.ReadAt(index, int64(offset)); err != nil {
		return damaged("its index cannot be read: %w", err)
	}
	if xxhash.Sum64(index) != binary.BigEndian.Uint64(footer[12:]) {
		return damaged("the checksum of its index is wrong")
	}
	entries, manifestHash, err := parseIndex(index)
	if err != nil {
		return err
	}
	if manifestHash != 0 && manifestHash != xxhash.Sum64(rawManifest) {
		return damaged("the checksum of its manifest is wrong")
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(c.limits.Window))
	if err != nil {
		return baton.Errorf(baton.Internal, "zstd: %w", err)
	}
	defer decoder.Close()
	for _, e := range entries {
		if e.offset < payload || e.compressed <= 0 || e.rawSize < 0 || e.offset > int64(offset) || e.compressed > int64(offset)-e.offset || len(e.sum) != sha256.Size {
			return damaged("its index entry %q is impossible", e.name)
		}
		if err := decoder.Reset(bufio.NewReaderSize(io.NewSectionReader(c.in, e.offset, e.compressed), 1<<16)); err != nil {
			return damaged("its part %q cannot be unpacked: %w", e.name, err)
		}
		if err := c.checked(e, decoder); err != nil {
			return err
		}
	}
	return nil
}

// checked writes one file and compares it with its index entry.
func (c *container) checked(e entry, r io.Reader) error {
	hash, sum := xxhash.New(), sha256.New()
	n, err := c.write(e.name, io.TeeReader(io.LimitReader(r, e.rawSize+1), io.MultiWriter(hash, sum)))
	switch {
	case err != nil:
		return err
	case n != e.rawSize:
		return damaged("its part %q has not the size that its index says", e.name)
	case hash.Sum64() != e.hash || !bytes.Equal(sum.Sum(nil), e.sum):
		return damaged("the checksum of its part %q is wrong", e.name)
	}
	return nil
}

// parseIndex reads an IndexedFrameIndex.
func parseIndex(b []byte) (entries []entry, manifestHash uint64, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
		switch {
		case number == 1 && kind == protowire.BytesType:
			e, err := parseEntry(value)
			if err != nil {
				return err
			}
			if entries = append(entries, e); len(entries) > maxFiles {
				return damaged("its index has too many entries")
			}
		case number == 4 && kind == protowire.Fixed64Type:
			manifestHash = n
		case number == 1 || number == 4:
			return damaged("field %d of its index has the wrong type", number)
		}
		return nil
	})
	return entries, manifestHash, err
}

func parseEntry(b []byte) (e entry, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
		want := map[protowire.Number]protowire.Type{1: protowire.BytesType, 2: protowire.VarintType, 3: protowire.VarintType,
			4: protowire.VarintType, 5: protowire.Fixed64Type, 6: protowire.BytesType}
		if t, known := want[number]; known && t != kind {
			return damaged("field %d of an index entry has the wrong type", number)
		}
		switch number {
		case 1:
			e.name = string(value)
		case 2:
			e.offset = int64(n)
		case 3:
			e.compressed = int64(n)
		case 4:
			e.rawSize = int64(n)
		case 5:
			e.hash = n
		case 6:
			e.sum = bytes.Clone(value)
		}
		return nil
	})
	return e, err
}

// compressedTar unpacks encoding 1.
func (c *container) compressedTar(payload int64) error {
	r, err := zstd.NewReader(bufio.NewReaderSize(io.NewSectionReader(c.in, payload, c.size-payload), 1<<16),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(c.limits.Window))
	if err != nil {
		return damaged("its payload cannot be unpacked: %w", err)
	}
	defer r.Close()
	return c.tar(r)
}

// tar unpacks encoding 2. Entries that are neither files nor folders are skipped.
func (c *container) tar(r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged("its payload cannot be read: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if _, err := c.write(h.Name, t); err != nil {
			return err
		}
	}
}

// write copies r into the file of that name and returns the number of bytes.
func (c *container) write(name string, r io.Reader) (int64, error) {
	if c.files++; c.files > maxFiles {
		return 0, damaged("it has too many parts")
	}
	name = strings.TrimPrefix(name, "./")
	if name == "" || len(name) > maxName || strings.ContainsAny(name, "\\\x00:") || !filepath.IsLocal(filepath.FromSlash(name)) {
		return 0, damaged("it has a part of the unusable name %q", name)
	}
	path := filepath.Join(c.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, baton.Errorf(baton.Storage, "unpack: %w", err)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return 0, damaged("it has two parts of the name %q", name)
	}
	if err != nil {
		return 0, baton.Errorf(baton.Storage, "unpack: %w", err)
	}
	defer out.Close()
	in := &source{r: r, left: c.budget}
	n, err := io.Copy(out, in)
	c.budget -= n
	if in.err != nil {
		return n, in.err
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return n, baton.Errorf(baton.Storage, "unpack: %w", err)
	}
	return n, nil
}

// source distinguishes read errors from write errors, and fails when more data comes than the budget
// allows.
type source struct {
	r    io.Reader
	left int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.left -= int64(n); s.left < 0 {
		s.err = unsupported("it unpacks to more than this program accepts")
		return 0, s.err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = damaged("a part of it cannot be unpacked: %w", err)
		return n, s.err
	}
	return n, err
}

// fields calls each with every field of a message: value for bytes, n for numbers.
func fields(b []byte, each func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error) error {
	for len(b) > 0 {
		number, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return damaged("a message in it cannot be read: %w", protowire.ParseError(size))
		}
		b = b[size:]
		var value []byte
		var n uint64
		switch kind {
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			n, size = protowire.ConsumeFixed64(b)
		case protowire.Fixed32Type:
			var small uint32
			small, size = protowire.ConsumeFixed32(b)
			n = uint64(small)
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(b)
		default:
			size = protowire.ConsumeFieldValue(number, kind, b)
		}
		if size < 0 {
			return damaged("a message in it cannot be read: %w", protowire.ParseError(size))
		}
		if err := each(number, kind, value, n); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

func damaged(format string, args ...any) error {
	return baton.Errorf(baton.Corrupt, format, args...).WithFix("Fetch or write the file again.")
}

func unsupported(format string, args ...any) error {
	return baton.Errorf(baton.Unsupported, format, args...).WithFix("Start the connector with --storage-engine sqlite, or update this program.")
}
