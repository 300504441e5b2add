// Package script has the commands that the script tests of several programs share.
package script

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// Exits runs a program and checks its exit code: "exits 3 baton-fake --nonsense".
func Exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [arguments]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("exit code %s instead of %s", code, args[0])
	}
}
