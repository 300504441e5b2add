// Package service runs a connector for ConductorOne ("C1"): it takes tasks, carries them
// out and answers each of them.
//
//	Run ─▶ token ─▶ Hello ─▶ slot ─▶ GetTask ─▶ task ─▶ FinishTask
//	                          ▲                  │ ├ sync: Heartbeat…, syncer, UploadAsset
//	                          └──── next_poll ◀──┘ └ grant, revoke, account, action: the connector
//
// Three contexts control the shutdown. When soft ends, the service takes no more tasks and
// syncs stop. Changes may continue until hard ends, Config.Grace later. Answers may be sent
// until last ends, a moment after that.
//
// A task that C1 delivers twice runs once: while it runs, the second delivery is ignored;
// afterwards, the stored answer is sent again. After a restart no answers are stored.
// Changes are idempotent, and a sync resumes at its last page.
package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"baton"
	"baton/agent/syncer"
	"baton/connector/rest"
	"baton/internal/disk"
	"baton/internal/pause"
	"baton/wire"
)

// Config configures a service. ClientID, ClientSecret, Open and StateDir are required.
type Config struct {
	// Open returns the connector; it is called once. The connector calls observe for every
	// request to the upstream.
	Open func(ctx context.Context, observe func(rest.Attempt)) (*baton.Connector, error)

	ClientID     string
	ClientSecret baton.Secret
	HostID       string // distinguishes instances that share a credential; "" is the host name
	APIHost      string // host[:port] to connect to instead of the one in the client id
	CAFile       string // PEM file of authorities to trust in addition to those of the system
	Version      string // of the connector

	// Provisioning allows grants, revocations and new accounts; actions do not need it.
	// ReadOnly allows no change at all, and wins over it.
	Provisioning    bool
	ReadOnly        bool
	TaskConcurrency int  // tasks at a time, 1 to 100; 0 is 3
	BatchTasks      bool // take several tasks at once (GetTasks)

	// StateDir keeps the pages of interrupted syncs and, for each kind of full sync, the file
	// that was uploaded last and a record of it. No other program uses it. It must outlive the
	// process if the next one is to resume a sync, and to notice missing rows.
	StateDir string
	// StateIsTemporary says why StateDir is known not to outlive the process, "" if that is
	// not known.
	StateIsTemporary  string
	SkipFullSync      bool     // finish sync tasks without a sync
	SyncResourceTypes []string // used if a task does not name any
	AllowEmpty        bool     // see syncer.Config
	// A sync that removes too much of the last upload is held; see syncer.Config.
	// ForgetSyncs keeps no upload and holds no sync.
	MaxRemovals, RemovalsFrom int
	Overrides                 []syncer.Override
	ForgetSyncs               bool

	// Grace is how long running changes may take when the service stops; 20 s if zero.
	// About 5 s more are needed to send the last answers.
	Grace      time.Duration
	HealthAddr string // host:port of probes and metrics; "" is none

	Log *slog.Logger
	// RaiseLog, if set, makes Log log everything until lower is called. C1 can request
	// that with a task.
	RaiseLog func() (lower func())

	// Measured, if set, is called once with a function that reads the metrics.
	Measured func(read func() []Reading)
	// Ended, if set, is called after every task.
	Ended func(TaskRun)
}

// TaskRun is a task that has ended. Code is the name of its gRPC code; if it is "OK",
// Error is "".
type TaskRun struct {
	ID, Type, Code, Error string
	Began, Ended          time.Time
}

const (
	defaultGrace = 20 * time.Second
	lastAnswers  = 5 * time.Second
)

// service is one Run.
type service struct {
	cfg       Config
	log       *slog.Logger
	connector *baton.Connector
	link      *link
	host      wire.Host

	slots   chan struct{} // one element for each running task
	work    sync.WaitGroup
	ledger  *ledger
	actions actionRuns
	watch   watch
	status  condition
	metrics *metrics

	soft, hard, last context.Context
	interrupted      atomic.Int64 // tasks and calls that the end of the service interrupted

	mu    sync.Mutex
	syncs map[string]bool // directories in use
}

// Run runs the service until ctx ends. It returns nil if that interrupted nothing, and
// otherwise a Canceled error; C1 delivers interrupted tasks again. It ends earlier with
// Invalid if the configuration cannot work, with Unauthenticated if C1 refuses the
// credential, and with the error of a Hello that C1 rejects for good.
func Run(ctx context.Context, cfg Config) error { return run(ctx, cfg, nil) }

