package jsonscan

import (
	"encoding/binary"
	"slices"
)

// Names holds the names of the fields that a reader wants. Objects of a list nearly always have the
// same fields in the same order. So Names records the bytes of each name, and compares the next
// field with the expected bytes first; other fields are read like [Scanner.Field] does. Names are
// for one reader and one kind of object.
type Names struct {
	// Field is the index of the field that Known went to, among the names given to NewNames.
	Field int

	known map[string]int
	fold  bool
	other func(name []byte) int // returns the field of a name that is not known; may be nil
	order []spelling            // in the order in which they appeared
	at    int                   // index of the spelling that is expected next
}

// spelling holds the bytes between a comma and a value: white space, a name in quotes, a colon.
type spelling struct {
	text       []byte
	head, next uint64 // the first eight bytes, and the eight after them
	inHead     uint64 // masks of the bits that belong to text
	inNext     uint64
	field      int // negative if the name is not known
}

const (
	maxOrder    = 64
	maxSpelling = 128
)

// NewNames makes Names that are matched exactly.
func NewNames(names []string) *Names { return newNames(names, false) }

// NewFolded makes Names that are compared with [Scanner.Lower]. The names must be in lower case.
func NewFolded(names []string) *Names { return newNames(names, true) }

// Others sets a function that returns the field for a name that is not known, or a negative number
// to skip it. It is called once for each name; folded names are in lower case.
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

// Known goes to the next field that is among the names, sets n.Field, and reports whether there is
// one. It skips other fields.
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

// expected reads names with recorded bytes, and skips the values of unknown ones, while everything
// is in the buffer. It returns false if learn must read the name, and a negative field before a
// value that Skip must read.
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

// find returns the index of the spelling that b begins with, or -1. B has at least sixteen bytes.
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

// begins reports whether b, which has at least sixteen bytes, begins with the spelling.
func (o *spelling) begins(b []byte) bool {
	if (binary.LittleEndian.Uint64(b)^o.head)&o.inHead|(binary.LittleEndian.Uint64(b[8:])^o.next)&o.inNext != 0 {
		return false
	}
	n := len(o.text)
	return n <= 16 || n <= len(b) && string(b[16:n]) == string(o.text[16:])
}

// learn goes to the next field, and records the bytes of its name.
func (s *Scanner) learn(n *Names) (field int, ok bool) {
	first, from := s.first, s.gone+int64(s.pos)
	if !s.next('}') {
		return 0, false
	}
	if !first {
		from = s.gone + int64(s.pos) // after the comma
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
	// The name may no longer be in the buffer if more was read.
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
		// A name at the end of the buffer is learnt again.
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

// over returns the end of the string, number or literal at i, if all of it and the next byte are in
// buf. It is negative for everything else.
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
