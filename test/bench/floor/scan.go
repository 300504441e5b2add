package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON from a stream and rejects everything else. It also checks skipped text, except for its
// UTF-8.
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int
	name     []byte
}

var errSyntax = errors.New("this is not JSON")

func newScanner(r io.Reader) *scanner { return &scanner{r: r, buf: make([]byte, 64<<10)} }

// fill reads more bytes. The buffer must be empty.
func (s *scanner) fill() error {
	s.pos, s.end = 0, 0
	for {
		n, err := s.r.Read(s.buf)
		if s.end = n; n > 0 {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
}

// byte returns the next byte, including white space.
func (s *scanner) byte() (byte, error) {
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	s.pos++
	return s.buf[s.pos-1], nil
}

// peek skips white space and returns the byte after it without consuming it.
func (s *scanner) peek() (byte, error) {
	for {
		for s.pos < s.end {
			switch c := s.buf[s.pos]; c {
			case ' ', '\n', '\r', '\t':
				s.pos++
			default:
				return c, nil
			}
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

func (s *scanner) want(c byte) error {
	got, err := s.peek()
	if err != nil {
		return err
	}
	if got != c {
		return fmt.Errorf("%w: %q instead of %q", errSyntax, got, c)
	}
	s.pos++
	return nil
}

// more reports whether another element follows, and consumes the comma or the closing byte.
func (s *scanner) more(first bool, end byte) (bool, error) {
	c, err := s.peek()
	switch {
	case err != nil:
		return false, err
	case c == end:
		s.pos++
		return false, nil
	case first:
		return true, nil
	case c == ',':
		s.pos++
		return true, nil
	}
	return false, fmt.Errorf("%w: %q between two elements", errSyntax, c)
}

// list calls each at every element, which each must read.
func (s *scanner) list(each func() error) error {
	if err := s.want('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		if more, err := s.more(first, ']'); err != nil || !more {
			return err
		}
		if err := each(); err != nil {
			return err
		}
	}
}

// object calls each with every name, at its value, which each must read. The name is valid until the next
// read.
func (s *scanner) object(each func(name []byte) error) error {
	if err := s.want('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.more(first, '}')
		if err != nil || !more {
			return err
		}
		if s.name, err = s.text(s.name[:0]); err != nil {
			return err
		}
		if err := s.want(':'); err != nil {
			return err
		}
		if err := each(s.name); err != nil {
			return err
		}
	}
}

// text appends the value of a string.
func (s *scanner) text(to []byte) ([]byte, error) {
	if err := s.want('"'); err != nil {
		return to, err
	}
	for {
		n := plain(s.buf[s.pos:s.end])
		to = append(to, s.buf[s.pos:s.pos+n]...)
		s.pos += n
		c, err := s.byte()
		switch {
		case err != nil:
			return to, err
		case c == '"':
			return to, nil
		case c == '\\':
			if to, err = s.escape(to); err != nil {
				return to, err
			}
		case c < ' ':
			return to, fmt.Errorf("%w: control character in a string", errSyntax)
		default:
			s.pos-- // the buffer was refilled
		}
	}
}

// plain returns the number of bytes before the first special one in a string.
func plain(b []byte) int {
	for i, c := range b {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(b)
}

func (s *scanner) escape(to []byte) ([]byte, error) {
	c, err := s.byte()
	if err != nil {
		return to, err
	}
	switch c {
	case '"', '\\', '/':
		return append(to, c), nil
	case 'b':
		return append(to, '\b'), nil
	case 'f':
		return append(to, '\f'), nil
	case 'n':
		return append(to, '\n'), nil
	case 'r':
		return append(to, '\r'), nil
	case 't':
		return append(to, '\t'), nil
	case 'u':
		r, err := s.hex()
		if err != nil {
			return to, err
		}
		if utf16.IsSurrogate(r) {
			r, err = s.second(r)
		}
		return utf8.AppendRune(to, r), err
	}
	return to, fmt.Errorf("%w: \\%c in a string", errSyntax, c)
}

// second reads the second half of a surrogate pair. A lone half becomes the replacement character.
func (s *scanner) second(high rune) (rune, error) {
	for _, want := range []byte(`\u`) {
		if c, err := s.byte(); err != nil || c != want {
			return 0, errors.Join(err, fmt.Errorf("%w: half a surrogate pair", errSyntax))
		}
	}
	low, err := s.hex()
	return utf16.DecodeRune(high, low), err
}

func (s *scanner) hex() (rune, error) {
	var digits [4]byte
	for i := range digits {
		c, err := s.byte()
		if err != nil {
			return 0, err
		}
		digits[i] = c
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errSyntax, err)
	}
	return rune(n), nil
}

func (s *scanner) skipText() error {
	if err := s.want('"'); err != nil {
		return err
	}
	for {
		s.pos += plain(s.buf[s.pos:s.end])
		c, err := s.byte()
		switch {
		case err != nil:
			return err
		case c == '"':
			return nil
		case c == '\\':
			var buf [utf8.UTFMax]byte
			if _, err := s.escape(buf[:0]); err != nil {
				return err
			}
		case c < ' ':
			return fmt.Errorf("%w: control character in a string", errSyntax)
		}
	}
}

// skip reads a value and discards it.
func (s *scanner) skip() error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	switch c {
	case '"':
		return s.skipText()
	case '{':
		return s.object(func([]byte) error { return s.skip() })
	case '[':
		return s.list(s.skip)
	}
	var word [40]byte
	w, err := s.word(word[:0])
	if err != nil {
		return err
	}
	if !json.Valid(w) {
		return fmt.Errorf("%w: %q", errSyntax, w)
	}
	return nil
}

// number reads a whole number.
func (s *scanner) number() (int, error) {
	if _, err := s.peek(); err != nil {
		return 0, err
	}
	w, err := s.word(nil)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(w))
}

// word reads the letters and digits of a value that is not a string.
func (s *scanner) word(to []byte) ([]byte, error) {
	for {
		for s.pos < s.end {
			c := s.buf[s.pos]
			if c != '+' && c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != 'E' {
				return to, nil
			}
			to = append(to, c)
			s.pos++
		}
		if err := s.fill(); err != nil {
			return to, err
		}
	}
}
