package writer

import (
	"bytes"
	"encoding/binary"
	"math"

	"baton"
	"baton/wire"
)

// Rows other than grants are sorted as keys. Bytes of keys compare by table, then external id,
// then order of adding. A key does not contain the message, but where the row is stored:
//
//	table (1 byte)
//	external id, each zero byte followed by 0xff; 0x00 0x01
//	row reference: number of the store (2 bytes), offset (6 bytes), both big-endian, and
//	length (unsigned varint)
//	end of each part of the id except the last (unsigned varints)
//	resources only, for [Writer.Resources]: status (unsigned varint) and name
const (
	keyEnd  = 0x01
	keyZero = 0xff

	keptSize = 2 + 6
)

// appendIdentity appends the part of a key that a table and an id determine.
func appendIdentity(dst []byte, t Table, id []byte) []byte {
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

// appendKey appends the key of a row. The message of a resource must be from package wire.
func (r Row) appendKey(dst []byte, at rowRef) ([]byte, error) {
	dst = appendIdentity(dst, r.Table, r.id)
	dst = binary.BigEndian.AppendUint64(dst, uint64(at.store)<<48|uint64(at.offset))
	dst = binary.AppendUvarint(dst, uint64(at.size))
	for i := range r.Table.parts() - 1 {
		dst = binary.AppendUvarint(dst, uint64(r.ends[i]))
	}
	if r.Table != Resources {
		return dst, nil
	}
	name, status, err := wire.OutlineResource(r.data)
	return append(binary.AppendUvarint(dst, uint64(uint32(status))), name...), err
}

// rowKey is a parsed key. It shares the memory of the key.
type rowKey struct {
	row    Row // without its message
	at     rowRef
	place  int // length of the part before the row reference
	status baton.Status
	name   []byte
}

// parseKey reads a key.
func parseKey(key []byte) (s rowKey, err error) {
	if len(key) == 0 || !Table(key[0]).valid() {
		return s, badKey()
	}
	r := &s.row
	r.Table = Table(key[0])
	zeros := false
	place := 1
	for ; ; place += 2 {
		i := bytes.IndexByte(key[place:], 0)
		if i < 0 || place+i+2+keptSize > len(key) {
			return s, badKey()
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
	s.place = place
	where := binary.BigEndian.Uint64(key[place:])
	s.at.store, s.at.offset = int(where>>48), int64(where&maxOffset)
	rest := key[place+keptSize:]
	next := func(limit int) (n int) {
		v, size := binary.Uvarint(rest)
		if size <= 0 || v > uint64(limit) {
			return -1
		}
		rest = rest[size:]
		return int(v)
	}
	if s.at.size = next(math.MaxInt); s.at.size < 0 {
		return s, badKey()
	}
	for i := range r.Table.parts() - 1 {
		if r.ends[i] = next(len(r.id)); r.ends[i] < 0 {
			return s, badKey()
		}
	}
	if r.Table == Resources {
		status := next(math.MaxUint32)
		if status < 0 {
			return s, badKey()
		}
		s.status, s.name = baton.Status(int32(uint32(status))), rest
	}
	return s, nil
}

func badKey() error { return baton.Errorf(baton.Internal, "c1z: the key of a sorted row is malformed") }
