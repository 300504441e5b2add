package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/agent/service"
	"baton/connector/rest"
)

// raiseFor is how long a signal makes the service log everything.
const raiseFor = 15 * time.Minute

// service runs the connector for C1 until ctx ends.
func (r *run) service(ctx context.Context) error {
	if err := r.checkRequired(); err != nil {
		return err
	}
	overrides, err := r.overrides()
	if err != nil {
		return err
	}
	v := r.Values
	if err := r.checkService(); err != nil {
		return err
	}
	if v.Bool("allow-removals") {
		r.log.Warn(r.label("allow-removals") + " does nothing in a service; the message of a held sync names an override for that sync")
	}
	cfg := service.Config{
		Open:              r.openServed,
		ClientID:          v.String("client-id"),
		ClientSecret:      v.Secret("client-secret"),
		HostID:            v.String("host-id"),
		APIHost:           v.String("c1-api-host"),
		CAFile:            v.String("ca-file"),
		Version:           r.program.version(),
		Provisioning:      v.Bool("provisioning"),
		ReadOnly:          r.readOnly(),
		TaskConcurrency:   v.Int("task-concurrency"),
		BatchTasks:        v.Bool("get-tasks"),
		StateDir:          r.stateDir(),
		StateIsTemporary:  r.stateIsTemporary(),
		SkipFullSync:      v.Bool("skip-full-sync"),
		SyncResourceTypes: v.Strings("sync-resource-types"),
		AllowEmpty:        v.Bool("allow-empty"),
		MaxRemovals:       v.Int("max-removals"),
		RemovalsFrom:      v.Int("max-removals-from"),
		Overrides:         overrides,
		ForgetSyncs:       !v.Bool("keep-previous-sync-c1z"),
		Grace:             time.Duration(v.Int("shutdown-grace-seconds")) * time.Second,
		Log:               r.log,
		RaiseLog:          r.raise,
	}
	for _, t := range cfg.SyncResourceTypes {
		if err := knownType(r.program.Describe(), r.label("sync-resource-types"), t); err != nil {
			return err
		}
	}
	if v.Bool("health-check") {
		cfg.HealthAddr = r.healthAddr()
	}
	done, err := r.export(&cfg)
	if err != nil {
		return err
	}
	defer r.raiseOnSignal()()
	r.memory.Log(r.log)
	if err = service.Run(ctx, cfg); err != nil {
		err = fmt.Errorf("service: %w", err)
	}
	done(err)
	return err
}

// checkService checks the network variables before anything is sent.
func (r *run) checkService() error {
	if err := checkNetwork(r.env); err != nil {
		return err
	}
	host := r.Values.String("c1-api-host")
	if host == "" {
		_, host, _ = strings.Cut(r.Values.String("client-id"), "@")
	}
	return checkRoute(r.env, hostOf("https://"+host))
}

// openServed returns the connector of a service. Waits are logged, as in a sync.
func (r *run) openServed(ctx context.Context, observe func(rest.Attempt)) (*baton.Connector, error) {
	c, _, err := r.open(ctx, 0, func(a rest.Attempt) {
		observe(a)
		if text := waitText(a, time.Now()); text != "" {
			r.log.Info(text)
		}
	})
	return c, err
}

// stateIsTemporary explains why the state directory ends with the process, or returns "" if
// that is not known.
func (r *run) stateIsTemporary() string {
	if r.Values.String("c1z-temp-dir") != "" {
		return ""
	}
	return envName("c1z-temp-dir") + " is not set, so it is in the system's temporary folder"
}

// stateDir returns the folder of the program in --c1z-temp-dir, or in the temporary folder of
// the system.
func (r *run) stateDir() string {
	parent := r.Values.String("c1z-temp-dir")
	if parent == "" {
		parent = os.TempDir()
	}
	return filepath.Join(parent, r.program.Name)
}

func (r *run) healthAddr() string {
	return net.JoinHostPort(r.Values.String("health-check-bind-address"), strconv.Itoa(r.Values.Int("health-check-port")))
}

// raiseOnSignal logs everything for a while after each signal, until the returned function is
// called.
func (r *run) raiseOnSignal() (stop func()) {
	signals, forget := raiseSignals()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-signals:
				lower := r.raise()
				r.log.Info("everything is logged for a while", "for", raiseFor)
				time.AfterFunc(raiseFor, lower)
			case <-done:
				return
			}
		}
	}()
	return func() {
		forget()
		close(done)
		<-ended
	}
}
