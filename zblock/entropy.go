package zblock

import (
	"encoding/binary"
	"errors"
	"math/bits"

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
	n := len(e.literals)
	var out []byte
	var again bool
	streams := uint64(1) // says that there are four
	err := huff0.ErrIncompressible
	switch {
	case n >= 1024:
		out, again, err = huff0.Compress4X(e.literals, &e.huff)
	case n > 32:
		streams = 0
		out, again, err = huff0.Compress1X(e.literals, &e.huff)
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
	kind, content := plain, e.literals
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

// codes are what a sequence is in the three tables. The bits of a number that its code does
// not say follow it.
type codes struct{ literals, offset, match uint8 }

// Codes of up to 63 literals, and of up to 127 bytes of a match beyond the least that there
// may be. More have one by their highest bit.
var (
	literalsCodes = codesOf(64, literalsBits)
	matchCodes    = codesOf(128, matchBits)
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
	n := len(e.sequences)
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
	last := e.codes[n-1]
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
	e.codes = e.codes[:0]
	for i := range e.sequences {
		q := &e.sequences[i]
		q.match -= leastMatch
		var c codes
		if q.literals < 64 {
			c.literals = literalsCodes[q.literals]
		} else {
			c.literals = uint8(literalsBeyond + bits.Len32(q.literals))
		}
		if q.match < 128 {
			c.match = matchCodes[q.match]
		} else {
			c.match = uint8(matchBeyond + bits.Len32(q.match))
		}
		c.offset = uint8(bits.Len32(q.offset) - 1)
		ll[c.literals%symbols]++
		of[c.offset%symbols]++
		ml[c.match%symbols]++
		e.codes = append(e.codes, c)
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
	last := e.codes[len(e.codes)-1]
	l, o, m := ll.first(last.literals), of.first(last.offset), ml.first(last.match)
	var held uint64 // so many bits
	var n uint
	for i := len(e.codes) - 1; i >= 0; i-- {
		c, q := e.codes[i], &e.sequences[i]
		if i < len(e.codes)-1 { // which the first states say
			var v uint64
			var width uint
			o, v, width = of.next(o, c.offset)
			held |= v << n
			n += width
			m, v, width = ml.next(m, c.match)
			held |= v << n
			n += width
			l, v, width = ll.next(l, c.literals)
			held |= v << n
			n += width
			binary.LittleEndian.PutUint64(out[at:], held)
			at += int(n >> 3)
			held >>= n &^ 7
			n &= 7
		}
		// With less than a byte held these are no more than 7+16+16+20 bits.
		lb, mb, ob := uint(literalsBits[c.literals%symbols])%32, uint(matchBits[c.match%symbols])%32, uint(c.offset)%32
		held |= (uint64(q.literals)&(1<<lb-1) | uint64(q.match)&(1<<mb-1)<<lb | uint64(q.offset)&(1<<ob-1)<<(lb+mb)) << n
		n += lb + mb + ob
		binary.LittleEndian.PutUint64(out[at:], held)
		at += int(n >> 3)
		held >>= n &^ 7
		n &= 7
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
