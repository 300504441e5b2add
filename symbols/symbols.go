// Package symbols numbers strings: each gets the next number when it is first met, and is
// found by its text or by its number from then on.
//
//	var t symbols.Table
//	n, fresh := t.Add([]byte("user:42")) // 0, true
//	t.Text(n)                            // "user:42"
//
// It is made for the identities of a tenant, of which there may be millions: their bytes
// lie side by side in large blocks without a pointer to any of them, so that they take
// little more than their length and the collector has nothing to look at.
package symbols

import (
	"encoding/binary"
	"hash/maphash"
)

// Table is a set of strings with numbers from 0. The zero Table is empty. It is not safe
// for concurrent use, but for readers alone.
type Table struct {
	seed maphash.Seed
	// blocks are of strings, each after its number (4 bytes, lowest first) and its length
	// (an unsigned varint).
	blocks [][]byte
	places []place // by number
	// slots is a hash table with open addressing. A slot is the upper bits of a hash and a
	// place plus one; an empty one is 0.
	slots []uint64
}

// place is where a string is: its block, and the offset there in the lower bits.
type place uint64

// blockSize is how much memory is taken at a time; a longer string has a block of its own.
const (
	offsetBits = 16
	blockSize  = 1 << offsetBits
	placeBits  = 40
)

// Len is how many strings there are.
func (t *Table) Len() int { return len(t.places) }

// Text is the string with a number that Add has given. It must not be changed.
func (t *Table) Text(n int) []byte {
	_, s := t.at(t.places[n])
	return s
}

// at is the string at a place, and its number.
func (t *Table) at(p place) (n int, s []byte) {
	b := t.blocks[p>>offsetBits][p%blockSize:]
	n = int(binary.LittleEndian.Uint32(b))
	b = b[4:]
	length, width := binary.Uvarint(b)
	return n, b[width : width+int(length) : width+int(length)]
}

// Find is the number of a string.
func (t *Table) Find(s []byte) (n int, ok bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	_, n, ok = t.look(s, maphash.Bytes(t.seed, s))
	return n, ok
}

// Add is the number of a string, which is added if it is new. S is not kept.
func (t *Table) Add(s []byte) (n int, fresh bool) {
	if 4*(len(t.places)+1) > 3*len(t.slots) {
		t.grow()
	}
	hash := maphash.Bytes(t.seed, s)
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

// Truncate forgets all strings but the first n. What Text has handed out of the others is
// no longer good.
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

// Clear forgets all strings.
func (t *Table) Clear() { *t = Table{} }

func entry(hash uint64, p place) uint64 { return hash>>placeBits<<placeBits | uint64(p+1) }

// look finds the string, or the slot where it belongs.
func (t *Table) look(s []byte, hash uint64) (at uint64, n int, ok bool) {
	mask := uint64(len(t.slots) - 1)
	for at = hash & mask; t.slots[at] != 0; at = (at + 1) & mask {
		if slot := t.slots[at]; slot>>placeBits == hash>>placeBits {
			if n, text := t.at(place(slot&(1<<placeBits-1) - 1)); string(text) == string(s) {
				return at, n, true
			}
		}
	}
	return at, 0, false
}

// keep copies a string to where it stays.
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

// block is the size of the next block: small tables have small ones.
func (t *Table) block() int { return min(512<<min(len(t.blocks), 16), blockSize) }

// grow doubles the slots.
func (t *Table) grow() {
	if len(t.slots) == 0 {
		t.seed = maphash.MakeSeed()
	}
	t.slots = make([]uint64, max(16, 2*len(t.slots)))
	t.fill()
}

// fill makes the slots say where the strings are.
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
