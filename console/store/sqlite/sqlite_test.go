package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/console/store/internal/engine"
	"baton/console/store/sqlite"
	"baton/console/store/storetest"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// database is a file. Each Open has its own connections, like another process.
type database struct{ path string }

func (d database) TryOpen(t testing.TB) (engine.DB, error) {
	db, err := sqlite.OpenDB(context.Background(), sqlite.Config{Path: d.path, Now: noon, NoFlush: true})
	if err == nil {
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
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

func fresh(t testing.TB) storetest.Database {
	return database{filepath.Join(t.TempDir(), "console.db")}
}

func (d database) OpenAt(t testing.TB, migrations int) engine.DB {
	db, err := sqlite.OpenAt(context.Background(), sqlite.Config{Path: d.path, Now: noon, NoFlush: true}, migrations)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// TestUpgrades: a database of every earlier schema is brought up to date.
func TestUpgrades(t *testing.T) {
	storetest.Upgrades(t, fresh, func(t testing.TB) storetest.Upgrader { return database{filepath.Join(t.TempDir(), "console.db")} })
}

func TestStore(t *testing.T) { storetest.Run(t, fresh) }

// TestForeignFiles checks that files of other programs are refused and not changed.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other.db")
	conn, err := zs.OpenConn(other, zs.OpenReadWrite|zs.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteScript(conn, "CREATE TABLE theirs (a)", nil); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]baton.Kind{other: baton.Refused, text: baton.Corrupt, filepath.Join(dir, "none", "console.db"): baton.Storage} {
		before, _ := os.ReadFile(path)
		_, err := sqlite.Open(context.Background(), sqlite.Config{Path: path, Now: noon}, nil)
		if baton.KindOf(err) != want {
			t.Errorf("%s: %v (%v), want %v", filepath.Base(path), err, baton.KindOf(err), want)
		}
		if after, _ := os.ReadFile(path); path == text && string(after) != string(before) {
			t.Errorf("%s was changed", filepath.Base(path))
		}
	}
}

func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	database{path}.Open(t)
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", filepath.Base(f), info.Mode(), err)
		}
	}
}

// TestWritersTakeTurns checks that a waiting command ends with its context, and that waiting
// commands are served in order.
func TestWritersTakeTurns(t *testing.T) {
	db := fresh(t).Open(t)
	inside, release := make(chan bool), make(chan bool)
	go db.Write(context.Background(), func(engine.Tx) error {
		close(inside)
		<-release
		return nil
	})
	<-inside
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- db.Write(ctx, func(engine.Tx) error { return nil }) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a waiting writer ended with %v", err)
	}
	close(release)
	// A context that ends during a statement interrupts it and undoes the command.
	ctx, cancel = context.WithCancel(context.Background())
	err := db.Write(ctx, func(tx engine.Tx) error {
		if _, err := tx.Exec("UPDATE counter SET next = 99"); err != nil {
			return err
		}
		cancel()
		return tx.Query(func(engine.Row) error { return nil },
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT max(i) FROM n")
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted writer ended with %v", err)
	}
	err = db.Read(context.Background(), func(tx engine.Tx) error {
		return tx.Query(func(r engine.Row) error {
			if r.Int(0) == 99 {
				t.Error("the interrupted command was committed")
			}
			return nil
		}, "SELECT next FROM counter WHERE name = 'sync'")
	})
	if err != nil {
		t.Error(err)
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
