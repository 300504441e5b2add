package rpc

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"

	"baton"
	"baton/internal/pb/batonv1"
)

// Config configures a [Server]. Store and Hosts are required.
type Config struct {
	Store Store
	// Hosts are the names at which connectors reach this server, host[:port]. An assertion may be
	// addressed to any of them.
	Hosts []string

	// Clients are credentials of other clients, which get their tokens at [TokenPath] too. They may
	// not call this server. nil: none.
	Clients Clients

	Poll          time.Duration // how long a host waits when no task is due; 0: 5 seconds
	Heartbeat     time.Duration // how often a host sends heartbeats; 0: 30 seconds
	TokenLifetime time.Duration // 0: 10 minutes
	MaxUpload     int64         // bytes; 0: 4 GiB
	Sweep         time.Duration // how often [Server.Run] calls [Store.Expire]; 0: 10 seconds

	// Received is called with an upload whose checksum is verified, before the connector gets a
	// response. An error refuses the upload: the connector gets its text, and the file is removed.
	// If the connector did not get the response, Received may be called again with the same
	// [Upload.ID]. The file only counts if the task succeeds. nil: every upload is accepted.
	Received func(ctx context.Context, u Upload, content io.Reader) error

	// Options are further options of the gRPC server. Its interceptors run before those
	// of this package.
	Options []grpc.ServerOption

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: none
}

// complete sets defaults and checks the rest.
func (c *Config) complete() error {
	c.Poll = cmp.Or(c.Poll, 5*time.Second)
	c.Heartbeat = cmp.Or(c.Heartbeat, 30*time.Second)
	c.TokenLifetime = cmp.Or(c.TokenLifetime, 10*time.Minute)
	c.MaxUpload = cmp.Or(c.MaxUpload, 4<<30)
	c.Sweep = cmp.Or(c.Sweep, 10*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Store == nil {
		return baton.Errorf(baton.Invalid, "rpc: the configuration has no store")
	}
	if len(c.Hosts) == 0 {
		return baton.Errorf(baton.Invalid, "rpc: the configuration has no host name")
	}
	for _, host := range c.Hosts {
		// These characters separate the parts of credentials.
		if name := hostname(host); name == "" || strings.ContainsAny(name, "@/:") {
			return baton.Errorf(baton.Invalid, "rpc: %q is not a host name, optionally with a port", host)
		}
	}
	if c.Heartbeat >= SyncLease {
		return baton.Errorf(baton.Invalid, "rpc: with a heartbeat every %v, leases of %v would end in between", c.Heartbeat, SyncLease)
	}
	return nil
}

// Server serves the protocol. It has no state of its own, so any number of servers may share a
// store. Its methods are safe for concurrent use.
type Server struct {
	config Config
	log    *slog.Logger
	grpc   *grpc.Server
	http   *http.Server
}

// New returns a server. Mount its [Server.Handler] or call [Server.Serve], and call
// [Server.Run] beside it. Close ends it.
func New(config Config) (*Server, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	s := &Server{config: config, log: config.Log.With(slog.String("component", "rpc"))}
	s.grpc = grpc.NewServer(append(append([]grpc.ServerOption(nil), config.Options...),
		grpc.ChainUnaryInterceptor(s.unary), grpc.ChainStreamInterceptor(s.stream))...)
	batonv1.RegisterBatonServiceServer(s.grpc, service{Server: s})
	s.http = &http.Server{Handler: s.Handler(), Protocols: new(http.Protocols), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetHTTP2(true)
	s.http.Protocols.SetUnencryptedHTTP2(true)
	return s, nil
}

// CallPath is the prefix of the paths of the protocol's gRPC calls.
const CallPath = "/c1.connectorapi.baton.v1.BatonService/"

// Handler returns a handler of [CallPath], which needs HTTP/2, and of [TokenPath]. Every
// other path is not found.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(CallPath, s.grpc)
	mux.HandleFunc(TokenPath, s.ServeToken)
	return mux
}

// Serve serves connections of the listener until Close: TLS connections if the listener
// accepts them and negotiates "h2", and otherwise unencrypted HTTP/2 and HTTP/1.1.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return baton.Errorf(baton.Unavailable, "rpc: %w", err)
	}
	return nil
}

// expireBatch limits the rows that one transaction of [Server.Run] changes.
const expireBatch = 500

// Run expires leases, uploads and tokens in the store until the context ends. Several servers may
// run it at once.
func (s *Server) Run(ctx context.Context) {
	ticker := time.NewTicker(s.config.Sweep)
	defer ticker.Stop()
	for {
		for n := expireBatch; n >= expireBatch; {
			var err error
			if n, err = s.config.Store.Expire(ctx, s.config.Now(), expireBatch); err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "leases could not be ended; trying again", "error", err)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends every call and every [Server.Serve].
func (s *Server) Close() error {
	s.grpc.Stop()
	return s.http.Close()
}
