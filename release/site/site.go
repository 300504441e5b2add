// Package site makes a site of the documents: one HTML page for each Markdown file and for each source
// file that a document links to, with the pictures. Pages have no scripts and ask no other host, so a
// folder on a disk is enough to read them.
package site

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed page.html style.css
var files embed.FS

var layout = template.Must(template.ParseFS(files, "page.html"))

// site is a site that is being made.
type site struct {
	root, out string
	documents []document
	sources   map[string]bool // source files and folders that documents link to
	pictures  map[string]bool
}

// document is a Markdown file.
type document struct {
	file  string // its path in the checkout, with slashes
	title string
	text  []byte
}

// Build makes the site of the documents in the checkout root, in the folder out.
func Build(root, out string) error {
	s := &site{root: root, out: out, sources: map[string]bool{}, pictures: map[string]bool{}}
	if err := s.read(); err != nil {
		return err
	}
	for _, d := range s.documents {
		body, err := s.render(d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.file, err)
		}
		if err := s.page(d.file, d.title, body); err != nil {
			return err
		}
	}
	if err := s.writeSources(); err != nil {
		return err
	}
	for picture := range s.pictures {
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(picture)))
		if err != nil {
			return err
		}
		if err := s.write(picture, b); err != nil {
			return err
		}
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return err
	}
	return s.write("style.css", style)
}

var heading = regexp.MustCompile(`(?m)^# (.+)$`)

// read reads the documents: those of the root first, then docs/ in the order in which its index names
// them, then the decisions.
func (s *site) read() error {
	names := []string{"README.md", "docs/README.md"}
	for _, pattern := range []string{"docs/*.md", "docs/adr/*.md"} {
		found, err := filepath.Glob(filepath.Join(s.root, filepath.FromSlash(pattern)))
		if err != nil {
			return err
		}
		for _, f := range found {
			rel, err := filepath.Rel(s.root, f)
			if err != nil {
				return err
			}
			if name := filepath.ToSlash(rel); name != "docs/README.md" {
				names = append(names, name)
			}
		}
	}
	names = append(names, "CHANGELOG.md", "CONTRIBUTING.md")
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		title := name
		if m := heading.FindSubmatch(text); m != nil {
			title = strings.ReplaceAll(string(m[1]), "`", "")
		}
		s.documents = append(s.documents, document{name, title, text})
	}
	_, index, _ := strings.Cut(string(s.documents[1].text), "| to | read |")
	place := func(d document) int {
		if path.Dir(d.file) != "docs" || d.file == "docs/README.md" {
			return -1
		}
		if i := strings.Index(index, "]("+path.Base(d.file)); i >= 0 {
			return i
		}
		return len(index)
	}
	first, last := 1, slices.IndexFunc(s.documents, func(d document) bool { return path.Dir(d.file) == "docs/adr" })
	if last < 0 {
		last = len(s.documents) - 2
	}
	slices.SortStableFunc(s.documents[first:last], func(a, b document) int { return place(a) - place(b) })
	return nil
}

// address returns the path of the page of a file.
func address(file string) string {
	dir, base := path.Split(file)
	if base == "README.md" {
		return dir + "index.html"
	}
	if name, ok := strings.CutSuffix(file, ".md"); ok {
		return name + ".html"
	}
	return file + ".html"
}

// relative returns the way from the page of a file to a path of the site.
func relative(from, to string) string {
	up := strings.Repeat("../", strings.Count(from, "/"))
	return up + to
}

// navLink is a line of the navigation.
type navLink struct {
	Path, Title string
	Current     bool
}

// navGroup is a part of the navigation.
type navGroup struct {
	Label string
	Links []navLink
}

// navigation returns the links to all documents, as seen from a page.
func (s *site) navigation(from string) []navGroup {
	groups := []navGroup{{Label: "Start"}, {Label: "Documents"}, {Label: "Decisions"}, {Label: "Project"}}
	for _, d := range s.documents {
		n, title := 1, d.title
		switch {
		case d.file == "README.md":
			n, title = 0, "Overview"
		case d.file == "docs/README.md":
			n, title = 0, "All documents"
		case path.Dir(d.file) == "docs/adr":
			n = 2
		case path.Dir(d.file) == ".":
			n = 3
		}
		groups[n].Links = append(groups[n].Links, navLink{relative(from, address(d.file)), title, d.file == from})
	}
	return groups
}

// page writes the page of a file.
func (s *site) page(file, title string, body []byte) error {
	var b bytes.Buffer
	err := layout.Execute(&b, map[string]any{"Title": title, "Style": relative(file, "style.css"), "Nav": s.navigation(file), "Body": template.HTML(body)})
	if err != nil {
		return err
	}
	return s.write(address(file), b.Bytes())
}

func (s *site) write(name string, b []byte) error {
	file := filepath.Join(s.out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

// writeSources writes a page for each source file that a document links to. That of a folder lists the
// files in it, which have pages, too.
func (s *site) writeSources() error {
	queue := make([]string, 0, len(s.sources))
	for name := range s.sources {
		queue = append(queue, name)
	}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		where := filepath.Join(s.root, filepath.FromSlash(name))
		info, err := os.Stat(where)
		if err != nil {
			return err
		}
		var body bytes.Buffer
		fmt.Fprintf(&body, "<h1>%s</h1>\n", template.HTMLEscapeString(name))
		if info.IsDir() {
			entries, err := os.ReadDir(where)
			if err != nil {
				return err
			}
			body.WriteString("<ul>\n")
			for _, e := range entries {
				below := path.Join(name, e.Name())
				if !s.sources[below] {
					s.sources[below] = true
					queue = append(queue, below)
				}
				fmt.Fprintf(&body, "<li><a href=\"%s\">%s</a></li>\n", template.HTMLEscapeString(relative(name, address(below))), template.HTMLEscapeString(e.Name()))
			}
			body.WriteString("</ul>\n")
		} else {
			text, err := os.ReadFile(where)
			if err != nil {
				return err
			}
			fmt.Fprintf(&body, "<pre tabindex=\"0\"><code>%s</code></pre>\n", template.HTMLEscapeString(string(text)))
		}
		if err := s.page(name, name, body.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
