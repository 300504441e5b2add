package worker

import (
	"crypto/sha256"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/ksuid"
	"google.golang.org/grpc/codes"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// upstream is an application with accounts and groups, as a connector reads it.
type upstream struct {
	accounts map[string]baton.Status
	members  map[string][]string
	// only limits a file to these groups, for a targeted sync.
	only []string
}

func (u upstream) file(t *testing.T, began time.Time) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sync.c1z")
	kind := c1z.Full
	if u.only != nil {
		kind = c1z.Partial
	}
	w, err := writer.Create(path, writer.Options{SyncID: ksuid.New().String(), SyncType: kind, Started: began})
	if err != nil {
		t.Fatal(err)
	}
	add := func(r writer.Row, err error) {
		t.Helper()
		if err == nil {
			err = w.Add(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	add(writer.ResourceTypeRow(user))
	add(writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}))
	if u.only == nil {
		for _, id := range slices.Sorted(maps.Keys(u.accounts)) {
			add(writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: id, Status: u.accounts[id],
				User: &baton.User{Login: id + "@example.test", Emails: []baton.Email{{Address: id + "@example.test", Primary: true}}}}))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.members)) {
		if u.only != nil && !slices.Contains(u.only, name) {
			continue
		}
		group := baton.ResourceID{Type: "group", ID: name}
		member := baton.EntitlementID{Resource: group, Slug: "member"}
		add(writer.ResourceRow(baton.Resource{ID: group, DisplayName: name, Group: &baton.Group{}}))
		add(writer.EntitlementRow(baton.Entitlement{ID: member, DisplayName: name + " member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
		for _, m := range u.members[name] {
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: baton.ResourceID{Type: "user", ID: m}}}))
		}
	}
	if _, err := w.Seal(t.Context(), began); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// course is a world with an upstream that its host reads and changes.
type course struct {
	*world
	up      upstream
	changes int // number of changes upstream
}

func newCourse(x *world) *course {
	c := &course{world: x, up: upstream{accounts: map[string]baton.Status{"ana": 1, "ben": 1, "cem": 1, "dan": 1}, members: map[string][]string{"admins": {"ana", "ben"}, "staff": {"cem"}}}}
	c.sync()
	return c
}

func (c *course) advance(d time.Duration) { c.now = c.now.Add(d) }

// hello introduces the host with the capabilities of a connector.
func (c *course) hello(targeted bool, capabilities ...rpc.Capability) {
	c.t.Helper()
	group := rpc.TypeDescription{ID: "group", Capabilities: []rpc.Capability{rpc.CanSync, rpc.CanProvision}}
	d := rpc.Description{DisplayName: "Test", Capabilities: append([]rpc.Capability{rpc.CanSync}, capabilities...)}
	if targeted {
		group.Capabilities = append(group.Capabilities, rpc.CanSyncTargeted)
		d.Capabilities = append(d.Capabilities, rpc.CanSyncTargetedByTask)
	}
	d.ResourceTypes = []rpc.TypeDescription{{ID: "user", Capabilities: []rpc.Capability{rpc.CanSync, rpc.CanCreateAccounts}}, group}
	d.AccountFields = []rpc.Field{{Name: "display_name", Kind: rpc.StringField, Required: true}}
	if err := c.tasks.Hello(c.t.Context(), c.now, string(c.connector.ID), rpc.Hello{Host: "host", Connector: d}); err != nil {
		c.t.Fatal(err)
	}
}

// sync makes the connector sync now.
func (c *course) sync() {
	c.t.Helper()
	c.advance(time.Second)
	c.update(func(tx *store.Tx) error { return tx.ScheduleSync(c.connector, c.now) })
	c.work()
	for _, task := range c.lease() {
		if task.Work.Sync != nil {
			c.answerSync(task)
			return
		}
	}
	c.t.Fatal("no sync was handed out")
}

