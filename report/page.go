package report

import (
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"

	"baton"
	"baton/c1z"
	"baton/internal/english"
	"baton/internal/markup"
)

var (
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

// page is the content of the HTML page.
type page struct {
	Title    string
	Kind     string // shown above the heading
	Heading  string
	Lead     string
	Facts    []fact // shown in the head of the page
	Answers  []answer
	Notes    []note
	Sections []section
	Evidence []fact
	Syncs    table
	Small    []string
}

// partial reports whether any table has more rows than the HTML.
func (p page) partial() bool {
	any := func(tables []table) bool {
		return slices.ContainsFunc(tables, func(t table) bool { return t.Partial() })
	}
	return slices.ContainsFunc(p.Sections, func(s section) bool {
		return any(s.Tables) || slices.ContainsFunc(s.Details, func(d detail) bool { return any(d.Tables) })
	})
}

// fact is a line of a list: a name and a value.
type fact struct {
	Name, Text string
	Time       string // for machines
	Code       bool
}

// answer is a question of a reviewer with its answer.
type answer struct {
	Question, Figure, Text, Level, Link string
	Names                               []personName
	More                                int
	Lines                               []answerLine
	Wide                                bool // full width
}

// personName is the name of an account. Sub distinguishes accounts with the same name.
type personName struct{ Text, Sub string }

// answerLine is a part of an answer, with the table that it links to.
type answerLine struct{ Label, Link, Text string }

type note struct{ Level, Label, Text string }

// section is a part of the page.
type section struct {
	ID, Title, Lead string
	Nav             string // shorter than the title
	Bar             []segment
	Tables          []table
	Details         []detail
	Cut             string // note about details that are not on the page
	Many            bool   // too many details for the HTML
}

// detail is a table that opens under a heading.
type detail struct {
	ID, Name, Sub string
	Tags          []tag
	Counts        string
	Open          bool
	Tables        []table
}

// segment is a part of a bar, in percent.
type segment struct {
	Class    string
	X, Width string
	Label    string
	Count    string
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return shown(text)
}

// bar divides 100 percent among counts, with gaps of half a percent.
func bar(labels []string, counts []int) []segment {
	total := 0
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return nil
	}
	var parts []segment
	x := 0.0
	for i, n := range counts {
		width := 100 * float64(n) / float64(total)
		parts = append(parts, segment{Class: fmt.Sprintf("s%d", min(i, 3)), X: fmt.Sprintf("%.2f", x),
			Width: fmt.Sprintf("%.2f", max(0, width-0.4)), Label: labels[i], Count: english.Number(n)})
		x += width
	}
	return parts
}

// HTML writes the report as a self-contained page.
func HTML(ctx context.Context, w io.Writer, o Options) error {
	b, err := read(ctx, o)
	if err != nil {
		return err
	}
	if b.budget = o.rows(); o.Rows >= 0 {
		b.budget *= 10
	}
	b.static = staticDetailRows
	if b.before != nil {
		if err := b.compare(ctx); err != nil {
			return err
		}
	}
	h := &writer{Writer: markup.New(w)}
	h.page(b.page(), func(partial []table) { (&data{w: h.Writer}).write(b, partial) })
	return written(h.Flush())
}

// written classifies an error of writing.
func written(err error) error {
	if err == nil {
		return nil
	}
	return baton.Errorf(baton.Storage, "report: write: %w", err)
}

