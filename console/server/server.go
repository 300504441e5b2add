// Package server is the console's process: it listens, serves the pages and the connector protocol,
// and does due work.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"baton"
	"baton/console"
	"baton/console/api"
	"baton/console/config"
	"baton/console/govern"
	"baton/console/hosted"
	"baton/console/ingest"
	"baton/console/installation"
	"baton/console/mail"
	"baton/console/rpc"
	"baton/console/scim"
	"baton/console/siem"
	"baton/console/store"
	"baton/console/store/rpcstore"
	"baton/console/telemetry"
	"baton/console/web"
	"baton/console/webhook"
	"baton/console/worker"
)

// Config configures the process.
type Config struct {
	Installation installation.Config
	Listen       string // host:port; port 0 selects a free one
	URL          string // used by people and connectors; default: from Listen
	TLSCert      string // file with a certificate chain
	TLSKey       string // file with its key
	SelfSigned   bool   // create a certificate, for a trial
	Bootstrap    string // file of package config; empty: none
	EnvFile      string // file with values for clients; empty: none
	Version      string
	Products     []govern.Product  // connectors in the catalogue
	Networks     govern.Networks   // private networks that hosted connectors may connect to
	Proxies      []netip.Prefix    // networks of trusted proxies
	Trace        *telemetry.Tracer // nil: no spans are made
	Drain        time.Duration     // how long to serve on after the context has ended, while /ready refuses
	Now          func() time.Time  // nil: time.Now
	Log          *slog.Logger      // nil: none
	// Variables are further lines of the env file: NAME, value, NAME, value, …
	Variables []string
	// Clients are credentials of people to write to the env file.
	Clients []ClientVariables
	// Demo lets everybody sign in as one of these people with one click. Only for the demo, which
	// listens on a loopback address.
	Demo []web.DemoPerson
	// Ready is called when the console serves, with its address, and with the setup token if it is
	// not written to an env file.
	Ready func(address string, setup baton.Secret)

	MinInterval time.Duration // shortest interval between syncs; 0: one minute
	Poll        time.Duration // interval at which connectors ask for tasks; 0: 5 seconds
	// OverdueAfter is how long the removal of expired access may take to start; 0:
	// [console.OverdueAfter].
	OverdueAfter time.Duration
}

// Server is a console that is ready to serve.
type Server struct {
	config  Config
	log     *slog.Logger
	in      *installation.Installation
	url     *url.URL
	hosts   []string // names at which connectors reach it, host[:port]
	calls   rpc.Config
	rpc     *rpc.Server
	hosted  hosted.Config
	worker  *worker.Worker
	console *govern.Console
	http    *http.Server
	cert    atomic.Pointer[tls.Certificate] // nil without TLS
	trust   string                          // file with the authorities that connectors need; "" for the system's

	stopping atomic.Bool
	ending   chan struct{} // closed when the server stops, to end streams
	started  time.Time
	meter    *telemetry.Meter
}

// Run serves until the context ends, then stops cleanly.
func Run(ctx context.Context, c Config) (err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MinInterval == 0 {
		c.MinInterval = time.Minute
	}
	if err := c.check(); err != nil {
		return err
	}
	c.Log = slog.New(telemetry.LogHandler(c.Log.Handler()))
	c.Installation.Now, c.Installation.Create = c.Now, true
	in, err := installation.Open(ctx, c.Installation)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := in.Lock(); err != nil {
		return err
	}
	scratch, remove, err := in.Scratch()
	if err != nil {
		return err
	}
	defer remove()
	s := &Server{config: c, log: c.Log, in: in, ending: make(chan struct{}), meter: telemetry.NewMeter()}
	s.in.Store.Observe(s.meter, c.Trace)
	return s.run(ctx, scratch)
}

// check refuses contradictory settings.
func (c Config) check() error {
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return baton.Errorf(baton.Invalid, "--tls-cert and --tls-key belong together").WithFix("Give both, or neither.")
	case c.TLSCert != "" && c.SelfSigned:
		return baton.Errorf(baton.Invalid, "--tls self-signed and --tls-cert exclude each other").WithFix("Give one of them.")
	}
	// Checked before the data folder is created, so that a mistake leaves nothing behind.
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return errListen(err)
	}
	if c.Bootstrap != "" {
		if _, err := config.Read(c.Bootstrap, c.MinInterval, c.Products); err != nil {
			return err
		}
	}
	if c.EnvFile != "" {
		return checkEnvFile(c.EnvFile)
	}
	return nil
}

