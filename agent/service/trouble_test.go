package service_test

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baton"
	"baton/agent/service"
	"baton/connector/rest"
	"baton/console/rpc"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

// until waits until ok returns true.
func until(t *testing.T, condition string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", condition)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(condition)
		}
	}
}

func isPatch(r *http.Request) bool { return r.Method == http.MethodPatch }

// secondPage matches a request that comes after a part of the organisation was read.
func secondPage(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/Groups") && r.Method == http.MethodGet
}

func (w *world) fault(specs ...string) {
	w.t.Helper()
	for _, spec := range specs {
		if err := w.c1.SetFault(spec); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) patches() int { return w.org.Requests()["PATCH /Groups/{id}"] }

// TestCancel cancels a sync from C1 while it reads.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := w.holds(secondPage)
	defer release()
	r := w.start()
	id := w.enqueue(syncTask(nil))
	w.waitHeld()
	if err := w.c1.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if got := w.result(id); got.Status.GetCode() != 1 || got.NonRetryable || len(got.Assets) > 0 {
		t.Errorf("a cancelled sync ends with %v", got)
	}
	release()
	w.uploaded(w.succeed(syncTask(nil), nil))
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// TestTokenRevoked revokes all tokens, before a task and in the middle of a sync.
func TestTokenRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := w.holds(secondPage)
	w.start()
	w.succeed(syncTask(func(s *batonv1.Task_SyncFullTask) { s.SyncResourceTypeIds = []string{"user"} }), nil)
	w.c1.RevokeTokens()
	id := w.enqueue(syncTask(nil))
	w.waitHeld()
	w.c1.RevokeTokens()
	release()
	w.uploaded(w.result(id))
}

// TestCredentialRevoked: a revoked credential ends the service, because only a person can replace it.
func TestCredentialRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	w.succeed(&batonv1.Task{TaskType: &batonv1.Task_ListEventFeeds{ListEventFeeds: &batonv1.Task_ListEventFeedsTask{}}}, &connectorv2.ListEventFeedsResponse{})
	if err := w.c1.Revoke(t.Context(), w.clientID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.end(); baton.KindOf(err) != baton.Unauthenticated || baton.FixOf(err) == "" || strings.Contains(err.Error(), "v1:") {
			t.Errorf("it ends with %v (%v)", err, baton.FixOf(err))
		}
		r = w.start() // the same at the start
	}
}

// TestServerComesAndGoes starts the service while C1 cannot issue tokens, and stops C1 later, even during a
// sync.
func TestServerComesAndGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fault("token-error=503:1")
	release := w.holds(secondPage)
	r := w.start()
	id := w.enqueue(syncTask(nil))
	w.waitHeld()
	if err := w.c1.Down(); err != nil {
		t.Fatal(err)
	}
	release()
	if pause(t, 1500*time.Millisecond); len(w.org.Requests()) < 2 {
		t.Error("the sync does not go on without C1")
	}
	if err := w.c1.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.uploaded(w.result(id))
	w.succeed(&batonv1.Task{TaskType: &batonv1.Task_ListEventFeeds{ListEventFeeds: &batonv1.Task_ListEventFeedsTask{}}}, &connectorv2.ListEventFeedsResponse{})
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("out of time")
	}
}

// TestBadUploads interrupts uploads in every way.
func TestBadUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	for _, faults := range [][]string{{"upload-asset-error=INTERNAL:1"}, {"upload-broken-off=1000:2"}, {"upload-checksum=1"}, {"upload-asset-lost=1"}} {
		w.fault(faults...)
		w.uploaded(w.succeed(syncTask(nil), nil))
	}
}

