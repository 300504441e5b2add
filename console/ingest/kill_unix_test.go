//go:build unix

package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/c1z"
	"baton/console"
	"baton/console/ingest"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/sqlite"
	"baton/console/store/storetest"
	"baton/internal/longtest"
)

// victimVariable holds the configuration of a process that TestKill starts, as JSON.
const victimVariable = "BATON_TEST_INGEST_VICTIM"

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
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// place is the address of a database, for several processes.
type place struct{ Path, URL string } // one of the two

// victim receives and applies a file, or continues an earlier one. It kills itself with SIGKILL at a
// boundary.
type victim struct {
	place
	Connector console.ID
	File      string
	Scratch   string
	Boundary  int64         // counted from 1; 0 for none
	After     time.Duration // kills itself after this time; 0: never
}

func (p place) openDB(at func()) (s *store.Store, counts func() (map[string]int64, error), err error) {
	ctx := context.Background()
	if p.Path != "" {
		db, err := sqlite.OpenDB(ctx, sqlite.Config{Path: p.Path, Now: noon, NoFlush: true, Readers: 1}) // written data survives the death of the process
		if err != nil {
			return nil, nil, err
		}
		return store.New(storetest.AtBoundaries(db, at), nil), func() (map[string]int64, error) { return storetest.CountRows(ctx, db) }, nil
	}
	db, err := postgres.OpenDB(ctx, postgres.Config{URL: baton.NewSecret(p.URL), Now: noon, Connections: 4})
	if err != nil {
		return nil, nil, err
	}
	return store.New(storetest.AtBoundaries(db, at), nil), func() (map[string]int64, error) { return storetest.CountRows(ctx, db) }, nil
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
	if v.After > 0 {
		time.AfterFunc(v.After, func() { syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	}
	s, _, err := v.openDB(at)
	if err != nil {
		return err
	}
	defer s.Close()
	passed.Store(0)
	in := &ingest.Ingester{Store: s, Now: time.Now, Scratch: v.Scratch}
	ctx := context.Background()
	content, err := os.ReadFile(v.File)
	if err != nil {
		return err
	}
	// Continue received syncs that are not applied, like the console's queue.
	var open []console.Sync
	err = s.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Syncs(v.Connector, store.SyncBefore{}, store.PageSize)
		open = slices.DeleteFunc(all, func(s console.Sync) bool { return s.State != console.SyncReceived && s.State != console.SyncStaging })
		return err
	})
	if err != nil {
		return err
	}
	var id console.ID
	if len(open) > 0 {
		id = open[0].ID
	} else if id, err = in.Receive(ctx, console.Console, ingest.Origin{Connector: v.Connector, Kind: console.SyncFull}, bytes.NewReader(content)); err != nil {
		return err
	}
	if _, err := in.Apply(ctx, console.Console, id); err != nil {
		return err
	}
	fmt.Printf("boundaries %d\n", passed.Load())
	return nil
}

// start runs the victim in a process of its own.
func (v victim) start(t *testing.T) (killed bool, boundaries int64) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimVariable+"="+string(b))
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil {
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%+v: %v\n%s", v, err, out)
		}
		return true, 0
	}
	_, n, _ := strings.Cut(string(out), "boundaries ")
	boundaries, err = strconv.ParseInt(strings.TrimSpace(n), 10, 64)
	if err != nil {
		t.Fatalf("%s", out)
	}
	return false, boundaries
}

