package report

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"iter"
	"strings"

	"baton"
	"baton/c1z"
	"baton/internal/markup"
)

var (
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

// page is what is shown.
type page struct {
	Title    string
	Heading  string
	Lead     string
	Facts    []fact // in the head of the page
	Answers  []answer
	Notes    []note
	Sections []section
	Evidence []fact
	Syncs    table
	Small    []string
}

// fact is a line of a list: what, and its value.
type fact struct {
	Name, Text string
	Time       string // for machines
	Code       bool
}

// answer is a question of a reviewer with its answer.
type answer struct {
	Question, Figure, Text, Level, Link string
	Names                               []string
	More                                int
}

type note struct{ Level, Label, Text string }

// section is a part of the page.
type section struct {
	ID, Title, Lead string
	Nav             string // shorter than the title
	Bar             []segment
	Tables          []table
	Details         []detail
	Cut             string // what of the details is not on the page
	Many            bool   // the details are too many to print unless they are open
}

// detail is a table that opens under a heading.
type detail struct {
	ID, Name, Sub string
	Tags          []tag
	Counts        string
	Open          bool
	Tables        []table
}

// table is a table whose rows are made while they are written.
type table struct {
	ID, Caption, Lead string
	Hidden            bool // the caption is for those who do not see the heading
	Columns           []column
	Rows              iter.Seq[[]td]
	Total, Shown      int
	Empty             string
}

// Cut says how much of the table is not on the page.
func (t table) Cut() string {
	if t.Shown >= t.Total {
		return ""
	}
	return fmt.Sprintf("The first %s of %s rows. All of them are in the CSV and JSON forms of this report.", number(t.Shown), number(t.Total))
}

// On paper, a table has so many rows, and the details of a section if they have so many.
const (
	printedRows    = 200
	printedDetails = 1000
)

// Paper says how much of the table is not printed.
func (t table) Paper() string {
	if t.Shown <= printedRows {
		return ""
	}
	return fmt.Sprintf("The first %s of %s rows are printed. All of them are in the CSV and JSON forms of this report.", number(printedRows), number(t.Total))
}

// Large reports whether a filter is worth its place.
func (t table) Large() bool { return t.Shown > 12 }

type column struct{ Title, Class string }

// td is one cell.
type td struct {
	Name   string // with Sub below it
	Sub    string
	Text   string
	Code   string
	Number string
	Date   string
	Link   string
	Tags   []tag
	Bar    []segment
	Diff   []attribute
	Head   bool
}

type tag struct{ Level, Text string }

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

// bar shares 100 percent out among counts, with a gap of half a percent.
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
			Width: fmt.Sprintf("%.2f", max(0, width-0.4)), Label: labels[i], Count: number(n)})
		x += width
	}
	return parts
}

// HTML writes the report as one page that needs nothing else.
func HTML(ctx context.Context, w io.Writer, o Options) error {
	b, err := read(ctx, o)
	if err != nil {
		return err
	}
	if b.budget = o.rows(); o.Rows >= 0 {
		b.budget *= 10
	}
	if b.before != nil {
		if err := b.compare(ctx); err != nil {
			return err
		}
	}
	h := writer{markup.New(w)}
	h.page(b.page())
	return written(h.Flush())
}

// written classifies an error of writing.
func written(err error) error {
	if err == nil {
		return nil
	}
	return baton.Errorf(baton.Storage, "report: write: %w", err)
}

// policy lets the page load nothing and run nothing but its own style and script.
func policy() string {
	return "default-src 'none'; style-src '" + digest(style) + "'; script-src '" + digest(script) + "'; base-uri 'none'; form-action 'none'"
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// builder makes the page out of what was read.
type builder struct {
	o             Options
	after, before *population
	diff          differencesOf
	budget        int // rows of details that may still be on the page
	ids           int
}

func (b *builder) page() page {
	c, sync := b.o.Connector, b.o.After
	name := c.DisplayName
	if name == "" {
		name = c.Name
	}
	p := page{
		Title:   name + " access report, " + day(sync.Ended),
		Heading: name,
		Lead:    "Who has access to what, as of " + sync.Ended.UTC().Format("2 January 2006, 15:04 UTC"),
		Answers: b.answers(),
	}
	p.Facts = []fact{
		{Name: "Sync", Text: visible(sync.ID), Code: true},
		{Name: "File", Text: visible(b.o.AfterSource.Name), Code: true},
		{Name: "Compared with", Text: b.comparedWith()},
	}
	for _, n := range b.after.notes {
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
	p.Sections = append(p.Sections, b.thingSections()...)
	p.Sections = append(p.Sections, b.accountSection())
	p.Evidence, p.Syncs, p.Small = b.evidence()
	return p
}

func (b *builder) comparedWith() string {
	if b.before == nil {
		return "nothing: there is no full sync before it"
	}
	before := b.o.Before
	text := "the sync of " + moment(before.Ended)
	if b.o.BeforeSource.Name != b.o.AfterSource.Name || b.o.BeforeSource.SHA256 != b.o.AfterSource.SHA256 {
		text += " in " + visible(b.o.BeforeSource.Name)
	}
	return text
}

// id is a fresh id for an element.
func (b *builder) id(prefix string) string {
	b.ids++
	return fmt.Sprintf("%s%d", prefix, b.ids)
}

// rows makes the rows of a table, up to the limit.
func rows[T any](t table, limit int, list []T, row func(T) []td) table {
	t.Total = len(list)
	t.Shown = min(limit, len(list))
	t.Rows = func(yield func([]td) bool) {
		for _, one := range list[:t.Shown] {
			if !yield(row(one)) {
				return
			}
		}
	}
	return t
}

func (b *builder) evidence() (list []fact, syncs table, small []string) {
	o := b.o
	sync := o.After
	source := func(prefix string, s Source) []fact {
		return []fact{
			{Name: prefix, Text: fmt.Sprintf("%s, %s bytes", visible(s.Name), number(int(s.Size)))},
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
		text := plural(c.Resources, "resource")
		if c.Entitlements+c.Grants > 0 {
			text += ", " + plural(c.Entitlements, "entitlement") + ", " + plural(c.Grants, "grant")
		}
		list = append(list, fact{Name: "Of type " + visible(c.Type), Text: text})
	}
	if o.Before != nil && o.BeforeSource != o.AfterSource {
		list = append(list, source("Compared file", o.BeforeSource)...)
	}
	list = append(list, fact{Name: "Made by", Text: visible(o.Program)})
	syncs = table{ID: b.id("t"), Caption: "Syncs in the file", Columns: []column{{"Sync", ""}, {"Type", ""}, {"Started", ""}, {"Ended", ""}, {"In this report", ""}}}
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
		"A sync is written only when every list of the upstream was proved complete, so what is missing here was missing there. What a sync leaves out on purpose, with reasons and counts, is in its summary and log; the file does not record it.",
		"A sync says what is there, not who put it there. Who made a change is not recorded here.",
		"There is no clock in this page: the same file and the same program give the same bytes.",
	}
	if diff := b.diff.same; diff > 0 {
		small = append(small, plural(diff, "row")+" differ in their bytes only, not in anything that they say.")
	}
	if sync.Type != c1z.Full {
		small = append(small, "This sync is not a full one ("+visible(sync.Type)+"): what is absent here may exist.")
	}
	return list, syncs, small
}

// names joins a few names, with how many more there are.
func names(g group) (list []string, more int) {
	for _, n := range g.first {
		list = append(list, shown(n))
	}
	return list, g.n - len(g.first)
}

func join(parts []string) string { return strings.Join(parts, ", ") }
