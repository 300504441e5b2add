// Package intern gives numbers to strings. A string gets the next number when it is first added,
// and can be looked up by its text or by its number.
//
//	var t intern.Table
//	n, fresh := t.Add([]byte("user:42")) // 0, true
//	t.Text(n)                            // "user:42"
//
// It is made for the ids of a tenant, of which there may be millions. They are stored one after
// the other in large blocks, without pointers: they take little more memory than their bytes, and
// no time in garbage collection.
package intern

import (
	"encoding/binary"
	"hash/maphash"
)

// Table is a set of strings with numbers from 0. The zero Table is empty. Only reads may be
// concurrent.
type Table struct {
	seed maphash.Seed
	// blocks hold strings, each after its number (4 bytes, little-endian) and its length
	// (unsigned varint).
	blocks [][]byte
	places []place // by number
	// slots is a hash table with open addressing. A slot holds the upper bits of a hash and a
	// place plus one; an empty slot is 0.
	slots []uint64
}

// place is the position of a string: its block and, in the lower bits, the offset there.
type place uint64

// blockSize is the size of a block. A longer string has a block of its own.
const (
	offsetBits = 16
	blockSize  = 1 << offsetBits
	placeBits  = 40
)

// Len returns the number of strings.
func (t *Table) Len() int { return len(t.places) }

// Text returns the string with a number that Add has returned. It must not be modified.
func (t *Table) Text(n int) []byte {
	_, s := t.at(t.places[n])
	return s
}

// at returns the string at a place, and its number.
func (t *Table) at(p place) (n int, s []byte) {
	b := t.blocks[p>>offsetBits][p%blockSize:]
	n = int(binary.LittleEndian.Uint32(b))
	b = b[4:]
	length, width := binary.Uvarint(b)
	return n, b[width : width+int(length) : width+int(length)]
}

// Find returns the number of a string.
func (t *Table) Find(s []byte) (n int, ok bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	_, n, ok = t.look(s, maphash.Bytes(t.seed, s))
	return n, ok
}

// Add returns the number of a string, and adds it if it is new. S is not kept.
func (t *Table) Add(s []byte) (n int, fresh bool) {
	if 4*(len(t.places)+1) > 3*len(t.slots) {
		t.grow()
	}
	return t.add(s, maphash.Bytes(t.seed, s))
}

func (t *Table) add(s []byte, hash uint64) (n int, fresh bool) {
	at, n, ok := t.look(s, hash)
	if ok {
		return n, false
	}
	n = len(t.places)
	p := t.keep(n, s)
	t.slots[at] = entry(hash, p)
	t.places = append(t.places, p)
	return n, true
}

// together is the number of strings that are looked up at a time.
const together = 64

// AddAll adds strings and appends their numbers to dst. The strings are one after the other in
// texts, and end at ends. Entries of a large table are far apart in memory; looking up several
// together lets their cache misses overlap.
func (t *Table) AddAll(dst []int, texts []byte, ends []int) []int {
	start := 0
	for len(ends) > 0 {
		n := min(together, len(ends))
		dst = t.addAll(dst, texts, start, ends[:n])
		start, ends = ends[n-1], ends[n:]
	}
	return dst
}

func (t *Table) addAll(dst []int, texts []byte, start int, ends []int) []int {
	for 4*(len(t.places)+len(ends)) > 3*len(t.slots) {
		t.grow()
	}
	var hashes, slots [together]uint64
	var numbers [together]uint32
	from := start
	for i, end := range ends {
		hashes[i] = maphash.Bytes(t.seed, texts[from:end])
		from = end
	}
	mask := uint64(len(t.slots) - 1)
	for i := range ends {
		slots[i] = t.slots[hashes[i]&mask]
	}
	// Most strings are in their first slot, or not in the table.
	for i := range ends {
		if p, ok := found(slots[i], hashes[i]); ok {
			numbers[i] = binary.LittleEndian.Uint32(t.blocks[p>>offsetBits][p%blockSize:])
		}
	}
	from = start
	for i, end := range ends {
		s := texts[from:end]
		from = end
		if p, ok := found(slots[i], hashes[i]); ok {
			if _, text := t.at(p); string(text) == string(s) {
				dst = append(dst, int(numbers[i]))
				continue
			}
		}
		n, _ := t.add(s, hashes[i])
		dst = append(dst, n)
	}
	return dst
}

// Truncate removes all strings but the first n. Results of Text for the others become invalid.
func (t *Table) Truncate(n int) {
	if n >= len(t.places) {
		return
	}
	first := t.places[n]
	t.places = t.places[:n]
	block := first >> offsetBits
	t.blocks = t.blocks[:block+1]
	t.blocks[block] = t.blocks[block][:first%blockSize]
	t.fill()
}

// Clear removes all strings.
func (t *Table) Clear() { *t = Table{} }

func entry(hash uint64, p place) uint64 { return hash>>placeBits<<placeBits | uint64(p+1) }

// found returns the place in a slot, if its string may have this hash.
func found(slot, hash uint64) (p place, ok bool) {
	return place(slot&(1<<placeBits-1)) - 1, slot != 0 && slot>>placeBits == hash>>placeBits
}

// look finds the string, or the slot that it goes into.
func (t *Table) look(s []byte, hash uint64) (at uint64, n int, ok bool) {
	mask := uint64(len(t.slots) - 1)
	for at = hash & mask; t.slots[at] != 0; at = (at + 1) & mask {
		if p, ok := found(t.slots[at], hash); ok {
			if n, text := t.at(p); string(text) == string(s) {
				return at, n, true
			}
		}
	}
	return at, 0, false
}

// keep copies a string to a block.
func (t *Table) keep(n int, s []byte) place {
	size := 4 + binary.MaxVarintLen32 + len(s)
	last := len(t.blocks) - 1
	if last < 0 || cap(t.blocks[last])-len(t.blocks[last]) < size {
		t.blocks = append(t.blocks, make([]byte, 0, max(size, t.block())))
		last++
	}
	b := t.blocks[last]
	at := place(last<<offsetBits | len(b))
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = binary.AppendUvarint(b, uint64(len(s)))
	t.blocks[last] = append(b, s...)
	return at
}

// block returns the size of the next block. Small tables have small blocks.
func (t *Table) block() int { return min(512<<min(len(t.blocks), 16), blockSize) }

// grow doubles the slots.
func (t *Table) grow() {
	if len(t.slots) == 0 {
		t.seed = maphash.MakeSeed()
	}
	t.slots = make([]uint64, max(16, 2*len(t.slots)))
	t.fill()
}

// fill enters all strings into the slots.
func (t *Table) fill() {
	clear(t.slots)
	mask := uint64(len(t.slots) - 1)
	for _, p := range t.places {
		_, s := t.at(p)
		hash := maphash.Bytes(t.seed, s)
		at := hash & mask
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = entry(hash, p)
	}
}
