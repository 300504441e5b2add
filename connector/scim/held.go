package scim

import "encoding/binary"

// heldMembers holds the members of one group in little more memory than their ids take, up
// to a limit.
type heldMembers struct {
	blocks  [][]byte // entries, none of them across two blocks
	size    int
	numbers map[string]byte // number of each detail
	details []string
}

const (
	heldBlock  = 64 << 10
	maxDetails = 200 // different details
)

var maxHeld = 16 << 20 // bytes of entries; tests lower it

func (h *heldMembers) reset() {
	if h.size > 0 {
		*h = heldMembers{}
	}
}

// add reports whether the member could be held. An entry is its kind, the number of its
// detail, the length of its value, and the value.
func (h *heldMembers) add(m Member) bool {
	n, ok := h.numbers[m.Detail]
	if !ok && len(h.details) < maxDetails {
		if h.numbers == nil {
			h.numbers = map[string]byte{}
		}
		n = byte(len(h.details))
		h.numbers[m.Detail] = n
		h.details = append(h.details, m.Detail)
	} else if !ok {
		n = 0 // use the first detail: with so many different ones, none is informative
	}
	size := 2 + binary.MaxVarintLen32 + len(m.Value)
	if h.size += 3 + len(m.Value); h.size > maxHeld {
		return false
	}
	last := len(h.blocks) - 1
	if last < 0 || cap(h.blocks[last])-len(h.blocks[last]) < size {
		block := min(heldBlock, 512<<min(2*len(h.blocks), 16))
		h.blocks = append(h.blocks, make([]byte, 0, max(block, size)))
		last++
	}
	b := append(h.blocks[last], byte(m.Kind), n)
	b = binary.AppendUvarint(b, uint64(len(m.Value)))
	h.blocks[last] = append(b, m.Value...)
	return true
}

// each calls fn for the members in order.
func (h *heldMembers) each(fn func(Member)) {
	for _, b := range h.blocks {
		for len(b) > 0 {
			m := Member{Kind: MemberKind(b[0]), Detail: h.details[b[1]]}
			n, width := binary.Uvarint(b[2:])
			b = b[2+width:]
			m.Value = string(b[:n])
			b = b[n:]
			fn(m)
		}
	}
}