// run is Run with a network, nil for the usual one.
func run(ctx context.Context, cfg Config, over *network) error {
	s, err := prepare(ctx, cfg, over)
	if err != nil {
		return err
	}
	defer func() { _ = s.link.close() }()
	soft, stop := context.WithCancel(ctx)
	defer stop()
	s.soft = soft
	var end func()
	s.hard, s.last, end = deadlines(soft, s.cfg.Grace)
	defer end()
	if s.cfg.HealthAddr != "" {
		stopHealth, err := s.serveHealth(s.cfg.HealthAddr)
		if err != nil {
			return err
		}
		defer stopHealth()
	}
	s.sweep()
	if err := s.sweepUploads(); err != nil {
		return err
	}
	if err := s.introduce(soft); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	s.status.setReady(true)
	s.log.Info("the server has accepted the connector; waiting for tasks", "host_id", s.host.ID, "server", s.link.tokens.host)
	err = s.poll(soft)
	s.status.setReady(false)
	stop()
	s.watch.rest()
	s.log.Info("stopping", "tasks_running", len(s.ledger.known()))
	if !s.finished() {
		s.interrupted.Add(1)
	}
	switch {
	case err != nil:
		return err
	case s.interrupted.Load() > 0:
		return baton.Errorf(baton.Canceled, "the service stopped before everything was done").
			WithFix("no action is needed: ConductorOne hands out again what was interrupted")
	}
	return nil
}

// finished waits for all tasks, at most until last ends. A task that ignores its context
// ends with the process.
func (s *service) finished() bool {
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-s.last.Done():
	}
	select {
	case <-done:
		return true
	case <-time.After(time.Second):
		return false
	}
}

// deadlines returns the contexts that end after soft: hard after the grace period, and last
// a moment later. The returned function ends both.
func deadlines(soft context.Context, grace time.Duration) (hard, last context.Context, end func()) {
	detached := context.WithoutCancel(soft)
	hard, endHard := context.WithCancelCause(detached)
	last, endLast := context.WithCancelCause(detached)
	stop := context.AfterFunc(soft, func() {
		if pause.For(last, grace) == nil {
			endHard(errStopping)
		}
		if pause.For(last, lastAnswers) == nil {
			endLast(errStopping)
		}
	})
	return hard, last, func() {
		stop()
		endHard(nil)
		endLast(nil)
	}
}

// prepare checks the configuration and creates everything that needs no network.
func prepare(ctx context.Context, cfg Config, over *network) (*service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.TaskConcurrency = cmp.Or(cfg.TaskConcurrency, 3)
	cfg.Grace = cmp.Or(cfg.Grace, defaultGrace)
	s := &service{cfg: cfg, log: cfg.Log, ledger: newLedger(), metrics: newMetrics(), syncs: map[string]bool{}}
	creds, err := parseCredential(cfg.ClientID, cfg.ClientSecret)
	if err != nil {
		return nil, err
	}
	if cfg.TaskConcurrency < 1 || cfg.TaskConcurrency > 100 {
		return nil, baton.Errorf(baton.Invalid, "task-concurrency: %d is not between 1 and 100", cfg.TaskConcurrency)
	}
	s.slots = make(chan struct{}, cfg.TaskConcurrency)
	if err := disk.OwnDir(nil, cfg.StateDir); err != nil {
		return nil, storage(err)
	}
	if over == nil {
		roots, err := rest.LoadRoots(cfg.CAFile)
		if err != nil {
			return nil, err
		}
		over = &network{roots: roots}
	}
	if s.connector, err = cfg.Open(ctx, s.observe); err != nil {
		return nil, err
	}
	if cfg.ReadOnly {
		s.connector = withoutChanges(s.connector)
	}
	s.host = thisHost(cfg.HostID, cfg.Version)
	s.metrics.set("process_start_time_seconds", float64(time.Now().Unix()))
	s.metrics.set("baton_sync_held", 0)
	s.metrics.set("baton_info", 1, "connector", s.connector.Name, "version", cfg.Version, "go_version", runtime.Version())
	product := s.connector.Name + "/" + cmp.Or(cfg.Version, "0.0.0")
	if cfg.Measured != nil {
		cfg.Measured(s.measure)
	}
	s.link, err = newLink(creds, cfg.APIHost, product, *over, s.gotToken)
	return s, err
}

// measure reads the metrics.
func (s *service) measure() []Reading {
	s.metrics.set("baton_tasks_running", float64(len(s.ledger.known())))
	return s.metrics.readings()
}

// observe counts a request to the upstream.
func (s *service) observe(a rest.Attempt) {
	s.ledger.touch()
	s.metrics.count("baton_upstream_requests_total", 1, "status", fmt.Sprint(a.Status))
	switch {
	case baton.KindOf(a.Err) == baton.Unauthenticated: // not for the 401 of a proxy
		s.metrics.set("baton_upstream_credential_accepted", 0)
	case a.Status >= 200 && a.Status < 300:
		s.metrics.set("baton_upstream_credential_accepted", 1)
	}
	if a.Wait > 0 {
		s.metrics.count("baton_upstream_waits_total", 1, "status", fmt.Sprint(a.Status))
		s.metrics.count("baton_upstream_wait_seconds_total", a.Wait.Seconds())
	}
}

// gotToken counts a request for an access token.
func (s *service) gotToken(err error) {
	s.metrics.count("baton_token_requests_total", 1, "result", outcome(err))
	if err == nil || errors.Is(err, errRefused) {
		accepted := 1.0
		if err != nil {
			accepted = 0
		}
		s.metrics.set("baton_credential_accepted", accepted)
	}
}
