package service_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"baton/agent/service"
	sandboxed "baton/sandbox/perplexity"
)

// TestManyTasksOnOneGroup: tasks for one group reach several connectors in any order. They are delivered
// twice, cancelled, interrupted by a restart, or lost on their way. The group ends as the tasks say.
func TestManyTasksOnOneGroup(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			manyTasks(t, rand.New(rand.NewPCG(seed, 0x7a5c)))
		})
	}
}

func manyTasks(t *testing.T, r *rand.Rand) {
	w := newWorldOf(t, 2*time.Second)
	w.putsBack() // a broken connection returns the tasks that were sent on it
	g := w.group("Engineering")
	var people []sandboxed.UserState
	for _, u := range w.org.State().Users {
		if u.Active && u.Managed {
			people = append(people, u)
		}
	}
	r.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	start := func(host int) *running {
		return w.start(func(c *service.Config) {
			c.HostID, c.StateDir = fmt.Sprint("host-", host), t.TempDir()
			c.TaskConcurrency, c.BatchTasks = 1+r.IntN(4), r.IntN(2) == 0
		})
	}
	services := []*running{start(0), start(1)}
	shouldBeMember, cancelled := map[string]bool{}, map[string]bool{} // by user, whether to be a member; by task id
	user := map[string]string{}
	again := map[string]bool{} // tasks interrupted by a stop, which ConductorOne delivers again
	var ids []string
	for i, u := range people {
		member := slices.Contains(g.Members, u.ID)
		task := grantTask(g, u.ID)
		if member && r.IntN(3) > 0 || !member && r.IntN(5) == 0 {
			task = revokeTask(g, u.ID)
		}
		shouldBeMember[u.ID] = task.GetGrant() != nil
		id := w.enqueue(task)
		ids, user[id] = append(ids, id), u.ID
		switch r.IntN(8) {
		case 0:
			if err := w.c1.SetFault("redeliver=2"); err != nil {
				t.Fatal(err)
			}
		case 1:
			cancelled[id] = true
			if err := w.c1.Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		case 2:
			if err := w.c1.SetFault("finish-task-lost=1"); err != nil {
				t.Fatal(err)
			}
		case 3:
			w.fault("get-task-lost=1", "get-tasks-lost=1")
		}
		if i == len(people)/2 {
			time.Sleep(time.Duration(r.Int64N(int64(100 * time.Millisecond)))) // a random moment
			if err := services[1].stop(); err != nil && !strings.Contains(err.Error(), "stopped before") {
				t.Errorf("stopping: %v", err)
			}
			services[1] = start(2)
		}
	}
	for i := 0; i < len(ids); i++ {
		id := ids[i]
		res := w.result(id)
		is := w.isMember("Engineering", user[id])
		switch code := codes.Code(res.Status.GetCode()); {
		case code == codes.OK, strings.Contains(res.Status.GetMessage(), "lost membership"):
			// The other connector changed the group, too. This is noticed and reported.
			if is != shouldBeMember[user[id]] {
				t.Errorf("%s is a member: %v, want %v (%v)", user[id], is, shouldBeMember[user[id]], res.Status)
			}
		case code == codes.Canceled && cancelled[id]:
		case code == codes.Canceled && !res.NonRetryable && !again[id]:
			task := revokeTask(g, user[id])
			if shouldBeMember[user[id]] {
				task = grantTask(g, user[id])
			}
			retry := w.enqueue(task)
			ids, user[retry], again[retry] = append(ids, retry), user[id], true
		default:
			t.Errorf("task of %s: %v", user[id], res.Status)
		}
	}
	for _, u := range w.org.State().Users {
		if _, ok := shouldBeMember[u.ID]; !ok && slices.Contains(u.Groups, g.ID) != slices.Contains(g.Members, u.ID) {
			t.Errorf("%s was in no task, and changed", u.ID)
		}
	}
	for _, task := range w.c1.Tasks() {
		if task.Result.Finished.IsZero() {
			t.Errorf("task %s is not finished", task.ID)
		}
	}
}
