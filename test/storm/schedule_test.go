package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"baton"
	"baton/agent/syncer"
)

// TestSchedules runs feeds that deliver in any order, wait, restart, fail and are interrupted at any point,
// and resumes them until they are done. The facts must be the same, on one processor and on several.
func TestSchedules(t *testing.T) {
	for _, procs := range []int{1, 2, 4} {
		t.Run(fmt.Sprint("processors ", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			for i := range *runs {
				s := *seed + uint64(i)
				t.Run(fmt.Sprint(s), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { schedule(t, rand.New(rand.NewPCG(s, 0x5c4e))) })
				})
			}
		})
	}
}

// line describes a feed: its rows by page.
type line struct {
	name  string
	kind  string
	pages [][]string // ids
}

func schedule(t *testing.T, r *rand.Rand) {
	lines, want := lines(r)
	path, temp := filepath.Join(t.TempDir(), "sync.c1z"), t.TempDir()
	for n := 0; ; n++ {
		if n == 200 {
			t.Fatal("it does not come to an end")
		}
		ctx, cancel := context.WithCancel(t.Context())
		if n < 20 && chance(r, 60) {
			time.AfterFunc(time.Duration(r.Int64N(int64(300*time.Millisecond))), cancel)
		}
		_, err := syncer.Run(ctx, syncer.Config{Connector: perturbed(lines, r.Uint64(), n < 20), Path: path, TempDir: temp})
		cancel()
		if err == nil {
			break
		}
		if kind := baton.KindOf(err); kind != baton.Canceled && kind != baton.Unavailable && kind != baton.Incomplete {
			t.Fatalf("%v (%v)", err, kind)
		}
	}
	found, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	truth := newTruth()
	truth.add(snapshot{rows: want, sides: [2]map[string]bool{want, want}}, nil)
	if problem := truth.against(found, false); problem != "" {
		t.Error(problem)
	}
}

// lines generates accounts and groups, each in feeds of several pages.
func lines(r *rand.Rand) (all []line, want map[string]bool) {
	want = map[string]bool{}
	for _, kind := range []string{"user", "group"} {
		for f := range 1 + r.IntN(3) {
			l := line{name: fmt.Sprint(kind, "s", f), kind: kind}
			for p := range 1 + r.IntN(5) {
				var ids []string
				for i := range 1 + r.IntN(4) {
					ids = append(ids, fmt.Sprintf("%s%d-%d-%d", kind, f, p, i))
				}
				l.pages = append(l.pages, ids)
				for _, id := range ids {
					want[kind+":"+id] = true
					if kind == "group" {
						want["group:"+id+":member"], want["group:"+id+":member:user:user0-0-0"] = true, true
					}
				}
			}
			all = append(all, l)
		}
	}
	return all, want
}

// perturbed returns a connector over the lines whose feeds wait, restart and fail at random.
func perturbed(lines []line, seed uint64, rough bool) *baton.Connector {
	c := &baton.Connector{Name: "baton-perturbed", Origin: "https://upstream.example", ResourceTypes: []baton.ResourceType{
		{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true},
		{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}},
	}}
	for i, l := range lines {
		r := rand.New(rand.NewPCG(seed, uint64(i))) // used by one feed, which runs in one goroutine
		c.Feeds = append(c.Feeds, baton.Feed{Name: l.name, Types: []string{l.kind}, Next: func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
			n := 0
			if at != "" {
				fmt.Sscan(string(at), &n)
			}
			select {
			case <-time.After(time.Duration(r.Int64N(int64(40 * time.Millisecond)))):
			case <-ctx.Done():
				return baton.Step{}, ctx.Err()
			}
			for k, id := range l.pages[n] {
				if rough && k > 0 && chance(r, 5) {
					return baton.Step{}, baton.Errorf(pick(r, baton.Unavailable, baton.Incomplete), "in the middle of a page")
				}
				yield(p, l.kind, id)
			}
			step := baton.Step{Cursor: baton.Cursor(fmt.Sprint(n + 1)), Done: n+1 == len(l.pages)}
			switch {
			case rough && chance(r, 4):
				return baton.Step{Cursor: "0", Restart: true}, nil
			case rough && !step.Done && chance(r, 20):
				step.Wait = time.Duration(r.Int64N(int64(20 * time.Millisecond)))
			}
			runtime.Gosched()
			return step, nil
		}})
	}
	return c
}

func yield(p baton.Page, kind, id string) {
	res := baton.ResourceID{Type: kind, ID: id}
	if kind == "user" {
		p.Resource(baton.Resource{ID: res, DisplayName: id, User: &baton.User{}})
		return
	}
	e := baton.EntitlementID{Resource: res, Slug: "member"}
	p.Resource(baton.Resource{ID: res, DisplayName: id, Group: &baton.Group{}})
	p.Entitlement(baton.Entitlement{ID: e, DisplayName: id, GrantableTo: []string{"user"}})
	p.Grant(baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: baton.ResourceID{Type: "user", ID: "user0-0-0"}}, ResourceName: id})
}
