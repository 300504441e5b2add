package writer_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"baton"
)

// tenant generates the rows of an upstream: accounts and courses with UUIDs, and who has completed or started
// which course, in random order.
type tenant struct {
	users, courses []string
	types          []writer.Row
}

func newTenant(users, courses int) *tenant {
	r := rand.New(rand.NewPCG(3, 4))
	uuid := func() string {
		a, b := r.Uint64(), r.Uint64()
		return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&(1<<48-1))
	}
	t := &tenant{types: []writer.Row{fixture.Row(writer.ResourceTypeRow(fixture.GroupType)), fixture.Row(writer.ResourceTypeRow(fixture.UserType))}}
	for range users {
		t.users = append(t.users, uuid())
	}
	for range courses {
		t.courses = append(t.courses, uuid())
	}
	return t
}

// each passes all rows to fn, in the form of the page log.
func (t *tenant) each(grants int, fn func(writer.Row) error) error {
	var buf []byte
	var failed error
	give := func(r writer.Row) {
		buf = r.Append(buf[:0])
		parsed, err := writer.ParseRow(buf)
		if err == nil {
			err = fn(parsed)
		}
		if failed == nil {
			failed = err
		}
	}
	for _, r := range t.types {
		give(r)
	}
	for i, id := range t.users {
		give(fixture.Row(writer.ResourceRow(fixture.Account(id, fmt.Sprint("Account ", i)))))
	}
	slugs := []string{"completed", "in_progress"}
	for i, id := range t.courses {
		course := baton.ResourceID{Type: "course", ID: id}
		name := fmt.Sprint("Course number ", i)
		give(fixture.Row(writer.ResourceRow(baton.Resource{ID: course, DisplayName: name, Profile: baton.Profile{"content_type": "COURSE"}})))
		for _, slug := range slugs {
			give(fixture.Row(writer.EntitlementRow(baton.Entitlement{ID: baton.EntitlementID{Resource: course, Slug: slug}, ResourceName: name,
				DisplayName: slug, Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, []baton.ResourceType{fixture.UserType})))
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range grants {
		c := r.IntN(len(t.courses))
		g := baton.Grant{ResourceName: fmt.Sprint("Course number ", c)}
		g.ID.Entitlement = baton.EntitlementID{Resource: baton.ResourceID{Type: "course", ID: t.courses[c]}, Slug: slugs[r.IntN(2)]}
		g.ID.Principal = baton.ResourceID{Type: "user", ID: t.users[r.IntN(len(t.users))]}
		if g.ID.Entitlement.Slug == "completed" {
			g.Metadata = baton.Profile{"completed_date": fmt.Sprintf("2024-%02d-%02d", 1+r.IntN(12), 1+r.IntN(28))}
		}
		give(fixture.Row(writer.GrantRow(g)))
	}
	return failed
}

// BenchmarkSeal seals a tenant with that many accounts, a tenth as many courses and ten times as many grants,
// once into a new file and once beside the previous sync. Peak memory is that of the process, so run one at a
// time. BenchmarkRows measures the cost of the rows themselves.
func BenchmarkSeal(b *testing.B) {
	for _, users := range []int{1_000, 10_000, 100_000} {
		for _, beside := range []string{"nothing", "the previous sync"} {
			b.Run(fmt.Sprint(users, " beside ", beside), func(b *testing.B) {
				t := newTenant(users, users/10)
				cpu := 0.0
				for b.Loop() {
					b.StopTimer()
					path := filepath.Join(b.TempDir(), "sync.c1z")
					if beside != "nothing" {
						sealTenant(b, t, path, fixture.First)
					}
					b.StartTimer()
					before := cpuSeconds(b)
					size := sealTenant(b, t, path, fixture.Second)
					cpu += cpuSeconds(b) - before
					b.ReportMetric(float64(size)/1e6, "MB")
				}
				b.ReportMetric(cpu/float64(b.N), "cpu-s/op")
				b.ReportMetric(cpu/float64(b.N)/float64(users*10)*1e6, "cpu-µs/grant")
				var u syscall.Rusage
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(u.Maxrss)/1024, "peak-MiB")
			})
		}
	}
}

// BenchmarkRows generates the rows of BenchmarkSeal without writing them.
func BenchmarkRows(b *testing.B) {
	for _, users := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(users), func(b *testing.B) {
			t := newTenant(users, users/10)
			before := cpuSeconds(b)
			for b.Loop() {
				if err := t.each(users*10, func(writer.Row) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuSeconds(b)-before)/float64(b.N), "cpu-s/op")
		})
	}
}

func sealTenant(b *testing.B, t *tenant, path, id string) int64 {
	opt := fixture.Full(id)
	opt.Ranks = map[string][]string{"course": {"completed", "in_progress"}}
	w, err := writer.Create(path, opt)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Abort()
	if err := t.each(len(t.users)*10, w.Add); err != nil {
		b.Fatal(err)
	}
	sealed, err := w.Seal(context.Background(), fixture.Started.Add(time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	return sealed.Size
}

func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
