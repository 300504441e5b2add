package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"baton/console/server"
)

// healthTimeout limits a health check; the probe of an image gives it ten seconds.
const healthTimeout = 8 * time.Second

// healthCheckCommand checks the health of the console on this machine, for containers without
// another HTTP client.
func (r *run) healthCheckCommand() *cobra.Command {
	return r.command(spec{use: "health-check", short: "Ask the console on this machine whether it serves", settings: []string{"listen", "tls", "tls-cert", "tls-key"},
		long: "The exit code is 0 if it does. It takes the same --listen and TLS settings as serve."},
		func(ctx context.Context, _ []string) error {
			ctx, cancel := context.WithTimeout(ctx, healthTimeout)
			defer cancel()
			listen := r.Values.String("listen")
			status, err := server.Health(ctx, listen, r.Values.String("tls-cert") != "" || r.Values.String("tls") == "self-signed")
			if err != nil {
				return err
			}
			return r.line("%s", status)
		})
}