func errListen(err error) error {
	return baton.Errorf(baton.Invalid, "--listen: %w", err).WithFix("Write it as 127.0.0.1:8443.")
}

// address determines the address of the console and the names at which connectors reach it.
func (s *Server) address(listening net.Addr) error {
	listenHost, _, err := net.SplitHostPort(s.config.Listen)
	if err != nil {
		return errListen(err)
	}
	_, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return baton.Errorf(baton.Internal, "listen: %w", err)
	}
	local := isLoopback(listenHost)
	encrypted := s.config.TLSCert != "" || s.config.SelfSigned || local
	if s.config.URL != "" {
		u, err := url.Parse(s.config.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.Contains(u.Hostname(), ":") {
			return baton.Errorf(baton.Invalid, "--url: %q is no address of a console", s.config.URL).WithFix("Write it as https://console.example.com: with a name or an IPv4 address, and without a path.")
		}
		u.Path = ""
		s.url = u
	} else {
		host := listenHost
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			return baton.Errorf(baton.Invalid, "--listen %s is reached from other machines, and it is not known under which name", s.config.Listen).
				WithFix("Say it with --url, for example --url https://console.example.com.")
		}
		if strings.Contains(host, ":") {
			if !local {
				return baton.Errorf(baton.Invalid, "--listen %s has no name that can be part of a client id", s.config.Listen).
					WithFix("Give the console a name with --url, for example --url https://console.example.com.")
			}
			host = "localhost"
		}
		scheme := "http"
		if encrypted {
			scheme = "https"
		}
		s.url = &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}
	}
	s.hosts = []string{s.url.Host}
	if local {
		for _, name := range []string{"127.0.0.1", "localhost"} {
			s.hosts = append(s.hosts, net.JoinHostPort(name, port))
		}
	}
	return nil
}