// answerSync uploads the content of the upstream for a sync task, and applies it.
func (c *course) answerSync(task rpc.Task) {
	c.t.Helper()
	c.advance(time.Second)
	u := c.up
	for _, r := range task.Work.Sync.Resources {
		u.only = append(u.only, r.ID)
	}
	data := u.file(c.t, task.Lease.Since)
	id := ksuid.New().String()
	h := rpc.Holder{Connector: task.Connector, Host: "host", Task: task.ID}
	_, err := c.tasks.BeginUpload(c.t.Context(), c.now, id, h, rpc.SyncFile)
	if err == nil {
		err = c.tasks.AppendUpload(c.t.Context(), c.now, id, 0, data)
	}
	if err == nil {
		_, err = c.tasks.FinishUpload(c.t.Context(), c.now, id, int64(len(data)), sha256.Sum256(data))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.finish(task, rpc.Result{})
	c.work() // records the file
	c.work() // applies it
	c.quiet()
}

// carryOut makes the change of a task upstream.
func (c *course) carryOut(task rpc.Task) {
	c.t.Helper()
	change := func(group, id string, add bool) {
		c.changes++
		c.up.members[group] = slices.DeleteFunc(slices.Clone(c.up.members[group]), func(m string) bool { return m == id })
		if add {
			c.up.members[group] = append(c.up.members[group], id)
		}
	}
	switch w := task.Work; {
	case w.Grant != nil:
		change(w.Grant.Entitlement.Resource.ID.ID, w.Grant.Principal.ID.ID, true)
	case w.Revoke != nil:
		change(w.Revoke.Entitlement.Resource.ID.ID, w.Revoke.Principal.ID.ID, false)
	default:
		c.t.Fatalf("%+v", task)
	}
}

func (c *course) member(group string) (key console.EntitlementKey) {
	c.t.Helper()
	err := c.s.View(c.t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(c.app, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:"+group+":member")
		key = e.Key
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return key
}

func (c *course) account(id string) (key console.ResourceKey) {
	c.t.Helper()
	err := c.s.View(c.t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(c.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", id)
		key = r.Key
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return key
}

func (c *course) op(id, group string, verb console.Verb) console.Operation {
	o := console.Operation{App: c.app, Connector: c.connector.ID, Account: c.account(id), Verb: verb,
		Cause: console.Cause{Kind: console.CauseApproval, Ref: "request", Evidence: console.EvidenceDecision}}
	if group != "" {
		o.Entitlement = c.member(group)
	}
	return o
}

func (c *course) create(o console.Operation) (created console.Operation) {
	c.t.Helper()
	c.update(func(tx *store.Tx) (err error) {
		created, err = tx.CreateOperation(o, store.Circumstances{})
		return err
	})
	return created
}

func (c *course) get(id console.ID) (o console.Operation) {
	c.t.Helper()
	if err := c.s.View(c.t.Context(), func(tx *store.Tx) (err error) {
		o, err = tx.Operation(id)
		return err
	}); err != nil {
		c.t.Fatal(err)
	}
	return o
}

// finish reports the end of a task, and lets a second pass.
func (c *course) finish(task rpc.Task, r rpc.Result) {
	c.t.Helper()
	c.world.finish(task, r)
	c.advance(time.Second)
}

// quiet fails the test if the worker logged an error.
func (c *course) quiet() {
	c.t.Helper()
	if c.log.Len() > 0 && strings.Contains(c.log.String(), "level=ERROR") {
		c.t.Errorf("the log says: %s", &c.log)
		c.log.Reset()
	}
}

func (c *course) want(step string, id console.ID, state console.OperationState) console.Operation {
	c.t.Helper()
	o := c.get(id)
	if o.State != state {
		c.t.Errorf("%s: the operation is %s, want %s; %s", step, o.State, state, o.Answer)
	}
	return o
}

// take leases the only expected task.
func (c *course) take(step string) rpc.Task {
	c.t.Helper()
	got := c.lease()
	if len(got) == 0 { // the host may be told to ask again at once
		got = c.lease()
	}
	if len(got) != 1 {
		c.t.Fatalf("%s: %d tasks: %+v", step, len(got), got)
	}
	return got[0]
}

func (c *course) nothing(step string) {
	c.t.Helper()
	var l rpc.Leases
	var err error
	for range 2 { // the host may be told once to ask again at once
		if l, err = c.tasks.Lease(c.t.Context(), c.now, rpc.LeaseRequest{Connector: string(c.connector.ID), Host: "host", Max: 9}); err != nil || len(l.Tasks) > 0 {
			break
		}
	}
	if err != nil || len(l.Tasks) != 0 || l.More {
		c.t.Errorf("%s: %+v, %v", step, l, err)
	}
}

// expireLeases expires overdue leases.
func (c *course) expireLeases() {
	c.t.Helper()
	if _, err := c.tasks.Expire(c.t.Context(), c.now, 100); err != nil {
		c.t.Fatal(err)
	}
}

// TestOperationCourse follows a grant from its cause to its verification: a sync that was dispatched
// before the answer proves nothing.
func TestOperationCourse(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		c.hello(false)
		o := c.create(c.op("dan", "staff", console.Grant))
		early := c.earlySync()
		task := c.take("the grant")
		g := task.Work.Grant
		if g == nil || g.Principal.ID != (baton.ResourceID{Type: "user", ID: "dan"}) || g.Entitlement.ID != "group:staff:member" || g.Principal.User.Login != "dan@example.test" {
			t.Fatalf("%+v", task.Work)
		}
		if got := c.want("handed out", o.ID, console.Dispatched); got.Task != console.ID(task.ID) || !got.LeaseUntil.Equal(task.Lease.Until) || got.Attempt != 1 {
			t.Errorf("%+v", got)
		}
		c.carryOut(task)
		c.advance(time.Second)
		c.finish(task, rpc.Result{})
		c.want("answered", o.ID, console.Applied)
		c.finish(task, rpc.Result{Code: 13}) // the host reports again
		c.want("answered again", o.ID, console.Applied)
		c.answerSync(early)
		c.want("a sync that was handed out before", o.ID, console.Applied)
		c.work()
		c.answerSync(c.take("the sync that proves it"))
		c.want("proved", o.ID, console.Verified)
		c.nothing("it is over")
		if c.changes != 1 {
			t.Errorf("%d changes upstream", c.changes)
		}
	})
}

// earlySync leases a sync without answering it. Operations are delayed, because a host gets them
// first.
func (c *course) earlySync() rpc.Task {
	c.t.Helper()
	c.advance(time.Second)
	c.update(func(tx *store.Tx) error { return tx.ScheduleSync(c.connector, c.now) })
	c.work()
	c.pauseWrites(true)
	task := c.take("a sync")
	c.pauseWrites(false)
	return task
}

func (c *course) pauseWrites(paused bool) {
	c.t.Helper()
	c.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{Writes: paused}) })
}

