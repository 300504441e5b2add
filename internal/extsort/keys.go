package extsort

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// arena lends memory for keys, up to a limit.
type arena struct {
	limit int
	used  int
	block int // the size of a usual block
	free  [][]byte
}

// newArena makes an arena with blocks so small that dozens of sorters can share the limit.
func newArena(limit int) *arena {
	return &arena{limit: limit, block: min(max(limit/64, 4<<10), 256<<10)}
}

// full reports whether that much more memory would exceed the limit.
func (a *arena) full(size int) bool { return a.used+max(size, a.block) > a.limit }

func (a *arena) get(size int) []byte {
	size = max(size, a.block)
	a.used += size
	if n := len(a.free); n > 0 && size == a.block {
		b := a.free[n-1]
		a.free = a.free[:n-1]
		return b[:0]
	}
	return make([]byte, 0, size)
}

func (a *arena) put(b []byte) {
	a.used -= cap(b)
	if cap(b) == a.block {
		a.free = append(a.free, b)
	}
}

// keys holds keys in memory, each after its length in four bytes.
type keys struct {
	arena  *arena
	blocks [][]byte
	n      int
	size   int // memory of the blocks, and of the items for sorting
}

// itemSize is the memory that sorting needs per key.
const itemSize = 16

// fits reports whether a key can be added without another block.
func (k *keys) fits(key []byte) bool {
	if len(k.blocks) == 0 {
		return false
	}
	last := k.blocks[len(k.blocks)-1]
	return len(last)+4+len(key) <= cap(last)
}

func (k *keys) grow(key []byte) {
	b := k.arena.get(4 + len(key))
	k.size += cap(b)
	k.blocks = append(k.blocks, b)
}

// add adds a key that fits.
func (k *keys) add(key []byte) {
	last := &k.blocks[len(k.blocks)-1]
	*last = binary.NativeEndian.AppendUint32(*last, uint32(len(key)))
	*last = append(*last, key...)
	k.n++
	k.size += itemSize
	k.arena.used += itemSize
}

func (k *keys) release() {
	for _, b := range k.blocks {
		k.arena.put(b)
	}
	k.arena.used -= k.n * itemSize
	*k = keys{arena: k.arena, blocks: k.blocks[:0]}
}

// item refers to a key. Its cache holds eight bytes of the key, at the depth up to which the keys
// being sorted are equal, so that most comparisons do not read the keys.
type item struct {
	cache uint64
	block uint32
	off   uint32
}

func (k *keys) key(it *item) []byte {
	b := k.blocks[it.block][it.off:]
	return b[4 : 4+binary.NativeEndian.Uint32(b)]
}

// sorted appends an item for each key to dst, in order.
func (k *keys) sorted(dst []item) []item {
	dst = slices.Grow(dst, k.n)
	for i, b := range k.blocks {
		for off := 0; off < len(b); {
			n := int(binary.NativeEndian.Uint32(b[off:]))
			dst = append(dst, item{cache: window(b[off+4:off+4+n], 0), block: uint32(i), off: uint32(off)})
			off += 4 + n
		}
	}
	k.sort(dst, 0, 2*bits.Len(uint(len(dst)))+8)
	return dst
}

// window returns the eight bytes of a key at a depth, padded with zeros.
func window(key []byte, depth int) uint64 {
	if len(key) >= depth+8 {
		return binary.BigEndian.Uint64(key[depth:])
	}
	var b [8]byte
	if depth < len(key) {
		copy(b[:], key[depth:])
	}
	return binary.BigEndian.Uint64(b[:])
}

func (k *keys) compare(a, b *item, depth int) int {
	switch {
	case a.cache < b.cache:
		return -1
	case a.cache > b.cache:
		return 1
	}
	x, y := k.key(a), k.key(b)
	depth += 8
	if depth >= len(x) || depth >= len(y) { // the same key
		return 0
	}
	return bytes.Compare(x[depth:], y[depth:])
}

// sort is a multikey quicksort over windows of eight bytes. The keys of the items are equal up to
// the depth. Items are partitioned by the window at the depth, and those with the same window
// continue with the next one: a long common prefix is read once and not in each comparison. After
// too many unbalanced partitions (patience), slices.SortFunc sorts the rest.
func (k *keys) sort(items []item, depth, patience int) {
	for len(items) > 12 {
		if patience == 0 {
			slices.SortFunc(items, func(a, b item) int { return k.compare(&a, &b, depth) })
			return
		}
		less, more := part(items, pivot(items))
		if max(less, len(items)-more) > len(items)/8*7 {
			patience--
		}
		k.sort(items[:less], depth, patience)
		k.sort(items[more:], depth, patience)
		items = items[less:more]
		depth += 8
		for i := range items {
			key := k.key(&items[i])
			if len(key) <= depth {
				return // no key is a prefix of another, so these are all the same
			}
			items[i].cache = window(key, depth)
		}
	}
	for i := 1; i < len(items); i++ {
		for j := i; j > 0 && k.compare(&items[j], &items[j-1], depth) < 0; j-- {
			items[j], items[j-1] = items[j-1], items[j]
		}
	}
}

// part moves the items with a window below the pivot to the front and those above it to the end.
// It returns where the items with the same window begin and end.
func part(items []item, pivot uint64) (less, more int) {
	more = len(items)
	for i := 0; i < more; {
		switch c := items[i].cache; {
		case c < pivot:
			items[less], items[i] = items[i], items[less]
			less++
			i++
		case c > pivot:
			more--
			items[more], items[i] = items[i], items[more]
		default:
			i++
		}
	}
	return less, more
}

// pivot returns an approximate median of the windows.
func pivot(items []item) uint64 {
	n := len(items)
	if n < 64 {
		return median(items[0].cache, items[n/2].cache, items[n-1].cache)
	}
	s := n / 9
	return median(
		median(items[0].cache, items[s].cache, items[2*s].cache),
		median(items[3*s].cache, items[4*s].cache, items[5*s].cache),
		median(items[6*s].cache, items[7*s].cache, items[8*s].cache))
}

func median(a, b, c uint64) uint64 { return max(min(a, b), min(max(a, b), c)) }
