package c1z3

import "bytes"

// Types of records: the second byte of a key.
const (
	keyTypes        = 1
	keyResources    = 2
	keyEntitlements = 3
	keyGrants       = 4
	keySync         = 6
	keyEngine       = 0xff
)

// prefix returns the bounds of the keys of one type of record.
func prefix(kind byte) (lower, upper []byte) {
	return []byte{3, kind, 0}, []byte{3, kind, 1}
}

// key writes the key of a record to buf: its elements, joined by a zero byte.
func key(buf []byte, kind byte, elements ...string) []byte {
	buf = append(buf[:0], 3, kind, 0)
	for i, e := range elements {
		if i > 0 {
			buf = append(buf, 0)
		}
		buf = escape(buf, e)
	}
	return buf
}

// escape appends one element: zero is written 01 01, and one is written 01 02.
func escape(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case 0:
			dst = append(dst, 1, 1)
		case 1:
			dst = append(dst, 1, 2)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// entitlementTail returns the two key elements for an entitlement id. An id that begins with the
// resource's "type:id:" is stored without that prefix.
func entitlementTail(resourceType, resource, id string) (flag, tail string) {
	if p := resourceType + ":" + resource + ":"; len(id) >= len(p) && id[:len(p)] == p {
		return "1", id[len(p):]
	}
	return "0", id
}

// checkKey returns an error unless a record is stored under the key that its fields make.
func checkKey(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return damaged("a record is stored under the key %x and says that it is %x", got, want)
	}
	return nil
}