// TestUndone detects that an applied change did not happen, by a sync that is handed out when caches have settled.
func TestUndone(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		o := c.create(c.op("dan", "staff", console.Grant))
		c.finish(c.take("the grant"), rpc.Result{})
		c.settle("the grant", o.ID, console.Applied)
		c.answerSync(c.take("the second sync"))
		c.want("the second sync does not show it either", o.ID, console.Contradicted)
		c.nothing("nothing is repeated by itself")
	})
}

// settle answers the sync that follows a change with the state before it, and waits until another one is due.
func (c *course) settle(what string, id console.ID, want console.OperationState) {
	c.t.Helper()
	c.advance(time.Second)
	c.work()
	c.answerSync(c.take("the sync after " + what))
	c.want("it does not show "+what, id, want)
	c.advance(console.SettleTime / 2)
	c.work()
	c.nothing("it is too early for another sync")
	c.advance(console.SettleTime)
	c.work()
}

// TestStaleRead does not take a change for undone because the sync right after it shows the state before.
// Official connectors answer such a sync from a cache of HTTP answers, if they read the group for the change.
func TestStaleRead(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		o := c.create(c.op("cem", "staff", console.Revoke))
		c.finish(c.take("the removal"), rpc.Result{})
		c.settle("the removal", o.ID, console.Applied)
		c.up.members["staff"] = nil
		c.answerSync(c.take("the second sync"))
		c.want("the second sync shows it", o.ID, console.Verified)
		c.nothing("it is over")
	})
}

// TestLostAnswer loses the answer to a grant: a sync finds the change, and it is not made again.
func TestLostAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		o := c.create(c.op("dan", "staff", console.Grant))
		c.carryOut(c.take("the grant"))
		c.advance(console.UnknownAfter)
		c.work()
		c.want("two minutes later", o.ID, console.Unknown)
		c.nothing("nothing is sent again")
		c.advance(console.AskAfter - console.UnknownAfter)
		c.work()
		c.answerSync(c.take("a sync is asked for"))
		c.want("the sync shows it", o.ID, console.Verified)
		c.advance(time.Hour)
		c.expireLeases()
		if got := c.get(o.ID); got.State != console.Verified || c.changes != 1 {
			t.Errorf("%s, %d changes", got.State, c.changes)
		}
	})
}