// certificateHosts returns the names in a self-signed certificate.
func (s *Server) certificateHosts() []string {
	names := []string{s.url.Hostname()}
	for _, name := range []string{"127.0.0.1", "localhost", "::1"} {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (s *Server) run(ctx context.Context, scratch string) error {
	l, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return baton.Errorf(baton.Unavailable, "listen: %w", err).WithFix("Name a free address of this machine with --listen, for example 127.0.0.1:8443.")
	}
	defer l.Close()
	if err := s.address(l.Addr()); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(s.config.Listen)
	cert, trust, err := s.config.certificate(s.in.Dir, s.certificateHosts(), s.config.SelfSigned || isLoopback(host))
	if err != nil {
		return err
	}
	s.trust = trust
	copied, err := s.in.Identify(ctx)
	if err != nil {
		return err
	}
	if copied {
		s.log.Warn("this database is a copy or was restored: a new epoch of the audit chain began, and writes, mail and webhooks are paused; resume them with baton-console resume when the original does not run any more")
	}
	applied, err := s.bootstrap(ctx)
	if err != nil {
		return err
	}
	s.cert.Store(cert)
	if err := s.assemble(scratch); err != nil {
		return err
	}
	if err := s.worker.Prepare(ctx); err != nil {
		return err
	}
	if cert != nil {
		l = newEitherListener(l, s.http.TLSConfig, isLoopback(host))
	}
	return s.serve(ctx, l, applied)
}

// authority returns the certificate authority that connectors need, in PEM; "" if they need none.
func (s *Server) authority() (string, error) {
	if s.trust == "" {
		return "", nil
	}
	b, err := os.ReadFile(s.trust)
	if err != nil {
		return "", baton.Errorf(baton.Storage, "certificate authority: %w", err)
	}
	return string(b), nil
}

// assemble creates the parts of the server.
func (s *Server) assemble(scratch string) (err error) {
	ingester := &ingest.Ingester{Store: s.in.Store, Now: s.config.Now, Scratch: scratch}
	s.calls = rpc.Config{Store: rpcstore.New(s.in.Store), Hosts: s.hosts, Poll: s.config.Poll, MaxUpload: ingest.MaxFile, Now: s.config.Now, Log: s.log,
		Options: []grpc.ServerOption{grpc.ChainUnaryInterceptor(observeCall), grpc.ChainStreamInterceptor(observeStream)},
		Clients: rpcstore.NewClients(s.in.Store),
		Received: func(ctx context.Context, u rpc.Upload, content io.Reader) error {
			if u.Kind != rpc.SyncFile {
				return nil
			}
			return ingester.Examine(ctx, console.ID(u.ID), content)
		}}
	if s.rpc, err = rpc.New(s.calls); err != nil {
		return err
	}
	hostname, _ := os.Hostname()
	s.worker = worker.New(worker.Config{Store: s.in.Store, Ingester: ingester, Now: s.config.Now, Log: s.log.With("component", "worker"),
		Owner: fmt.Sprintf("%s-%s", hostname, console.NewID(s.config.Now())), OverdueAfter: s.config.OverdueAfter,
		Mail: mail.Sender{Allow: s.config.Networks.Allow, Public: govern.Public}, URL: s.url, Meter: s.meter, Tracer: s.config.Trace,
		SIEM:     siem.Sender{Allow: s.config.Networks.Allow, Public: govern.Public, Host: s.url.Hostname()},
		Webhooks: webhook.Sender{Allow: s.config.Networks.Allow}})
	var reached []string // over TLS
	if s.url.Scheme == "https" {
		reached = s.hosts
	}
	s.console = govern.New(govern.Config{MinInterval: s.config.MinInterval, Store: s.in.Store, Hosts: reached, Products: s.config.Products, Allow: s.config.Networks.Allow, Now: s.config.Now, Log: s.log.With("component", "login"), Receive: s.receive(ingester),
		Configuration: config.Door{Reader: config.Reader{MinInterval: s.config.MinInterval, Products: s.config.Products}}})
	s.hosted = hosted.Config{Store: s.in.Store, Console: s.console, RPC: s.calls, Host: hostname, Version: s.config.Version, Scratch: filepath.Join(scratch, "hosted"), Log: s.log.With("component", "hosted")}
	if err := os.Mkdir(s.hosted.Scratch, 0o700); err != nil {
		return baton.Errorf(baton.Storage, "hosted connectors: %w", err)
	}
	ca, err := s.authority()
	if err != nil {
		return err
	}
	pages := web.New(web.Config{Console: s.console, URL: s.url, Proxies: s.config.Proxies, CA: ca, Demo: s.config.Demo, Log: s.log.With("component", "web"), Ending: s.ending})
	mux := http.NewServeMux()
	calls := s.rpc.Handler()
	mux.Handle(rpc.CallPath, calls)
	s.probes(mux)
	rest := api.Config{Console: s.console, Log: s.log.With("component", "api")}
	mux.Handle(rpc.TokenPath, rest.Token(calls))
	mux.Handle(api.DevicePath, rest.Device(s.url))
	mux.Handle(api.Prefix, api.New(rest))
	mux.Handle(api.HookPath, rest.Hooks())
	people := scim.New(scim.Config{Console: s.console, URL: s.url, Log: s.log.With("component", "scim")})
	mux.Handle("/", pages)
	// The multiplexer would redirect paths with double slashes, which package scim accepts.
	front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == scim.Base || strings.HasPrefix(r.URL.Path, scim.Prefix) {
			people.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	s.http = &http.Server{Handler: telemetry.Observer{Meter: s.meter, Tracer: s.config.Trace, Proxies: s.config.Proxies, Log: s.log, Now: s.config.Now}.Handler(s.closing(front)), Protocols: new(http.Protocols), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetHTTP2(true)
	s.http.Protocols.SetUnencryptedHTTP2(true)
	if s.cert.Load() != nil {
		current := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert.Load(), nil }
		s.http.TLSConfig = &tls.Config{GetCertificate: current, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	return nil
}

// receive returns a function that stores uploaded sync files.
func (s *Server) receive(in *ingest.Ingester) govern.Receive {
	return func(ctx context.Context, by console.Actor, connector console.ID, file io.Reader) (console.ID, error) {
		return in.Receive(ctx, by, ingest.Origin{Connector: connector, Kind: console.SyncUpload}, file)
	}
}

// shutdownTime limits the time for running calls when the server stops.
const shutdownTime = 10 * time.Second

// filePoll is the interval for reading the key file and the certificate again: another process may
// have rotated the keys, or renewed the certificate.
const filePoll = 5 * time.Second

func (s *Server) serve(ctx context.Context, l net.Listener, applied config.Applied) error {
	background, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { s.rpc.Run(background) })
	wg.Go(func() { s.worker.Run(background) })
	wg.Go(func() {
		if err := hosted.Run(background, s.hosted); err != nil {
			s.log.Error("hosted connectors do not run", "error", err)
		}
	})
	wg.Go(func() { s.watchFiles(background) })
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(l) }()
	defer s.rpc.Close()
	setup, err := s.writeEnv(ctx, applied)
	if err != nil {
		s.http.Close()
		return err
	}
	if s.config.Ready != nil {
		s.config.Ready(s.url.String(), setup)
	}
	select {
	case err := <-ended:
		return baton.Errorf(baton.Unavailable, "serve: %w", err)
	case <-ctx.Done():
	}
	s.log.Info("stopping", "drain_seconds", s.config.Drain.Seconds())
	s.drain(ended)
	close(s.ending)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		s.http.Close()
	}
	return nil
}

// drain serves on while /ready refuses, so that a balancer sends new calls elsewhere before the
// listener closes.
func (s *Server) drain(ended <-chan error) {
	s.stopping.Store(true)
	select {
	case <-ended:
	case <-time.After(s.config.Drain):
	}
}

// closing closes the connection of each call once the server is stopping: a balancer that kept it
// could send a call just when it ends, which nobody would answer. With HTTP/2 the client is told, and
// calls that are under way go on.
func (s *Server) closing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

func (s *Server) watchFiles(ctx context.Context) {
	ticker := time.NewTicker(filePoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.in.Store.ReloadKeys(); err != nil {
				s.log.Error("the key file cannot be read; the keys in memory stay in use", "error", err)
			}
			if err := s.reloadCertificate(); err != nil {
				s.log.Error("the certificate cannot be read; the one in memory stays in use", "error", err)
			}
		}
	}
}

