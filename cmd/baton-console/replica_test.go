package main

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"baton/console"
	"baton/console/store/postgres/pgtest"
)

// TestReplicas runs two consoles on one PostgreSQL database: both show what one of them receives,
// and one continues when the other is killed.
func TestReplicas(t *testing.T) {
	address := pgtest.New(t)
	d := newDesk(t, people+"apps: [{name: Perplexity}]\nconnectors: [{name: perplexity, app: Perplexity, interval: 1m}]\n")
	d.write("database", address.Reveal()+"\n")
	keys := filepath.Join(d.dir, "shared.keys")
	first, _, env := d.serve("--listen", "127.0.0.1:0", "--database-file", "database", "--keys", keys)
	second := start(t, d.dir, nil, "baton-console", "serve", "--data", "other", "--listen", "127.0.0.1:0", "--database-file", "database", "--keys", keys)
	other := second.line("console: ")
	list := func() string {
		return d.must("sync", "list", "--data", "third", "--database-file", "database", "--keys", keys)
	}
	d.service(env, "baton-perplexity", "PERPLEXITY", upstream(t, "baton-perplexity"))
	waitUntil(t, func() bool { return strings.Contains(list(), string(console.SyncApplied)) })
	if code := first.end(syscall.SIGKILL); code == 0 {
		t.Errorf("exit code %d", code)
	}
	if code, body := get(t, strings.Replace(other, "https", "http", 1)+"/ready", ""); code != 200 {
		t.Errorf("the other replica: %d %s", code, body)
	}
	// The remaining one applies the next file.
	d.must("inspect", "--help")
	direct := start(t, d.dir, append(upstream(t, "baton-perplexity"), "BATON_FILE=direct.c1z"), "baton-perplexity")
	if code := direct.wait(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	d.must("upload", "direct.c1z", "--connector", "perplexity", "--as", "ben@example.test", "--data", "third", "--database-file", "database", "--keys", keys)
	waitUntil(t, func() bool { return strings.Contains(list(), string(console.SyncHeld)) })
	// A replica with other keys is refused at its start.
	d.refused(9, "key", "serve", "--data", "fourth", "--listen", "127.0.0.1:0", "--database-file", "database", "--log-format", "console")
	if code := second.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, second.errors())
	}
}

// TestFirstStartTogether starts two replicas on an empty database at the same time: both serve, with
// the people of the bootstrap file once, or with one setup token that works.
func TestFirstStartTogether(t *testing.T) {
	for name, bootstrap := range map[string]string{"bootstrap": people + "apps: [{name: A}]\nconnectors: [{name: c, app: A}]\n", "setup token": ""} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, bootstrap)
			d.write("database", pgtest.New(t).Reveal()+"\n")
			d.write("keys", "first "+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n")
			args := []string{"--listen", "127.0.0.1:0", "--database-file", "database", "--keys", "keys"}
			if bootstrap != "" {
				args = append(args, "--bootstrap", "console.yaml")
			}
			var replicas [2]*process
			for i := range replicas {
				replicas[i] = start(t, d.dir, nil, "baton-console", append([]string{"serve", "--data", fmt.Sprint("data", i)}, args...)...)
			}
			tokens := 0
			for _, p := range replicas {
				for line := range p.lines {
					if strings.HasPrefix(line, "setup token: ") {
						tokens++
					}
					if strings.HasPrefix(line, "console: ") {
						break
					}
				}
			}
			if want := map[bool]int{true: 1}[bootstrap == ""]; tokens != want {
				t.Errorf("%d setup tokens, want %d", tokens, want)
			}
			for _, p := range replicas {
				if code := p.end(syscall.SIGTERM); code != 0 {
					t.Errorf("exit code %d: %s", code, p.errors())
				}
			}
		})
	}
}
