package sqlitefile

import (
	"encoding/binary"
	"math"
	"math/bits"
)

type kind uint8

const (
	null kind = iota
	integer
	text
	blob
	number // an integer that always takes four bytes
	real
)

// Value is a column of a row as stored, without any conversion by the column's affinity. The zero
// Value is NULL.
type Value struct {
	kind kind
	n    int64 // the integer, or the bits of the real
	b    []byte
}

// Int returns an integer.
func Int(n int64) Value { return Value{kind: integer, n: n} }

// Text returns a text, which should be valid UTF-8.
func Text(s string) Value { return TextOf([]byte(s)) }

// TextOf returns a text that shares the memory of b.
func TextOf(b []byte) Value { return Value{kind: text, b: b} }

// Real returns a floating-point number. Indexes take none.
func Real(f float64) Value { return Value{kind: real, n: int64(math.Float64bits(f))} }

// IsNull reports whether the value is NULL.
func (v *Value) IsNull() bool { return v.kind == null }

// IsInt reports whether the value is the integer n.
func (v *Value) IsInt(n int64) bool { return v.kind == integer && v.n == n }

// IsText, IsBlob and IsInteger report the type of the value.
func (v *Value) IsText() bool    { return v.kind == text }
func (v *Value) IsBlob() bool    { return v.kind == blob }
func (v *Value) IsInteger() bool { return v.kind == integer }

// Integer returns the value of an integer.
func (v *Value) Integer() int64 { return v.n }

// Bytes returns the content of a text or a blob.
func (v *Value) Bytes() []byte { return v.b }

// Blob returns a blob that shares the memory of b. For nil it is the empty blob, not NULL.
func Blob(b []byte) Value { return Value{kind: blob, b: b} }

// The serial types of a record. From 1 to 6 they are integers.
const (
	serialNull  = 0
	serialInt32 = 4
	serialReal  = 7
	serialZero  = 8  // and 9 is one
	serialBlob  = 12 // and twice the length
	serialText  = 13 // and twice the length
)

// widths holds the sizes of numbers in bytes, by serial type.
var widths = [...]int{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}

func serialInt(n int64) uint64 {
	if n == 0 || n == 1 {
		return serialZero + uint64(n)
	}
	width := bits.Len64(uint64(n^n>>63))/8 + 1 // including the sign bit
	switch {
	case width <= 4:
		return uint64(width)
	case width <= 6:
		return 5
	}
	return 6
}

func (v *Value) serial() uint64 {
	switch v.kind {
	case integer:
		return serialInt(v.n)
	case text:
		return serialText + 2*uint64(len(v.b))
	case blob:
		return serialBlob + 2*uint64(len(v.b))
	case number:
		return serialInt32
	case real:
		return serialReal
	}
	return serialNull
}

// appendInt appends a number in the size of its serial type.
func appendInt(dst []byte, n int64, serial uint64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return append(dst, b[8-widths[serial]:]...)
}

// record encodes columns of a row in the record format: length of the header, serial types,
// contents. It measures first, so that the record can be appended directly to its page.
type record struct {
	serials []uint64
	types   int // size of the serials in bytes
	body    int // size of the contents in bytes
}

func (r *record) size() int { return int(headerLen(r.types)) + r.body }

func (r *record) measure(row []Value, columns []int) {
	n := len(columns)
	if cap(r.serials) <= n {
		r.serials = make([]uint64, n+1) // there may be a rowid
	}
	r.serials = r.serials[:n]
	types, body := n, 0
	for i, c := range columns {
		v := &row[c]
		var serial uint64
		if v.kind == text || v.kind == blob {
			serial = serialBlob + 2*uint64(len(v.b)) + uint64(blob-v.kind)
			body += len(v.b)
		} else {
			serial = v.serial()
			body += widths[serial]
		}
		r.serials[i] = serial
		if serial >= 1<<7 {
			types += varintLen(serial) - 1
		}
	}
	r.types, r.body = types, body
}

// measureEntry measures an index entry, whose last column is the rowid.
func (r *record) measureEntry(row []Value, columns []int, rowid int64) {
	r.measure(row, columns)
	serial := serialInt(rowid)
	r.serials = append(r.serials, serial)
	r.types += varintLen(serial)
	r.body += widths[serial]
}

// append appends the record that was measured.
func (r *record) append(dst []byte, row []Value, columns []int, rowid int64) []byte {
	dst = r.appendHeader(dst)
	for i, c := range columns {
		if v := &row[c]; v.kind == text || v.kind == blob {
			dst = append(dst, v.b...)
		} else {
			dst = appendInt(dst, v.n, r.serials[i])
		}
	}
	if n := len(columns); n < len(r.serials) {
		dst = appendInt(dst, rowid, r.serials[n])
	}
	return dst
}

func (r *record) appendHeader(dst []byte) []byte {
	dst = appendVarint(dst, headerLen(r.types))
	for _, serial := range r.serials {
		if serial < 1<<7 {
			dst = append(dst, byte(serial))
		} else {
			dst = appendVarint(dst, serial)
		}
	}
	return dst
}

// headerLen returns the length of the header of a record, including the length itself.
func headerLen(types int) uint64 {
	n := uint64(types + 1)
	if varintLen(n) > 1 {
		n++ // the length takes two bytes
	}
	return n
}

// appendVarint appends a variable-length integer: seven bits per byte, the highest first, and
// eight bits in a ninth byte.
func appendVarint(dst []byte, v uint64) []byte {
	switch {
	case v < 1<<7:
		return append(dst, byte(v))
	case v < 1<<14:
		return append(dst, byte(v>>7)|0x80, byte(v)&0x7f)
	case v < 1<<56:
		for shift := 7 * (varintLen(v) - 1); shift > 0; shift -= 7 {
			dst = append(dst, byte(v>>shift)|0x80)
		}
		return append(dst, byte(v)&0x7f)
	}
	for shift := 57; shift >= 8; shift -= 7 {
		dst = append(dst, byte(v>>shift)|0x80)
	}
	return append(dst, byte(v))
}

func varintLen(v uint64) int {
	if v >= 1<<56 {
		return 9
	}
	return (bits.Len64(v|1) + 6) / 7
}
