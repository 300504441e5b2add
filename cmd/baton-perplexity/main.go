// Command baton-perplexity syncs a Perplexity Enterprise organisation into a c1z
// file and changes it, over SCIM 2.0.
package main

import (
	"os"

	"baton"
	"baton/agent/cli"
	"baton/connector/perplexity"
)

// version is set when a release is linked, see the Makefile.
var version string

func main() { os.Exit(cli.Main(program())) }

func program() cli.Program {
	return cli.Program{
		Name:     "baton-perplexity",
		Version:  version,
		Settings: perplexity.Settings(),
		Describe: func() *baton.Connector { return perplexity.New(perplexity.Config{}) },
		Open:     perplexity.Open,
		Offline:  offline,
		Sandbox:  sandbox(),
	}
}

// offline returns the connector with the settings of role groups.
func offline(v baton.Values) (*baton.Connector, error) {
	cfg, err := perplexity.Configure(v)
	return perplexity.New(cfg), err
}
