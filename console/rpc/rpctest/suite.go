package rpctest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/segmentio/ksuid"

	"baton"
	"baton/console/rpc"
)

// Connectors are the ids of the connectors that [Suite] uses. A store with a table of connectors
// must contain them. The first two belong to one application.
var Connectors = []string{"acme", "acme-second", "other"}

const (
	acme   = "acme"
	second = "acme-second"
)

// start is the time at which the suite begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// Suite tests an implementation of [rpc.Store]. open returns an empty store that uses the now of
// each call for leases too; it may be one that several processes can share.
func Suite(t *testing.T, open func(t *testing.T) rpc.Store) {
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"Task", (*suite).task},
		{"Order", (*suite).order},
		{"LeaseOfRead", (*suite).leaseOfRead},
		{"LeaseOfWrite", (*suite).leaseOfWrite},
		{"OneSyncAtATime", (*suite).oneSyncAtATime},
		{"OnlyHost", (*suite).onlyHost},
		{"Due", (*suite).due},
		{"KnownTasks", (*suite).knownTasks},
		{"Finish", (*suite).finish},
		{"LateFinish", (*suite).lateFinish},
		{"Fencing", (*suite).fencing},
		{"Cancel", (*suite).cancel},
		{"Requeue", (*suite).requeue},
		{"ExpireLimit", (*suite).expireLimit},
		{"Hello", (*suite).hello},
		{"HelloTask", (*suite).helloTask},
		{"Upload", (*suite).upload},
		{"UploadRefused", (*suite).uploadRefused},
		{"UploadLeaseLost", (*suite).uploadLeaseLost},
		{"UploadDiscarded", (*suite).uploadDiscarded},
		{"Credential", (*suite).credential},
		{"Token", (*suite).token},
		{"Assertion", (*suite).assertion},
		{"Isolation", (*suite).isolation},
		{"ConcurrentLeases", (*suite).concurrentLeases},
		{"ConcurrentSyncs", (*suite).concurrentSyncs},
		{"ConcurrentFinish", (*suite).concurrentFinish},
		{"ConcurrentExpiry", (*suite).concurrentExpiry},
		{"ConcurrentUploads", (*suite).concurrentUploads},
		{"ConcurrentAssertion", (*suite).concurrentAssertion},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(&suite{T: t, Store: open(t), now: start}) })
	}
}

// suite is one test with its store and its time.
type suite struct {
	*testing.T
	rpc.Store
	now time.Time
}

func (s *suite) advance(d time.Duration) { s.now = s.now.Add(d) }

// ok fails the test on an error.
func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// fails fails the test unless the error is of the kind.
func (s *suite) fails(err error, want baton.Kind) {
	s.Helper()
	if err == nil || baton.KindOf(err) != want {
		s.Errorf("the error is %v, want one of kind %v", err, want)
	}
}

// equal compares values, times to the microsecond.
func (s *suite) equal(what string, got, want any) {
	s.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(time.Microsecond), cmpopts.EquateEmpty()); diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func syncWork() rpc.Work   { return rpc.Work{Sync: &rpc.SyncWork{}} }
func listWork() rpc.Work   { return rpc.Work{ListActions: &rpc.ListActionsWork{}} }
func actionWork() rpc.Work { return rpc.Work{RunAction: &rpc.RunActionWork{Name: "disable_user"}} }
func holder(host string, t rpc.Task) rpc.Holder {
	return rpc.Holder{Connector: t.Connector, Host: host, Task: t.ID}
}

// newTask returns a task that was not added.
func (s *suite) newTask(connector string, work rpc.Work) rpc.Task {
	s.Helper()
	t, err := rpc.NewTask(connector, work, s.now)
	s.ok(err)
	return t
}

// add queues a task.
func (s *suite) add(connector string, work rpc.Work, edit ...func(*rpc.Task)) rpc.Task {
	s.Helper()
	t := s.newTask(connector, work)
	for _, e := range edit {
		e(&t)
	}
	s.ok(s.AddTask(s.Context(), s.now, t))
	return t
}

