package cli

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"baton"
	"baton/connector/rest"
	"baton/internal/cgroup"
)

// Program describes a connector for the command line.
type Program struct {
	Name     string // of the binary, "baton-perplexity"
	Version  string // "" is the version of the build
	Settings []baton.Setting
	// Describe returns the connector without a configuration, to print its description. Its
	// functions are not called.
	Describe func() *baton.Connector
	// Open returns the connector of a run. It reports all invalid settings in one Invalid
	// error, and sends nothing.
	Open func(v baton.Values, o rest.Options) (*baton.Connector, error)
	// Offline returns the connector with its settings and without its upstream, to read files.
	// It does not require the settings of a sync or a change. If it is nil, Describe is used.
	Offline func(v baton.Values) (*baton.Connector, error)
	// Sandbox is the upstream for trials; nil if there is none.
	Sandbox *Sandbox
}

// Sandbox is an upstream that runs inside the program.
type Sandbox struct {
	Sizes  []Size // what it can generate
	Faults []Fault
	New    func(SandboxOptions) (SandboxServer, error)
}

// Size is a number that the sandbox takes, by the flag of its name.
type Size struct {
	Name        string // "users"
	Description string // "number of users to generate"
}

// Fault is a fault of the sandbox.
type Fault struct {
	Name        string
	Description string
}

// SandboxOptions configure a sandbox. Zero values are its defaults.
type SandboxOptions struct {
	Sizes  map[string]int // by name; without those that are not set
	Faults []string
}

// SandboxServer is a seeded sandbox.
type SandboxServer struct {
	Handler http.Handler
	// Settings returns the settings that reach the handler if it is served at origin, such as
	// "http://127.0.0.1:41234".
	Settings func(origin string) map[string]string
	// Mark is a resource that no real upstream has. The demo recognises its own file by it.
	Mark baton.ResourceID
	// Tour lists the steps of the demo after its sync.
	Tour []TourStep
}

// TourStep is one command line of the demo.
type TourStep struct {
	Title   string
	Args    []string
	Refused bool // the step must be refused
}

// Main runs a program as this process and returns the exit code. SIGINT and SIGTERM end the
// work in order; a second signal ends the process at once.
func Main(p Program) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	r := newRun(p, os.Environ(), os.Stdout, os.Stderr)
	r.memory = cgroup.LimitMemory(r.env["GOMEMLIMIT"], cgroup.Root())
	return r.main(ctx, os.Args[1:])
}

// Run runs a program and returns its exit code, after printing the error. args are the
// arguments without the name of the program; env has the form of os.Environ.
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

// version returns the version for --version and the user agent.
func (p Program) version() string {
	if p.Version != "" {
		return p.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
