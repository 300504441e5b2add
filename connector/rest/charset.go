package rest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// contentError reports a body that cannot be decoded as text. A retry would not help.
type contentError struct{ text, fix string }

func (e *contentError) Error() string { return e.text }

const (
	fixCharset = "have the server send UTF-8, or declare the charset that it sends"
	fixCoding  = "have the server, or the proxy in front of it, send answers without Content-Encoding or with gzip"
)

// textReader returns the body of a response in UTF-8: decompressed, decoded from the charset that its
// Content-Type declares, and without a byte order mark. It reads the first bytes before it returns. Its
// errors are *contentError or those of the body.
//
// JSON is UTF-8 by its standard (RFC 8259), and many servers send UTF-8 under another label. So if the label
// names a single-byte charset and the first non-ASCII text is valid UTF-8, the body is read as UTF-8. A byte
// order mark overrules any label. Later text that is not UTF-8 then fails in package jsonscan.
func textReader(resp *http.Response) (io.Reader, error) {
	body, err := unpack(resp)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 512)
	n, err := io.ReadAtLeast(body, head, 3)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	head = head[:n] // a body that broke off returns its error again
	if packed := packing(head); packed != "" {
		how := "and its headers do not say so"
		if resp.Uncompressed {
			how = "inside the gzip that its headers announce"
		}
		return nil, &contentError{fmt.Sprintf("the answer is compressed with %s, %s", packed, how), fixCoding}
	}
	name, coding := declared(resp.Header)
	if seen, mark := byteOrder(head); seen != nil {
		name, coding, head = seen.name, seen, head[mark:]
	}
	all := io.MultiReader(bytes.NewReader(head), body)
	switch {
	case coding == nil:
		return &decoder{src: all, convert: (&singleByte{name: name}).convert}, nil
	case coding.never:
		return nil, unreadable(name)
	case coding.order != 0:
		return &decoder{src: all, convert: (&doubleByte{big: coding.order == bigEndian}).convert}, nil
	case coding.table != nil:
		return &decoder{src: all, convert: (&singleByte{name: name, table: coding.table}).convert}, nil
	}
	return all, nil
}

// unpack undoes Content-Encoding. The transport has undone gzip already.
func unpack(resp *http.Response) (io.Reader, error) {
	var codings []string
	for _, value := range resp.Header.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				codings = append(codings, coding)
			}
		}
	}
	switch {
	case len(codings) == 0:
		return resp.Body, nil
	case len(codings) == 1 && (strings.EqualFold(codings[0], "gzip") || strings.EqualFold(codings[0], "x-gzip")):
		unpacked, err := gzip.NewReader(resp.Body)
		if err == io.EOF {
			return bytes.NewReader(nil), nil
		}
		return unpacked, err
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err == io.EOF {
		return bytes.NewReader(nil), nil
	}
	return nil, &contentError{fmt.Sprintf("the answer is encoded as %q, which was not requested and is not supported", strings.Join(codings, ", ")), fixCoding}
}

