//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/installation"
	"baton/console/login"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
	sandbox "baton/sandbox/perplexity"
)

var (
	rollingLoads = flag.Int("loads", 500, "pages that TestRollingRestart asks for")
	rollingTasks = flag.Int("tasks", 20, "grants and revocations that TestRollingRestart carries out")
)

const (
	rollingReplicas   = 3
	rollingConnectors = 5 // the last one is hosted by the replicas
	rollingSessions   = 6
	drainSeconds      = 4 // the balancer notices within 2
)

// TestRollingRestart restarts three replicas on PostgreSQL in turn, behind HAProxy with the
// configuration in deploy/, while people who are signed in read pages and press buttons, and connectors
// carry out changes: four that poll through the balancer, and one inside the replicas. No page fails,
// not even one that a client repeats by itself, and each change is made once and verified.
func TestRollingRestart(t *testing.T) {
	haproxy := findHAProxy(t)
	r := newRolling(t, haproxy)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Minute)
	defer cancel()
	began := time.Now()
	var work, restarts sync.WaitGroup
	for i := range r.people {
		work.Go(func() { r.read(ctx, i) })
	}
	for i := range r.organisations {
		work.Go(func() { r.change(ctx, i) })
	}
	done := make(chan struct{})
	restarts.Go(func() { r.restart(done) })
	work.Wait()
	close(done)
	restarts.Wait()
	took := time.Since(began)
	if ctx.Err() != nil {
		t.Error("it took too long")
	}
	r.check()
	slices.Sort(r.times)
	if len(r.times) == 0 || r.restarts < 2 {
		t.Fatalf("%d pages, %d restarts", len(r.times), r.restarts)
	}
	at := func(share float64) time.Duration {
		return r.times[int(share*float64(len(r.times)-1))].Round(100 * time.Microsecond)
	}
	fmt.Printf("rolling: %d pages, of these %d forms sent, %d failed; half of them within %v, 95 %% within %v, the slowest %v; %d changes in %d applications, each verified, %d lost or doubled; %d restarts in %v\n",
		len(r.times), r.forms.Load(), len(r.failures), at(0.5), at(0.95), at(1), r.verified.Load(), len(r.organisations), r.lost, r.restarts, took.Round(time.Second))
}

// findHAProxy returns the program, or skips the test. If BATON_TEST_HAPROXY is "require", it fails.
func findHAProxy(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("BATON_TEST_HAPROXY") == "require" {
		t.Fatal("haproxy is not installed")
	}
	t.Skip("haproxy is not installed: apt-get install haproxy")
	return ""
}

type rolling struct {
	t             *testing.T
	desk          desk
	store         *store.Store
	address       string // of the balancer
	roots         *x509.CertPool
	replicas      [rollingReplicas]*process
	serve         [rollingReplicas]func() *process
	people        []*http.Client
	paths         []string
	connectors    []console.Connector
	organisations []*sandbox.Server

	loads, forms, verified atomic.Int64
	mu                     sync.Mutex
	times                  []time.Duration
	failures               []string
	restarts, lost         int
	operations             []console.ID
}