// TestNoAnswer loses a task before the change: it is only sent again when its lease has expired and
// a later sync shows that the change did not happen.
func TestNoAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		o := c.create(c.op("dan", "staff", console.Grant))
		lost := c.take("the grant")
		c.advance(console.AskAfter + time.Second)
		c.work()
		c.work() // it was unknown first
		c.answerSync(c.take("a sync is asked for"))
		c.want("absent, but it may still be made", o.ID, console.Unknown)
		c.advance(rpc.WriteLease)
		c.expireLeases()
		c.want("the lease has ended", o.ID, console.Unknown)
		c.nothing("not sent again unseen")
		c.work()
		c.answerSync(c.take("a sync after the lease"))
		c.want("it was not done", o.ID, console.Queued)
		again := c.take("the second task")
		if again.ID == lost.ID || again.Work.Grant == nil {
			t.Fatalf("%+v", again)
		}
		c.carryOut(again)
		c.finish(lost, rpc.Result{Code: 13, Message: "late"}) // changes nothing
		c.want("a late answer to the first task", o.ID, console.Dispatched)
		c.advance(time.Second)
		c.finish(again, rpc.Result{Already: true})
		c.work()
		c.answerSync(c.take("the proof"))
		if got := c.want("in the end", o.ID, console.Verified); got.Attempt != 2 {
			t.Errorf("%+v", got)
		}
	})
}

// TestHeartbeatsOfWrites keeps an operation from becoming unknown while its host works on it.
func TestHeartbeatsOfWrites(t *testing.T) {
	c := newCourse(newWorld(t))
	o := c.create(c.op("dan", "staff", console.Grant))
	task := c.take("the grant")
	for range 10 {
		c.advance(time.Minute)
		if _, err := c.tasks.Extend(t.Context(), c.now, rpc.Holder{Connector: task.Connector, Host: "host", Task: task.ID}); err != nil {
			t.Fatal(err)
		}
		c.work()
		c.want("with heartbeats", o.ID, console.Dispatched)
	}
	if got := c.get(o.ID); !got.LeaseUntil.Equal(c.now.Add(console.WriteLease)) {
		t.Errorf("lease until %v", got.LeaseUntil)
	}
	c.advance(console.UnknownAfter)
	c.work()
	c.want("without", o.ID, console.Unknown)
}

// TestRetries dispatches an operation again after temporary failures, with increasing delays and a
// limit.
func TestRetries(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		o := c.create(c.op("dan", "staff", console.Grant))
		for attempt := 1; attempt <= console.MaxAttempts; attempt++ {
			c.finish(c.take("a task"), rpc.Result{Code: uint32(codes.Unavailable), Message: "503", NonRetryable: true})
			if attempt == console.MaxAttempts {
				break
			}
			got := c.want("between", o.ID, console.Queued)
			if want := c.now.Add(console.RetryAfter(attempt) - time.Second); !got.NotBefore.Equal(want) {
				t.Errorf("attempt %d: again at %v, want %v", attempt, got.NotBefore, want)
			}
			c.nothing("too early")
			c.now = got.NotBefore
		}
		if got := c.want("often enough", o.ID, console.Manual); got.Answer != "The connector could not do it: 503" || got.Attempt != console.MaxAttempts {
			t.Errorf("%+v", got)
		}
		c.nothing("it failed")
		// A person may retry.
		c.update(func(tx *store.Tx) error { return tx.RetryOperation(o.ID, time.Time{}) })
		c.finish(c.take("by a person"), rpc.Result{Code: uint32(codes.NotFound), Message: "404", NonRetryable: true})
		c.want("what does not pass stops", o.ID, console.Manual)
	})
}

