package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// elision matches a placeholder in a quoted error: an ellipsis, or a capital for a number.
	elision    = regexp.MustCompile(`…|\b[NM]\b`)
	httpStatus = regexp.MustCompile(`^[45]\d\d( or [45]\d\d)*$`)
)

// TestErrorsAreSaid: every error quoted in a table is in the programs' source, so that a reader can find a
// reworded one.
func TestErrorsAreSaid(t *testing.T) {
	texts := sources(t)
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		table := false
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			switch {
			case strings.HasPrefix(line, "| message |"):
				table = true
				continue
			case !strings.HasPrefix(line, "|"):
				table = false
			}
			if !table || strings.HasPrefix(line, "|---") {
				continue
			}
			rows++
			quoted := strings.TrimSpace(strings.Split(line, "|")[1])
			if httpStatus.MatchString(quoted) {
				continue
			}
			for _, part := range elision.Split(quoted, -1) {
				if part = strings.TrimSpace(part); !strings.Contains(texts, part) {
					t.Errorf("%s: nothing says %q, of %q", page, part, quoted)
				}
			}
		}
	}
	if rows < 40 {
		t.Errorf("only %d errors were looked at", rows)
	}
}

// sources returns the source code of the programs, without tests and test-only packages.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "sandbox" || d.Name() == "console" || path == "../test" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
