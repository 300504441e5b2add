// Package clitest tests a whole program: in the test's own process, and as a process that
// is killed.
package clitest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/agent/cli"
)

var update = flag.Bool("update", false, "write the golden files")

// beProgram is the variable that makes the test binary act as the program; see [Main].
const beProgram = "BE_THE_PROGRAM"

// Main is a TestMain for a test binary that can also act as the program.
func Main(m *testing.M, p cli.Program) {
	if os.Getenv(beProgram) != "" {
		os.Exit(cli.Main(p))
	}
	os.Exit(m.Run())
}

// Run runs the program in this process.
func Run(t testing.TB, p cli.Program, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = cli.Run(t.Context(), p, args, env, &out, &err)
	return code, out.String(), err.String()
}

// Descriptions compares the program's descriptions of itself, which C1 and the documents use, with the golden
// files in testdata.
func Descriptions(t *testing.T, p cli.Program) {
	for _, command := range []string{"capabilities", "config", "--help"} {
		t.Run(command, func(t *testing.T) {
			code, got, stderr := Run(t, p, nil, command)
			if code != 0 {
				t.Fatal(stderr)
			}
			golden := filepath.Join("testdata", strings.Trim(command, "-")+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("it differs from %s (%v); run with -update and read the difference:\n%s", golden, err, got)
			}
		})
	}
}
