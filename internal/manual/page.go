// Package manual writes manual pages in man(7) macros.
package manual

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Page is a manual page in progress. It escapes the text that is passed to it. Errors of the
// writer are returned by Flush.
type Page struct{ w *bufio.Writer }

// New begins the page of a program for section 1: its name, version, and a description in one line.
func New(to io.Writer, name, version, short string) Page {
	p := Page{bufio.NewWriter(to)}
	fmt.Fprintf(p.w, ".TH %s 1 \"\" \"%s\" \"Baton\"\n", escape(strings.ToUpper(name)), escape(name+" "+version))
	p.Section("Name")
	fmt.Fprintf(p.w, "%s \\- %s\n", escape(name), escape(short))
	return p
}

// Synopsis writes the usage: the name, and the rest in italics.
func (p Page) Synopsis(name string, arguments ...string) {
	p.Section("Synopsis")
	fmt.Fprintf(p.w, ".B %s\n", escape(name))
	for i, a := range arguments {
		arguments[i] = "[\\fI" + escape(a) + "\\fR]"
	}
	fmt.Fprintln(p.w, strings.Join(arguments, " "))
}

// Section begins a section.
func (p Page) Section(title string) { fmt.Fprintf(p.w, ".SH %s\n", escape(strings.ToUpper(title))) }

// Subsection begins a subsection.
func (p Page) Subsection(title string) { fmt.Fprintf(p.w, ".SS %s\n", escape(title)) }

// Text writes a paragraph.
func (p Page) Text(format string, args ...any) {
	fmt.Fprintf(p.w, ".PP\n%s\n", escape(fmt.Sprintf(format, args...)))
}

// Item writes a term, in bold, and its meaning.
func (p Page) Item(term, meaning string) {
	fmt.Fprintf(p.w, ".TP\n\\fB%s\\fR\n%s\n", strings.TrimPrefix(escape(term), `\&`), escape(meaning))
}

// Example writes command lines, after their purpose.
func (p Page) Example(lines, why string) {
	fmt.Fprintf(p.w, ".PP\n%s:\n.PP\n.in +4n\n.nf\n%s\n.fi\n.in\n", escape(why), escape(lines))
}

func (p Page) Flush() error { return p.w.Flush() }

// escape escapes the characters that the formatter interprets: backslashes, dots and quotes
// at the beginning of a line, and hyphens, which it would print as dashes.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\r", "").Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
