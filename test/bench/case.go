package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/test/bench/figures"
	"baton/test/bench/process"
	"baton/test/bench/tape"
)

// size describes an upstream with an organisation of a certain size.
type size struct {
	upstream, name, label string
	connector             string   // the connector that has the sandbox
	sandbox               []string // arguments that set the size
	settings              []string // settings that the sandbox prints, the address first
	pairs                 int
}

func allSizes() []size {
	var all []size
	add := func(upstream, connector, name, label string, pairs int, settings []string, sandbox ...string) {
		all = append(all, size{upstream, name, label, connector, sandbox, settings, pairs})
	}
	percipio := []string{"BATON_BASE_URL", "BATON_API_TOKEN", "BATON_ORGANIZATION_ID"}
	scim := []string{"BATON_SCIM_URL", "BATON_SCIM_TOKEN"}
	for _, s := range []struct {
		name                 string
		users, courses, rows int
		groups, least, most  int
		pairs                int
	}{
		{"tiny", 30, 10, 100, 3, 5, 10, 2}, // for the tests of this program
		{"small", 1_000, 200, 10_000, 20, 100, 100, 7},
		{"medium", 10_000, 2_000, 100_000, 100, 100, 1_000, 5},
		{"large", 100_000, 10_000, 1_000_000, 1_000, 100, 1_000, 3},
	} {
		add(figures.Percipio, "baton-percipio", s.name, fmt.Sprintf("%s users, %s courses, %s rows", thousands(s.users), thousands(s.courses), thousands(s.rows)), s.pairs, percipio,
			"--users", strconv.Itoa(s.users), "--courses", strconv.Itoa(s.courses), "--rows", strconv.Itoa(s.rows))
		members := thousands(s.least)
		if s.most > s.least {
			members += " to " + thousands(s.most)
		}
		add(figures.Perplexity, "baton-perplexity", s.name, fmt.Sprintf("%s users, %s groups of %s members", thousands(s.users), thousands(s.groups), members), s.pairs, scim,
			"--users", strconv.Itoa(s.users), "--groups", strconv.Itoa(s.groups), "--members-min", strconv.Itoa(s.least), "--members-max", strconv.Itoa(s.most), "--fault", "page-cap=100")
	}
	return all
}

func thousands(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return strconv.Itoa(n/1_000_000) + "M"
	case n >= 1_000 && n%1_000 == 0:
		return strconv.Itoa(n/1_000) + "k"
	}
	return strconv.Itoa(n)
}

// measure measures one size with every latency.
func (o options) measure(ctx context.Context, s size) ([]*figures.Case, error) {
	dir, err := os.MkdirTemp(o.dir, s.name)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	o.say("%s, %s: %s", s.upstream, s.name, s.label)
	u, err := o.startUpstream(ctx, s, dir)
	if err != nil {
		return nil, err
	}
	defer u.close()
	programs, err := o.programs(ctx, s, u, dir)
	if err != nil {
		return nil, err
	}
	// The first run of each program fills the tape and does not count. The official connector has no such run
	// if it takes minutes; the sandbox answers its additional requests.
	warm := programs
	if s.name == "large" {
		warm = withoutOfficial(programs)
	}
	for _, p := range warm {
		if _, err := o.once(ctx, p, u, dir, 0); err != nil {
			return nil, err
		}
	}
	steady, err := o.steady(ctx, programs[0], u, dir)
	if err != nil {
		return nil, err
	}
	var cases []*figures.Case
	for _, latency := range o.latencies {
		list := programs
		if latency == 0 {
			list = slices.Insert(slices.Clone(programs), 1, steady)
		}
		if latency > 0 && s.name != "small" && s.name != "tiny" {
			// A hundred thousand waits of 20 ms take half an hour and show nothing new.
			list = withoutOfficial(programs)
		}
		c, err := o.inTurn(ctx, s, u, dir, latency, list)
		if c != nil {
			cases = append(cases, c)
		}
		if err != nil {
			return cases, err
		}
	}
	return cases, nil
}

func withoutOfficial(programs []program) []program {
	var rest []program
	for _, p := range programs {
		if p.name != figures.Official {
			rest = append(rest, p)
		}
	}
	return rest
}

// steady returns our program for a sync into the file of two previous ones, and makes that file.
func (o options) steady(ctx context.Context, ours program, u *upstream, dir string) (program, error) {
	p := ours
	p.name, p.previous = figures.Steady, filepath.Join(dir, "previous.c1z")
	for _, keep := range []program{{previous: ""}, {previous: p.previous}} {
		first := ours
		first.previous, first.keep = keep.previous, p.previous
		if _, err := o.once(ctx, first, u, dir, 0); err != nil {
			return p, err
		}
	}
	return p, nil
}

