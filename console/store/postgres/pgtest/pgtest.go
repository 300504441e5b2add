// Package pgtest starts a PostgreSQL server for tests, from the installed programs.
//
// A test binary that uses it has
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// The binary shares one server, which listens on a socket in a temporary directory. It is stopped
// and deleted at the end. Every call of [New] creates a schema, which is faster than a database.
// Wake-ups reach all schemas. Without PostgreSQL, tests are skipped, or fail if
// BATON_TEST_POSTGRES=require is set.
package pgtest

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baton"
)

// requireVariable makes tests fail instead of being skipped, if it is "require".
const requireVariable = "BATON_TEST_POSTGRES"

var shared struct {
	mu     sync.Mutex
	inMain bool
	server *Server
	err    error
	made   atomic.Int64 // number of schemas
}

// Main runs the tests of a binary and stops the server.
func Main(m *testing.M) {
	shared.inMain = true
	code := m.Run()
	if shared.server != nil {
		shared.server.Remove()
	}
	os.Exit(code)
}

// New returns the address of a new empty schema on the binary's server, which does not flush commits
// to the disk.
func New(t testing.TB) baton.Secret {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.inMain {
		t.Fatal("pgtest: the test binary must call pgtest.Main in its TestMain")
	}
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = start("fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	skipOrFail(t, shared.err)
	return shared.server.newSchema(t)
}

// Start starts a server for one test, which flushes commits to the disk. It is removed when the test
// ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := start()
	skipOrFail(t, err)
	t.Cleanup(s.Remove)
	return s
}

func skipOrFail(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv(requireVariable) == "require" || baton.KindOf(err) != baton.Unsupported:
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// programs returns the directory with PostgreSQL's programs: the newest installed version.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", baton.Errorf(baton.Unsupported, "pgtest: PostgreSQL is not installed in /usr/lib/postgresql").WithFix("Install it: apt-get install postgresql.")
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }) // numerically: 9 before 15
	return filepath.Dir(found[len(found)-1]), nil
}

// URL returns the address of a schema on the server; "public" exists from the start.
func (s *Server) URL(schema string) baton.Secret {
	q := url.Values{"host": {s.dir}, "user": {"console"}, "sslmode": {"disable"}, "search_path": {schema}}
	return baton.NewSecret("postgres:///postgres?" + q.Encode())
}

// newSchema creates a schema. It is not dropped, because that takes longer than the test.
func (s *Server) newSchema(t testing.TB) baton.Secret {
	t.Helper()
	name := fmt.Sprintf("test%d", shared.made.Add(1))
	if err := s.exec("CREATE SCHEMA " + name); err != nil {
		t.Fatalf("pgtest: make a schema: %v", err)
	}
	return s.URL(name)
}

func (s *Server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("public").Reveal())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// wait waits until the server answers.
func (s *Server) wait() error {
	deadline := time.Now().Add(time.Minute)
	for {
		err := s.exec("SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || !s.running() {
			return fmt.Errorf("pgtest: the server does not answer: %w; it says: %s", err, s.output())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Set changes a setting of the running server, for sessions that exist, too: it returns when another
// session that existed before has read it.
func (s *Server) Set(t testing.TB, name, value string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.URL("public").Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	other, err := pgx.Connect(ctx, s.URL("public").Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(ctx)
	for _, sql := range []string{"SET default_transaction_read_only = off", "ALTER SYSTEM SET " + name + " = " + value, "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	for got := ""; got != value; {
		if err := other.QueryRow(ctx, "SHOW "+name).Scan(&got); err != nil {
			t.Fatal(err)
		}
	}
}
