//go:build unix

package hosted_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"baton"
	"baton/connector/perplexity"
	"baton/console"
	"baton/console/govern"
	"baton/console/hosted"
	"baton/console/ingest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
	"baton/console/store/storetest"
	"baton/console/worker"
	"baton/internal/longtest"
	sandbox "baton/sandbox/perplexity"
)

// victimVariable holds the configuration of a process that TestKill starts, as JSON.
const victimVariable = "BATON_TEST_HOSTED_VICTIM"

func init() {
	text := os.Getenv(victimVariable)
	if text == "" {
		return
	}
	var v victim
	err := json.Unmarshal([]byte(text), &v)
	if err == nil {
		err = v.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// victim is a console that works until an operation is verified, or kills itself earlier.
type victim struct {
	Path, URL string // one of the two
	Key       []byte
	Operation console.ID // "": until a first sync is applied
	Scratch   string
	Boundary  int64 // of its work with the database, counted from 1; 0 for none
}

func (v victim) open(ctx context.Context, at func()) (*store.Store, error) {
	keys, err := store.NewKeyring("test", map[string][]byte{"test": v.Key})
	if err != nil {
		return nil, err
	}
	if at == nil {
		at = func() {}
	}
	if v.Path != "" {
		db, err := sqlite.OpenDB(ctx, sqlite.Config{Path: v.Path, Now: time.Now(), NoFlush: true}) // written data survives the death of the process
		if err != nil {
			return nil, err
		}
		return store.New(storetest.AtBoundaries(db, at), keys), nil
	}
	db, err := postgres.OpenDB(ctx, postgres.Config{URL: baton.NewSecret(v.URL), Now: time.Now(), Connections: 6})
	if err != nil {
		return nil, err
	}
	return store.New(storetest.AtBoundaries(db, at), keys), nil
}

func (v victim) console(s *store.Store) *govern.Console {
	product := govern.Product{Name: "perplexity", DisplayName: "Perplexity", Settings: perplexity.Settings(), Open: perplexity.Open}
	return govern.New(govern.Config{Store: s, Products: []govern.Product{product}, Allow: loopback().Allow})
}

// over reports whether the work is done.
func (v victim) over(tx *store.Tx) (bool, error) {
	if v.Operation != "" {
		o, err := tx.Operation(v.Operation)
		return o.State == console.Verified, err
	}
	connectors, err := tx.Connectors("")
	if err != nil {
		return false, err
	}
	head, err := tx.HeadSync(connectors[0].Stream)
	return head != nil, err
}

// run does the work of the process.
func (v victim) run() error {
	var passed atomic.Int64
	at := func() {
		if n := passed.Add(1); n == v.Boundary {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // waits for the signal
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	go func() { // not longer than the process that started it
		io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	s, err := v.open(ctx, at)
	if err != nil {
		return err
	}
	defer s.Close()
	watching, err := v.open(ctx, nil)
	if err != nil {
		return err
	}
	defer watching.Close()
	passed.Store(0)
	log := slog.New(slog.DiscardHandler)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	w := worker.New(worker.Config{Store: s, Owner: "victim", Lease: 2 * time.Second, Poll: 500 * time.Millisecond, Log: log, Ingester: &ingest.Ingester{Store: s, Now: time.Now, Scratch: v.Scratch}})
	wg.Go(func() { w.Run(ctx) })
	wg.Go(func() {
		hosted.Run(ctx, hosted.Config{Store: s, Console: v.console(s), Host: "host", Version: "test", Scratch: v.Scratch, Log: log,
			RPC: rpc.Config{Store: rpcstore.New(s), Now: time.Now, Poll: 100 * time.Millisecond, Sweep: 200 * time.Millisecond}})
	})
	for {
		over := false
		err := watching.View(ctx, func(tx *store.Tx) (err error) {
			over, err = v.over(tx)
			return err
		})
		if err != nil {
			return err
		}
		if over {
			fmt.Printf("boundaries %d\n", passed.Load())
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// start runs the victim in a process of its own until it ends.
func (v victim) start(t *testing.T) (killed bool, boundaries int64) {
	t.Helper()
	v.Scratch = t.TempDir()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimVariable+"="+string(b))
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	in, err := cmd.StdinPipe()
	if err == nil {
		defer in.Close()
		err = cmd.Start()
	}
	if err == nil {
		err = cmd.Wait()
	}
	if exit := (*exec.ExitError)(nil); err != nil {
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%+v: %v\n%s", v, err, errs.String())
		}
		return true, 0
	}
	_, n, _ := strings.Cut(out.String(), "boundaries ")
	if boundaries, err = strconv.ParseInt(strings.TrimSpace(n), 10, 64); err != nil {
		t.Fatalf("%s%s", out.String(), errs.String())
	}
	return false, boundaries
}

// TestKill kills the console with SIGKILL while it carries out an operation: before it dispatches
// the task, while the connector makes the change, before and after it records the answer, and while
// it reads the sync that verifies the change. The boundaries of its database work are counted, and
// some are chosen at random. It is restarted when the leases have expired. Each operation ends
// verified, with one change upstream.
func TestKill(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		killAll(t, victim{Path: filepath.Join(t.TempDir(), "console.db"), Key: store.NewKey()}, longtest.Pick(2, 60))
	})
	t.Run("postgres", func(t *testing.T) {
		killAll(t, victim{URL: pgtest.New(t).Reveal(), Key: store.NewKey()}, longtest.Pick(2, 40))
	})
}

func killAll(t *testing.T, v victim, kills int) {
	org := sandbox.New(sandbox.Options{})
	server := httptest.NewServer(org)
	defer server.Close()
	s, err := v.open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := &course{world: &world{t: t, store: s, tasks: rpcstore.New(s), org: org}, by: console.By{Actor: console.Console}}
	c.console = v.console(s)
	var root console.Person
	c.update(func(tx *store.Tx) error {
		id, err := tx.AddPerson(console.Person{Name: "Root", Roles: []console.ConsoleRole{console.SuperAdministrator}})
		if err == nil {
			root, err = tx.Person(id)
		}
		return err
	})
	c.caller = govern.Caller{Person: root, Session: console.Session{Person: root.ID, Proved: time.Now()}}
	if c.connector, err = c.console.AddConnector(t.Context(), c.caller, govern.NewConnector{Name: "Perplexity", Product: "perplexity", NewApp: "Perplexity", Hosted: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.configure(server.URL+org.URLPath(), org.Token()); err != nil {
		t.Fatal(err)
	}
	c.view(func(tx *store.Tx) error {
		con, err := tx.Connector(c.connector)
		c.app = con.App
		return err
	})
	v.start(t) // the first sync

	user := c.outsider(adminGroup).ID
	account, e := c.account(user), c.group(adminGroup)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	boundaries, killed := int64(0), 0
	for round := 0; killed < kills && round < 3*kills; round++ {
		verb := []console.Verb{console.Grant, console.Revoke}[round%2]
		before := c.changes()
		var o console.Operation
		c.update(func(tx *store.Tx) (err error) {
			o, err = tx.CreateOperation(console.Operation{App: c.app, Connector: c.connector, Account: account, Entitlement: e, Verb: verb,
				Cause: console.Cause{Kind: console.CauseApproval, Ref: "request", Evidence: console.EvidenceDecision}}, store.Circumstances{})
			return err
		})
		v := v
		v.Operation = o.ID
		if boundaries == 0 { // the first round counts them
			_, boundaries = v.start(t)
		} else {
			v.Boundary = 1 + random.Int64N(boundaries)
			if dead, _ := v.start(t); dead {
				killed++
				storetest.Age(t, s, console.WriteLease+time.Minute)
				again := v
				again.Boundary = 0
				again.start(t)
			}
		}
		failed := func(format string, args ...any) {
			t.Errorf("round %d, %s killed at boundary %d of %d (seed %d): %s", round, verb, v.Boundary, boundaries, seed, fmt.Sprintf(format, args...))
		}
		if n := c.changes() - before; n != 1 || c.member(adminGroup, user) != (verb == console.Grant) {
			failed("%d changes upstream, member: %v", n, c.member(adminGroup, user))
		}
		c.view(func(tx *store.Tx) error {
			events, err := tx.Events(store.EventFilter{Object: string(o.ID)}, 0, store.PageSize)
			ends := 0
			for _, e := range events {
				if e.Kind == "operation."+string(console.Verified) {
					ends++
				}
			}
			if got, err := tx.Operation(o.ID); err != nil || got.State != console.Verified || ends != 1 {
				failed("%s, ended %d times, %v", got.State, ends, err)
			}
			return err
		})
	}
	if r, err := s.VerifyChain(t.Context()); err != nil || len(r.Faults) > 0 {
		t.Errorf("chain: %+v, %v", r.Faults, err)
	}
	if killed == 0 {
		t.Error("nothing was killed")
	}
	t.Logf("%d operations whose console was killed, at %d boundaries (seed %d)", killed, boundaries, seed)
}
