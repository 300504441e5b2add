package extsort

import (
	"context"
	"encoding/binary"

	"baton/internal/disk"
)

// Queue is a sequence of byte strings. They are read in the order in which they were added, any
// number of times.
type Queue struct {
	// kept stores each key after its length, an unsigned varint.
	kept run
}

// Queue makes a queue.
func (p *Pool) Queue() *Queue { return &Queue{run{scratch: &p.scratch}} }

// Add adds a key, which is not kept.
func (q *Queue) Add(key []byte) error {
	q.kept.tail = binary.AppendUvarint(q.kept.tail, uint64(len(key)))
	q.kept.tail = append(q.kept.tail, key...)
	if len(q.kept.tail) < chunkSize {
		return nil
	}
	return q.kept.flush()
}

// Each calls fn with each key, which is valid during the call only.
func (q *Queue) Each(ctx context.Context, fn func(key []byte) error) (err error) {
	var buf []byte
	for _, c := range q.kept.chunks {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if buf, err = q.kept.scratch.read(c, buf); err != nil {
			return err
		}
		if err := q.each(buf, fn); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return q.each(q.kept.tail, fn)
}

func (q *Queue) each(chunk []byte, fn func(key []byte) error) error {
	for len(chunk) > 0 {
		n, width := binary.Uvarint(chunk)
		if width <= 0 || n > uint64(len(chunk)-width) {
			return disk.Errorf(errChanged, q.kept.scratch.file.Name(), "sort: read the scratch file")
		}
		if err := fn(chunk[width : width+int(n)]); err != nil {
			return err
		}
		chunk = chunk[width+int(n):]
	}
	return nil
}
