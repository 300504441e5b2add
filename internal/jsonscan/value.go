package jsonscan

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Text reads a string, number or boolean as text. It returns nil for null, objects and arrays. The
// result is valid until the scanner is used again.
func (s *Scanner) Text() []byte {
	if s.err == nil && s.pos < s.end && s.buf[s.pos] == '"' {
		return s.text()
	}
	switch b := s.token(); b {
	case '"':
		return s.text()
	case '{', '[', 'n', 0:
		s.Skip()
		return nil
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	default:
		return s.number(b)
	}
}

// Constants for eight bytes at a time: the lowest and the highest bit of each.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special finds bytes that have a meaning of their own in a string: quote, backslash, control
// characters. The lowest highest-bit that is set in the result marks the first of them; bits
// above it may be wrong.
func special(w uint64) uint64 {
	return ((w ^ '"'*ones) - ones | ((w ^ '\\'*ones) - ones) | (w - ' '*ones)) &^ w & highs
}

// plain returns the end of the unescaped bytes from i on: the position of a quote, a backslash, a control
// character, or the end of buf. It also reports whether all of them are ASCII.
func plain(buf []byte, i int) (end int, ascii bool) {
	var all uint64
	b := buf[i:]
	for len(b) >= 16 {
		w, v := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		found := special(w)
		if found == 0 {
			all |= w
			b = b[8:]
			if found = special(v); found == 0 {
				all |= v
				b = b[8:]
				continue
			}
			w = v
		}
		before := found&-found - 1
		return len(buf) - len(b) + bits.TrailingZeros64(found)/8, (all|w&before)&highs == 0
	}
	for len(b) > 0 && b[0] >= ' ' && b[0] != '"' && b[0] != '\\' {
		all |= uint64(b[0])
		b = b[1:]
	}
	return len(buf) - len(b), all&highs == 0
}

// text reads a string. One that is not valid Unicode is an [EncodingError].
func (s *Scanner) text() []byte {
	s.pos++
	// Most strings are in the buffer completely, and have no escapes.
	if end, ascii := plain(s.buf[:s.end], s.pos); ascii && end < s.end && s.buf[end] == '"' && end-s.pos <= maxText {
		t := s.buf[s.pos:end]
		s.pos = end + 1
		return t
	}
	s.mark = s.pos
	ascii := true
	for {
		end, same := plain(s.buf[:s.end], s.pos)
		ascii = ascii && same
		if s.pos = end; s.pos < s.end {
			break
		}
		if !s.fill() {
			s.mark = -1
			return nil
		}
	}
	t := s.buf[s.mark:s.pos]
	s.mark = -1
	if s.buf[s.pos] != '"' {
		return s.escaped(t)
	}
	s.pos++
	if len(t) > maxText {
		s.wrong("a text that is too long")
		return nil
	}
	if !ascii && !s.isUTF8(t, s.gone+int64(s.pos-1-len(t))) {
		return nil
	}
	return t
}

// isUTF8 reports whether t is UTF-8, and stops the scanner if it is not. At is the offset of t in
// the source.
func (s *Scanner) isUTF8(t []byte, at int64) bool {
	if utf8.Valid(t) {
		return true
	}
	for len(t) > 0 {
		r, n := utf8.DecodeRune(t)
		if r == utf8.RuneError && n == 1 {
			s.Fail(&EncodingError{Problem: fmt.Sprintf("the byte 0x%02X", t[0]), Offset: at})
			return false
		}
		t, at = t[n:], at+int64(n)
	}
	return true
}

// half stops the scanner because of half of a surrogate pair.
func (s *Scanner) half() {
	s.Fail(&EncodingError{Problem: "half of a surrogate pair", Offset: s.gone + int64(s.pos)})
}

// escaped reads the rest of a string whose next byte needs decoding. t is its beginning.
func (s *Scanner) escaped(t []byte) []byte {
	s.kept = append(s.kept[:0], t...)
	var high rune // the first half of a surrogate pair, until the second one is read
	for {
		for s.pos == s.end {
			if !s.fill() {
				return nil
			}
		}
		if b := s.buf[s.pos]; b == '"' || b == '\\' || b < ' ' {
			r, ok := s.escape()
			switch {
			case !ok:
				return nil
			case high != 0:
				pair := utf16.DecodeRune(high, r.rune)
				if !r.unicode || pair == utf8.RuneError {
					s.half()
					return nil
				}
				s.kept, high = utf8.AppendRune(s.kept, pair), 0
			case r.end:
				// The offset is approximate after an escape of another length.
				if !s.isUTF8(s.kept, s.gone+int64(s.pos-1-len(s.kept))) {
					return nil
				}
				return s.kept
			case r.unicode && 0xd800 <= r.rune && r.rune < 0xdc00:
				high = r.rune
			case r.unicode && utf16.IsSurrogate(r.rune):
				s.half()
				return nil
			default:
				s.kept = utf8.AppendRune(s.kept, r.rune)
			}
			continue
		}
		if high != 0 {
			s.half()
			return nil
		}
		from := s.pos
		s.pos, _ = plain(s.buf[:s.end], from)
		if s.kept = append(s.kept, s.buf[from:s.pos]...); len(s.kept) > maxText {
			s.wrong("a text that is too long")
			return nil
		}
	}
}

