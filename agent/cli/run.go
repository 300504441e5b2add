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
	"baton/internal/cgroup"
	"baton/internal/english"
	"baton/internal/output"
	"baton/internal/settings"

	"github.com/spf13/cobra"
)

// run is one run of a program.
type run struct {
	program        Program
	env            map[string]string
	envProblems    settings.Problems // of the environment itself
	stdout, stderr io.Writer
	memory         cgroup.Memory // of the process
	noConfigFile   bool          // ignore .baton.yaml, for the steps of the demo

	all   []option
	flags map[string]*flagText
	configuration
	*printer
}

// main executes the run, prints the error and returns the exit code.
func (r *run) main(ctx context.Context, args []string) int {
	err := r.execute(ctx, args)
	defer r.close()
	if err != nil {
		r.fail(err)
	}
	return exitCode(err)
}

// execute runs the command line and returns its error. r.printer is set afterwards.
func (r *run) execute(ctx context.Context, args []string) error {
	root := r.commands()
	// cobra takes nil for "use os.Args".
	root.SetArgs(append([]string{}, args...))
	root.SetOut(r.stdout)
	root.SetErr(r.stderr)
	err := root.ExecuteContext(ctx)
	if r.printer == nil {
		// The flags before the error are enough to print it.
		r.configuration = resolve(r.all, r.texts(), r.env, nil, new(settings.Problems))
		r.printer, _ = newPrinter(r.configuration, r.stdout, r.stderr, "console")
	}
	return err
}

// flagText holds the texts of a flag. They are parsed by the same code as the values of other
// sources.
type flagText struct {
	kind  baton.SettingKind
	texts []string
}

func (f *flagText) String() string        { return "" }
func (f *flagText) Set(text string) error { f.texts = append(f.texts, text); return nil }
func (f *flagText) Type() string          { return kindWords[f.kind] }
func (f *flagText) IsBoolFlag() bool      { return f.kind == baton.BoolSetting }

var kindWords = [...]string{"text", "", "number", "list", "secret"}

// addFlags declares every option on the root command and its sub-commands.
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

// start resolves the options of a run and creates its printer. format is the log format if
// none is set. Invalid options are reported together and, if required is set, with the
// required settings that are missing.
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

// warnOfSecrets warns of secrets on the command line and of secrets that are too short to
// redact.
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

// checkRequired reports the required settings that are missing. A run without a sub-command
// calls it after checking its operation.
func (r *run) checkRequired() error {
	var bad settings.Problems
	r.require(r.program, &bad)
	return bad.Err()
}

// accepts checks the flags of a sub-command: only those of the areas and with the names are
// allowed.
func (r *run) accepts(command string, areas []area, names ...string) error {
	for _, o := range r.all {
		if r.Typed(o.Name) && !slices.Contains(areas, o.Area) && !slices.Contains(names, o.Name) {
			return baton.Errorf(baton.Invalid, "--%s cannot be combined with %s", o.Name, command)
		}
	}
	return nil
}

// open returns the connector of this run. observe is called for every request; if it is nil,
// waits are logged.
func (r *run) open(ctx context.Context, retryFor time.Duration, observe func(rest.Attempt)) (*baton.Connector, rest.Options, error) {
	if observe == nil {
		observe = func(a rest.Attempt) {
			if text := waitText(a, time.Now()); text != "" {
				r.log.Info(text)
			}
		}
	}
	o := rest.Options{
		Log:       r.log,
		Timeout:   time.Duration(r.Values.Int("http-timeout-seconds")) * time.Second,
		RetryFor:  retryFor,
		CAFile:    r.Values.String("ca-file"),
		UserAgent: r.program.Name + "/" + r.program.version(),
		Observe:   observe,
	}
	if err := checkNetwork(r.env); err != nil {
		return nil, o, err
	}
	c, err := r.program.Open(maps.Clone(r.Values), o)
	if err != nil {
		return nil, o, err
	}
	return c, o, checkRoute(r.env, hostOf(c.Origin))
}
