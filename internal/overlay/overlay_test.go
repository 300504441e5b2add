package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton/internal/longtest"
)

// goroot returns the folder of the toolchain that runs the test.
func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestToolchain: text/template of this toolchain has the expected form.
func TestToolchain(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(goroot(t), "src", "text", "template", "exec.go"))
	if err != nil {
		t.Fatal(err)
	}
	changed, ok := replaceLookup(source, []string{"Name"})
	if !ok || !strings.Contains(string(changed), `case "Name":`) || strings.Contains(string(changed), "MethodByName(fieldName)") {
		t.Error("text/template looks methods up in another way now; change lookup to it, or make build is 5 MB larger")
	}
}

// TestNames: names come from files and strings, from every action, and from no test.
func TestNames(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                  "module x",
		"a/templates/page.html":   "{{range .Rows}}{{.Name | lower}} {{$.Title \"x\"}}{{end}} .NotInside {{.lower}}\n{{with\n.Multi}}{{end}}",
		"a/mail.txt":              "{{.Text}}",
		"a/a.go":                  "package a\nconst s = `{{.Raw}}` + \"{{(.Quoted).Chain\" + `.Outside`",
		"a/a_test.go":             "package a\nconst x = `{{.InTest}}`",
		"a/testdata/x.html":       "{{.InTestdata}}",
		"bin/x.html":              "{{.InBin}}",
		"nested/go.mod":           "module y",
		"nested/templates/x.html": "{{.InNested}}",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := templateNames(root)
	if want := []string{"Chain", "Multi", "Name", "Quoted", "Raw", "Rows", "Text", "Title"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q (%v), not %q", got, err, want)
	}
	if _, err := templateNames(t.TempDir()); err == nil {
		t.Error("a folder without templates is accepted")
	}
}

// TestProgram: in a program that is built with the overlay, templates call the methods that they name, and the
// linker drops the others.
func TestProgram(t *testing.T) {
	longtest.Only(t)
	root, out := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module x\n\ngo 1.26\n",
		"main.go": `package main

import (
	"os"
	"text/template"
)

type thing struct{ Field string }

func (thing) Named(s string) string { return "called " + s }
func (*thing) Unnamed() string { return "kept" }

func main() {
	t := template.Must(template.New("").Parse("{{.Field}} {{.Named \"it\"}}\n"))
	if err := t.Execute(os.Stdout, &thing{"a field,"}); err != nil {
		panic(err)
	}
}
`} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(root, goroot(t), out); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(out, "program.exe")
	build := exec.Command("go", "build", "-overlay", filepath.Join(out, "overlay.json"), "-o", program, ".")
	build.Dir = root
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if text, err := exec.Command(program).CombinedOutput(); err != nil || string(text) != "a field, called it\n" {
		t.Errorf("%q (%v)", text, err)
	}
	symbols, err := exec.Command("go", "tool", "nm", program).Output()
	if err != nil || !strings.Contains(string(symbols), "thing).Named") || strings.Contains(string(symbols), "thing).Unnamed") {
		t.Errorf("the linker did not keep Named and drop Unnamed (%v)", err)
	}
}
