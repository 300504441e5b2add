package report

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"

	"baton/internal/english"
	"baton/internal/markup"
)

// writer writes the page.
type writer struct {
	*markup.Writer
	partial []table // tables whose remaining rows are in the data
}

// page writes the page. It calls data for the tables with more rows than the HTML has.
func (w *writer) page(p page, data func([]table)) {
	w.Literal("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n")
	w.Void("meta", markup.Attr("http-equiv", "Content-Security-Policy"), markup.Attr("content", policy()))
	w.Literal(`
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta name="referrer" content="no-referrer"/>
<meta name="robots" content="noindex"/>
`)
	w.Element("title", p.Title)
	w.Literal("\n<style>")
	w.Embedded(style)
	w.Literal(`</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
`)
	w.Element("p", p.Kind, markup.Class("kind"))
	w.Element("h1", p.Heading)
	w.Element("p", p.Lead, markup.Class("lead"))
	w.facts(p.Facts, "head")
	w.Literal("\n</header>\n")
	if p.partial() {
		w.Literal("<noscript><p class=\"cut\">Without JavaScript, long lists show their first rows. All rows are in the CSV and JSON forms of this report.</p></noscript>\n")
	}
	w.contents(p.Sections)
	w.Literal("<main id=\"main\">\n")
	w.glance(p)
	for _, s := range p.Sections {
		w.section(s)
	}
	w.evidence(p)
	w.Literal("</main>\n")
	if len(w.partial) > 0 {
		data(w.partial)
	}
	w.Literal("<script>")
	w.Embedded(script)
	w.Literal("</script>\n</body>\n</html>\n")
}

func (w *writer) contents(sections []section) {
	w.Literal("<nav aria-label=\"Contents\"><ul>\n<li><a href=\"#glance\">At a glance</a></li>\n")
	for _, s := range sections {
		w.Start("li")
		w.Element("a", cmp.Or(s.Nav, s.Title), link(s.ID))
		w.End()
	}
	w.Literal("\n<li><a href=\"#evidence\">Evidence</a></li>\n</ul></nav>\n")
}

// link writes a link to an element of the page.
func link(id string) markup.Attribute { return markup.Attr("href", "#"+id) }

func (w *writer) glance(p page) {
	w.Literal("<section id=\"glance\" aria-labelledby=\"glance-h\">\n<h2 id=\"glance-h\">At a glance</h2>\n<div class=\"answers\">\n")
	for _, a := range p.Answers {
		w.answer(a)
	}
	w.Literal("</div>\n")
	if len(p.Notes) > 0 {
		w.Literal("<h3 class=\"notes\">What the connector found</h3>\n<dl class=\"findings\">")
		for _, n := range p.Notes {
			w.Start("div", markup.Class(n.Level))
			w.Start("dt")
			w.Element("bdi", n.Label)
			w.End()
			w.Start("dd")
			if n.Level != "ok" {
				w.Element("b", n.Level+":")
				w.Text(" ")
			}
			w.Element("bdi", n.Text)
			w.End()
			w.End()
		}
		w.Literal("</dl>\n")
	}
	w.Literal("</section>\n")
}

func (w *writer) answer(a answer) {
	class := strings.TrimSpace("answer " + a.Level)
	if a.Wide {
		class += " long"
	}
	w.Start("div", markup.Class(class))
	w.Element("h3", a.Question)
	w.Start("p", markup.Class("figure"))
	if a.Link != "" {
		w.Element("a", a.Figure, link(a.Link))
	} else {
		w.Text(a.Figure)
	}
	w.End()
	if len(a.Names) > 0 {
		w.Start("ul", markup.Class("few"))
		for _, name := range a.Names {
			w.Start("li")
			w.isolated(name.Text)
			if name.Sub != "" {
				w.address(name.Sub)
			}
			w.End()
		}
		if a.More > 0 {
			w.Element("li", "and "+english.Number(a.More)+" more", markup.Class("more"))
		}
		w.End()
	}
	if len(a.Lines) > 0 {
		w.Start("dl", markup.Class("lines"))
		for _, l := range a.Lines {
			w.Start("div")
			w.Start("dt")
			w.Element("a", l.Label, link(l.Link))
			w.End()
			w.Start("dd")
			w.Element("bdi", l.Text)
			w.End()
			w.End()
		}
		w.End()
	}
	if a.Text != "" {
		w.Element("p", a.Text, markup.Class("text"))
	}
	w.End()
	w.Literal("\n")
}

