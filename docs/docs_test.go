// Package docs holds the documents, and the test that keeps their tables true.
package docs

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"baton"
	"baton/connector/percipio"
	"baton/connector/perplexity"
	"baton/runner"
	"baton/sandbox/fault"
	percipiosandbox "baton/sandbox/percipio"
	perplexitysandbox "baton/sandbox/perplexity"
)

var update = flag.Bool("update", false, "write the tables anew")

// TestDocumentsAreTrue holds the tables of the documents against the code that they
// describe.
func TestDocumentsAreTrue(t *testing.T) {
	for _, tt := range []struct{ file, section, table string }{
		{"sandbox.md", "perplexity-faults", faultTable(perplexitysandbox.Faults())},
		{"sandbox.md", "percipio-faults", faultTable(percipiosandbox.Faults())},
		{"commandline.md", "exit-codes", exitCodeTable()},
		{"commandline.md", "perplexity-settings", settingTable(perplexity.Settings())},
		{"commandline.md", "percipio-settings", settingTable(percipio.Settings())},
		{"perplexity.md", "actions", actionTable(perplexity.New(perplexity.Config{}).Actions)},
	} {
		t.Run(tt.file+" "+tt.section, func(t *testing.T) {
			b, err := os.ReadFile(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			begin, end := "<!-- "+tt.section+" -->\n", "<!-- /"+tt.section+" -->"
			i, j := strings.Index(text, begin), strings.Index(text, end)
			if i < 0 || j < i {
				t.Fatalf("%s has no section %s", tt.file, tt.section)
			}
			i += len(begin)
			if *update {
				if err := os.WriteFile(tt.file, []byte(text[:i]+tt.table+text[j:]), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if text[i:j] != tt.table {
				t.Errorf("%s, section %s, differs from the code; run with -update", tt.file, tt.section)
			}
		})
	}
}

func faultTable(faults []fault.Fault) string {
	s := "| fault | effect |\n|---|---|\n"
	for _, f := range faults {
		name := "`" + f.Name + "`"
		if f.Value != "" {
			name = fmt.Sprintf("`%s=%s` (%s)", f.Name, f.Value, f.Default)
		}
		s += fmt.Sprintf("| %s | %s |\n", name, f.Description)
	}
	return s
}

func exitCodeTable() string {
	s := "| code | kind | meaning |\n|---|---|---|\n| 0 | | done, or nothing had to be done |\n"
	for _, r := range runner.ExitCodes() {
		s += fmt.Sprintf("| %d | %s | %s |\n", r.Code, r.Kind, r.Meaning)
	}
	return s
}

func settingTable(settings []baton.Setting) string {
	s := "| flag | environment | meaning |\n|---|---|---|\n"
	for _, v := range settings {
		env := "BATON_" + strings.ToUpper(strings.ReplaceAll(v.Name, "-", "_"))
		if v.Kind == baton.SecretSetting {
			env += "`, `" + env + "_FILE"
		}
		needed := ""
		if v.Required {
			needed = " (required)"
		}
		s += fmt.Sprintf("| `--%s` | `%s` | %s%s |\n", v.Name, env, v.Description, needed)
	}
	return s
}

func actionTable(actions []baton.Action) string {
	s := "| action | arguments | description |\n|---|---|---|\n"
	for _, a := range actions {
		var args []string
		for _, f := range a.Arguments {
			needed := ""
			if f.Required {
				needed = ", required"
			}
			args = append(args, fmt.Sprintf("`%s` (%s%s)", f.Name, f.Kind, needed))
		}
		s += fmt.Sprintf("| `%s` | %s | %s |\n", a.Name, strings.Join(args, ", "), a.Description)
	}
	return s
}
