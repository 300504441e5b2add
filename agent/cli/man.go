package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// manCommand prints the manual page, which is made from what --help is made from. It
// is for those who package the program.
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

// page writes a manual page. What is passed to it is text; it does the escaping.
type page struct{ *bufio.Writer }

// section begins one.
func (p page) section(title string) { fmt.Fprintf(p, ".SH %s\n", roff(strings.ToUpper(title))) }

// sub begins a part of a section.
func (p page) sub(title string) { fmt.Fprintf(p, ".SS %s\n", roff(title)) }

// text is a paragraph.
func (p page) text(format string, args ...any) {
	fmt.Fprintf(p, ".PP\n%s\n", roff(fmt.Sprintf(format, args...)))
}

// item is a term, in bold, and what it means.
func (p page) item(term, meaning string) {
	fmt.Fprintf(p, ".TP\n\\fB%s\\fR\n%s\n", strings.TrimPrefix(roff(term), `\&`), roff(meaning))
}

// example is what to type, and why.
func (p page) example(line, why string) {
	fmt.Fprintf(p, ".PP\n%s:\n.PP\n.in +4n\n.nf\n%s\n.fi\n.in\n", roff(why), roff(line))
}

// roff escapes what would mean something to the formatter: backslashes anywhere,
// dots and quotes where a line begins, and hyphens, which it would print as dashes that
// nobody can copy.
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
		"With --client-id and --client-secret it stays, and does what ConductorOne asks for.", name)
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
	p.item("BATON_CONFIG_PATH", "The settings file, in place of .baton.yaml.")
	p.item(settingsDirEnv, "A folder with a file for each variable, named as the variable, for those that are not set.")
	p.item("HTTPS_PROXY, NO_PROXY", "The proxy to use, and for which hosts not to.")
	p.item("SSL_CERT_FILE", "The authorities to trust, in place of the system's.")
	p.item("GOMEMLIMIT", "How much memory to use before more is spent on collecting garbage; nine tenths of the control group's limit unless set.")
	p.item("OTEL_EXPORTER_OTLP_ENDPOINT", "The OpenTelemetry collector to export to. The other variables of that kind are respected, too.")
	p.section("Files")
	p.item("sync.c1z", "What a sync found.")
	p.item("sync.c1z.pages", "The pages of a sync that is under way, or was interrupted.")
	p.item(".baton.yaml", "Settings.")
	p.section("Exit status")
	p.item("0", "Done, or nothing had to be done.")
	for _, row := range ExitCodes() {
		p.item(fmt.Sprint(row.Code), fmt.Sprintf("%s: %s.", row.Kind, row.Meaning))
	}
	return p.Flush()
}

// manOptions lists what can be set, by area, but for what is answered with a reason
// only.
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