func (w *writer) section(s section) {
	w.Start("section", markup.Attr("id", s.ID), markup.Attr("aria-labelledby", s.ID+"-h"))
	w.Element("h2", s.Title, markup.Attr("id", s.ID+"-h"))
	if s.Lead != "" {
		w.Element("p", s.Lead, markup.Class("lead"))
	}
	if len(s.Bar) > 0 {
		w.Start("figure")
		w.bar(s.Bar)
		w.Start("figcaption")
		for _, part := range s.Bar {
			w.Start("span", markup.Class("key"))
			w.Literal(`<svg viewBox="0 0 10 10" aria-hidden="true">`)
			w.Element("rect", "", markup.Class(part.Class), markup.Attr("width", "10"), markup.Attr("height", "10"), markup.Attr("rx", "2"))
			w.Literal("</svg>")
			w.Text(part.Label + " ")
			w.Element("b", part.Count)
			w.End()
		}
		w.End()
		w.End()
	}
	w.Literal("\n")
	for _, t := range s.Tables {
		w.table(t)
	}
	if len(s.Details) > 0 {
		w.Literal("<h3 class=\"each\">Who holds what</h3>\n")
	}
	for _, d := range s.Details {
		w.detail(d)
	}
	w.cut(s.Cut, "cut")
	w.End()
	w.Literal("\n")
}

func (w *writer) detail(d detail) {
	w.Start("details", markup.Attr("id", d.ID), markup.Flag("open", d.Open))
	w.Start("summary")
	w.Start("h4")
	w.Element("bdi", d.Name)
	w.End()
	w.tags(d.Tags)
	w.Element("span", d.Counts, markup.Class("counts"))
	w.End()
	if d.Sub != "" {
		w.Start("p", markup.Class("sub"))
		w.Element("bdi", d.Sub)
		w.End()
	}
	for _, t := range d.Tables {
		w.table(t)
	}
	w.End()
	w.Literal("\n")
}

func (w *writer) evidence(p page) {
	w.Literal("<section id=\"evidence\" aria-labelledby=\"evidence-h\">\n<h2 id=\"evidence-h\">Evidence</h2>\n")
	w.facts(p.Evidence, "evidence")
	w.Literal("\n")
	w.table(p.Syncs)
	for _, text := range p.Small {
		w.Element("p", text, markup.Class("small"))
	}
	w.Literal("\n</section>\n")
}

func (w *writer) facts(list []fact, class string) {
	w.Start("dl", markup.Class(class))
	for _, f := range list {
		w.Start("div")
		w.Element("dt", f.Name)
		w.Start("dd")
		switch {
		case f.Code:
			w.Element("code", f.Text)
		case f.Time != "":
			w.Element("time", f.Text, markup.Attr("datetime", f.Time))
		default:
			w.Text(f.Text)
		}
		w.End()
		w.End()
	}
	w.End()
}

func (w *writer) tags(tags []tag) {
	for _, t := range tags {
		w.Element("span", t.Text, markup.Class(strings.TrimSpace("tag "+t.Level)))
	}
}

// bar writes a bar of shares, with the shares as its text.
func (w *writer) bar(parts []segment) {
	var label []string
	for _, part := range parts {
		label = append(label, part.Label+" "+part.Count)
	}
	w.Start("svg", markup.Class("bar"), markup.Attr("viewBox", "0 0 100 6"), markup.Attr("preserveAspectRatio", "none"),
		markup.Attr("role", "img"), markup.Attr("aria-label", join(label)))
	for _, part := range parts {
		w.Element("rect", "", markup.Class(part.Class), markup.Attr("x", part.X), markup.Attr("width", part.Width), markup.Attr("height", "6"))
	}
	w.End()
}

// cut writes a note about rows that are not on the page.
func (w *writer) cut(text, class string) {
	if text != "" {
		w.Element("p", text, markup.Class(class))
	}
}

