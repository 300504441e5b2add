package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/installation"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
	"baton/test/programs"
)

var binaries string

func TestMain(m *testing.M) {
	dir, remove, err := programs.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries = dir
	_ = remove // pgtest.Main ends the process; what is left is in the temporary folder
	pgtest.Main(m)
}

// process is a running program.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *os.File
	lines  chan string // of stdout
}

func start(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(filepath.Join(binaries, name), args...), lines: make(chan string, 100)}
	p.cmd.Dir, p.cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + t.TempDir()}, env...)
	var err error
	if p.stderr, err = os.Create(filepath.Join(t.TempDir(), "stderr")); err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		if t.Failed() {
			t.Logf("%s %q said:\n%s", name, args, p.errors())
		}
		p.stderr.Close()
	})
	return p
}

func (p *process) errors() string {
	text, _ := os.ReadFile(p.stderr.Name())
	return string(text)
}

// line waits for a line of stdout with a prefix and returns the rest of it.
func (p *process) line(prefix string) string {
	p.t.Helper()
	limit := time.After(60 * time.Second)
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%s ended without %q:\n%s", p.cmd.Path, prefix, p.errors())
			}
			if rest, found := strings.CutPrefix(l, prefix); found {
				return rest
			}
		case <-limit:
			p.t.Fatalf("%s never said %q:\n%s", p.cmd.Path, prefix, p.errors())
		}
	}
}

// end sends a signal and returns the exit code.
func (p *process) end(s os.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	return p.wait()
}

func (p *process) wait() int {
	p.t.Helper()
	done := make(chan struct{})
	go func() { p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		p.t.Fatalf("%s does not end", p.cmd.Path)
	}
	return p.cmd.ProcessState.ExitCode()
}

// desk is the folder of a console and its administrator.
type desk struct {
	t   *testing.T
	dir string
}

// command runs a command of the console to its end.
func (d desk) command(args ...string) (code int, stdout, stderr string) {
	d.t.Helper()
	cmd := exec.Command(filepath.Join(binaries, "baton-console"), args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, &out, &errs
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "BATON_CONSOLE_DATA=data"}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		d.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// refused runs a command that must end with an exit code and an explanation.
func (d desk) refused(code int, why string, args ...string) {
	d.t.Helper()
	if got, _, stderr := d.command(args...); got != code || !strings.Contains(stderr, why) || !strings.Contains(stderr, "fix: ") {
		d.t.Errorf("%q: exit code %d, want %d with %q and a fix:\n%s", args, got, code, why, stderr)
	}
}

// must runs a command that must succeed.
func (d desk) must(args ...string) string {
	d.t.Helper()
	code, stdout, stderr := d.command(args...)
	if code != 0 {
		d.t.Fatalf("%q: exit code %d: %s", args, code, stderr)
	}
	return stdout
}

// syncs returns the lines of "sync list" about a connector, as fields.
func (d desk) syncs(connector string) (all [][]string) {
	d.t.Helper()
	for line := range strings.Lines(d.must("sync", "list", "--connector", connector)) {
		all = append(all, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return all
}

// waitUntil waits for a condition.
func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(90 * time.Second); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("it never happened")
		}
	}
}

// until waits for a sync of a connector in a state, and returns it.
func (d desk) until(connector, kind string, state console.SyncState) []string {
	d.t.Helper()
	for limit := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		all := d.syncs(connector)
		for _, s := range all {
			if s[2] == kind && s[3] == string(state) {
				return s
			}
		}
		if time.Now().After(limit) {
			d.t.Fatalf("connector %s has no %s sync that is %s: %q", connector, kind, state, all)
		}
	}
}

const people = `
people:
  - {email: ana@example.test, name: Ana, roles: [super-administrator], login: ana, password_file: password, totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}
  - {email: ben@example.test, name: Ben, roles: [connector-administrator], manager: ana@example.test}
  - {email: cem@example.test, name: Cem}
`

func newDesk(t *testing.T, bootstrap string) desk {
	t.Helper()
	d := desk{t, t.TempDir()}
	d.write("console.yaml", bootstrap)
	d.write("password", "correct horse battery staple\n")
	return d
}

