package english

import (
	"strings"
	"testing"
)

func TestNear(t *testing.T) {
	for _, c := range []struct {
		word string
		in   []string
		want string
	}{
		{"scim-tokn", []string{"scim-token", "scim-url"}, "scim-token"},
		{"SCIM-TOKEN", []string{"scim-token"}, "scim-token"},
		{"file", []string{"fail", "tile", "filed", "field", "xxxx"}, "filed or tile"},
		{"dmo", []string{"demo", "move"}, "demo"},
		{"x", nil, ""},
		{"something", []string{"else"}, ""},
	} {
		if got := strings.Join(Near(c.word, c.in), " or "); got != c.want {
			t.Errorf("near %q: got %s, want %s", c.word, got, c.want)
		}
	}
}