// read returns the stored task.
func (s *suite) read(t rpc.Task) rpc.Task {
	s.Helper()
	got, err := s.Task(s.Context(), t.Connector, t.ID)
	s.ok(err)
	return got
}

// lease leases up to max tasks and returns their ids.
func (s *suite) lease(connector, host string, max int, known ...string) (ids []string, more bool) {
	s.Helper()
	leases, err := s.Lease(s.Context(), s.now, rpc.LeaseRequest{Connector: connector, Host: host, Max: max, Known: known})
	s.ok(err)
	for _, t := range leases.Tasks {
		ids = append(ids, t.ID)
	}
	return ids, leases.More
}

// leases checks which tasks a host gets.
func (s *suite) leases(host string, want ...rpc.Task) {
	s.Helper()
	ids, _ := s.lease(acme, host, 100)
	var wanted []string
	for _, t := range want {
		wanted = append(wanted, t.ID)
	}
	if !slices.Equal(ids, wanted) {
		s.Errorf("host %s leased %v, want %v", host, ids, wanted)
	}
}

// state checks the state of a stored task and returns it.
func (s *suite) state(t rpc.Task, want rpc.State) rpc.Task {
	s.Helper()
	got := s.read(t)
	if got.State != want {
		s.Errorf("task %s is %s, want %s", t.ID, got.State, want)
	}
	return got
}

// expire expires what is due.
func (s *suite) expire() int {
	s.Helper()
	n, err := s.Expire(s.Context(), s.now, 1000)
	s.ok(err)
	return n
}

// fullTask is a task with every field that a store keeps.
func (s *suite) fullTask() rpc.Task {
	t := s.newTask(acme, rpc.Work{Revoke: &rpc.RevokeWork{
		ID: "any \x00 id: of, a grant",
		Entitlement: rpc.Entitlement{ID: "group:g1:member", Slug: "member", DisplayName: "Engineering", Description: "d",
			Purpose: baton.PurposeAssignment, Resource: baton.Resource{ID: baton.ResourceID{Type: "group", ID: "g1"}, DisplayName: "Engineering"}},
		Principal: baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}, Parent: baton.ResourceID{Type: "org", ID: "o"}, DisplayName: "Zoë",
			Status: baton.StatusEnabled, CreatedAt: start, Profile: baton.Profile{"name": "Zoë", "age": 4.5, "admin": true},
			User: &baton.User{Login: "zoe", Emails: []baton.Email{{Address: "zoe@example.com", Primary: true}}}},
	}})
	t.Ref, t.Debug, t.OnlyHost, t.LeaseTime = "operation 17", true, "a", 7*time.Minute
	return t
}

func (s *suite) task() {
	want := s.fullTask()
	s.advance(time.Second)
	s.ok(s.AddTask(s.Context(), s.now, want))
	want.Added = s.now
	s.equal("the task", s.read(want), want)
	s.fails(s.AddTask(s.Context(), s.now, want), baton.AlreadyExists)
	_, err := s.Task(s.Context(), acme, ksuid.New().String())
	s.fails(err, baton.NotFound)

	leases, err := s.Lease(s.Context(), s.now, rpc.LeaseRequest{Connector: acme, Host: "a", Max: 1})
	s.ok(err)
	want = want.LeasedTo("a", s.now)
	s.equal("the leased task", leases.Tasks, []rpc.Task{want})
	s.equal("the stored task", s.read(want), want)
	if until := s.now.Add(7 * time.Minute); !want.Lease.Until.Equal(until) {
		s.Errorf("the lease lasts until %v, want %v", want.Lease.Until, until)
	}

	s.advance(time.Minute)
	result := rpc.Result{Code: 9, Message: "no: ü", NonRetryable: true, Refusal: "policy", Already: true, Gone: true, ReplacedGrant: "g",
		Grants: []rpc.GrantedID{{ID: "i", Entitlement: "e", Principal: baton.ResourceID{Type: "user", ID: "u1"}}},
		Account: &rpc.AccountResult{State: rpc.AccountCreated, Resource: &baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}}, Message: "m",
			InvitationExpires: start, Secrets: []rpc.SealedSecret{{Name: "password", Provider: "baton/jwk/v1", KeyIDs: []string{"k"}, Bytes: []byte{0, 255}}}},
		Action: &rpc.ActionRun{ID: "i", Name: "n", State: rpc.ActionComplete, Values: baton.Profile{"success": true}},
		Actions: []rpc.Action{{Name: "n", Types: []baton.ActionType{baton.ActionAccountDisable},
			Arguments: []rpc.Field{{Name: "user_id", Kind: rpc.StringField, Required: true}}}},
		Other: &rpc.OtherAnswer{Type: "x.Y", Bytes: []byte{0, 1, 255}}}
	got, err := s.Finish(s.Context(), s.now, holder("a", want), result)
	s.ok(err)
	want.State, want.Result = rpc.Finished, result
	want.Result.At, want.Result.Host = s.now, "a"
	s.equal("the finished task", got, want)
	s.equal("the stored task", s.read(want), want)
}

