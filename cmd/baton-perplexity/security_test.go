package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
	sandboxed "baton/sandbox/perplexity"
)

// outside is the network outside the machine: a proxy that every connection must use, and behind it the
// upstream and a collector.
type outside struct {
	t     *testing.T
	org   *sandboxed.Server
	proxy *httptest.Server
	hosts map[string]string // name:port ─▶ address
	ca    string            // PEM file

	mu        sync.Mutex
	asked     []string // hosts requested from the proxy
	exported  bytes.Buffer
	keys      []string                                      // Authorization headers at the collector
	interfere func(http.ResponseWriter, *http.Request) bool // answers in place of the upstream, or adds to its answer
}

const (
	upstreamHost  = "scim.example.test"
	collectorHost = "otel.example.test"
	scimToken     = "sk-scim-0123456789"
	proxyPassword = "pr0xy-passw0rd"
	collectorKey  = "c0llector-k3y-42"
)

func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{t: t, org: sandboxed.New(sandboxed.Options{Token: scimToken}), hosts: map[string]string{}}
	cert := o.authority()
	for name, handler := range map[string]http.HandlerFunc{upstreamHost: o.upstream, collectorHost: o.collect} {
		server := httptest.NewUnstartedServer(handler)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		server.StartTLS()
		t.Cleanup(server.Close)
		o.hosts[name+":443"] = server.Listener.Addr().String()
	}
	o.proxy = httptest.NewServer(http.HandlerFunc(o.connect))
	t.Cleanup(o.proxy.Close)
	return o
}

// authority creates the certificate of both servers.
func (o *outside) authority() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "outside"}, DNSNames: []string{upstreamHost, collectorHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		o.t.Fatal(err)
	}
	o.ca = filepath.Join(o.t.TempDir(), "ca.pem")
	if err := os.WriteFile(o.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		o.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// connect is the proxy: it records the requested host, and connects to known ones.
func (o *outside) connect(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.asked = append(o.asked, r.Method+" "+r.Host)
	o.mu.Unlock()
	address, known := o.hosts[r.Host]
	if r.Method != http.MethodConnect || !known {
		http.Error(w, "nobody", http.StatusBadGateway)
		return
	}
	there, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		there.Close()
		return
	}
	io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { io.Copy(there, here); there.Close() }()
	go func() { io.Copy(here, there); here.Close() }()
}

// upstream is the sandbox, with answers that point to other hosts.
func (o *outside) upstream(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	interfere := o.interfere
	o.mu.Unlock()
	w.Header().Set("Link", `<https://evil.example.test/next>; rel="next"`)
	if interfere != nil && interfere(w, r) {
		return
	}
	answer := httptest.NewRecorder()
	o.org.ServeHTTP(answer, r)
	for name, values := range answer.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.Code)
	w.Write(regexp.MustCompile(`"(location|\$ref)":\s*"[^"]*"`).ReplaceAll(answer.Body.Bytes(), []byte(`"$1":"https://evil.example.test/x"`)))
}

func (o *outside) collect(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.exported.Write(body)
	o.keys = append(o.keys, r.Header.Get("X-Key"), r.Header.Get("Authorization"))
	io.WriteString(w, "{}")
}

func (o *outside) interferes(with func(http.ResponseWriter, *http.Request) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.interfere = with
}

// env returns the environment of a process that must use the proxy.
func (o *outside) env(more ...string) []string {
	return append([]string{"BE_THE_PROGRAM=1", "PATH=" + os.Getenv("PATH"), "HTTPS_PROXY=http://somebody:" + proxyPassword + "@" + o.proxy.Listener.Addr().String(),
		"BATON_SCIM_URL=https://" + upstreamHost + o.org.URLPath(), "BATON_SCIM_TOKEN=" + scimToken, "BATON_CA_FILE=" + o.ca, "BATON_LOG_LEVEL=debug"}, more...)
}

