package wire

import (
	"google.golang.org/protobuf/encoding/protowire"

	"baton"
)

// OutlineResource decodes of a c1.connector.v2.Resource, as this package writes it, what it
// is called, in its memory, and whether it is in use, and skips the rest: a review of a large
// sync asks every resource and needs no more of it.
func OutlineResource(b []byte) (name []byte, status baton.Status, err error) {
	err = eachField(b, func(field protowire.Number, value []byte, _ uint64) error {
		switch {
		case value == nil: // of another type than it should be
		case field == 3:
			name = value
		case field == 11:
			return eachField(value, func(field protowire.Number, value []byte, number uint64) error {
				if field == 1 && value == nil {
					status = baton.Status(int32(number)) // an enum, in as many bits
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, 0, corrupt("resource", err)
	}
	return name, status, nil
}

// eachField calls fn for each field of a message: with its bytes, or with nil and, if it is
// a varint, its number.
func eachField(b []byte, fn func(field protowire.Number, value []byte, number uint64) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var value []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := fn(field, value, number); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
