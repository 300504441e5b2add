package rpc_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"

	"baton"
	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

const unknownTask = "3MRTs2TLXE3E2IOdSvsLpc7EVrN"

// pair is two hosts of one connector.
func (f *fixture) pair() (a, b *host) {
	token := f.token(f.issue("acme"))
	return f.host("a", token), f.host("b", token)
}

func TestLease(t *testing.T) {
	f := newFixture(t)
	a, b := f.pair()
	id := f.enqueue("acme", listTask())

	wantCode(t, a.succeed(id), codes.FailedPrecondition) // not leased
	if got := a.pollID(); got != id {
		t.Fatalf("leased %q, want %q", got, id)
	}
	if again, other := a.pollID(), b.pollID(); again != "" || other != "" {
		t.Errorf("leased again: %q, %q", again, other)
	}
	f.clock.advance(50 * time.Second)
	if _, err := a.beat(id); err != nil {
		t.Error(err)
	}
	f.clock.advance(59 * time.Second)
	if got := b.pollID(); got != "" {
		t.Errorf("host b leased %q in spite of the heartbeat", got)
	}
	_, err := b.beat(id)
	wantCode(t, err, codes.FailedPrecondition)
	wantCode(t, b.succeed(id), codes.FailedPrecondition)

	f.clock.advance(time.Second) // the lease expires
	if got := b.pollID(); got != id {
		t.Fatalf("after the lease: %q, want %q", got, id)
	}
	_, err = a.beat(id)
	wantCode(t, err, codes.FailedPrecondition)
	wantCode(t, a.succeed(id), codes.FailedPrecondition)
	wantCode(t, b.succeed(id), codes.OK)
	wantCode(t, b.succeed(id), codes.OK) // the response was lost
	_, err = b.beat(id)
	wantCode(t, err, codes.FailedPrecondition)

	task := f.task(id)
	if task.State != rpc.Finished || task.Deliveries != 2 || task.Heartbeats != 1 || !task.Result.OK() || task.Result.Host != "b" {
		t.Errorf("%+v", task)
	}
}

func TestLateHolder(t *testing.T) {
	f := newFixture(t)
	a, _ := f.pair()
	beaten, finished := f.enqueue("acme", listTask()), f.enqueue("acme", listTask())
	a.poll()
	a.poll()
	f.clock.advance(5 * time.Minute)
	// The leases have expired, but no other host has the tasks.
	if _, err := a.beat(beaten); err != nil {
		t.Error(err)
	}
	wantCode(t, a.succeed(finished), codes.OK)
	if got := a.pollID(); got != "" {
		t.Errorf("leased %q", got)
	}
}

func TestForeignTasks(t *testing.T) {
	f := newFixture(t)
	a, _ := f.pair()
	other := f.host("a", f.token(f.issue("other")))
	id := f.enqueue("acme", listTask())
	if got := other.pollID(); got != "" {
		t.Errorf("another connector leased %q", got)
	}
	a.poll()
	for name, h := range map[string]*host{"unknown": a, "of another connector": other} {
		task := id
		if h == a {
			task = unknownTask
		}
		t.Run(name, func(t *testing.T) {
			_, err := h.beat(task)
			wantCode(t, err, codes.NotFound)
			wantCode(t, h.succeed(task), codes.NotFound)
			wantCode(t, h.hello(task), codes.NotFound)
			wantCode(t, h.uploadFile(task, syncFile(10)), codes.NotFound)
		})
	}
}

func TestOneSyncAtATime(t *testing.T) {
	f := newFixture(t)
	a, b := f.pair()
	first, second := f.enqueue("acme", syncTask()), f.enqueue("acme", syncTask())
	grant := f.enqueue("acme", grantTask())
	if got := a.pollID(); got != first {
		t.Fatalf("%q, want %q", got, first)
	}
	if got := b.pollID(); got != grant {
		t.Errorf("%q, want the grant: a sync is running", got)
	}
	if got := b.pollID(); got != "" {
		t.Errorf("%q, want nothing", got)
	}
	wantCode(t, a.succeed(first), codes.OK)
	if got := b.pollID(); got != second {
		t.Errorf("%q, want %q", got, second)
	}
	f.clock.advance(time.Minute)
	if got := a.pollID(); got != second {
		t.Errorf("%q, want %q, whose lease has lapsed", got, second)
	}
}

