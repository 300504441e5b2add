package sqlitefile

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
)

// Index entries are sorted as keys: their columns and the rowid, encoded so that bytes compare as
// SQLite compares entries with the BINARY collation. No key is a prefix of another one.
//
//	NULL      0x01
//	integer   0x10+n if it is not negative, 0x0f-n if it is; the n lower bytes that are not
//	          sign extension, big-endian
//	text      0x20, the bytes, 0x00 0x01; a zero byte is encoded as 0x00 0xff
//	blob      0x21, then as text
const (
	keyNull = 0x01
	keyInt  = 0x10
	keyText = 0x20
	keyBlob = 0x21

	keyEnd  = 0x01
	keyZero = 0xff
)

// appendEntryKey appends the key of a row's entry.
func appendEntryKey(dst []byte, row []Value, columns []int, rowid int64) []byte {
	for _, c := range columns {
		dst = appendKey(dst, &row[c])
	}
	return appendKeyInt(dst, rowid)
}

func appendKey(dst []byte, v *Value) []byte {
	switch v.kind {
	case integer:
		return appendKeyInt(dst, v.n)
	case text:
		return appendKeyBytes(append(dst, keyText), v.b)
	case blob:
		return appendKeyBytes(append(dst, keyBlob), v.b)
	}
	return append(dst, keyNull)
}

func appendKeyInt(dst []byte, v int64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(v))
	n := (bits.Len64(uint64(v^v>>63)) + 7) / 8
	tag := keyInt + n
	if v < 0 {
		tag = keyInt - 1 - n
	}
	return append(append(dst, byte(tag)), b[8-n:]...)
}

func appendKeyBytes(dst, v []byte) []byte {
	start := len(dst)
	dst = append(dst, v...)
	if i := bytes.IndexByte(dst[start:], 0); i >= 0 {
		dst = dst[:start+i]
		for ; i < len(v); i++ {
			dst = append(dst, v[i])
			if v[i] == 0 {
				dst = append(dst, keyZero)
			}
		}
	}
	return append(dst, 0, keyEnd)
}

// column is a column of a key: its serial type and, for text and blobs, its bytes, with zero
// bytes still escaped.
type column struct {
	serial uint64
	n      int64
	raw    []byte
	zeros  int
}

// cutColumn parses the first column of a key.
func cutColumn(key []byte) (c column, rest []byte) {
	tag := key[0]
	key = key[1:]
	switch {
	case tag == keyNull:
		return c, key
	case tag < keyText:
		n := int(tag) - keyInt
		if n < 0 {
			n = -1 - n
			c.n = -1
		}
		for _, b := range key[:n] {
			c.n = c.n<<8 | int64(b)
		}
		c.serial = serialInt(c.n)
		return c, key[n:]
	}
	for i := 0; ; i += 2 {
		i += bytes.IndexByte(key[i:], 0)
		if key[i+1] == keyEnd {
			c.raw = key[:i]
			c.serial = serialBlob + 2*uint64(i-c.zeros)
			if tag == keyText {
				c.serial++
			}
			return c, key[i+2:]
		}
		c.zeros++
	}
}

func (c *column) append(dst []byte) []byte {
	if c.raw == nil {
		return appendInt(dst, c.n, c.serial)
	}
	raw := c.raw
	for range c.zeros {
		i := bytes.IndexByte(raw, 0) + 1
		dst = append(dst, raw[:i]...)
		raw = raw[i+1:]
	}
	return append(dst, raw...)
}

// entry is a parsed key.
type entry struct {
	columns []column // the last one is the rowid
	unique  int      // length of the key without the rowid
	nulls   bool     // a column is NULL
}

// parse parses a key with that number of columns, not counting the rowid. The entry shares the
// memory of the key.
func (e *entry) parse(key []byte, columns int) {
	e.columns, e.nulls = e.columns[:0], false
	rest := key
	for range columns {
		var c column
		c, rest = cutColumn(rest)
		e.nulls = e.nulls || c.serial == serialNull
		e.columns = append(e.columns, c)
	}
	e.unique = len(key) - len(rest)
	c, _ := cutColumn(rest)
	e.columns = append(e.columns, c)
}

// appendRecord appends the entry in the record format.
func (e *entry) appendRecord(dst []byte) []byte {
	types := 0
	for i := range e.columns {
		types += varintLen(e.columns[i].serial)
	}
	dst = appendVarint(dst, headerLen(types))
	for i := range e.columns {
		dst = appendVarint(dst, e.columns[i].serial)
	}
	for i := range e.columns {
		dst = e.columns[i].append(dst)
	}
	return dst
}

// describe formats the columns of the key for an error.
func (e *entry) describe() string {
	var dst []byte
	for i := range e.columns[:len(e.columns)-1] {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		c := &e.columns[i]
		switch {
		case c.raw != nil:
			b := c.append(nil)
			more := ""
			if len(b) > maxDescribed {
				b, more = b[:maxDescribed], "…"
			}
			dst = append(strconv.AppendQuote(dst, string(b)), more...)
		case c.serial == serialNull:
			dst = append(dst, "NULL"...)
		default:
			dst = strconv.AppendInt(dst, c.n, 10)
		}
	}
	return string(dst)
}

const maxDescribed = 200 // bytes of a column
