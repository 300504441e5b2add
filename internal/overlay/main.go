// Overlay writes a build overlay (go help build, -overlay) that makes the programs smaller.
//
// Templates call methods by name. A linker that sees reflect.Value.MethodByName with a name that it
// does not know keeps every exported method of every type, in all libraries: 5 MB of the console. The
// overlay replaces this one call of text/template by a list of the names that occur in the templates
// of this module, so that the linker keeps methods of these names only. Templates behave the same.
//
//	go run ./internal/overlay "$(go env GOROOT)" FOLDER
//
// writes FOLDER/overlay.json. Where the toolchain's text/template has another form than expected, the
// overlay is empty and the programs are larger.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, `usage: go run ./internal/overlay "$(go env GOROOT)" FOLDER`)
		os.Exit(2)
	}
	if err := write(".", os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "overlay:", err)
		os.Exit(1)
	}
}

// write writes the overlay for the module at root and the toolchain at goroot into a folder.
func write(root, goroot, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	original := filepath.Join(goroot, "src", "text", "template", "exec.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	names, err := templateNames(root)
	if err != nil {
		return err
	}
	replace := map[string]string{}
	if changed, ok := replaceLookup(source, names); ok {
		replace[original] = filepath.Join(dir, "_exec.go") // no file of the package in this folder
		if err := os.WriteFile(replace[original], changed, 0o644); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(os.Stderr, "overlay: %s does not have the expected form; the programs will be larger\n", original)
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "overlay.json"), data, 0o644)
}

// lookup is the call by which text/template finds methods.
const lookup = "if method := ptr.MethodByName(fieldName); method.IsValid() {"

// replaceLookup returns the source of text/template in which methods are looked up by the given names
// only. It reports whether the source has the expected form.
func replaceLookup(source []byte, names []string) ([]byte, bool) {
	if bytes.Count(source, []byte("MethodByName(")) != 1 || bytes.Count(source, []byte(lookup)) != 1 {
		return nil, false
	}
	var b bytes.Buffer
	b.Write(bytes.Replace(source, []byte(lookup), []byte("if method := methodByName(ptr, fieldName); method.IsValid() {"), 1))
	b.WriteString("\nfunc methodByName(v reflect.Value, name string) reflect.Value {\n\tswitch name {\n")
	for _, name := range names {
		fmt.Fprintf(&b, "\tcase %q:\n\t\treturn v.MethodByName(%q)\n", name, name)
	}
	b.WriteString("\t}\n\treturn reflect.Value{}\n}\n")
	return b.Bytes(), true
}