// packing returns the name of the compression format that the first bytes of a body show, or "".
func packing(head []byte) string {
	for _, format := range []struct{ magic, name string }{
		{"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"x\x01", "deflate"}, {"x\x9c", "deflate"}, {"x\xda", "deflate"},
		{"BZh", "bzip2"}, {"PK\x03\x04", "zip"}, {"\xfd7zXZ", "xz"},
	} {
		if bytes.HasPrefix(head, []byte(format.magic)) {
			return format.name
		}
	}
	return ""
}

// charset describes how to decode bytes into text. The zero value is UTF-8.
type charset struct {
	name  string     // set only by a byte order mark
	table *[128]rune // characters of the bytes from 0x80 on; 0 where there is none
	order endian     // of UTF-16; known only from the body, by its byte order mark or first character
	never bool       // not supported, and not a superset of ASCII
}

type endian int

const (
	littleEndian endian = iota + 1
	bigEndian
)

// charsets maps the known labels, in lower case without punctuation.
var charsets = map[string]*charset{}

func init() {
	for _, known := range []struct {
		labels string
		charset
	}{
		{"utf8 utf8sig utf8mb3 utf8mb4 unicode11utf8 cp65001", charset{}},
		// byteOrder recognises JSON in UTF-16 by its first bytes.
		{"utf16 utf16le utf16be ucs2 iso10646ucs2 csunicode unicode unicodefeff unicodefffe", charset{}},
		{"usascii ascii ansix341968 ansix341986 iso646us iso646irv1991 isoir6 csascii us cp367 ibm367", charset{table: new([128]rune)}},
		// The label ISO-8859-1 is read as windows-1252, as browsers do. The two differ only in control
		// characters, which text does not contain.
		{"iso88591 iso885911987 88591 latin1 l1 isoir100 csisolatin1 cp819 ibm819 windows1252 cp1252 xcp1252 win1252", charset{table: westernWindows()}},
		{"iso885915 latin9 l9 csisolatin9", charset{table: western15()}},
	} {
		for label := range strings.FieldsSeq(known.labels) {
			charsets[label] = &known.charset
		}
	}
}

// westernWindows returns the upper half of windows-1252.
func westernWindows() *[128]rune {
	t := &[128]rune{
		0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
		0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
	}
	for i := 0x20; i < len(t); i++ {
		t[i] = rune(0x80 + i)
	}
	return t
}

// western15 returns the upper half of ISO-8859-15.
func western15() *[128]rune {
	t := new([128]rune)
	for i := 0x20; i < len(t); i++ {
		t[i] = rune(0x80 + i)
	}
	for b, r := range map[byte]rune{0xA4: 0x20AC, 0xA6: 0x0160, 0xA8: 0x0161, 0xB4: 0x017D, 0xB8: 0x017E, 0xBC: 0x0152, 0xBD: 0x0153, 0xBE: 0x0178} {
		t[b-0x80] = r
	}
	return t
}

var charsetParameter = regexp.MustCompile(`(?i)\bcharset\s*=\s*["']?([^\s"';,]+)`)

// declared returns the name of the charset in Content-Type, as it is spelt, and its decoder: UTF-8 if no
// charset is declared, nil for an unknown charset or for two different ones.
func declared(h http.Header) (name string, c *charset) {
	for _, value := range h.Values("Content-Type") {
		for _, match := range charsetParameter.FindAllStringSubmatch(value, -1) {
			this := charsetOf(match[1])
			switch {
			case name == "":
				name, c = match[1], this
			case strings.EqualFold(name, match[1]) || this != nil && this == c:
			default:
				return name + " and " + match[1], nil
			}
		}
	}
	if name == "" {
		return "", &charset{}
	}
	return name, c
}

func charsetOf(label string) *charset {
	label = strings.NewReplacer("-", "", "_", "", ":", "", ".", "").Replace(strings.ToLower(label))
	if c := charsets[label]; c != nil {
		return c
	}
	// In these charsets, bytes in the ASCII range can have other meanings.
	for _, prefix := range []string{"utf7", "unicode11utf7", "utf32", "ucs4", "iso10646ucs4", "iso2022", "csiso2022", "hz", "ibm037", "cp037", "ibm500", "cp500", "ebcdic"} {
		if strings.HasPrefix(label, prefix) {
			return &charset{never: true}
		}
	}
	return nil
}

// byteOrder returns the charset that the first bytes of JSON show, and the length of the byte order mark. It
// returns nil if they show none.
func byteOrder(head []byte) (*charset, int) {
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return &charset{name: "UTF-8"}, 3
	case bytes.HasPrefix(head, []byte("\xff\xfe\x00")), bytes.HasPrefix(head, []byte("\x00\x00\xfe")):
		return &charset{name: "UTF-32", never: true}, 0
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return &charset{name: "UTF-16", order: littleEndian}, 2
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return &charset{name: "UTF-16", order: bigEndian}, 2
	case wide(head) != 0:
		return &charset{name: "UTF-16", order: wide(head)}, 0
	}
	return nil, 0
}

// wide returns the byte order of UTF-16 without a byte order mark, or 0 for any other text. JSON begins with
// an ASCII character, one byte of which is 0 in UTF-16.
func wide(head []byte) endian {
	switch {
	case len(head) < 2 || head[0] == 0 && head[1] == 0:
	case head[0] == 0:
		return bigEndian
	case head[1] == 0:
		return littleEndian
	}
	return 0
}

