package wire

import (
	"google.golang.org/protobuf/encoding/protowire"

	"baton"
)

// OutlineResource decodes the display name and the status of a c1.connector.v2.Resource that this package
// wrote, and skips the rest. A review of a large sync needs no more of each resource. name shares the memory
// of b.
func OutlineResource(b []byte) (name []byte, status baton.Status, err error) {
	err = eachField(b, func(field protowire.Number, value []byte, _ uint64) error {
		switch {
		case value == nil: // unexpected wire type
		case field == 3:
			name = value
		case field == 11:
			return eachField(value, func(field protowire.Number, value []byte, number uint64) error {
				if field == 1 && value == nil {
					status = baton.Status(int32(number)) // an enum has 32 bits
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
