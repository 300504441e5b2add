package writer

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// sampleSize is the largest number of ids in a sample.
const sampleSize = 16

// sample keeps the ids with the lowest hashes. Which ones does not depend on anything but the
// ids.
type sample struct {
	hashes []uint64 // the lowest, in order
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