// went fails if any other host was requested.
func (o *outside) went(hosts ...string) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[string]bool{}
	for _, asked := range o.asked {
		seen[asked] = true
		if !slices.Contains(hosts, strings.TrimPrefix(asked, "CONNECT ")) {
			o.t.Errorf("it went to %s", asked)
		}
	}
	if len(seen) != len(hosts) {
		o.t.Errorf("it went to %v, want %v", seen, hosts)
	}
	o.asked = nil
}

// oneShot runs the program once in a folder, and returns all its output and files.
func (o *outside) oneShot(dir string, args ...string) (code int, written string) {
	o.t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Env = dir, o.env()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		o.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// silent fails if the text contains a secret.
func silent(t *testing.T, where, written string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if i := strings.Index(written, s); i >= 0 {
			t.Errorf("%s has a secret: %q", where, written[max(0, i-80):min(len(written), i+len(s))])
		}
	}
}

// content returns all bytes below a folder, with packed files unpacked. It fails for a file or folder that
// others can access.
func content(t *testing.T, dir string) string {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil && path != dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		if d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all.Write(b)
		if packed, ok := bytes.CutPrefix(b, []byte("C1ZF\x00")); ok {
			dec, err := zstd.NewReader(bytes.NewReader(packed))
			if err != nil {
				return err
			}
			defer dec.Close()
			_, err = io.Copy(&all, dec)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// echo answers with the request, as some upstreams do.
func echo(status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Location", "https://evil.example.test/steal?token="+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		w.WriteHeader(status)
		io.WriteString(w, `{"detail":"what is `+r.Header.Get("Authorization")+`?\u001b[2J\u202e"}`)
		return true
	}
}

// TestTheTokenStaysHome: in one-shot mode, the program contacts only its upstream, through the proxy,
// wherever answers point, and nothing that it writes contains a secret.
func TestTheTokenStaysHome(t *testing.T) {
	o := newOutside(t)
	for name, tc := range map[string]struct {
		interfere func(http.ResponseWriter, *http.Request) bool
		args      []string
		ok        bool
	}{
		"a sync":           {ok: true},
		"a doctor":         {args: []string{"doctor"}, ok: true},
		"the token echoed": {interfere: echo(401)},
		"a bad request":    {interfere: echo(400)},
		"a redirect":       {interfere: echo(302)},
		"a moved upstream": {interfere: echo(308)},
		"an action":        {args: []string{"--invoke-action", "enable_user", "--invoke-action-args", `{"user_id":"nobody"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			o.t = t
			o.interferes(tc.interfere)
			dir := t.TempDir()
			code, written := o.oneShot(dir, tc.args...)
			if (code == 0) != tc.ok {
				t.Errorf("exit code %d\n%s", code, written)
			}
			o.went(upstreamHost + ":443")
			silent(t, "the output", written, scimToken, proxyPassword)
			silent(t, "the folder", content(t, dir), scimToken, proxyPassword)
			if strings.ContainsAny(written, "\x1b\u202e") {
				t.Errorf("what the upstream says reaches the terminal as it is: %q", written)
			}
		})
	}
	t.Run("on the command line", func(t *testing.T) {
		o.interferes(echo(401))
		_, written := o.oneShot(t.TempDir(), "--scim-token", "sk-typed-9876543210")
		silent(t, "the output", written, "sk-typed-9876543210", scimToken, proxyPassword)
		if !strings.Contains(written, "scim-token") {
			t.Errorf("nothing warns of the argument: %s", written)
		}
	})
}

// TestTheServiceStaysHome: a service contacts only its upstream, the configured collector and C1, which runs
// on this machine here. Logs, metrics, exports, answers, uploads and the state directory contain no secret.
func TestTheServiceStaysHome(t *testing.T) {
	o := newOutside(t)
	s := newServed(t)
	both, err := os.ReadFile(s.c1.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile(o.ca)
	if err != nil {
		t.Fatal(err)
	}
	o.ca = filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(o.ca, append(both, ours...), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	clientSecret := ""
	for _, e := range s.Env {
		if v, ok := strings.CutPrefix(e, "BATON_CLIENT_SECRET="); ok {
			clientSecret = v
		}
	}
	private := clientSecret[strings.LastIndex(clientSecret, ":")+1:]
	s.Env = append(o.env("OTEL_EXPORTER_OTLP_ENDPOINT=https://"+collectorHost, "OTEL_EXPORTER_OTLP_HEADERS=x-key="+collectorKey, "OTEL_METRIC_EXPORT_INTERVAL=200",
		"BATON_HEALTH_CHECK=true", "BATON_HEALTH_CHECK_BIND_ADDRESS=127.0.0.1", "BATON_HEALTH_CHECK_PORT="+port, "BATON_PROVISIONING=true"), clientEnv(s.Env)...)
	cmd, log := s.start(-1)
	whole := s.result(s.sync())
	if !whole.OK() {
		t.Fatalf("%v\n%s", whole.Status, log)
	}
	o.interferes(echo(401))
	failed := []string{whole.Status.String()}
	for _, task := range []*batonv1.Task{
		{TaskType: &batonv1.Task_SyncFull{SyncFull: &batonv1.Task_SyncFullTask{}}},
		{TaskType: &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{Principal: &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "user", Resource: "u1"}},
			Entitlement: &connectorv2.Entitlement{Id: "group:g1:member", Slug: "member", Resource: &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "group", Resource: "g1"}}}}}},
	} {
		id, err := s.c1.Enqueue(t.Context(), "perplexity", task)
		if err != nil {
			t.Fatal(err)
		}
		r := s.result(id)
		if r.OK() {
			t.Errorf("%v succeeds against an upstream that refuses the token", task)
		}
		failed = append(failed, r.Status.String())
	}
	if strings.ContainsAny(strings.Join(failed, ""), "\x1b\u202e") {
		t.Errorf("what the upstream says reaches C1 as it is: %q", failed)
	}
	metrics := get(t, "http://127.0.0.1:"+port+"/metrics") + get(t, "http://127.0.0.1:"+port+"/health")
	if !strings.Contains(metrics, "baton_upstream_credential_accepted 0") {
		t.Errorf("no metric says that the token was refused:\n%s", metrics)
	}
	stop(t, cmd, log, 0)
	if strings.ContainsAny(log.String(), "\x1b\u202e") {
		t.Errorf("what the upstream says reaches the log as it is: %q", log)
	}
	o.went(upstreamHost+":443", collectorHost+":443")
	o.mu.Lock()
	exported, keys := o.exported.String(), slices.Compact(slices.Sorted(slices.Values(o.keys)))
	o.mu.Unlock()
	if !json.Valid([]byte(exported[:strings.Index(exported, "}{")+1])) || !slices.Equal(keys, []string{"", collectorKey}) {
		t.Errorf("the collector got %.200s with keys %q", exported, keys)
	}
	upload, err := os.ReadFile(whole.Assets[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	sent := t.TempDir()
	if err := os.WriteFile(filepath.Join(sent, "upload"), upload, 0o600); err != nil {
		t.Fatal(err)
	}
	for where, written := range map[string]string{"the log": log.String(), "a metric": metrics, "an export": exported, "an answer": strings.Join(failed, "\n"),
		"the upload": content(t, sent), "the state directory": content(t, s.state)} {
		silent(t, where, written, scimToken, proxyPassword, private, collectorKey)
	}
}

// clientEnv returns the variables for the control plane and the state.
func clientEnv(env []string) (kept []string) {
	for _, e := range env {
		for _, prefix := range []string{"BATON_CLIENT_", "BATON_C1Z_TEMP_DIR=", "BATON_HOST_ID="} {
			if strings.HasPrefix(e, prefix) {
				kept = append(kept, e)
			}
		}
	}
	return kept
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(bufio.NewReader(resp.Body))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
