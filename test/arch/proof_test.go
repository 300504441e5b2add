package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// proofFiles lists the files that may state that an upstream object does not exist. All others ask them, see
// connector/scim/proof.go.
var proofFiles = []string{"connector/scim/proof.go", "connector/perplexity/proof.go"}

// notShown lists the functions that may check for a 404, with the reason. None of them treats it as proof.
var notShown = map[string]string{
	"connector/scim/scim.go filterRejected":       "the whole list is read then",
	"connector/perplexity/guard.go adminsBeside":  "the list decides then",
	"connector/perplexity/roster.go showsMembers": "another group is asked then",
	"connector/perplexity/account.go confirm":     "a new account is looked at again, and then looked for in the list",
	"connector/perplexity/change.go ambiguous":    "a write that was answered so was not carried out; the re-read decides",
}

// TestOneProofOfAbsence: no call site takes a 404 for proof that something is gone.
func TestOneProofOfAbsence(t *testing.T) {
	files, err := filepath.Glob("connector/perplexity/*.go")
	more, err2 := filepath.Glob("connector/scim/*.go")
	if err != nil || err2 != nil || len(files) == 0 || len(more) == 0 {
		t.Fatal("there are no files", err, err2)
	}
	met := map[string]bool{}
	for _, file := range append(files, more...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range claims(file, parsed, met) {
			t.Error(wrong)
		}
	}
	for where := range notShown {
		if !met[where] {
			t.Errorf("%s does not ask any more: take it off the list", where)
		}
	}
}

// claims returns the claims of absence in a file that is not one of proofFiles.
func claims(file string, parsed *ast.File, met map[string]bool) (wrong []string) {
	if slices.Contains(proofFiles, file) {
		return nil
	}
	for _, decl := range parsed.Decls {
		name := ""
		if f, ok := decl.(*ast.FuncDecl); ok {
			name = f.Name.Name
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				switch n.Sel.Name {
				case "NotFound", "StatusNotFound", "StatusGone":
					wrong = append(wrong, file+" "+name+" uses "+n.Sel.Name+"; ask scim.LookUpUser or scim.LookUpGroup")
				}
			case *ast.Ident:
				if n.Name == "ErrNotShown" {
					where := file + " " + name
					if met[where] = true; notShown[where] == "" {
						wrong = append(wrong, where+" uses ErrNotShown; a 404 proves nothing: ask scim.LookUpUser or scim.LookUpGroup")
					}
				}
			case *ast.BasicLit:
				if n.Value == "404" || n.Value == "410" {
					wrong = append(wrong, file+" "+name+" has the status "+n.Value)
				}
			}
			return true
		})
	}
	return wrong
}

// TestClaimsAreFound: the test detects such claims.
func TestClaimsAreFound(t *testing.T) {
	for source, want := range map[string]int{
		"package p\nfunc f(err error) bool { return baton.KindOf(err) == baton.NotFound }":                1,
		"package p\nfunc f(s int) bool { return s == http.StatusNotFound || s == http.StatusGone }":       2,
		"package p\nfunc f(s int) bool { return s == 404 }":                                               1,
		"package p\nfunc f(err error) bool { return errors.Is(err, scim.ErrNotShown) }":                   1,
		"package p\nfunc f(err error) bool { return baton.KindOf(err) == baton.Refused && len(s) == 40 }": 0,
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := claims("connector/perplexity/p.go", parsed, map[string]bool{}); len(got) != want {
			t.Errorf("%s: %q, want %d", source, got, want)
		}
	}
}
