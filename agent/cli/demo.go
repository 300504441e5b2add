package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"baton"
	"baton/agent/syncer"
	"baton/c1z"

	"github.com/spf13/cobra"
)

func (r *run) demoCommand() *cobra.Command {
	var flags sandboxFlags
	c := r.command("demo", "Try the connector on a generated organisation, without an account", func(ctx context.Context) error {
		if err := r.start("console", false); err != nil {
			return err
		}
		if err := r.accepts("demo", []area{areaOutput}, "file"); err != nil {
			return err
		}
		return r.demo(ctx, flags)
	})
	c.Long = "It syncs a sandbox into sync.c1z in the current directory, or into --file, and makes a few changes."
	flags.add(c, r.program.Sandbox)
	return c
}

// demo runs the program's own command lines against its sandbox.
func (r *run) demo(ctx context.Context, flags sandboxFlags) error {
	server, err := flags.open(r.program.Sandbox)
	if err != nil {
		return err
	}
	path := r.Values.String("file")
	if err := r.prepareFile(path, server.Mark); err != nil {
		return err
	}
	origin, stop, err := serve("127.0.0.1:0", server.Handler, r.log)
	if err != nil {
		return err
	}
	env := map[string]string{}
	for name, value := range server.Settings(origin) {
		env[envName(name)] = value
	}
	env["BATON_LOG_FORMAT"] = "console"
	if r.json {
		env["BATON_LOG_FORMAT"] = "json"
	}
	env["BATON_FILE"] = path
	r.line("A generated organisation is served at %s. The first sync reads it into a file:", origin)
	err = r.tour(ctx, env, append([]TourStep{{}}, server.Tour...))
	if err != nil {
		// The organisation ends with the demo, so its sync cannot be resumed.
		return cmp.Or(err, syncer.Discard(path, ""), stop())
	}
	if err := stop(); err != nil {
		return err
	}
	r.line("")
	r.line("%s holds the result of the last sync. Next:", path)
	r.line("  %s report --out report.html %s   write a page for a reviewer", r.program.Name, shellQuote(path))
	r.line("  baton resources -f %[1]s, baton grants -f %[1]s   read it with the baton CLI", shellQuote(path))
	r.line("  %s sandbox --listen 127.0.0.1:8080   keep such an organisation running", r.program.Name)
	r.line("  %[1]s doctor   check the settings for your own organisation; %[1]s --help lists them", r.program.Name)
	return nil
}

// tour runs the steps. Each is a whole run of the program, which reads its settings from env
// only.
func (r *run) tour(ctx context.Context, env map[string]string, steps []TourStep) error {
	for _, step := range steps {
		command := r.program.Name
		for _, arg := range step.Args {
			command += " " + shellQuote(arg)
		}
		if step.Title != "" {
			r.line("")
			r.line("%s", step.Title)
		}
		r.line("$ %s", command)
		inner := &run{program: r.program, env: env, stdout: r.stdout, stderr: r.stderr, noConfigFile: true}
		err := inner.execute(ctx, step.Args)
		switch {
		case err != nil && step.Refused && baton.KindOf(err) == baton.Refused:
			// The refusal is the point of this step, so it is printed among the other output.
			r.line("error: %v", err)
			r.line("fix: %s", baton.FixOf(err))
			err = nil
		case err == nil && step.Refused:
			err = baton.Errorf(baton.Internal, "%s was not refused", command)
		}
		inner.close()
		if err != nil {
			return baton.Errorf(baton.KindOf(err), "demo: %w", err)
		}
	}
	return nil
}

// prepareFile removes the file of an earlier demo. It refuses to replace any other file, or
// one with an interrupted sync.
func (r *run) prepareFile(path string, mark baton.ResourceID) error {
	elsewhere := fmt.Sprintf("name another file: %s demo -f demo.c1z", r.program.Name)
	if exists(path + ".pages") {
		return baton.Errorf(baton.Refused, "demo: %s.pages holds an interrupted sync", path).WithFix("%s", elsewhere)
	}
	if !exists(path) {
		return nil
	}
	if !isDemo(path, mark) {
		return baton.Errorf(baton.Refused, "demo: %s exists and is not the file of a demo", path).WithFix("%s", elsewhere)
	}
	r.line("replacing %s, the file of an earlier demo", path)
	if err := os.Remove(path); err != nil {
		return baton.Errorf(baton.Storage, "demo: %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// isDemo reports whether the file holds the resource that marks a demo.
func isDemo(path string, mark baton.ResourceID) bool {
	ctx := context.Background()
	f, err := c1z.Opener{TempDir: filepath.Dir(path)}.Open(ctx, path)
	if err != nil {
		return false
	}
	s, err := f.Latest()
	if err == nil {
		_, err = s.Resource(ctx, mark)
	}
	return errors.Join(err, f.Close()) == nil
}