// newRolling starts the balancer, the replicas and the connectors, and signs everybody in.
func newRolling(t *testing.T, haproxy string) *rolling {
	r := &rolling{t: t}
	database := pgtest.New(t)
	const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	people, apps, connectors := "people:\n", "apps:\n", "connectors:\n"
	for i := range rollingSessions {
		people += fmt.Sprintf("  - {email: p%d@example.test, name: Person %d, roles: [super-administrator], login: p%d, password_file: password, totp_secret: %s}\n", i, i, i, secret)
	}
	var upstreams []string
	for i := range rollingConnectors {
		org := sandbox.New(sandbox.Options{Users: 60, Groups: 3, MembersMin: 5, MembersMax: 10, Seed: uint64(i)})
		server := httptest.NewServer(org)
		t.Cleanup(server.Close)
		r.organisations, upstreams = append(r.organisations, org), append(upstreams, server.URL+org.URLPath())
		product := "product: baton-perplexity"
		if i == rollingConnectors-1 {
			product = fmt.Sprintf("product: perplexity, hosted: true, settings: {scim-url: %q, scim-token: %q}", upstreams[i], org.Token())
		}
		apps += fmt.Sprintf("  - {name: App %d, owners: [p0@example.test]}\n", i)
		connectors += fmt.Sprintf("  - {name: app%d, app: App %d, interval: 1h, %s}\n", i, i, product)
	}
	r.desk = newDesk(t, people+apps+connectors)
	r.desk.write("database", database.Reveal()+"\n")
	keys := filepath.Join(r.desk.dir, "shared.keys")
	front, replicas := freePort(t), [rollingReplicas]string{freePort(t), freePort(t), freePort(t)}
	r.address = "https://" + front
	authority := r.startHAProxy(haproxy, front, replicas)
	var env map[string]string
	for i, address := range replicas {
		args := []string{"--listen", address, "--url", r.address, "--database-file", "database", "--keys", keys, "--drain-seconds", fmt.Sprint(drainSeconds), "--trust-proxy", "127.0.0.1/32", "--allow-network", "127.0.0.1/32"}
		if i == 0 {
			r.serve[i] = func() (p *process) { p, _, env = r.desk.serve(args...); return p }
		} else {
			r.serve[i] = func() *process {
				p := start(t, r.desk.dir, nil, "baton-console", append([]string{"serve", "--data", fmt.Sprint("replica", i)}, args...)...)
				p.line("console: ")
				return p
			}
		}
		r.replicas[i] = r.serve[i]()
	}
	in, err := installation.Open(t.Context(), installation.Config{Data: filepath.Join(r.desk.dir, "observer"), Database: database, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	r.store = in.Store
	r.await("the balancer", func() (bool, error) {
		resp, err := r.client(false).Get(r.address + "/login")
		if err != nil {
			return false, nil
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK, nil
	})
	for i, org := range r.organisations[:rollingConnectors-1] {
		name := fmt.Sprintf("APP%d", i)
		r.desk.service(map[string]string{name + "_CLIENT_ID": env[name+"_CLIENT_ID"], name + "_CLIENT_SECRET": env[name+"_CLIENT_SECRET"], "SSL_CERT_FILE": authority},
			"baton-perplexity", name, []string{"BATON_SCIM_URL=" + upstreams[i], "BATON_SCIM_TOKEN=" + org.Token(), "BATON_PROVISIONING=true"})
	}
	r.view(func(tx *store.Tx) error {
		for i := range rollingConnectors {
			c, err := tx.ConnectorByName(fmt.Sprint("app", i))
			if err != nil {
				return err
			}
			r.connectors = append(r.connectors, c)
			app := "/applications/" + string(c.App)
			r.paths = append(r.paths, app, app+"/accounts", app+"/entitlements", app+"/operations", app+"/changes", "/connectors/"+string(c.ID), "/connectors/"+string(c.ID)+"/log")
		}
		return nil
	})
	r.paths = append(r.paths, "/", "/applications", "/changes", "/connectors", "/people", "/requests", "/approvals", "/audit", "/search?q=a", "/sessions")
	for i := range rollingSessions {
		r.people = append(r.people, r.client(i%2 == 0))
		code, err := login.Code(baton.NewSecret(secret), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		resp, err := r.people[i].PostForm(r.address+"/login", url.Values{"login": {fmt.Sprint("p", i)}, "password": {"correct horse battery staple"}, "code": {code}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/" {
			t.Fatalf("the login of p%d ends at %s: %s", i, resp.Request.URL, resp.Status)
		}
	}
	for _, c := range r.connectors {
		r.await("the first sync of "+c.Name, func() (bool, error) {
			var head *console.Sync
			err := r.store.View(t.Context(), func(tx *store.Tx) (err error) {
				head, err = tx.HeadSync(c.Stream)
				return err
			})
			return head != nil, err
		})
	}
	return r
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startHAProxy starts the balancer with the configuration in deploy/, and returns the file with the
// authority of its certificate.
func (r *rolling) startHAProxy(program, front string, replicas [rollingReplicas]string) (authority string) {
	t := r.t
	t.Helper()
	cert, ca, err := rpc.NewCertificate(time.Now(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	r.roots = x509.NewCertPool()
	r.roots.AppendCertsFromPEM(ca)
	file := func(name string) string { return filepath.Join(r.desk.dir, name) }
	r.desk.write("authority.pem", string(ca))
	r.desk.write("console.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	text, err := os.ReadFile("../../deploy/haproxy/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	edits := [][2]string{{"/etc/haproxy/console.pem", file("console.pem")}, {"bind :8443 ", "bind " + front + " "}}
	for i, address := range replicas {
		edits = append(edits, [2]string{fmt.Sprintf("console-%d:8443", i+1), address})
	}
	for _, edit := range edits {
		if strings.Count(config, edit[0]) < 1 {
			t.Fatalf("deploy/haproxy/haproxy.cfg has no %q", edit[0])
		}
		config = strings.ReplaceAll(config, edit[0], edit[1])
	}
	r.desk.write("haproxy.cfg", config)
	cmd := exec.Command(program, "-db", "-f", file("haproxy.cfg"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("haproxy said:\n%s", said.String())
		}
	})
	return file("authority.pem")
}

// client returns a browser of one person, with cookies of its own.
func (r *rolling) client(h2 bool) *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, Timeout: 60 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots}, ForceAttemptHTTP2: h2, MaxIdleConnsPerHost: 10}}
}

func (r *rolling) view(fn func(*store.Tx) error) {
	r.t.Helper()
	if err := r.store.View(context.Background(), fn); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rolling) await(what string, done func() (bool, error)) {
	r.t.Helper()
	for limit := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		ok, err := done()
		if err != nil {
			r.t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return
		}
		if time.Now().After(limit) {
			r.t.Fatalf("%s never came", what)
		}
	}
}

// read is one person, who asks for pages, and for a sync with every twentieth.
func (r *rolling) read(ctx context.Context, person int) {
	for ctx.Err() == nil {
		n := int(r.loads.Add(1)) - 1
		if n >= *rollingLoads {
			return
		}
		method, path := http.MethodGet, r.paths[(n*7+person)%len(r.paths)]
		if n%20 == 19 {
			method, path = http.MethodPost, "/connectors/"+string(r.connectors[n/20%len(r.connectors)].ID)+"/sync"
			r.forms.Add(1)
		}
		began := time.Now()
		err := r.load(ctx, r.people[person], method, path)
		took := time.Since(began)
		r.mu.Lock()
		r.times = append(r.times, took)
		if err != nil {
			r.failures = append(r.failures, fmt.Sprintf("%s %s after %v: %v", method, path, took.Round(time.Millisecond), err))
		}
		r.mu.Unlock()
	}
}

// load asks for one page, or sends one form. A request that the client had to repeat is an error.
func (r *rolling) load(ctx context.Context, client *http.Client, method, path string) error {
	connections := 0
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connections++ }})
	req, err := http.NewRequestWithContext(ctx, method, r.address+path, nil)
	if err != nil {
		return err
	}
	requests := 1
	if method == http.MethodPost {
		requests = 2 // it leads to a page
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %.200s", resp.Status, body)
	case strings.HasPrefix(resp.Request.URL.Path, "/login") || !bytes.Contains(body, []byte("</html>")):
		return fmt.Errorf("another page: %s, %d bytes", resp.Request.URL, len(body))
	case connections != requests:
		return fmt.Errorf("the client needed %d requests", connections)
	}
	return nil
}