// shown returns the whole content of an app as text.
func shown(t *testing.T, s *store.Store, app console.ID) string {
	t.Helper()
	var lines []string
	err := s.View(t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		entitlements := map[console.EntitlementKey]string{}
		for after := (store.ResourceAfter{}); ; {
			page, err := tx.Accounts(m, after, store.PageSize)
			if err != nil {
				return err
			}
			for _, a := range page {
				after = a.After()
				state := "disabled"
				if console.HasAccount(true, a.Status) {
					state = "enabled"
				}
				lines = append(lines, fmt.Sprintf("account %s %s %s", a.ID, a.Account.Login, state))
				facts, err := tx.HeldBy(m, a.Key, 0, store.PageSize)
				if err != nil {
					return err
				}
				for _, f := range facts {
					if entitlements[f.Entitlement] == "" {
						e, err := tx.Entitlement(m, f.Entitlement)
						if err != nil {
							return err
						}
						entitlements[f.Entitlement] = strings.TrimSuffix(strings.TrimPrefix(e.ID, "group:"), ":member")
					}
					lines = append(lines, fmt.Sprintf("grant %s %s", entitlements[f.Entitlement], a.ID))
				}
			}
			if len(page) < store.PageSize {
				return nil
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// crowd is a tenant whose people, logins and memberships depend on a number.
func crowd(n int) tenant {
	rnd := rand.New(rand.NewPCG(uint64(n), 7))
	x := tenant{logins: map[string]string{}, off: map[string]bool{}, service: map[string]bool{}, created: map[string]time.Time{}, members: map[string][]string{}}
	for i := range longtest.Pick(150, 300) {
		if rnd.IntN(20) == 0 {
			continue
		}
		id := fmt.Sprintf("u%04d", i)
		x.logins[id] = fmt.Sprintf("login%d", i)
		x.off[id] = rnd.IntN(4) == 0
		for range 3 {
			group := fmt.Sprintf("group%d", rnd.IntN(8))
			if !slices.Contains(x.members[group], id) {
				x.members[group] = append(x.members[group], id)
			}
		}
	}
	return x
}

// TestKill kills a process that applies syncs, at every k-th boundary of a dry run, and some at
// random times. The store then completely shows the previous sync or the new one. The next process,
// which may be killed too, ends with the new one. At the end the store has the same rows as one
// without kills.
func TestKill(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		testKill(t, place{Path: filepath.Join(t.TempDir(), "killed.db")}, place{Path: filepath.Join(t.TempDir(), "undisturbed.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		testKill(t, place{URL: pgtest.New(t).Reveal()}, place{URL: pgtest.New(t).Reveal()})
	})
}

func testKill(t *testing.T, killed, undisturbed place) {
	kills, timed := longtest.Pick(4, 200), longtest.Pick(1, 50)
	nothing := func() {}
	begin := func(p place) (app, connector console.ID) {
		s, _, err := p.openDB(nothing)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w := newWorldOn(t, s)
		return w.app, w.connector
	}
	app, connector := begin(killed)
	otherApp, otherConnector := begin(undisturbed)
	scratch, dir := t.TempDir(), t.TempDir()
	file := func(n int) string {
		path := filepath.Join(dir, fmt.Sprintf("%d.c1z", n))
		if err := os.Rename(crowd(n).file(t, n+1, c1z.Full), path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	look := func(p place, app console.ID) string {
		s, _, err := p.openDB(nothing)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return shown(t, s, app)
	}
	// The dry run: the first two syncs, on both databases.
	var boundaries int64
	for n := range 2 {
		path := file(n)
		victim{place: undisturbed, Connector: otherConnector, File: path, Scratch: scratch}.start(t)
		_, boundaries = victim{place: killed, Connector: connector, File: path, Scratch: scratch}.start(t)
	}
	old := look(killed, app)
	if diff := cmp.Diff(strings.Join(crowd(1).lines(), "\n"), old); diff != "" || boundaries < 20 {
		t.Fatalf("the dry run passed %d boundaries (-want +got):\n%s", boundaries, diff)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	died, again, before, after := 0, 0, 0, 0
	n := 2
	for ; died < kills+timed && n < 4*(kills+timed); n++ {
		path := file(n)
		v := victim{place: killed, Connector: connector, File: path, Scratch: scratch}
		if died < kills {
			v.Boundary = 1 + (int64(died)*boundaries/int64(kills)+int64(n%3))%boundaries
		} else {
			v.After = time.Duration(rnd.IntN(150)) * time.Millisecond
		}
		want := strings.Join(crowd(n).lines(), "\n")
		for first := true; ; first = false {
			dead, _ := v.start(t)
			got := look(killed, app)
			switch {
			case got == want:
				after++
			case dead && got == old:
				before++
			default:
				t.Fatalf("sync %d, killed at boundary %d or after %v: the store shows neither sync:\n%s", n, v.Boundary, v.After, cmp.Diff(want, got))
			}
			if !dead {
				break
			}
			died++
			if !first {
				again++
			}
			v.Boundary, v.After = 0, 0
			if first && rnd.IntN(3) == 0 {
				v.Boundary = 1 + rnd.Int64N(boundaries)
			}
		}
		old = want
		victim{place: undisturbed, Connector: otherConnector, File: path, Scratch: scratch}.start(t)
		os.Remove(path)
	}
	t.Logf("%d boundaries; %d processes killed, %d of them while they went on; %d left the previous sync, %d times the new one was there", boundaries, died, again, before, after)
	if died < kills+timed || before == 0 {
		t.Errorf("only %d processes were killed, %d before the new sync showed", died, before)
	}
	counts := func(p place, app console.ID) map[string]int64 {
		s, count, err := p.openDB(nothing)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if r, err := s.VerifyChain(t.Context()); err != nil || len(r.Faults) > 0 {
			t.Errorf("chain: %+v, %v", r.Faults, err)
		}
		c, err := count()
		if err != nil {
			t.Fatal(err)
		}
		// The content of each sync.
		err = s.View(t.Context(), func(tx *store.Tx) error {
			for i := max(0, n-5); i < n; i++ {
				m, err := tx.Moment(app, at(i+1).Add(time.Second))
				if err != nil {
					return err
				}
				sum := fnv.New64a()
				for after := (store.ResourceAfter{}); ; {
					page, err := tx.Accounts(m, after, store.PageSize)
					if err != nil {
						return err
					}
					for _, a := range page {
						after = a.After()
						fmt.Fprintln(sum, a.ID, a.Status)
					}
					if len(page) < store.PageSize {
						break
					}
				}
				c[fmt.Sprintf("accounts of sync %d", i)] = int64(sum.Sum64())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if diff := cmp.Diff(counts(undisturbed, otherApp), counts(killed, app)); diff != "" {
		t.Errorf("(-undisturbed +killed):\n%s", diff)
	}
}
