// Package jsonscan reads JSON from a stream of any size. Values that are skipped are checked for
// their syntax, but neither copied nor decoded.
//
// It accepts the same input as encoding/json and returns the same values; a fuzz test compares the
// two. There is one difference: reading a text that is not valid Unicode is an [EncodingError],
// where encoding/json replaces invalid parts by U+FFFD. Errors are sticky: after an error no
// method does anything, so a caller checks [Scanner.Err] once, at the end.
//
//	for s.Object(); s.Field(); {
//		switch string(s.Name()) {
//		case "id":
//			id = s.Text()
//		default:
//			s.Skip()
//		}
//	}
//	return s.Err()
//
// Every field and element must be read by exactly one of Text, Skip, Object and Array.
//
// [Scanner.Known] reads lists of objects with many fields faster:
//
//	names := jsonscan.NewNames([]string{"id", "title"})
//	for s.Array(); s.Element(); {
//		for s.Object(); s.Known(names); {
//			switch names.Field {
//			case 0:
//				id = s.Text()
//			case 1:
//				title = s.Text()
//			}
//		}
//	}
package jsonscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	bufferSize = 64 << 10
	maxDepth   = 10_000  // of nested values, as in encoding/json
	maxText    = 1 << 20 // bytes of a text or a number that is read
	blockSize  = 8 << 10 // of memory for Keep
)

// SyntaxError reports input that is not JSON. It does not quote the input.
type SyntaxError struct {
	Problem string
	Offset  int64
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d of the answer", e.Problem, e.Offset)
}

// EncodingError reports a text that is not valid Unicode: a byte that is not UTF-8, or an escape
// that is half of a surrogate pair. Texts that are skipped are not checked.
type EncodingError struct {
	Problem string // "the byte 0xF6"
	Offset  int64  // in the source
	// Where names the row of the text (see [Scanner.Locate]). It may be empty.
	Where string
}

func (e *EncodingError) Error() string {
	where := ""
	if e.Where != "" {
		where = " of " + e.Where
	}
	return fmt.Sprintf("a text%s is not Unicode: %s at byte %d of the answer", where, e.Problem, e.Offset)
}

// Locate adds the row of the text to the error of the scanner if it is an *EncodingError. Rows
// count from 1. The id of the row may be empty.
func (s *Scanner) Locate(row int, id string) {
	encoding, ok := s.err.(*EncodingError)
	if !ok || encoding.Where != "" {
		return
	}
	if encoding.Where = fmt.Sprintf("row %d", row); id != "" {
		encoding.Where += " (" + id + ")"
	}
}

// Scanner reads one JSON value from a source. Not safe for concurrent use.
type Scanner struct {
	src  io.Reader
	buf  []byte
	pos  int   // of the next byte in buf
	end  int   // of the bytes in buf
	gone int64 // bytes that were removed from buf
	mark int   // bytes from here on must stay in buf; none if negative
	over error // the last error of src

	first  bool // the next field or element is the first one of its object or array
	depth  int
	name   []byte
	copied []byte          // the name, if it is not in buf
	low    []byte          // the name in lower case
	kept   []byte          // the last text, if it is not in buf
	block  strings.Builder // memory of strings that Keep returned
	open   []byte          // the open brackets of a value that is being skipped
	err    error
}

var pool = sync.Pool{New: func() any { return &Scanner{buf: make([]byte, bufferSize)} }}

// New returns a scanner. Free releases its memory for another one.
func New(src io.Reader) *Scanner {
	s := pool.Get().(*Scanner)
	*s = Scanner{src: src, buf: s.buf, mark: -1, copied: s.copied, low: s.low, kept: s.kept, open: s.open}
	return s
}

// Free releases the memory of the scanner, which must not be used any more.
func (s *Scanner) Free() {
	s.src, s.err = nil, errFreed
	if max(len(s.buf), cap(s.copied), cap(s.low), cap(s.kept), cap(s.open)) <= bufferSize {
		pool.Put(s)
	}
}

var errFreed = errors.New("jsonscan: used after Free")

// Keep returns a text as a string. Strings share blocks of memory, and each one keeps its whole
// block: a string that outlives the others of its row should be cloned.
func (s *Scanner) Keep(text []byte) string {
	if len(text) > blockSize/4 {
		return string(text)
	}
	if s.block.Cap()-s.block.Len() < len(text) {
		s.block = strings.Builder{}
		s.block.Grow(blockSize)
	}
	from := s.block.Len()
	s.block.Write(text)
	return s.block.String()[from:]
}

// Err returns the error of the scanner: nil, an error of the source, io.ErrUnexpectedEOF if the
// source ended too early, a *SyntaxError or an *EncodingError.
func (s *Scanner) Err() error { return s.err }

// Fail stops the scanner with an error, unless it has one already.
func (s *Scanner) Fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *Scanner) wrong(what string) {
	s.Fail(&SyntaxError{Problem: what, Offset: s.gone + int64(s.pos)})
}

