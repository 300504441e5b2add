package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"baton"
	"baton/wire"
)

// descriptive returns the areas of flags that read-only commands accept without using them, so
// that a sub-command can be added to the command line of a deployment.
func descriptive() []area { return []area{areaConnector, areaNetwork, areaOutput} }

func (r *run) capabilities(context.Context) error {
	return r.describe("capabilities", func() ([]byte, error) { return wire.Capabilities(r.program.Describe()) })
}

// config prints the form that C1 shows: settings of the runtime that an operator may change
// there, then those of the connector.
func (r *run) config(context.Context) error {
	operational := []string{"log-level", "log-level-debug-expires-at", "health-check", "health-check-port",
		"health-check-bind-address", "http-timeout-seconds"}
	return r.describe("config", func() ([]byte, error) {
		var ops []baton.Setting
		for _, name := range operational {
			i := slices.IndexFunc(r.all, func(o option) bool { return o.Name == name })
			ops = append(ops, r.all[i].Setting)
		}
		c := r.program.Describe()
		return wire.Configuration(c.DisplayName, c.HelpURL, ops, r.program.Settings)
	})
}

func (r *run) describe(command string, print func() ([]byte, error)) error {
	if err := r.start("console", false); err != nil {
		return err
	}
	if err := r.accepts(command, descriptive()); err != nil {
		return err
	}
	text, err := print()
	if err != nil {
		return err
	}
	return r.document(text)
}

// document prints JSON as the official connectors do, without a final line break, except on a
// terminal.
func (r *run) document(text []byte) error {
	if isTerminal(r.stdout) {
		text = append(text, '\n')
	}
	return r.data(text)
}

// listActions prints the actions, as JSON in the form of the protocol or as text.
func (r *run) listActions() error {
	actions := r.program.Describe().Actions
	if r.json {
		text, err := wire.ActionSchemas(actions)
		if err != nil {
			return err
		}
		return r.document(text)
	}
	if len(actions) == 0 {
		r.line("%s has no actions", r.program.Name)
	}
	for _, a := range actions {
		r.line("%s: %s", a.Name, a.Description)
		for _, f := range a.Arguments {
			r.line("  takes %s", fieldLine(f))
		}
		for _, f := range a.Returns {
			r.line("  returns %s", fieldLine(f))
		}
	}
	return nil
}

func fieldLine(f baton.Field) string {
	kind := f.Kind.String()
	if f.Required {
		kind += ", required"
	}
	return strings.TrimSuffix(fmt.Sprintf("%s (%s): %s", f.Name, kind, f.Description), ": ")
}