// TestUploadAfterRestart: C1 rejects the upload of a sealed sync until the service is restarted and receives
// the same task again. Nothing is read a second time.
func TestUploadAfterRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fault("upload-asset-error=UNAVAILABLE", "finish-task-error=UNAVAILABLE")
	r := w.start(func(c *service.Config) { c.Grace = time.Millisecond })
	id := w.enqueue(syncTask(nil))
	until(t, "the file is sealed", func() bool {
		left := files(t, w.state)
		return len(left) == 2 && slices.ContainsFunc(left, sealed)
	})
	if err := r.stop(); baton.KindOf(err) != baton.Canceled {
		t.Errorf("it ends with %v", err)
	}
	w.c1.ClearFaults()
	w.fault("redeliver=1")
	w.org.ResetRequests()
	w.start()
	w.uploaded(w.result(id))
	if n := len(w.org.Requests()); n > 0 {
		t.Errorf("it was read again: %v", w.org.Requests())
	}
	until(t, "nothing is left behind", func() bool { return len(leftovers(t, w.state)) == 0 })
}

// TestTwoReplicas: two instances with one credential share the work.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.start(func(c *service.Config) { c.HostID = "host-2"; c.StateDir = t.TempDir() })
	until(t, "both have said hello", func() bool { return len(w.c1.Hellos()) == 2 })
	engineering := w.group("Engineering")
	var ids []string
	for range 10 {
		ids = append(ids, w.enqueue(grantTask(engineering, engineering.Members[0])), w.enqueue(syncTask(nil)))
	}
	for _, id := range ids {
		if r := w.result(id); !r.OK() {
			t.Error(r.Status)
		}
	}
	hosts := map[string]int{}
	for _, task := range w.c1.Tasks() {
		hosts[task.Host]++
		if task.Deliveries != 1 {
			t.Errorf("task %s was delivered %d times", task.ID, task.Deliveries)
		}
	}
	if hosts["host-1"] == 0 || hosts["host-2"] == 0 {
		t.Errorf("who did how much: %v", hosts)
	}
}

// changed edits the connector of a service.
func changed(edit func(*baton.Connector)) func(*service.Config) {
	return func(c *service.Config) {
		open := c.Open
		c.Open = func(ctx context.Context, observe func(rest.Attempt)) (*baton.Connector, error) {
			connector, err := open(ctx, observe)
			if err == nil {
				edit(connector)
			}
			return connector, err
		}
	}
}

