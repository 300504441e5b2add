package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton"
	"baton/console"
	"baton/console/config"
	"baton/console/installation"
	"baton/console/store"
	"baton/internal/disk"
	"baton/internal/output"
)

// differs is the exit code of a plan that is not empty.
const differs = 2

// exitCode is an error that only sets the exit code.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func (r *run) planCommand() *cobra.Command {
	return r.command(spec{use: "plan", short: "Show how the console differs from configuration files", settings: append([]string{"files", "source", "prune", "json"}, asked...),
		long: `Reads a file, or all files of a folder that end in .yaml or .yml, and shows what baton-console apply would do. Nothing changes.
The exit code is 0 if the console is as the files say, and 2 if it differs. The console may serve meanwhile.`,
		example: "  baton-console plan -f configuration/ --as ana@example.com"},
		func(ctx context.Context, _ []string) error {
			return r.withConfiguration(ctx, func(in *installation.Installation, f *config.File, by console.By, o config.Options) error {
				plan, err := f.Plan(ctx, in.Store, by, o)
				if err != nil {
					return err
				}
				if err := r.printPlan(plan, "Nothing was changed."); err != nil {
					return err
				}
				if len(plan.Changes) > 0 {
					return exitCode(differs)
				}
				return nil
			})
		})
}

func (r *run) applyCommand() *cobra.Command {
	return r.command(spec{use: "apply", short: "Change the console as configuration files say", settings: append([]string{"files", "source", "prune", "plan", "json"}, asked...),
		long: `Creates and changes what the files describe, in one transaction. What they do not name stays; with --prune, what the files
of this source described before and do not any more is removed. Changes that weaken a control wait until somebody else confirms
them. Applying the same files again changes nothing. The console may serve meanwhile.`,
		example: "  baton-console apply -f configuration/ --as ana@example.com"},
		func(ctx context.Context, _ []string) error {
			return r.withConfiguration(ctx, func(in *installation.Installation, f *config.File, by console.By, o config.Options) error {
				_, plan, err := f.Apply(ctx, in.Store, by, o)
				if err != nil {
					return err
				}
				return r.printPlan(plan, "Done.")
			})
		})
}

func (r *run) exportCommand() *cobra.Command {
	return r.command(spec{use: "export", short: "Write the configuration as files for apply", settings: append([]string{"files"}, asked...),
		long: `Writes the configuration without secrets to stdout, or with --files to the files of a folder: the same bytes while nothing
changes. The people are those whom the configuration names, and their managers.`,
		example: "  baton-console export -f configuration/ --as ana@example.com"},
		func(ctx context.Context, _ []string) error {
			return r.withInstallation(ctx, func(in *installation.Installation) error {
				var text []byte
				err := in.Store.View(ctx, func(t *store.Tx) (err error) {
					if _, err = r.administrator(t); err == nil {
						text, err = config.Export(t)
					}
					return err
				})
				if err != nil {
					return err
				}
				if r.Values.String("files") != "" {
					return r.writeExport(text)
				}
				_, err = r.stdout.Write(text)
				return toStdout(err)
			})
		})
}

// withConfiguration reads the files, and calls do with the person who applies them.
func (r *run) withConfiguration(ctx context.Context, do func(*installation.Installation, *config.File, console.By, config.Options) error) error {
	path := r.Values.String("files")
	if path == "" {
		return baton.Errorf(baton.Invalid, "it is not said which files").WithFix("Name a folder or a file with -f.")
	}
	o := config.Options{Source: r.Values.String("source"), Prune: r.Values.Bool("prune"), Digest: r.Values.String("plan")}
	if err := console.CheckConfigurationSource(o.Source); err != nil {
		return err
	}
	f, err := config.Read(path, time.Minute, r.Products)
	if err != nil {
		return err
	}
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		var who console.ID
		err := in.Store.View(ctx, func(t *store.Tx) (err error) {
			who, err = r.administrator(t)
			return err
		})
		if err != nil {
			return err
		}
		return do(in, f, console.By{At: r.now(), Actor: console.ByPerson(who), Source: program}, o)
	})
}

// signs mark what happens to an object.
var signs = map[console.ConfigurationVerb]string{console.ConfigurationCreate: "+", console.ConfigurationChange: "~", console.ConfigurationRemove: "-"}

// waitWords say why a field does not change at once.
var waitWords = map[console.ConfigurationWait]string{console.WaitsForSecondPerson: " (waits for a second person)", console.WaitsForSync: " (waits for a sync that shows it)",
	console.WaitsForNamed: " (waits for something that it names and that is not there yet)", console.WaitsDiscarded: " (somebody discarded this change)"}

// printPlan prints a plan and how it ended.
func (r *run) printPlan(p console.ConfigurationPlan, end string) error {
	if r.Values.Bool("json") {
		b, err := json.Marshal(p)
		if err != nil {
			return baton.Errorf(baton.Internal, "encode: %w", err)
		}
		_, err = fmt.Fprintln(r.stdout, string(b))
		return toStdout(err)
	}
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s\n", signs[c.Do], named(c.ConfiguredObject))
		for _, f := range c.Fields {
			switch {
			case f.Before == "":
				fmt.Fprintf(&b, "    %s: %s%s\n", f.Field, output.Clean(f.After), waitWords[f.Waits])
			case f.After == "":
				fmt.Fprintf(&b, "    %s: %s -> nothing%s\n", f.Field, output.Clean(f.Before), waitWords[f.Waits])
			default:
				fmt.Fprintf(&b, "    %s: %s -> %s%s\n", f.Field, output.Clean(f.Before), output.Clean(f.After), waitWords[f.Waits])
			}
		}
	}
	for _, u := range p.Unmanaged {
		fmt.Fprintf(&b, "  %s is not in the files any more and stays; --prune removes it\n", named(u))
	}
	created, changed, removed, waiting := p.Count()
	if len(p.Changes) == 0 {
		b.WriteString("The console is as the files say.\n")
	} else {
		fmt.Fprintf(&b, "%d to create, %d to change, %d to remove; of these, %d wait. %s\nplan %s\n", created, changed, removed, waiting, end, p.Digest)
	}
	_, err := fmt.Fprint(r.stdout, b.String())
	return toStdout(err)
}

func named(o console.ConfiguredObject) string {
	if o.Name == "" {
		return string(o.Kind)
	}
	return fmt.Sprintf("%s %q", o.Kind, o.Name)
}

// writeExport writes an export into a folder. It refuses a folder with other files that apply would
// read.
func (r *run) writeExport(text []byte) error {
	folder := r.Values.String("files")
	files, err := config.Split(text)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return baton.Errorf(baton.Storage, "make %s: %w", folder, err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return baton.Errorf(baton.Storage, "read %s: %w", folder, err)
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); (ext == ".yaml" || ext == ".yml") && !slices.Contains(config.SectionFiles(), e.Name()) {
			return baton.Errorf(baton.Refused, "%s holds %s, which is no part of an export", folder, e.Name()).WithFix("Name another folder.")
		}
	}
	for _, name := range config.SectionFiles() {
		path := filepath.Join(folder, name)
		i := slices.IndexFunc(files, func(f console.ConfigurationFile) bool { return f.Name == name })
		if i < 0 {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return baton.Errorf(baton.Storage, "remove %s: %w", path, err)
			}
			continue
		}
		if _, err := disk.Replace(disk.OS{}, path, func(w io.Writer) error {
			_, err := io.WriteString(w, files[i].Text)
			return err
		}); err != nil {
			return err
		}
		if err := r.line("%s", path); err != nil {
			return err
		}
	}
	return nil
}
