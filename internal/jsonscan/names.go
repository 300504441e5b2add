package jsonscan

import (
	"encoding/binary"
	"slices"
)

// Names are the names of the fields that a reader of objects knows. Rows of a list
// nearly always have the same fields in the same order, so it remembers how the names
// were spelt and looks at the expected place first; what does not look the same is read
// the long way. One reader's only, and for one kind of object.
type Names struct {
	// Field is the number of the field that Known has gone to: the place of its name
	// among those that NewNames got.
	Field int

	known map[string]int
	fold  bool
	other func(name []byte) int // decides about a name that is not among the known; may be nil
	order []spelling            // as they were met, each once
	at    int                   // of the spelling that is expected next
}

// spelling is what stands between a comma and a value: white space, a name in quotes, a
// colon.
type spelling struct {
	text       []byte
	head, next uint64 // its first eight bytes, and the eight behind them
	inHead     uint64 // which bits of those are its own
	inNext     uint64
	field      int // negative if the name is none of the known
}

const (
	maxOrder    = 64
	maxSpelling = 128
)

// NewNames makes Names of these, which are matched exactly.
func NewNames(names []string) *Names { return newNames(names, false) }

// NewFolded makes Names that are matched like [Scanner.Lower]: they are given in lower
// case.
func NewFolded(names []string) *Names { return newNames(names, true) }

// Others has decide return the number of the field for a name that is not among the
// known ones, or a negative number to skip it. Folded names are given in lower case. What
// decide returns for a name is remembered.
func (n *Names) Others(decide func(name []byte) int) *Names {
	n.other = decide
	return n
}

func newNames(names []string, fold bool) *Names {
	n := &Names{known: make(map[string]int, len(names)), fold: fold}
	for i, name := range names {
		n.known[name] = i
	}
	return n
}

// Known is Field for a reader who wants but some of the fields: it skips those that
// are not among the names, and says in n.Field which one it has gone to.
func (s *Scanner) Known(n *Names) bool {
	if s.err != nil {
		return false
	}
	if s.first {
		n.at = 0
	}
	for {
		field, ok := s.expected(n)
		if !ok {
			if s.pos < s.end && s.buf[s.pos] == '}' {
				s.pos++
				s.depth--
				s.first = false
				return false
			}
			if field, ok = s.learn(n); !ok {
				return false
			}
		}
		if field >= 0 {
			n.Field = field
			return true
		}
		if s.Skip(); s.err != nil {
			return false
		}
	}
}

// expected goes over names that are spelt as before, and the values of those that are
// not known, as long as all of it is in the buffer. It is not ok where the long way has
// to be taken; before a value that it cannot skip it is ok with a negative field.
func (s *Scanner) expected(n *Names) (field int, ok bool) {
	buf, pos := s.buf[:s.end], s.pos
	for {
		from := pos
		if !s.first {
			if pos == len(buf) || buf[pos] != ',' {
				return 0, false
			}
			from++
		}
		b := buf[from:]
		if len(b) < 16 {
			return 0, false
		}
		which := n.at
		if which >= len(n.order) || !n.order[which].begins(b) {
			if which = n.find(b); which < 0 {
				return 0, false
			}
		}
		spelt := &n.order[which]
		pos = from + len(spelt.text)
		s.pos, s.first, n.at = pos, false, which+1
		if spelt.field >= 0 {
			return spelt.field, true
		}
		if pos = over(buf, pos); pos < 0 {
			return -1, true
		}
		s.pos = pos
	}
}

// find is the spelling that b begins with, or -1. B has sixteen bytes.
func (n *Names) find(b []byte) int {
	for i := n.at + 1; i < len(n.order); i++ {
		if n.order[i].begins(b) {
			return i
		}
	}
	for i := range min(n.at, len(n.order)) {
		if n.order[i].begins(b) {
			return i
		}
	}
	return -1
}

// begins reports whether b, of at least sixteen bytes, begins like that.
func (o *spelling) begins(b []byte) bool {
	if (binary.LittleEndian.Uint64(b)^o.head)&o.inHead|(binary.LittleEndian.Uint64(b[8:])^o.next)&o.inNext != 0 {
		return false
	}
	n := len(o.text)
	return n <= 16 || n <= len(b) && string(b[16:n]) == string(o.text[16:])
}

// learn goes to the next field the long way, and remembers how its name is spelt.
func (s *Scanner) learn(n *Names) (field int, ok bool) {
	first, from := s.first, s.gone+int64(s.pos)
	if !s.next('}') {
		return 0, false
	}
	if !first {
		from = s.gone + int64(s.pos) // behind the comma
	}
	if !s.key(true) {
		return 0, false
	}
	name := s.name
	if n.fold {
		name = s.Lower()
	}
	field, ok = n.known[string(name)]
	if !ok {
		if field = -1; n.other != nil {
			field = n.other(name)
		}
	}
	if s.token(); s.err != nil {
		return 0, false
	}
	// The name is still in the buffer, unless reading on has pushed it out.
	if from >= s.gone && len(n.order) < maxOrder {
		n.remember(s.buf[from-s.gone:s.pos], field)
	}
	return field, true
}

func (n *Names) remember(text []byte, field int) {
	if len(text) > maxSpelling {
		return
	}
	for i := range n.order {
		// A name is learnt again where it came too close to the end of the buffer.
		if string(n.order[i].text) == string(text) {
			n.at = i + 1
			return
		}
	}
	o := spelling{text: slices.Clone(text), field: field}
	var head, mask [16]byte
	for i := range copy(head[:], text) {
		mask[i] = 0xff
	}
	o.head, o.next = binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint64(head[8:])
	o.inHead, o.inNext = binary.LittleEndian.Uint64(mask[:]), binary.LittleEndian.Uint64(mask[8:])
	n.at = min(n.at, len(n.order))
	n.order = slices.Insert(n.order, n.at, o)
	n.at++
}

// over goes from i over a string, a number or a literal that is in buf as a whole, with
// what follows it. It is negative for everything else.
func over(buf []byte, i int) int {
	if i+8 > len(buf) {
		return -1
	}
	switch b := buf[i]; b {
	case '"':
		if i, _ = plain(buf, i+1); i < len(buf) && buf[i] == '"' {
			return i + 1
		}
	case 't':
		if string(buf[i:i+4]) == "true" {
			return i + 4
		}
	case 'n':
		if string(buf[i:i+4]) == "null" {
			return i + 4
		}
	case 'f':
		if string(buf[i:i+5]) == "false" {
			return i + 5
		}
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if i++; b != '0' {
			for i < len(buf) && '0' <= buf[i] && buf[i] <= '9' {
				i++
			}
		}
		if i < len(buf) && (buf[i] == ',' || buf[i] == '}') {
			return i
		}
	}
	return -1
}
