package rpctest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/ksuid"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"baton"
	"baton/console/rpc"
	"baton/internal/disk"
	"baton/internal/pb/batonv1"
)

// Config configures a [Server]. Dir is required.
type Config struct {
	Dir  string // uploads are written to assets/ in it, and the certificate to ca.pem
	Host string // host[:port] for listening and for client ids; default for [Listen]: a free port of 127.0.0.1

	OtherHosts []string // further host names to which assertions may be addressed

	Lease         time.Duration // lease of every task; 0: that of its type
	Poll          time.Duration // 0: see [rpc.Config], also below
	Heartbeat     time.Duration
	TokenLifetime time.Duration
	MaxUpload     int64

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: none
}

// Server is an [rpc.Server] on a [Memory], for tests of connectors. It sends any message of the
// protocol as a task, returns results as they were sent, and can be made to fail by [Faults].
type Server struct {
	Store  *Memory
	CAFile string // PEM file of the authority that clients must trust; only from [Listen]

	config Config
	server *rpc.Server
	faults *faults

	recordMu sync.Mutex
	work     map[string]*batonv1.Task                             // by task
	results  map[[2]string]*batonv1.BatonServiceFinishTaskRequest // by task and host
	hellos   map[[2]string]*batonv1.BatonServiceHelloRequest      // by connector and host

	tls    *tls.Config
	cancel context.CancelFunc // stops the goroutine that expires leases
	mu     sync.Mutex
	http   *http.Server // nil while it is down
}

// New returns a server that does not listen; mount its Handler.
func New(config Config) (*Server, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(filepath.Join(config.Dir, "assets"), 0o700); err != nil {
		return nil, baton.Errorf(baton.Storage, "rpctest: %w", err)
	}
	s := &Server{Store: NewMemory(), config: config, faults: &faults{on: map[string]*fault{}},
		work: map[string]*batonv1.Task{}, results: map[[2]string]*batonv1.BatonServiceFinishTaskRequest{},
		hellos: map[[2]string]*batonv1.BatonServiceHelloRequest{}}
	var err error
	s.server, err = rpc.New(rpc.Config{
		Store: &faultyStore{Memory: s.Store, faults: s.faults}, Hosts: append([]string{config.Host}, config.OtherHosts...),
		Poll: config.Poll, Heartbeat: config.Heartbeat, TokenLifetime: config.TokenLifetime, MaxUpload: config.MaxUpload,
		Received: s.received, Now: config.Now, Log: config.Log,
		Options: []grpc.ServerOption{grpc.ChainUnaryInterceptor(s.failCall, s.record), grpc.ChainStreamInterceptor(s.failStream)},
	})
	return s, err
}

// Handler returns the server's handler, with the faults of connections and tokens.
func (s *Server) Handler() http.Handler { return s.faults.handler(s.server.Handler()) }

// Listen starts a server with TLS and a certificate of its own.
func Listen(ctx context.Context, config Config) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(config.Host, "127.0.0.1:0"))
	if err != nil {
		return nil, baton.Errorf(baton.Unavailable, "rpctest: %w", err)
	}
	config.Host = listener.Addr().String()
	s, err := New(config)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	host, _, _ := strings.Cut(config.Host, ":")
	certificate, ca, err := NewCertificate(config.Dir, host)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.CAFile = ca
	s.tls = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go s.server.Run(ctx)
	s.serve(listener)
	return s, nil
}

// NewCertificate returns a certificate for a host and the path of its authority's, which
// it writes to ca.pem in dir.
func NewCertificate(dir, host string) (certificate tls.Certificate, caFile string, err error) {
	certificate, authority, err := rpc.NewCertificate(time.Now(), host)
	if err != nil {
		return certificate, "", err
	}
	caFile = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(caFile, authority, 0o600); err != nil {
		return certificate, "", baton.Errorf(baton.Storage, "rpctest: %w", err)
	}
	return certificate, caFile, nil
}

// Address returns host:port, as in client ids.
func (s *Server) Address() string { return s.config.Host }

// serve must be called with the lock held, or before the server is shared.
func (s *Server) serve(listener net.Listener) {
	s.http = &http.Server{
		Handler:           s.Handler(),
		TLSConfig:         s.tls.Clone(),
		ConnContext:       withConn,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
	}
	go func(server *http.Server) {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.config.Log.Error("listener failed", "error", err)
		}
	}(s.http)
}

// Down closes the listener and all connections, until Up.
func (s *Server) Down() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	s.http = nil
	return err
}

// Up listens again, on the same address.
func (s *Server) Up(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.config.Host)
	if err != nil {
		return baton.Errorf(baton.Unavailable, "rpctest: %w", err)
	}
	s.serve(listener)
	return nil
}

