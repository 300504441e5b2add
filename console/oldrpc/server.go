package rpc

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/segmentio/ksuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"baton"
	"baton/internal/pb/batonv1"
)

// Config is what a server needs to know.
type Config struct {
	Host  string // host[:port] where connectors reach it: part of every client id. 443 when there is no port
	Dir   string // a directory of its own; uploads go to assets/ in it
	Store Store  // nil: Memory

	Lease         time.Duration // how long a task is a host's without a heartbeat; 0: 5 minutes
	Poll          time.Duration // how long a host waits when there is nothing to do; 0: 5 seconds
	Heartbeat     time.Duration // how often a host says that it works on a task; 0: 30 seconds
	TokenLifetime time.Duration // 0: 10 minutes
	MaxUpload     int64         // bytes of one upload; 0: 4 GiB

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: none
}

func (c *Config) complete() error {
	c.Lease = cmp.Or(c.Lease, 5*time.Minute)
	c.Poll = cmp.Or(c.Poll, 5*time.Second)
	c.Heartbeat = cmp.Or(c.Heartbeat, 30*time.Second)
	c.TokenLifetime = cmp.Or(c.TokenLifetime, 10*time.Minute)
	c.MaxUpload = cmp.Or(c.MaxUpload, 4<<30)
	if c.Store == nil {
		c.Store = Memory{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch name := hostname(c.Host); {
	case name == "" || strings.ContainsAny(name, "@/:"): // these separate the parts of credentials
		return baton.Errorf(baton.Invalid, "rpc: host %q is no host name", c.Host)
	case c.Dir == "":
		return baton.Errorf(baton.Invalid, "rpc: no directory")
	case c.Lease <= c.Heartbeat:
		return baton.Errorf(baton.Invalid, "rpc: a lease of %v would lapse between heartbeats every %v", c.Lease, c.Heartbeat)
	}
	return nil
}

// Server is one control plane. Its methods may be called at the same time.
type Server struct {
	config Config
	log    *slog.Logger
	wallet *wallet
	mint   *mint
	queue  *queue
	faults *switches
	grpc   *grpc.Server
}

// New is a server that knows what its store holds.
func New(ctx context.Context, config Config) (*Server, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	s := &Server{
		config: config,
		log:    config.Log.With(slog.String("component", "rpc")),
		wallet: &wallet{store: config.Store, now: config.Now, host: config.Host, byID: map[string]Credential{}},
		mint:   &mint{tokens: map[string]bearer{}, nonces: map[string]time.Time{}},
		faults: &switches{on: map[string]*fault{}},
	}
	if err := clearParts(s.assets()); err != nil {
		return nil, err
	}
	state, err := config.Store.Load(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range state.Credentials {
		s.wallet.byID[c.ClientID] = c
	}
	s.queue = newQueue(config.Store, config.Now, config.Lease, state)
	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(s.aroundCall), grpc.StreamInterceptor(s.aroundStream))
	batonv1.RegisterBatonServiceServer(s.grpc, service{Server: s})
	return s, nil
}

// assets is where uploads go.
func (s *Server) assets() string { return filepath.Join(s.config.Dir, "assets") }

// Close breaks off every call that is under way.
func (s *Server) Close() { s.grpc.Stop() }

// Enqueue gives a connector something to do and returns the id of the task. The id is
// made here unless work has one, which must be new.
func (s *Server) Enqueue(ctx context.Context, connector string, work *batonv1.Task) (string, error) {
	if !s.wallet.knows(connector) {
		return "", baton.Errorf(baton.NotFound, "rpc: no connector %q", connector).WithFix("Issue a credential for it first.")
	}
	if work.GetNone() != nil {
		return "", baton.Errorf(baton.Invalid, "rpc: a none task is nothing to do")
	}
	work = proto.CloneOf(work)
	if work.Id == "" {
		work.Id = ksuid.New().String()
	}
	if !isTaskID(work.Id) {
		return "", baton.Errorf(baton.Invalid, "rpc: task id %q is not %d letters and digits", work.Id, taskIDSize)
	}
	if err := s.queue.add(ctx, Task{ID: work.Id, Connector: connector, Work: work}); err != nil {
		return "", err
	}
	return work.Id, nil
}

// Cancel ends a task. If a host works on it, the task ends when that host says so, and
// at the latest when the lease lapses and another host asks for work.
func (s *Server) Cancel(ctx context.Context, taskID string) error { return s.queue.cancel(ctx, taskID) }

// Wait is the result of a task, as soon as it has one.
func (s *Server) Wait(ctx context.Context, taskID string) (Result, error) {
	return s.queue.wait(ctx, taskID)
}

// Tasks is every task, oldest first.
func (s *Server) Tasks() []Task { return s.queue.allTasks() }

// Hellos is every host that has introduced itself, by connector and host.
func (s *Server) Hellos() []Hello { return s.queue.allHellos() }

// RevokeTokens makes every token that was issued so far worthless. The credentials
// stay good.
func (s *Server) RevokeTokens() { s.mint.revokeAll() }

// clearParts makes the directory for uploads and removes what an earlier process left
// half-written there.
func clearParts(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return baton.Errorf(baton.Storage, "rpc: %w", err)
	}
	parts, err := filepath.Glob(filepath.Join(dir, "*"+partSuffix))
	if err != nil {
		return baton.Errorf(baton.Storage, "rpc: %w", err)
	}
	for _, part := range parts {
		if err := os.Remove(part); err != nil {
			return baton.Errorf(baton.Storage, "rpc: %w", err)
		}
	}
	return nil
}
