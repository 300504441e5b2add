package cli

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"baton"

	"github.com/spf13/cobra"
)

// help prints the short help: examples first, then commands, then the flags that
// most people need.
func (r *run) help(c *cobra.Command, _ []string) {
	w := bufio.NewWriter(c.OutOrStdout())
	defer w.Flush()
	if c.HasParent() {
		r.commandHelp(w, c)
		return
	}
	connector := r.program.Describe()
	fmt.Fprintf(w, "%s: %s\n\nExamples:\n", r.program.Name, connector.Description)
	for _, e := range r.examples(connector) {
		fmt.Fprintf(w, "  %s\n      %s\n", e[0], e[1])
	}
	fmt.Fprintf(w, "\nCommands:\n")
	table(w, commandRows(c))
	r.flagTables(w, connector, false)
	fmt.Fprintf(w, "\nEvery flag is also an environment variable (--log-level is BATON_LOG_LEVEL) and a line in .baton.yaml\n"+
		"(log-level: debug). The flag wins, then the environment.\n\nMore: %[1]s help flags, %[1]s help exit-codes, %[1]s help COMMAND\n", r.program.Name)
}

func (r *run) helpAll(to io.Writer) error {
	w := bufio.NewWriter(to)
	r.flagTables(w, r.program.Describe(), true)
	return w.Flush()
}

func (r *run) commandHelp(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", strings.TrimSpace(c.Short+"\n\n"+c.Long), c.UseLine())
	if rows := commandRows(c); len(rows) > 0 {
		fmt.Fprintf(w, "\nCommands:\n")
		table(w, rows)
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	if flags := c.LocalNonPersistentFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(w, "\nFlags:\n%s", flags)
	}
}

// examples are command lines to begin with, printed from what the connector can do.
func (r *run) examples(c *baton.Connector) [][2]string {
	var settings string
	for _, s := range r.program.Settings {
		switch {
		case s.Required && s.Kind == baton.SecretSetting:
			settings += " --" + s.Name + "-file FILE"
		case s.Required:
			settings += " --" + s.Name + " " + strings.ToUpper(s.Name[strings.LastIndex(s.Name, "-")+1:])
		}
	}
	var rows [][2]string
	add := func(wanted bool, args, what string) {
		if wanted {
			rows = append(rows, [2]string{r.program.Name + args, what})
		}
	}
	add(r.program.Sandbox != nil, " demo", "see it work, without an account")
	add(true, " doctor"+settings, "check the settings")
	add(true, settings, "sync into sync.c1z")
	add(true, " report --out report.html", "turn that into a page to read: who has access, and what changed")
	add(c.Grant != nil, " --grant-entitlement group:ID:member --grant-principal ID --grant-principal-type user", "make somebody a member")
	add(c.Revoke != nil, " --revoke-grant group:ID:member:user:ID", "end a membership")
	return rows
}

func commandRows(c *cobra.Command) [][2]string {
	var rows [][2]string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			rows = append(rows, [2]string{sub.Name(), sub.Short})
		}
	}
	return rows
}

// flagTables prints the flags by area; the flags of what the connector cannot do
// are left out of the short help.
func (r *run) flagTables(w io.Writer, c *baton.Connector, all bool) {
	cannot := map[operation]bool{opGrant: c.Grant == nil, opRevoke: c.Revoke == nil, opCreate: c.Account == nil,
		opInvoke: len(c.Actions) == 0, opList: len(c.Actions) == 0}
	for where, title := range areaTitles {
		var rows [][2]string
		for _, o := range r.all {
			hidden := o.Hidden || cannot[o.For] || o.Area == areaChange && !c.Provisions()
			if o.Area == area(where) && (all || !hidden) {
				rows = append(rows, [2]string{flagHead(o), flagTail(o)})
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(w, "\n%s:\n", title)
			table(w, rows)
		}
	}
	if all {
		fmt.Fprintf(w, "\nEvery flag is also an environment variable, as in BATON_LOG_LEVEL, and a key in .baton.yaml.\n")
	}
}

func flagHead(o option) string {
	head := "    --" + o.Name
	if o.Short != "" {
		head = "-" + o.Short + ", --" + o.Name
	}
	return strings.TrimRight(head+" "+kindWords[o.Kind], " ")
}

func flagTail(o option) string {
	var notes []string
	if o.Required {
		notes = append(notes, "required")
	}
	if def := defaultText(o.Setting); def != "" {
		notes = append(notes, "default "+def)
	}
	if o.Max != 0 {
		notes = append(notes, fmt.Sprintf("%d to %d", o.Min, o.Max))
	}
	if len(notes) == 0 {
		return o.Description
	}
	return o.Description + " (" + strings.Join(notes, ", ") + ")"
}

// table prints two columns.
func table(w io.Writer, rows [][2]string) {
	width := 0
	for _, row := range rows {
		width = max(width, len(row[0]))
	}
	for _, row := range rows {
		fmt.Fprintf(w, "  %-*s  %s\n", width, row[0], row[1])
	}
}

// helpCommand is "help", with topics beside the commands.
func (r *run) helpCommand(root *cobra.Command) *cobra.Command {
	topics := map[string]func(io.Writer) error{"flags": r.helpAll, "exit-codes": exitCodeHelp}
	return &cobra.Command{
		Use:   "help [command or topic]",
		Short: "Help about a command, flags or exit-codes",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return root.Help()
			}
			if topic, ok := topics[args[0]]; ok && len(args) == 1 {
				return topic(c.OutOrStdout())
			}
			about, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 || about == root {
				return baton.Errorf(baton.Invalid, "there is no help about %q", strings.Join(args, " ")).
					WithFix("ask for a command, flags or exit-codes")
			}
			return about.Help()
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			names := []string{"flags", "exit-codes"}
			for _, row := range commandRows(root) {
				names = append(names, row[0])
			}
			slices.Sort(names)
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func exitCodeHelp(w io.Writer) error {
	rows := [][2]string{{" 0", "success: done, or nothing had to be done"}}
	for _, row := range ExitCodes() {
		rows = append(rows, [2]string{fmt.Sprintf("%2d", row.Code), fmt.Sprintf("%s: %s", row.Kind, row.Meaning)})
	}
	fmt.Fprintln(w, "Exit codes:")
	table(w, rows)
	return nil
}
