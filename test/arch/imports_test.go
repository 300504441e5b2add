package arch

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowedImports lists, for each package, the packages of this module that it may import.
// A package without an entry fails the test.
var allowedImports = map[string][]string{
	".":                         {},
	"internal/cgroup":           {},
	"internal/disk":             {"."},
	"internal/disk/disktest":    {"internal/disk"},
	"internal/english":          {},
	"internal/extsort":          {"internal/disk"},
	"internal/intern":           {},
	"internal/jsonscan":         {},
	"internal/longtest":         {},
	"internal/manual":           {},
	"internal/markup":           {},
	"internal/otlp":             {"."},
	"internal/output":           {"."},
	"internal/overlay":          {},
	"internal/scim":             {},
	"internal/settings":         {".", "internal/english"},
	"internal/pause":            {},
	"internal/pb/*":             {"internal/pb/*"},
	"connector/rest":            {".", "internal/jsonscan"},
	"connector/paging":          {".", "internal/intern", "connector/rest"},
	"connector/scim":            {".", "internal/intern", "internal/jsonscan", "internal/pause", "connector/paging", "connector/rest"},
	"connector/perplexity":      {".", "connector/paging", "connector/rest", "connector/scim", "internal/english", "internal/intern", "internal/pause"},
	"connector/percipio":        {".", "connector/paging", "connector/rest", "connector/percipio/api", "internal/english"},
	"connector/percipio/api":    {".", "internal/jsonscan", "connector/paging", "connector/rest"},
	"connector/connectortest":   {".", "agent/syncer", "c1z", "c1z/c1ztest", "c1z/writer", "internal/longtest", "wire"},
	"wire":                      {".", "internal/pb/*"},
	"c1z":                       {".", "c1z/internal/database", "c1z/internal/schema", "c1z/internal/sqlitefile", "internal/disk", "wire"},
	"c1z/c1ztest":               {".", "c1z"},
	"c1z/facts":                 {".", "c1z", "internal/extsort"},
	"c1z/internal/database":     {".", "c1z/internal/schema", "internal/disk"},
	"c1z/internal/fixture":      {".", "c1z", "c1z/writer"},
	"c1z/internal/schema":       {},
	"c1z/writer":                {".", "c1z", "c1z/internal/*", "internal/disk", "internal/extsort", "internal/intern", "wire"},
	"c1z/internal/sqlitefile":   {"internal/extsort"},
	"agent/pagelog":             {".", "internal/disk"},
	"agent/syncer":              {".", "agent/pagelog", "c1z", "c1z/writer", "internal/disk", "internal/english", "internal/intern", "internal/pause", "wire"},
	"agent/service":             {".", "agent/syncer", "connector/rest", "internal/disk", "internal/pause", "wire"},
	"agent/cli":                 {".", "agent/*", "c1z", "c1z/writer", "connector/rest", "internal/cgroup", "internal/disk", "internal/english", "internal/manual", "internal/otlp", "internal/output", "internal/settings", "report", "wire"},
	"report":                    {".", "c1z", "internal/english", "internal/markup"},
	"console":                   {"."},
	"console/approve":           {".", "console", "console/condition", "console/rpc", "console/store", "console/store/rpcstore"},
	"console/automate":          {".", "console", "console/approve", "console/condition", "console/rpc", "console/store", "console/store/rpcstore"},
	"console/condition":         {".", "console"},
	"console/api":               {".", "console", "console/approve", "console/govern", "console/review", "console/rpc", "console/store", "console/telemetry", "wire"},
	"console/login":             {"."},
	"console/login/logintest":   {"."},
	"console/oidc":              {".", "connector/rest"},
	"console/oidc/oidctest":     {},
	"console/govern":            {".", "connector/rest", "console", "console/approve", "console/automate", "console/condition", "console/directory", "console/evidence", "console/login", "console/mail", "console/match", "console/oidc", "console/plan", "console/review", "console/rpc", "console/schedule", "console/siem", "console/store", "console/store/rpcstore", "console/telemetry", "console/webhook", "internal/settings"},
	"console/hosted":            {".", "agent/service", "connector/rest", "console", "console/govern", "console/rpc", "console/store"},
	"console/web":               {".", "console", "console/directory", "console/govern", "console/login", "console/oidc", "console/review", "console/rpc", "console/schedule", "console/store", "console/telemetry"},
	"console/mail":              {".", "console", "internal/output"},
	"console/siem":              {".", "connector/rest", "console"},
	"console/webhook":           {".", "connector/rest", "console", "internal/output"},
	"console/mail/mailtest":     {".", "console"},
	"console/notify":            {".", "console", "internal/english", "internal/output"},
	"console/c1z3":              {".", "c1z", "wire"},
	"console/syncfile":          {".", "c1z", "c1z/facts", "console/c1z3"},
	"console/ingest":            {".", "c1z", "c1z/facts", "console", "console/store", "console/syncfile", "internal/intern"},
	"console/govern/governtest": {".", "console", "console/govern", "console/ingest/ingesttest", "console/rpc", "console/store", "console/store/postgres", "console/store/postgres/pgtest", "console/store/rpcstore", "console/store/sqlite"},
	"console/ingest/ingesttest": {".", "c1z/writer", "console", "console/ingest", "console/store"},
	"console/cli":               {".", "c1z", "c1z/facts", "console", "console/config", "console/directory", "console/evidence", "console/govern", "console/ingest", "console/installation", "console/login", "console/server", "console/store", "console/telemetry", "console/store/rpcstore", "console/syncfile", "console/web", "console/worker", "internal/cgroup", "internal/disk", "internal/english", "internal/manual", "internal/otlp", "internal/output", "internal/settings", "wire"},
	"console/config":            {".", "console", "console/govern", "console/login", "console/mail", "console/schedule", "console/store", "internal/english"},
	"console/installation":      {".", "console", "console/store", "console/store/postgres", "console/store/sqlite", "internal/disk"},
	"console/server":            {".", "console", "console/api", "console/config", "console/govern", "console/hosted", "console/ingest", "console/installation", "console/login", "console/mail", "console/rpc", "console/scim", "console/siem", "console/store", "console/telemetry", "console/store/rpcstore", "console/webhook", "console/web", "console/worker", "internal/disk"},
	"console/directory":         {".", "console", "console/store", "internal/english"},
	"console/plan":              {".", "console", "console/approve", "console/store"},
	"console/findings":          {".", "console", "console/rpc", "console/store", "console/store/rpcstore"},
	"console/match":             {".", "console", "console/store"},
	"console/worker":            {".", "console", "console/approve", "console/automate", "console/config", "console/directory", "console/findings", "console/ingest", "console/mail", "console/match", "console/notify", "console/plan", "console/review", "console/rpc", "console/schedule", "console/siem", "console/store", "console/store/rpcstore", "console/telemetry", "console/webhook"},
	"console/scim":              {".", "console", "console/directory", "console/govern", "console/store", "console/telemetry", "internal/scim"},
	"console/telemetry":         {".", "internal/otlp"},
	"console/schedule":          {".", "console", "internal/english"},
	"console/rpc":               {".", "internal/pb/*", "wire"},
	"console/review":            {".", "console", "console/evidence", "console/store", "console/store/rpcstore"},
	"console/rpc/rpctest":       {".", "console/rpc", "internal/disk", "internal/pause", "internal/pb/*"},
	"sandbox/fault":             {},
	"sandbox/perplexity":        {".", "internal/scim", "sandbox/fault"},
	"sandbox/percipio":          {".", "sandbox/fault"},
	"cmd/baton-console":         {"connector/*", "console/cli", "console/govern", "sandbox/*"},
	"cmd/*":                     {".", "agent/cli", "connector/*", "sandbox/*"},
	"test/arch":                 {},
	"test/bench":                {"console/rpc/rpctest", "test/bench/*"},
	"test/bench/*":              {},
	"test/clitest":              {"agent/cli", "c1z/c1ztest", "internal/longtest"},
	"test/crash":                {},
	"test/field":                {},
	"test/image":                {},
	"test/programs":             {"internal/disk"},
	"test/script":               {},
	"test/storm":                {".", "agent/syncer", "c1z/c1ztest", "c1z/writer", "connector/*", "sandbox/*"},
	"docs":                      {},
	"proto":                     {},

	"console/store":                 {".", "console", "console/schedule", "console/store/internal/*", "console/telemetry"},
	"console/store/internal/*":      {"."},
	"console/store/postgres":        {".", "console/store", "console/store/internal/*"},
	"console/store/postgres/pgtest": {"."},
	"console/store/rpcstore":        {".", "console", "console/condition", "console/rpc", "console/store", "console/store/internal/*"}, // conditions fill the fields of new accounts
	"console/store/sqlite":          {".", "console/store", "console/store/internal/*"},
	"console/evidence":              {".", "console"},
	"console/evidence/evidencetest": {"console", "console/evidence"},
	"console/store/storetest":       {".", "console", "console/store", "console/store/internal/*", "console/telemetry", "internal/longtest", "internal/otlp"},
}