func (s *suite) order() {
	var tasks []rpc.Task
	for range 5 {
		tasks = append(tasks, s.add(acme, listWork()))
	}
	earlier := s.add(acme, listWork(), func(t *rpc.Task) { t.Due = s.now.Add(-time.Hour) })
	want := append([]rpc.Task{earlier}, tasks...)
	for i, t := range want {
		ids, more := s.lease(acme, "a", 1)
		if !slices.Equal(ids, []string{t.ID}) || more != (i < len(want)-1) {
			s.Errorf("lease %d is of %v, more %v; want %s, more %v", i, ids, more, t.ID, i < len(want)-1)
		}
	}
	if ids, more := s.lease(acme, "a", 1); len(ids) != 0 || more {
		s.Errorf("leased %v, more %v", ids, more)
	}
}

func (s *suite) leaseOfRead() {
	t := s.add(acme, listWork())
	s.leases("a", t)
	s.leases("a")
	s.leases("b")
	s.advance(4 * time.Minute)
	got, err := s.Extend(s.Context(), s.now, holder("a", t))
	s.ok(err)
	if want := s.now.Add(rpc.ReadLease); !got.Lease.Until.Equal(want) || got.Heartbeats != 1 || got.Cancelled {
		s.Errorf("after a heartbeat: %+v", got)
	}
	s.equal("the stored task", s.read(t), got)
	s.advance(rpc.ReadLease - time.Microsecond)
	s.leases("b")
	_, err = s.Extend(s.Context(), s.now, holder("b", t))
	s.fails(err, baton.Refused)

	// The lease expires. While no other host has the task, the first one may continue.
	s.advance(time.Microsecond)
	s.expire()
	if _, err := s.Extend(s.Context(), s.now, holder("a", t)); err != nil {
		s.Error(err)
	}
	s.advance(rpc.ReadLease)
	s.expire()
	s.leases("b", t)
	_, err = s.Extend(s.Context(), s.now, holder("a", t))
	s.fails(err, baton.Refused)
	if got := s.read(t); got.Lease.Number != 2 || got.Lease.Host != "b" {
		s.Errorf("the second lease: %+v", got.Lease)
	}
}

func (s *suite) leaseOfWrite() {
	t := s.add(acme, actionWork())
	s.leases("a", t)
	s.advance(rpc.WriteLease - time.Microsecond)
	if n := s.expire(); n != 0 {
		s.Errorf("%d rows changed before the lease ended", n)
	}
	s.state(t, rpc.Leased)
	s.advance(time.Microsecond)
	s.leases("b") // it is unknown whether it was done
	if n := s.expire(); n != 1 {
		s.Errorf("%d rows changed when the lease ended, want 1", n)
	}
	lost := s.state(t, rpc.Lost)
	s.leases("b")
	if lost.Lease.Host != "a" || lost.Lease.Number != 1 {
		s.Errorf("the lost lease: %+v", lost.Lease)
	}
	// Its host reports after all.
	s.advance(time.Hour)
	if _, err := s.Extend(s.Context(), s.now, holder("a", t)); err != nil {
		s.Error(err)
	}
	s.state(t, rpc.Leased)
	_, err := s.Finish(s.Context(), s.now, holder("a", t), rpc.Result{})
	s.ok(err)
	s.state(t, rpc.Finished)
}

