package rpc

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
)

// Fault is a named way to misbehave. It is switched on by its name; where Value is not
// empty, "name=value" overrides the default.
type Fault struct {
	Name        string `json:"name"`
	Value       string `json:"value,omitempty"`   // what the value is; [:N] stops after N times
	Default     string `json:"default,omitempty"` // the value when none is given
	Description string `json:"description"`
}

// What the values of faults are.
const (
	valueCount    = "N"
	valueDuration = "DURATION"
	valueBytes    = "BYTES[:N]"
	valueCode     = "CODE[:N]"
	valueStatus   = "STATUS[:N]"
)

// rpcs are the calls that faults can be laid on, by path and by name.
var rpcs = []struct{ method, name string }{
	{"Hello", "hello"}, {"GetTask", "get-task"}, {"GetTasks", "get-tasks"},
	{"Heartbeat", "heartbeat"}, {"FinishTask", "finish-task"}, {"UploadAsset", "upload-asset"},
}

// Faults is the table of all faults.
func Faults() []Fault {
	table := []Fault{
		{"token-error", valueStatus, "503:3", "the token endpoint answers with an HTTP status"},
		{"token-delay", valueDuration, "2s", "the token endpoint waits before it works"},
		{"token-lost", valueCount, "1", "the next N tokens are issued, and the connection closed instead of an answer"},
		{"token-lifetime", valueDuration, "15s", "new tokens expire sooner"},
		{"tokens-revoked-after", valueCount, "3", "the Nth call from now finds every token revoked"},
		{"heartbeat-cancelled", valueCount, "1", "the next N heartbeats are told that the task was cancelled, which it was not"},
		{"redeliver", valueCount, "1", "the next N tasks that a poll finds running are handed to it, whoever works on them"},
		{"none-task", "", "", "a poll that finds nothing is handed a task that says so, instead of no task"},
		{"upload-broken-off", valueBytes, "65536:1", "the connection is closed after so many bytes of an upload"},
		{"upload-checksum", valueCount, "1", "the next N uploads are refused as damaged"},
	}
	for _, rpc := range rpcs {
		table = append(table,
			Fault{rpc.name + "-error", valueCode, "UNAVAILABLE:3", rpc.method + " fails with a gRPC code and does nothing"},
			Fault{rpc.name + "-delay", valueDuration, "2s", rpc.method + " waits before it works"},
			Fault{rpc.name + "-lost", valueCount, "1", "the next N " + rpc.method + " calls are done, and the connection closed instead of an answer"},
		)
	}
	return table
}

// SetFault switches a fault on: "name" or "name=value". It replaces what the same
// fault was set to.
func (s *Server) SetFault(spec string) error {
	name, value, given := strings.Cut(spec, "=")
	table := Faults()
	i := slices.IndexFunc(table, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return baton.Errorf(baton.Invalid, "rpc: no fault %q", name)
	}
	f := table[i]
	if !given {
		value = f.Default
	} else if f.Value == "" {
		return baton.Errorf(baton.Invalid, "rpc: fault %s takes no value", name)
	}
	on, err := parseFault(f.Value, value)
	if err != nil {
		return baton.Errorf(baton.Invalid, "rpc: fault %s: %w", name, err)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.on[name] = on
	return nil
}

// ClearFaults switches every fault off.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	clear(s.faults.on)
}

// switches are the faults that are on.
type switches struct {
	mu sync.Mutex
	on map[string]*fault
}

// fault is one that is on.
type fault struct {
	number int           // a code, a status, bytes; or how many calls to let pass
	wait   time.Duration // of the kind that is a duration
	left   int           // how often it still happens; below 0, for ever
}

func parseFault(kind, value string) (*fault, error) {
	f := &fault{left: -1}
	var err error
	switch kind {
	case "":
	case valueDuration:
		f.wait, err = time.ParseDuration(value)
		if err == nil && f.wait <= 0 {
			err = fmt.Errorf("%q is not above 0", value)
		}
	case valueCount:
		f.left, err = positive(value)
		f.number = f.left
	default:
		first, times, counted := strings.Cut(value, ":")
		if counted {
			if f.left, err = positive(times); err != nil {
				return nil, err
			}
		}
		f.number, err = parseNumber(kind, first)
	}
	return f, err
}

func parseNumber(kind, s string) (int, error) {
	switch kind {
	case valueCode:
		var code codes.Code
		if err := code.UnmarshalJSON([]byte(strconv.Quote(s))); err != nil || code == codes.OK {
			return 0, fmt.Errorf("%q is not an error code", s)
		}
		return int(code), nil
	case valueStatus:
		n, err := positive(s)
		if err == nil && http.StatusText(n) == "" {
			err = fmt.Errorf("%q is not an HTTP status", s)
		}
		return n, err
	}
	return positive(s)
}

func positive(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a number above 0", s)
	}
	return n, nil
}

// happens reports whether a fault is to happen now, and counts it.
func (s *switches) happens(name string) (number int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.on[name]
	if f == nil || f.left == 0 {
		return 0, false
	}
	if f.left > 0 {
		f.left--
	}
	return f.number, true
}

// reached counts down and reports whether this is the call that a fault waits for.
func (s *switches) reached(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.on[name]
	if f == nil || f.left == 0 {
		return false
	}
	f.left--
	return f.left == 0
}

// is reports whether a fault without a count is on.
func (s *switches) is(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on[name] != nil
}

// duration is what a fault is set to, or the usual.
func (s *switches) duration(name string, usual time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.on[name]; f != nil {
		return f.wait
	}
	return usual
}