func (w *writer) table(t table) {
	w.Start("div", markup.Class("scroll"), markup.Attr("tabindex", "0"), markup.Attr("role", "region"), markup.Attr("aria-labelledby", t.ID+"-c"))
	partial := markup.Attribute{}
	if t.Partial() {
		partial = markup.Attr("data-partial", strconv.Itoa(t.Shown))
	}
	w.Start("table", markup.Attr("id", t.ID), markup.Flag("data-large", t.Large()), partial)
	hidden := ""
	if t.Hidden {
		hidden = "hidden"
	}
	w.Start("caption", markup.Class(hidden))
	w.Element("span", t.Caption, markup.Attr("id", t.ID+"-c"))
	if t.Lead != "" {
		w.Text(" ")
		w.Element("small", t.Lead)
	}
	w.End()
	w.Literal("\n<thead><tr>")
	for _, c := range t.Columns {
		w.Element("th", c.Title, markup.Attr("scope", "col"), markup.Class(c.Class))
	}
	w.Literal("</tr></thead>\n<tbody>\n")
	if t.Total == 0 {
		w.Start("tr")
		w.Element("td", cmp.Or(t.Empty, "Nothing."))
		w.End()
		w.Literal("\n")
	}
	left := t.Static
	for row := range t.Rows {
		if left--; left < 0 {
			break
		}
		w.Start("tr")
		for i, cell := range row {
			w.cell(cell, t.Columns[i])
		}
		w.End()
		w.Literal("\n")
	}
	w.Literal("</tbody>")
	w.End()
	w.End()
	w.Literal("\n")
	w.cut(t.Paper(), "cut static")
	w.cut(t.Cut(), "cut")
	if t.Partial() {
		w.partial = append(w.partial, t)
	}
}

// cell writes a cell. Narrow screens show its label instead of the head of the column.
func (w *writer) cell(c td, of column) {
	if c.Head {
		w.rowHead(c)
		return
	}
	label := markup.Attr("data-label", of.Title)
	w.Start("td", markup.Class(cellClass(of.Class)), label)
	switch {
	case c.Number != "":
		w.Text(c.Number)
	case c.Date != "":
		w.Text(c.Date)
	case len(c.Bar) > 0:
		w.bar(c.Bar)
	case len(c.Diff) > 0:
		w.diff(c.Diff)
	case c.Code != "":
		w.code(c.Code)
	default:
		w.tags(c.Tags)
		if c.Text != "" {
			w.isolated(c.Text)
		}
	}
	w.End()
}

// cellClass returns the class of the cells of a column: that of its head, unless it applies only to
// the head.
func cellClass(class string) string {
	if class == "w" {
		return ""
	}
	return class
}

// isolated writes text whose direction does not affect its surroundings. Only a word too
// long for a column may be broken in the middle.
func (w *writer) isolated(text string) {
	w.Element("bdi", text, markup.Class(map[bool]string{true: "u"}[unbroken(text)]))
}

// address writes an address or id. A line may break before an @.
func (w *writer) address(text string) {
	w.Start("small")
	w.Start("bdi", markup.Class(map[bool]string{true: "u"}[unbroken(text)]))
	local, host, found := strings.Cut(text, "@")
	w.Text(local)
	if found {
		w.Void("wbr")
		w.Text("@" + host)
	}
	w.End()
	w.End()
}

// unbroken reports whether the text has a word longer than a column is wide.
func unbroken(text string) bool {
	const widest = 30 // runes
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == '-' || r == '@' }) {
		if utf8.RuneCountInString(word) > widest {
			return true
		}
	}
	return false
}

// code writes an id. A line may break after a colon.
func (w *writer) code(id string) {
	w.Start("code")
	for i, part := range strings.SplitAfter(id, ":") {
		if i > 0 {
			w.Void("wbr")
		}
		w.Text(part)
	}
	w.End()
}

// rowHead writes the head cell of a row.
func (w *writer) rowHead(c td) {
	w.Start("th", markup.Attr("scope", "row"))
	if c.Link != "" {
		w.Start("a", link(c.Link))
		w.isolated(c.Name)
		w.End()
	} else if c.Name != "" {
		w.isolated(c.Name)
	}
	w.tags(c.Tags)
	if c.Code != "" {
		w.code(c.Code)
	}
	if c.Sub != "" {
		w.address(c.Sub)
	}
	w.End()
}

func (w *writer) diff(list []attribute) {
	w.Start("ul", markup.Class("diff"))
	for _, a := range list {
		w.Start("li")
		w.Start("b")
		w.Element("bdi", shown(a.name))
		w.End()
		w.Text(" ")
		w.Start("del")
		w.Element("bdi", orNothing(a.before))
		w.End()
		w.Literal(` <span aria-hidden="true">→</span> `)
		w.Start("ins")
		w.Element("bdi", orNothing(a.after))
		w.End()
		w.End()
	}
	w.End()
}
