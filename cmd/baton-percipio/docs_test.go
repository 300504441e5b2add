package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton"
	"baton/connector/percipio"
	sandboxed "baton/sandbox/percipio"
)

// TestDocumentIsTrue holds the tables of the page against the code that they describe.
func TestDocumentIsTrue(t *testing.T) {
	for section, table := range map[string]string{
		"capabilities": capabilityTable(percipio.New(percipio.Config{})),
		"settings":     settingTable(percipio.Settings()),
		"faults":       faultTable(),
	} {
		t.Run(section, func(t *testing.T) {
			path := filepath.Join("..", "..", "docs", "percipio.md")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			begin, end := "<!-- "+section+" -->\n", "<!-- /"+section+" -->"
			i, j := strings.Index(text, begin), strings.Index(text, end)
			if i < 0 || j < i {
				t.Fatalf("%s has no section %s", path, section)
			}
			i += len(begin)
			if *update {
				if err := os.WriteFile(path, []byte(text[:i]+table+text[j:]), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if text[i:j] != table {
				t.Errorf("%s, section %s, differs from the code; run with -update", path, section)
			}
		})
	}
}

// capabilityTable says of each resource type what can be done with it.
func capabilityTable(c *baton.Connector) string {
	s := "| resource | read | change |\n|---|---|---|\n"
	for _, rt := range c.ResourceTypes {
		reads := slices.ContainsFunc(c.Feeds, func(f baton.Feed) bool { return slices.Contains(f.Types, rt.ID) })
		slugs := ""
		if len(rt.Ranks) > 0 {
			slugs = ", with the entitlements `" + strings.Join(rt.Ranks, "`, `") + "`"
		}
		s += fmt.Sprintf("| %s (`%s`)%s | %s | %s |\n", rt.DisplayName, rt.ID, slugs, yes(reads), yes(rt.Provision && c.Provisions()))
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func settingTable(settings []baton.Setting) string {
	s := "| flag | environment | meaning |\n|---|---|---|\n"
	for _, v := range settings {
		env := "BATON_" + strings.ToUpper(strings.ReplaceAll(v.Name, "-", "_"))
		if v.Kind == baton.SecretSetting {
			env += "`, `" + env + "_FILE"
		}
		note := ""
		switch d := v.Default.(type) {
		case []string:
			note = " (" + strings.Join(d, ", ") + ")"
		case nil:
		default:
			note = fmt.Sprintf(" (%v)", d)
		}
		if v.Required {
			note = " (required)"
		}
		s += fmt.Sprintf("| `--%s` | `%s` | %s%s |\n", v.Name, env, v.Description, note)
	}
	return s
}

func faultTable() string {
	s := "| fault | effect |\n|---|---|\n"
	for _, f := range sandboxed.Faults() {
		name := "`" + f.Name + "`"
		if f.Value != "" {
			name = fmt.Sprintf("`%s=%s` (%s)", f.Name, strings.ReplaceAll(f.Value, "|", `\|`), f.Default)
		}
		s += fmt.Sprintf("| %s | %s |\n", name, f.Description)
	}
	return s
}
