package api

import (
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"baton"
)

const (
	maxDepth = 1000    // of nested values that are skipped
	maxKept  = 1 << 16 // bytes of a value that is kept
)

// scanner is a strict JSON tokenizer for bodies of any size. It exists because a
// report has a million rows of forty fields of which five matter: what is skipped is
// checked for its syntax but neither copied nor decoded.
type scanner struct {
	src  io.Reader
	buf  []byte
	pos  int // of the next byte in buf
	end  int // of the bytes in buf
	read int64
	err  error // of src, sticky
}

func newScanner(src io.Reader) *scanner { return &scanner{src: src, buf: make([]byte, 64<<10)} }

// fill gets more bytes once all are used up.
func (s *scanner) fill() error {
	for s.pos == s.end {
		if s.err != nil {
			return s.err
		}
		s.read += int64(s.end)
		s.pos = 0
		s.end, s.err = s.src.Read(s.buf)
	}
	return nil
}

// peek is the next byte. The error at the end of the source is io.EOF.
func (s *scanner) peek() (byte, error) {
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	return s.buf[s.pos], nil
}

func (s *scanner) take() (byte, error) {
	b, err := s.peek()
	if err == nil {
		s.pos++
	}
	return b, err
}

// token skips white space and is the next byte after it.
func (s *scanner) token() (byte, error) {
	for {
		b, err := s.peek()
		if err != nil || b != ' ' && b != '\n' && b != '\r' && b != '\t' {
			return b, err
		}
		s.pos++
	}
}

// wrong is the error for bytes that are not JSON. It does not quote them.
func (s *scanner) wrong(what string) error {
	return baton.Errorf(baton.Incomplete, "%s at byte %d of the answer", what, s.read+int64(s.pos))
}

// expect takes one byte, after white space.
func (s *scanner) expect(want byte) error {
	b, err := s.token()
	if err != nil {
		return err
	}
	if b != want {
		return s.wrong("no " + string(rune(want)))
	}
	s.pos++
	return nil
}

// value reads any value. A string, number or boolean is appended to dst as text when
// keep is set; null and nested values are skipped.
func (s *scanner) value(dst []byte, keep bool, depth int) ([]byte, error) {
	b, err := s.token()
	if err != nil {
		return dst, err
	}
	switch b {
	case '"':
		s.pos++
		return s.text(dst, keep)
	case '{', '[':
		if depth >= maxDepth {
			return dst, s.wrong("values nested too deeply")
		}
		s.pos++
		return dst, s.skipNested(b, depth+1)
	case 't':
		return s.literal(dst, keep, "true")
	case 'f':
		return s.literal(dst, keep, "false")
	case 'n':
		return s.literal(dst, false, "null")
	}
	return s.number(dst, keep)
}

// skipNested reads to the end of an array or object.
func (s *scanner) skipNested(opening byte, depth int) error {
	closing := opening + 2 // in ASCII, of both pairs
	for first := true; ; first = false {
		b, err := s.token()
		if err != nil {
			return err
		}
		if b == closing && first {
			s.pos++
			return nil
		}
		if opening == '{' {
			if err := s.key(nil); err != nil {
				return err
			}
		}
		if _, err := s.value(nil, false, depth); err != nil {
			return err
		}
		more, err := s.separator(closing)
		if err != nil || !more {
			return err
		}
	}
}

// separator takes a comma or the closing bracket, and reports whether it was a comma.
func (s *scanner) separator(closing byte) (bool, error) {
	b, err := s.token()
	if err != nil {
		return false, err
	}
	if b != ',' && b != closing {
		return false, s.wrong("neither a comma nor " + string(rune(closing)))
	}
	s.pos++
	return b == ',', nil
}

// key reads the name of a field and the colon; into gets the name when it is not nil.
func (s *scanner) key(into *[]byte) error {
	if err := s.expect('"'); err != nil {
		return err
	}
	if into == nil {
		if _, err := s.text(nil, false); err != nil {
			return err
		}
		return s.expect(':')
	}
	var err error
	if *into, err = s.text((*into)[:0], true); err != nil {
		return err
	}
	return s.expect(':')
}

func (s *scanner) literal(dst []byte, keep bool, word string) ([]byte, error) {
	for i := range len(word) {
		b, err := s.take()
		if err != nil {
			return dst, err
		}
		if b != word[i] {
			return dst, s.wrong("no JSON value")
		}
	}
	if keep {
		dst = append(dst, word...)
	}
	return dst, nil
}

