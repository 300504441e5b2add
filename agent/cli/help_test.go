package cli_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"baton"
	"baton/agent/cli"
)

// TestHelpIsComplete: the help names every flag and its variables and fits into 80 columns, even for a
// connector that makes no changes.
func TestHelpIsComplete(t *testing.T) {
	reader := program()
	reader.Describe = func() *baton.Connector {
		c := describe(fake{})
		c.Grant, c.Revoke, c.Account, c.Actions = nil, nil, nil, nil
		return c
	}
	for name, p := range map[string]cli.Program{"changes": program(), "reads only": reader} {
		t.Run(name, func(t *testing.T) {
			help := run(t, t.Context(), p, nil, "--help").stdout
			for _, r := range cli.References(p) {
				flag := strings.TrimRight("--"+r.Flag+" "+r.Kind, " ")
				if n := strings.Count(help, flag+" [") + strings.Count(help, flag+"\n"); n != 1 {
					t.Errorf("%s is listed %d times", flag, n)
				}
				for _, variable := range r.Environment {
					if !strings.Contains(help, variable+"]") && !strings.Contains(help, variable+", ") {
						t.Errorf("%s is missing", variable)
					}
				}
			}
			for _, args := range []string{"--help", "help flags", "help exit-codes", "help completion", "help config", "help demo", "help doctor",
				"help health-check", "help man", "help report", "help sandbox"} {
				out := run(t, t.Context(), p, nil, strings.Fields(args)...)
				if out.code != 0 || out.stdout == "" {
					t.Errorf("%s: exit code %d, %s", args, out.code, out.stderr)
				}
				for line := range strings.Lines(out.stdout) {
					if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
						t.Errorf("%s: more than 80 columns: %s", args, line)
					}
				}
			}
		})
	}
}
