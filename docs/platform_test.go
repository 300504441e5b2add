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

// TestSizingIsMeasured compares the sizing of the console with the measurements.
func TestSizingIsMeasured(t *testing.T) {
	for label, measured := range map[string]struct {
		row              string
		sqlite, postgres int // columns
	}{
		"first sync, processor time":         {"first sync", 0, 1},
		"the same sync again":                {"the same again", 0, 1},
		"memory at most, in the first sync":  {"memory at most (resident), in the first sync", 0, 1},
		"in a later sync":                    {"memory at most, in a later sync", 0, 1},
		"3,400,000 grants: first sync":       {"first sync", 3, 4},
		"3,400,000 grants: memory, at first": {"memory at most (resident), in the first sync", 3, 4},
		"10,000 accesses that end together, in ten applications: the last is removed after": {"the last change upstream", 0, 2},
	} {
		from := row(t, "performance.md", measured.row)
		if got, want := row(t, "platform.md", label), []string{from[measured.sqlite], from[measured.postgres]}; !slices.Equal(got, want) {
			t.Errorf("platform.md, %q: %q; measured were %q", label, got, want)
		}
	}
}