// char is the meaning of a special byte in a string.
type char struct {
	rune    rune
	unicode bool // it was \u
	end     bool // it ends the string
}

// escape reads a quote, or an escape sequence.
func (s *Scanner) escape() (char, bool) {
	b := s.buf[s.pos]
	if b < ' ' {
		s.wrong("a line break in a text")
		return char{}, false
	}
	s.pos++
	if b == '"' {
		return char{end: true}, true
	}
	if s.pos == s.end && !s.fill() {
		return char{}, false
	}
	b = s.buf[s.pos]
	s.pos++
	switch b {
	case '"', '\\', '/':
		return char{rune: rune(b)}, true
	case 'b':
		return char{rune: '\b'}, true
	case 'f':
		return char{rune: '\f'}, true
	case 'n':
		return char{rune: '\n'}, true
	case 'r':
		return char{rune: '\r'}, true
	case 't':
		return char{rune: '\t'}, true
	case 'u':
		return s.unicode()
	}
	s.pos--
	s.wrong("an unknown escape")
	return char{}, false
}

// unicode reads the four digits after \u.
func (s *Scanner) unicode() (char, bool) {
	var r rune
	for range 4 {
		if s.pos == s.end && !s.fill() {
			return char{}, false
		}
		b := s.buf[s.pos]
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b && b <= 'f':
			b -= 'a' - 10
		case 'A' <= b && b <= 'F':
			b -= 'A' - 10
		default:
			s.wrong("an unknown escape")
			return char{}, false
		}
		s.pos++
		r = r<<4 | rune(b)
	}
	return char{rune: r, unicode: true}, true
}

// skipText skips a string.
func (s *Scanner) skipText() {
	s.pos++
	for {
		s.pos, _ = plain(s.buf[:s.end], s.pos)
		if s.pos == s.end {
			if !s.fill() {
				return
			}
			continue
		}
		if s.buf[s.pos] == '"' {
			s.pos++
			return
		}
		if _, ok := s.escape(); !ok {
			return
		}
	}
}

func (s *Scanner) literal(word string) []byte {
	if n := s.pos + len(word); n <= s.end && string(s.buf[s.pos:n]) == word {
		s.pos = n
		return s.buf[n-len(word) : n]
	}
	s.mark = s.pos
	defer func() { s.mark = -1 }()
	for i := range len(word) {
		if s.pos == s.end && !s.fill() {
			return nil
		}
		if s.buf[s.pos] != word[i] {
			s.wrong("no JSON value")
			return nil
		}
		s.pos++
	}
	return s.buf[s.mark:s.pos]
}

// number reads a number in the grammar of JSON, which allows less than that of strconv.
func (s *Scanner) number(b byte) []byte {
	s.mark = s.pos
	defer func() { s.mark = -1 }()
	if b == '-' {
		s.pos++
	}
	ok := true
	if s.digit() == '0' {
		s.pos++
	} else {
		ok = s.digits()
	}
	if ok && s.digit() == '.' {
		s.pos++
		ok = s.digits()
	}
	if b := s.digit(); ok && (b == 'e' || b == 'E') {
		s.pos++
		if b := s.digit(); b == '+' || b == '-' {
			s.pos++
		}
		ok = s.digits()
	}
	switch {
	case ok && s.err == nil && s.pos-s.mark <= maxText:
		return s.buf[s.mark:s.pos]
	case ok:
		s.wrong("a number that is too long")
	case s.pos == s.end && s.over == io.EOF:
		s.Fail(io.ErrUnexpectedEOF)
	default:
		s.wrong("no JSON value")
	}
	return nil
}

// digit returns the next byte of a number; 0 at the end of the source, which may end a number.
func (s *Scanner) digit() byte {
	if s.pos == s.end && !s.more() {
		return 0
	}
	return s.buf[s.pos]
}

func (s *Scanner) digits() bool {
	n := 0
	for b := s.digit(); '0' <= b && b <= '9'; b = s.digit() {
		s.pos++
		n++
	}
	return n > 0
}

// Skip skips a value of any type.
func (s *Scanner) Skip() {
	if s.err != nil {
		return
	}
	if end := over(s.buf[:s.end], s.pos); end > 0 {
		s.pos = end
		return
	}
	for s.open = s.open[:0]; ; {
		switch b := s.token(); b {
		case '"':
			s.skipText()
		case '{', '[':
			if s.depth+len(s.open) >= maxDepth {
				s.wrong("values nested too deeply")
				return
			}
			s.pos++
			s.open = append(s.open, b+2) // the closing bracket, in ASCII
			if s.token() == b+2 {
				break // it is empty, and is closed below
			}
			if b == '{' && !s.key(false) {
				return
			}
			continue
		case 't':
			s.literal("true")
		case 'f':
			s.literal("false")
		case 'n':
			s.literal("null")
		default:
			s.number(b)
		}
		if !s.leave() {
			return
		}
	}
}

// leave goes to the next value inside the open brackets, and reports whether there is one.
func (s *Scanner) leave() bool {
	for s.err == nil && len(s.open) > 0 {
		closing := s.open[len(s.open)-1]
		switch s.token() {
		case closing:
			s.pos++
			s.open = s.open[:len(s.open)-1]
		case ',':
			s.pos++
			return closing == ']' || s.key(false)
		default:
			if s.err == nil {
				s.wrong("neither a comma nor " + string(rune(closing)))
			}
		}
	}
	return false
}