func (s *suite) oneSyncAtATime() {
	first, next := s.add(acme, syncWork()), s.add(acme, syncWork())
	list := s.add(acme, listWork())
	foreign := s.add(second, syncWork())
	s.leases("a", first, list)
	s.leases("b")
	if ids, _ := s.lease(second, "a", 100); !slices.Equal(ids, []string{foreign.ID}) {
		s.Errorf("the second connector leased %v", ids)
	}
	for _, t := range []rpc.Task{first, list} {
		_, err := s.Finish(s.Context(), s.now, holder("a", t), rpc.Result{})
		s.ok(err)
	}
	s.leases("b", next)
	// An expired lease does not block the others, and comes first.
	third := s.add(acme, syncWork())
	s.advance(rpc.SyncLease)
	s.leases("a", next)
	_, err := s.Finish(s.Context(), s.now, holder("a", next), rpc.Result{})
	s.ok(err)
	s.leases("a", third)
}

func (s *suite) onlyHost() {
	t := s.add(acme, rpc.Work{ActionStatus: &rpc.ActionStatusWork{ID: "x"}}, func(t *rpc.Task) { t.OnlyHost = "b" })
	if ids, more := s.lease(acme, "a", 1); len(ids) != 0 || more {
		s.Errorf("host a leased %v, more %v", ids, more)
	}
	s.leases("b", t)
}

func (s *suite) due() {
	t := s.add(acme, listWork(), func(t *rpc.Task) { t.Due = s.now.Add(time.Minute) })
	s.leases("a")
	s.advance(time.Minute - time.Microsecond)
	s.leases("a")
	s.advance(time.Microsecond)
	s.leases("a", t)
}

func (s *suite) knownTasks() {
	known, unknown, write := s.add(acme, listWork()), s.add(acme, listWork()), s.add(acme, actionWork())
	s.leases("a", known, unknown, write)
	s.advance(time.Hour)
	s.expire()
	// The host still has two of them, whose leases are renewed. It does not know the third.
	ids, _ := s.lease(acme, "a", 3, known.ID, write.ID)
	if !slices.Equal(ids, []string{unknown.ID}) {
		s.Errorf("leased %v, want %s", ids, unknown.ID)
	}
	if got := s.state(known, rpc.Leased); !got.LeasedAt(s.now) || got.Lease.Number != 1 {
		s.Errorf("the known task: %+v", got.Lease)
	}
	if got := s.state(write, rpc.Leased); !got.LeasedAt(s.now) || got.Lease.Number != 1 {
		s.Errorf("the known write: %+v", got.Lease)
	}
	// A lease that has not expired is unchanged.
	until := s.read(known).Lease.Until
	s.advance(time.Second)
	s.lease(acme, "a", 3, known.ID, write.ID, unknown.ID)
	if got := s.read(known).Lease.Until; !got.Equal(until) {
		s.Errorf("a lease that lasts was moved from %v to %v", until, got)
	}
	// Another host cannot claim them.
	if ids, _ := s.lease(acme, "b", 3, known.ID, unknown.ID, write.ID); len(ids) != 0 {
		s.Errorf("another host leased %v", ids)
	}
	s.advance(time.Hour)
	if ids, _ := s.lease(acme, "b", 3, known.ID, unknown.ID, write.ID); !slices.Equal(ids, []string{known.ID, unknown.ID}) {
		s.Errorf("another host leased %v after the leases ended", ids)
	}
}

