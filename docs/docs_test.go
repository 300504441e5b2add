// Package docs holds the documents, and the tests that keep their tables correct.
package docs

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"baton"
	"baton/agent/cli"
	"baton/connector/percipio"
	"baton/connector/perplexity"
	"baton/report"
	"baton/sandbox/fault"
	percipiosandbox "baton/sandbox/percipio"
	perplexitysandbox "baton/sandbox/perplexity"
	"baton/test/bench/figures"
)

var update = flag.Bool("update", false, "write the tables anew")

// TestDocumentsAreTrue compares the tables of the documents with the code that they describe.
func TestDocumentsAreTrue(t *testing.T) {
	for _, tt := range []struct{ file, section, table string }{
		{"sandbox.md", "perplexity-faults", faultTable(perplexitysandbox.Faults())},
		{"sandbox.md", "percipio-faults", faultTable(percipiosandbox.Faults())},
		{"commandline.md", "exit-codes", exitCodeTable()},
		{"operate.md", "settings", settingTables(shared(false))},
		{"operate.md", "sizing", sizingTable(t)},
		{"../README.md", "headline", headlineTable(t)},
		{"compatibility.md", "without-effect", reasonTable(func(r cli.Reference) string { return r.Ignored })},
		{"compatibility.md", "refused", reasonTable(func(r cli.Reference) string { return r.Refused })},
		{"perplexity.md", "settings", settingTable(ownSettings(perplexity.Settings()))},
		{"perplexity.md", "capabilities", capabilityTable(perplexity.New(perplexity.Config{}))},
		{"perplexity.md", "account", accountTable(perplexity.New(perplexity.Config{}).Account)},
		{"report.md", "tables", reportTable()},
		{"perplexity.md", "actions", actionTable(perplexity.New(perplexity.Config{}).Actions)},
		{"percipio.md", "settings", settingTable(ownSettings(percipio.Settings()))},
		{"percipio.md", "capabilities", capabilityTable(percipio.New(percipio.Config{}))},
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

// headlineTable returns the figures of performance.md that the README shows.
func headlineTable(t *testing.T) string {
	t.Helper()
	record, err := figures.Load("performance.json")
	if err != nil {
		t.Fatal(err)
	}
	return record.Headline()
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

func reportTable() string {
	s := "| table | rows | columns |\n|---|---|---|\n"
	for _, t := range report.Tables() {
		s += fmt.Sprintf("| `%s` | %s | `%s` |\n", t.Name, t.Description, strings.Join(t.Columns, "`, `"))
	}
	return s
}

func exitCodeTable() string {
	s := "| code | kind | meaning |\n|---|---|---|\n| 0 | | done, or nothing had to be done |\n"
	for _, r := range cli.ExitCodes() {
		s += fmt.Sprintf("| %d | %s | %s |\n", r.Code, r.Kind, r.Meaning)
	}
	return s
}

// shared returns the settings of the runtime, which are the same for every connector.
func shared(withoutEffect bool) []cli.Reference {
	return slices.DeleteFunc(cli.References(cli.Program{}), func(r cli.Reference) bool {
		return (r.Ignored != "" || r.Refused != "") != withoutEffect
	})
}

// ownSettings returns the settings of a connector.
func ownSettings(settings []baton.Setting) []cli.Reference {
	refs := cli.References(cli.Program{Settings: settings})
	return slices.DeleteFunc(refs, func(r cli.Reference) bool {
		return !slices.ContainsFunc(settings, func(s baton.Setting) bool { return s.Name == r.Flag })
	})
}

// settingTables formats the settings under the headings of the help.
func settingTables(refs []cli.Reference) (s string) {
	for len(refs) > 0 {
		n := slices.IndexFunc(refs, func(r cli.Reference) bool { return r.Area != refs[0].Area })
		if n < 0 {
			n = len(refs)
		}
		s += "### " + refs[0].Area + "\n\n" + settingTable(refs[:n]) + "\n"
		refs = refs[n:]
	}
	return strings.TrimSuffix(s, "\n")
}

func settingTable(refs []cli.Reference) string {
	s := "| flag | environment | default | meaning |\n|---|---|---|---|\n"
	for _, r := range refs {
		flag := "`--" + r.Flag + "`"
		if r.Short != "" {
			flag = "`-" + r.Short + "`, " + flag
		}
		def := r.Default
		switch {
		case r.Required:
			def = "required"
		case def == "" && r.Kind == "":
			def = "false"
		}
		s += fmt.Sprintf("| %s | `%s` | %s | %s |\n", flag, strings.Join(r.Environment, "`, `"), def, r.Description)
	}
	return s
}

// reasonTable lists settings without effect here, by reason.
func reasonTable(reason func(cli.Reference) string) string {
	s := "| setting | why |\n|---|---|\n"
	var reasons []string
	flags := map[string][]string{}
	for _, r := range shared(true) {
		why := reason(r)
		if why == "" {
			continue
		}
		if flags[why] == nil {
			reasons = append(reasons, why)
		}
		flags[why] = append(flags[why], "`--"+r.Flag+"`")
	}
	for _, why := range reasons {
		s += fmt.Sprintf("| %s | %s |\n", strings.Join(flags[why], ", "), why)
	}
	return s
}

// capabilityTable lists the operations on each resource type.
func capabilityTable(c *baton.Connector) string {
	s := "| resource | read | change |\n|---|---|---|\n"
	for _, rt := range c.ResourceTypes {
		reads := slices.ContainsFunc(c.Feeds, func(f baton.Feed) bool { return slices.Contains(f.Types, rt.ID) })
		slugs := ""
		if len(rt.Ranks) > 0 {
			slugs = ", with the entitlements `" + strings.Join(rt.Ranks, "`, `") + "`"
		}
		var changes []string
		if !rt.NoEntitlements && c.Grant != nil {
			changes = append(changes, "grant")
		}
		if !rt.NoEntitlements && c.Revoke != nil {
			changes = append(changes, "revoke")
		}
		if c.Account != nil && c.Account.ResourceType == rt.ID {
			changes = append(changes, "create")
		}
		if len(changes) == 0 {
			changes = []string{"no"}
		}
		s += fmt.Sprintf("| %s (`%s`)%s | %s | %s |\n", rt.DisplayName, rt.ID, slugs, map[bool]string{true: "yes", false: "no"}[reads], strings.Join(changes, ", "))
	}
	return s
}

func accountTable(a *baton.AccountCreation) string {
	s := "| field | required | meaning |\n|---|---|---|\n"
	for _, f := range a.Fields {
		s += fmt.Sprintf("| `%s` | %s | %s |\n", f.Name, map[bool]string{true: "yes", false: "no"}[f.Required], f.Description)
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
