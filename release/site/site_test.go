package site

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	attribute = regexp.MustCompile(`<(\w+)\b[^>]*?\s(?:href|src|srcset)="([^"]*)"`)
	anID      = regexp.MustCompile(`\sid="([^"]*)"`)
	active    = regexp.MustCompile(`(?i)<(script|iframe|object|embed|form|style)\b|\son\w+=|javascript:|@import|url\(`)
)

// TestSite makes the site and follows every link of every page: to a file that is there and, after a #, to
// an element of it. Pages hold nothing active and load nothing from elsewhere.
func TestSite(t *testing.T) {
	out := t.TempDir()
	if err := Build("../..", out); err != nil {
		t.Fatal(err)
	}
	pages, ids := map[string]string{}, map[string]map[string]bool{}
	err := fs.WalkDir(os.DirFS(out), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".html") {
			return err
		}
		b, err := os.ReadFile(filepath.Join(out, name))
		pages[name], ids[name] = string(b), map[string]bool{}
		for _, m := range anID.FindAllStringSubmatch(pages[name], -1) {
			if ids[name][m[1]] {
				t.Errorf("%s: the id %q is there twice", name, m[1])
			}
			ids[name][m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	followed, anchored := 0, 0
	for name, page := range pages {
		if m := active.FindString(markupOf(page)); m != "" {
			t.Errorf("%s: %q", name, m)
		}
		for _, m := range attribute.FindAllStringSubmatch(page, -1) {
			u, err := url.Parse(strings.ReplaceAll(m[2], "&amp;", "&"))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if u.Scheme != "" {
				if m[1] != "a" && u.Scheme != "data" {
					t.Errorf("%s loads %s", name, u)
				}
				continue
			}
			target := name
			if u.Path != "" {
				target = path.Join(path.Dir(name), u.Path)
			}
			followed++
			if _, err := os.Stat(filepath.Join(out, target)); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[2])
			}
			if u.Fragment != "" {
				anchored++
				if !ids[target][u.Fragment] {
					t.Errorf("%s: %s: there is no such heading", name, m[2])
				}
			}
		}
	}
	if followed < 1000 || anchored < 100 {
		t.Errorf("only %d links were followed, %d of them to headings", followed, anchored)
	}
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents {
		name := strings.TrimSuffix(filepath.Base(d), ".md") + ".html"
		if name == "README.html" {
			name = "index.html"
		}
		if pages["docs/"+name] == "" {
			t.Errorf("%s has no page", d)
		}
		if !strings.Contains(pages["docs/tutorial.html"], `href="../docs/`+name+`"`) {
			t.Errorf("the navigation does not have %s", d)
		}
		if name != "index.html" && !regexp.MustCompile(`href="(\.\./docs/)?`+name).MatchString(mainOf(pages["docs/index.html"])) {
			t.Errorf("docs/README.md, the index, does not name %s", d)
		}
	}
}

// markupOf returns a page without the text of its code, which may look like markup.
func markupOf(page string) string {
	return regexp.MustCompile(`(?s)<code.*?</code>`).ReplaceAllString(page, "")
}

// mainOf returns the document of a page.
func mainOf(page string) string {
	_, after, _ := strings.Cut(page, "<main>")
	body, _, _ := strings.Cut(after, "</main>")
	return body
}

// TestAnchors compares the ids of headings with those of GitHub.
func TestAnchors(t *testing.T) {
	a := anchors{}
	for _, tt := range [][2]string{{"Backup and restore", "backup-and-restore"}, {"`demo --once`, again", "demo---once-again"}, {"Über 10 %", "über-10-"}, {"Backup and restore", "backup-and-restore-1"}} {
		if got := string(a.Generate([]byte(tt[0]), 0)); got != tt[1] {
			t.Errorf("%q has the id %q, want %q", tt[0], got, tt[1])
		}
	}
}