// policy allows the page only its own style and script, and no requests.
func policy() string {
	return "default-src 'none'; style-src '" + digest(style) + "'; script-src '" + digest(script) + "'; base-uri 'none'; form-action 'none'"
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// builder makes the page from the population.
type builder struct {
	o             Options
	after, before *population
	diff          differencesOf
	budget        int // remaining rows of details for the page
	static        int // remaining rows of details for the HTML
	ids           int
	columns       []accountColumn // see people
}

func (b *builder) page() page {
	sync, tenant := b.o.After, b.after.tenant()
	name := shown(cmp.Or(b.after.connector.DisplayName, b.after.connector.Name))
	p := page{
		Kind:    "Access report",
		Heading: name,
		Lead:    "Who has access to what, as of " + sync.Ended.UTC().Format("2 January 2006, 15:04 UTC"),
		Answers: b.answers(),
	}
	switch {
	case name != "" && tenant != "":
		p.Heading += ", " + shown(tenant)
	case name == "":
		p.Heading = shown(cmp.Or(tenant, b.o.AfterSource.Name))
	}
	p.Title = p.Heading + ": access report, " + day(sync.Ended)
	if domains := b.after.domainList(); domains != "" {
		p.Facts = append(p.Facts, fact{Name: "Accounts at", Text: domains})
	}
	p.Facts = append(p.Facts,
		fact{Name: "Compared with", Text: b.comparedWith()},
		fact{Name: "File", Text: visible(b.o.AfterSource.Name), Code: true},
		fact{Name: "Sync", Text: visible(sync.ID), Code: true},
	)
	if name == "" {
		p.Facts = append(p.Facts, fact{Name: "Connector", Text: "not known: the file does not say which one wrote it"})
	}
	for _, n := range b.after.notes {
		if n.Counts {
			continue // the page has its own counts
		}
		p.Notes = append(p.Notes, note{n.Level.String(), shown(n.Label), cut(n.Text, 3*maxText)})
	}
	if b.before != nil {
		p.Sections = append(p.Sections, b.changeSection())
	}
	if len(b.after.roles.Roles) > 0 {
		p.Sections = append(p.Sections, b.roleSection())
	} else if s, ok := b.dormantSection(); ok {
		p.Sections = append(p.Sections, s)
	}
	p.Sections = append(p.Sections, b.resourceSections()...)
	p.Sections = append(p.Sections, b.accountSection())
	p.Evidence, p.Syncs, p.Small = b.evidence()
	return p
}

func (b *builder) comparedWith() string {
	if b.before == nil {
		return "nothing: the file has no earlier full sync"
	}
	before := b.o.Before
	text := "the sync of " + moment(before.Ended)
	if b.o.BeforeSource.Name != b.o.AfterSource.Name || b.o.BeforeSource.SHA256 != b.o.AfterSource.SHA256 {
		text += " in " + visible(b.o.BeforeSource.Name)
	}
	return text
}

// id returns a new id for an element.
func (b *builder) id(prefix string) string {
	b.ids++
	return fmt.Sprintf("%s%d", prefix, b.ids)
}

func (b *builder) evidence() (list []fact, syncs table, small []string) {
	o := b.o
	sync := o.After
	source := func(prefix string, s Source) []fact {
		return []fact{
			{Name: prefix, Text: fmt.Sprintf("%s, %s bytes", visible(s.Name), english.Number(int(s.Size)))},
			{Name: "SHA-256 of it", Text: s.SHA256, Code: true},
		}
	}
	list = append(list, source("File", o.AfterSource)...)
	list = append(list,
		fact{Name: "Sync", Text: visible(sync.ID) + " (" + visible(sync.Type) + ")", Code: true},
		fact{Name: "Started", Text: moment(sync.Started), Time: stamp(sync.Started)},
		fact{Name: "Ended", Text: moment(sync.Ended), Time: stamp(sync.Ended)},
	)
	for _, c := range b.after.counts {
		text := english.Count(c.Resources, "resource")
		if c.Entitlements+c.Grants > 0 {
			text += ", " + english.Count(c.Entitlements, "entitlement") + ", " + english.Count(c.Grants, "grant")
		}
		list = append(list, fact{Name: "Of type " + visible(c.Type), Text: text})
	}
	if o.Before != nil && o.BeforeSource != o.AfterSource {
		list = append(list, source("Compared file", o.BeforeSource)...)
	}
	list = append(list, fact{Name: "Made by", Text: visible(o.Program)})
	syncs = table{ID: b.id("t"), Caption: "Syncs in the file", Columns: []column{{"Sync", "c"}, {"Type", ""}, {"Started", ""}, {"Ended", ""}, {"In this report", ""}}}
	syncs = rows(syncs, b.o.rows(), o.After.File().Syncs(), func(s *c1z.Sync) []td {
		use := ""
		switch {
		case s.ID == sync.ID:
			use = "reported"
		case o.Before != nil && o.BeforeSource == o.AfterSource && s.ID == o.Before.ID:
			use = "compared with"
		}
		ended := moment(s.Ended)
		if ended == "" {
			ended = "never"
		}
		return []td{{Head: true, Code: visible(s.ID)}, {Text: visible(s.Type)}, {Text: moment(s.Started)}, {Text: ended}, {Text: use}}
	})
	small = []string{
		"This project's connectors write a sync only when every list of the upstream was proved complete. What a sync leaves out on purpose, with reasons and counts, is in its summary and log, not in the file.",
		"A sync records what is there. It does not record who put it there or who made a change.",
		"The page depends only on the files, the settings and the version of the program: the same ones give the same bytes.",
	}
	if diff := b.diff.same; diff > 0 {
		small = append(small, english.Count(diff, "row")+" changed in encoding only.")
	}
	if sync.Type != c1z.Full {
		small = append(small, "This sync is not a full one ("+visible(sync.Type)+"): what is absent here may exist.")
	}
	return list, syncs, small
}

func join(parts []string) string { return strings.Join(parts, ", ") }
