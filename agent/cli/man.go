package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// manCommand prints the manual page, which has the contents of --help. It is for those who
// package the program.
func (r *run) manCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "man",
		Short:  "Print the manual page",
		Long:   "It is written in man(7) macros: " + r.program.Name + " man | man -l -",
		Hidden: true,
		Args:   r.noArguments,
		RunE:   func(c *cobra.Command, _ []string) error { return r.man(c.OutOrStdout(), root) },
	}
}

// page writes a manual page. It escapes the text that is passed to it.
type page struct{ *bufio.Writer }

// section begins a section.
func (p page) section(title string) { fmt.Fprintf(p, ".SH %s\n", roff(strings.ToUpper(title))) }

// sub begins a subsection.
func (p page) sub(title string) { fmt.Fprintf(p, ".SS %s\n", roff(title)) }

// text writes a paragraph.
func (p page) text(format string, args ...any) {
	fmt.Fprintf(p, ".PP\n%s\n", roff(fmt.Sprintf(format, args...)))
}

// item writes a term, in bold, and its meaning.
func (p page) item(term, meaning string) {
	fmt.Fprintf(p, ".TP\n\\fB%s\\fR\n%s\n", strings.TrimPrefix(roff(term), `\&`), roff(meaning))
}

// example writes a command line and its purpose.
func (p page) example(line, why string) {
	fmt.Fprintf(p, ".PP\n%s:\n.PP\n.in +4n\n.nf\n%s\n.fi\n.in\n", roff(why), roff(line))
}

// roff escapes the characters that the formatter interprets: backslashes, dots and quotes
// at the beginning of a line, and hyphens, which it would print as dashes.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\r", "").Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func (r *run) man(to io.Writer, root *cobra.Command) error {
	p := page{bufio.NewWriter(to)}
	c, name := r.program.Describe(), r.program.Name
	fmt.Fprintf(p, ".TH %s 1 \"\" \"%s\" \"Baton\"\n", roff(strings.ToUpper(name)), roff(name+" "+r.program.version()))
	p.section("Name")
	fmt.Fprintf(p, "%s \\- %s\n", roff(name), roff(c.Description))
	p.section("Synopsis")
	fmt.Fprintf(p, ".B %s\n[\\fIcommand\\fR] [\\fIflags\\fR]\n", roff(name))
	p.section("Description")
	p.text("Without a command and without a change, %s syncs into the file that --file names. "+
		"With --client-id and --client-secret it runs as a service, which carries out the tasks of ConductorOne.", name)
	p.text("Every flag is also an environment variable (--log-level is BATON_LOG_LEVEL) and a line in .baton.yaml (log-level: debug). " +
		"The flag wins, then the environment.")
	p.section("Examples")
	for _, e := range r.examples(c) {
		p.example(e[0], e[1])
	}
	p.section("Commands")
	for _, row := range commandRows(root) {
		p.item(row[0], row[1])
	}
	p.section("Options")
	r.manOptions(p)
	p.section("Environment")
	for _, row := range otherVariables() {
		p.item(row[0], row[1]+".")
	}
	p.section("Files")
	p.item("sync.c1z", "The result of a sync.")
	p.item("sync.c1z.pages", "The pages of a sync that is in progress or was interrupted.")
	p.item(".baton.yaml", "Settings.")
	p.section("Exit status")
	p.item("0", "Done, or nothing had to be done.")
	for _, row := range ExitCodes() {
		p.item(fmt.Sprint(row.Code), fmt.Sprintf("%s: %s.", row.Kind, row.Meaning))
	}
	return p.Flush()
}

// manOptions lists the options by area, without those that are not supported.
func (r *run) manOptions(p page) {
	for where, title := range areaTitles {
		if area(where) == areaUnsupported {
			continue
		}
		p.sub(title)
		for _, o := range r.all {
			if o.Area != area(where) {
				continue
			}
			p.item(strings.TrimSpace(flagHead(o)), flagTail(o)+". "+envName(o.Name)+".")
		}
	}
}