func (d desk) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// serve starts the console, and waits until it serves.
func (d desk) serve(args ...string) (p *process, address string, env map[string]string) {
	d.t.Helper()
	p = start(d.t, d.dir, nil, "baton-console", append([]string{"serve", "--data", "data", "--bootstrap", "console.yaml", "--env-file", "console.env"}, args...)...)
	address = p.line("console: ")
	info, err := os.Stat(filepath.Join(d.dir, "console.env"))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		d.t.Fatalf("the env file: %v, %v", info, err)
	}
	if env, err = readEnv(filepath.Join(d.dir, "console.env")); err != nil {
		d.t.Fatal(err)
	}
	return p, address, env
}

// get fetches a page over TLS with the authority of the env file, or unencrypted.
func get(t *testing.T, url, authority string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	if authority != "" {
		text, err := os.ReadFile(authority)
		roots := x509.NewCertPool()
		if err != nil || !roots.AppendCertsFromPEM(text) {
			t.Fatalf("the authority: %v", err)
		}
		client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// upstream starts the sandbox of a connector, and returns its settings.
func upstream(t *testing.T, connector string, args ...string) (env []string) {
	t.Helper()
	p := start(t, t.TempDir(), nil, connector, append([]string{"sandbox"}, args...)...)
	limit := time.After(30 * time.Second)
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				t.Fatalf("the sandbox ended: %s", p.errors())
			}
			if strings.HasPrefix(l, "BATON_") {
				env = append(env, l)
				continue
			}
		case <-limit:
			t.Fatalf("the sandbox never said where it is; so far %q", env)
		case <-time.After(500 * time.Millisecond):
		}
		if len(env) > 1 {
			return env
		}
	}
}

// service starts a connector as a service of the console.
func (d desk) service(env map[string]string, connector, name string, upstream []string) *process {
	d.t.Helper()
	return start(d.t, d.t.TempDir(), append([]string{"BATON_CLIENT_ID=" + env[name+"_CLIENT_ID"], "BATON_CLIENT_SECRET=" + env[name+"_CLIENT_SECRET"],
		"SSL_CERT_FILE=" + env["SSL_CERT_FILE"], "BATON_HOST_ID=" + strings.ToLower(name)}, upstream...), connector)
}

