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

// replaced maps private words, which a reader would have to learn, to the usual ones.
var replaced = map[string]string{
	"brake": "removal guard", "hearsay": "unverified data", "keeper": "store", "mint": "issue", "outrank": "supersede",
	"pile": "partition, bucket", "room": "buffer, space, package", "stranger": "unknown principal", "wallet": "credentials", "wish": "planned change, request",
	"impostor": "lookalike", "yardstick": "reference", "thereof": "of it", "whereby": "by which", "whilst": "while",
	"hitherto": "until now", "forthwith": "at once",
}

var word = regexp.MustCompile(`(?i)(?:^|[^[:alnum:]])(brake|forthwith|hearsay|hitherto|impostor|keeper|mint|outrank|pile|room|stranger|thereof|wallet|whereby|whilst|wish|yardstick)(?:s|es|d|ed|ing)?(?:[^[:alnum:]]|$)`)

// definition matches a comment such as "Case is what is decided", which does not say whether
// Case is a type or a function.
var definition = regexp.MustCompile(`^\s*// \w+ (?:is|are) what `)

// wordsAllowed names files in which such a word is data of a test.
var wordsAllowed = []string{"report/fixture_test.go", "report/report_test.go", "test/arch/words_test.go"}

// TestPlainWords searches sources and documents for these words. Decision records and the changelog may keep
// them.
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
			if ext == ".go" && definition.Match(line) {
				t.Errorf("%s:%d: %q; begin with \"holds\", \"returns\" or the noun itself", path, n+1, line)
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
