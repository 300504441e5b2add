package zblock

import (
	"encoding/binary"
	"math/bits"
)

// tableBits is the logarithm of how many positions the table holds. More of them find a
// little more, and do not stay in the cache.
const tableBits = 13

// margin is what is not looked at before the end of a block, so that eight bytes can be
// read anywhere else.
const margin = 12

// find fills in the literals and sequences of a block of the ring. The table knows positions
// of the stream, of which it keeps 32 bits: what it finds is compared with what is there, so
// that it may be wrong.
func (e *Encoder) find(start, end int) {
	src, table := e.ring, &e.table
	mask := len(src) - 1
	edge := len(src) - 8 // the last place to read eight bytes from
	base := uint32(e.begun) - uint32(start)
	seqs, lits := e.sequences[:0], e.literals[:0]
	rep0, rep1, rep2 := e.rep[0], e.rep[1], e.rep[2]
	anchor, limit := start, end-margin
	// The offsets to begin with are so short that they lead to no place before the stream.
	for s := start; s < limit; {
		cv := load64(src, s)
		h, h1 := hash(cv), hash(cv>>8)
		pos := base + uint32(s)
		far, far1 := pos-table[h], pos+1-table[h1]
		table[h] = pos
		table[h1] = pos + 1
		var offset uint32
		if t := (s + 2 - int(rep0)) & mask; t < edge && load32(src, t) == uint32(cv>>16) {
			s, offset = s+2, rep0
		} else if t := (s - int(far)) & mask; far-1 < Window-1 && t < edge && load32(src, t) == uint32(cv) {
			offset = far
		} else if t := (s + 1 - int(far1)) & mask; far1-1 < Window-1 && t < edge && load32(src, t) == uint32(cv>>8) {
			s, offset = s+1, far1
		} else {
			s += 2 + (s-anchor)>>6
			continue
		}
		t := (s - int(offset)) & mask
		n := 4 + same(src[s+4:end], src[t+4:])
		for s > anchor && t > 0 && src[s-1] == src[t-1] {
			s, t, n = s-1, t-1, n+1
		}
		lits = append(lits, src[anchor:s]...)
		q := sequence{literals: uint32(s - anchor), match: uint32(n)}
		none := uint32(0) // without literals the last offset cannot go on, and is not counted
		if q.literals == 0 {
			none = 1
		}
		switch {
		case offset == rep0 && none == 0:
			q.offset = 1
		case offset == rep1:
			rep0, rep1 = rep1, rep0
			q.offset = 2 - none
		case offset == rep2:
			rep0, rep1, rep2 = rep2, rep0, rep1
			q.offset = 3 - none
		default:
			q.offset = offset + 3
			rep0, rep1, rep2 = offset, rep0, rep1
		}
		seqs = append(seqs, q)
		s += n
		anchor = s
		// What comes at once is often what was before the last one.
		for s < limit {
			t := (s - int(rep1)) & mask
			if t >= edge || load32(src, t) != load32(src, s) {
				break
			}
			table[hash(load64(src, s))] = base + uint32(s)
			n := 4 + same(src[s+4:end], src[t+4:])
			seqs = append(seqs, sequence{match: uint32(n), offset: 1})
			rep0, rep1 = rep1, rep0
			s += n
			anchor = s
		}
	}
	e.literals = append(lits, src[anchor:end]...)
	e.sequences = seqs
	e.rep = [3]uint32{rep0, rep1, rep2}
}

func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }
func load32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i : i+4]) }

// hash is of six bytes.
func hash(v uint64) uint32 {
	const prime = 227718039650203
	return uint32(v << 16 * prime >> (64 - tableBits))
}

// same is how many bytes two texts have in common at the beginning.
func same(a, b []byte) int {
	n := 0
	for len(a) >= n+8 && len(b) >= n+8 {
		if x := load64(a, n) ^ load64(b, n); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
