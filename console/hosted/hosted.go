// Package hosted runs connectors inside the console. They use the same protocol as connectors that
// run elsewhere, over a local connection, so that all tasks take the same path.
//
// Every replica runs every hosted connector. One of them leases a task, as with several hosts of any
// connector. The configuration of a connector comes only from the store.
package hosted

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"baton"
	"baton/agent/service"
	"baton/connector/rest"
	"baton/console"
	"baton/console/govern"
	"baton/console/rpc"
	"baton/console/store"
)

// Config configures a [Runner]. All fields are required.
type Config struct {
	Store   *store.Store
	Console *govern.Console
	// RPC configures the server that the connectors call. Its Hosts are replaced.
	RPC     rpc.Config
	Host    string // name of this replica as a host of the connectors
	Version string // of the console
	Scratch string // folder for this package only
	Log     *slog.Logger
}

// Runner runs the hosted connectors of a console.
type Runner struct {
	Config
	local   *localStore
	address string // called by the connectors
	caFile  string
	running map[console.ID]*running
	wg      sync.WaitGroup
}

// running is a running connector.
type running struct {
	version int64 // version of the connector with which it was started
	stop    context.CancelFunc
	done    chan struct{}
}

// watchEvery is the interval for polling for added or changed connectors, in addition to wake-ups.
const watchEvery = 5 * time.Second

// pollEvery is the longest interval at which hosted connectors ask for tasks: there are few of them,
// and access whose time is over is to be gone soon.
const pollEvery = time.Second

// Run runs the hosted connectors until the context ends.
func Run(ctx context.Context, c Config) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return baton.Errorf(baton.Unavailable, "listen for hosted connectors: %w", err)
	}
	defer l.Close()
	r := &Runner{Config: c, local: newLocalStore(c.RPC.Store), address: l.Addr().String(), caFile: filepath.Join(c.Scratch, "authority.pem"), running: map[console.ID]*running{}}
	// TLS compares the certificate with the machine's clock.
	certificate, authority, err := rpc.NewCertificate(time.Now(), "127.0.0.1")
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.caFile, authority, 0o600); err != nil {
		return baton.Errorf(baton.Storage, "hosted connectors: %w", err)
	}
	if c.RPC.Poll == 0 || c.RPC.Poll > pollEvery {
		c.RPC.Poll = pollEvery
	}
	c.RPC.Store, c.RPC.Hosts = r.local, []string{r.address}
	server, err := rpc.New(c.RPC)
	if err != nil {
		return err
	}
	defer server.Close()
	go server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}}))
	r.watch(ctx)
	return nil
}

// watch starts and stops connectors until the context ends, and waits for them.
func (r *Runner) watch(ctx context.Context) {
	woken, done := r.Store.Watch(store.ConnectorTopic)
	defer done()
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			r.Log.ErrorContext(ctx, "hosted connectors cannot be read; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-woken:
		case <-ticker.C:
		}
	}
	r.wg.Wait() // all of them end with the context
}