// change carries out the share of one application: people get into a group and out of it.
func (r *rolling) change(ctx context.Context, app int) {
	c, org := r.connectors[app], r.organisations[app]
	group := org.State().Groups[2]
	in := map[string]bool{}
	for _, id := range group.Members {
		in[id] = true
	}
	var users []string
	for _, u := range org.State().Users {
		if u.Active && u.Managed {
			users = append(users, u.ID)
		}
	}
	const together = 4
	share := *rollingTasks / rollingConnectors
	for from := 0; from < share && ctx.Err() == nil; from += together {
		var asked []console.ID
		for n := from; n < min(from+together, share); n++ {
			user := users[n%len(users)]
			verb := console.Grant
			if in[user] {
				verb = console.Revoke
			}
			in[user] = !in[user]
			err := r.store.Update(ctx, console.By{At: time.Now(), Actor: console.Console}, func(tx *store.Tx) error {
				m, err := tx.Moment(c.App, time.Time{})
				if err != nil {
					return err
				}
				e, err := tx.EntitlementByID(m, "group:"+group.ID+":member")
				if err != nil {
					return err
				}
				account, err := tx.ResourceByID(m, "user", user)
				if err != nil {
					return err
				}
				o, err := tx.CreateOperation(console.Operation{App: c.App, Connector: c.ID, Account: account.Key, Entitlement: e.Key, Verb: verb,
					Cause: console.Cause{Kind: console.CauseApproval, Ref: "request", Evidence: console.EvidenceDecision}}, store.Circumstances{})
				asked = append(asked, o.ID)
				return err
			})
			if err != nil {
				r.t.Errorf("app %d: %v", app, err)
				return
			}
		}
		r.mu.Lock()
		r.operations = append(r.operations, asked...)
		r.mu.Unlock()
		for _, id := range asked {
			for alive := true; alive && ctx.Err() == nil; {
				time.Sleep(100 * time.Millisecond)
				err := r.store.View(ctx, func(tx *store.Tx) error {
					o, err := tx.Operation(id)
					alive = o.State.Alive()
					return err
				})
				if err != nil {
					r.t.Errorf("app %d: %v", app, err)
					return
				}
			}
		}
	}
}

