package report

import (
	"cmp"
	"strings"

	"baton/internal/markup"
)

// writer writes the page, from its head to its end, one part after the other.
type writer struct{ *markup.Writer }

func (w writer) page(p page) {
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
<p class="kind">Access report</p>
`)
	w.Element("h1", p.Heading)
	w.Element("p", p.Lead, markup.Class("lead"))
	w.facts(p.Facts, "head")
	w.Literal("\n</header>\n")
	w.contents(p.Sections)
	w.Literal("<main id=\"main\">\n")
	w.glance(p)
	for _, s := range p.Sections {
		w.section(s)
	}
	w.evidence(p)
	w.Literal("</main>\n<script>")
	w.Embedded(script)
	w.Literal("</script>\n</body>\n</html>\n")
}

func (w writer) contents(sections []section) {
	w.Literal("<nav aria-label=\"Contents\"><ul>\n<li><a href=\"#glance\">At a glance</a></li>\n")
	for _, s := range sections {
		w.Start("li")
		w.Element("a", cmp.Or(s.Nav, s.Title), link(s.ID))
		w.End()
	}
	w.Literal("\n<li><a href=\"#evidence\">Evidence</a></li>\n</ul></nav>\n")
}

// link leads to an element of the page.
func link(id string) markup.Attribute { return markup.Attr("href", "#"+id) }

func (w writer) glance(p page) {
	w.Literal("<section id=\"glance\" aria-labelledby=\"glance-h\">\n<h2 id=\"glance-h\">At a glance</h2>\n<div class=\"answers\">\n")
	for _, a := range p.Answers {
		w.answer(a)
	}
	w.Literal("</div>\n")
	if len(p.Notes) > 0 {
		w.Literal("<h3 class=\"notes\">What the connector says</h3>\n<dl class=\"said\">")
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

func (w writer) answer(a answer) {
	w.Start("div", markup.Class(strings.TrimSpace("answer "+a.Level)))
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
			w.Element("bdi", name)
			w.End()
		}
		if a.More > 0 {
			w.Element("li", "and "+number(a.More)+" more", markup.Class("more"))
		}
		w.End()
	}
	if a.Text != "" {
		w.Element("p", a.Text, markup.Class("text"))
	}
	w.End()
	w.Literal("\n")
}

func (w writer) section(s section) {
	class := ""
	if s.Many {
		class = "many"
	}
	w.Start("section", markup.Attr("id", s.ID), markup.Attr("aria-labelledby", s.ID+"-h"), markup.Class(class))
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
		w.Literal("<h3 class=\"each\">One by one</h3>\n")
	}
	if s.Many {
		w.Literal("<p class=\"cut paper\">Of these, only what was open is printed. All of them are in the CSV and JSON forms of this report.</p>\n")
	}
	for _, d := range s.Details {
		w.detail(d)
	}
	w.cut(s.Cut, "cut")
	w.End()
	w.Literal("\n")
}

func (w writer) detail(d detail) {
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

func (w writer) evidence(p page) {
	w.Literal("<section id=\"evidence\" aria-labelledby=\"evidence-h\">\n<h2 id=\"evidence-h\">Evidence</h2>\n")
	w.facts(p.Evidence, "evidence")
	w.Literal("\n")
	w.table(p.Syncs)
	for _, text := range p.Small {
		w.Element("p", text, markup.Class("small"))
	}
	w.Literal("\n</section>\n")
}

func (w writer) facts(list []fact, class string) {
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

func (w writer) tags(tags []tag) {
	for _, t := range tags {
		w.Element("span", t.Text, markup.Class(strings.TrimSpace("tag "+t.Level)))
	}
}

// bar is a picture of shares, with the shares as its text.
func (w writer) bar(parts []segment) {
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

// cut says what is not on the page.
func (w writer) cut(text, class string) {
	if text != "" {
		w.Element("p", text, markup.Class(class))
	}
}

func (w writer) table(t table) {
	w.Start("div", markup.Class("scroll"), markup.Attr("tabindex", "0"), markup.Attr("role", "region"), markup.Attr("aria-labelledby", t.ID+"-c"))
	paper, class, cut := t.Paper(), "", "cut"
	if paper != "" {
		class, cut = "long", "cut screen"
	}
	w.Start("table", markup.Attr("id", t.ID), markup.Class(class), markup.Flag("data-large", t.Large()))
	hidden := ""
	if t.Hidden {
		hidden = "hidden"
	}
	w.Start("caption", markup.Attr("id", t.ID+"-c"), markup.Class(hidden))
	w.Text(t.Caption)
	if t.Lead != "" {
		w.Text(" ")
		w.Element("span", t.Lead)
	}
	w.End()
	w.Literal("\n<thead><tr>")
	for _, c := range t.Columns {
		w.Element("th", c.Title, markup.Attr("scope", "col"), markup.Class(c.Class))
	}
	w.Literal("</tr></thead>\n<tbody>\n")
	empty := true
	for row := range t.Rows {
		empty = false
		w.Start("tr")
		for _, cell := range row {
			w.cell(cell)
		}
		w.End()
		w.Literal("\n")
	}
	if empty {
		w.Start("tr")
		w.Element("td", cmp.Or(t.Empty, "Nothing."))
		w.End()
		w.Literal("\n")
	}
	w.Literal("</tbody>")
	w.End()
	w.End()
	w.Literal("\n")
	w.cut(t.Cut(), cut)
	w.cut(paper, "cut paper")
}

func (w writer) cell(c td) {
	switch {
	case c.Head:
		w.rowHead(c)
		return
	case c.Number != "":
		w.Start("td", markup.Class("n"))
		w.Text(c.Number)
	case c.Date != "":
		w.Start("td", markup.Class("d"))
		w.Text(c.Date)
	case len(c.Bar) > 0:
		w.Start("td", markup.Class("b"))
		w.bar(c.Bar)
	case len(c.Diff) > 0:
		w.Start("td")
		w.diff(c.Diff)
	case c.Code != "":
		w.Start("td")
		w.Element("code", c.Code)
	default:
		w.Start("td")
		w.tags(c.Tags)
		if c.Text != "" {
			w.Element("bdi", c.Text)
		}
	}
	w.End()
}

// rowHead is the cell that a row goes by.
func (w writer) rowHead(c td) {
	w.Start("th", markup.Attr("scope", "row"))
	if c.Link != "" {
		w.Start("a", link(c.Link))
		w.Element("bdi", c.Name)
		w.End()
	} else if c.Name != "" {
		w.Element("bdi", c.Name)
	}
	w.tags(c.Tags)
	if c.Code != "" {
		w.Element("code", c.Code)
	}
	if c.Sub != "" {
		w.Start("small")
		w.Element("bdi", c.Sub)
		w.End()
	}
	w.End()
}

func (w writer) diff(list []attribute) {
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
