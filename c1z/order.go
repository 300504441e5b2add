package c1z

import (
	"bytes"
	"encoding/binary"

	"baton"
)

// Rows, but for grants, are sorted as keys whose bytes compare as tables, then external
// ids, then the order of adding; what else a row is follows, where no comparison gets to:
//
//	table (1 byte)
//	the id, its zero bytes followed by 0xff; 0x00 0x01
//	the number of the row (6 bytes, highest first)
//	where each part of the id ends, but for the last; of a resource the lengths of its
//	parent's type and id, and those; all as unsigned varints
//	the message
const (
	keyEnd  = 0x01
	keyZero = 0xff

	numberSize = 6
)

// appendPlace appends the part of a key that says where in the order an id is.
func appendPlace(dst []byte, t Table, id []byte) []byte {
	return append(appendEscaped(append(dst, byte(t)), id), 0, keyEnd)
}

func appendEscaped(dst, id []byte) []byte {
	for {
		i := bytes.IndexByte(id, 0)
		if i < 0 {
			return append(dst, id...)
		}
		dst = append(append(dst, id[:i+1]...), keyZero)
		id = id[i+1:]
	}
}

// appendKey appends the key of a row.
func (r Row) appendKey(dst []byte, number uint64) []byte {
	dst = appendPlace(dst, r.Table, r.id)
	dst = append(dst, byte(number>>40), byte(number>>32), byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
	for i := range r.Table.parts() - 1 {
		dst = binary.AppendUvarint(dst, uint64(r.ends[i]))
	}
	if r.Table == Resources {
		dst = binary.AppendUvarint(dst, uint64(len(r.parent.Type)))
		dst = binary.AppendUvarint(dst, uint64(len(r.parent.ID)))
		dst = append(dst, r.parent.Type...)
		dst = append(dst, r.parent.ID...)
	}
	return append(dst, r.data...)
}

// parseKey reads a key. The row shares its memory. Place is how many bytes of it the
// order goes by, the number of the row left out.
func parseKey(key []byte) (r Row, place int, err error) {
	if len(key) == 0 || !Table(key[0]).valid() {
		return r, 0, badKey()
	}
	r.Table = Table(key[0])
	zeros := false
	for place = 1; ; place += 2 {
		i := bytes.IndexByte(key[place:], 0)
		if i < 0 || place+i+2+numberSize > len(key) {
			return r, 0, badKey()
		}
		place += i
		if key[place+1] == keyEnd {
			break
		}
		zeros = true
	}
	if r.id = key[1:place:place]; zeros {
		r.id = bytes.ReplaceAll(r.id, []byte{0, keyZero}, []byte{0})
	}
	place += 2
	rest := key[place+numberSize:]
	next := func(limit int) (n int) {
		v, size := binary.Uvarint(rest)
		if size <= 0 || v > uint64(limit) {
			return -1
		}
		rest = rest[size:]
		return int(v)
	}
	for i := range r.Table.parts() - 1 {
		if r.ends[i] = next(len(r.id)); r.ends[i] < 0 {
			return r, 0, badKey()
		}
	}
	if r.Table == Resources {
		kind, id := next(len(rest)), next(len(rest))
		if kind < 0 || id < 0 || kind+id > len(rest) {
			return r, 0, badKey()
		}
		r.parent = baton.ResourceID{Type: string(rest[:kind]), ID: string(rest[kind : kind+id])}
		rest = rest[kind+id:]
	}
	r.data = rest
	return r, place, nil
}

func badKey() error { return baton.Errorf(baton.Internal, "c1z: a sorted row cannot be read") }