// TestAnswers maps the answers of connectors to the states of an operation.
func TestAnswers(t *testing.T) {
	c := newCourse(newWorld(t))
	for name, tt := range map[string]struct {
		r    rpc.Result
		want console.OperationState
	}{
		"done":             {rpc.Result{}, console.Applied},
		"already":          {rpc.Result{Already: true}, console.Applied},
		"refused":          {rpc.Result{Code: 9, Message: "grant failed", Refusal: "not allowed", NonRetryable: true}, console.Declined},
		"a guard of its":   {rpc.Result{Code: 9, Message: "it would leave no admin", NonRetryable: true}, console.Declined},
		"provisioning off": {rpc.Result{Code: 9, Message: "task failed: provisioning is not enabled for this connector", NonRetryable: true}, console.Manual},
		"switched off":     {rpc.Result{Code: 9, Message: "provisioning is switched off, so this connector changes nothing", NonRetryable: true}, console.Manual},
		"cannot":           {rpc.Result{Code: 12, Message: "no provisioner", NonRetryable: true}, console.Manual},
		"forbidden":        {rpc.Result{Code: 7, Message: "403", NonRetryable: true}, console.Manual},
		"shutting down":    {rpc.Result{Code: 1, Message: "shutting down"}, console.Queued},
		"rate limit":       {rpc.Result{Code: 8, Message: "429", NonRetryable: true}, console.Queued},
	} {
		o := c.create(c.op("dan", "staff", console.Grant))
		if o.State != console.Queued {
			t.Fatalf("%s: %+v", name, o)
		}
		c.finish(c.take(name), tt.r)
		got := c.want(name, o.ID, tt.want)
		if tt.r.Code != 0 && got.Answer == "" {
			t.Errorf("%s: no words", name)
		}
		// Ended, so that the next one can begin.
		c.update(func(tx *store.Tx) error {
			switch got.State {
			case console.Queued, console.Manual:
				return tx.CancelOperation(o.ID, "test")
			case console.Applied:
				return tx.JudgeOperation(o.ID, console.Verifies, 1)
			}
			return nil
		})
	}
}

// TestManual assigns an operation to a person if the connector cannot make the change. Only a sync
// verifies it.
func TestManual(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		d := rpc.Description{DisplayName: "Reader", ResourceTypes: []rpc.TypeDescription{{ID: "group", Capabilities: []rpc.Capability{rpc.CanSync}}}}
		if err := c.tasks.Hello(t.Context(), c.now, string(c.connector.ID), rpc.Hello{Host: "host", Connector: d}); err != nil {
			t.Fatal(err)
		}
		o := c.create(c.op("dan", "staff", console.Grant))
		c.nothing("it cannot be sent")
		if got := c.want("it cannot be sent", o.ID, console.Manual); !strings.Contains(got.Answer, `"group"`) {
			t.Errorf("%q", got.Answer)
		}
		if same := c.create(c.op("dan", "staff", console.Grant)); same.ID != o.ID {
			t.Error("a second one beside it")
		}
		c.sync()
		c.want("a sync does not show it", o.ID, console.Manual)
		c.advance(time.Second)
		c.update(func(tx *store.Tx) error { return tx.DoneByHand(o.ID, "in the admin console") })
		c.want("somebody says so", o.ID, console.Applied)
		c.advance(time.Second)
		c.work()
		c.up.members["staff"] = append(c.up.members["staff"], "dan")
		c.answerSync(c.take("the proof"))
		c.want("a sync shows it", o.ID, console.Verified)

		// Done manually, but not reported.
		o = c.create(c.op("ben", "staff", console.Grant))
		c.nothing("it cannot be sent")
		c.up.members["staff"] = append(c.up.members["staff"], "ben")
		c.sync()
		c.want("a sync shows it", o.ID, console.Verified)

		// Reported as done manually, but not done.
		o = c.create(c.op("ana", "staff", console.Grant))
		c.nothing("it cannot be sent")
		c.update(func(tx *store.Tx) error { return tx.DoneByHand(o.ID, "done") })
		c.settle("what was reported", o.ID, console.Applied)
		c.answerSync(c.take("the proof"))
		c.want("a sync does not show it", o.ID, console.Contradicted)
	})
}