func (s *suite) finish() {
	t := s.add(acme, listWork())
	_, err := s.Finish(s.Context(), s.now, holder("a", t), rpc.Result{})
	s.fails(err, baton.Refused) // no host has it
	s.leases("a", t)
	_, err = s.Finish(s.Context(), s.now, holder("b", t), rpc.Result{})
	s.fails(err, baton.Refused)
	s.advance(time.Second)
	got, err := s.Finish(s.Context(), s.now, holder("a", t), rpc.Result{Message: "first"})
	s.ok(err)
	if !got.Result.OK() || got.Result.Host != "a" || !got.Result.At.Equal(s.now) {
		s.Errorf("the result: %+v", got.Result)
	}
	// The host reports again, because it got no response.
	s.advance(time.Second)
	again, err := s.Finish(s.Context(), s.now, holder("a", t), rpc.Result{Message: "second", Code: 2})
	s.ok(err)
	s.equal("the result after another report", again.Result, got.Result)
	_, err = s.Finish(s.Context(), s.now, holder("b", t), rpc.Result{})
	s.fails(err, baton.Refused)
	_, err = s.Extend(s.Context(), s.now, holder("a", t))
	s.fails(err, baton.Refused)
	s.advance(time.Hour)
	s.expire()
	s.leases("a")
	s.equal("the stored result", s.read(t).Result, got.Result)
}

func (s *suite) lateFinish() {
	late, lost := s.add(acme, listWork()), s.add(acme, listWork())
	s.leases("a", late, lost)
	s.advance(rpc.ReadLease)
	_, err := s.Finish(s.Context(), s.now, holder("a", late), rpc.Result{}) // the lease ended, and no other host has it
	s.ok(err)
	s.leases("b", lost)
	_, err = s.Finish(s.Context(), s.now, holder("a", lost), rpc.Result{Message: "late"})
	s.fails(err, baton.Refused)
	_, err = s.Finish(s.Context(), s.now, holder("b", lost), rpc.Result{Message: "in time"})
	s.ok(err)
	_, err = s.Finish(s.Context(), s.now, holder("a", lost), rpc.Result{Message: "late"})
	s.fails(err, baton.Refused)
	if got := s.read(lost); got.Result.Message != "in time" || got.Result.Host != "b" {
		s.Errorf("the result: %+v", got.Result)
	}
}

// fencing leases a task to one host twice, as after a restart.
func (s *suite) fencing() {
	t := s.add(acme, listWork())
	s.leases("a", t)
	s.advance(rpc.ReadLease)
	s.leases("a", t)
	old, current := holder("a", t), holder("a", t)
	old.Number, current.Number = 1, 2
	_, err := s.Extend(s.Context(), s.now, old)
	s.fails(err, baton.Refused)
	_, err = s.Finish(s.Context(), s.now, old, rpc.Result{})
	s.fails(err, baton.Refused)
	if _, err := s.Extend(s.Context(), s.now, current); err != nil {
		s.Error(err)
	}
	_, err = s.Finish(s.Context(), s.now, current, rpc.Result{})
	s.ok(err)
}

func (s *suite) cancel() {
	ctx := s.Context()
	s.fails(s.CancelTask(ctx, s.now, acme, ksuid.New().String()), baton.NotFound)

	queued := s.add(acme, listWork())
	s.ok(s.CancelTask(ctx, s.now, acme, queued.ID))
	if got := s.state(queued, rpc.Finished); got.Outcome() != rpc.Cancelled || got.Result.Host != "" || !got.Result.At.Equal(s.now) {
		s.Errorf("the result of a queued task: %+v", got.Result)
	}
	s.leases("a")

	running := s.add(acme, listWork())
	s.leases("a", running)
	s.ok(s.CancelTask(ctx, s.now, acme, running.ID))
	if got, err := s.Extend(ctx, s.now, holder("a", running)); err != nil || !got.Cancelled {
		s.Errorf("the heartbeat of a cancelled task: %v, cancelled %v", err, got.Cancelled)
	}
	_, err := s.Finish(ctx, s.now, holder("a", running), rpc.Result{Code: 1, Message: "stopped"})
	s.ok(err)
	if got := s.state(running, rpc.Finished); got.Outcome() != rpc.Cancelled || got.Result.Message != "stopped" {
		s.Errorf("the result of a running task: %+v", got.Result)
	}
	s.ok(s.CancelTask(ctx, s.now, acme, running.ID)) // changes nothing
	if got := s.read(running); got.Result.Message != "stopped" {
		s.Errorf("the result after another cancel: %+v", got.Result)
	}

	abandoned := s.add(acme, listWork())
	s.leases("a", abandoned)
	s.ok(s.CancelTask(ctx, s.now, acme, abandoned.ID))
	s.advance(rpc.ReadLease)
	s.leases("b")
	s.expire()
	if got := s.state(abandoned, rpc.Finished); got.Outcome() != rpc.Cancelled || got.Result.Host != "" {
		s.Errorf("the result of an abandoned task: %+v", got.Result)
	}

	lost := s.add(acme, actionWork())
	s.leases("a", lost)
	s.advance(rpc.WriteLease)
	s.expire()
	s.ok(s.CancelTask(ctx, s.now, acme, lost.ID))
	if got := s.state(lost, rpc.Finished); got.Outcome() != rpc.Cancelled {
		s.Errorf("the result of a lost task: %+v", got.Result)
	}
}

