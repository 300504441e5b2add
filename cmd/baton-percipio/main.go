// Command baton-percipio syncs a Skillsoft Percipio organisation into a c1z file:
// its accounts, its courses, and who has completed which.
package main

import (
	"os"

	"baton"
	"baton/agent/cli"
	"baton/connector/percipio"
)

// version is set when a release is linked, see the Makefile.
var version string

func main() { os.Exit(cli.Main(program())) }

func program() cli.Program {
	return cli.Program{
		Name:     "baton-percipio",
		Version:  version,
		Settings: percipio.Settings(),
		Describe: func() *baton.Connector { return percipio.New(percipio.Config{}) },
		Open:     percipio.Open,
		Sandbox:  sandbox(),
	}
}