// TestNotNow delays operations while writes or the connector are paused, and while a sync is held:
// hosts are not told to ask again at once.
func TestNotNow(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		o := c.create(c.op("dan", "staff", console.Grant))
		c.pauseWrites(true)
		c.nothing("writes are paused")
		c.pauseWrites(false)
		connector := func(paused bool) {
			c.update(func(tx *store.Tx) error {
				con, err := tx.Connector(c.connector.ID)
				con.Paused = paused
				if err != nil {
					return err
				}
				if err := tx.ChangeConnector(con); err != nil {
					return err
				}
				return tx.RemoveDue(console.DueSync, string(con.ID))
			})
		}
		connector(true)
		c.nothing("the connector is paused")
		connector(false)
		var held console.ID
		c.update(func(tx *store.Tx) (err error) {
			held, err = tx.ReceiveSync(console.Sync{Connector: c.connector.ID, Kind: console.SyncFull, Began: c.now, Dispatched: c.now})
			return err
		})
		st, err := c.s.BeginSync(t.Context(), console.By{At: c.now, Actor: console.Console}, held)
		if err == nil {
			err = st.Hold(t.Context(), console.By{At: c.now, Actor: console.Console}, []console.Hold{{Kind: console.HoldShrink}})
		}
		if err != nil {
			t.Fatal(err)
		}
		c.nothing("a sync is held")
		c.want("it waits", o.ID, console.Queued)
		// A person may still disable an account.
		c.hello(false, rpc.CanRunActions)
		c.listActions()
		disable := c.op("cem", "", console.Revoke)
		disable.Cause = console.Cause{Kind: console.CauseManual, Evidence: console.EvidenceDecision}
		machine := c.create(c.op("ben", "", console.Revoke))
		var byHand console.Operation
		if err := c.s.Update(t.Context(), console.By{At: c.now, Actor: console.ByPerson("somebody")}, func(tx *store.Tx) (err error) {
			byHand, err = tx.CreateOperation(disable, store.Circumstances{ByHand: true})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if task := c.take("the disable by hand"); task.Work.RunAction == nil || task.Work.RunAction.Arguments["user_id"] != "cem" {
			t.Errorf("%+v", task)
		}
		c.want("by hand", byHand.ID, console.Dispatched)
		c.want("by machine", machine.ID, console.Queued)
	})
}

// listActions makes the host report the actions of its connector.
func (c *course) listActions() {
	c.t.Helper()
	c.update(func(tx *store.Tx) error { return askActions(tx, c.connector.ID) })
	for _, task := range c.lease() {
		if task.Work.ListActions != nil {
			c.offer(task)
			return
		}
	}
	c.t.Fatal("the host was not asked for its actions")
}

// offer answers the question for actions.
func (c *course) offer(task rpc.Task) {
	c.t.Helper()
	if task.Work.ListActions == nil {
		c.t.Fatalf("%+v", task.Work)
	}
	id := []rpc.Field{{Name: "user_id", Kind: rpc.StringField, Required: true}}
	c.finish(task, rpc.Result{Actions: []rpc.Action{
		{Name: "disable_user", Types: []baton.ActionType{baton.ActionAccountDisable}, Arguments: id},
		{Name: "enable_user", Types: []baton.ActionType{baton.ActionAccountEnable}, Arguments: id},
	}})
}

// TestRunningAction polls only the host that runs an action, until it ends.
func TestRunningAction(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		c.hello(false, rpc.CanRunActions)
		o := c.create(c.op("dan", "", console.Revoke))
		c.listed(o)
		task := c.take("the action")
		if task.Work.RunAction == nil || task.Work.RunAction.Name != "disable_user" {
			t.Fatalf("%+v", task.Work)
		}
		c.finish(task, rpc.Result{Action: &rpc.ActionRun{ID: "run", State: rpc.ActionRunning}})
		c.want("it is running", o.ID, console.Dispatched)
		for range 3 {
			c.advance(time.Minute)
			c.work()
			l, err := c.tasks.Lease(t.Context(), c.now, rpc.LeaseRequest{Connector: string(c.connector.ID), Host: "another", Max: 9})
			if err != nil || len(l.Tasks) != 0 {
				t.Fatalf("another host is asked: %+v, %v", l, err)
			}
			status := c.take("a question")
			if status.Work.ActionStatus == nil || status.Work.ActionStatus.ID != "run" || status.Work.ActionStatus.Name != "disable_user" {
				t.Fatalf("%+v", status.Work)
			}
			c.finish(status, rpc.Result{Action: &rpc.ActionRun{ID: "run", Name: "disable_user", State: rpc.ActionRunning}})
			c.want("it is running", o.ID, console.Dispatched)
		}
		c.advance(time.Minute)
		c.finish(c.take("a question"), rpc.Result{Action: &rpc.ActionRun{ID: "run", State: rpc.ActionComplete, Values: baton.Profile{"message": "disabled dan"}}})
		if got := c.want("it ended", o.ID, console.Applied); got.Answer != "disabled dan" {
			t.Errorf("%q", got.Answer)
		}
		c.advance(time.Second)
		c.work()
		c.up.accounts["dan"] = baton.StatusDisabled
		c.answerSync(c.take("the proof"))
		c.want("proved", o.ID, console.Verified)
	})
}

