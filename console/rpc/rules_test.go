package rpc

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
)

func listTask(edit func(*Task)) Task {
	return example(Work{ListActions: &ListActionsWork{}}, edit)
}

func writeTask(edit func(*Task)) Task {
	return example(Work{RunAction: &RunActionWork{Name: "x"}}, edit)
}

// example is a task that was added at noon.
func example(work Work, edit func(*Task)) Task {
	t := Task{ID: "id", Connector: "acme", Work: work, Due: noon, LeaseTime: time.Minute, State: Queued, Added: noon}
	if edit != nil {
		edit(&t)
	}
	return t
}

func TestLeaseTime(t *testing.T) {
	for _, w := range works {
		want := map[Type]time.Duration{SyncType: 5 * time.Minute, GrantType: 30 * time.Minute, RevokeType: 30 * time.Minute,
			CreateAccountType: 30 * time.Minute, DeleteResourceType: 30 * time.Minute, RunActionType: 30 * time.Minute}[w.work.Type()]
		if want == 0 {
			want = 5 * time.Minute
		}
		if got := LeaseTime(w.work.Type()); got != want {
			t.Errorf("%s: %v, want %v", w.work.Type(), got, want)
		}
		if Writes(w.work.Type()) != (want == 30*time.Minute) || Exclusive(w.work.Type()) != (w.work.Type() == SyncType) {
			t.Errorf("%s: writes %v, exclusive %v", w.work.Type(), Writes(w.work.Type()), Exclusive(w.work.Type()))
		}
	}
}

