package crash_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
	sandboxed "baton/sandbox/perplexity"
)

// membership returns the memberships in the sandbox.
func membership(org *sandboxed.Server) (all []string) {
	for _, g := range org.State().Groups {
		for _, m := range g.Members {
			all = append(all, g.ID+" "+m)
		}
	}
	slices.Sort(all)
	return all
}

// effects counts how often a membership changed.
type effects struct {
	http.Handler
	org *sandboxed.Server
	n   atomic.Int64
}

func (e *effects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		e.Handler.ServeHTTP(w, r)
		return
	}
	before := membership(e.org)
	e.Handler.ServeHTTP(w, r)
	if !slices.Equal(before, membership(e.org)) {
		e.n.Add(1)
	}
}

// change is a task that adds a user to a group or removes one, with the resulting state.
type change struct {
	work *batonv1.Task
	want []string
}

// nextChange returns a change that was not made yet.
func nextChange(org *sandboxed.Server, r *rand.Rand) change {
	state := org.State()
	g, _ := state.Group("Engineering")
	// SCIM does not know users of the console.
	known := slices.DeleteFunc(state.Users, func(u sandboxed.UserState) bool { return !u.Managed })
	u := known[r.IntN(len(known))]
	want := membership(org)
	one := g.ID + " " + u.ID
	id := &connectorv2.ResourceId{ResourceType: "group", Resource: g.ID}
	e := &connectorv2.Entitlement{Id: "group:" + g.ID + ":member", Slug: "member", Resource: &connectorv2.Resource{Id: id}}
	p := &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "user", Resource: u.ID}}
	if i, in := slices.BinarySearch(want, one); in {
		return change{
			work: &batonv1.Task{TaskType: &batonv1.Task_Revoke{Revoke: &batonv1.Task_RevokeTask{
				Grant: &connectorv2.Grant{Id: e.Id + ":user:" + u.ID, Entitlement: e, Principal: p}}}},
			want: slices.Delete(want, i, i+1),
		}
	}
	want = append(want, one)
	slices.Sort(want)
	return change{
		work: &batonv1.Task{TaskType: &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{Entitlement: e, Principal: p}}},
		want: want,
	}
}

// TestKilledInChange kills the service while it grants and revokes: in the end the change was made once, and
// no other membership changed.
func TestKilledInChange(t *testing.T) {
	if *every {
		t.Parallel()
	}
	r := rand.New(rand.NewPCG(*seed, 3))
	tn := perplexityTenant(t)
	counter := &effects{Handler: tn.handler, org: tn.org}
	tn.handler = counter
	s := newServed(t, tn)
	var requested change
	work := func() *batonv1.Task {
		requested = nextChange(tn.org, r)
		counter.n.Store(0)
		return requested.work
	}
	check := func(_ string, _ rpctest.Result) string {
		switch n, now := counter.n.Load(), membership(tn.org); {
		case !slices.Equal(now, requested.want):
			return fmt.Sprintf("%d memberships instead of the requested %d", len(now), len(requested.want))
		case n != 1:
			return fmt.Sprintf("the change was made %d times", n)
		}
		return ""
	}
	sp, result := s.measureTask(s.enqueue(work()))
	if wrong := check("", result); wrong != "" {
		t.Fatal(wrong)
	}
	ts := newTallies()
	sp.changes = 0 // a change writes no file
	s.tasks(sp, sp.moments(points(1, 60), r), r, ts, work, check)
	ts.count(t, tn.name, "service, change")
}
