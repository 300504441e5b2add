package cli

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"baton"
	"baton/console/govern"
	"baton/console/installation"
	"baton/console/login"
	"baton/console/server"
)

// storeSettings are the settings of commands that open an installation.
var storeSettings = []string{"data", "database", "keys"}

// installation returns the installation in the settings.
func (r *run) installation() installation.Config {
	return installation.Config{Data: filepath.Clean(r.Values.String("data")), Database: r.Values.Secret("database"), Keys: r.Values.String("keys"), Now: r.now}
}

// withInstallation opens the installation for fn.
func (r *run) withInstallation(ctx context.Context, fn func(in *installation.Installation) error) (err error) {
	in, err := installation.Open(ctx, r.installation())
	if err != nil {
		return err
	}
	defer func() {
		if e := in.Close(); err == nil {
			err = e
		}
	}()
	return fn(in)
}

func (r *run) serveCommand() *cobra.Command {
	c := r.command(spec{use: "serve", short: "Serve pages and connectors, and run what is due",
		settings: append([]string{"listen", "url", "tls", "tls-cert", "tls-key", "allow-network", "trust-proxy", "drain-seconds", "otel-collector-endpoint",
			"otel-collector-endpoint-tls-cert-path", "otel-collector-endpoint-tls-insecure", "otel-tracing-disabled", "bootstrap", "env-file"}, storeSettings...),
		long: `Serves until it is stopped (Ctrl-C, SIGTERM). On a loopback address, one port answers TLS with a
certificate of its own and unencrypted HTTP; elsewhere it speaks TLS with --tls-cert and --tls-key or, for a
trial, --tls self-signed. Behind a proxy that speaks TLS, --url says how people and connectors reach it, and
--trust-proxy which proxies say whom a call comes from.

Several replicas on one PostgreSQL database are restarted one after the other, behind a balancer that asks /ready:
with --drain-seconds, a replica that is stopped serves on while /ready says no, until the balancer sends it no more.

Once it serves it prints "console: ADDRESS". /health, /ready, /live and /metrics are for probes.`,
		example: "  baton-console serve --bootstrap console.yaml --env-file console.env\n" +
			"  baton-console serve --listen :8443 --url https://console.example.com --tls-cert chain.pem --tls-key key.pem \\\n" +
			"      --database-file database.url"},
		r.serve)
	return c
}

func (r *run) serve(ctx context.Context, _ []string) error {
	networks, err := r.networks("allow-network")
	if err != nil {
		return err
	}
	proxies, err := r.networks("trust-proxy")
	if err != nil {
		return err
	}
	tracer, done, err := r.trace()
	if err != nil {
		return err
	}
	defer done()
	r.memory.Log(r.log)
	return server.Run(ctx, server.Config{
		Installation: r.installation(),
		Listen:       r.Values.String("listen"),
		URL:          r.Values.String("url"),
		TLSCert:      r.Values.String("tls-cert"),
		TLSKey:       r.Values.String("tls-key"),
		SelfSigned:   r.Values.String("tls") == "self-signed",
		Bootstrap:    r.Values.String("bootstrap"),
		EnvFile:      r.Values.String("env-file"),
		Version:      r.buildVersion(),
		Products:     r.Products,
		Networks:     networks,
		Proxies:      proxies,
		Trace:        tracer,
		Drain:        time.Duration(r.Values.Int("drain-seconds")) * time.Second,
		Now:          r.now,
		Log:          r.log,
		Ready: func(address string, setup baton.Secret) {
			if !setup.IsZero() {
				fmt.Fprintf(r.stdout, "setup token: %s\n", setup.Reveal())
			}
			fmt.Fprintf(r.stdout, "console: %s\n", address)
			if !setup.IsZero() {
				fmt.Fprintf(r.stdout, "Open %s/setup and enter the setup token: whoever does is the first administrator.\n", address)
			}
		},
	})
}

// networks parses a setting with a list of networks.
func (r *run) networks(setting string) (networks []netip.Prefix, err error) {
	for _, text := range r.Values.Strings(setting) {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "--%s: %q is no network", setting, text).WithFix("Write it as 10.0.0.0/8.")
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

func (r *run) setupTokenCommand() *cobra.Command {
	return r.command(spec{use: "setup-token", short: "Print a new token for the first administrator", settings: storeSettings,
		long: "Prints a token with which the first administrator signs up at the console's address. It works while nobody\ncan sign in. The earlier token ends."},
		func(ctx context.Context, _ []string) error {
			return r.withInstallation(ctx, func(in *installation.Installation) error {
				token, err := govern.New(govern.Config{Store: in.Store, Now: r.now}).NewSetupToken(ctx)
				if err != nil {
					return err
				}
				if token.IsZero() {
					return baton.Errorf(baton.Refused, "somebody can sign in already").WithFix("Let an administrator invite you.")
				}
				_, err = fmt.Fprintln(r.stdout, token.Reveal())
				return toStdout(err)
			})
		})
}

func (r *run) breakGlassCommand() *cobra.Command {
	return r.command(spec{use: "break-glass", short: "Make the one login for emergencies, and print it", settings: storeSettings,
		long: `Prints, once, the name, the password and the key of the one-time codes of a login that is Super Administrator, for the
day on which nobody can sign in otherwise. It works while every provider is down. An earlier one ends. Whoever is
signed in is told when it is used.`},
		func(ctx context.Context, _ []string) error {
			return r.withInstallation(ctx, func(in *installation.Installation) error {
				b, err := govern.New(govern.Config{Store: in.Store, Now: r.now}).OperatorBreakGlass(ctx)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(r.stdout, "login: %s\npassword: %s\none-time codes: %s\nauthenticator: %s\n", b.Name, b.Password.Reveal(), b.CodeSecret.Reveal(),
					login.CodeURI("Baton Console", b.Name, b.CodeSecret))
				return toStdout(err)
			})
		})
}
