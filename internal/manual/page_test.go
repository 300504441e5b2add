package manual

import "testing"

// TestEscape escapes text that has a meaning in roff.
func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"plain":           "plain",
		".so /etc/passwd": `\&.so /etc/passwd`,
		"a\n'br\n.sp":     "a\n\\&'br\n\\&.sp",
		`C:\fBx -f`:       `C:\efBx \-f`,
		"a\r\n.b":         "a\n\\&.b",
	} {
		if got := escape(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
