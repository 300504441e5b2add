package rpc

import (
	"context"
	"io"
	"time"

	"baton"
)

// Store is the database interface of the server. Several servers may share one.
//
// Each method is one transaction, and concurrent calls are serializable. now is the time of the
// call. An implementation may use the database's clock for leases instead, if a test can make it use
// now. Times have microsecond precision.
//
// Errors have a [baton.Kind]: NotFound for an object that does not exist or belongs to another
// connector, AlreadyExists, Refused if a rule forbids the call, and Storage or Unavailable if the
// database fails. After an error nothing has changed.
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
	// AddCredential adds a credential from [NewCredential]. AlreadyExists if its client id is taken;
	// the caller then creates another one.
	AddCredential(ctx context.Context, now time.Time, c Credential) error
	// RevokeCredential revokes a credential and its tokens. It does nothing if the credential is
	// revoked.
	RevokeCredential(ctx context.Context, now time.Time, clientID string) error

	// Methods of hosts.

	// Lease applies [Pick] to the open tasks of the connector, and [Task.Renewed] to those of
	// r.Known whose lease of this host has expired. It records that the host was seen, at most once
	// a minute.
	Lease(ctx context.Context, now time.Time, r LeaseRequest) (Leases, error)
	// Extend applies [Task.Beaten] and returns the task.
	Extend(ctx context.Context, now time.Time, h Holder) (Task, error)
	// Finish applies [Task.FinishedBy] and returns the task. It discards unfinished uploads for the
	// task.
	Finish(ctx context.Context, now time.Time, h Holder, r Result) (Task, error)
	// Hello stores a host's description. If h names a task, it also finishes the task with success;
	// if the host does not hold the task, it stores nothing.
	Hello(ctx context.Context, now time.Time, connector string, h Hello) error

	// Uploads. A file arrives in chunks of up to 1 MiB, numbered from 0. It counts after
	// FinishUpload. An empty upload has no chunks.

	// BeginUpload applies [Task.CheckUpload] and begins an upload with a new id, a KSUID.
	BeginUpload(ctx context.Context, now time.Time, id string, h Holder, kind UploadKind) (Upload, error)
	// AppendUpload adds the next chunk. Invalid if the index is not the number of chunks so
	// far; NotFound if the upload is finished or discarded.
	AppendUpload(ctx context.Context, now time.Time, id string, index int, chunk []byte) error
	// FinishUpload adds an upload to its task. Refused if the lease of the upload is no longer held,
	// or the task is finished. If the task has a finished upload of the same size and hash, the new
	// one is discarded and the existing one returned.
	FinishUpload(ctx context.Context, now time.Time, id string, size int64, sha256 [32]byte) (Upload, error)
	// DiscardUpload removes an upload, finished or not. It does nothing if there is none.
	DiscardUpload(ctx context.Context, id string) error
	// UploadChunk returns a chunk of a finished upload.
	UploadChunk(ctx context.Context, connector, id string, index int) ([]byte, error)

	// Credentials and tokens.

	// Credential returns a credential, even if it is revoked.
	Credential(ctx context.Context, clientID string) (Credential, error)
	// AddToken adds a token and records the use of its credential. Unauthenticated if the credential
	// is not [Credential.Good]; AlreadyExists if the assertion was used before.
	AddToken(ctx context.Context, now time.Time, t Token) error
	// TokenCredential returns the credential of a token. Unauthenticated if the token does not exist
	// or has expired, or if the credential is not good.
	TokenCredential(ctx context.Context, now time.Time, hash [32]byte) (Credential, error)

	// Expire applies [Task.AfterLease] to leased tasks, discards unfinished uploads older than
	// [UploadTime], and removes expired tokens and assertions. It changes up to limit rows of each
	// kind and returns their number.
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
	Known     []string // ids of tasks that the host has, which it is not given again
}

// has reports whether the host says that it has t, and it does.
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

// Leases are the tasks that a host was given.
type Leases struct {
	Tasks []Task
	More  bool // the host could lease another task now
}

// UploadReader returns the bytes of a finished upload. It reads each chunk in a transaction of its
// own.
func UploadReader(ctx context.Context, store Store, u Upload) io.Reader {
	return &uploadReader{ctx: ctx, store: store, upload: u}
}

type uploadReader struct {
	ctx    context.Context
	store  Store
	upload Upload
	next   int // number of the next chunk
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