// bootstrap applies the bootstrap file and schedules new connectors.
func (s *Server) bootstrap(ctx context.Context) (config.Applied, error) {
	if s.config.Bootstrap == "" {
		return nil, nil
	}
	f, err := config.Read(s.config.Bootstrap, s.config.MinInterval, s.config.Products)
	if err != nil {
		return nil, err
	}
	// Another replica that starts at the same time may add the same people and apps. Then they are there.
	for try := 1; ; try++ {
		applied, _, err := f.Apply(ctx, s.in.Store, s.by(), config.Options{Source: console.BootstrapSource})
		if baton.KindOf(err) != baton.AlreadyExists || try == bootstrapTries {
			return applied, err
		}
	}
}

// bootstrapTries limits how often the bootstrap file is applied again after another replica was faster.
const bootstrapTries = 5

func (s *Server) by() console.By { return console.By{At: s.config.Now(), Actor: console.Console} }

// setupIssued names the setting that records that a setup token was issued.
const setupIssued = "setup-token-issued"

// writeEnv writes the env file: the address, the setup token, and credentials of the connectors in
// the bootstrap file. Valid credentials in the existing file are kept.
func (s *Server) writeEnv(ctx context.Context, applied config.Applied) (setup baton.Secret, err error) {
	if setup, err = s.setupToken(ctx); err != nil || s.config.EnvFile == "" {
		return setup, err
	}
	before, err := readVariables(s.config.EnvFile)
	if err != nil {
		return setup, err
	}
	var v variables
	v.add("CONSOLE_URL", s.url.String())
	if s.trust != "" {
		v.add("SSL_CERT_FILE", s.trust)
	}
	if !setup.IsZero() {
		v.add("SETUP_TOKEN", setup.Reveal())
	}
	for i := 0; i+1 < len(s.config.Variables); i += 2 {
		v.add(s.config.Variables[i], s.config.Variables[i+1])
	}
	names := make([]string, 0, len(applied))
	for name := range applied {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		prefix := config.Variable(name)
		id, secret := before.get(prefix+"_CLIENT_ID"), before.get(prefix+"_CLIENT_SECRET")
		good, err := s.stillGood(ctx, applied[name].ID, id, secret)
		if err != nil {
			return setup, err
		}
		if !good {
			var issued baton.Secret
			if id, issued, err = s.issue(ctx, applied[name]); err != nil {
				return setup, err
			}
			secret = issued.Reveal()
		}
		v.add(prefix+"_CLIENT_ID", id)
		v.add(prefix+"_CLIENT_SECRET", secret)
	}
	if err := s.addClients(ctx, &v); err != nil {
		return setup, err
	}
	return baton.Secret{}, v.write(s.config.EnvFile)
}

