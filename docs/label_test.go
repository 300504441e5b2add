package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// withoutLabels are documents that are not about pages of the console: what is italic in them is no label.
// Labels of other products are between comments, "labels of others" and "/labels of others".
var withoutLabels = []string{"architecture.md", "commandline.md", "compatibility.md", "deploy.md", "operate.md", "percipio.md", "performance.md", "perplexity.md", "reliability.md", "report.md",
	"sandbox.md", "security.md", "service.md",
	"tutorial.md", // TestTutorial of test/browser looks for its labels on the pages
}

// placeholders stand for a name in a path such as Applications > the app > Settings.
var placeholders = []string{"the app", "the connector", "the entitlement", "the group", "the person", "the provider", "the review", "the automation"}

// emphasized are words that documents stress, and that are no labels.
var emphasized = map[string][]string{"reviews.md": {"prepare", "submit", "withdraw"}} // verbs of REST

var (
	fenced      = regexp.MustCompile("(?s)```.*?```")
	inlineCode  = regexp.MustCompile("`[^`]*`")
	bold        = regexp.MustCompile(`\*\*[^*]+\*\*`)
	ofOthers    = regexp.MustCompile(`(?s)<!-- labels of others -->.*?<!-- /labels of others -->`)
	italic      = regexp.MustCompile(`\*([^*\s](?:[^*]*[^*\s])?)\*`)
	inAction    = regexp.MustCompile(`"([^"]*)"`)
	action      = regexp.MustCompile(`\{\{[^{}]*\}\}`)
	hidden      = regexp.MustCompile(`<span class="hide">.*?</span>`)
	tag         = regexp.MustCompile(`<[^>]*>`)
	shownInTags = regexp.MustCompile(`(?:placeholder|aria-label)="([^"]*)"`)
)

// shown returns the texts that pages can show: those of the templates and the strings of the packages that
// name things for them.
func shown(t *testing.T) (texts map[string]bool, all string) {
	t.Helper()
	texts = map[string]bool{}
	templates, err := filepath.Glob("../console/web/templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range templates {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range action.FindAllString(string(b), -1) {
			for _, m := range inAction.FindAllStringSubmatch(a, -1) {
				texts[m[1]] = true
			}
		}
		page := hidden.ReplaceAllString(action.ReplaceAllString(string(b), "\n"), "\n")
		for _, m := range shownInTags.FindAllStringSubmatch(page, -1) {
			texts[m[1]] = true
		}
		for text := range strings.Lines(tag.ReplaceAllString(page, "\n")) {
			texts[strings.Join(strings.Fields(text), " ")] = true
		}
	}
	for _, dir := range []string{"../console", "../console/web", "../console/govern", "../console/approve", "../console/automate", "../console/plan", "../console/review", "../console/notify",
		"../cmd/baton-console", "../console/cli", "../sandbox/perplexity"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if text, err := strconv.Unquote(lit.Value); err == nil {
						texts[strings.Join(strings.Fields(text), " ")] = true
					}
				}
				return true
			})
		}
	}
	var b strings.Builder
	for text := range texts {
		b.WriteString(text + "\n")
	}
	return texts, b.String()
}

// labels returns what is italic in a document: labels, and paths of labels.
func labels(page string) (found []string) {
	page = fenced.ReplaceAllString(ofOthers.ReplaceAllString(page, ""), "")
	page = bold.ReplaceAllString(inlineCode.ReplaceAllString(page, "`"), "")
	for _, m := range italic.FindAllStringSubmatch(page, -1) {
		if text := strings.Join(strings.Fields(m[1]), " "); !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	return found
}

// TestLabelsAreShown: every label that a document of the console names, in italics, is one that its pages
// can show. In a path such as Settings > Mail, each part is a whole label.
func TestLabelsAreShown(t *testing.T) {
	texts, all := shown(t)
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, page := range append(pages, "../README.md") {
		if slices.Contains(withoutLabels, page) {
			continue
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, label := range labels(string(text)) {
			if slices.Contains(emphasized[page], label) {
				continue
			}
			parts := strings.Split(label, " > ")
			for _, part := range parts {
				n++
				switch {
				case slices.Contains(placeholders, part):
				case len(parts) > 1 && !texts[part]:
					t.Errorf("%s: no page has the label %q of *%s*", page, part, label)
				case len(parts) == 1 && !says(all, part):
					t.Errorf("%s: no page shows *%s*", page, part)
				}
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d labels were looked for", n)
	}
}

// says reports whether a text of the pages contains a label as whole words. Dots in it stand for a name.
func says(all, label string) bool {
	var pattern strings.Builder
	for i, part := range strings.Split(label, "…") {
		if i > 0 {
			pattern.WriteString(`.*`)
		}
		pattern.WriteString(regexp.QuoteMeta(strings.TrimSpace(part)))
	}
	return regexp.MustCompile(fmt.Sprintf(`(?m)(^|[^\pL\pN])%s($|[^\pL\pN])`, pattern.String())).MatchString(all)
}

// TestLabels: labels are found across lines, and not in commands.
func TestLabels(t *testing.T) {
	got := labels("*Settings >\nMail* and **bold** and `*code*` and *As\n of* 2 * 3 * 4\n```sh\nls *.md *.go\n```\n<!-- labels of others -->*Okta*<!-- /labels of others -->")
	if want := []string{"Settings > Mail", "As of"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if says("Sync now\nSend again", "Sync") != true || says("Syncs\n", "Sync") || !says("Confirm with\n", "Confirm with …") {
		t.Error("whole words are not told from parts")
	}
}