// accounts returns the ids of the accounts that the head of a connector shows.
func (d desk) accounts(connector string) map[string]bool {
	d.t.Helper()
	in, err := installation.Open(d.t.Context(), installation.Config{Data: filepath.Join(d.dir, "data")})
	if err != nil {
		d.t.Fatal(err)
	}
	defer in.Close()
	all := map[string]bool{}
	err = in.Store.View(d.t.Context(), func(t *store.Tx) error {
		c, err := t.ConnectorByName(connector)
		if err != nil {
			return err
		}
		s, err := t.StreamAt(c.Stream, time.Time{})
		if err != nil {
			return err
		}
		page, err := t.Accounts(store.Moment{Streams: []store.StreamAt{s}}, store.ResourceAfter{}, store.PageSize)
		for _, a := range page {
			all[a.ID] = true
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// TestConnectors runs both connectors, one of them twice, as services of a console: each gets its
// own sync tasks, whose files are uploaded and applied.
func TestConnectors(t *testing.T) {
	d := newDesk(t, people+`
apps:
  - {name: Perplexity, owners: [ana@example.test], minimum_admins: 1}
  - {name: Percipio}
connectors:
  - {name: perplexity, app: Perplexity, product: baton-perplexity, interval: 1m}
  - {name: Perplexity EU, app: Perplexity, interval: 2m}
  - {name: percipio, app: Percipio, interval: 1m}
`)
	_, address, env := d.serve("--listen", "127.0.0.1:0")
	if env["CONSOLE_URL"] != address || !strings.HasPrefix(address, "https://127.0.0.1:") || env["SETUP_TOKEN"] != "" {
		t.Errorf("address %s, env file %v", address, env)
	}
	first := upstream(t, "baton-perplexity")
	d.service(env, "baton-perplexity", "PERPLEXITY", first)
	d.service(env, "baton-perplexity", "PERPLEXITY_EU", upstream(t, "baton-perplexity", "--users", "7"))
	d.service(env, "baton-percipio", "PERCIPIO", upstream(t, "baton-percipio", "--users", "5"))
	for _, name := range []string{"perplexity", "Perplexity EU", "percipio"} {
		if s := d.until(name, "full", console.SyncApplied); s[5] == "0" || s[6] == "0" {
			t.Errorf("%s shows nothing: %q", name, s)
		}
	}
	// The console shows the content of a sync file.
	direct := start(t, d.dir, append(first, "BATON_FILE=direct.c1z"), "baton-perplexity")
	if code := direct.wait(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	accounts, others := d.accounts("perplexity"), d.accounts("Perplexity EU")
	listed := 0
	for line := range strings.Lines(d.must("inspect", "--facts", "direct.c1z")) {
		if id, ok := strings.CutPrefix(line, "resource\tuser/"); ok {
			id, _, _ = strings.Cut(id, "\t")
			if listed++; !accounts[id] {
				t.Errorf("account %s is not in the console", id)
			}
			if others[id] && len(others) == len(accounts) {
				t.Errorf("account %s shows for another connector", id)
			}
		}
	}
	if listed == 0 || listed != len(accounts) || len(others) < 7 {
		t.Errorf("%d accounts in the file, %d in the console, %d of the other connector", listed, len(accounts), len(others))
	}
	for _, path := range []string{"/live", "/ready", "/health", "/metrics", "/login"} {
		code, body := get(t, address+path, env["SSL_CERT_FILE"])
		plain, _ := get(t, strings.Replace(address, "https", "http", 1)+path, "")
		if code != 200 || plain != 200 {
			t.Errorf("%s: status %d, %d without TLS: %s", path, code, plain, body)
		}
		for _, metric := range []string{"due_rows{kind=\"ingest\"} ", "operations{state=\"queued\"} ", "findings{kind=", "overdue_accesses ", "held_syncs ", "event_streams ", "events_total ",
			"http_requests_total{route=\"GET /live\",status=\"200\"} ", "transaction_duration_seconds_count{kind=\"write\"} ", "ingest_rows_total ", "connectors{state="} {
			if path == "/metrics" && !strings.Contains(body, "\nbaton_console_"+metric) {
				t.Errorf("no %s in\n%s", metric, body)
			}
		}
		if path == "/metrics" && !strings.Contains(body, `baton_console_connector_held{connector="perplexity"} 0`) {
			t.Errorf("metrics:\n%s", body)
		}
	}

	// An uploaded file, beside a connector that syncs by itself.
	d.refused(7, "may not", "upload", "direct.c1z", "--connector", "perplexity", "--as", "cem@example.test")
	id := strings.TrimSpace(d.must("upload", "direct.c1z", "--connector", "perplexity", "--as", "ben@example.test"))
	held := d.until("perplexity", "upload", console.SyncHeld)
	if held[0] != id || !strings.Contains(held[9], "second person") {
		t.Errorf("held: %q, want %s", held, id)
	}
	d.refused(3, "why", "sync", "confirm", id, "--as", "ana@example.test")
	d.refused(9, "uploaded themselves", "sync", "confirm", id, "--as", "ben@example.test", "--reason", "it is mine")
	d.must("sync", "confirm", id, "--as", "ana@example.test", "--reason", "the link is down")
	if s := d.until("perplexity", "upload", console.SyncApplied); s[0] != id {
		t.Errorf("applied: %q", s)
	}
}

// TestStop stops the console in every way, and starts it again.
func TestStop(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	d := newDesk(t, people+"\napps: [{name: A}]\nconnectors: [{name: one, app: A}, {name: it's two, app: A}]\n")
	p, _, env := d.serve("--listen", "127.0.0.1:0")
	id, secret := env["ONE_CLIENT_ID"], env["ONE_CLIENT_SECRET"]
	if id == "" || !strings.HasPrefix(secret, "secret-token:127.0.0.1:v1:") || env["IT_S_TWO_CLIENT_ID"] == "" {
		t.Errorf("env file: %v", env)
	}
	// A second one on the same folder.
	second := start(t, d.dir, nil, "baton-console", "serve", "--data", "data", "--listen", "127.0.0.1:0")
	if code := second.wait(); code != 9 || !strings.Contains(second.errors(), "another process") || !strings.Contains(second.errors(), "--data") {
		t.Errorf("a second process: exit code %d: %s", code, second.errors())
	}
	port := env["CONSOLE_URL"][strings.LastIndex(env["CONSOLE_URL"], ":")+1:]
	for _, end := range []struct {
		signal os.Signal
		code   int
	}{{syscall.SIGTERM, 0}, {os.Interrupt, 0}, {syscall.SIGKILL, -1}, {syscall.SIGTERM, 0}} {
		if code := p.end(end.signal); code != end.code {
			t.Errorf("%v: exit code %d, want %d: %s", end.signal, code, end.code, p.errors())
		}
		// At the same address, the credentials stay.
		p, _, env = d.serve("--listen", "127.0.0.1:"+port)
		if env["ONE_CLIENT_ID"] != id || env["ONE_CLIENT_SECRET"] != secret {
			t.Errorf("after %v the credentials are others: %v", end.signal, env)
		}
	}
	if out := d.must("health-check", "--listen", "127.0.0.1:"+port); out != "ok\n" {
		t.Errorf("health-check printed %q", out)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	d.refused(14, "health check", "health-check", "--listen", "127.0.0.1:"+port)
	p, address, _ := d.serve("--listen", "127.0.0.1:0", "--tls", "self-signed")
	if out := d.must("health-check", "--tls", "self-signed", "--listen", strings.TrimPrefix(address, "https://")); out != "ok\n" {
		t.Errorf("health-check over TLS printed %q", out)
	}
	p.end(os.Interrupt)
}

// TestDrain stops the console with --drain-seconds: it serves on, says that it is not ready, closes
// every connection, and ends.
func TestDrain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	d := newDesk(t, people)
	p, address, _ := d.serve("--listen", "127.0.0.1:0", "--drain-seconds", "5")
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
	ask := func(path string) (status int, closed bool) {
		resp, err := client.Get(plain(address) + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Close
	}
	if status, closed := ask("/ready"); status != 200 || closed {
		t.Errorf("/ready: status %d, connection closed: %v", status, closed)
	}
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { status, _ := ask("/ready"); return status == 503 })
	for path, want := range map[string]int{"/ready": 503, "/live": 200, "/login": 200} {
		if status, closed := ask(path); status != want || !closed {
			t.Errorf("%s while it stops: status %d, want %d; connection closed: %v", path, status, want, closed)
		}
	}
	if code, took := p.wait(), time.Since(began); code != 0 || took < 5*time.Second {
		t.Errorf("exit code %d after %v", code, took)
	}
}

// TestSetupToken checks that only the first run prints a token for the first administrator.
func TestSetupToken(t *testing.T) {
	d := newDesk(t, "apps: [{name: A}]\n")
	p, address, env := d.serve("--listen", "127.0.0.1:0")
	if len(env["SETUP_TOKEN"]) < 20 {
		t.Errorf("the token of the first run: %q", env["SETUP_TOKEN"])
	}
	if code, body := get(t, address+"/setup", env["SSL_CERT_FILE"]); code != 200 || !strings.Contains(body, "oken") {
		t.Errorf("/setup: status %d: %s", code, body)
	}
	p.end(os.Interrupt)
	p, _, env = d.serve("--listen", "127.0.0.1:0")
	if env["SETUP_TOKEN"] != "" || !strings.Contains(p.errors(), "setup-token") {
		t.Errorf("the second run: %q, %s", env["SETUP_TOKEN"], p.errors())
	}
	if token := strings.TrimSpace(d.must("setup-token")); len(token) < 20 {
		t.Errorf("setup-token printed %q", token)
	}
}

// TestCannotServe checks the errors that prevent serving, with their advice.
func TestCannotServe(t *testing.T) {
	d := newDesk(t, people)
	d.write("newer.yaml", "peeple: []\n")
	d.write("locked.yaml", "people: [{email: a@b.c, name: A, password_file: password, totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}]\n")
	d.write("interval.yaml", "apps: [{name: A}]\nconnectors: [{name: c, app: A, interval: 5s}]\n")
	d.write("nopassword.yaml", strings.Replace(people, "password_file: password", "password_file: none", 1))
	d.write("short", "short\n")
	d.write("weak.yaml", strings.Replace(people, "password_file: password", "password_file: short", 1))
	d.write("file", "")
	for _, tt := range []struct {
		name string
		code int
		why  string
		args []string
	}{
		{"no database there", 14, "can be reached", []string{"--database", "postgres://127.0.0.1:1/none"}},
		{"no address of a database", 3, "postgres://", []string{"--database", "mysql://x:secret-word@y/z"}},
		{"the data folder is a file", 3, "file is a file", []string{"--data", "file"}},
		{"no parent folder", 5, "parent folder", []string{"--data", "no/where"}},
		{"an address that is not ours", 14, "--listen", []string{"--listen", "192.0.2.1:1"}},
		{"no name", 3, "--url", []string{"--listen", "0.0.0.0:0"}},
		{"a URL with a path", 3, "without a path", []string{"--url", "https://x.example/console"}},
		{"half a certificate", 3, "--tls-key", []string{"--tls-cert", "x"}},
		{"no certificate", 3, "PEM", []string{"--tls-cert", "file", "--tls-key", "file"}},
		{"no bootstrap file", 5, "none.yaml does not exist", []string{"--bootstrap", "none.yaml"}},
		{"an unknown key", 3, "line 1: field peeple is not known", []string{"--bootstrap", "newer.yaml"}},
		{"nobody could administer", 9, "nobody could administer", []string{"--bootstrap", "locked.yaml"}},
		{"too often", 3, "5s is shorter than 1m", []string{"--bootstrap", "interval.yaml"}},
		{"no password file", 3, "nopassword.yaml: line 3: password_file: ", []string{"--bootstrap", "nopassword.yaml"}},
		{"a short password", 3, "at least 12", []string{"--bootstrap", "weak.yaml"}},
		{"an env file in no folder", 8, "--env-file", []string{"--env-file", "no/where.env"}},
		{"a key file that is not there", 8, "keys", []string{"--keys", "no/keys"}},
		{"no network", 3, "10.0.0.0/8", []string{"--allow-network", "home"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := []string{"serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0", "--log-format", "console"}
			p := start(t, d.dir, nil, "baton-console", append(data, tt.args...)...)
			code := p.wait()
			if said := p.errors(); code != tt.code || !strings.Contains(said, tt.why) || strings.Count("\n"+said, "\nerror: ") != 1 || !strings.Contains(said, "fix: ") || strings.Contains(said, "secret-word") {
				t.Errorf("exit code %d, want %d with %q, once, and a fix:\n%s", code, tt.code, tt.why, said)
			}
		})
	}
}

// TestNewerSchema refuses a data folder of a newer version, and one whose keys are gone.
func TestNewerSchema(t *testing.T) {
	d := newDesk(t, people)
	p, _, _ := d.serve("--listen", "127.0.0.1:0")
	p.end(os.Interrupt)
	keys := filepath.Join(d.dir, "data", "keys")
	text, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(keys)
	d.refused(5, "keys does not exist", "sync", "list")
	if err := os.WriteFile(keys, []byte("not a key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.refused(15, "line 1 is no key", "sync", "list")
	line := strings.TrimSpace(string(text))
	secret := strings.LastIndex(line, " ") + 1
	first := "A"
	if line[secret:secret+1] == first {
		first = "B"
	}
	if err := os.WriteFile(keys, []byte(line[:secret]+first+line[secret+1:]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := d.command("sync", "list"); code == 0 {
		t.Errorf("another key is accepted: %s", stderr)
	}
	if err := os.WriteFile(keys, text, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := installation.Open(t.Context(), installation.Config{Data: filepath.Join(d.dir, "data")})
	if err != nil {
		t.Fatal(err)
	}
	err = in.Store.Update(context.Background(), console.By{At: time.Now(), Actor: console.Console}, func(t *store.Tx) error {
		_, err := t.Engine().Exec("INSERT INTO schema_migration (number, name, sum, applied) SELECT max(number) + 1, '9999_future.sql', x'00', 0 FROM schema_migration")
		return err
	})
	if err != nil || in.Close() != nil {
		t.Fatal(err)
	}
	d.refused(9, "9999_future.sql", "sync", "list")
	if _, err := installation.Open(t.Context(), installation.Config{Data: filepath.Join(d.dir, "data")}); baton.KindOf(err) != baton.Refused {
		t.Error(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readEnv reads an env file with a shell.
func readEnv(name string) (map[string]string, error) {
	cmd := exec.Command("sh", "-c", "set -a; . ./"+filepath.Base(name)+"; env")
	cmd.Dir, cmd.Env = filepath.Dir(name), []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[name] = value
	}
	return env, nil
}