// Close ends the server.
func (s *Server) Close() error {
	if s.cancel != nil {
		s.cancel()
	}
	return errors.Join(s.Down(), s.server.Close())
}

// Issue adds a credential of a connector. The connector's id is also the name in the
// client id.
func (s *Server) Issue(ctx context.Context, connector string) (clientID string, secret baton.Secret, err error) {
	for {
		c, secret, err := rpc.NewCredential(connector, connector, s.config.Host, s.config.Now())
		if err == nil {
			err = s.Store.AddCredential(ctx, s.config.Now(), c)
		}
		if baton.KindOf(err) != baton.AlreadyExists || err == nil {
			return c.ClientID, secret, err
		}
	}
}

// Revoke revokes a credential and its tokens.
func (s *Server) Revoke(ctx context.Context, clientID string) error {
	return s.Store.RevokeCredential(ctx, s.config.Now(), clientID)
}

// RevokeTokens revokes all tokens. The credentials remain.
func (s *Server) RevokeTokens() { s.Store.RevokeTokens() }

// Task is a task with its messages as they were sent and received. They must not be changed.
type Task struct {
	ID         string
	Connector  string
	Work       *batonv1.Task
	State      rpc.State
	Host       string // host of the last lease
	Deliveries int    // number of leases
	Heartbeats int
	Result     Result
}

// Result is the result of a task.
type Result struct {
	Finished     time.Time      // zero if it has none
	Host         string         // empty: cancelled without a host
	Status       *status.Status // nil on success
	NonRetryable bool
	Annotations  []*anypb.Any
	Response     *anypb.Any
	Assets       []Asset // received so far
}

// OK reports whether the task succeeded.
func (r Result) OK() bool { return !r.Finished.IsZero() && r.Status == nil }

// Asset is a file that was uploaded for a task.
type Asset struct {
	Path   string
	Size   int64
	SHA256 string // hex
	Host   string
	At     time.Time
}

// Enqueue queues any message of the protocol as a task and returns the task's id: that of
// the message, or a new one. NotFound if the connector never had a credential.
func (s *Server) Enqueue(ctx context.Context, connector string, work *batonv1.Task) (string, error) {
	if !s.Store.knows(connector) {
		return "", baton.Errorf(baton.NotFound, "rpctest: connector %q has no credential", connector)
	}
	now := s.config.Now()
	standIn := standIn(work)
	work = proto.CloneOf(work)
	work.Id = cmp.Or(work.GetId(), ksuid.New().String())
	s.recordMu.Lock()
	s.work[work.Id] = work
	s.recordMu.Unlock()
	return work.Id, s.Store.AddTask(ctx, now, rpc.Task{ID: work.Id, Connector: connector, Work: standIn, Debug: work.GetDebug(),
		Due: now, LeaseTime: cmp.Or(s.config.Lease, rpc.LeaseTime(standIn.Type())), State: rpc.Queued})
}

// standIn returns work that the store treats like the message's type of task. The message replaces
// it when the task is sent.
func standIn(m *batonv1.Task) rpc.Work {
	switch m.GetTaskType().(type) {
	case *batonv1.Task_Hello:
		return rpc.Work{Hello: &rpc.HelloWork{}}
	case *batonv1.Task_SyncFull:
		return rpc.Work{Sync: &rpc.SyncWork{}}
	case *batonv1.Task_Grant, *batonv1.Task_Revoke, *batonv1.Task_CreateAccount, *batonv1.Task_ActionInvoke,
		*batonv1.Task_CreateResource, *batonv1.Task_DeleteResource, *batonv1.Task_RotateCredentials, *batonv1.Task_IssueCredential:
		return rpc.Work{RunAction: &rpc.RunActionWork{Name: "stand-in"}}
	}
	return rpc.Work{ListActions: &rpc.ListActionsWork{}}
}

// Cancel cancels a task.
func (s *Server) Cancel(ctx context.Context, id string) error {
	return s.Store.CancelTask(ctx, s.config.Now(), s.connectorOf(id), id)
}

func (s *Server) connectorOf(id string) string {
	s.Store.mu.Lock()
	defer s.Store.mu.Unlock()
	if r := s.Store.tasks[id]; r != nil {
		return r.Connector
	}
	return ""
}

// Wait returns the result of a task once it is finished.
func (s *Server) Wait(ctx context.Context, id string) (Result, error) {
	t, err := s.Store.Wait(ctx, s.connectorOf(id), id)
	if err != nil {
		return Result{}, err
	}
	return s.task(t).Result, nil
}

