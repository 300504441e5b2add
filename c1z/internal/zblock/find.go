package zblock

import (
	"encoding/binary"
	"math/bits"
)

// tableBits is the logarithm of how many positions the table holds. More of them find a
// little more, and do not stay in the cache.
const tableBits = 13

// tagBits are what is left of an entry of the table beside a place in the ring. Few places
// are looked at in vain when the tag must be the same.
const (
	tagBits = 10
	tags    = 1<<tagBits - 1
)

const (
	mask = Ring - 1
	edge = Ring - 12 // from where on a place is not looked back to
	// margin is what is not looked at before the end of a block, so that eight bytes, and
	// eight behind the first four of a match, can be read anywhere else.
	margin = 16
	// room is how many literals are copied at once, most often more than there are.
	room = 32
)

// find fills in the literals and sequences of a block of the ring. The table knows places in
// the ring, where there may be something else by now: what it finds is compared with what is
// there.
func (e *Encoder) find(start, end int) {
	src, table := e.ring, &e.table
	count, lits := 0, 0
	rep0, rep1, rep2 := int(e.rep[0]), int(e.rep[1]), int(e.rep[2])
	anchor, limit := start, end-margin
	// The offsets to begin with are so short that they lead to no place before the stream.
	for s := start; s < limit; {
		cv := load64(src, s)
		h, h1 := hash(cv), hash(cv>>8)
		was, was1 := table[h>>tagBits], table[h1>>tagBits]
		table[h>>tagBits] = entry(s, h)
		table[h1>>tagBits] = entry(s+1, h1)
		late := (s + 2 - rep0) & mask
		other := load32(src, min(late, edge)) ^ uint32(cv>>16)
		tag, tag1 := (was^h)&tags, (was1^h1)&tags
		// Nothing is found most often, which is seen at once.
		if uint64(other)*uint64(tag)*uint64(tag1) != 0 {
			s += 2 + (s-anchor)>>6
			continue
		}
		var t int
		if t = late; other == 0 && t < edge {
			s += 2
		} else if t = int(was >> tagBits); tag == 0 && (s-1-t)&mask < Window-1 && t < edge && load32(src, t) == uint32(cv) {
		} else if t = int(was1 >> tagBits); tag1 == 0 && (s-t)&mask < Window-1 && t < edge && load32(src, t) == uint32(cv>>8) {
			s++
		} else {
			s += 2 + (s-anchor)>>6
			continue
		}
		offset := (s - t) & mask
		n := same(src, s, t, end)
		if s-start >= 8 && t >= 8 { // or else it would read what is before the window
			back := min(s-anchor, bits.LeadingZeros64(load64(src, s-8)^load64(src, t-8))>>3)
			s, t, n = s-back, t-back, n+back
		}
		for s > anchor && t > 0 && src[s-1] == src[t-1] {
			s, t, n = s-1, t-1, n+1
		}
		if k := s - anchor; k <= room && anchor <= len(src)-room {
			copy(e.literals[lits:lits+16], src[anchor:anchor+16])
			copy(e.literals[lits+16:lits+room], src[anchor+16:anchor+room])
			lits += k
		} else {
			lits += copy(e.literals[lits:], src[anchor:s])
		}
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
			q.offset = uint32(offset) + 3
			rep0, rep1, rep2 = offset, rep0, rep1
		}
		e.sequences[count] = q
		count++
		s += n
		anchor = s
		// What comes at once is often what was before the last one.
		for s < limit {
			t := (s - rep1) & mask
			cv := load64(src, s)
			if t >= edge || load32(src, t) != uint32(cv) {
				break
			}
			h := hash(cv)
			table[h>>tagBits] = entry(s, h)
			n := same(src, s, t, end)
			e.sequences[count] = sequence{match: uint32(n), offset: 1}
			count++
			rep0, rep1 = rep1, rep0
			s += n
			anchor = s
		}
	}
	lits += copy(e.literals[lits:], src[anchor:end])
	e.found, e.plain = count, lits
	e.rep = [3]uint32{uint32(rep0), uint32(rep1), uint32(rep2)}
}

func load64(b *[Ring]byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }
func load32(b *[Ring]byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i : i+4]) }

// hash is of six bytes. Its highest bits are a place in the table, the others a tag.
func hash(v uint64) uint32 {
	const prime = 227718039650203
	return uint32(v << 16 * prime >> (64 - tableBits - tagBits))
}

// entry is what the table holds of a place.
func entry(s int, h uint32) uint32 { return uint32(s)<<tagBits | h&tags }

// same is how many bytes two places have in common, of which four are known to be.
func same(b *[Ring]byte, s, t, end int) int {
	if x := load64(b, s+4) ^ load64(b, t+4); x != 0 {
		return 4 + bits.TrailingZeros64(x)>>3
	}
	return 12 + sameMore(b[s+12:end], b[t+12:])
}

// sameMore is how many bytes two texts have in common at the beginning.
func sameMore(a, b []byte) int {
	n := 0
	for len(a) >= n+8 && len(b) >= n+8 {
		if x := binary.LittleEndian.Uint64(a[n:n+8]) ^ binary.LittleEndian.Uint64(b[n:n+8]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