// number reads a number by JSON's grammar, which is narrower than strconv's.
func (s *scanner) number(dst []byte, keep bool) ([]byte, error) {
	n := len(dst)
	digits := func() (int, error) {
		for count := 0; ; count++ {
			b, err := s.peek()
			if err == io.EOF {
				return count, nil // as what comes next is not there either, it is found there
			}
			if err != nil || b < '0' || b > '9' {
				return count, err
			}
			if keep {
				if dst = append(dst, b); len(dst)-n > maxKept {
					return 0, s.wrong("a number that is too long")
				}
			}
			s.pos++
		}
	}
	optional := func(set string) bool {
		b, err := s.peek()
		for i := range len(set) {
			if err == nil && b == set[i] {
				if keep {
					dst = append(dst, b)
				}
				s.pos++
				return true
			}
		}
		return false
	}
	optional("-")
	if !optional("0") {
		if count, err := digits(); err != nil || count == 0 {
			return dst, s.noNumber(err)
		}
	}
	if optional(".") {
		if count, err := digits(); err != nil || count == 0 {
			return dst, s.noNumber(err)
		}
	}
	if optional("eE") {
		optional("+-")
		if count, err := digits(); err != nil || count == 0 {
			return dst, s.noNumber(err)
		}
	}
	return dst, nil
}

func (s *scanner) noNumber(err error) error {
	if err != nil {
		return err
	}
	if _, err := s.peek(); err != nil {
		return err
	}
	return s.wrong("no JSON value")
}

// text reads a string behind its opening quote, decoding it onto dst when keep is
// set. Bytes that are no UTF-8 become U+FFFD one by one, as in encoding/json.
func (s *scanner) text(dst []byte, keep bool) ([]byte, error) {
	start := len(dst)
	var high rune // the first half of a surrogate pair, waiting for the second
	for {
		if s.pos == s.end {
			if err := s.fill(); err != nil {
				return dst, err
			}
		}
		chunk := s.buf[s.pos:s.end]
		i := 0
		for i < len(chunk) && chunk[i] >= 0x20 && chunk[i] != '"' && chunk[i] != '\\' {
			i++
		}
		if keep && i > 0 {
			if high != 0 {
				dst, high = utf8.AppendRune(dst, utf8.RuneError), 0
			}
			if dst = append(dst, chunk[:i]...); len(dst)-start > maxKept {
				return dst, s.wrong("a text that is too long")
			}
		}
		s.pos += i
		if i == len(chunk) {
			continue
		}
		b := chunk[i]
		if b < 0x20 {
			return dst, s.wrong("a line break in a text")
		}
		s.pos++
		if b == '"' {
			if high != 0 {
				dst = utf8.AppendRune(dst, utf8.RuneError)
			}
			return validUTF8(dst, start), nil
		}
		r, unicode, err := s.escape()
		if err != nil {
			return dst, err
		}
		if !keep {
			continue
		}
		if high != 0 {
			pair := utf8.RuneError
			if unicode {
				pair = utf16.DecodeRune(high, r)
			}
			dst, high = utf8.AppendRune(dst, pair), 0
			if pair != utf8.RuneError {
				continue
			}
		}
		if unicode && 0xd800 <= r && r < 0xdc00 {
			high = r
		} else {
			dst = utf8.AppendRune(dst, r) // half a pair comes out as U+FFFD
		}
	}
}

// escape reads what follows a backslash; unicode says that it was \u.
func (s *scanner) escape() (r rune, unicode bool, err error) {
	b, err := s.take()
	if err != nil {
		return 0, false, err
	}
	switch b {
	case '"', '\\', '/':
		return rune(b), false, nil
	case 'b':
		return '\b', false, nil
	case 'f':
		return '\f', false, nil
	case 'n':
		return '\n', false, nil
	case 'r':
		return '\r', false, nil
	case 't':
		return '\t', false, nil
	case 'u':
	default:
		return 0, false, s.wrong("an unknown escape")
	}
	for range 4 {
		b, err := s.take()
		if err != nil {
			return 0, false, err
		}
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b && b <= 'f':
			b -= 'a' - 10
		case 'A' <= b && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false, s.wrong("an unknown escape")
		}
		r = r<<4 | rune(b)
	}
	return r, true, nil
}

// validUTF8 mends dst from start on.
func validUTF8(dst []byte, start int) []byte {
	if utf8.Valid(dst[start:]) {
		return dst
	}
	bad := string(dst[start:])
	dst = dst[:start]
	for _, r := range bad { // every byte that is none yields one U+FFFD
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
