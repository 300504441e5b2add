package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dialers lists the files that may create something that opens connections, with the reason. docs/security.md
// has the list of hosts.
var dialers = map[string]string{
	"connector/rest/transport.go": "the upstream, by the one origin that is configured",
	"connector/rest/options.go":   "the dialer of connector/rest/transport.go, which may refuse addresses",
	"agent/service/link.go":       "ConductorOne, and its token endpoint on the same host",
	"agent/service/token.go":      "the token endpoint, over the transport of agent/service/link.go",
	"internal/otlp/otlp.go":       "the collector, over the transport that it is handed",
	"agent/cli/telemetry.go":      "the collector, when one is configured",
	"agent/cli/health.go":         "the probe of health-check, on this machine",
}

// wayOut lists the names that open connections, by package.
var wayOut = map[string][]string{
	"net": {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer", "Resolver", "LookupHost", "LookupIP", "LookupAddr", "LookupTXT",
		"LookupSRV", "LookupMX", "LookupNS", "LookupCNAME", "ListenPacket", "ListenUDP"},
	"net/http":               {"Get", "Head", "Post", "PostForm", "Client", "DefaultClient", "Transport", "DefaultTransport"},
	"crypto/tls":             {"Dial", "DialWithDialer", "Dialer"},
	"google.golang.org/grpc": {"Dial", "DialContext", "NewClient"},
	"net/smtp":               nil,
	"net/rpc":                nil,
	"os/exec":                nil,
	"syscall":                {"Connect", "Socket"},
	"golang.org/x/sys/unix":  {"Connect", "Socket"},
}

// TestWhoMayDial compares everything in a connector with the list.
func TestWhoMayDial(t *testing.T) {
	used := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			// These packages are not in a connector, or only connect to this machine.
			if slices.Contains([]string{"sandbox", "console", "connector/connectortest", "test", "deploy", "release", "proto", "docs", "testdata", ".git"}, path) || d.Name() == "disktest" || strings.HasPrefix(d.Name(), ".") && path != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		path = filepath.ToSlash(path)
		for _, what := range waysOut(t, path) {
			if dialers[path] == "" {
				t.Errorf("%s uses %s; this test and docs/security.md list the files that may open connections", path, what)
			}
			used[path] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range dialers {
		if !used[path] {
			t.Errorf("%s no longer opens connections", path)
		}
	}
}

func waysOut(t *testing.T, path string) (found []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{}
	for _, imp := range file.Imports {
		pkg := strings.Trim(imp.Path.Value, `"`)
		banned, ok := wayOut[pkg]
		if !ok {
			continue
		}
		if banned == nil || imp.Name != nil && (imp.Name.Name == "." || imp.Name.Name == "_") {
			found = append(found, pkg)
			continue
		}
		name := pkg[strings.LastIndex(pkg, "/")+1:]
		if imp.Name != nil {
			name = imp.Name.Name
		}
		names[name] = banned
	}
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Obj == nil && slices.Contains(names[pkg.Name], sel.Sel.Name) {
			found = append(found, pkg.Name+"."+sel.Sel.Name)
		}
		return true
	})
	return found
}
