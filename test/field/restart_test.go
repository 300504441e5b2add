package field

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
	sandbox "baton/sandbox/perplexity"
)

// cluster is a control plane, a connector's credential and an organisation. Its pods are processes of
// baton-perplexity in service mode.
type cluster struct {
	t     *testing.T
	plane *rpctest.Server
	org   *sandbox.Server
	env   []string
	pods  int
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, org: sandbox.New(sandbox.Options{})}
	upstream := httptest.NewServer(c.org)
	t.Cleanup(upstream.Close)
	var err error
	c.plane, err = rpctest.Listen(t.Context(), rpctest.Config{Dir: t.TempDir(), Poll: 20 * time.Millisecond, Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.plane.Close() })
	id, secret, err := c.plane.Issue(t.Context(), "perplexity")
	if err != nil {
		t.Fatal(err)
	}
	c.env = []string{"BATON_SCIM_URL=" + upstream.URL + c.org.URLPath(), "BATON_SCIM_TOKEN=" + c.org.Token(),
		"BATON_CLIENT_ID=" + id, "BATON_CLIENT_SECRET=" + secret.Reveal(), "BATON_CA_FILE=" + c.plane.CAFile}
	return c
}

// pod is one process in service mode.
type pod struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    *lockedBuffer
	health string // host:port
	ended  bool
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// nextPort is where freePort looks first. It is below the ports that a system chooses for
// connections and for listeners without one, so nobody takes a port before its pod listens.
var nextPort atomic.Int32

func init() { nextPort.Store(15000 + rand.Int32N(10000)) }

// freePort returns a port that nothing listens at.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(int(nextPort.Add(1)))
		if listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// pod starts a process with tmp as its temporary folder, and waits until it is ready.
func (c *cluster) pod(tmp string, env ...string) *pod {
	c.t.Helper()
	port := freePort(c.t)
	p := &pod{t: c.t, log: &lockedBuffer{}, health: net.JoinHostPort("127.0.0.1", port)}
	p.cmd = exec.Command(filepath.Join(*binaries, "baton-perplexity"))
	p.cmd.Dir = c.t.TempDir()
	p.cmd.Env = append(append([]string{"HOME=" + p.cmd.Dir, "TMPDIR=" + tmp, fmt.Sprint("BATON_HOST_ID=pod-", c.pods),
		"BATON_HEALTH_CHECK=true", "BATON_HEALTH_CHECK_BIND_ADDRESS=127.0.0.1", "BATON_HEALTH_CHECK_PORT=" + port}, c.env...), env...)
	p.cmd.Stderr = p.log
	c.pods++
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.stop)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if r, err := http.Get("http://" + p.health + "/ready"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return p
			}
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the pod does not become ready:\n%s", p.log)
		}
	}
}

// stop ends the process like the kubelet.
func (p *pod) stop() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	kill.Stop()
	if p.t.Failed() {
		p.t.Logf("a pod's log:\n%s", p.log)
	}
}

