package docs

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// row returns the cells of the table row of a page that begins with a label.
func row(t *testing.T, page, label string) []string {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "| "+label+" |") {
			var cells []string
			for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
				cells = append(cells, strings.TrimSpace(cell))
			}
			return cells[1:]
		}
	}
	t.Fatalf("%s has no row %q", page, label)
	return nil
}

// TestSizingIsMeasured compares the sizing of the console, and its figures in the README, with the
// measurements.
func TestSizingIsMeasured(t *testing.T) {
	for _, tt := range []struct {
		page, label, row string
		sqlite, postgres int // columns
	}{
		{"platform.md", "first sync, processor time", "first sync", 0, 1},
		{"platform.md", "the same sync again", "the same again", 0, 1},
		{"platform.md", "memory at most, in the first sync", "memory at most (resident), in the first sync", 0, 1},
		{"platform.md", "in a later sync", "memory at most, in a later sync", 0, 1},
		{"platform.md", "3,400,000 grants: first sync", "first sync", 3, 4},
		{"platform.md", "3,400,000 grants: memory, at first", "memory at most (resident), in the first sync", 3, 4},
		{"platform.md", "10,000 accesses that end together, in ten applications: the last is removed after", "the last change upstream", 0, 2},
		{"../README.md", "first sync, processor time", "first sync", 0, 1},
		{"../README.md", "first sync, memory at most", "memory at most (resident), in the first sync", 0, 1},
		{"../README.md", "the same sync again, processor time", "the same again", 0, 1},
		{"../README.md", "10,000 accesses that end together: the last is removed after", "the last change upstream", 0, 2},
	} {
		from := row(t, "performance.md", tt.row)
		if got, want := row(t, tt.page, tt.label), []string{from[tt.sqlite], from[tt.postgres]}; !slices.Equal(got, want) {
			t.Errorf("%s, %q: %q; measured were %q", tt.page, tt.label, got, want)
		}
	}
}
