package web

import "testing"

// TestPagesParse parses the templates that a process parses when it needs them.
func TestPagesParse(t *testing.T) {
	for name, page := range pages {
		if page().Lookup("layout") == nil {
			t.Errorf("%s has no layout", name)
		}
	}
}