func TestMayLease(t *testing.T) {
	ended := func(t *Task) { *t = t.LeasedTo("a", noon.Add(-time.Hour)) }
	for name, tt := range map[string]struct {
		task Task
		want bool
	}{
		"queued":             {listTask(nil), true},
		"due later":          {listTask(func(t *Task) { t.Due = noon.Add(time.Microsecond) }), false},
		"due before":         {listTask(func(t *Task) { t.Due = noon.Add(-time.Hour) }), true},
		"cancelled":          {listTask(func(t *Task) { t.Cancelled = true }), false},
		"of another host":    {listTask(func(t *Task) { t.OnlyHost = "a" }), false},
		"of this host":       {listTask(func(t *Task) { t.OnlyHost = "b" }), true},
		"leased":             {listTask(func(t *Task) { *t = t.LeasedTo("a", noon) }), false},
		"lease ends now":     {listTask(func(t *Task) { *t = t.LeasedTo("a", noon.Add(-time.Minute)) }), true},
		"lease ended":        {listTask(ended), true},
		"lease of a write":   {writeTask(ended), false},
		"lost":               {writeTask(func(t *Task) { ended(t); t.State = Lost }), false},
		"finished":           {listTask(func(t *Task) { t.State = Finished }), false},
		"cancelled and over": {listTask(func(t *Task) { ended(t); t.Cancelled = true }), false},
	} {
		if got := tt.task.MayLease("b", noon); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestPick(t *testing.T) {
	sync := func(id string) Task { return example(Work{Sync: &SyncWork{}}, func(t *Task) { t.ID = id }) }
	list := func(id string) Task { return listTask(func(t *Task) { t.ID = id }) }
	later := listTask(func(t *Task) { t.ID, t.Due = "later", noon.Add(time.Hour) })
	mine := list("mine").LeasedTo("b", noon.Add(-time.Hour))
	foreign := list("foreign").LeasedTo("a", noon.Add(-time.Hour))
	for name, tt := range map[string]struct {
		tasks     []Task
		exclusive bool
		max       int
		known     []string
		want      []string
		more      bool
	}{
		"none":                    {max: 1},
		"one of one":              {tasks: []Task{list("a")}, max: 1, want: []string{"a"}},
		"one of two":              {tasks: []Task{list("a"), list("b")}, max: 1, want: []string{"a"}, more: true},
		"one and one for later":   {tasks: []Task{list("a"), later}, max: 1, want: []string{"a"}},
		"two syncs":               {tasks: []Task{sync("a"), sync("b"), list("c")}, max: 3, want: []string{"a", "c"}},
		"a sync that has to wait": {tasks: []Task{list("c"), sync("a")}, exclusive: true, max: 1, want: []string{"c"}},
		"one sync while one runs": {tasks: []Task{sync("a"), list("c")}, exclusive: true, max: 3, want: []string{"c"}},
		"two syncs, one slot":     {tasks: []Task{sync("a"), sync("b")}, max: 1, want: []string{"a"}},
		"what the host has":       {tasks: []Task{mine, list("c")}, known: []string{"mine"}, max: 3, want: []string{"c"}},
		"what the host forgot":    {tasks: []Task{mine, list("c")}, max: 3, want: []string{"mine", "c"}},
		"what the host never had": {tasks: []Task{foreign, list("c")}, known: []string{"foreign", "c"}, max: 3, want: []string{"foreign", "c"}},
	} {
		picked, more := Pick(slices.Values(tt.tasks), tt.exclusive, LeaseRequest{Host: "b", Max: tt.max, Known: tt.known}, noon)
		var got []string
		for _, p := range picked {
			got = append(got, p.ID)
			if p.State != Leased || p.Lease.Host != "b" || !p.Lease.Since.Equal(noon) || !p.Lease.Until.Equal(noon.Add(time.Minute)) {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if !slices.Equal(got, tt.want) || more != tt.more {
			t.Errorf("%s: %v, more %v; want %v, %v", name, got, more, tt.want, tt.more)
		}
	}
	for range 2 { // Pick reads no further than it must
		read := 0
		Pick(func(yield func(Task) bool) {
			for i := range 100 {
				if read = i + 1; !yield(list("x")) {
					return
				}
			}
		}, false, LeaseRequest{Host: "b", Max: 2}, noon)
		if read != 3 {
			t.Errorf("read %d tasks, want 3", read)
		}
	}
}

func TestHolder(t *testing.T) {
	leased := listTask(nil).LeasedTo("a", noon).LeasedTo("b", noon)
	finished := leased
	finished.State = Finished
	lost := leased
	lost.State = Lost
	back := leased
	back.State = Queued
	b := Holder{Connector: "acme", Host: "b", Task: "id"}
	with := func(edit func(*Holder)) Holder { h := b; edit(&h); return h }
	for name, tt := range map[string]struct {
		task             Task
		holder           Holder
		holds, worksOnIt baton.Kind // Internal: no error
	}{
		"holder":             {leased, b, baton.Internal, baton.Internal},
		"with its number":    {leased, with(func(h *Holder) { h.Number = 2 }), baton.Internal, baton.Internal},
		"with an old number": {leased, with(func(h *Holder) { h.Number = 1 }), baton.Refused, baton.Refused},
		"earlier host":       {leased, with(func(h *Holder) { h.Host = "a" }), baton.Refused, baton.Refused},
		"other connector":    {leased, with(func(h *Holder) { h.Connector = "other" }), baton.NotFound, baton.NotFound},
		"other task":         {leased, with(func(h *Holder) { h.Task = "other" }), baton.NotFound, baton.NotFound},
		"never leased":       {listTask(nil), b, baton.Refused, baton.Refused},
		"put back":           {back, b, baton.Refused, baton.Refused},
		"lost":               {lost, b, baton.Internal, baton.Internal},
		"finished":           {finished, b, baton.Internal, baton.Refused},
	} {
		if err := tt.task.CheckHolder(tt.holder); baton.KindOf(err) != tt.holds {
			t.Errorf("%s: it holds the lease: %v", name, err)
		}
		if err := tt.task.CheckWorking(tt.holder); baton.KindOf(err) != tt.worksOnIt {
			t.Errorf("%s: it works on the task: %v", name, err)
		}
	}
}

func TestTransitions(t *testing.T) {
	b := Holder{Connector: "acme", Host: "b", Task: "id"}
	read, write := listTask(nil).LeasedTo("b", noon), writeTask(nil).LeasedTo("b", noon)
	lost, _ := write.AfterLease(noon.Add(time.Minute))
	cancelled, _ := read.AfterCancel(noon)
	finished, _, err := read.FinishedBy(b, Result{Message: "m"}, noon)
	if err != nil {
		t.Fatal(err)
	}
	type step func(Task) (Task, bool)
	cancel := func(at time.Duration) step {
		return func(t Task) (Task, bool) { return t.AfterCancel(noon.Add(at)) }
	}
	expire := func(at time.Duration) step { return func(t Task) (Task, bool) { return t.AfterLease(noon.Add(at)) } }
	for name, tt := range map[string]struct {
		from      Task
		step      step
		changed   bool
		state     State
		cancelled bool
		outcome   Outcome
	}{
		"cancel queued":                    {listTask(nil), cancel(0), true, Finished, true, Cancelled},
		"cancel leased":                    {read, cancel(0), true, Leased, true, ""},
		"cancel twice":                     {cancelled, cancel(0), false, Leased, true, ""},
		"cancel when the lease ended":      {read, cancel(time.Minute), true, Finished, true, Cancelled},
		"cancel lost":                      {lost, cancel(time.Hour), true, Finished, true, Cancelled},
		"cancel finished":                  {finished, cancel(0), false, Finished, false, Done},
		"end of a queued task":             {listTask(nil), expire(time.Hour), false, Queued, false, ""},
		"lease lasts":                      {write, expire(time.Minute - 1), false, Leased, false, ""},
		"lease of a read ended":            {read, expire(time.Minute), false, Leased, false, ""},
		"lease of a write ended":           {write, expire(time.Minute), true, Lost, false, ""},
		"lease of a cancelled task ended":  {cancelled, expire(time.Minute), true, Finished, true, Cancelled},
		"lease of a lost task is over":     {lost, expire(time.Hour), false, Lost, false, ""},
		"lease of a finished task is over": {finished, expire(time.Hour), false, Finished, false, Done},
	} {
		got, changed := tt.step(tt.from)
		if changed != tt.changed || got.State != tt.state || got.Cancelled != tt.cancelled || got.Outcome() != tt.outcome {
			t.Errorf("%s: %s, cancelled %v, outcome %q, changed %v", name, got.State, got.Cancelled, got.Outcome(), changed)
		}
	}
	if again, changed, err := finished.FinishedBy(b, Result{Message: "again"}, noon); changed || err != nil || again.Result.Message != "m" {
		t.Errorf("a second report: %+v, %v, %v", again.Result, changed, err)
	}
	if late, changed, err := lost.FinishedBy(b, Result{}, noon.Add(time.Hour)); !changed || err != nil || late.Outcome() != Done {
		t.Errorf("a report for a lost task: %+v, %v, %v", late, changed, err)
	}
	if back, err := lost.PutBack(); err != nil || back.State != Queued || !back.MayLease("b", noon) {
		t.Errorf("a lost task that is put back: %+v, %v", back, err)
	}
	for _, from := range []Task{listTask(nil), finished} {
		if _, err := from.PutBack(); baton.KindOf(err) != baton.Refused {
			t.Errorf("a %s task was put back: %v", from.State, err)
		}
	}
	if beaten, err := lost.Beaten(b, noon.Add(time.Hour)); err != nil || beaten.State != Leased || beaten.Heartbeats != 1 || !beaten.LeasedAt(noon.Add(time.Hour)) {
		t.Errorf("a heartbeat for a lost task: %+v, %v", beaten, err)
	}
	if _, err := finished.Beaten(b, noon); baton.KindOf(err) != baton.Refused {
		t.Errorf("a heartbeat for a finished task: %v", err)
	}
}

func TestOutcome(t *testing.T) {
	sync, grant := Work{Sync: &SyncWork{}}, Work{Grant: &GrantWork{}}
	code := func(c codes.Code) Result { return Result{Code: uint32(c)} }
	for name, tt := range map[string]struct {
		work      Work
		result    Result
		cancelled bool
		want      Outcome
	}{
		"sync":                    {sync, Result{}, false, Done},
		"sync held":               {sync, code(codes.FailedPrecondition), false, Held},
		"sync of bad data":        {sync, Result{Code: uint32(codes.DataLoss), NonRetryable: true}, false, Failed},
		"sync of a stopped host":  {sync, code(codes.Canceled), false, Retryable},
		"sync cancelled":          {sync, code(codes.Canceled), true, Cancelled},
		"done in spite of cancel": {sync, Result{}, true, Done},
		"grant":                   {grant, Result{}, false, Done},
		"grant exists":            {grant, Result{Already: true}, false, AlreadyDone},
		"grant refused":           {grant, Result{Code: uint32(codes.FailedPrecondition), NonRetryable: true, Refusal: "policy"}, false, Refused},
		"provisioning off":        {grant, Result{Code: uint32(codes.FailedPrecondition), NonRetryable: true}, false, Refused},
		"unsupported":             {grant, Result{Code: uint32(codes.Unimplemented), NonRetryable: true}, false, Unsupported},
		"grant failed":            {grant, Result{Code: uint32(codes.NotFound), NonRetryable: true}, false, Failed},
		"upstream away":           {grant, code(codes.Unavailable), false, Retryable},
		"account":                 {grant, Result{Account: &AccountResult{State: AccountCreated}}, false, Done},
		"account exists":          {grant, Result{Account: &AccountResult{State: AccountExists}}, false, AlreadyDone},
		"account invited":         {grant, Result{Account: &AccountResult{State: AccountActionRequired}}, false, InProgress},
		"action runs":             {grant, Result{Action: &ActionRun{State: ActionRunning}}, false, InProgress},
		"action of unknown state": {grant, Result{Action: &ActionRun{State: ActionUnknown}}, false, InProgress},
		"action complete":         {grant, Result{Action: &ActionRun{State: ActionComplete}}, false, Done},
		"action failed":           {grant, Result{Action: &ActionRun{State: ActionFailed}}, false, Failed},
	} {
		task := example(tt.work, func(t *Task) { t.State, t.Result, t.Cancelled = Finished, tt.result, tt.cancelled })
		if got := task.Outcome(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestUploadRules(t *testing.T) {
	for head, want := range map[string]UploadKind{"C1ZF\x00(\xb5/": SyncFile, "C1Z3\x00\x00": SyncFile, "C1ZF": LogFile, "C1ZF\x01": LogFile, "": LogFile, `{"level"`: LogFile, "SQLite format 3": LogFile} {
		if got := UploadKindOf([]byte(head)); got != want {
			t.Errorf("%q is a %s, want %s", head, got, want)
		}
	}
	h := Holder{Connector: "acme", Host: "a", Task: "id"}
	debug := func(t *Task) { t.Debug = true }
	sync := func(edit func(*Task)) Task { return example(Work{Sync: &SyncWork{}}, edit).LeasedTo("a", noon) }
	for name, tt := range map[string]struct {
		task Task
		kind UploadKind
		ok   bool
	}{
		"file of a sync":         {sync(nil), SyncFile, true},
		"log of a sync":          {sync(nil), LogFile, false},
		"log of a debugged sync": {sync(debug), LogFile, true},
		"file of a write":        {writeTask(debug).LeasedTo("a", noon), SyncFile, false},
		"log of a write":         {writeTask(debug).LeasedTo("a", noon), LogFile, true},
		"another host's":         {sync(nil).LeasedTo("b", noon), SyncFile, false},
		"not leased":             {example(Work{Sync: &SyncWork{}}, nil), SyncFile, false},
	} {
		err := tt.task.CheckUpload(h, tt.kind)
		if (err == nil) != tt.ok || err != nil && baton.KindOf(err) != baton.Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
