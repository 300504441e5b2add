package writer

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// checksum computes XXH64, the checksum of zstd, for content whose beginning is known last. The
// content is a multiple of 32 bytes long. Each stripe of 32 bytes changes four numbers (lanes),
// one per 8 bytes, by steps that can be inverted. So 32 bytes of free choice are enough to make
// the beginning leave the lanes as they were, and the rest can be summed first.
type checksum struct {
	lanes [4]uint64
	size  uint64
}

const stripe = 32

const (
	prime1 uint64 = 0x9e3779b185ebca87
	prime2 uint64 = 0xc2b2ae3d27d4eb4f
	prime3 uint64 = 0x165667b19e3779f9
	prime4 uint64 = 0x85ebca77c2b2ae63
)

// untouched returns the initial lanes.
func untouched() [4]uint64 {
	p1, p2 := prime1, prime2
	return [4]uint64{p1 + p2, p2, 0, -p1}
}

func newChecksum() checksum { return checksum{lanes: untouched()} }

// add adds the content that follows.
func (c *checksum) add(b []byte) {
	c.size += uint64(len(b))
	v := c.lanes
	for ; len(b) >= stripe; b = b[stripe:] {
		v[0] = round(v[0], binary.LittleEndian.Uint64(b))
		v[1] = round(v[1], binary.LittleEndian.Uint64(b[8:]))
		v[2] = round(v[2], binary.LittleEndian.Uint64(b[16:]))
		v[3] = round(v[3], binary.LittleEndian.Uint64(b[24:]))
	}
	c.lanes = v
}

func round(lane, in uint64) uint64 { return bits.RotateLeft64(lane+in*prime2, 31) * prime1 }

// inverse returns the multiplicative inverse of an odd number modulo 2^64.
func inverse(n uint64) uint64 {
	x := n
	for range 6 {
		x *= 2 - n*x
	}
	return x
}

// prepend adds the beginning of the content. It overwrites the stripe at the offset free, whose
// content does not matter otherwise.
func (c *checksum) prepend(head []byte, free int) error {
	if len(head)%stripe != 0 || free%stripe != 0 || free < 0 || free+stripe > len(head) {
		return errors.New("c1z: the schema leaves no space for the checksum")
	}
	start := newChecksum()
	start.add(head[:free])
	end := untouched()
	undo1, undo2 := inverse(prime1), inverse(prime2)
	for at := len(head) - stripe; at >= free; at -= stripe {
		for i := range end {
			before := bits.RotateLeft64(end[i]*undo1, -31) // lane plus input
			in := head[at+8*i:]
			if at == free {
				binary.LittleEndian.PutUint64(in, (before-start.lanes[i])*undo2)
			} else {
				end[i] = before - binary.LittleEndian.Uint64(in)*prime2
			}
		}
	}
	c.size += uint64(len(head))
	return nil
}

// sum returns the checksum that a frame stores, the lower 32 bits.
func (c *checksum) sum() uint32 {
	v := c.lanes
	h := bits.RotateLeft64(v[0], 1) + bits.RotateLeft64(v[1], 7) + bits.RotateLeft64(v[2], 12) + bits.RotateLeft64(v[3], 18)
	for _, lane := range v {
		h = (h^round(0, lane))*prime1 + prime4
	}
	h += c.size
	h ^= h >> 33
	h *= prime2
	h ^= h >> 29
	h *= prime3
	h ^= h >> 32
	return uint32(h)
}
