package rpc

import (
	"context"
	"io"
	"time"

	"baton"
)

// Store is what the server needs of a database. Several servers may share one.
//
// Each method is one transaction: it happens as a whole or not at all, and methods that
// run at the same time have the effect of some order. now is the time at which it
// happens. An implementation may use the database's clock for leases in its place, if
// a test can make it use now. Times are kept to the microsecond.
//
// Errors are of a [baton.Kind]: NotFound for what does not exist or belongs to another
// connector, AlreadyExists, Refused for what a rule forbids, and Storage or Unavailable
// if the database fails. After an error nothing has changed.
//
// Package rpctest has the conformance suite, and an implementation in memory.
type Store interface {
	// Methods of the console.

	// AddTask queues a task from [NewTask]. AlreadyExists if there is one with its id.
	AddTask(ctx context.Context, now time.Time, t Task) error
	// CancelTask applies [Task.AfterCancel].
	CancelTask(ctx context.Context, now time.Time, connector, id string) error
	// RequeueTask applies [Task.PutBack].
	RequeueTask(ctx context.Context, now time.Time, connector, id string) error
	// Task returns a task.
	Task(ctx context.Context, connector, id string) (Task, error)
	// Uploads returns the finished uploads of a task, oldest first.
	Uploads(ctx context.Context, connector, task string) ([]Upload, error)
	// Hosts returns the hosts of a connector, by id.
	Hosts(ctx context.Context, connector string) ([]Host, error)
	// AddCredential adds a credential from [NewCredential]. AlreadyExists if its client id
	// is taken: make another one.
	AddCredential(ctx context.Context, now time.Time, c Credential) error
	// RevokeCredential ends a credential and every token that was issued for it. It
	// changes nothing if the credential is revoked already.
	RevokeCredential(ctx context.Context, now time.Time, clientID string) error

	// Methods of hosts.

	// Lease applies [Pick] to the open tasks of the connector, and [Task.Renewed] to those of
	// r.Known whose lease of this host has ended. It notes that the host was seen, unless
	// that was noted within the last minute.
	Lease(ctx context.Context, now time.Time, r LeaseRequest) (Leases, error)
	// Extend applies [Task.Beaten] and returns the task.
	Extend(ctx context.Context, now time.Time, h Holder) (Task, error)
	// Finish applies [Task.FinishedBy] and returns the task. Unfinished uploads for the
	// task are discarded.
	Finish(ctx context.Context, now time.Time, h Holder, r Result) (Task, error)
	// Hello records how a host introduces itself. If h names a task, it finishes that
	// task with success as well; if the host does not hold the task, nothing is recorded.
	Hello(ctx context.Context, now time.Time, connector string, h Hello) error

	// Uploads. A file arrives in chunks of up to 1 MiB, numbered from 0. It counts once
	// FinishUpload has returned. An upload of no bytes has no chunk.

	// BeginUpload applies [Task.CheckUpload] and begins an upload with a new id, a KSUID.
	BeginUpload(ctx context.Context, now time.Time, id string, h Holder, kind UploadKind) (Upload, error)
	// AppendUpload adds the next chunk. Invalid if the index is not the number of chunks so
	// far; NotFound if the upload is finished or discarded.
	AppendUpload(ctx context.Context, now time.Time, id string, index int, chunk []byte) error
	// FinishUpload makes an upload part of its task, if the lease under which it began is
	// still held and the task is not finished: Refused otherwise. If the task has a
	// finished upload of the same size and hash, the new one is discarded and that one
	// returned.
	FinishUpload(ctx context.Context, now time.Time, id string, size int64, sha256 [32]byte) (Upload, error)
	// DiscardUpload removes an upload, also a finished one. No error if there is none.
	DiscardUpload(ctx context.Context, id string) error
	// UploadChunk returns a chunk of a finished upload.
	UploadChunk(ctx context.Context, connector, id string, index int) ([]byte, error)

	// Credentials and tokens.

	// Credential returns a credential, also one that is revoked.
	Credential(ctx context.Context, clientID string) (Credential, error)
	// AddToken records a token and that its credential was used. Unauthenticated if the
	// credential is not [Credential.Good]; AlreadyExists if the assertion was used before.
	AddToken(ctx context.Context, now time.Time, t Token) error
	// TokenCredential returns the credential of a token. Unauthenticated if there is no
	// such token, it has expired, or the credential is not good.
	TokenCredential(ctx context.Context, now time.Time, hash [32]byte) (Credential, error)

	// Expire ends what time has ended: it applies [Task.AfterLease] to leased tasks,
	// discards unfinished uploads that began more than [UploadTime] ago, and forgets
	// expired tokens and assertions. It changes up to limit rows of each and returns how
	// many it changed.
	Expire(ctx context.Context, now time.Time, limit int) (changed int, err error)
}

// UploadTime is how long an upload may take.
const UploadTime = time.Hour

// MaxChunk is the largest chunk of an upload, in bytes: the protocol's limit.
const MaxChunk = 1 << 20

// LeaseRequest is a host's request for tasks.
type LeaseRequest struct {
	Connector string
	Host      string
	Max       int      // number of tasks, at least 1
	Known     []string // ids of tasks that the host says it has: they are not handed to it again
}

// has reports whether t is a task that the host has, and says so.
func (r LeaseRequest) has(t Task) bool {
	if t.State != Leased || t.Lease.Host != r.Host {
		return false
	}
	for _, id := range r.Known {
		if id == t.ID {
			return true
		}
	}
	return false
}

// Leases are the tasks that a host got.
type Leases struct {
	Tasks []Task
	More  bool // another task is due that the host could lease now
}

// UploadReader returns the bytes of a finished upload. It reads them chunk by chunk,
// each in a transaction of its own.
func UploadReader(ctx context.Context, store Store, u Upload) io.Reader {
	return &uploadReader{ctx: ctx, store: store, upload: u}
}

type uploadReader struct {
	ctx    context.Context
	store  Store
	upload Upload
	next   int // chunk
	buf    []byte
}

func (r *uploadReader) Read(p []byte) (int, error) {
	for len(r.buf) == 0 {
		if r.next >= r.upload.Chunks {
			return 0, io.EOF
		}
		chunk, err := r.store.UploadChunk(r.ctx, r.upload.Connector, r.upload.ID, r.next)
		if err != nil {
			return 0, baton.Errorf(baton.KindOf(err), "read upload %s of task %s: %w", r.upload.ID, r.upload.Task, err)
		}
		r.buf = chunk
		r.next++
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}
