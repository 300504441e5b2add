package arch

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// replaced lists words of this project's own, which a reader would have to learn, with the
// usual ones.
var replaced = map[string]string{
	"brake": "removal guard", "hearsay": "unverified data", "keeper": "store", "mint": "issue", "outrank": "supersede", "pile": "partition, bucket",
	"room": "buffer, space, package", "stranger": "unknown principal", "wallet": "credentials", "wish": "planned change, request",
}

var word = regexp.MustCompile(`(?i)(?:^|[^[:alnum:]])(brake|hearsay|keeper|mint|outrank|pile|room|stranger|wallet|wish)(?:s|es|d|ed|ing)?(?:[^[:alnum:]]|$)`)

// wordsAllowed names files in which such a word is data of a test.
var wordsAllowed = []string{"report/fixture_test.go", "report/report_test.go", "test/arch/words_test.go"}

// TestPlainWords looks for these words in sources and documents. Decisions and the changelog
// keep the words of their time.
func TestPlainWords(t *testing.T) {
	looked := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		if d.IsDir() {
			if path == "docs/adr" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != "." {
				return filepath.SkipDir
			}
			return nil
		}
		ext := filepath.Ext(path)
		if ext != ".go" && ext != ".md" || strings.HasSuffix(path, ".pb.go") || path == "CHANGELOG.md" || slices.Contains(wordsAllowed, path) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looked++
		for n, line := range bytes.Split(text, []byte("\n")) {
			if m := word.FindSubmatch(line); m != nil {
				t.Errorf("%s:%d: %q; use %s", path, n+1, m[1], replaced[strings.ToLower(string(m[1]))])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if looked < 500 {
		t.Errorf("only %d files were looked at", looked)
	}
}
