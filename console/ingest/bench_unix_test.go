//go:build unix

package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
	"baton/console"
	"baton/console/store"
)

// large is a tenant of so many accounts with four grants each, one of them in a group that
// holds all. changed of the accounts hold other groups than they would.
func large(tb testing.TB, path string, minutes, accounts, changed int) {
	tb.Helper()
	const groups = 1000
	w, err := writer.Create(path, writer.Options{SyncID: ksuid.New().String(), SyncType: c1z.Full, Started: at(minutes)})
	if err != nil {
		tb.Fatal(err)
	}
	add := func(r writer.Row, err error) {
		if err == nil {
			err = w.Add(r)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	add(writer.ResourceTypeRow(user))
	add(writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}))
	member := func(g int) baton.EntitlementID {
		return baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: fmt.Sprintf("g%04d", g)}, Slug: "member"}
	}
	for g := range groups {
		add(writer.ResourceRow(baton.Resource{ID: member(g).Resource, DisplayName: fmt.Sprintf("Group %d", g), Group: &baton.Group{}}))
		add(writer.EntitlementRow(baton.Entitlement{ID: member(g), DisplayName: "member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
	}
	random := rand.New(rand.NewPCG(3, 4))
	for n := range accounts {
		id := baton.ResourceID{Type: "user", ID: fmt.Sprintf("2819c223-7f76-453a-919d-%012d", n)}
		add(writer.ResourceRow(baton.Resource{ID: id, DisplayName: fmt.Sprintf("Person Number %d", n), Status: baton.StatusEnabled,
			User: &baton.User{Login: fmt.Sprintf("person%d@example.test", n), Emails: []baton.Email{{Address: fmt.Sprintf("person%d@example.test", n), Primary: true}}}}))
		held := map[int]bool{0: true}
		for len(held) < 4 {
			held[1+random.IntN(groups-1)] = true
		}
		for g := range held {
			if n < changed && g != 0 {
				g = 1 + (g+minutes)%(groups-1)
			}
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member(g), Principal: id}}))
		}
	}
	if _, err := w.Seal(tb.Context(), at(minutes).Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkMillion applies a sync of a million grants, the same again, and one in which
// 2,000 accounts hold other groups.
func BenchmarkMillion(b *testing.B) {
	const accounts = 250_000
	dir := b.TempDir()
	files := []string{filepath.Join(dir, "1.c1z"), filepath.Join(dir, "2.c1z"), filepath.Join(dir, "3.c1z")}
	large(b, files[0], 1, accounts, 0)
	large(b, files[1], 2, accounts, 0)
	large(b, files[2], 3, accounts, 700)
	for b.Loop() {
		w := newWorld(b)
		for i, name := range []string{"first", "unchanged", "changed"} {
			id := w.receive(files[i], console.SyncFull)
			runtime.GC()
			before := processorTime()
			s, err := w.in.Apply(b.Context(), console.Console, id)
			if err != nil || s.State != console.SyncApplied {
				b.Fatalf("%+v, %v", s, err)
			}
			b.ReportMetric((processorTime() - before).Seconds(), "cpu-s/"+name)
			b.Logf("%s: %+v", name, s.Counts)
		}
		var syncs []console.Sync
		err := w.s.View(b.Context(), func(tx *store.Tx) (err error) {
			syncs, err = tx.Syncs(w.connector, store.SyncBefore{}, 3)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		before, lines := processorTime(), 0
		for _, err := range w.s.FactDifferences(b.Context(), syncs[0].Stream, syncs[2].Number, syncs[0].Number) {
			if err != nil {
				b.Fatal(err)
			}
			lines++
		}
		b.ReportMetric((processorTime() - before).Seconds(), "cpu-s/difference")
		b.Logf("difference: %d lines", lines)
		if info, err := os.ReadFile("/proc/self/status"); err == nil {
			b.Logf("%s", info)
		}
	}
}

// processorTime returns the processor time of this process.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
