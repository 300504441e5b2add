package rpc

import (
	"time"

	"github.com/segmentio/ksuid"

	"baton"
)

// Task is one piece of work for a connector, from when it is queued to its result. A Task is a
// value: a store returns copies, and nobody changes what it points to.
type Task struct {
	ID        string // 27 letters and digits (a KSUID)
	Connector string // id of the connector whose hosts may lease it
	Ref       string // id of the console's sync or operation; not interpreted
	Work      Work
	OnlyHost  string        // the only host that may lease it; empty: any host of the connector
	Debug     bool          // the connector must log in detail and upload its log
	Due       time.Time     // not leased earlier; tasks are leased in the order of Due
	LeaseTime time.Duration // how long a lease lasts after the last heartbeat

	State      State
	Added      time.Time
	Cancelled  bool   // the console cancelled it; its host learns that from its next heartbeat
	Lease      Lease  // the current lease, or the last one; zero before the first
	Heartbeats int    // number of heartbeats, over all leases
	Result     Result // zero until State is Finished
}

// NewTask returns a queued task that is due at now, with a new id and the lease time of
// its type. The error is Invalid if the work cannot be sent to a connector.
func NewTask(connector string, work Work, now time.Time) (Task, error) {
	t := Task{ID: ksuid.New().String(), Connector: connector, Work: work, Due: now,
		LeaseTime: LeaseTime(work.Type()), State: Queued, Added: now}
	err := work.Check()
	if err == nil {
		err = canEncode(t)
	}
	if err != nil {
		return Task{}, baton.Errorf(baton.Invalid, "rpc: new task for connector %s: %w", connector, err)
	}
	return t, nil
}

// State is the progress of a task.
type State string

// The states of a task.
const (
	Queued   State = "queued"   // no host has it
	Leased   State = "leased"   // a host has it; the lease may have ended
	Lost     State = "lost"     // a write whose lease expired without a result: it is unknown whether it was done
	Finished State = "finished" // it has a result, or it was cancelled while no host worked on it
)

// Lease is the right of one host to work on a task until a time.
type Lease struct {
	Host   string
	Number int       // fencing token: 1 for the first lease of the task, then 2, and so on
	Since  time.Time // when the task was handed to the host
	Until  time.Time // heartbeats move it
}

// Holder identifies a lease of a task.
type Holder struct {
	Connector string
	Host      string
	Task      string // id
	// Number is the number of the lease; 0 for any lease of this host, because messages of the
	// protocol only name the host and the task.
	Number int
}

// Upload is a file that a connector sent for a task.
type Upload struct {
	ID        string // 27 letters and digits (a KSUID)
	Connector string
	Task      string // id
	Ref       string // Task.Ref: the id of the sync, if the task is one
	Lease     Lease  // the lease at the time of the upload
	Kind      UploadKind
	Began     time.Time
	Finished  time.Time // zero until all of it is stored
	Size      int64     // bytes
	SHA256    [32]byte
	Chunks    int // number of chunks; see [Store]
}

// UploadKind is the kind of an uploaded file, detected from its first bytes.
type UploadKind string

// The kinds of uploads.
const (
	SyncFile UploadKind = "c1z" // a sync file, of format 1 ("C1ZF\0") or 3 ("C1Z3")
	LogFile  UploadKind = "log" // the connector's debug log, JSON lines
)

// Holder identifies the lease at the time of the upload.
func (u Upload) Holder() Holder {
	return Holder{Connector: u.Connector, Host: u.Lease.Host, Task: u.Task, Number: u.Lease.Number}
}
