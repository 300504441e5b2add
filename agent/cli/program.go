package cli

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"baton"
	"baton/connector/rest"
)

// Program is a connector with everything that the command line needs to know.
type Program struct {
	Name     string // of the binary, "baton-perplexity"
	Version  string // "" is what the build says
	Settings []baton.Setting
	// Describe is the connector without a configuration, for what is printed from
	// it. Its functions are not called.
	Describe func() *baton.Connector
	// Open makes the connector of a run. It checks the settings and reports all that
	// is wrong with them in one Invalid error; it sends nothing.
	Open func(ctx context.Context, v baton.Values, env Env) (*baton.Connector, error)
	// Offline is the connector with its settings and without its upstream, for looking
	// at files. It is not asked for what a sync or a change needs. Describe serves when
	// it is nil.
	Offline func(v baton.Values) (*baton.Connector, error)
	// Sandbox is the upstream to try the connector on; nil when there is none.
	Sandbox *Sandbox
}

// Env is what a run lends to a connector.
type Env struct {
	Log         *slog.Logger
	HTTPTimeout time.Duration
	RetryFor    time.Duration // how long a request is retried; 0 is the client's default
	CAFile      string
	UserAgent   string
	Observe     func(rest.Attempt)
}

// Sandbox is an upstream that runs inside the program.
type Sandbox struct {
	Sizes  []Size // how much of what it can make up
	Faults []Fault
	New    func(SandboxOptions) (SandboxServer, error)
}

// Size is a number that the sandbox takes: a flag of its name, 0 unless given.
type Size struct {
	Name        string // "users"
	Description string // "how many users to make up"
}

// Fault is a way in which the sandbox can misbehave.
type Fault struct {
	Name        string
	Description string
}

// SandboxOptions say what the sandbox holds and does. Zero values are its own
// defaults.
type SandboxOptions struct {
	Sizes  map[string]int // by name; what was not given is missing
	Faults []string
}

// SandboxServer is a seeded sandbox.
type SandboxServer struct {
	Handler http.Handler
	// Settings are the settings that reach the handler when it is served at origin,
	// "http://127.0.0.1:41234".
	Settings func(origin string) map[string]string
	// Mark is a resource that no real upstream has; the demo knows its own file by it.
	Mark baton.ResourceID
	// Tour is what the demo shows after its sync.
	Tour []TourStep
}

// TourStep is one command line of the demo.
type TourStep struct {
	Title   string
	Args    []string
	Refused bool // the point of the step is that it is refused
}

// Main runs a program as the process it is and returns the exit code. SIGINT and
// SIGTERM end the work in an orderly way; a second one ends it at once.
func Main(p Program) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	r := newRun(p, os.Environ(), os.Stdout, os.Stderr)
	r.memory = limitMemory(r.env, systemRoot())
	return r.main(ctx, os.Args[1:])
}

// Run is a whole run of a program; args are without the program's name, env is
// as os.Environ has it. It returns the exit code; the error has been printed.
func Run(ctx context.Context, p Program, args, env []string, stdout, stderr io.Writer) int {
	return newRun(p, env, stdout, stderr).main(ctx, args)
}

func newRun(p Program, env []string, stdout, stderr io.Writer) *run {
	vars := map[string]string{}
	for _, v := range env {
		if name, value, ok := strings.Cut(v, "="); ok {
			vars[name] = value
		}
	}
	r := &run{program: p, env: vars, stdout: stdout, stderr: stderr}
	settingNames.AddDir(r.env, settingsDirEnv, &r.envProblems)
	return r
}

// version is what --version and the user agent say.
func (p Program) version() string {
	if p.Version != "" {
		return p.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
