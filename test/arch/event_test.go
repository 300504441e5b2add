package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"baton/console"
)

// TestEventKinds compares the list of kinds of events, of which people choose for webhooks, with the
// kinds that the sources append.
func TestEventKinds(t *testing.T) {
	listed := map[string]bool{}
	for _, n := range console.EventNouns {
		for _, k := range n.Kinds {
			if listed[n.Name(k)] || k.Words == "" {
				t.Errorf("%s is listed twice, or has no words", n.Name(k))
			}
			listed[n.Name(k)] = true
		}
	}
	kind := regexp.MustCompile(`^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$`)
	texts, appended, prefixes := map[string]bool{}, map[string]string{}, map[string]string{}
	literal := func(e ast.Expr) string {
		l, ok := e.(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return ""
		}
		s, _ := strconv.Unquote(l.Value)
		return s
	}
	add := func(path string, e ast.Expr) {
		if s := literal(e); kind.MatchString(s) {
			appended[s] = path
		}
		if sum, ok := e.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
			if noun, ok := strings.CutSuffix(literal(sum.X), "."); ok {
				prefixes[noun] = path
			}
		}
	}
	err := filepath.WalkDir("console", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "storetest" {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || d.Name() == "event_kind.go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				texts[literal(n)] = true
			case *ast.CompositeLit:
				name := ""
				switch typ := n.Type.(type) {
				case *ast.Ident:
					name = typ.Name
				case *ast.SelectorExpr:
					name = typ.Sel.Name
				}
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok && name == "Event" {
						if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Kind" {
							add(path, kv.Value)
						}
					}
				}
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok {
					break
				}
				for _, a := range n.Args {
					if strings.HasSuffix(sel.Sel.Name, "Event") {
						add(path, a)
					}
					if s := literal(a); s != "" && slices.Contains([]string{"ChangeRequest", "NoteRequest", "requestEvent"}, sel.Sel.Name) {
						appended["request."+s] = path
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for k, path := range appended {
		if !listed[k] {
			t.Errorf("%s appends the event %s, which console.EventNouns does not list: add it, with words, so that people can choose it for webhooks", path, k)
		}
	}
	nouns := map[string]bool{}
	for _, n := range console.EventNouns {
		nouns[n.Noun] = true
		for _, k := range n.Kinds {
			if !texts[n.Name(k)] && (prefixes[n.Noun] == "" || !texts[k.Verb]) {
				t.Errorf("console.EventNouns lists %s, which nothing appends", n.Name(k))
			}
		}
	}
	for noun, path := range prefixes {
		if !nouns[noun] {
			t.Errorf("%s appends events of %s, which console.EventNouns does not list", path, noun)
		}
	}
	if len(appended) < 80 {
		t.Errorf("only %d kinds were found", len(appended))
	}
}