// TestDeliveredTwice delivers a grant again while it runs. The connector is called once, and one change is
// made upstream.
func TestDeliveredTwice(t *testing.T) {
	t.Parallel()
	for name, batch := range map[string]bool{"GetTask": false, "GetTasks": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			engineering, someone := w.group("Engineering"), w.outsider("Engineering")
			release := w.holds(isPatch)
			var calls atomic.Int64
			r := w.start(changed(func(c *baton.Connector) {
				grant := c.Grant
				c.Grant = func(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
					calls.Add(1)
					return grant(ctx, req)
				}
			}), func(c *service.Config) { c.BatchTasks = batch })
			id := w.enqueue(grantTask(engineering, someone))
			w.waitHeld()
			w.fault("redeliver=2")
			if !batch { // known tasks are not delivered again
				until(t, "it was delivered again", func() bool { return w.c1.Tasks()[0].Deliveries == 3 })
			}
			pause(t, 200*time.Millisecond)
			release()
			if r := w.result(id); !r.OK() || w.patches() != 1 || calls.Load() != 1 {
				t.Errorf("%v after %d changes, %d calls", r.Status, w.patches(), calls.Load())
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLostOnItsWay loses the answer with a task. It is a write, of which nobody knows whether it was done: it is not
// handed out again until it is put back.
func TestLostOnItsWay(t *testing.T) {
	t.Parallel()
	for name, batch := range map[string]bool{"get-task-lost=1": false, "get-tasks-lost=1": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, g := newWorld(t), new(gauge)
			w.fault(name)
			id := w.enqueue(grantTask(w.group("Engineering"), w.outsider("Engineering")))
			r := w.start(g.in, func(c *service.Config) { c.BatchTasks = batch })
			until(t, "it was handed out", func() bool { return w.c1.Tasks()[0].Deliveries == 1 })
			if lost := w.lostBy(time.Now().Add(time.Minute)); !slices.Equal(lost, []string{id}) {
				t.Errorf("lost: %q", lost)
			}
			w.polled(g, 1)
			if task := w.c1.Tasks()[0]; task.State != rpc.Lost || task.Deliveries != 1 || w.patches() != 0 {
				t.Errorf("it is %s after %d deliveries and %d changes", task.State, task.Deliveries, w.patches())
			}
			w.putBack(id)
			if got := w.result(id); !got.OK() || w.patches() != 1 {
				t.Errorf("%v after %d changes", got.Status, w.patches())
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDeliveredWhileAnswerIsRefused delivers a running task again. Its answer is refused, as it is while the task waits
// in the queue in between. The second delivery was not run, so it gets the answer, too.
func TestDeliveredWhileAnswerIsRefused(t *testing.T) {
	t.Parallel()
	w, g := newWorld(t), new(gauge)
	release := w.holds(isPatch)
	id := w.enqueue(grantTask(w.group("Engineering"), w.outsider("Engineering")))
	r := w.start(g.in)
	w.waitHeld()
	w.fault("redeliver=1", "finish-task-error=FAILED_PRECONDITION:1")
	until(t, "it was delivered again", func() bool { return w.c1.Tasks()[0].Deliveries == 2 })
	w.polled(g, 2) // the answer of the first may be on its way still
	release()
	if got := w.result(id); !got.OK() || w.patches() != 1 {
		t.Errorf("%v after %d changes", got.Status, w.patches())
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// polled waits until the service has asked for tasks n times more.
func (w *world) polled(g *gauge, n float64) {
	w.t.Helper()
	before := g.sum("baton_polls_total", "ok")
	until(w.t, "it asked for tasks", func() bool { return g.sum("baton_polls_total", "ok") >= before+n })
}

// TestFinishLost loses the answer to a task in three ways. No second change is made.
func TestFinishLost(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]string{
		"C1 has it":     {"finish-task-lost=2"},
		"C1 has it not": {"finish-task-error=UNAVAILABLE:2"},
		"C1 asks again": {"finish-task-error=UNAVAILABLE:2", "redeliver=3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fault(faults...)
			engineering, someone := w.group("Engineering"), w.outsider("Engineering")
			r := w.start()
			var granted connectorv2.GrantManagerServiceGrantResponse
			if got := w.succeed(grantTask(engineering, someone), &granted); len(got.Annotations) != 0 || len(granted.Grants) != 1 || w.patches() != 1 {
				t.Errorf("%v after %d changes", got, w.patches())
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStopInSync stops the service during a sync. The task is handed back, and the next one resumes the sync.
func TestStopInSync(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "page-cap=5")
	release := w.holds(secondPage)
	r := w.start()
	id := w.enqueue(syncTask(nil))
	w.waitHeld()
	until(t, "all users are read", func() bool { return w.org.Requests()["GET /Users"] >= 5 })
	began := time.Now()
	if err := r.stop(); baton.KindOf(err) != baton.Canceled || time.Since(began) > 3*time.Second {
		t.Errorf("it ends after %v with %v", time.Since(began), err)
	}
	if got := w.result(id); got.Status.GetCode() != 1 || got.NonRetryable {
		t.Errorf("the sync ends with %v", got)
	}
	release()
	w.org.ResetRequests()
	w.start()
	f := w.uploaded(w.succeed(syncTask(nil), nil))
	if users, _ := w.count(f, "user"); users != 25 {
		t.Errorf("%d users", users)
	}
	// The page in progress may be read again, and the requests before and after it check that nothing moved.
	// Reading all pages again would take five or more.
	if n := w.org.Requests()["GET /Users"]; n > 3 {
		t.Errorf("%d pages of users were read again", n)
	}
}

// TestStopWhatDoesNotListen stops the service while a file is written, and during a change that ignores its
// context.
func TestStopWhatDoesNotListen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begun, free := make(chan struct{}, 2), make(chan struct{})
	r := w.start(func(c *service.Config) { c.Grace = 10 * time.Millisecond }, changed(func(c *baton.Connector) {
		c.Review = func(baton.Facts) ([]baton.Note, error) { begun <- struct{}{}; <-free; return nil, nil }
		c.Grant = func(context.Context, baton.GrantRequest) (baton.Outcome, error) {
			begun <- struct{}{}
			<-free
			return baton.Outcome{}, nil
		}
	}))
	id := w.enqueue(syncTask(nil))
	w.enqueue(grantTask(w.group("Engineering"), w.outsider("Engineering")))
	<-begun
	<-begun
	began := time.Now()
	if err := r.stop(); baton.KindOf(err) != baton.Canceled || time.Since(began) > 8*time.Second {
		t.Errorf("it ends after %v with %v", time.Since(began), err)
	}
	if got := w.result(id); got.Status.GetCode() != 1 || got.NonRetryable {
		t.Errorf("the sync ends with %v", got)
	}
	close(free) // let the rest finish before its folder is removed
	until(t, "the file is written", func() bool {
		left, _ := filepath.Glob(filepath.Join(w.state, "*", "*"))
		return len(left) == 1 && filepath.Base(left[0]) == "sync.c1z"
	})
}

// TestStopInGrant stops the service during a change: it is finished if the grace period suffices, and handed
// back otherwise.
func TestStopInGrant(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]time.Duration{"time enough": 20 * time.Second, "no time": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			engineering, someone := w.group("Engineering"), w.outsider("Engineering")
			release := w.holds(isPatch)
			defer release()
			r := w.start(func(c *service.Config) { c.Grace = grace })
			id := w.enqueue(grantTask(engineering, someone))
			w.waitHeld()
			r.kill()
			if grace > time.Second {
				pause(t, 50*time.Millisecond)
				release()
				if err := r.end(); err != nil {
					t.Error(err)
				}
				if got := w.result(id); !got.OK() || !w.isMember("Engineering", someone) {
					t.Errorf("the grant ends with %v", got.Status)
				}
				return
			}
			if err := r.end(); baton.KindOf(err) != baton.Canceled {
				t.Errorf("it ends with %v", err)
			}
			if got := w.result(id); got.Status.GetCode() != 1 || got.NonRetryable {
				t.Errorf("the grant ends with %v", got)
			}
		})
	}
}

// TestStopWithTasksWaiting hands back tasks that were taken but not started.
func TestStopWithTasksWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := w.holds(isPatch)
	defer release()
	engineering, someone := w.group("Engineering"), w.outsider("Engineering")
	var ids []string
	for range 2 {
		ids = append(ids, w.enqueue(grantTask(engineering, someone)))
	}
	r := w.start(func(c *service.Config) { c.BatchTasks = true; c.TaskConcurrency = 1; c.Grace = 10 * time.Millisecond })
	w.waitHeld()
	if err := r.stop(); baton.KindOf(err) != baton.Canceled {
		t.Errorf("it ends with %v", err)
	}
	for _, id := range ids {
		if got := w.result(id); got.Status.GetCode() != 1 || got.NonRetryable {
			t.Errorf("a grant ends with %v", got)
		}
	}
}

// TestPanic makes a task panic, and then an action. The service continues.
func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(changed(func(c *baton.Connector) {
		c.Grant = func(context.Context, baton.GrantRequest) (baton.Outcome, error) { panic("of a secret") }
		c.Actions[0].Run = func(context.Context, baton.ActionRequest) (baton.Outcome, error) { panic("of a secret") }
		c.Feeds[0].Next = func(context.Context, baton.Cursor, baton.Page) (baton.Step, error) { panic("of a secret") }
	}))
	engineering := w.group("Engineering")
	if r := w.fail(grantTask(engineering, engineering.Members[0]), 13, true, "panicked"); strings.Contains(r.Status.GetMessage(), "secret") {
		t.Error("the panic is told to C1")
	}
	w.fail(syncTask(nil), 13, false, "panicked")
	w.fail(actionTask("disable_user", map[string]any{"user_id": "x"}), 2, false, "panicked")
	w.succeed(revokeTask(engineering, engineering.Members[0]), &connectorv2.GrantManagerServiceRevokeResponse{})
}
