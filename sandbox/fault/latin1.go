package fault

import (
	"bytes"
	"fmt"
	"unicode/utf16"
)

// Latin1 encodes JSON in ISO-8859-1 and reports whether that changed anything. It escapes characters that the
// encoding lacks.
func Latin1(text []byte) (encoded []byte, changed bool) {
	for _, r := range string(text) {
		switch {
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			encoded = fmt.Appendf(encoded, `\u%04x\u%04x`, high, low)
		case r > 0xff:
			encoded = fmt.Appendf(encoded, `\u%04x`, r)
		default:
			encoded = append(encoded, byte(r))
		}
	}
	return encoded, !bytes.Equal(encoded, text)
}
