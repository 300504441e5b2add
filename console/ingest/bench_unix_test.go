//go:build unix

package ingest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/ksuid"
	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
	"baton/console"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/sqlite"
	"baton/console/store/storetest"
)

// large writes a tenant of n accounts with four grants each, one of them in a group with all
// accounts. changed of the accounts are in different groups.
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

// grants is the size of the tenant: four grants for each account.
var grants = flag.Int("grants", 100_000, "grants of the tenant in BenchmarkIngest")

// bench is one database under measurement.
type bench struct {
	b      *testing.B
	name   string
	open   func(at func()) *store.Store
	server func() time.Duration // processor time of the database's server
	floor  func(pairs [][2]int64) error
	rows   []benchRow
}

type benchRow struct {
	what      string
	wall, cpu time.Duration // cpu includes the server's
	peak      int64         // resident bytes of this process
}

// measure runs fn and records its cost.
func (x *bench) measure(what string, fn func() error) benchRow {
	x.b.Helper()
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // resets the peak; Linux only
	began, cpu, server := time.Now(), processorTime(), x.server()
	if err := fn(); err != nil {
		x.b.Fatalf("%s: %s: %v", x.name, what, err)
	}
	row := benchRow{what: what, wall: time.Since(began), cpu: processorTime() - cpu + x.server() - server, peak: peakMemory()}
	x.rows = append(x.rows, row)
	x.b.ReportMetric(row.cpu.Seconds(), "cpu-s/"+strings.ReplaceAll(what, " ", "-"))
	return row
}

// BenchmarkIngest receives and applies a sync, the same again, and one with 2,000 different grants,
// compares the first with the last, and opens the store again. During the first sync, another writer
// commits small changes. It prints a table.
func BenchmarkIngest(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // as the program does
	dir := b.TempDir()
	files := []string{filepath.Join(dir, "1.c1z"), filepath.Join(dir, "2.c1z"), filepath.Join(dir, "3.c1z")}
	accounts := *grants / 4
	large(b, files[0], 1, accounts, 0)
	large(b, files[1], 2, accounts, 0)
	large(b, files[2], 3, accounts, min(334, accounts))
	fmt.Printf("\n%d grants of %d accounts; processor time of the console and of the database's server\n\n", *grants, accounts)
	fmt.Println("| database | step | processor s | wall s | peak MB |\n|---|---|--:|--:|--:|")
	b.Run("sqlite", func(b *testing.B) {
		for b.Loop() {
			path := filepath.Join(b.TempDir(), "console.db")
			x := &bench{b: b, name: "SQLite", server: func() time.Duration { return 0 }, floor: func(pairs [][2]int64) error { return sqliteFloor(filepath.Join(b.TempDir(), "floor.db"), pairs) },
				open: func(at func()) *store.Store {
					db, err := sqlite.OpenDB(b.Context(), sqlite.Config{Path: path, Now: noon})
					if err != nil {
						b.Fatal(err)
					}
					return store.New(storetest.AtBoundaries(db, at), nil)
				}}
			x.run(files)
		}
	})
	b.Run("postgres", func(b *testing.B) {
		for b.Loop() {
			server := pgtest.Start(b)
			x := &bench{b: b, name: "PostgreSQL", server: server.ProcessorTime, floor: func(pairs [][2]int64) error { return postgresFloor(b.Context(), server.URL("public"), pairs) },
				open: func(at func()) *store.Store {
					db, err := postgres.OpenDB(b.Context(), postgres.Config{URL: server.URL("public"), Now: noon})
					if err != nil {
						b.Fatal(err)
					}
					return store.New(storetest.AtBoundaries(db, at), nil)
				}}
			x.run(files)
			server.Remove()
		}
	})
}

