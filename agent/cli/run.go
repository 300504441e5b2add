package cli

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/internal/english"
	"baton/internal/output"
	"baton/internal/settings"

	"github.com/spf13/cobra"
)

// run is one run of a program: a command line on its way to an exit code.
type run struct {
	program        Program
	env            map[string]string
	envProblems    settings.Problems // of the environment itself
	stdout, stderr io.Writer
	memory         memory // of the process
	noConfigFile   bool   // the demo's steps depend on nothing that lies around

	all   []option
	flags map[string]*flagText
	configuration
	*printer
}

// main runs, prints the error and returns the exit code.
func (r *run) main(ctx context.Context, args []string) int {
	err := r.execute(ctx, args)
	defer r.close()
	if err != nil {
		r.fail(err)
	}
	return exitCode(err)
}

// execute runs and leaves the error to be printed; there is a printer afterwards.
func (r *run) execute(ctx context.Context, args []string) error {
	root := r.commands()
	// cobra takes nil for "use os.Args".
	root.SetArgs(append([]string{}, args...))
	root.SetOut(r.stdout)
	root.SetErr(r.stderr)
	err := root.ExecuteContext(ctx)
	if r.printer == nil {
		// The command line was not read to its end; what was is enough to say so.
		r.configuration = resolve(r.all, r.texts(), r.env, nil, new(settings.Problems))
		r.printer, _ = newPrinter(r.configuration, r.stdout, r.stderr, "console")
	}
	return err
}

// flagText is a flag's value: what was written, not yet what it means, so that
// flags are parsed by the same code as every other source.
type flagText struct {
	kind  baton.SettingKind
	texts []string
}

func (f *flagText) String() string        { return "" }
func (f *flagText) Set(text string) error { f.texts = append(f.texts, text); return nil }
func (f *flagText) Type() string          { return kindWords[f.kind] }
func (f *flagText) IsBoolFlag() bool      { return f.kind == baton.BoolSetting }

var kindWords = [...]string{"text", "", "number", "list", "secret"}

// addFlags declares every option on the root command, for it and its
// sub-commands.
func (r *run) addFlags(root *cobra.Command) {
	r.all, r.flags = options(r.program.Settings), map[string]*flagText{}
	for _, o := range r.all {
		f := &flagText{kind: o.Kind}
		r.flags[o.Name] = f
		flag := root.PersistentFlags().VarPF(f, o.Name, o.Short, o.Description)
		flag.Hidden = o.Hidden
		if o.Kind == baton.BoolSetting {
			flag.NoOptDefVal = "true"
		}
	}
}

func (r *run) texts() map[string][]string {
	texts := map[string][]string{}
	for name, f := range r.flags {
		texts[name] = f.texts
	}
	return texts
}

// start resolves the options of a run and sets up its output. format is the log
// format when none is asked for. Options that are wrong are reported together with
// required settings that are missing, where required.
func (r *run) start(format string, required bool) error {
	bad := settings.Problems{Texts: slices.Clone(r.envProblems.Texts), Fixes: slices.Clone(r.envProblems.Fixes)}
	var file map[string]settings.Given
	if !r.noConfigFile {
		file = fileValues(r.env, r.all, &bad)
	}
	r.configuration = resolve(r.all, r.texts(), r.env, file, &bad)
	settingNames.Misspelt(known(r.all), r.env, &bad)
	if required {
		r.require(r.program, &bad)
	}
	var err error
	r.printer, err = newPrinter(r.configuration, r.stdout, r.stderr, format)
	if err := cmp.Or(bad.Err(), err); err != nil {
		return err
	}
	r.warnOfSecrets()
	return nil
}

// warnOfSecrets warns of secrets that others can see, and of those that cannot be kept
// out of the output.
func (r *run) warnOfSecrets() {
	for _, o := range r.all {
		if o.Kind != baton.SecretSetting || !r.Has(o.Name) {
			continue
		}
		g := r.From[o.Name]
		if g.Label == "--"+o.Name {
			r.warn("--%s on the command line can be seen by others on this machine; use --%s-file or %s", o.Name, o.Name, envName(o.Name))
		}
		if n := len(r.Values.Secret(o.Name).Reveal()); n < output.MinRedacted {
			r.warn("%s has %s: a secret of fewer than %d is not redacted where an upstream repeats it, and is probably not the whole secret",
				g.Label, english.Count(n, "character"), output.MinRedacted)
		}
	}
}

// checkRequired reports the required settings that are missing. A run without a
// sub-command asks for it once it is clear that what is wanted makes sense.
func (r *run) checkRequired() error {
	var bad settings.Problems
	r.require(r.program, &bad)
	return bad.Err()
}

// accepts checks the flags of a sub-command: those of the areas, and names.
func (r *run) accepts(command string, areas []area, names ...string) error {
	for _, o := range r.all {
		if r.Typed(o.Name) && !slices.Contains(areas, o.Area) && !slices.Contains(names, o.Name) {
			return baton.Errorf(baton.Invalid, "--%s does not go with %s", o.Name, command)
		}
	}
	return nil
}

// open makes the connector of this run. observe hears of every request; when it is
// nil, waiting is logged.
func (r *run) open(ctx context.Context, retryFor time.Duration, observe func(rest.Attempt)) (*baton.Connector, Env, error) {
	if observe == nil {
		observe = func(a rest.Attempt) {
			if text := waitText(a, time.Now()); text != "" {
				r.log.Info(text)
			}
		}
	}
	env := Env{
		Log:         r.log,
		HTTPTimeout: time.Duration(r.Values.Int("http-timeout-seconds")) * time.Second,
		RetryFor:    retryFor,
		CAFile:      r.Values.String("ca-file"),
		UserAgent:   r.program.Name + "/" + r.program.version(),
		Observe:     observe,
	}
	if err := checkNetwork(r.env); err != nil {
		return nil, env, err
	}
	c, err := r.program.Open(ctx, maps.Clone(r.Values), env)
	if err != nil {
		return nil, env, err
	}
	return c, env, checkRoute(r.env, hostOf(c.Origin))
}
