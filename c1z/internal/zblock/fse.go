package zblock

import "math/bits"

const (
	leastLog = 5
	mostLog  = 8
	symbols  = 64 // a power of two beyond all codes
)

// coder is a table of finite state entropy. A state says what the symbol behind it was; to
// put another one in front, so many of its bits are written that what is left of it is one
// of the states of that symbol, of which there are as many as is its share.
type coder struct {
	count [symbols]uint32
	share [symbols]int32
	used  int // the number of the last symbol, and one
	log   uint

	steps  [symbols]step
	states [1 << mostLog]uint16
}

// step is, for a symbol, what gives the number of bits when a state is added to it, highest
// 16 bits; and what leads to its states when the rest of the state is.
type step struct {
	bits  uint32
	start int32
}

// only makes the table for a symbol that is the only one.
func (c *coder) only(symbol uint8) {
	c.log = 0
	c.steps[symbol], c.states[0] = step{}, 0
}

// build makes the table for what was counted, two symbols at least, of a total.
func (c *coder) build(total int) {
	c.divide(total)
	size := int32(1) << c.log
	var symbol [1 << mostLog]uint8
	at := int32(0)
	for s, share := range c.share[:c.used] {
		for range share {
			symbol[at] = uint8(s)
			at = (at + size>>1 + size>>3 + 3) & (size - 1)
		}
	}
	var next [symbols]int32
	sum := int32(0)
	for s, share := range c.share[:c.used] {
		next[s] = sum
		if share > 0 {
			out := uint32(c.log) - uint32(bits.Len32(uint32(share-1))) + 1
			if share == 1 {
				out = uint32(c.log)
			}
			c.steps[s] = step{out<<16 - uint32(share)<<out, sum - share}
		}
		sum += share
	}
	for i, s := range symbol[:size] {
		c.states[next[s]] = uint16(int(size) + i)
		next[s]++
	}
}

// divide gives each symbol that there is a share of the table, one at least.
func (c *coder) divide(total int) {
	c.used = symbols
	for c.count[c.used-1] == 0 {
		c.used--
	}
	c.log = min(mostLog, max(leastLog, uint(bits.Len(uint(total)))))
	left, largest := int32(1)<<c.log, 0
	for s, n := range c.count[:c.used] {
		c.share[s] = 0
		if n > 0 {
			c.share[s] = max(1, int32((uint64(n)<<c.log+uint64(total)/2)/uint64(total)))
		}
		left -= c.share[s]
		if c.share[s] > c.share[largest] {
			largest = s
		}
	}
	// The largest gets what is over, and gives what is missing, up to a half at a time.
	for left != 0 {
		give := max(left, -c.share[largest]/2)
		c.share[largest] += give
		left -= give
		for s, share := range c.share[:c.used] {
			if share > c.share[largest] {
				largest = s
			}
		}
	}
}

// append appends the shares as the reader is told of them.
func (c *coder) append(dst []byte) []byte {
	held, n := uint64(c.log-leastLog), uint(4)
	put := func(v int32, width uint) {
		held |= uint64(v) << n
		for n += width; n >= 8; n -= 8 {
			dst = append(dst, byte(held))
			held >>= 8
		}
	}
	size := int32(1) << c.log
	left, threshold, width := size+1, size, c.log+1
	for s := 0; left > 1; s++ {
		share := c.share[s]
		left -= share
		// Of the numbers that are possible, the lower ones take a bit less.
		v, short := share+1, 2*threshold-1-left-share
		if v >= threshold {
			v += short
		}
		if v < short {
			put(v, width-1)
		} else {
			put(v, width)
		}
		for left < threshold {
			width--
			threshold >>= 1
		}
		if share == 0 { // how many more follow, by threes
			more := int32(0)
			for c.share[s+1] == 0 {
				s++
				more++
			}
			for ; more >= 3; more -= 3 {
				put(3, 2)
			}
			put(more, 2)
		}
	}
	if n > 0 {
		dst = append(dst, byte(held))
	}
	return dst
}

// first is the state of the last symbol.
func (c *coder) first(symbol uint8) uint32 {
	p := c.steps[symbol]
	n := (p.bits + 1<<15) >> 16
	return uint32(c.states[int32(n<<16-p.bits)>>n+p.start])
}

// next is the state that a symbol in front leads to, and of how many bits of the state that
// was are to be written.
func (c *coder) next(state uint32, symbol uint8) (next uint32, width uint) {
	p := &c.steps[symbol%symbols]
	width = uint(state+p.bits) >> 16 % 16
	return uint32(c.states[uint8(int32(state>>width)+p.start)]), width
}
