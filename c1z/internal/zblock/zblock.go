// Package zblock compresses what is written once into blocks of the zstd format (RFC 8878).
// Package zstd, which reads them, compresses as well, but copies what it is given three
// times, and looks for matches in a table that does not stay in the cache. Here the content
// is compressed where it lies: in a ring, which its maker fills while older parts of it are
// still looked back to.
//
// A block becomes literals and sequences, which are so many literals and a match of what was
// there before (find.go), and those become bits (entropy.go, fse.go). The code of the
// literals is package huff0's.
package zblock

import "github.com/klauspost/compress/huff0"

const (
	// Window is how far back a match may be. Sorted rows have nothing to find farther away:
	// with 8 MiB a million grants are not smaller by a thousandth.
	Window = 1 << 20
	// BlockSize is the most that a block has.
	BlockSize = 128 << 10
	// Ring is how long a ring is.
	Ring = 4 * Window
)

// Encoder compresses a stream, of which the newest part is in a ring.
type Encoder struct {
	ring  *[Ring]byte
	at    int // where in the ring the next block begins
	table [1 << tableBits]uint32
	rep   [3]uint32 // the offsets of late, as the format counts them

	literals   [BlockSize + room]byte
	plain      int // how many of them there are
	sequences  [BlockSize / 4]sequence
	found      int
	codes      []coded
	huff       huff0.Scratch
	ll, of, ml coder
}

// sequence is so many literals and a match behind them. The offset is as the format has it:
// those of late are 1 to 3, and others are more by three.
type sequence struct{ literals, match, offset uint32 }

// New begins a stream at the beginning of the ring.
func New(ring *[Ring]byte) *Encoder { return &Encoder{ring: ring, rep: [3]uint32{1, 4, 8}} }

// Append appends the next block: so many bytes of the ring behind those before, which do not
// go beyond its end. As much as a [Window] before them must still be there.
func (e *Encoder) Append(dst []byte, n int) []byte {
	start, end := e.at, e.at+n
	rep := e.rep
	e.find(start, end)
	e.at = end % Ring
	head := len(dst)
	dst = append(dst, 0, 0, 0)
	dst = e.appendLiterals(dst)
	dst = e.appendSequences(dst)
	kind, size := compressed, len(dst)-head-3
	if size >= n {
		dst = append(dst[:head+3], e.ring[start:end]...)
		kind, size = raw, n
		e.rep = rep                          // the reader has seen no others,
		e.huff.Reuse = huff0.ReusePolicyNone // and perhaps not the last code
	}
	h := size<<3 | kind<<1
	dst[head], dst[head+1], dst[head+2] = byte(h), byte(h>>8), byte(h>>16)
	return dst
}

// AppendEnd appends a block that says that it is the last one, and has nothing in it.
func AppendEnd(dst []byte) []byte { return append(dst, raw<<1|1, 0, 0) }

// Types of blocks.
const (
	raw        = 0
	compressed = 2
)
