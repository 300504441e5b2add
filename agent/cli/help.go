package cli

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"baton"

	"github.com/spf13/cobra"
)

// helpWidth is the number of columns that the help fits into.
const helpWidth = 80

// help prints examples, commands and every flag.
func (r *run) help(c *cobra.Command, _ []string) {
	w := bufio.NewWriter(c.OutOrStdout())
	defer w.Flush()
	if c.HasParent() {
		commandHelp(w, c)
		return
	}
	connector := r.program.Describe()
	indented(w, 0, r.program.Name+": "+connector.Description)
	fmt.Fprintf(w, "\nExamples:\n")
	for _, e := range r.examples(connector) {
		fmt.Fprintf(w, "  %s\n", strings.Join(wrapCommand(e[0]), " \\\n      "))
		indented(w, 6, e[1])
	}
	fmt.Fprintf(w, "\nCommands:\n")
	table(w, commandRows(c), helpWidth)
	r.flagHelp(w, connector)
	fmt.Fprintf(w, "\nMore: %[1]s help exit-codes, %[1]s help COMMAND\n", r.program.Name)
}

// helpFlags prints the part of the help that lists the flags.
func (r *run) helpFlags(to io.Writer) error {
	w := bufio.NewWriter(to)
	r.flagHelp(w, r.program.Describe())
	return w.Flush()
}

