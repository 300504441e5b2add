package writer

import (
	"bytes"
	"io"
	"slices"

	"baton"
)

// Place is where a row, encoded by [Row.Append], can be read until the Writer is closed. Errors
// of the reader are returned unchanged.
type Place struct {
	In   io.ReaderAt
	At   int64
	Size int
}

// rowRef is a Place whose reader is known by number. Number 0 is rowStore.own.
type rowRef struct {
	store  int
	offset int64
	size   int
}

const (
	maxOffset = 1<<48 - 1
	maxStores = 1 << 16
)

// rowStore reads rows again where they are stored. It keeps rows that have no Place itself.
type rowStore struct {
	own []byte
	in  []io.ReaderAt
}

// keep stores a row that has no Place.
func (k *rowStore) keep(r Row) rowRef {
	at := rowRef{offset: int64(len(k.own))}
	k.own = r.Append(k.own)
	at.size = len(k.own) - int(at.offset)
	return at
}

// find returns the reference to a place.
func (k *rowStore) find(p Place) (rowRef, error) {
	n := slices.Index(k.in, p.In)
	if n < 0 {
		n = len(k.in)
		k.in = append(k.in, p.In)
	}
	at := rowRef{n + 1, p.At, p.Size}
	if at.store >= maxStores || at.offset < 0 || at.offset > maxOffset {
		return rowRef{}, baton.Errorf(baton.Internal, "c1z: offset %d of row source %d is out of range", p.At, n)
	}
	return at, nil
}

// read reads the row of a key. The row shares the buffer, which may grow.
func (k *rowStore) read(key []byte, buf *[]byte) (Row, error) {
	s, err := parseKey(key)
	if err != nil {
		return Row{}, err
	}
	r, at := s.row, s.at
	if at.store > len(k.in) || at.store == 0 && at.offset+int64(at.size) > int64(len(k.own)) {
		return r, badKey()
	}
	var b []byte
	if at.store == 0 {
		b = k.own[at.offset:][:at.size]
	} else {
		*buf = slices.Grow((*buf)[:0], at.size)[:at.size]
		b = *buf
		if n, err := k.in[at.store-1].ReadAt(b, at.offset); n < len(b) {
			if err == io.EOF {
				err = badRow("it is cut short")
			}
			return r, err
		}
	}
	whole, err := ParseRow(b)
	if err == nil && (whole.Table != r.Table || !bytes.Equal(whole.id, r.id)) {
		err = badRow("it is not the row that was added")
	}
	return whole, err
}