func (s *suite) requeue() {
	ctx := s.Context()
	t := s.add(acme, actionWork())
	s.fails(s.RequeueTask(ctx, s.now, acme, t.ID), baton.Refused) // it is queued
	s.leases("a", t)
	s.advance(rpc.WriteLease)
	s.expire()
	s.ok(s.RequeueTask(ctx, s.now, acme, t.ID))
	s.state(t, rpc.Queued)
	_, err := s.Finish(ctx, s.now, holder("a", t), rpc.Result{Message: "late"})
	s.fails(err, baton.Refused)
	_, err = s.Extend(ctx, s.now, holder("a", t))
	s.fails(err, baton.Refused)
	s.leases("b", t)
	if got := s.read(t); got.Lease.Number != 2 {
		s.Errorf("the lease after the task was put back: %+v", got.Lease)
	}
	s.ok(s.RequeueTask(ctx, s.now, acme, t.ID)) // although it is leased
	s.leases("a", t)
	_, err = s.Finish(ctx, s.now, holder("a", t), rpc.Result{})
	s.ok(err)
	s.fails(s.RequeueTask(ctx, s.now, acme, t.ID), baton.Refused)
	s.fails(s.RequeueTask(ctx, s.now, acme, ksuid.New().String()), baton.NotFound)
}

func (s *suite) expireLimit() {
	for range 5 {
		s.add(acme, actionWork())
	}
	s.lease(acme, "a", 100)
	s.advance(rpc.WriteLease)
	for _, want := range []int{2, 2, 1, 0} {
		if n, err := s.Expire(s.Context(), s.now, 2); err != nil || n != want {
			s.Errorf("%d rows changed, %v; want %d", n, err, want)
		}
	}
}

func exampleHello(host string) rpc.Hello {
	return rpc.Hello{Host: host, Build: rpc.Build{Language: "go1.26", Package: "p", Version: "1"}, System: rpc.System{Hostname: "vm", OS: "linux"},
		Connector: rpc.Description{DisplayName: "Acme", Capabilities: []rpc.Capability{rpc.CanSync, "brew_coffee"},
			ResourceTypes: []rpc.TypeDescription{{ID: "user", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true, Capabilities: []rpc.Capability{rpc.CanSync}}},
			AccountFields: []rpc.Field{{Name: "email", Kind: rpc.StringField, Required: true}}, Passwords: []rpc.PasswordKind{rpc.NoPassword}}}
}

func (s *suite) hosts(connector string) []rpc.Host {
	s.Helper()
	hosts, err := s.Hosts(s.Context(), connector)
	s.ok(err)
	return hosts
}

