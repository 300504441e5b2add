package writer

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// sampleSize is how many ids a Loss names.
const sampleSize = 16

// sample keeps some of the ids that it is shown. Which, depends on nothing but the ids,
// so that two losses of the same rows have the same sample and two of other rows have
// not.
type sample struct {
	hashes []uint64 // the least, in order
	ids    []string
}

func (s *sample) add(id string) {
	sum := sha256.Sum256([]byte(id))
	h := binary.BigEndian.Uint64(sum[:])
	i, there := slices.BinarySearch(s.hashes, h)
	if there || i == sampleSize {
		return
	}
	s.hashes, s.ids = slices.Insert(s.hashes, i, h), slices.Insert(s.ids, i, id)
	if len(s.ids) > sampleSize {
		s.hashes, s.ids = s.hashes[:sampleSize], s.ids[:sampleSize]
	}
}
