package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"baton/agent/cli"
	"baton/connector/percipio"
	"baton/connector/perplexity"
)

// TestHabitsAreKept: every setting of the official connectors exists here under the same name with the same
// kind of value, or a document explains why it has no effect.
func TestHabitsAreKept(t *testing.T) {
	official, err := os.ReadFile("testdata/official-settings.txt")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	refs := cli.References(cli.Program{Settings: slices.Concat(perplexity.Settings(), percipio.Settings())})
	kinds := map[string]string{"string": "text", "int": "number", "strings": "list", "bool": ""}
	seen := 0
	for line := range strings.Lines(string(official)) {
		name, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" || name == "#" {
			continue
		}
		seen++
		if strings.HasPrefix(name, "BATON_") {
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("compatibility.md does not say what becomes of %s", name)
			}
			continue
		}
		i := slices.IndexFunc(refs, func(r cli.Reference) bool { return r.Flag == name })
		if i < 0 {
			t.Errorf("there is no --%s", name)
			continue
		}
		ref := refs[i]
		if env := "BATON_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")); !slices.Contains(ref.Environment, env) {
			t.Errorf("--%s is not %s", name, env)
		}
		if want, ok := kinds[kind]; !ok || ref.Kind != want && !(want == "text" && ref.Kind == "secret") {
			t.Errorf("--%s takes a %q and not a %s", name, ref.Kind, kind)
		}
		if (ref.Ignored != "" || ref.Refused != "") && !strings.Contains(string(page), "`--"+name+"`") {
			t.Errorf("compatibility.md does not say that --%s is not supported", name)
		}
	}
	if seen < 80 {
		t.Errorf("only %d names were compared", seen)
	}
}

// TestTroubleIsReal: every error in the table of troubles is one that the program can print.
func TestTroubleIsReal(t *testing.T) {
	page, err := os.ReadFile("operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(page), "<!-- errors -->\n")
	rows, _, ok := strings.Cut(rows, "<!-- /errors -->")
	if !ok {
		t.Fatal("operate.md has no table of errors")
	}
	code := source(t)
	n := 0
	for line := range strings.Lines(rows) {
		text, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if strings.HasPrefix(text, "---") || text == "message" || strings.HasPrefix(line, "|-") {
			continue
		}
		n++
		if !strings.Contains(code, text) {
			t.Errorf("nothing says %q", text)
		}
	}
	if n < 10 {
		t.Errorf("only %d errors were looked for", n)
	}
}

// source returns the program's source code, without its tests.
func source(t *testing.T) string {
	var all strings.Builder
	goFile := regexp.MustCompile(`\.go$`)
	for _, dir := range []string{"../connector/rest", "../connector/paging", "../connector/scim", "../connector/perplexity", "../connector/percipio", "../connector/percipio/api",
		"../c1z", "../agent/pagelog", "../agent/syncer", "../agent/service", "../agent/cli", "../internal/settings"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if goFile.MatchString(e.Name()) && !strings.HasSuffix(e.Name(), "_test.go") {
				b, err := os.ReadFile(dir + "/" + e.Name())
				if err != nil {
					t.Fatal(err)
				}
				all.Write(b)
			}
		}
	}
	return all.String()
}
