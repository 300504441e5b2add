// Package service runs a connector for ConductorOne ("C1"): it keeps a connection,
// takes tasks, carries them out and answers every one that it took.
//
//	Run ─▶ token ─▶ Hello ─▶ slot ─▶ GetTask ─▶ task ─▶ FinishTask
//	                          ▲                  │ ├ sync: Heartbeat…, syncer, UploadAsset
//	                          └──── next_poll ◀──┘ └ grant, revoke, account, action: the connector
//
// Three contexts decide how it ends. When soft ends, no more tasks are taken and
// reading stops; changes may go on until hard ends, Config.Grace later; answers may
// be delivered until last ends, a moment after that.
//
// A task that C1 delivers twice is done once: while it runs the second delivery is
// ignored, and afterwards it is given the answer that is remembered. After a restart
// nothing is remembered; changes are idempotent by the connector then, and a sync
// goes on from its last page.
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

// Config says what to run and for whom. ClientID, ClientSecret, Open and StateDir
// are required.
type Config struct {
	// Open makes the connector; it is called once. observe is to hear of every request
	// to the upstream.
	Open func(ctx context.Context, observe func(rest.Attempt)) (*baton.Connector, error)

	ClientID     string
	ClientSecret baton.Secret
	HostID       string // tells instances that share a credential apart; "" is the host's name
	APIHost      string // host[:port] to talk to instead of the one in the client id
	CAFile       string // PEM file of authorities to trust beside the system's
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
	SyncResourceTypes []string // what to sync when a task does not say
	AllowEmpty        bool     // see syncer.Config
	// A sync that removes too much of the last upload is held; see syncer.Config.
	// ForgetSyncs remembers no upload, and holds no sync.
	MaxRemovals, RemovalsFrom int
	Overrides                 []syncer.Override
	ForgetSyncs               bool

	// Grace is how long changes that are under way may take when the service stops;
	// 20 s when zero. Some 5 s more are needed to deliver the last answers.
	Grace      time.Duration
	HealthAddr string // host:port of probes and metrics; "" is none

	Log *slog.Logger
	// RaiseLog, when set, makes Log log everything until lower is called. C1 can ask
	// for that with a task.
	RaiseLog func() (lower func())

	// Measured, when set, is called once, with what reads the metrics as they are then.
	Measured func(read func() []Reading)
	// Ended, when set, hears of every task that was carried out.
	Ended func(TaskRun)
}

// TaskRun is a task that was carried out. Code names the answer, "OK" when all went
// well; Error is then "".
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

	slots   chan struct{} // one element for each task that has begun
	work    sync.WaitGroup
	ledger  *ledger
	actions actionRuns
	watch   watch
	status  condition
	metrics *metrics

	soft, hard, last context.Context
	interrupted      atomic.Int64 // pieces of work that the end of the service cut short

	mu    sync.Mutex
	syncs map[string]bool // directories in use
}

// Run runs the service until ctx ends. It returns nil when that interrupted nothing,
// and otherwise a Canceled error: C1 hands out again what was interrupted. Other
// errors are those that make the service impossible: Invalid for a configuration
// that cannot work, Unauthenticated when C1 refuses the credential, whatever C1
// answers to a Hello that it will not accept.
func Run(ctx context.Context, cfg Config) error { return run(ctx, cfg, nil) }

// run is Run over a network of the caller's, nil for the usual one.
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
	s.log.Info("ConductorOne has accepted the connector; waiting for tasks", "host_id", s.host.ID, "server", s.link.tokens.host)
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
			WithFix("nothing: ConductorOne hands out again what was interrupted")
	}
	return nil
}

// finished waits for all work, or until there is no more time. What does not mind its
// context then ends with the process.
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

// deadlines are the contexts that end after soft has: hard by the grace period, and
// last a moment later. The returned func ends both.
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

// prepare checks the configuration and makes everything that needs no answer.
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

// observe hears of every request to the upstream.
func (s *service) observe(a rest.Attempt) {
	s.ledger.touch()
	s.metrics.count("baton_upstream_requests_total", 1, "status", fmt.Sprint(a.Status))
	switch {
	case baton.KindOf(a.Err) == baton.Unauthenticated: // and not the 401 of a proxy
		s.metrics.set("baton_upstream_credential_accepted", 0)
	case a.Status >= 200 && a.Status < 300:
		s.metrics.set("baton_upstream_credential_accepted", 1)
	}
	if a.Wait > 0 {
		s.metrics.count("baton_upstream_waits_total", 1, "status", fmt.Sprint(a.Status))
		s.metrics.count("baton_upstream_wait_seconds_total", a.Wait.Seconds())
	}
}

// gotToken hears of every request for an access token.
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
