package postgres_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/sqlite"
	"baton/console/store/storetest"
	"baton/internal/longtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// database is a schema of the test server. Each Open has its own pool, like another replica.
type database struct{ url baton.Secret }

func (d database) TryOpen(t testing.TB) (engine.DB, error) {
	db, err := postgres.OpenDB(context.Background(), postgres.Config{URL: d.url, Now: noon, CallersClock: true})
	if err == nil {
		t.Cleanup(func() { db.Close() })
	}
	return db, err
}

func (d database) Open(t testing.TB) engine.DB {
	db, err := d.TryOpen(t)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func fresh(t testing.TB) storetest.Database { return database{pgtest.New(t)} }

func (d database) OpenAt(t testing.TB, migrations int) engine.DB {
	db, err := postgres.OpenAt(context.Background(), postgres.Config{URL: d.url, Now: noon, CallersClock: true}, migrations)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// liteDatabase is an SQLite file.
type liteDatabase struct{ path string }

func (d liteDatabase) Open(t testing.TB) engine.DB {
	db, err := sqlite.OpenDB(context.Background(), sqlite.Config{Path: d.path, Now: noon, NoFlush: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestUpgrades: a database of every earlier schema is brought up to date.
func TestUpgrades(t *testing.T) {
	lite := func(t testing.TB) storetest.Database { return liteDatabase{filepath.Join(t.TempDir(), "console.db")} }
	storetest.Upgrades(t, lite, func(t testing.TB) storetest.Upgrader { return database{pgtest.New(t)} })
}

func TestStore(t *testing.T) { storetest.Run(t, fresh) }

// TestDatabaseClock checks that replicas with wrong clocks agree about leases, because the
// database's clock is used.
func TestDatabaseClock(t *testing.T) {
	ctx := context.Background()
	s, err := postgres.Open(ctx, postgres.Config{URL: pgtest.New(t), Now: noon}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	past, future := now.Add(-24*time.Hour), now.Add(24*time.Hour)
	err = s.Update(ctx, console.By{At: now}, func(tx *store.Tx) error {
		return errors.Join(tx.SetDue("kind", "past", now.Add(-time.Minute), nil), tx.SetDue("kind", "future", now.Add(time.Hour), nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Claim(ctx, past, "kind", "slow clock", time.Hour, 9)
	if err != nil || len(got) != 1 || got[0].Ref != "past" {
		t.Errorf("a replica whose clock is slow claims %+v, %v", got, err)
	}
	got, err = s.Claim(ctx, future, "kind", "fast clock", time.Hour, 9)
	if err != nil || len(got) != 0 {
		t.Errorf("a replica whose clock is fast claims %+v, %v", got, err)
	}
}

// TestLongTransaction: the time for a COMMIT begins with it, and not with the transaction, however long that
// takes.
func TestLongTransaction(t *testing.T) {
	ctx := context.Background()
	db, err := postgres.OpenDB(ctx, postgres.Config{URL: pgtest.New(t), Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.CommitWithin(time.Second)
	for name, run := range map[string]func(context.Context, func(engine.Tx) error) error{"read": db.Read, "write": db.Write} {
		if err := run(ctx, func(tx engine.Tx) error {
			return tx.Query(func(engine.Row) error { return nil }, "SELECT 1 FROM pg_sleep(1.1)")
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRestart stops and kills the server: commands fail as unavailable, and the same store works
// again when the server is back, including wake-ups.
func TestRestart(t *testing.T) {
	ctx := context.Background()
	server := pgtest.Start(t)
	s, err := postgres.Open(ctx, postgres.Config{URL: server.URL("public"), Now: noon}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	woken, stop := s.Watch("topic")
	defer stop()
	n := 0
	write := func() error {
		return s.Update(ctx, console.By{At: noon}, func(tx *store.Tx) error {
			tx.Wake("topic")
			return tx.SetSetting("n", []byte{byte(n)})
		})
	}
	for _, end := range []func(){server.Stop, server.Kill} {
		n++
		if err := write(); err != nil {
			t.Fatal(err)
		}
		end()
		if err := write(); baton.KindOf(err) != baton.Unavailable {
			t.Errorf("without a server: %v (%v)", err, baton.KindOf(err))
		}
		if err := server.Run(); err != nil {
			t.Fatal(err)
		}
		var got []byte
		read := func() error {
			return s.View(ctx, func(tx *store.Tx) (err error) {
				got, err = tx.Setting("n")
				return err
			})
		}
		// Old connections are found broken one by one.
		for try := 0; ; try++ {
			err := read()
			if err == nil {
				break
			}
			if try == 20 || baton.KindOf(err) != baton.Unavailable {
				t.Fatalf("the server is back: %v (%v)", err, baton.KindOf(err))
			}
		}
		if len(got) != 1 || got[0] != byte(n) {
			t.Errorf("read %v, want what was committed, %d", got, n)
		}
		deadline := time.After(time.Minute)
		for waiting := true; waiting; {
			select {
			case <-woken:
				waiting = false
			case <-time.After(100 * time.Millisecond):
				if err := write(); err != nil {
					t.Fatal(err)
				}
			case <-deadline:
				t.Fatal("no wake-up after the server was restarted")
			}
		}
	}
	if r, err := s.VerifyChain(ctx); err != nil || len(r.Faults) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestArguments checks that a value of the wrong type is an error, and that text which PostgreSQL
// cannot store is the caller's error.
func TestArguments(t *testing.T) {
	db := fresh(t).Open(t)
	for _, tt := range []struct {
		sql  string
		args []any
		want baton.Kind
	}{
		{"SELECT 1 FROM setting WHERE value = $1", []any{"text for bytes"}, baton.Internal},
		{"SELECT 1 FROM setting WHERE name = $1", []any{[]byte("bytes for text")}, baton.Internal},
		{"SELECT 1 FROM setting WHERE changed = $1", []any{true}, baton.Internal},
		{"SELECT 1 FROM setting WHERE changed = $1", nil, baton.Internal},
		{"SELECT 1 FROM setting WHERE name = $1", []any{"a\x00b"}, baton.Invalid},
		{"SELECT 1 FROM setting WHERE name = $1", []any{"\xff"}, baton.Invalid},
		{"SELECT 1 FROM nothing", nil, baton.Internal},
	} {
		err := db.Write(context.Background(), func(tx engine.Tx) error {
			_, err := tx.Exec(tt.sql, tt.args...)
			return err
		})
		if err == nil || baton.KindOf(err) != tt.want {
			t.Errorf("%s, %q: %v (%v), want %v", tt.sql, tt.args, err, baton.KindOf(err), tt.want)
		}
	}
}

// TestAddress checks the errors for wrong addresses, and that they do not contain the password.
func TestAddress(t *testing.T) {
	const password = "hunter2-secret"
	for address, want := range map[string]baton.Kind{
		"postgres://user:" + password + "@127.0.0.1:1/db?connect_timeout=2": baton.Unavailable,
		"postgres://user:" + password + "@[bad/db":                          baton.Invalid,
	} {
		_, err := postgres.Open(context.Background(), postgres.Config{URL: baton.NewSecret(address), Now: noon}, nil)
		if baton.KindOf(err) != want || strings.Contains(err.Error(), password) {
			t.Errorf("%v (%v), want %v", err, baton.KindOf(err), want)
		}
	}
}

// TestSchemasAgree checks that both databases have the same tables and columns.
func TestSchemasAgree(t *testing.T) {
	lite, err := sqlite.OpenDB(context.Background(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true})
	if err != nil {
		t.Fatal(err)
	}
	defer lite.Close()
	storetest.CompareSchemas(t, lite, fresh(t).Open(t))
}

// TestReplicasCreateTheSchema checks repeatedly that replicas may start at once on an empty
// database. CREATE TABLE IF NOT EXISTS alone fails in several ways when it runs concurrently.
func TestReplicasCreateTheSchema(t *testing.T) {
	for range longtest.Pick(4, 20) {
		d := database{pgtest.New(t)}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := d.TryOpen(t); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

func TestSearchMigration(t *testing.T) {
	found, err := filepath.Glob("migrations/*_search.sql")
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	storetest.SearchMigration(t, fresh(t), string(text))
}