// more reads more bytes into buf, and reports whether there are any. The end of the source is not
// an error here.
func (s *Scanner) more() bool {
	if s.err != nil {
		return false
	}
	keep := s.pos
	if s.mark >= 0 {
		keep = s.mark
	}
	if s.pos-keep > maxText {
		s.wrong("a text that is too long")
		return false
	}
	if s.over == nil && keep > 0 {
		copy(s.buf, s.buf[keep:s.end])
		s.gone += int64(keep)
		s.pos, s.end, s.mark = s.pos-keep, s.end-keep, min(s.mark, 0)
	}
	for range 100 {
		if s.over == io.EOF {
			return false
		}
		if s.over != nil {
			s.err = s.over
			return false
		}
		if s.end == len(s.buf) {
			s.buf = append(s.buf, make([]byte, len(s.buf))...)
		}
		var n int
		n, s.over = s.src.Read(s.buf[s.end:])
		s.end += n
		if n > 0 {
			return true
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// fill is like more, but the end of the source is an error.
func (s *Scanner) fill() bool {
	if !s.more() {
		s.Fail(io.ErrUnexpectedEOF)
		return false
	}
	return true
}

// token skips white space and returns the next byte, 0 at the end.
func (s *Scanner) token() byte {
	for {
		for s.pos < s.end {
			b := s.buf[s.pos]
			if b > ' ' || b != ' ' && b != '\n' && b != '\r' && b != '\t' {
				return b
			}
			s.pos++
		}
		if !s.fill() {
			return 0
		}
	}
}

// Empty reports whether only white space follows.
func (s *Scanner) Empty() bool {
	if s.err != nil {
		return false
	}
	if s.token(); s.err == io.ErrUnexpectedEOF {
		s.err = nil
		return true
	}
	return false
}

// Kind returns the first byte of the next value: {, [, ", t, f, n, a digit or a minus sign; 0 after
// an error. Anything else is not JSON.
func (s *Scanner) Kind() byte { return s.token() }

// End checks that nothing follows the value, and reads to the end of the source.
func (s *Scanner) End() error {
	if s.err == nil && !s.Empty() {
		s.wrong("more than one value")
	}
	return s.err
}

// Object begins an object. Field goes to its fields.
func (s *Scanner) Object() { s.begin('{') }

// Array begins an array. Element goes to its elements.
func (s *Scanner) Array() { s.begin('[') }

func (s *Scanner) begin(bracket byte) {
	if b := s.token(); s.err != nil {
		return
	} else if b != bracket {
		s.wrong("no " + string(rune(bracket)))
		return
	}
	if s.depth++; s.depth > maxDepth {
		s.wrong("values nested too deeply")
		return
	}
	s.pos++
	s.first = true
}

// Field goes to the next field of the object and reports whether there is one.
func (s *Scanner) Field() bool {
	if !s.next('}') || !s.key(true) {
		return false
	}
	return true
}

// Name returns the name of the field. It is valid until the value is read.
func (s *Scanner) Name() []byte { return s.name }

// Element goes to the next element of the array and reports whether there is one.
func (s *Scanner) Element() bool { return s.next(']') }

// next reads a comma or the closing bracket.
func (s *Scanner) next(closing byte) bool {
	b := s.token()
	if s.err != nil {
		return false
	}
	first := s.first
	s.first = false
	switch {
	case b == closing:
		s.pos++
		s.depth--
		return false
	case first:
		return true
	case b != ',':
		s.wrong("neither a comma nor " + string(rune(closing)))
		return false
	}
	s.pos++
	return true
}

// key reads the name of a field and the colon.
func (s *Scanner) key(want bool) bool {
	if s.token() != '"' {
		if s.err == nil {
			s.wrong("no name of a field")
		}
		return false
	}
	if want {
		s.name = s.text()
		if s.pos < s.end && s.buf[s.pos] == ':' {
			s.pos++
			return true
		}
		// Reading more would overwrite the name in buf.
		s.copied = append(s.copied[:0], s.name...)
		s.name = s.copied
	} else {
		s.skipText()
	}
	if s.token() != ':' {
		if s.err == nil {
			s.wrong("no colon")
		}
		return false
	}
	s.pos++
	return true
}

// Lower returns Name in lower case, for names whose case does not matter. It folds the same
// letters as encoding/json: those of ASCII, and the two others that fold to k and s.
func (s *Scanner) Lower() []byte {
	for _, b := range s.name {
		if 'A' <= b && b <= 'Z' || b >= utf8.RuneSelf {
			return s.lowered()
		}
	}
	return s.name
}

func (s *Scanner) lowered() []byte {
	s.low = append(s.low[:0], s.name...)
	for i, b := range s.low {
		if 'A' <= b && b <= 'Z' {
			s.low[i] = b + 'a' - 'A'
		} else if b >= utf8.RuneSelf {
			s.low = append(s.low[:0], bytes.Map(lower, s.name)...)
			break
		}
	}
	return s.low
}

func lower(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A'
	case r == '\u212a':
		return 'k'
	case r == '\u017f':
		return 's'
	}
	return r
}
