package c1z

// hashes is a set of 64-bit hashes in 11 to 21 bytes each, half of what a map takes.
// The zero value is empty.
type hashes struct {
	slots []uint64 // open addressing; 0 is a free slot
	n     int
	zero  bool // whether 0 is in the set
}

// add reports whether the hash was not in the set.
func (s *hashes) add(h uint64) bool {
	if h == 0 {
		was := s.zero
		s.zero = true
		return !was
	}
	if s.n >= len(s.slots)*3/4 {
		s.grow()
	}
	if !s.put(h) {
		return false
	}
	s.n++
	return true
}

func (s *hashes) put(h uint64) bool {
	mask := uint64(len(s.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case h:
			return false
		case 0:
			s.slots[i] = h
			return true
		}
	}
}

func (s *hashes) grow() {
	old := s.slots
	s.slots = make([]uint64, max(1024, 2*len(old)))
	for _, h := range old {
		if h != 0 {
			s.put(h)
		}
	}
}