func (x *bench) run(files []string) {
	pairs := make([][2]int64, *grants)
	for i := range pairs {
		pairs[i] = [2]int64{int64(i / 1000), int64(i)}
	}
	x.measure("raw insert of pairs of numbers", func() error { return x.floor(pairs) })
	s := x.open(func() {})
	w := newWorldOn(x.b, s)
	for i, name := range []string{"first sync", "the same again", "2,000 changes"} {
		var id console.ID
		x.measure(name+": receive", func() error {
			id = w.receive(files[i], console.SyncFull)
			return nil
		})
		var stop func() []time.Duration
		if i == 0 {
			stop = commitBeside(x.b, s)
		}
		x.measure(name+": apply", func() error {
			applied, err := w.in.Apply(x.b.Context(), console.Console, id)
			if err == nil && applied.State != console.SyncApplied {
				err = fmt.Errorf("%+v", applied)
			}
			return err
		})
		if stop != nil {
			took := stop()
			slices.Sort(took)
			x.rows = append(x.rows, benchRow{what: fmt.Sprintf("commits beside it: %d, p95", len(took)), wall: took[len(took)*95/100]})
			x.b.ReportMetric(took[len(took)*95/100].Seconds()*1000, "ms/p95-beside")
		}
	}
	var syncs []console.Sync
	err := s.View(x.b.Context(), func(tx *store.Tx) (err error) {
		syncs, err = tx.Syncs(w.connector, store.SyncBefore{}, 3)
		return err
	})
	if err != nil {
		x.b.Fatal(err)
	}
	lines := 0
	x.measure("difference", func() error {
		for _, err := range s.Differences(x.b.Context(), w.connector, syncs[2].Number, syncs[0].Number) {
			if err != nil {
				return err
			}
			lines++
		}
		return nil
	})
	x.rows[len(x.rows)-1].what = fmt.Sprintf("difference, %d lines", lines)
	s.Close()
	x.measure("open the store and list accounts", func() error {
		s = x.open(func() {})
		return s.View(x.b.Context(), func(tx *store.Tx) error {
			m, err := tx.Moment(w.app, time.Time{})
			if err == nil {
				_, err = tx.Accounts(m, store.ResourceAfter{}, store.PageSize)
			}
			return err
		})
	})
	s.Close()
	x.undo(files[0])
	for _, r := range x.rows {
		fmt.Printf("| %s | %s | %.2f | %.3f | %.0f |\n", x.name, r.what, r.cpu.Seconds(), r.wall.Seconds(), float64(r.peak)/1e6)
	}
}

// undo stops the first sync of another connector when most of it is written, and measures how long
// undoing takes.
func (x *bench) undo(file string) {
	// An account has a resource, a version and three lookups, a grant two rows.
	boundaries := int64(*grants/4*5+*grants*2) / storetest.RowsBetween * 85 / 100
	ctx, cancel := context.WithCancel(x.b.Context())
	var passed atomic.Int64
	var began time.Time
	var cpu, server time.Duration
	s := x.open(func() {
		if passed.Add(1) == boundaries {
			began, cpu, server = time.Now(), processorTime(), x.server()
			cancel()
		}
	})
	defer s.Close()
	w := namedWorldOn(x.b, s, "undone")
	id := w.receive(file, console.SyncFull)
	passed.Store(0)
	if _, err := w.in.Apply(ctx, console.Console, id); !errors.Is(err, context.Canceled) {
		x.b.Fatalf("a sync that was ended: %v", err)
	}
	x.rows = append(x.rows, benchRow{what: "undo most of a first sync", wall: time.Since(began), cpu: processorTime() - cpu + x.server() - server, peak: peakMemory()})
	x.b.ReportMetric(x.rows[len(x.rows)-1].cpu.Seconds(), "cpu-s/undo")
}

// commitBeside commits a small change every 20 ms until stopped, and returns the durations.
func commitBeside(b *testing.B, s *store.Store) (stop func() []time.Duration) {
	ctx, cancel := context.WithCancel(b.Context())
	var all []time.Duration
	var done sync.WaitGroup
	done.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			began := time.Now()
			err := s.Update(ctx, console.By{At: noon, Actor: console.Console}, func(t *store.Tx) error {
				_, err := t.AddPerson(console.Person{Name: fmt.Sprintf("Person %d", n)})
				return err
			})
			if err != nil {
				if ctx.Err() == nil {
					b.Error(err)
				}
				return
			}
			all = append(all, time.Since(began))
			time.Sleep(20 * time.Millisecond)
		}
	})
	return func() []time.Duration {
		cancel()
		done.Wait()
		return all
	}
}

// sqliteFloor inserts pairs in one transaction, by the library alone.
func sqliteFloor(path string, pairs [][2]int64) (err error) {
	conn, err := zs.OpenConn(path, zs.OpenReadWrite|zs.OpenCreate)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, "CREATE TABLE f (a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID", nil); err != nil {
		return err
	}
	defer sqlitex.Transaction(conn)(&err)
	stmt := conn.Prep("INSERT INTO f VALUES (?, ?)")
	for _, p := range pairs {
		stmt.BindInt64(1, p[0])
		stmt.BindInt64(2, p[1])
		if _, err := stmt.Step(); err != nil {
			return err
		}
		if err := stmt.Reset(); err != nil {
			return err
		}
	}
	return nil
}

// postgresFloor copies pairs into a table with a primary key.
func postgresFloor(ctx context.Context, url baton.Secret, pairs [][2]int64) error {
	conn, err := pgx.Connect(ctx, url.Reveal())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE TABLE f (a bigint, b bigint, PRIMARY KEY (a, b))"); err != nil {
		return err
	}
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"f"}, []string{"a", "b"}, pgx.CopyFromSlice(len(pairs), func(i int) ([]any, error) { return []any{pairs[i][0], pairs[i][1]}, nil }))
	return err
}

// processorTime returns the processor time of this process.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory returns the largest resident size of this process since the last reset; 0 if the system
// does not report it.
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kB, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kB), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
