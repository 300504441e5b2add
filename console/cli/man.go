package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"baton/internal/manual"
)

// manCommand prints the manual page, for packagers.
func (r *run) manCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{Use: "man", Short: "Print the manual page", Long: "It is written in man(7) macros: " + program + " man | man -l -", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p := manual.New(r.stdout, program, r.buildVersion(), root.Short)
			p.Synopsis(program, "command", "flags")
			p.Section("Description")
			p.Text("A setting is a flag, the environment variable beside it, or a line such as \"listen: 127.0.0.1:8443\" in the file that --config names. " +
				"The flag wins, then the environment.")
			p.Section("Commands")
			commandPages(p, root)
			p.Section("Exit status")
			p.Text("0 if it is done, or nothing had to be done. Other codes are the kind of the error, and the same as those of the connectors. " +
				"plan also ends with 2: the console differs from the files.")
			return toStdout(p.Flush())
		}}
}

// commandPages writes a subsection for each runnable command.
func commandPages(p manual.Page, c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" {
			continue
		}
		if sub.HasSubCommands() {
			commandPages(p, sub)
			continue
		}
		p.Subsection(strings.TrimPrefix(sub.CommandPath(), program+" ") + strings.TrimPrefix(sub.Use, sub.Name()))
		p.Text("%s.", sub.Short)
		if sub.Long != "" {
			p.Text("%s", sub.Long)
		}
		if sub.Example != "" {
			p.Example(sub.Example, "For example")
		}
		if flags := sub.LocalFlags().FlagUsagesWrapped(90); flags != "" {
			p.Example(flags, "Flags")
		}
	}
}