// look starts and stops connectors according to the store.
func (r *Runner) look(ctx context.Context) error {
	wanted := map[console.ID]console.Connector{}
	err := r.Store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Connectors("")
		for _, c := range all {
			if c.Hosting != console.Hosted || c.Paused {
				continue
			}
			if configured, err := tx.ConnectorSettings(c.ID); err != nil {
				return err
			} else if len(configured) > 0 {
				wanted[c.ID] = c
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for id, run := range r.running {
		if c, ok := wanted[id]; !ok || c.Version != run.version {
			run.stop()
			<-run.done
			delete(r.running, id)
		}
	}
	for id, c := range wanted {
		if r.running[id] == nil {
			r.start(ctx, c)
		}
	}
	return nil
}

// start runs a connector until its context ends.
func (r *Runner) start(ctx context.Context, c console.Connector) {
	ctx, stop := context.WithCancel(ctx)
	run := &running{version: c.Version, stop: stop, done: make(chan struct{})}
	r.running[c.ID] = run
	r.wg.Go(func() {
		defer close(run.done)
		defer stop()
		log := r.Log.With("connector", c.Name)
		for attempt := 0; ctx.Err() == nil; attempt++ {
			if err := r.run(ctx, c, log); err != nil && ctx.Err() == nil {
				log.ErrorContext(ctx, "a hosted connector ended; it starts again", "error", err, "fix", baton.FixOf(err))
			}
			select {
			case <-ctx.Done():
			case <-time.After(min(time.Second<<min(attempt, 6), time.Minute)):
			}
		}
	})
}

// run runs a connector once.
func (r *Runner) run(ctx context.Context, c console.Connector, log *slog.Logger) error {
	id, secret, err := r.local.issue(string(c.ID), r.address, r.RPC.Now())
	if err != nil {
		return err
	}
	defer r.local.forget(id)
	state, err := os.MkdirTemp(r.Scratch, "connector-*")
	if err != nil {
		return baton.Errorf(baton.Storage, "hosted connector: %w", err)
	}
	defer os.RemoveAll(state)
	return service.Run(ctx, service.Config{
		Open: func(ctx context.Context, observe func(rest.Attempt)) (*baton.Connector, error) {
			return r.Console.OpenHosted(ctx, c.ID, rest.Options{UserAgent: "baton-console/" + r.Version, Log: log, Observe: observe})
		},
		ClientID: id, ClientSecret: secret, HostID: r.Host, APIHost: r.address, CAFile: r.caFile, Version: r.Version,
		Provisioning: true, BatchTasks: true, StateDir: state,
		// The console itself holds syncs that remove too much.
		ForgetSyncs: true, AllowEmpty: true,
		Log: log,
	})
}

// localStore keeps the credentials of hosted connectors in the memory of this process, so that no
// usable credentials are stored.
type localStore struct {
	rpc.Store
	mu          sync.Mutex
	credentials map[string]rpc.Credential
	tokens      map[[32]byte]rpc.Token
}

func newLocalStore(s rpc.Store) *localStore {
	return &localStore{Store: s, credentials: map[string]rpc.Credential{}, tokens: map[[32]byte]rpc.Token{}}
}

// issue creates a credential for a connector.
func (l *localStore) issue(connector, host string, now time.Time) (string, baton.Secret, error) {
	c, secret, err := rpc.NewCredential(connector, "hosted", host, now)
	if err != nil {
		return "", secret, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, taken := l.credentials[c.ClientID]; taken {
		return "", secret, baton.Errorf(baton.Unavailable, "client id %s is taken", c.ClientID)
	}
	l.credentials[c.ClientID] = c
	return c.ClientID, secret, nil
}

// forget removes a credential and its tokens.
func (l *localStore) forget(clientID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.credentials, clientID)
	for hash, t := range l.tokens {
		if t.ClientID == clientID {
			delete(l.tokens, hash)
		}
	}
}

// Credential implements [rpc.Store].
func (l *localStore) Credential(_ context.Context, clientID string) (rpc.Credential, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.credentials[clientID]
	if !ok {
		return c, baton.Errorf(baton.NotFound, "no credential %s", clientID)
	}
	return c, nil
}

// AddToken implements [rpc.Store]. It accepts an assertion twice, because only this process creates
// them.
func (l *localStore) AddToken(_ context.Context, now time.Time, t rpc.Token) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.credentials[t.ClientID]; !ok {
		return baton.Errorf(baton.Unauthenticated, "no credential %s", t.ClientID)
	}
	for hash, old := range l.tokens {
		if !now.Before(old.Expires) {
			delete(l.tokens, hash)
		}
	}
	l.tokens[t.Hash] = t
	return nil
}

// TokenCredential implements [rpc.Store].
func (l *localStore) TokenCredential(_ context.Context, now time.Time, hash [32]byte) (rpc.Credential, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.tokens[hash]
	c, good := l.credentials[t.ClientID]
	if !ok || !good || !now.Before(t.Expires) {
		return rpc.Credential{}, baton.Errorf(baton.Unauthenticated, "the token is unknown or has expired")
	}
	return c, nil
}
