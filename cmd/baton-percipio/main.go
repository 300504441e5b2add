// Command baton-percipio syncs a Skillsoft Percipio organisation into a c1z file:
// its accounts, its courses, and who has completed which.
package main

import (
	"context"
	"errors"
	"os"

	"baton"
	"baton/agent/cli"
	"baton/connector/percipio"
	"baton/connector/percipio/api"
	"baton/connector/rest"
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
		Open:     open,
		Sandbox:  sandbox(),
	}
}

// open makes the connector of a run from its settings.
func open(_ context.Context, v baton.Values, env cli.Env) (*baton.Connector, error) {
	cfg, err := percipio.Configure(v)
	base, baseErr := percipio.BaseURL(v)
	if err := errors.Join(err, baseErr); err != nil {
		return nil, err
	}
	cfg.REST, err = rest.New(rest.Config{BaseURL: base, BaseURLName: "base-url", ReservedQuery: api.QueryParameters(), Token: cfg.Token, TokenName: "api-token",
		UserAgent: env.UserAgent, Timeout: env.HTTPTimeout, RetryFor: env.RetryFor, CAFile: env.CAFile, Log: env.Log, Observe: env.Observe})
	if err != nil {
		return nil, err
	}
	return percipio.New(cfg), nil
}