// ClientVariables defines the credential of a person in the env file: PREFIX_CLIENT_ID and
// PREFIX_CLIENT_SECRET.
type ClientVariables struct {
	Prefix string
	Email  string // of the person
	Scopes []console.Scope
}

// addClients creates the credentials for the env file.
func (s *Server) addClients(ctx context.Context, v *variables) error {
	for _, c := range s.config.Clients {
		var person console.ID
		err := s.in.Store.View(ctx, func(t *store.Tx) error {
			p, err := t.PersonByEmail(c.Email)
			person = p.ID
			return err
		})
		if err != nil {
			return err
		}
		made, err := s.console.IssueClient(ctx, person, govern.NewClient{Name: c.Prefix, Scopes: c.Scopes, Life: console.MaxClientLife})
		if err != nil {
			return err
		}
		v.add(c.Prefix+"_CLIENT_ID", made.ClientID)
		v.add(c.Prefix+"_CLIENT_SECRET", made.Secret.Reveal())
	}
	return nil
}

// setupToken returns the setup token once: in the first run, unless the bootstrap file created a
// login.
func (s *Server) setupToken(ctx context.Context) (baton.Secret, error) {
	issued := false
	// Replicas may start for the first time together: one of them issues it.
	err := s.in.Store.Update(ctx, s.by(), func(t *store.Tx) error {
		_, err := t.Setting(setupIssued)
		if issued = err == nil; baton.KindOf(err) == baton.NotFound {
			err = t.AddSetting(setupIssued, []byte("yes"))
		}
		return err
	})
	if baton.KindOf(err) == baton.AlreadyExists {
		issued, err = true, nil
	}
	if err != nil {
		return baton.Secret{}, err
	}
	g := govern.New(govern.Config{Store: s.in.Store, Now: s.config.Now})
	if issued {
		if needed, err := g.NeedsSetup(ctx); err != nil || needed {
			s.log.Warn("nobody can sign in yet; the setup token of the first start is still good, and baton-console setup-token prints a new one")
			return baton.Secret{}, err
		}
		return baton.Secret{}, nil
	}
	return g.NewSetupToken(ctx)
}

// stillGood reports whether credentials in the env file are valid for a connector at this address.
func (s *Server) stillGood(ctx context.Context, connector console.ID, id, secret string) (bool, error) {
	if id == "" || secret == "" || !strings.Contains(id, "@"+s.url.Host+"/") {
		return false, nil
	}
	c, err := rpcstore.New(s.in.Store).Credential(ctx, id)
	if baton.KindOf(err) == baton.NotFound {
		return false, nil
	}
	return err == nil && c.Connector == string(connector) && c.Good(s.config.Now()), err
}

// issue creates credentials for a connector. Refused if they would be sent over unencrypted
// connections.
func (s *Server) issue(ctx context.Context, c console.Connector) (id string, secret baton.Secret, err error) {
	if s.url.Scheme != "https" {
		return "", secret, baton.Errorf(baton.Refused, "credentials of connector %q are not issued: connectors speak TLS only, and the console is at %s", c.Name, s.url).
			WithFix("Give --tls-cert and --tls-key, or --tls self-signed for a trial; behind a proxy that speaks TLS, give its address as --url https://….")
	}
	for range 10 { // the number in a client id may be taken
		var credential rpc.Credential
		if credential, secret, err = rpc.NewCredential(string(c.ID), rpc.CredentialName(c.Name), s.url.Host, s.config.Now()); err != nil {
			return "", secret, err
		}
		err = s.in.Store.Update(ctx, s.by(), func(t *store.Tx) error { return rpcstore.AddCredential(t, credential) })
		if baton.KindOf(err) != baton.AlreadyExists {
			return credential.ClientID, secret, err
		}
	}
	return "", secret, err
}