func commandHelp(w io.Writer, c *cobra.Command) {
	indented(w, 0, c.Short)
	if c.Long != "" {
		fmt.Fprintln(w)
		for line := range strings.SplitSeq(strings.TrimSpace(c.Long), "\n") {
			if len(line) <= helpWidth {
				fmt.Fprintln(w, line)
			} else {
				indented(w, 0, line)
			}
		}
	}
	fmt.Fprintf(w, "\nUsage:\n  %s\n", c.UseLine())
	if rows := commandRows(c); len(rows) > 0 {
		fmt.Fprintf(w, "\nCommands:\n")
		table(w, rows, helpWidth)
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	if flags := c.LocalNonPersistentFlags().FlagUsagesWrapped(helpWidth); flags != "" {
		fmt.Fprintf(w, "\nFlags:\n%s", flags)
	}
}

// examples returns command lines for a start, chosen by the connector's abilities.
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
	add := func(wanted bool, args, purpose string) {
		if wanted {
			rows = append(rows, [2]string{r.program.Name + args, purpose})
		}
	}
	add(r.program.Sandbox != nil, " demo", "try it on a generated organisation, without an account")
	add(true, " doctor"+settings, "check the settings")
	add(true, settings, "sync into sync.c1z")
	add(true, " report --out report.html", "write a page to read: who has access, and what changed")
	add(c.Grant != nil, " --grant-entitlement group:ID:member --grant-principal ID --grant-principal-type user", "make an account a member")
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

// flagHelp lists every flag: the common ones by area, then the advanced ones by area, then
// those that exist for other connectors only.
func (r *run) flagHelp(w io.Writer, c *baton.Connector) {
	fmt.Fprintln(w)
	indented(w, 0, "Each flag is also an environment variable, shown in brackets, and a line in .baton.yaml, "+
		"such as log-level: debug. The flag wins, then the environment, then the file.")
	var unusable []string // headings, in order
	flags := map[string][]option{}
	for _, o := range r.all {
		if why := useless(o, c); why != "" {
			if flags[why] == nil {
				unusable = append(unusable, why)
			}
			flags[why] = append(flags[why], o)
		}
	}
	for _, advanced := range []bool{false, true} {
		for where, title := range areaTitles {
			if advanced {
				title += ", advanced"
			}
			heading := "\n" + title + ":\n"
			for _, o := range r.all {
				if o.Area != area(where) || o.Hidden != advanced || useless(o, c) != "" {
					continue
				}
				fmt.Fprint(w, heading)
				heading = ""
				flagLine(w, o)
				indented(w, 10, flagTail(o))
			}
		}
	}
	fmt.Fprintf(w, "\nOther environment variables:\n")
	table(w, otherVariables(), helpWidth)
	if len(unusable) > 0 {
		fmt.Fprintf(w, "\nKnown from other Baton connectors:\n")
	}
	for _, why := range unusable {
		indented(w, 2, why+":")
		for _, o := range flags[why] {
			flagLine(w, o)
		}
	}
}

// otherVariables lists the environment variables that are not flags, and what they do.
func otherVariables() [][2]string {
	return [][2]string{
		{"BATON_CONFIG_PATH", "Settings file to read in place of .baton.yaml"},
		{settingsDirEnv, "Folder with a file for each variable, named like the variable, for variables that are not set"},
		{"HTTPS_PROXY, NO_PROXY", "Proxy to use, and hosts to reach without it"},
		{"SSL_CERT_FILE", "Certificate authorities to trust in place of the system's file; those in the system's folder stay, unless SSL_CERT_DIR names another"},
		{"GOMEMLIMIT", "Memory to use before garbage is collected more often (default: nine tenths of the limit of the control group)"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "OpenTelemetry collector to export to; the other OTEL_ variables are read as well"},
	}
}

// useless says why this connector does not need the flag, or returns "".
func useless(o option, c *baton.Connector) string {
	cannot := map[operation]bool{opGrant: c.Grant == nil, opRevoke: c.Revoke == nil, opCreate: c.Account == nil,
		opInvoke: len(c.Actions) == 0, opList: len(c.Actions) == 0}
	switch {
	case o.Refuse != "":
		return "Refused, because " + o.Refuse
	case o.Ignore != "":
		return "Without effect, because " + o.Ignore
	case o.Area == areaChange && !c.Provisions():
		return "Of no use, because this connector makes no changes"
	case cannot[o.For]:
		return "Refused, because this connector cannot do this"
	}
	return ""
}

// flagLine prints a flag and its variables, on two lines if one is too short.
func flagLine(w io.Writer, o option) {
	head, variables := "  "+flagHead(o), "["+envName(o.Name)
	if o.Env != "" {
		variables += ", " + o.Env
	}
	variables += "]"
	if len(head)+1+len(variables) <= helpWidth {
		fmt.Fprintf(w, "%s %s\n", head, variables)
		return
	}
	fmt.Fprintf(w, "%s\n          %s\n", head, variables)
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

// table prints two columns. The second is wrapped so that lines have at most width
// columns; 0 is no limit.
func table(w io.Writer, rows [][2]string, width int) {
	first := 0
	for _, row := range rows {
		first = max(first, len(row[0]))
	}
	for _, row := range rows {
		lines := []string{row[1]}
		if width > 0 {
			lines = wrap(row[1], width-first-4)
		}
		fmt.Fprintf(w, "  %-*s  %s\n", first, row[0], strings.Join(lines, "\n"+strings.Repeat(" ", first+4)))
	}
}

// indented prints a paragraph behind an indentation.
func indented(w io.Writer, columns int, text string) {
	for _, line := range wrap(text, helpWidth-columns) {
		fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", columns), line)
	}
}

// wrap breaks text at blanks into lines of at most width characters, except for longer
// words.
func wrap(text string, width int) []string {
	return fill(strings.Fields(text), width)
}

// wrapCommand breaks a command line before flags, with space for the backslash that continues
// a line.
func wrapCommand(text string) []string {
	words := strings.Split(text, " --")
	for i := range words[1:] {
		words[i+1] = "--" + words[i+1]
	}
	return fill(words, helpWidth-8)
}

// fill joins as many words as fit into each line.
func fill(words []string, width int) []string {
	lines := []string{""}
	for _, word := range words {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// helpCommand returns the command "help", with topics beside the commands.
func (r *run) helpCommand(root *cobra.Command) *cobra.Command {
	topics := map[string]func(io.Writer) error{"flags": r.helpFlags, "exit-codes": exitCodeHelp}
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
	table(w, rows, helpWidth)
	return nil
}
