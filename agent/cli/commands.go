package cli

import (
	"context"
	"strings"

	"baton"
	"baton/internal/english"
	"baton/internal/settings"

	"github.com/spf13/cobra"
)

// commands returns the command tree. The root command runs a sync, or the change or the
// service that flags ask for.
func (r *run) commands() *cobra.Command {
	p := r.program
	root := &cobra.Command{
		Use:           p.Name,
		Short:         p.Describe().Description,
		Version:       p.version(),
		Args:          r.noArguments,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	helpAll := root.Flags().Bool("help-all", false, "the flags alone, as help flags prints them")
	root.RunE = func(c *cobra.Command, _ []string) error {
		if *helpAll {
			return r.helpFlags(c.OutOrStdout())
		}
		return r.root(c.Context())
	}
	r.addFlags(root)
	root.SetFlagErrorFunc(r.flagError)
	root.SetHelpFunc(r.help)
	root.SetHelpCommand(r.helpCommand(root))
	root.AddCommand(
		r.command("capabilities", "Print the capabilities of the connector, as JSON", r.capabilities),
		r.command("config", "Print the settings, as JSON", r.config),
		r.healthCheckCommand(),
		r.manCommand(root),
		r.reportCommand(),
		r.command("doctor", "Check settings, credentials and the upstream, with a fix for each problem", r.doctor),
	)
	if p.Sandbox != nil {
		root.AddCommand(r.demoCommand(), r.sandboxCommand())
	}
	return root
}

func (r *run) command(name, short string, do func(context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use:   name,
		Short: short,
		Args:  r.noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return do(c.Context()) },
	}
}

// noArguments refuses arguments that are neither flags nor commands.
func (r *run) noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.HasParent() {
		return baton.Errorf(baton.Invalid, "%s takes no arguments, but %q was given", c.Name(), args[0])
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	e := baton.Errorf(baton.Invalid, "there is no command %q", args[0])
	if candidates := english.Near(args[0], names); len(candidates) > 0 {
		return e.WithFix("did you mean %s?", english.Or(candidates))
	}
	return e.WithFix("see %s --help", c.Name())
}

// flagError classifies an error of cobra, and suggests flags of similar names.
func (r *run) flagError(c *cobra.Command, err error) error {
	e := baton.Errorf(baton.Invalid, "%w", err)
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return e.WithFix("see %s --help", c.CommandPath())
	}
	if fix := settings.Meant(name, known(r.all)); fix != "" {
		return e.WithFix("%s", strings.Replace(fix, "did you mean ", "did you mean --", 1))
	}
	return e.WithFix("see %s help flags", c.Root().Name())
}

// root runs the program without a sub-command.
func (r *run) root(ctx context.Context) error {
	if err := r.start("", false); err != nil {
		return err
	}
	if err := refused(r.all, r.configuration); err != nil {
		return err
	}
	op, err := choose(r.all, r.configuration)
	if err != nil {
		return err
	}
	if err := r.possible(op); err != nil {
		return err
	}
	for _, text := range ignored(r.all, r.configuration) {
		r.warn("%s", text)
	}
	switch op {
	case opSync:
		return r.sync(ctx)
	case opList:
		return r.listActions()
	case opService:
		return r.service(ctx)
	}
	return r.change(ctx, op)
}

// possible checks that the connector supports the operation.
func (r *run) possible(op operation) error {
	c := r.program.Describe()
	has := map[operation]bool{
		opGrant: c.Grant != nil, opRevoke: c.Revoke != nil, opCreate: c.Account != nil,
		opInvoke: len(c.Actions) > 0, opList: true, opSync: true, opService: true,
	}
	if has[op] {
		return nil
	}
	return baton.Errorf(baton.Unsupported, "%s has no %s", r.program.Name, map[operation]string{
		opGrant: "way to grant", opRevoke: "way to revoke", opCreate: "way to create accounts",
		opInvoke: "actions",
	}[op])
}
