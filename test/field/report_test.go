package field

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReportOfAnotherConnector: a report names the connector that wrote the file, not the one that writes the
// report.
func TestReportOfAnotherConnector(t *testing.T) {
	dir := t.TempDir()
	names := map[string]string{"baton-perplexity": "Perplexity", "baton-percipio": "Percipio"}
	for name := range names {
		p := &program{name: name, dir: dir}
		if r := p.run(t, "demo", "--file", name+".c1z"); r.code != 0 {
			t.Fatalf("%s: %s", name, r.stderr)
		}
	}
	title := regexp.MustCompile("<title>(.*)</title>")
	for name := range names {
		for file, connector := range names {
			p := &program{name: name, dir: dir}
			if r := p.run(t, "report", "--out", "page.html", file+".c1z"); r.code != 0 {
				t.Fatalf("%s of %s: %s", name, file, r.stderr)
			}
			page, err := os.ReadFile(filepath.Join(dir, "page.html"))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if m := title.FindSubmatch(page); m != nil {
				got = string(m[1])
			}
			want := connector + ", acme.example: access report, "
			if name != file {
				want = "acme.example: access report, "
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s of a file of %s: %q instead of %q", name, file, got, want)
			}
			if roles := strings.Contains(string(page), "Who is Admin?"); roles != (name == "baton-perplexity" && file == name) {
				t.Errorf("%s of a file of %s: roles: %t", name, file, roles)
			}
		}
	}
}