// Tasks returns all tasks, oldest first.
func (s *Server) Tasks() []Task {
	var list []Task
	for _, t := range s.Store.Tasks() {
		list = append(list, s.task(t))
	}
	return list
}

// task adds the recorded messages to a stored task.
func (s *Server) task(stored rpc.Task) Task {
	t := Task{ID: stored.ID, Connector: stored.Connector, State: stored.State, Host: stored.Lease.Host,
		Deliveries: stored.Lease.Number, Heartbeats: stored.Heartbeats,
		Result: Result{Finished: stored.Result.At, Host: stored.Result.Host}}
	s.recordMu.Lock()
	t.Work = s.work[stored.ID]
	sent := s.results[[2]string{stored.ID, stored.Result.Host}]
	s.recordMu.Unlock()
	if stored.State == rpc.Finished {
		if stored.Result.Code != 0 {
			t.Result.Status = &status.Status{Code: int32(stored.Result.Code), Message: stored.Result.Message, Details: sent.GetStatus().GetDetails()}
		}
		t.Result.NonRetryable = stored.Result.NonRetryable
		t.Result.Annotations = append(sent.GetSuccess().GetAnnotations(), sent.GetError().GetAnnotations()...)
		if t.Result.Response = sent.GetSuccess().GetResponse(); t.Result.Response == nil {
			t.Result.Response = sent.GetError().GetResponse()
		}
	}
	uploads, err := s.Store.Uploads(context.Background(), stored.Connector, stored.ID)
	if err != nil {
		return t // only if there is no such task
	}
	for _, u := range uploads {
		t.Result.Assets = append(t.Result.Assets, Asset{Path: s.assetPath(u), Size: u.Size, SHA256: hex.EncodeToString(u.SHA256[:]),
			Host: u.Lease.Host, At: u.Finished})
	}
	return t
}

// Hello is the description of a host.
type Hello struct {
	Connector string
	Host      string
	Count     int // number of hellos
	At        time.Time
	Request   *batonv1.BatonServiceHelloRequest // the latest one
}

// Hellos returns the hosts that introduced themselves, by connector and host.
func (s *Server) Hellos() []Hello {
	var list []Hello
	for _, h := range s.Store.allHosts() {
		s.recordMu.Lock()
		list = append(list, Hello{Connector: h.Connector, Host: h.ID, Count: h.Hellos, At: h.Last, Request: s.hellos[[2]string{h.Connector, h.ID}]})
		s.recordMu.Unlock()
	}
	return list
}

func (s *Server) assetPath(u rpc.Upload) string {
	return filepath.Join(s.config.Dir, "assets", u.Task+"-"+u.ID)
}

// received writes an upload to its file.
func (s *Server) received(_ context.Context, u rpc.Upload, content io.Reader) error {
	_, err := disk.Replace(disk.OS{}, s.assetPath(u), func(w io.Writer) error {
		_, err := io.Copy(w, content)
		return err
	})
	return err
}

// record is an interceptor that records what hosts send, and sends the messages of Enqueue.
func (s *Server) record(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	// Recorded before the call is handled, because tests that wait for its effect then look for the
	// message.
	switch m := req.(type) {
	case *batonv1.BatonServiceFinishTaskRequest:
		s.recordMu.Lock()
		if !s.Store.finished(m.GetTaskId()) {
			s.results[[2]string{m.GetTaskId(), m.GetHostId()}] = m
		}
		s.recordMu.Unlock()
	case *batonv1.BatonServiceHelloRequest:
		if c, err := s.Store.TokenCredential(ctx, s.config.Now(), tokenHash(ctx)); err == nil {
			s.recordMu.Lock()
			s.hellos[[2]string{c.Connector, m.GetHostId()}] = m
			s.recordMu.Unlock()
		}
	}
	response, err := handle(ctx, req)
	switch m := response.(type) {
	case *batonv1.BatonServiceGetTaskResponse:
		m.Task = s.handedOut(m.GetTask())
	case *batonv1.BatonServiceGetTasksResponse:
		for i, t := range m.GetTasks() {
			m.Tasks[i] = s.handedOut(t)
		}
	}
	return response, err
}

// handedOut returns the message that was queued with a stand-in.
func (s *Server) handedOut(m *batonv1.Task) *batonv1.Task {
	s.recordMu.Lock()
	defer s.recordMu.Unlock()
	if queued := s.work[m.GetId()]; m != nil && queued != nil {
		return queued
	}
	return m
}

// tokenHash returns the hash of the bearer token of a call.
func tokenHash(ctx context.Context) [32]byte {
	header := strings.Join(metadata.ValueFromIncomingContext(ctx, "authorization"), " ")
	_, token, _ := strings.Cut(header, " ")
	return sha256.Sum256([]byte(token))
}