func (s *suite) hello() {
	s.leases("b") // a host that did not say hello is not listed
	s.ok(s.Store.Hello(s.Context(), s.now, acme, exampleHello("b")))
	s.ok(s.Store.Hello(s.Context(), s.now, acme, exampleHello("a")))
	first := s.now
	s.advance(time.Hour)
	renewed := exampleHello("b")
	renewed.Build.Version = "2"
	s.ok(s.Store.Hello(s.Context(), s.now, acme, renewed))
	s.equal("the hosts", s.hosts(acme), []rpc.Host{
		{Connector: acme, ID: "a", First: first, Last: first, Seen: first, Hellos: 1, Hello: exampleHello("a")},
		{Connector: acme, ID: "b", First: first, Last: s.now, Seen: s.now, Hellos: 2, Hello: renewed},
	})
	// A host that asks for tasks was seen.
	s.advance(10 * time.Minute)
	s.leases("a")
	if got := s.hosts(acme)[0]; !got.Seen.Equal(s.now) || !got.Last.Equal(first) {
		s.Errorf("host a was seen %v, want %v; its last hello %v, want %v", got.Seen, s.now, got.Last, first)
	}
	seen := s.now
	s.advance(30 * time.Second)
	s.leases("a")
	if got := s.hosts(acme)[0]; got.Seen.Before(seen) {
		s.Errorf("host a was seen %v, and before that %v", got.Seen, seen)
	}
	s.advance(time.Minute)
	s.leases("a")
	if got := s.hosts(acme)[0]; s.now.Sub(got.Seen) > time.Minute {
		s.Errorf("host a was seen %v, and it is %v", got.Seen, s.now)
	}
}

func (s *suite) helloTask() {
	t := s.add(acme, rpc.Work{Hello: &rpc.HelloWork{}})
	h := exampleHello("a")
	h.Task = t.ID
	s.fails(s.Store.Hello(s.Context(), s.now, acme, h), baton.Refused) // no host has it
	if hosts := s.hosts(acme); len(hosts) != 0 {
		s.Errorf("a refused hello was recorded: %+v", hosts)
	}
	s.leases("a", t)
	s.ok(s.Store.Hello(s.Context(), s.now, acme, h))
	if got := s.state(t, rpc.Finished); !got.Result.OK() || got.Result.Host != "a" {
		s.Errorf("the result: %+v", got.Result)
	}
	s.ok(s.Store.Hello(s.Context(), s.now, acme, h)) // the response was lost
	if hosts := s.hosts(acme); len(hosts) != 1 || hosts[0].Hellos != 2 {
		s.Errorf("the hosts: %+v", hosts)
	}
}

func (s *suite) isolation() {
	ctx := s.Context()
	mine := s.add(acme, syncWork())
	s.leases("a", mine)
	sent := s.send(mine, "a", "C1ZF\x00 content")
	s.ok(s.Store.Hello(ctx, s.now, acme, exampleHello("a")))
	for _, connector := range Connectors[1:] {
		s.Run(connector, func(t *testing.T) {
			o := &suite{T: t, Store: s.Store, now: s.now}
			foreign := holder("a", mine)
			foreign.Connector = connector
			if ids, more := o.lease(connector, "a", 10, mine.ID); len(ids) != 0 || more {
				o.Errorf("leased %v, more %v", ids, more)
			}
			_, err := o.Task(ctx, connector, mine.ID)
			o.fails(err, baton.NotFound)
			_, err = o.Extend(ctx, o.now, foreign)
			o.fails(err, baton.NotFound)
			_, err = o.Finish(ctx, o.now, foreign, rpc.Result{})
			o.fails(err, baton.NotFound)
			hello := exampleHello("a")
			hello.Task = mine.ID
			o.fails(o.Store.Hello(ctx, o.now, connector, hello), baton.NotFound)
			_, err = o.BeginUpload(ctx, o.now, ksuid.New().String(), foreign, rpc.SyncFile)
			o.fails(err, baton.NotFound)
			_, err = o.UploadChunk(ctx, connector, sent.ID, 0)
			o.fails(err, baton.NotFound)
			_, err = o.Uploads(ctx, connector, mine.ID)
			o.fails(err, baton.NotFound)
			o.fails(o.CancelTask(ctx, o.now, connector, mine.ID), baton.NotFound)
			o.fails(o.RequeueTask(ctx, o.now, connector, mine.ID), baton.NotFound)
			if hosts := o.hosts(connector); len(hosts) != 0 {
				o.Errorf("it sees hosts %+v", hosts)
			}
		})
	}
	s.state(mine, rpc.Leased)
}

// together runs fn n times at once and waits for all.
func together(n int, fn func(i int)) {
	var group sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-begin
			fn(i)
		})
	}
	close(begin)
	group.Wait()
}