func unreadable(name string) error {
	return &contentError{fmt.Sprintf("the charset of the answer is %q, which is not supported", name), fixCharset}
}

// decoder converts text to UTF-8 as it is read.
type decoder struct {
	src io.Reader
	// convert appends the decoded beginning of in to dst and returns the number of bytes of in that it used.
	// Unless last is set, the unused bytes come again with more after them.
	convert func(dst, in []byte, last bool) (out []byte, used int, err error)
	in, out []byte
	over    error // of src
	err     error // of convert
}

func (d *decoder) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		if d.over != nil && len(d.in) == 0 {
			return 0, d.over
		}
		if d.over == nil {
			var chunk [4096]byte
			var n int
			n, d.over = d.src.Read(chunk[:])
			d.in = append(d.in, chunk[:n]...)
		}
		if d.over != nil && d.over != io.EOF {
			return 0, d.over
		}
		var used int
		d.out, used, d.err = d.convert(d.out[:0], d.in, d.over == io.EOF)
		d.in = append(d.in[:0], d.in[used:]...)
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// maxRun limits the non-ASCII bytes that decide whether text is UTF-8 or in a single-byte charset.
const maxRun = 64

// singleByte converts a charset that contains ASCII. Without a table the charset is unsupported, and a
// non-ASCII byte is an error.
type singleByte struct {
	name    string
	table   *[128]rune
	decided bool
	utf8    bool // the text is UTF-8 despite its label
}

func (c *singleByte) convert(dst, in []byte, last bool) ([]byte, int, error) {
	used := 0
	for used < len(in) && in[used] < utf8.RuneSelf {
		used++
	}
	dst = append(dst, in[:used]...)
	rest := in[used:]
	if len(rest) == 0 {
		return dst, used, nil
	}
	if c.table == nil {
		return dst, used, unreadable(c.name)
	}
	if !c.decided {
		run := 0
		for run < len(rest) && rest[run] >= utf8.RuneSelf && run < maxRun {
			run++
		}
		if run == len(rest) && run < maxRun && !last {
			return dst, used, nil // the run continues in the next bytes
		}
		for i := run; run == maxRun && i > maxRun-utf8.UTFMax; i-- { // a character may be cut in two
			if utf8.RuneStart(rest[i-1]) && !utf8.FullRune(rest[i-1:run]) {
				run = i - 1
				break
			}
		}
		c.decided, c.utf8 = true, utf8.Valid(rest[:run])
	}
	if c.utf8 {
		return append(dst, rest...), len(in), nil
	}
	for _, b := range rest {
		if b < utf8.RuneSelf {
			dst = append(dst, b)
		} else if r := c.table[b-utf8.RuneSelf]; r != 0 {
			dst = utf8.AppendRune(dst, r)
		} else {
			return dst, used, &contentError{fmt.Sprintf("the answer declares the charset %q but contains the byte 0x%02X, which is not a character in it", c.name, b), fixCharset}
		}
		used++
	}
	return dst, used, nil
}

// doubleByte converts UTF-16.
type doubleByte struct{ big bool }

func (c *doubleByte) convert(dst, in []byte, last bool) ([]byte, int, error) {
	unit := func(i int) rune {
		if c.big {
			return rune(in[i])<<8 | rune(in[i+1])
		}
		return rune(in[i+1])<<8 | rune(in[i])
	}
	used := 0
	for ; used+2 <= len(in); used += 2 {
		r := unit(used)
		if utf16.IsSurrogate(r) {
			if used+4 > len(in) && !last {
				return dst, used, nil
			}
			pair := rune(utf8.RuneError)
			if used+4 <= len(in) {
				pair = utf16.DecodeRune(r, unit(used+2))
			}
			if pair == utf8.RuneError {
				return dst, used, &contentError{"the answer is in UTF-16 and contains half of a surrogate pair", FixUnicode}
			}
			r, used = pair, used+2
		}
		dst = utf8.AppendRune(dst, r)
	}
	if last && used < len(in) {
		return dst, len(in), io.ErrUnexpectedEOF
	}
	return dst, used, nil
}
