package rpc

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"baton/internal/pb/batonv1"
)

// Store keeps what must outlive the process. The server is its only writer and saves
// a record whole each time it changes, never one record twice at once.
type Store interface {
	// Load is everything that was saved, in any order.
	Load(ctx context.Context) (State, error)
	SaveCredential(ctx context.Context, c Credential) error
	SaveTask(ctx context.Context, t Task) error
	SaveHello(ctx context.Context, h Hello) error
}

// State is what a Store holds.
type State struct {
	Credentials []Credential
	Tasks       []Task
	Hellos      []Hello
}

// TaskState is how far a task is.
type TaskState string

// The states of a task.
const (
	Queued   TaskState = "queued"   // nobody has been handed it
	Running  TaskState = "running"  // a host was handed it; the lease may have lapsed since
	Finished TaskState = "finished" // its result is in, or it was cancelled in time
)

// Task is a piece of work for a connector, and how it went. The messages in it are
// shared with the server and must not be changed.
type Task struct {
	ID         string        // 27 letters and digits, in the order of creation
	Connector  string        // whose hosts may get it
	Work       *batonv1.Task // what is handed out
	State      TaskState
	Cancelled  bool      // the connector is told at its next heartbeat
	Host       string    // who was handed it last
	Lease      time.Time // until when it is that host's
	Deliveries int       // how often it was handed out
	Heartbeats int       // how often somebody said to be working on it
	Enqueued   time.Time
	Result     Result
}

// Result is how a task ended.
type Result struct {
	Finished     time.Time      // zero until then
	Host         string         // who finished it; empty when it was cancelled before anybody could
	Status       *status.Status // what went wrong; nil on success
	NonRetryable bool           // trying again would not help, says the connector
	Annotations  []*anypb.Any
	Response     *anypb.Any // what the connector answered; nil for syncs and hellos
	Assets       []Asset    // what was uploaded for the task, also while it runs
}

// OK reports whether the task succeeded.
func (r Result) OK() bool { return !r.Finished.IsZero() && r.Status == nil }

// Asset is a file that was uploaded for a task.
type Asset struct {
	Path   string
	Size   int64  // bytes
	SHA256 string // hex
	Host   string
	At     time.Time
}

// Hello is how a host of a connector introduced itself last.
type Hello struct {
	Connector string
	Host      string
	Count     int // how often it did
	At        time.Time
	Request   *batonv1.BatonServiceHelloRequest
}

// Memory is a Store that keeps nothing: what the server knows goes with the process.
type Memory struct{}

// Load finds nothing.
func (Memory) Load(context.Context) (State, error) { return State{}, nil }

// SaveCredential does nothing.
func (Memory) SaveCredential(context.Context, Credential) error { return nil }

// SaveTask does nothing.
func (Memory) SaveTask(context.Context, Task) error { return nil }

// SaveHello does nothing.
func (Memory) SaveHello(context.Context, Hello) error { return nil }