// metric returns the value of a metric, or -1.
func (p *pod) metric(name string) float64 {
	p.t.Helper()
	r, err := http.Get("http://" + p.health + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		return -1
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *pod) measures(want map[string]float64) {
	p.t.Helper()
	for name, want := range want {
		if got := p.metric(name); got != want {
			p.t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func (p *pod) says(text string) {
	p.t.Helper()
	if !strings.Contains(p.log.String(), text) {
		p.t.Errorf("the log does not say %q:\n%s", text, p.log)
	}
}

// do runs a task and returns its result.
func (c *cluster) do(work *batonv1.Task) rpctest.Result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	id, err := c.plane.Enqueue(ctx, "perplexity", work)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := c.plane.Wait(ctx, id)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *cluster) sync() rpctest.Result {
	c.t.Helper()
	return c.do(&batonv1.Task{TaskType: &batonv1.Task_SyncFull{SyncFull: &batonv1.Task_SyncFullTask{}}})
}

func (c *cluster) uploads() {
	c.t.Helper()
	if r := c.sync(); !r.OK() || len(r.Assets) != 1 {
		c.t.Fatalf("the sync is not uploaded: %v", r.Status)
	}
}

// holds runs a sync that must be held, and returns the message for C1 and the override.
func (c *cluster) holds(says ...string) (message, override string) {
	c.t.Helper()
	r := c.sync()
	message = r.Status.GetMessage()
	if r.OK() || r.Status.GetCode() != 9 || len(r.Assets) > 0 {
		c.t.Fatalf("the sync is not held: %d uploads, %v", len(r.Assets), r.Status)
	}
	for _, text := range append(says, "this sync is held", "BATON_ALLOW_HELD") {
		if !strings.Contains(message, text) {
			c.t.Errorf("the message does not contain %q: %s", text, message)
		}
	}
	if code := regexp.MustCompile(`--allow-held ([\w-]+)`).FindStringSubmatch(message); code != nil {
		override = code[1]
	}
	return message, override
}

// empty removes all members of a group and returns a function that restores them.
func (c *cluster) empty(group string) (back func()) {
	c.t.Helper()
	g, ok := c.org.State().Group(group)
	if !ok || len(g.Members) == 0 {
		c.t.Fatalf("%s has no members", group)
	}
	for _, id := range g.Members {
		c.org.RemoveMember(g.ID, id)
	}
	return func() {
		for _, id := range g.Members {
			c.org.AddMember(g.ID, id)
		}
	}
}

const adminsMissing = "0 enabled accounts that are certain to be Admin"

// TestTwoPodsOnAVolume runs two pods in turn on one volume. The second one holds the same syncs as the first,
// even if a part of the volume's content is lost or damaged.
func TestTwoPodsOnAVolume(t *testing.T) {
	one := func(t *testing.T, volume, pattern string) string {
		found, err := filepath.Glob(filepath.Join(volume, "baton-perplexity", pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %q, %v", pattern, found, err)
		}
		return found[0]
	}
	file := func(t *testing.T, volume string) string { return one(t, volume, "uploaded-*.c1z") }
	record := func(t *testing.T, volume string) string { return one(t, volume, "uploaded-*.json") }
	for name, tc := range map[string]struct {
		lose func(t *testing.T, volume string) error
		same bool // the second pod gives the same message as the first
	}{
		"nothing is lost":         {func(*testing.T, string) error { return nil }, true},
		"the file is removed":     {func(t *testing.T, v string) error { return os.Remove(file(t, v)) }, false},
		"the file is emptied":     {func(t *testing.T, v string) error { return os.Truncate(file(t, v), 0) }, false},
		"the file is cut short":   {func(t *testing.T, v string) error { return os.Truncate(file(t, v), 1000) }, false},
		"the file is overwritten": {func(t *testing.T, v string) error { return os.WriteFile(file(t, v), []byte("lost+found"), 0o600) }, false},
		"the record is removed":   {func(t *testing.T, v string) error { return os.Remove(record(t, v)) }, true},
		"the record is emptied":   {func(t *testing.T, v string) error { return os.Truncate(record(t, v), 0) }, true},
		"both are damaged": {func(t *testing.T, v string) error {
			if err := os.Truncate(record(t, v), 20); err != nil {
				return err
			}
			return os.Truncate(file(t, v), 20)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, volume := newCluster(t), t.TempDir()
			mounted := "BATON_C1Z_TEMP_DIR=" + volume
			first := c.pod(t.TempDir(), mounted)
			c.uploads()
			back := c.empty("PPLX_Admin")
			held, override := c.holds(adminsMissing)
			first.stop()
			if err := tc.lose(t, volume); err != nil {
				t.Fatal(err)
			}
			second := c.pod(t.TempDir(), mounted)
			heldAgain, overrideAgain := c.holds()
			if tc.same && (heldAgain != held || overrideAgain != override) {
				t.Errorf("the second pod says %s\nand the first %s", heldAgain, held)
			}
			second.measures(map[string]float64{"baton_sync_held": 1, "baton_uploads_remembered": 1})
			second.stop()

			// The override allows this sync, but nothing else after a restart.
			others := c.empty("PPLX_Members")
			third := c.pod(t.TempDir(), mounted, "BATON_ALLOW_HELD="+overrideAgain)
			c.holds()
			others()
			c.uploads()
			back()
			c.uploads()
			c.empty("PPLX_Admin")
			c.holds(adminsMissing)
			third.measures(map[string]float64{"baton_sync_held": 1, "baton_sync_compared": 1})
		})
	}
}

// TestPodsWithoutAVolume runs pods in turn that keep no state. Each one reports at the start, in its log and
// its metrics, that the first sync has nothing to compare with. A pod started with the override of a held
// sync compares with that sync.
func TestPodsWithoutAVolume(t *testing.T) {
	c := newCluster(t)
	first := c.pod(t.TempDir())
	first.says("No earlier upload is known here")
	first.says("BATON_C1Z_TEMP_DIR is not set")
	first.measures(map[string]float64{"baton_uploads_remembered": 0, "baton_state_temporary": 1})
	c.uploads()
	first.says("No previous sync is available here, so this sync cannot be checked for missing rows.")
	first.measures(map[string]float64{"baton_uploads_remembered": 1, "baton_sync_compared": 0})
	back := c.empty("PPLX_Admin")
	_, override := c.holds(adminsMissing)
	first.stop()

	others := c.empty("PPLX_Members")
	second := c.pod(t.TempDir(), "BATON_ALLOW_HELD="+override)
	second.says("No earlier upload is known here")
	c.holds("No previous sync is known here", "override")
	others()
	c.uploads()
	second.says("compared only with the one that the override was made for")
	back()
	c.uploads()
	c.empty("PPLX_Admin")
	c.holds(adminsMissing)
}

// TestAnotherTenantOnTheVolume points a service with a volume at another tenant: all known rows would be
// removed, so the sync is held and names both tenants.
func TestAnotherTenantOnTheVolume(t *testing.T) {
	c, volume := newCluster(t), t.TempDir()
	first := c.pod(t.TempDir(), "BATON_C1Z_TEMP_DIR="+volume)
	c.uploads()
	first.stop()
	other := sandbox.New(sandbox.Options{Seed: 7, Users: 30, Groups: 4, MembersMin: 5, MembersMax: 9})
	upstream := httptest.NewServer(other)
	t.Cleanup(upstream.Close)
	c.pod(t.TempDir(), "BATON_C1Z_TEMP_DIR="+volume, "BATON_SCIM_URL="+upstream.URL+other.URLPath(), "BATON_SCIM_TOKEN="+other.Token())
	c.holds("this one has none of them", "this sync is of "+upstream.URL)
}