func TestCancel(t *testing.T) {
	f := newFixture(t)
	a, b := f.pair()
	cancel := func(id string) {
		t.Helper()
		if err := f.Cancel(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	ended := func(id, host string) {
		t.Helper()
		r := f.task(id).Result
		if r.OK() || r.Finished.IsZero() || r.Status.GetCode() != int32(codes.Canceled) || r.Host != host {
			t.Errorf("%+v", r)
		}
	}
	t.Run("queued", func(t *testing.T) {
		id := f.enqueue("acme", listTask())
		cancel(id)
		ended(id, "")
		if got := a.pollID(); got != "" {
			t.Errorf("leased %q", got)
		}
	})
	t.Run("running", func(t *testing.T) {
		id := f.enqueue("acme", listTask())
		a.poll()
		if cancelled, err := a.beat(id); cancelled || err != nil {
			t.Errorf("cancelled %v, %v", cancelled, err)
		}
		cancel(id)
		if cancelled, err := a.beat(id); !cancelled || err != nil {
			t.Errorf("cancelled %v, %v", cancelled, err)
		}
		_, err := a.FinishTask(a.ctx, &batonv1.BatonServiceFinishTaskRequest{HostId: "a", TaskId: id,
			Status:     &status.Status{Code: 1, Message: "cancelled"},
			FinalState: &batonv1.BatonServiceFinishTaskRequest_Error_{Error: &batonv1.BatonServiceFinishTaskRequest_Error{}}})
		wantCode(t, err, codes.OK)
		ended(id, "a")
		cancel(id)
	})
	t.Run("abandoned", func(t *testing.T) {
		id := f.enqueue("acme", listTask())
		a.poll()
		cancel(id)
		f.clock.advance(time.Minute)
		if got := b.pollID(); got != "" {
			t.Errorf("leased %q", got)
		}
		if _, err := f.Store.Expire(t.Context(), f.clock.Now(), 10); err != nil {
			t.Error(err)
		}
		ended(id, "")
	})
	if err := f.Cancel(t.Context(), unknownTask); baton.KindOf(err) != baton.NotFound {
		t.Error(err)
	}
}

func TestGetTasks(t *testing.T) {
	f := newFixture(t)
	a, b := f.pair()
	var ids []string
	for range 4 {
		ids = append(ids, f.enqueue("acme", listTask()))
	}
	get := func(h *host, size uint32, known ...string) (got []string, poll time.Duration) {
		t.Helper()
		answer, err := h.GetTasks(h.ctx, &batonv1.BatonServiceGetTasksRequest{HostId: h.id, PageSize: size, KnownTaskIds: known})
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range answer.GetTasks() {
			got = append(got, task.GetId())
		}
		return got, answer.GetNextPoll().AsDuration()
	}
	if got, poll := get(a, 3); !slices.Equal(got, ids[:3]) || poll != 0 {
		t.Errorf("%v, next poll %v; want %v, at once", got, poll, ids[:3])
	}
	if got, poll := get(a, 3, ids[:3]...); !slices.Equal(got, ids[3:]) || poll != time.Second {
		t.Errorf("%v, next poll %v; want %v, 1s", got, poll, ids[3:])
	}
	f.clock.advance(5 * time.Minute)
	if got, _ := get(a, 3, ids[:3]...); !slices.Equal(got, ids[3:]) {
		t.Errorf("%v; want only the task that the host did not say it has", got)
	}
	if got, _ := get(b, 3, ids[:3]...); len(got) != 0 {
		t.Errorf("%v; want nothing, the other host still has them", got)
	}
}

func TestPollAndHeartbeatTimes(t *testing.T) {
	f := newFixture(t)
	a, _ := f.pair()
	answer, err := a.GetTask(a.ctx, &batonv1.BatonServiceGetTaskRequest{HostId: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if answer.GetTask() != nil || answer.GetNextPoll().AsDuration() != time.Second || answer.GetNextHeartbeat().AsDuration() != 10*time.Second {
		t.Errorf("%v", answer)
	}
}

func TestHeartbeatOfMany(t *testing.T) {
	f := newFixture(t)
	a, b := f.pair()
	mine, cancelled, foreign := f.enqueue("acme", grantTask()), f.enqueue("acme", grantTask()), f.enqueue("acme", grantTask())
	a.poll()
	a.poll()
	b.poll()
	if err := f.Cancel(t.Context(), cancelled); err != nil {
		t.Fatal(err)
	}
	answer, err := a.Heartbeat(a.ctx, &batonv1.BatonServiceHeartbeatRequest{HostId: "a", TaskId: mine, TaskIds: []string{mine, cancelled, foreign, unknownTask}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{cancelled, foreign, unknownTask}; answer.GetCancelled() || !slices.Equal(answer.GetCancelledTaskIds(), want) {
		t.Errorf("%v, want %v cancelled", answer, want)
	}
}

func TestHello(t *testing.T) {
	f := newFixture(t)
	a, b := f.pair()
	id := f.enqueue("acme", &batonv1.Task{TaskType: &batonv1.Task_Hello{Hello: &batonv1.Task_HelloTask{}}})
	wantCode(t, a.hello(""), codes.OK)
	a.poll()
	wantCode(t, b.hello(id), codes.FailedPrecondition)
	wantCode(t, a.hello(id), codes.OK)
	if r, err := f.Wait(t.Context(), id); err != nil || !r.OK() || r.Host != "a" {
		t.Errorf("%+v, %v", r, err)
	}
	hellos := f.Hellos()
	if len(hellos) != 1 || hellos[0].Host != "a" || hellos[0].Connector != "acme" || hellos[0].Count != 2 || hellos[0].Request.GetTaskId() != id {
		t.Errorf("%+v", hellos)
	}
}

func TestResult(t *testing.T) {
	f := newFixture(t)
	a, _ := f.pair()
	annotation, err := anypb.New(&connectorv2.GrantAlreadyExists{})
	if err != nil {
		t.Fatal(err)
	}
	finish := func(r *batonv1.BatonServiceFinishTaskRequest) rpctest.Result {
		t.Helper()
		r.HostId, r.TaskId = "a", f.enqueue("acme", grantTask())
		a.poll()
		if _, err := a.FinishTask(a.ctx, r); err != nil {
			t.Fatal(err)
		}
		result, err := f.Wait(t.Context(), r.GetTaskId())
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	r := finish(&batonv1.BatonServiceFinishTaskRequest{FinalState: &batonv1.BatonServiceFinishTaskRequest_Success_{
		Success: &batonv1.BatonServiceFinishTaskRequest_Success{Annotations: []*anypb.Any{annotation}, Response: annotation}}})
	if !r.OK() || len(r.Annotations) != 1 || r.Response.GetTypeUrl() != annotation.GetTypeUrl() || !r.Finished.Equal(f.clock.Now()) {
		t.Errorf("success: %+v", r)
	}
	failure := &batonv1.BatonServiceFinishTaskRequest_Error_{Error: &batonv1.BatonServiceFinishTaskRequest_Error{NonRetryable: true, Response: annotation}}
	r = finish(&batonv1.BatonServiceFinishTaskRequest{Status: &status.Status{Code: 9, Message: "no"}, FinalState: failure})
	if r.OK() || !r.NonRetryable || r.Status.GetCode() != 9 || r.Status.GetMessage() != "no" || r.Response == nil {
		t.Errorf("failure: %+v", r)
	}
	if r = finish(&batonv1.BatonServiceFinishTaskRequest{FinalState: failure}); r.OK() || r.Status.GetCode() != 2 {
		t.Errorf("failure without a status: %+v", r)
	}
}

func TestEnqueueAndWait(t *testing.T) {
	f := newFixture(t)
	f.issue("acme")
	_, err := f.Enqueue(t.Context(), "nobody", grantTask())
	if baton.KindOf(err) != baton.NotFound {
		t.Errorf("unknown connector: %v", err)
	}
	work := grantTask()
	work.Id = unknownTask
	if id := f.enqueue("acme", work); id != unknownTask {
		t.Errorf("id %q", id)
	}
	if _, err := f.Enqueue(t.Context(), "acme", work); baton.KindOf(err) != baton.AlreadyExists {
		t.Errorf("twice: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Wait(ctx, unknownTask); !errors.Is(err, context.Canceled) || baton.KindOf(err) != baton.Canceled {
		t.Errorf("wait: %v", err)
	}
	if _, err := f.Wait(t.Context(), "nothing"); baton.KindOf(err) != baton.NotFound {
		t.Errorf("wait for nothing: %v", err)
	}
}
