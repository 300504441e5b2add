package zblock

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/huff0"
)

// appendLiterals appends the section of the literals: a header of their type and of what
// they take, and the literals, in the code that is new or was the last one.
func (e *Encoder) appendLiterals(dst []byte) []byte {
	const (
		plain = iota
		alike
		coded
		codedAgain
	)
	literals := e.literals[:e.plain]
	n := len(literals)
	var out []byte
	var again bool
	streams := uint64(1) // says that there are four
	err := huff0.ErrIncompressible
	switch {
	case n >= 1024:
		out, again, err = huff0.Compress4X(literals, &e.huff)
	case n > 32:
		streams = 0
		out, again, err = huff0.Compress1X(literals, &e.huff)
	}
	if err == nil && len(out)+5 < n {
		e.huff.Reuse = huff0.ReusePolicyAllow
		h := uint64(coded)
		if again {
			h = codedAgain
		}
		switch width := bits.Len(uint(n)); { // of both sizes
		case width <= 10:
			h |= streams<<2 | uint64(n)<<4 | uint64(len(out))<<14
			dst = append(dst, byte(h), byte(h>>8), byte(h>>16))
		case width <= 14:
			h |= 2<<2 | uint64(n)<<4 | uint64(len(out))<<18
			dst = append(dst, byte(h), byte(h>>8), byte(h>>16), byte(h>>24))
		default:
			h |= 3<<2 | uint64(n)<<4 | uint64(len(out))<<22
			dst = append(dst, byte(h), byte(h>>8), byte(h>>16), byte(h>>24), byte(h>>32))
		}
		return append(dst, out...)
	}
	if err == nil {
		e.huff.Reuse = huff0.ReusePolicyNone // the reader does not see the code
	}
	kind, content := plain, literals
	if errors.Is(err, huff0.ErrUseRLE) {
		kind, content = alike, content[:1]
	}
	switch h := kind | n<<4; {
	case n < 1<<5:
		dst = append(dst, byte(kind|n<<3))
	case n < 1<<12:
		h |= 1 << 2
		dst = append(dst, byte(h), byte(h>>8))
	default:
		h |= 3 << 2
		dst = append(dst, byte(h), byte(h>>8), byte(h>>16))
	}
	return append(dst, content...)
}

// coded is a sequence as its codes in the three tables, and as the bits of its numbers that
// those do not say.
type coded struct {
	rest                           uint64
	width, literals, offset, match uint8
}

// Codes of up to 63 literals, and of up to 511 bytes of a match beyond the least that there
// may be. More have one by their highest bit.
var (
	literalsCodes = codesOf(64, literalsBits)
	matchCodes    = codesOf(512, matchBits)
)

const (
	literalsBeyond = 18 // and the number of bits
	matchBeyond    = 35
	leastMatch     = 3
)

// How many bits follow each code.
var (
	literalsBits = [symbols]uint8{16: 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	matchBits    = [symbols]uint8{32: 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
)

// codesOf gives the numbers below n their codes.
func codesOf(n int, width [symbols]uint8) []uint8 {
	codes := make([]uint8, 0, n+1<<8)
	for code := 0; len(codes) < n; code++ {
		for range 1 << width[code] {
			codes = append(codes, uint8(code))
		}
	}
	return codes[:n:n]
}

// appendSequences appends the section of the sequences: how many there are, the tables of
// their codes, and both in bits.
func (e *Encoder) appendSequences(dst []byte) []byte {
	n := e.found
	const long = 0x7f00
	switch {
	case n < 128:
		dst = append(dst, byte(n))
	case n < long:
		dst = append(dst, byte(n>>8)+128, byte(n))
	default:
		dst = append(dst, 255, byte(n-long), byte((n-long)>>8))
	}
	if n == 0 {
		return dst
	}
	e.encode()
	modes := len(dst)
	dst = append(dst, 0)
	last := &e.codes[n-1]
	for _, t := range [...]struct {
		coder *coder
		last  uint8
		shift int
	}{{&e.ll, last.literals, 6}, {&e.of, last.offset, 4}, {&e.ml, last.match, 2}} {
		const alike, described = 1, 2
		if int(t.coder.count[t.last]) == n {
			t.coder.only(t.last)
			dst[modes] |= alike << t.shift
			dst = append(dst, t.last)
		} else {
			t.coder.build(n)
			dst[modes] |= described << t.shift
			dst = t.coder.append(dst)
		}
	}
	return e.appendBits(dst)
}

// encode gives the sequences their codes, and counts them.
func (e *Encoder) encode() {
	ll, of, ml := &e.ll.count, &e.of.count, &e.ml.count
	clear(ll[:])
	clear(of[:])
	clear(ml[:])
	e.codes = slices.Grow(e.codes[:0], e.found)[:e.found]
	for i, q := range e.sequences[:e.found] {
		c := &e.codes[i]
		match := q.match - leastMatch
		if q.literals < uint32(len(literalsCodes)) {
			c.literals = literalsCodes[q.literals]
		} else {
			c.literals = uint8(literalsBeyond + bits.Len32(q.literals))
		}
		if match < uint32(len(matchCodes)) {
			c.match = matchCodes[match]
		} else {
			c.match = uint8(matchBeyond + bits.Len32(match))
		}
		c.offset = uint8(bits.Len32(q.offset) - 1)
		ll[c.literals%symbols]++
		of[c.offset%symbols]++
		ml[c.match%symbols]++
		lb, mb, ob := literalsBits[c.literals%symbols]%32, matchBits[c.match%symbols]%32, c.offset%32
		c.rest = uint64(q.literals&(1<<lb-1)) | uint64(match&(1<<mb-1))<<lb | uint64(q.offset&(1<<ob-1))<<((lb+mb)%64)
		c.width = lb + mb + ob
	}
}

// appendBits appends the sequences, the last one first, as they are read from the end.
func (e *Encoder) appendBits(dst []byte) []byte {
	const most = 10 // bytes of a sequence
	at := len(dst)
	if need := at + most*len(e.codes) + 16; cap(dst) < need {
		dst = append(make([]byte, 0, need+need/4), dst...)
	}
	out := dst[:cap(dst)]
	ll, of, ml := &e.ll, &e.of, &e.ml
	last := len(e.codes) - 1
	c := &e.codes[last]
	l, o, m := ll.first(c.literals), of.first(c.offset), ml.first(c.match) // which say its codes
	held, n := c.rest, uint(c.width)                                       // so many bits
	flush := func() {
		binary.LittleEndian.PutUint64(out[at:], held)
		at += int(n >> 3)
		held >>= n & 56
		n &= 7
	}
	flush()
	for i := last - 1; i >= 0; i-- {
		c := &e.codes[i]
		next, width := of.next(o, c.offset)
		held |= uint64(o&(1<<width-1)) << (n & 63)
		o, n = next, n+width
		next, width = ml.next(m, c.match)
		held |= uint64(m&(1<<width-1)) << (n & 63)
		m, n = next, n+width
		next, width = ll.next(l, c.literals)
		held |= uint64(l&(1<<width-1)) << (n & 63)
		l, n = next, n+width
		if n+uint(c.width) >= 64 {
			flush()
		}
		held |= c.rest << (n & 63)
		n += uint(c.width)
		flush()
	}
	for _, s := range [...]struct {
		state uint32
		log   uint
	}{{m, ml.log}, {o, of.log}, {l, ll.log}, {1, 1}} {
		held |= uint64(s.state) & (1<<s.log - 1) << n
		n += s.log
	}
	binary.LittleEndian.PutUint64(out[at:], held)
	return out[:at+int(n+7)>>3]
}
