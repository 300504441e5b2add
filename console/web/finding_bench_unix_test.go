//go:build unix

package web

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/console"
	"baton/console/findings"
	"baton/console/ingest"
	"baton/console/store"
)

var benchFindings = flag.Int("findings", 5000, "accounts of the tenant in BenchmarkFindings, each with a finding")

// lookRow holds the cost of one step of BenchmarkFindings.
type lookRow struct {
	what       string
	wall, cpu  time.Duration // cpu includes the server's
	peak, heap int64         // resident bytes of this process: the most, and before
}

// BenchmarkFindings measures how findings are found in a tenant each of whose accounts has one,
// because it belongs to nobody, and the pages that list them, on both databases. It prints two tables.
func BenchmarkFindings(b *testing.B) {
	accounts := *benchFindings * 50 / 49 // one of 50 is disabled
	files := []string{largeTenant(b, noon.Add(-2*time.Hour), accounts, 0)}
	second := largeTenant(b, noon.Add(-time.Hour), accounts, min(1000, accounts))
	var pages []benchPage
	results, looks := map[string][][3]time.Duration{}, map[string][]lookRow{}
	onEachDatabase(b, accounts, 0, files, func(p *pageBench) {
		looks[p.name] = p.looks(second)
		pages = p.findingPages()
		results[p.name] = p.measure(pages)
	})
	fmt.Printf("\n%d findings\n\n| database | step | processor s | wall s | peak MB | before MB |\n|---|---|--:|--:|--:|--:|\n", *benchFindings)
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		for _, r := range looks[name] {
			fmt.Printf("| %s | %s | %.2f | %.2f | %.0f | %.0f |\n", name, r.what, r.cpu.Seconds(), r.wall.Seconds(), float64(r.peak)/1e6, float64(r.heap)/1e6)
		}
	}
	fmt.Printf("\n%d requests of each page, in milliseconds\n\n", *benchRounds)
	printPages(pages, results)
}

// looks lets the console look for accounts that belong to nobody: at first, at everything again,
// after one account was given to somebody, and after a sync that changes 1,000.
func (p *pageBench) looks(second string) (rows []lookRow) {
	s := p.open()
	defer s.Close()
	ctx, now := p.b.Context(), noon
	check := func(err error) {
		p.b.Helper()
		if err != nil {
			p.b.Fatal(err)
		}
	}
	by := func() console.By { now = now.Add(time.Second); return console.By{At: now, Actor: console.Console} }
	measure := func(what string) {
		os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // resets the peak; Linux only
		r := lookRow{what: what, heap: memory("VmRSS:")}
		began, cpu, server := time.Now(), ownTime(), p.server()
		_, err := findings.Update(ctx, s, by(), p.app, console.AccountUnmatched)
		check(err)
		r.wall, r.cpu, r.peak = time.Since(began), ownTime()-cpu+p.server()-server, memory("VmHWM:")
		rows = append(rows, r)
		p.b.ReportMetric(r.cpu.Seconds(), "cpu-s/"+strings.ReplaceAll(what, " ", "-"))
	}
	count := func(want int) {
		var counts []store.FindingCount
		check(s.View(ctx, func(tx *store.Tx) (err error) {
			counts, err = tx.CountFindings(store.FindingScope{console.AccountUnmatched: nil}, console.FindingOpen)
			return err
		}))
		if len(counts) != 1 || counts[0].Count != want {
			p.b.Fatalf("%d findings wanted: %+v", want, counts)
		}
	}
	measure("the first look")
	count(*benchFindings)
	check(s.Update(ctx, by(), func(tx *store.Tx) error { return tx.SetLookedAt(p.app, console.AccountUnmatched, 0) }))
	measure("a look at everything")
	check(s.Update(ctx, by(), func(tx *store.Tx) error {
		id, err := tx.AddPerson(console.Person{Name: "Somebody"})
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(p.first, id, store.OwnerSet)
	}))
	measure("after an event about an account")
	count(*benchFindings - 1)
	in := &ingest.Ingester{Store: s, Scratch: p.b.TempDir(), Now: func() time.Time { return now }}
	file, err := os.Open(second)
	check(err)
	id, err := in.Receive(ctx, console.Console, ingest.Origin{Connector: p.connector, Kind: console.SyncFull, Dispatched: now}, file)
	check(err)
	file.Close()
	applied, err := in.Apply(ctx, console.Console, id)
	check(err)
	if applied.State != console.SyncApplied {
		p.b.Fatalf("the sync is %s", applied.State)
	}
	measure("after a sync that changes 1,000 accounts")
	count(*benchFindings - 1)
	return rows
}

// findingPages are the pages that list findings.
func (p *pageBench) findingPages() []benchPage {
	s := p.open()
	defer s.Close()
	var known []console.Finding
	err := s.View(context.Background(), func(tx *store.Tx) (err error) {
		all, err := tx.CurrentFindings(p.app, console.AccountUnmatched)
		for _, f := range all {
			known = append(known, f)
		}
		return err
	})
	if err != nil {
		p.b.Fatal(err)
	}
	after := func(r *rand.Rand) string {
		f := known[r.IntN(len(known))]
		return url.QueryEscape(cursor(store.FindingAfter{Kind: f.Kind, Appeared: f.Appeared, ID: f.ID}))
	}
	const floor = "SELECT id, account, detail, appeared FROM finding WHERE state = 'open' AND kind = 'account-unmatched' AND (appeared, id) > ($1, $2) ORDER BY appeared, id LIMIT 51"
	const counted = "SELECT app, kind, count(*), min(appeared) FROM finding WHERE state = 'open' GROUP BY app, kind"
	at := func(r *rand.Rand) []any {
		f := known[r.IntN(len(known))]
		return []any{f.Appeared.UnixMicro(), string(f.ID)}
	}
	none := func(*rand.Rand) []any { return nil }
	app := string(p.app)
	return []benchPage{
		{"Home", func(*rand.Rand) string { return "/" }, counted, none},
		{"Findings", func(*rand.Rand) string { return "/findings" }, counted, none},
		{"Findings: a further page", func(r *rand.Rand) string { return "/findings?after=" + after(r) }, floor, at},
		{"Findings of an application and a kind", func(r *rand.Rand) string {
			return "/findings?app=" + app + "&kind=account-unmatched&after=" + after(r)
		}, floor, at},
		{"Findings: accepted, of which there are none", func(*rand.Rand) string { return "/findings?state=accepted" }, counted, none},
		{"Application", func(*rand.Rand) string { return "/applications/" + app }, counted, none},
	}
}

// ownTime returns the processor time of this process.
func ownTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory returns a size of this process in bytes; 0 if the system does not report it.
func memory(field string) int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kB, ok := strings.CutPrefix(line, field); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kB), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
