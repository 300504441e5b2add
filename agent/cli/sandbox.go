package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"baton"

	"github.com/spf13/cobra"
)

// sandboxFlags holds the flags of the commands sandbox and demo.
type sandboxFlags struct {
	sizes  map[string]*int
	faults []string
}

func (f *sandboxFlags) add(c *cobra.Command, s *Sandbox) {
	f.sizes = map[string]*int{}
	for _, size := range s.Sizes {
		f.sizes[size.Name] = c.Flags().Int(size.Name, 0, size.Description)
	}
	c.Flags().StringSliceVar(&f.faults, "fault", nil, "faults to switch on; sandbox --list-faults prints them")
}

// open creates the sandbox.
func (f *sandboxFlags) open(s *Sandbox) (SandboxServer, error) {
	o := SandboxOptions{Sizes: map[string]int{}, Faults: f.faults}
	for name, n := range f.sizes {
		if *n < 0 {
			return SandboxServer{}, baton.Errorf(baton.Invalid, "--%s is below 0", name)
		}
		if *n > 0 {
			o.Sizes[name] = *n
		}
	}
	return s.New(o)
}

func (r *run) sandboxCommand() *cobra.Command {
	var flags sandboxFlags
	var listen string
	var list bool
	c := r.command("sandbox", "Serve a generated organisation for trials", func(ctx context.Context) error {
		if err := r.start("console", false); err != nil {
			return err
		}
		if err := r.accepts("sandbox", []area{areaOutput}); err != nil {
			return err
		}
		if list {
			return r.listFaults()
		}
		return r.serveSandbox(ctx, listen, flags)
	})
	c.Long = "It prints the settings that reach it, as lines that a shell can source, and serves until it is stopped."
	c.Example = fmt.Sprintf("  %[1]s sandbox --listen 127.0.0.1:8080 > sandbox.env &\n  set -a; . ./sandbox.env; %[1]s", r.program.Name)
	flags.add(c, r.program.Sandbox)
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "loopback address to serve at; port 0 chooses a free one")
	c.Flags().BoolVar(&list, "list-faults", false, "list the faults and exit")
	return c
}

func (r *run) listFaults() error {
	var text strings.Builder
	var rows [][2]string
	for _, f := range r.program.Sandbox.Faults {
		rows = append(rows, [2]string{f.Name, f.Description})
	}
	table(&text, rows, 0)
	return r.data([]byte(text.String()))
}

func (r *run) serveSandbox(ctx context.Context, listen string, flags sandboxFlags) error {
	server, err := flags.open(r.program.Sandbox)
	if err != nil {
		return err
	}
	origin, stop, err := serve(listen, server.Handler, r.log)
	if err != nil {
		return err
	}
	settings := server.Settings(origin)
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&lines, "%s=%s\n", envName(name), shellQuote(settings[name]))
	}
	if err := r.data([]byte(lines.String())); err != nil {
		return errors.Join(err, stop())
	}
	r.log.Info("the sandbox is up", "origin", origin)
	<-ctx.Done()
	return stop()
}

// serve starts an HTTP server on a loopback address. Faults break connections on purpose, so
// errors of connections are logged at debug level.
func serve(listen string, handler http.Handler, log *slog.Logger) (origin string, stop func() error, err error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return "", nil, baton.Errorf(baton.Invalid, "sandbox: %w", err).WithFix("write the address as 127.0.0.1:8080")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", nil, baton.Errorf(baton.Invalid, "sandbox: %s is not a loopback address, and the sandbox has no TLS", listen).
			WithFix("use 127.0.0.1:PORT")
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, baton.Errorf(baton.Unavailable, "sandbox: %w", err).WithFix("choose another port; port 0 is any free one")
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	stop = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close() // do not wait for a slow answer
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			return baton.Errorf(baton.Internal, "sandbox: %w", err)
		}
		return nil
	}
	return "http://" + listener.Addr().String(), stop, nil
}

// shellQuote quotes a word for a shell where necessary.
func shellQuote(word string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@=,+%", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !safe(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
