package baton_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows says, for each room, which rooms of this module it may import. A room that
// is missing here fails the test: give it its place first.
var arrows = map[string][]string{
	".":                      {},
	"jsonscan":               {},
	"rest":                   {".", "jsonscan"},
	"scim":                   {".", "jsonscan", "rest"},
	"connector/perplexity":   {".", "rest", "scim"},
	"connector/percipio":     {".", "rest", "connector/percipio/api"},
	"connector/percipio/api": {".", "jsonscan", "rest"},
	"disk":                   {"."},
	"disk/disktest":          {"disk"},
	"pagelog":                {".", "disk"},
	"docs":                   {},
	"proto":                  {},
	"internal/pb/*":          {"internal/pb/*"},
	"wire":                   {".", "internal/pb/*"},
	"symbols":                {},
	"c1z":                    {".", "disk", "extsort", "sqlitefile", "symbols", "wire", "zblock"},
	"syncer":                 {".", "c1z", "disk", "pagelog", "symbols"},
	"report":                 {".", "c1z", "markup"},
	"markup":                 {},
	"otlp":                   {"."},
	"service":                {".", "disk", "rest", "syncer", "wire"},
	"runner":                 {".", "disk", "otlp", "report", "rest", "service", "syncer", "c1z", "wire"},
	"controlplane":           {".", "wire", "internal/pb/*"},
	"extsort":                {"disk"},
	"sqlitefile":             {"extsort"},
	"zblock":                 {},
	"sandbox/fault":          {},
	"sandbox/perplexity":     {".", "sandbox/fault"},
	"sandbox/percipio":       {".", "sandbox/fault"},
	"connectortest":          {".", "syncer", "c1z", "wire"},
	"bench":                  {"bench/*", "controlplane"},
	"bench/*":                {},
	"reliability/storm":      {".", "rest", "syncer", "c1z", "connector/*", "sandbox/*"},
	"reliability/crash":      {},
	"reliability/image":      {},
	"cmd/*":                  {".", "rest", "runner", "connector/*", "sandbox/*"},
}

// TestArrowsPointDown holds the imports of all packages, not of their tests, against
// the table.
func TestArrowsPointDown(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	rooms := 0
	for {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		rooms++
		from := room(pkg.ImportPath)
		allowed, ok := lookUp(from)
		if !ok {
			t.Errorf("%s has no place in the table of arrows", from)
			continue
		}
		for _, imp := range pkg.Imports {
			if imp != "baton" && !strings.HasPrefix(imp, "baton/") {
				continue
			}
			if to := room(imp); !slices.ContainsFunc(allowed, func(p string) bool { return matches(p, to) }) {
				t.Errorf("%s must not import %s", from, to)
			}
		}
	}
	if rooms < 10 {
		t.Errorf("only %d packages were looked at", rooms)
	}
}

// TestNestedModules holds the rooms that are modules of their own to importing nothing
// from here: what they need of the connectors they ask the binaries.
func TestNestedModules(t *testing.T) {
	found, err := filepath.Glob("*/go.mod")
	if err != nil || !slices.Equal(found, []string{"deploy/go.mod", "release/go.mod"}) {
		t.Errorf("modules %q (%v); give a new one its line here and in CONTRIBUTING.md", found, err)
	}
	for _, mod := range found {
		files, err := filepath.Glob(filepath.Join(filepath.Dir(mod), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files beside %s (%v)", mod, err)
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, imp := range parsed.Imports {
				if path := strings.Trim(imp.Path.Value, `"`); path == "baton" || strings.HasPrefix(path, "baton/") {
					t.Errorf("%s must not import %s", file, path)
				}
			}
		}
	}
}

func room(importPath string) string {
	if importPath == "baton" {
		return "."
	}
	return strings.TrimPrefix(importPath, "baton/")
}

func lookUp(from string) ([]string, bool) {
	if allowed, ok := arrows[from]; ok {
		return allowed, true
	}
	for pattern, allowed := range arrows {
		if matches(pattern, from) {
			return allowed, true
		}
	}
	return nil, false
}

func matches(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(name, prefix+"/")
	}
	ok, _ := path.Match(pattern, name)
	return ok
}