// inTurn runs the programs in turn. The number of rounds depends on the size.
func (o options) inTurn(ctx context.Context, s size, u *upstream, dir string, latency time.Duration, programs []program) (*figures.Case, error) {
	c := &figures.Case{Upstream: s.upstream, Size: s.name, Label: s.label, Latency: latency}
	for _, p := range programs {
		c.Series = append(c.Series, &figures.Series{Program: p.name, Version: p.version, Began: o.began})
	}
	rounds := s.pairs
	if o.pairs > 0 {
		rounds = o.pairs
	}
	for round := range rounds {
		for i, p := range programs {
			if p.name == figures.Official && round >= p.rounds(s) {
				continue
			}
			r, err := o.once(ctx, p, u, dir, latency)
			if err != nil {
				return nil, err
			}
			c.Series[i].Runs = append(c.Series[i].Runs, r.Run)
			if p.name == figures.Decode {
				c.Rows, c.Pages = r.pairs, int(r.Requests)
			}
			if p.name == figures.Ours {
				c.Grants = r.grants
			}
		}
	}
	return c, nil
}

// result holds the cost of a run, and what the program found.
type result struct {
	figures.Run
	pairs  int // of the floor
	grants int // of ours
}

// once runs a program in a directory that is empty, except for its previous file.
func (o options) once(ctx context.Context, p program, u *upstream, dir string, latency time.Duration) (result, error) {
	var r result
	home, err := os.MkdirTemp(dir, "run")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(home)
	if p.previous != "" {
		b, err := os.ReadFile(p.previous)
		if err == nil {
			err = os.WriteFile(filepath.Join(home, p.file), b, 0o600)
		}
		if err != nil {
			return r, err
		}
	}
	stdout, err := os.Create(filepath.Join(home, "stdout"))
	if err != nil {
		return r, err
	}
	defer stdout.Close()
	stderr, err := os.Create(filepath.Join(home, "stderr"))
	if err != nil {
		return r, err
	}
	defer stderr.Close()
	if err := tape.Reset(client, u.origin, latency); err != nil {
		return r, err
	}
	before, err := tape.Ask(client, u.origin)
	if err != nil {
		return r, err
	}
	usage, err := process.Run(ctx, process.Command{Path: p.path, Args: p.args, Env: append(environment(), append(p.env, "TMPDIR="+home, "HOME="+home)...), Dir: home, Stdout: stdout, Stderr: stderr})
	if err != nil {
		return r, fmt.Errorf("%w\n%s", err, tail(stderr.Name()))
	}
	after, err := tape.Ask(client, u.origin)
	if err != nil {
		return r, err
	}
	r.Run = figures.Run{Wall: usage.Wall, CPU: usage.CPU, Memory: usage.Memory, Written: usage.Written, Processes: usage.Processes,
		Requests: after.Requests, Bytes: after.Bytes, Upstream: after.CPU - before.CPU}
	if p.file != "" {
		info, err := os.Stat(filepath.Join(home, p.file))
		if err != nil {
			return r, fmt.Errorf("%s made no file: %w\n%s", p.path, err, tail(stderr.Name()))
		}
		r.File = info.Size()
	}
	if p.keep != "" {
		if err := os.Rename(filepath.Join(home, p.file), p.keep); err != nil {
			return r, err
		}
	}
	if p.read != nil {
		if err := p.read(&r, stdout.Name(), stderr.Name()); err != nil {
			return r, fmt.Errorf("%s: %w\n%s", p.path, err, tail(stderr.Name()))
		}
	}
	o.say("  %-14s %8.2f s wall %8.2f s CPU %7.1f MB %8d requests, %d of them new", p.name, r.Wall.Seconds(), r.CPU.Seconds(), float64(r.Memory)/1e6, r.Requests, after.Recorded)
	return r, nil
}

// readFloor reads the counts that the floor prints.
func readFloor(r *result, stdout, _ string) error {
	b, err := os.ReadFile(stdout)
	if err != nil {
		return err
	}
	var kept struct{ Users, Items, Pairs int }
	if err := json.Unmarshal(b, &kept); err != nil {
		return fmt.Errorf("its output cannot be read: %w", err)
	}
	r.pairs = kept.Pairs
	return nil
}

// readOurs reads the counts in the log line of a complete sync. Without it, the run has failed.
func readOurs(r *result, _, stderr string) error {
	b, err := os.ReadFile(stderr)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(b) {
		var entry struct {
			Msg    string
			Counts map[string]struct{ Grants int }
		}
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "sync complete" {
			for _, c := range entry.Counts {
				r.grants += c.Grants
			}
			return nil
		}
	}
	return fmt.Errorf("its log has no line of a complete sync")
}

// tail returns the last lines of a file.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