// listed answers the question for actions that an operation waits for.
func (c *course) listed(o console.Operation) {
	c.t.Helper()
	task := c.take("the question which actions there are")
	c.want("until the actions are known", o.ID, console.Queued)
	c.nothing("until the actions are known")
	c.offer(task)
}

// TestTargetedProof reads the one group that changed. The removal of its last member needs a full
// sync, which follows at once.
func TestTargetedProof(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		c.hello(true)
		o := c.create(c.op("dan", "staff", console.Grant))
		task := c.take("the grant")
		c.carryOut(task)
		c.advance(time.Second)
		c.finish(task, rpc.Result{})
		c.work()
		proof := c.take("the proof")
		if got := proof.Work.Sync; got == nil || !slices.Equal(got.Resources, []baton.ResourceID{{Type: "group", ID: "staff"}}) {
			t.Fatalf("%+v", proof.Work)
		}
		c.answerSync(proof)
		c.want("the group shows it", o.ID, console.Verified)

		for _, id := range []string{"dan", "cem"} { // nobody is left then
			o = c.create(c.op(id, "staff", console.Revoke))
			task = c.take("the revocation")
			c.carryOut(task)
			c.advance(time.Second)
			c.finish(task, rpc.Result{})
			c.work()
			c.answerSync(c.take("the proof"))
		}
		c.want("an empty group proves nothing", o.ID, console.Applied)
		c.work()
		full := c.take("a full sync follows")
		if full.Work.Sync == nil || len(full.Work.Sync.Resources) != 0 {
			t.Fatalf("%+v", full.Work)
		}
		c.up.members["staff"] = nil
		c.answerSync(full)
		c.want("the full sync shows it", o.ID, console.Verified)
	})
}

// TestGuardAtDispatch checks the guards again at the dispatch: a change that has become forbidden is
// not sent, and an event records that.
func TestGuardAtDispatch(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		c.update(func(tx *store.Tx) error {
			for _, id := range []string{"ana", "ben"} {
				p, err := tx.AddPerson(console.Person{Name: id})
				if err != nil {
					return err
				}
				if err := tx.SetAccountOwner(c.account(id), p, store.OwnerSet); err != nil {
					return err
				}
			}
			return tx.SetRoleMap(c.app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{c.member("admins")}}}}, 1)
		})
		o := c.create(c.op("ana", "admins", console.Revoke))
		c.update(func(tx *store.Tx) error { // the other one leaves in the meantime
			owner, _, err := tx.AccountPerson(c.account("ben"), time.Time{})
			if err != nil {
				return err
			}
			p, err := tx.Person(owner)
			if err != nil {
				return err
			}
			p.Status = console.PersonGone
			return tx.ChangePerson(p)
		})
		c.nothing("the last administrator")
		if got := c.want("the last administrator", o.ID, console.Cancelled); !strings.Contains(got.Answer, "minimum") {
			t.Errorf("%q", got.Answer)
		}
		if kinds := c.events(); !slices.Contains(kinds, "operation.denied") {
			t.Errorf("%q", kinds)
		}
	})
}

