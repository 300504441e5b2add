package arch

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxLinked limits the third-party modules that a connector links.
const maxLinked = 21

// consoleOnly lists modules that only the console may link.
var consoleOnly = []string{
	"github.com/cockroachdb/pebble/v2",
	"github.com/coreos/go-oidc/v3",
	"github.com/go-jose/go-jose/v4",
	"github.com/jackc/pgpassfile",
	"github.com/jackc/pgservicefile",
	"github.com/jackc/pgx/v5",
	"github.com/jackc/puddle/v2",
	"github.com/wneessen/go-mail",
	"golang.org/x/oauth2",
	"golang.org/x/sync",
}

// TestLinkedModules checks that connectors link few modules and none of the console's.
func TestLinkedModules(t *testing.T) {
	connectors, err := filepath.Glob("cmd/baton-*")
	if err != nil {
		t.Fatal(err)
	}
	connectors = slices.DeleteFunc(connectors, func(dir string) bool { return filepath.Base(dir) == "baton-console" })
	if len(connectors) < 2 {
		t.Fatalf("connectors %q", connectors)
	}
	for _, dir := range connectors {
		linked := linkedModules(t, "./"+dir)
		if len(linked) > maxLinked {
			t.Errorf("%s links %d modules, more than %d: %q", dir, len(linked), maxLinked, linked)
		}
		for _, m := range consoleOnly {
			if slices.Contains(linked, m) {
				t.Errorf("%s links %s, which only the console may", dir, m)
			}
		}
	}
	// The console must link all modules of the list.
	linked := linkedModules(t, "./cmd/baton-console")
	for _, m := range consoleOnly {
		if !slices.Contains(linked, m) {
			t.Errorf("the console does not link %s; remove it from the list", m)
		}
	}
}

// linkedModules returns the third-party modules that a package links, sorted.
func linkedModules(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", pkg).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pkg, err)
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	return slices.Compact(modules)
}
