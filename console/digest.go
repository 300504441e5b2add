package console

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// digest hashes a sequence of values, so that different sequences never have the same bytes. A new
// one has an empty buffer of digestSize.
type digest struct{ buf []byte }

// digestSize is enough for most rows, so that callers can keep the buffer on the stack.
const digestSize = 512

func (d *digest) str(values ...string) {
	for _, v := range values {
		d.buf = binary.AppendUvarint(d.buf, uint64(len(v)))
		d.buf = append(d.buf, v...)
	}
}

func (d *digest) strs(values []string) {
	d.num(int64(len(values)))
	d.str(values...)
}

func (d *digest) num(values ...int64) {
	for _, v := range values {
		d.buf = binary.AppendVarint(d.buf, v)
	}
}

func (d *digest) sum() (short [16]byte) {
	sum := sha256.Sum256(d.buf)
	copy(short[:], sum[:])
	return short
}

// micros returns a time in microseconds; -1<<63 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return -1 << 63
	}
	return t.UnixMicro()
}