// TestOverdueByGuard keeps trying to remove expired access that a guard protects, notifies once that
// it is overdue, and removes it when the guard allows it.
func TestOverdueByGuard(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		c.update(func(tx *store.Tx) error {
			p, err := tx.AddPerson(console.Person{Name: "ana"})
			if err != nil {
				return err
			}
			if err := tx.SetAccountOwner(c.account("ana"), p, store.OwnerSet); err != nil {
				return err
			}
			if _, err := tx.AddReason(console.Reason{App: c.app, Account: c.account("ana"), Entitlement: c.member("admins"), Kind: console.ReasonRequest, Until: c.now.Add(time.Minute)}); err != nil {
				return err
			}
			return tx.SetRoleMap(c.app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{c.member("admins")}}}}, 1)
		})
		overdue := func() (o *console.Overdue) {
			if err := c.s.View(t.Context(), func(tx *store.Tx) (err error) {
				o, err = tx.Overdue(c.account("ana"), c.member("admins"))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return o
		}
		for range 4 {
			c.advance(time.Minute)
			c.work()
		}
		if o := overdue(); o == nil || !strings.Contains(o.Why, "minimum is 1") {
			t.Fatalf("%+v", o)
		}
		c.nothing("a guard protects it")
		count := func(kind string) (n int) {
			if err := c.s.View(t.Context(), func(tx *store.Tx) error {
				all, err := tx.Events(store.EventFilter{App: c.app}, 0, store.PageSize)
				for _, e := range all {
					if e.Kind == kind {
						n++
					}
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if count("access.overdue") != 1 || count("operation.denied") != 1 {
			t.Errorf("told %d times, denied %d times", count("access.overdue"), count("operation.denied"))
		}
		c.update(func(tx *store.Tx) error {
			p, err := tx.AddPerson(console.Person{Name: "ben"})
			if err != nil {
				return err
			}
			return tx.SetAccountOwner(c.account("ben"), p, store.OwnerSet)
		})
		c.advance(time.Minute)
		c.work()
		task := c.take("now it can be removed")
		c.carryOut(task)
		c.advance(time.Second)
		c.finish(task, rpc.Result{})
		c.work()
		c.answerSync(c.take("the proof"))
		if overdue() != nil || count("access.drained") != 1 {
			t.Errorf("%+v, drained %d times", overdue(), count("access.drained"))
		}
	})
}

// TestComeBacks removes access that something else restores: after two times the console stops and
// says where to remove it.
func TestComeBacks(t *testing.T) {
	c := newCourse(newWorld(t))
	for range 2 {
		o := c.create(c.op("cem", "staff", console.Revoke))
		task := c.take("the revocation")
		c.carryOut(task)
		c.advance(time.Second)
		c.finish(task, rpc.Result{})
		c.work()
		c.answerSync(c.take("the proof"))
		c.want("removed", o.ID, console.Verified)
		c.up.members["staff"] = []string{"cem"}
		c.sync()
	}
	err := c.s.Update(t.Context(), console.By{At: c.now, Actor: console.Console}, func(tx *store.Tx) error {
		_, err := tx.CreateOperation(c.op("cem", "staff", console.Revoke), store.Circumstances{})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "came back 2 times") || baton.FixOf(err) == "" {
		t.Errorf("%v", err)
	}
}

// TestReasonsBeginWithAccess counts the duration from when the connector reports the access.
func TestReasonsBeginWithAccess(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		var reason console.ID
		c.update(func(tx *store.Tx) (err error) {
			reason, err = tx.AddReason(console.Reason{App: c.app, Account: c.account("dan"), Entitlement: c.member("staff"), Kind: console.ReasonRequest, Lasts: time.Hour})
			return err
		})
		c.create(c.op("dan", "staff", console.Grant))
		c.advance(24 * time.Hour) // the connector is away
		task := c.take("the grant")
		c.carryOut(task)
		c.advance(time.Second)
		applied := c.now
		c.finish(task, rpc.Result{})
		if err := c.s.View(t.Context(), func(tx *store.Tx) error {
			r, err := tx.Reason(reason)
			if want := applied.Add(time.Hour); !r.Until.Equal(want) {
				t.Errorf("it ends %v, want %v", r.Until, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestGrantIDOfItsOwn revokes a grant by the connector's own id for it.
func TestGrantIDOfItsOwn(t *testing.T) {
	f := console.Fact{Detail: []byte(`{"baton:grant-id":"g-17","since":"2020"}`)}
	if f.GrantID() != "g-17" || (console.Fact{Detail: []byte(`{"since":"2020"}`)}).GrantID() != "" || (console.Fact{}).GrantID() != "" {
		t.Error("the id of a grant is not found in its detail")
	}
}

func askActions(tx *store.Tx, connector console.ID) error {
	return rpcstore.AskActions(tx, string(connector))
}
