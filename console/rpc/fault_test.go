package rpc_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
)

func (f *fixture) fault(spec string) {
	f.t.Helper()
	if err := f.SetFault(spec); err != nil {
		f.t.Fatal(err)
	}
}

func TestFaultTable(t *testing.T) {
	f := newFixture(t)
	seen := map[string]bool{}
	for _, fault := range rpctest.Faults() {
		if err := f.SetFault(fault.Name); err != nil {
			t.Errorf("%s with its default: %v", fault.Name, err)
		}
		if seen[fault.Name] || fault.Description == "" || (fault.Value == "") != (fault.Default == "") {
			t.Errorf("%+v", fault)
		}
		seen[fault.Name] = true
	}
	if len(seen) < 25 {
		t.Errorf("only %d faults", len(seen))
	}
	for _, spec := range []string{"", "nonsense", "hello-error=OK", "hello-error=nonsense", "hello-error=INTERNAL:0", "hello-delay=fast",
		"hello-delay=-1s", "hello-lost=0", "hello-lost=x", "none-task=1", "token-error=9", "upload-broken-off=0", "token-lifetime="} {
		if err := f.SetFault(spec); baton.KindOf(err) != baton.Invalid {
			t.Errorf("SetFault(%q): %v", spec, err)
		}
	}
}

// TestCallFaults applies each of the three faults of calls to every call.
func TestCallFaults(t *testing.T) {
	f := newFixture(t)
	h, _ := f.pair()
	id := f.enqueue("acme", syncTask())
	h.poll()
	calls := map[string]func() error{
		"hello": func() error { return h.hello("") },
		"get-task": func() error {
			_, err := h.GetTask(h.ctx, &batonv1.BatonServiceGetTaskRequest{HostId: "a"})
			return err
		},
		"get-tasks": func() error {
			_, err := h.GetTasks(h.ctx, &batonv1.BatonServiceGetTasksRequest{HostId: "a", PageSize: 1})
			return err
		},
		"heartbeat":    func() error { _, err := h.beat(id); return err },
		"upload-asset": func() error { return h.uploadFile(id, syncFile(10)) },
		"finish-task":  func() error { return h.succeed(id) },
	}
	for _, name := range []string{"hello", "get-task", "get-tasks", "heartbeat", "upload-asset", "finish-task"} {
		t.Run(name, func(t *testing.T) {
			call := calls[name]
			f.fault(name + "-error=INTERNAL:2")
			wantCode(t, call(), codes.Internal)
			wantCode(t, call(), codes.Internal)
			f.fault(name + "-delay=30ms")
			start := time.Now()
			if name != "finish-task" {
				wantCode(t, call(), codes.OK)
				if took := time.Since(start); took < 30*time.Millisecond {
					t.Errorf("took %v", took)
				}
			}
			f.fault(name + "-lost")
			wantCode(t, call(), codes.Unavailable)
			wantCode(t, call(), codes.OK)
			f.fault(name + "-error=ABORTED")
			for range 3 {
				wantCode(t, call(), codes.Aborted)
			}
			f.ClearFaults()
			wantCode(t, call(), codes.OK)
		})
	}
	// The lost answer belongs to a call that took effect.
	task := f.task(id)
	if task.Heartbeats != 4 || len(task.Result.Assets) != 1 || !task.Result.OK() {
		t.Errorf("%+v", task)
	}
	if hellos := f.Hellos(); len(hellos) != 1 || hellos[0].Count != 4 {
		t.Errorf("%+v", hellos)
	}
}

func TestTokenFaults(t *testing.T) {
	f := newFixture(t)
	c := f.issue("acme")
	post := func() (tokenAnswer, error) {
		header, claims := f.claims(c)
		return f.post(form(c.id, jws(c.key, header, claims)))
	}
	f.fault("token-error=502:2")
	for i, want := range []int{502, 502, 200} {
		if a, err := post(); err != nil || a.code != want {
			t.Errorf("request %d: %+v, %v, want %d", i, a, err, want)
		}
	}
	f.fault("token-lost")
	if a, err := post(); err == nil {
		t.Errorf("an answer to a lost request: %+v", a)
	}
	f.fault("token-lifetime=20s")
	a, err := post()
	if err != nil || a.ExpiresIn != 20 {
		t.Fatalf("%+v, %v", a, err)
	}
	h := f.host("a", a.AccessToken)
	wantCode(t, h.hello(""), codes.OK)
	f.clock.advance(20 * time.Second)
	wantCode(t, h.hello(""), codes.Unauthenticated)

	h = f.host("a", f.token(c))
	f.fault("tokens-revoked-after=3")
	for _, want := range []codes.Code{codes.OK, codes.OK, codes.Unauthenticated, codes.Unauthenticated} {
		wantCode(t, h.hello(""), want)
	}
	wantCode(t, f.host("a", f.token(c)).hello(""), codes.OK)
}

func TestTaskFaults(t *testing.T) {
	f := newFixture(t)
	a, b := f.pair()
	f.fault("none-task")
	if task := a.poll(); task.GetNone() == nil {
		t.Errorf("got %v, want a none task", task)
	}
	id := f.enqueue("acme", grantTask())
	f.fault("redeliver")
	for _, h := range []*host{a, a, b} {
		want := id
		if h == b {
			want = ""
		}
		if got := h.pollID(); got != want {
			t.Errorf("host %s got %q, want %q", h.id, got, want)
		}
	}
	f.fault("redeliver=1")
	if got := b.pollID(); got != id {
		t.Errorf("the other host got %q, want %q", got, id)
	}
	if n := f.task(id).Deliveries; n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
	f.fault("heartbeat-cancelled")
	for _, want := range []bool{true, false} {
		if got, err := b.beat(id); got != want || err != nil {
			t.Errorf("cancelled %v, %v, want %v", got, err, want)
		}
	}
}

func TestUploadFaults(t *testing.T) {
	var dir string
	f := newFixture(t, func(c *rpctest.Config) { dir = c.Dir })
	h, _ := f.pair()
	id := f.enqueue("acme", syncTask())
	h.poll()
	f.fault("upload-checksum")
	wantCode(t, h.uploadFile(id, syncFile(100)), codes.DataLoss)
	f.fault("upload-broken-off=1000000:1")
	wantCode(t, h.uploadFile(id, syncFile(3<<20)), codes.Unavailable)
	if n := len(f.task(id).Result.Assets); n != 0 {
		t.Errorf("%d assets", n)
	}
	wantCode(t, h.uploadFile(id, syncFile(3<<20)), codes.OK)
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("files: %v", left)
	}
}

func TestServerGone(t *testing.T) {
	f := newFixture(t)
	h, _ := f.pair()
	wantCode(t, h.hello(""), codes.OK)
	for range 2 {
		if err := f.Down(); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, h.hello(""), codes.Unavailable)
	for range 2 {
		if err := f.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.conn.ResetConnectBackoff()
	for wait := time.Duration(0); wait < 5*time.Second; wait += 10 * time.Millisecond {
		if h.hello("") == nil {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	wantCode(t, h.hello(""), codes.OK) // and the token is still good
}

func FuzzFault(f *testing.F) {
	for _, fault := range rpctest.Faults() {
		f.Add(fault.Name + "=" + fault.Default)
	}
	server, err := rpctest.New(rpctest.Config{Host: "c1.example", Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if err := server.SetFault(spec); err != nil && baton.KindOf(err) != baton.Invalid {
			t.Error(err)
		}
	})
}
