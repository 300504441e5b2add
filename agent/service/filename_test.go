package service

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestFileNames: an id from C1 never leads out of a folder, and two ids never share a file.
func TestFileNames(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"2d59idiJblyjTYN6gSeESlyJKtz", "..", ".", "", "../../etc/passwd", `..\..\windows`, "a/b", "/abs", "C:x", "nul", "a\x00b", "-rf",
		"a.sealed", strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 5000), "ä", "a b", "a\nb", "*", "~"} {
		name := fileName(id)
		if name == "" || len(name) > 64 || name != filepath.Base(name) || !filepath.IsLocal(name) || strings.ContainsAny(name, `/\.:*~ `+"\x00\n") {
			t.Errorf("%q becomes %q", id, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q become the same", id, other)
		}
		seen[name] = id
	}
}
