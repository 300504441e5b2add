// Command baton-perplexity syncs a Perplexity Enterprise organisation into a c1z
// file and changes it, over SCIM 2.0.
package main

import (
	"context"
	"errors"
	"os"

	"baton"
	"baton/agent/cli"
	"baton/connector/perplexity"
	"baton/connector/rest"
	"baton/connector/scim"
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
		Open:     open,
		Offline:  offline,
		Sandbox:  sandbox(),
	}
}

// offline knows what the settings say of role groups.
func offline(v baton.Values) (*baton.Connector, error) {
	cfg, err := perplexity.Configure(v)
	return perplexity.New(cfg), err
}

// open makes the connector of a run from its settings.
func open(_ context.Context, v baton.Values, env cli.Env) (*baton.Connector, error) {
	cfg, err := perplexity.Configure(v)
	client, restErr := rest.New(rest.Config{BaseURL: v.String("scim-url"), BaseURLName: "scim-url", ReservedQuery: scim.QueryParameters(),
		Token: v.Secret("scim-token"), TokenName: "scim-token",
		UserAgent: env.UserAgent, Timeout: env.HTTPTimeout, RetryFor: env.RetryFor, CAFile: env.CAFile, Log: env.Log, Observe: env.Observe})
	if err := errors.Join(err, restErr); err != nil {
		return nil, err
	}
	cfg.REST = client
	return perplexity.New(cfg), nil
}
