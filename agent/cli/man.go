package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"baton/internal/manual"
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

func (r *run) man(to io.Writer, root *cobra.Command) error {
	c, name := r.program.Describe(), r.program.Name
	p := manual.New(to, name, r.program.version(), c.Description)
	p.Synopsis(name, "command", "flags")
	p.Section("Description")
	p.Text("Without a command and without a change, %s syncs into the file that --file names. "+
		"With --client-id and --client-secret it runs as a service, which carries out the tasks of ConductorOne.", name)
	p.Text("Every flag is also an environment variable (--log-level is BATON_LOG_LEVEL) and a line in .baton.yaml (log-level: debug). " +
		"The flag wins, then the environment.")
	p.Section("Examples")
	for _, e := range r.examples(c) {
		p.Example(e[0], e[1])
	}
	p.Section("Commands")
	for _, row := range commandRows(root) {
		p.Item(row[0], row[1])
	}
	p.Section("Options")
	r.manOptions(p)
	p.Section("Environment")
	for _, row := range otherVariables() {
		p.Item(row[0], row[1]+".")
	}
	p.Section("Files")
	p.Item("sync.c1z", "The result of a sync.")
	p.Item("sync.c1z.pages", "The pages of a sync that is in progress or was interrupted.")
	p.Item(".baton.yaml", "Settings.")
	p.Section("Exit status")
	p.Item("0", "Done, or nothing had to be done.")
	for _, row := range ExitCodes() {
		p.Item(fmt.Sprint(row.Code), fmt.Sprintf("%s: %s.", row.Kind, row.Meaning))
	}
	return p.Flush()
}

// manOptions lists the options by area, without those that are not supported.
func (r *run) manOptions(p manual.Page) {
	for where, title := range areaTitles {
		if area(where) == areaUnsupported {
			continue
		}
		p.Subsection(title)
		for _, o := range r.all {
			if o.Area != area(where) {
				continue
			}
			p.Item(strings.TrimSpace(flagHead(o)), flagTail(o)+". "+envName(o.Name)+".")
		}
	}
}
