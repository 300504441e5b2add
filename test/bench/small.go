package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"baton/console/rpc/rpctest"
	"baton/test/bench/figures"
	"baton/test/bench/process"
)

// idle is the time after which the memory of a service is read.
const idle = 8 * time.Second

func connectors() []string { return []string{"baton-percipio", "baton-perplexity"} }

// measureSmall measures results that do not depend on a size: the binaries, and an idle service.
func (o options) measureSmall(ctx context.Context) (*figures.Small, error) {
	small := &figures.Small{Began: o.began, Idle: figures.Dwell{After: idle}}
	var err error
	if small.Linked, err = linkedModules(ctx); err != nil {
		return nil, err
	}
	for _, name := range connectors() {
		path := filepath.Join(o.bin, name)
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		p := figures.Program{Name: name, Bytes: info.Size()}
		for range 15 {
			usage, err := process.Run(ctx, process.Command{Path: path, Args: []string{"--version"}, Env: environment()})
			if err != nil {
				return nil, err
			}
			p.Version = append(p.Version, usage.Wall)
		}
		small.Binary = append(small.Binary, p)
	}
	small.Idle.Memory, err = o.measureIdle(ctx, idle)
	return small, err
}

// linkedModules returns the largest number of modules that a connector links.
func linkedModules(ctx context.Context) (int, error) {
	most := 0
	for _, name := range connectors() {
		out, err := exec.CommandContext(ctx, "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./cmd/"+name).Output()
		if err != nil {
			return 0, fmt.Errorf("go list: %w", err)
		}
		modules := map[string]bool{}
		for _, m := range strings.Fields(string(out)) {
			modules[m] = true
		}
		most = max(most, len(modules))
	}
	return most, nil
}

// measureIdle runs each connector as a service without tasks, and reads its memory after a while.
func (o options) measureIdle(ctx context.Context, after time.Duration) ([]figures.Sized, error) {
	var all []figures.Sized
	for _, s := range allSizes() {
		if s.name != "small" || slices.ContainsFunc(all, func(z figures.Sized) bool { return z.Name == s.connector }) {
			continue
		}
		n, err := o.idleService(ctx, s, after)
		if err != nil {
			return nil, fmt.Errorf("idle %s: %w", s.connector, err)
		}
		o.say("  %s holds %.1f MB when idle", s.connector, float64(n)/1e6)
		all = append(all, figures.Sized{Name: s.connector, Bytes: n})
	}
	return all, nil
}

func (o options) idleService(ctx context.Context, s size, after time.Duration) (memory int64, err error) {
	dir, err := os.MkdirTemp(o.dir, "idle")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	u, err := o.startUpstream(ctx, s, dir)
	if err != nil {
		return 0, err
	}
	defer u.close()
	plane, err := rpctest.Listen(ctx, rpctest.Config{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, plane.Close()) }()
	id, secret, err := plane.Issue(ctx, s.connector)
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, s.connector))
	cmd.Dir, cmd.Env = dir, append(environment(), "BATON_CLIENT_ID="+id, "BATON_CLIENT_SECRET="+secret.Reveal(), "BATON_CA_FILE="+plane.CAFile, "TMPDIR="+dir, "HOME="+dir)
	for name, value := range u.settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait() // it was signalled
	defer cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-time.After(after):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return process.Resident(cmd.Process.Pid)
}
