package site

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
)

// markdown reads Markdown as GitHub does. HTML in it is kept: the documents are ours.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()), goldmark.WithRendererOptions(html.WithUnsafe()))

// anchors gives headings the ids that GitHub gives them.
type anchors map[string]int

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}_-]`)

func (a anchors) Generate(value []byte, _ ast.NodeKind) []byte {
	id := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(string(value)), " ", "-"))
	id = notInAnchor.ReplaceAllString(id, "")
	n := a[id]
	a[id]++
	if n > 0 {
		id = fmt.Sprintf("%s-%d", id, n)
	}
	return []byte(id)
}

func (a anchors) Put(value []byte) { a[string(value)]++ }

// embedded matches the addresses of pictures in HTML.
var embedded = regexp.MustCompile(`<(?:img|source)\b[^>]*?\b(?:src|srcset)="([^"]+)"`)

// render renders a document, with links to pages of the site.
func (s *site) render(d document) ([]byte, error) {
	tree := markdown.Parser().Parse(text.NewReader(d.text), parser.WithContext(parser.NewContext(parser.WithIDs(anchors{}))))
	err := ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		var err error
		switch n := n.(type) {
		case *ast.Link:
			n.Destination, err = s.link(d, n.Destination)
		case *ast.Image:
			s.pictures[path.Join(path.Dir(d.file), string(n.Destination))] = true
		}
		return ast.WalkContinue, err
	})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := markdown.Renderer().Render(&b, d.text, tree); err != nil {
		return nil, err
	}
	for _, m := range embedded.FindAllSubmatch(b.Bytes(), -1) {
		s.pictures[path.Join(path.Dir(d.file), string(m[1]))] = true
	}
	// What scrolls sideways can be reached with the keyboard.
	body := bytes.ReplaceAll(b.Bytes(), []byte("<pre>"), []byte(`<pre tabindex="0">`))
	body = bytes.ReplaceAll(body, []byte("<table>"), []byte(`<div class="table" tabindex="0" role="group" aria-label="Table"><table>`))
	return bytes.ReplaceAll(body, []byte("</table>"), []byte("</table></div>")), nil
}

// link returns the address of what a document links to.
func (s *site) link(d document, destination []byte) ([]byte, error) {
	u, err := url.Parse(string(destination))
	if err != nil || u.Scheme != "" || u.Path == "" {
		return destination, err
	}
	target := path.Join(path.Dir(d.file), u.Path)
	if strings.HasPrefix(target, "../") {
		return nil, fmt.Errorf("the link %s leads out of the checkout", destination)
	}
	switch {
	case slices.ContainsFunc(s.documents, func(o document) bool { return o.file == target }):
	case strings.HasSuffix(target, ".png"), strings.HasSuffix(target, ".svg"):
		s.pictures[target] = true
		return destination, nil
	default:
		s.sources[target] = true
	}
	u.Path = relative(d.file, address(target))
	return []byte(u.String()), nil
}