const workers = 8

func (s *suite) concurrentLeases() {
	want := map[string]int{}
	for range 100 {
		want[s.add(acme, listWork()).ID] = 1
	}
	var mu sync.Mutex
	got := map[string]int{}
	together(workers, func(i int) {
		for {
			leases, err := s.Lease(s.Context(), s.now, rpc.LeaseRequest{Connector: acme, Host: fmt.Sprint("h", i%3), Max: 1 + i%3})
			if err != nil {
				s.Error(err)
				return
			}
			mu.Lock()
			for _, t := range leases.Tasks {
				got[t.ID]++
			}
			done := len(got) == len(want)
			mu.Unlock()
			if done || len(leases.Tasks) == 0 && !leases.More {
				return
			}
		}
	})
	s.equal("how often each task was leased", got, want)
}

func (s *suite) concurrentSyncs() {
	for range 3 * workers {
		s.add(acme, syncWork())
	}
	var mu sync.Mutex
	leased, finished := 0, 0
	together(workers, func(i int) {
		host := fmt.Sprint("h", i)
		for range 20 {
			leases, err := s.Lease(s.Context(), s.now, rpc.LeaseRequest{Connector: acme, Host: host, Max: 2})
			if err != nil {
				s.Error(err)
				return
			}
			for _, t := range leases.Tasks {
				mu.Lock()
				leased++
				if finished++; leased > 1 {
					s.Errorf("%d syncs are leased at once", leased)
				}
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				leased--
				mu.Unlock()
				if _, err := s.Finish(s.Context(), s.now, holder(host, t), rpc.Result{}); err != nil {
					s.Error(err)
				}
			}
			if len(leases.Tasks) > 1 {
				s.Errorf("one host leased %d syncs", len(leases.Tasks))
			}
		}
	})
	if finished == 0 {
		s.Error("no sync was leased")
	}
}

func (s *suite) concurrentFinish() {
	for range 10 {
		t := s.add(acme, listWork())
		s.leases("a", t)
		var mu sync.Mutex
		seen := map[string]bool{}
		together(workers, func(i int) {
			got, err := s.Finish(s.Context(), s.now, holder("a", t), rpc.Result{Message: fmt.Sprint(i)})
			if err != nil {
				s.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[got.Result.Message] = true
		})
		if stored := s.read(t).Result.Message; len(seen) != 1 || !seen[stored] {
			s.Errorf("results %v were reported as recorded, and %q is stored", seen, stored)
		}
	}
}

// concurrentExpiry lets a lease expire while its host reports and other hosts ask.
func (s *suite) concurrentExpiry() {
	for range 10 {
		t := s.add(acme, listWork())
		s.leases("a", t)
		s.advance(rpc.ReadLease)
		var mu sync.Mutex
		var leasedBy []string
		var finish error
		together(workers, func(i int) {
			switch i {
			case 0:
				_, err := s.Finish(s.Context(), s.now, holder("a", t), rpc.Result{Message: "late"})
				mu.Lock()
				defer mu.Unlock()
				finish = err
			case 1:
				if _, err := s.Expire(s.Context(), s.now, 10); err != nil {
					s.Error(err)
				}
			default:
				host := fmt.Sprint("h", i)
				leases, err := s.Lease(s.Context(), s.now, rpc.LeaseRequest{Connector: acme, Host: host, Max: 1})
				if err != nil {
					s.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if len(leases.Tasks) > 0 {
					leasedBy = append(leasedBy, host)
				}
			}
		})
		got := s.read(t)
		switch {
		case finish == nil && len(leasedBy) == 0 && got.State == rpc.Finished: // the report came first
		case baton.KindOf(finish) == baton.Refused && len(leasedBy) == 1 && got.State == rpc.Leased && got.Lease.Host == leasedBy[0]:
			_, err := s.Finish(s.Context(), s.now, holder(leasedBy[0], t), rpc.Result{})
			s.ok(err)
		default:
			s.Errorf("finish says %v, the task was leased by %v, and is %s of %s", finish, leasedBy, got.State, got.Lease.Host)
		}
	}
}
