package rpc_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"baton"
	"baton/console/oldrpc"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

// TestRestart wants a server that comes back from its directory to know all that it knew.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	onDir := func(c *rpc.Config) {
		store, err := rpc.NewDirStore(filepath.Join(dir, "state"))
		if err != nil {
			t.Fatal(err)
		}
		c.Dir, c.Store = dir, store
	}
	f := newFixture(t, onDir)
	c := f.issue("acme")
	revoked := f.issue("acme")
	if err := f.Revoke(t.Context(), revoked.id); err != nil {
		t.Fatal(err)
	}
	a := f.host("a", f.token(c))
	wantCode(t, a.hello(""), codes.OK)
	done, running := f.enqueue("acme", syncTask()), f.enqueue("acme", grantTask())
	f.clock.advance(time.Millisecond)
	queued := f.enqueue("acme", grantTask())
	a.poll()
	a.poll()
	annotation, err := anypb.New(&connectorv2.GrantAlreadyExists{})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, a.uploadFile(done, pattern(99)), codes.OK)
	_, err = a.FinishTask(a.ctx, &batonv1.BatonServiceFinishTaskRequest{HostId: "a", TaskId: done, Status: &status.Status{Code: 9, Message: "no"},
		FinalState: &batonv1.BatonServiceFinishTaskRequest_Error_{Error: &batonv1.BatonServiceFinishTaskRequest_Error{
			NonRetryable: true, Annotations: []*anypb.Any{annotation}, Response: annotation}}})
	wantCode(t, err, codes.OK)
	noSecrets(t, dir, c)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	g := newFixture(t, onDir, func(c *rpc.Config) { c.Host = f.Address() })
	if diff := cmp.Diff(f.Credentials(), g.Credentials()); diff != "" {
		t.Errorf("credentials (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(f.Hellos(), g.Hellos(), protocmp.Transform()); diff != "" {
		t.Errorf("hellos (-before +after):\n%s", diff)
	}
	before, after := map[string]rpc.Task{}, map[string]rpc.Task{}
	for _, task := range f.Tasks() {
		before[task.ID] = task
	}
	for _, task := range g.Tasks() {
		after[task.ID] = task
	}
	if diff := cmp.Diff(before, after, protocmp.Transform()); diff != "" || len(after) != 3 {
		t.Errorf("tasks (-before +after):\n%s", diff)
	}
	if r, err := g.Wait(t.Context(), done); err != nil || r.Status.GetCode() != 9 || !r.NonRetryable || len(r.Annotations) != 1 || r.Response == nil || len(r.Assets) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	a, b := g.host("a", g.token(c)), g.host("b", g.token(c))
	if got := b.pollID(); got != queued {
		t.Errorf("handed out %q, want %q: the other is leased still; %v %v", got, queued, done, running)
	}
	if _, err := a.beat(running); err != nil {
		t.Error(err)
	}
	g.clock.advance(time.Minute)
	if got := b.pollID(); got != running {
		t.Errorf("handed out %q, want %q", got, running)
	}
}

// noSecrets wants no file to hold the private key of a credential.
func noSecrets(t *testing.T, dir string, c credential) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		seen++
		b, err := os.ReadFile(path)
		if bytes.Contains(b, c.key.Seed()) || bytes.Contains(b, []byte(encoded(c.key.Seed()))) {
			t.Errorf("%s holds the private key", path)
		}
		return err
	})
	if err != nil || seen < 7 {
		t.Errorf("%d files, %v", seen, err)
	}
}

func TestDamagedStore(t *testing.T) {
	dir := t.TempDir()
	store, err := rpc.NewDirStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tasks", "x.json"), []byte(`{"Work":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rpc.New(t.Context(), rpc.Config{Host: "c1.example", Dir: dir, Store: store}); baton.KindOf(err) != baton.Corrupt {
		t.Errorf("New: %v", err)
	}
}

// TestFullDisk wants what could not be saved not to have happened.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	store, err := rpc.NewDirStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(c *rpc.Config) { c.Store = store })
	a, _ := f.pair()
	id := f.enqueue("acme", grantTask())
	tasks := filepath.Join(dir, "tasks")
	if err := os.Rename(tasks, tasks+"-away"); err != nil {
		t.Fatal(err)
	}
	_, err = a.GetTask(a.ctx, &batonv1.BatonServiceGetTaskRequest{HostId: "a"})
	wantCode(t, err, codes.ResourceExhausted)
	if _, err := f.Enqueue(t.Context(), "acme", grantTask()); baton.KindOf(err) != baton.Storage {
		t.Errorf("Enqueue: %v", err)
	}
	if n := len(f.Tasks()); n != 1 || f.task(id).State != rpc.Queued {
		t.Errorf("%d tasks, %+v", n, f.task(id))
	}
	if err := os.Rename(tasks+"-away", tasks); err != nil {
		t.Fatal(err)
	}
	if got := a.pollID(); got != id {
		t.Errorf("handed out %q, want %q", got, id)
	}
}

func TestConfig(t *testing.T) {
	good := rpc.Config{Host: "c1.example:8443", Dir: t.TempDir()}
	if _, err := rpc.New(t.Context(), good); err != nil {
		t.Error(err)
	}
	for name, edit := range map[string]func(*rpc.Config){
		"no host":                   func(c *rpc.Config) { c.Host = "" },
		"host with colons":          func(c *rpc.Config) { c.Host = "[::1]:443" },
		"host with a slash":         func(c *rpc.Config) { c.Host = "c1.example/x" },
		"no directory":              func(c *rpc.Config) { c.Dir = "" },
		"lease below the heartbeat": func(c *rpc.Config) { c.Lease = time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			edit(&c)
			if _, err := rpc.New(t.Context(), c); baton.KindOf(err) != baton.Invalid {
				t.Error(err)
			}
		})
	}
}