// restart restarts the replicas in turn until the channel is closed, each at least once.
func (r *rolling) restart(done <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-done:
			if n >= len(r.replicas) {
				return
			}
		default:
		}
		i := n % len(r.replicas)
		if code := r.replicas[i].end(syscall.SIGTERM); code != 0 {
			r.t.Errorf("replica %d ends with %d: %s", i, code, r.replicas[i].errors())
		}
		r.replicas[i] = r.serve[i]()
		r.restarts++
		time.Sleep(3 * time.Second) // the balancer finds it within one
	}
}

// check examines what came of all of it.
func (r *rolling) check() {
	t := r.t
	for i, f := range r.failures {
		if t.Errorf("%s", f); i == 20 {
			t.Errorf("and %d more", len(r.failures)-i)
			break
		}
	}
	applied := map[string]int{}
	r.view(func(tx *store.Tx) error {
		for after := int64(0); ; {
			events, err := tx.Events(store.EventFilter{}, after, store.PageSize)
			if err != nil || len(events) == 0 {
				return err
			}
			for _, e := range events {
				if after = e.Number; e.Kind == "operation.applied" {
					applied[e.Object]++
				}
			}
		}
	})
	r.view(func(tx *store.Tx) error {
		for _, id := range r.operations {
			o, err := tx.Operation(id)
			if err != nil {
				return err
			}
			// A replica that stops hands back what its hosted connector has not begun; others do it.
			again := o.Attempt != 1 && o.Connector != r.connectors[rollingConnectors-1].ID
			if o.State != console.Verified || again || applied[string(id)] != 1 {
				r.lost++
				t.Errorf("operation %s is %s after %d attempts and %d answers: %s", id, o.State, o.Attempt, applied[string(id)], o.Answer)
				continue
			}
			r.verified.Add(1)
		}
		return nil
	})
	share := *rollingTasks / rollingConnectors
	for i, org := range r.organisations {
		if n := len(org.Writes()); n != share {
			t.Errorf("application %d was changed %d times, want %d", i, n, share)
		}
	}
	if len(r.operations) != share*rollingConnectors {
		t.Errorf("%d operations, want %d", len(r.operations), share*rollingConnectors)
	}
	if report, err := r.store.VerifyChain(t.Context()); err != nil || len(report.Faults) > 0 {
		t.Errorf("chain: %+v, %v", report.Faults, err)
	}
}
