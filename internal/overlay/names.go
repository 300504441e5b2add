package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	action = regexp.MustCompile(`(?s)\{\{.*?(?:\}\}|$)`)
	field  = regexp.MustCompile(`\.(\p{Lu}\w*)`)
)

// templateNames returns every exported name that the templates below root use as a field or method,
// sorted. Templates are files named *.html and *.txt, and strings in Go files other than tests.
func templateNames(root string) ([]string, error) {
	names := map[string]bool{}
	collect := func(text string) {
		for _, a := range action.FindAllString(text, -1) {
			for _, m := range field.FindAllStringSubmatch(a, -1) {
				names[m[1]] = true
			}
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(root, path)
		case strings.HasSuffix(path, ".html"), strings.HasSuffix(path, ".txt"):
			text, err := os.ReadFile(path)
			collect(string(text))
			return err
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			return eachString(path, collect)
		}
		return nil
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("no templates below %s; run this in the folder of go.mod", root)
	}
	return slices.Sorted(maps.Keys(names)), err
}

// enter skips folders that hold no code of the programs: build results, test data, nested modules.
func enter(root, path string) error {
	name := filepath.Base(path)
	if path == root {
		return nil
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || name == "testdata" || name == "bin" || name == "dist" || strings.HasPrefix(name, ".") {
		return fs.SkipDir
	}
	return nil
}

// eachString calls f with every string literal of a Go file that holds an action of a template.
func eachString(path string, f func(string)) error {
	source, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(source), "{{") {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				f(text)
			}
		}
		return true
	})
	return nil
}