// TestImports compares the imports of all packages, tests excluded, with allowedImports.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	packages := 0
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
		packages++
		from := packagePath(pkg.ImportPath)
		allowed, ok := lookUp(from)
		if !ok {
			t.Errorf("%s is not in allowedImports", from)
			continue
		}
		for _, imp := range pkg.Imports {
			if imp != "baton" && !strings.HasPrefix(imp, "baton/") {
				continue
			}
			if to := packagePath(imp); !slices.ContainsFunc(allowed, func(p string) bool { return matches(p, to) }) {
				t.Errorf("%s must not import %s", from, to)
			}
		}
	}
	if packages < 10 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

// TestNestedModules: modules in subfolders import nothing from this module. They get facts about the
// connectors from the binaries.
func TestNestedModules(t *testing.T) {
	found, err := filepath.Glob("*/go.mod")
	deeper, _ := filepath.Glob("*/*/go.mod")
	found = append(found, deeper...)
	if err != nil || !slices.Equal(found, []string{"deploy/go.mod", "release/go.mod", "test/browser/go.mod"}) {
		t.Errorf("modules %q (%v); give a new one its line here and in CONTRIBUTING.md", found, err)
	}
	for _, mod := range found {
		text, err := os.ReadFile(mod)
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		own := strings.TrimPrefix(line, "module ") + "/" // its other packages
		files, err := filepath.Glob(filepath.Join(filepath.Dir(mod), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files beside %s (%v)", mod, err)
		}
		below, _ := filepath.Glob(filepath.Join(filepath.Dir(mod), "*", "*.go"))
		for _, file := range append(files, below...) {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, imp := range parsed.Imports {
				if path := strings.Trim(imp.Path.Value, `"`); (path == "baton" || strings.HasPrefix(path, "baton/")) && !strings.HasPrefix(path, own) {
					t.Errorf("%s must not import %s", file, path)
				}
			}
		}
	}
}

func packagePath(importPath string) string {
	if importPath == "baton" {
		return "."
	}
	return strings.TrimPrefix(importPath, "baton/")
}

func lookUp(from string) ([]string, bool) {
	if allowed, ok := allowedImports[from]; ok {
		return allowed, true
	}
	for pattern, allowed := range allowedImports {
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
