package hosted_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/console"
	"baton/console/govern"
	"baton/console/hosted"
	"baton/console/ingest"
	"baton/console/ingest/ingesttest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
	"baton/console/store/storetest"
	"baton/console/worker"
)

func TestMain(m *testing.M) { flag.Parse(); pgtest.Main(m) }

var (
	expiries = flag.Int("expiries", 100, "how much access runs out at once in TestManyExpiries")
	profile  = flag.String("profile", "", "file for the CPU profile of the process that is not killed")
	lead     = flag.Duration("lead", 2*time.Second, "how long before that its replicas are started")
)

// tally is the upstream of TestManyExpiries. It stores who holds what, and counts every change.
type tally struct {
	mu    sync.Mutex
	held  map[string]map[[2]string]bool // by application: group and user
	times map[[3]string]int             // removals by application, group and user
	last  time.Time
	shows bool // syncs work
}

func (u *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	app := r.FormValue("app")
	if r.Method == http.MethodPost {
		key := [2]string{r.FormValue("group"), r.FormValue("user")}
		u.times[[3]string{app, key[0], key[1]}]++
		u.last = time.Now()
		delete(u.held[app], key)
		return
	}
	if !u.shows { // the test does not need their content
		http.Error(w, "not now", http.StatusForbidden)
		return
	}
	var all [][2]string
	for key := range u.held[app] {
		all = append(all, key)
	}
	json.NewEncoder(w).Encode(all)
}

func (u *tally) changes() (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, times := range u.times {
		n += times
	}
	return n
}

// tallyTenant returns the initial content of every application in TestManyExpiries. In the
// last group everybody stays.
func tallyTenant(groups, users int) ingesttest.Tenant {
	tenant := ingesttest.Tenant{}
	for u := range users {
		tenant.Accounts = append(tenant.Accounts, ingesttest.Account(fmt.Sprintf("u%05d", u), fmt.Sprintf("User %d", u), fmt.Sprintf("u%d@example.test", u)))
	}
	for g := range groups + 1 {
		group := ingesttest.Group{ID: fmt.Sprintf("g%03d", g), Name: fmt.Sprintf("Group %d", g)}
		for _, a := range tenant.Accounts {
			group.Members = append(group.Members, a.ID.ID)
		}
		tenant.Groups = append(tenant.Groups, group)
	}
	return tenant
}

// replica is a process that TestManyExpiries starts: a worker and the hosted connectors.
type replica struct {
	Name, Path, URL string // Path of an SQLite database, or URL of a PostgreSQL one
	Key             []byte
	Upstream        string
	Groups, Users   int
	Scratch         string
	Profile         string // file; "" for none
}

// replicaVariable holds the configuration of a process that TestManyExpiries starts, as JSON.
const replicaVariable = "BATON_TEST_HOSTED_REPLICA"

func init() {
	text := os.Getenv(replicaVariable)
	if text == "" {
		return
	}
	var r replica
	err := json.Unmarshal([]byte(text), &r)
	if err == nil {
		err = r.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run works until the parent process ends or kills it.
func (r replica) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	if r.Profile != "" {
		f, err := os.Create(r.Profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	s, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	var wg sync.WaitGroup
	w := worker.New(worker.Config{Store: s, Owner: r.Name, Lease: 20 * time.Second, Log: log, Ingester: &ingest.Ingester{Store: s, Now: time.Now, Scratch: r.Scratch}})
	wg.Go(func() { w.Run(ctx) })
	err = hosted.Run(ctx, hosted.Config{Store: s, Console: r.console(s), Host: r.Name, Version: "test", Scratch: r.Scratch, Log: slog.New(slog.DiscardHandler),
		RPC: rpc.Config{Store: rpcstore.New(s), Now: time.Now, Poll: time.Second}})
	stop()
	wg.Wait()
	return err
}

func (r replica) open(ctx context.Context) (*store.Store, error) {
	keys, err := store.NewKeyring("test", map[string][]byte{"test": r.Key})
	if err != nil {
		return nil, err
	}
	if r.Path != "" {
		return sqlite.Open(ctx, sqlite.Config{Path: r.Path, Now: time.Now()}, keys)
	}
	return postgres.Open(ctx, postgres.Config{URL: baton.NewSecret(r.URL), Now: time.Now()}, keys)
}

func (r replica) console(s *store.Store) *govern.Console {
	return govern.New(govern.Config{Store: s, Products: []govern.Product{{Name: "tally", DisplayName: "Tally", Settings: []baton.Setting{{Name: "name", Kind: baton.StringSetting, Required: true}},
		Open: func(v baton.Values, _ rest.Options) (*baton.Connector, error) {
			return r.connector(v.String("name")), nil
		}}}})
}

// connector returns a connector of the application with a name.
func (r replica) connector(app string) *baton.Connector {
	revoke := func(ctx context.Context, g baton.GrantRequest) (baton.Outcome, error) {
		resp, err := http.PostForm(r.Upstream, url.Values{"app": {app}, "group": {g.Entitlement.Resource.ID}, "user": {g.Principal.ID}})
		if err != nil {
			return baton.Outcome{}, baton.Errorf(baton.Unavailable, "%w", err)
		}
		resp.Body.Close()
		return baton.Outcome{Done: []string{"removed"}}, nil
	}
	all := func(ctx context.Context, _ baton.Cursor, page baton.Page) (baton.Step, error) {
		resp, err := http.Get(r.Upstream + "?app=" + url.QueryEscape(app))
		if err != nil {
			return baton.Step{}, baton.Errorf(baton.Unavailable, "%w", err)
		}
		defer resp.Body.Close()
		var held [][2]string
		if resp.StatusCode != http.StatusOK {
			return baton.Step{}, baton.Errorf(baton.PermissionDenied, "%s", resp.Status)
		}
		if err := json.NewDecoder(resp.Body).Decode(&held); err != nil {
			return baton.Step{}, baton.Errorf(baton.Unavailable, "%w", err)
		}
		tenant := tallyTenant(r.Groups, r.Users)
		for _, a := range tenant.Accounts {
			page.Resource(a)
		}
		entitlement := func(group string) baton.EntitlementID {
			return baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: group}, Slug: "member"}
		}
		for _, g := range tenant.Groups {
			page.Resource(baton.Resource{ID: entitlement(g.ID).Resource, DisplayName: g.Name, Group: &baton.Group{}})
			page.Entitlement(baton.Entitlement{ID: entitlement(g.ID), DisplayName: g.Name + " member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}})
		}
		for _, h := range held {
			page.Grant(baton.Grant{ID: baton.GrantID{Entitlement: entitlement(h[0]), Principal: baton.ResourceID{Type: "user", ID: h[1]}}})
		}
		return baton.Step{Done: true}, nil
	}
	return &baton.Connector{Name: "baton-tally", DisplayName: "Tally",
		ResourceTypes: []baton.ResourceType{{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true}, {ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}, Provision: true}},
		Feeds:         []baton.Feed{{Name: "all", Types: []string{"user", "group"}, Next: all}},
		Validate:      func(context.Context) error { return nil },
		Grant:         revoke, Revoke: revoke}
}

// start starts the process.
func (r replica) start(t *testing.T) *exec.Cmd {
	t.Helper()
	r.Scratch = t.TempDir()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), replicaVariable+"="+string(b))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// TestManyExpiries lets many accesses expire at the same time, in many applications and in one; the
// full size has at least 100 groups in each. Each access is removed upstream exactly once, over
// sockets, although a process is killed in the middle: one of two replicas on PostgreSQL, and on
// SQLite the only one, which is restarted.
//
// Tasks that the killed process could not report stay unanswered: their result is unknown until
// their leases have expired and a sync shows it. At the end the test expires the leases and lets the
// syncs succeed, and everything is verified.
func TestManyExpiries(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		for _, apps := range []int{10, 1} {
			t.Run(fmt.Sprintf("%s, %d applications", database, apps), func(t *testing.T) {
				r := replica{Key: store.NewKey()}
				if database == "sqlite" {
					r.Path = filepath.Join(t.TempDir(), "console.db")
				} else {
					r.URL = pgtest.New(t).Reveal()
				}
				s, err := r.open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				manyExpiries(t, s, r, apps, *expiries)
			})
		}
	}
}

func manyExpiries(t *testing.T, s *store.Store, r replica, apps, total int) {
	up := &tally{held: map[string]map[[2]string]bool{}, times: map[[3]string]int{}}
	server := httptest.NewServer(up)
	defer server.Close()
	r.Upstream = server.URL
	each := total / apps
	r.Groups = 100
	if each < 1000 {
		r.Groups = min(10, each)
	}
	r.Users = each / r.Groups
	total = apps * r.Groups * r.Users
	update := func(fn func(*store.Tx) error) {
		t.Helper()
		if err := s.Update(context.Background(), console.By{At: time.Now(), Actor: console.Console}, fn); err != nil {
			t.Fatal(err)
		}
	}
	var root console.Person
	update(func(tx *store.Tx) error {
		id, err := tx.AddPerson(console.Person{Name: "Root", Roles: []console.ConsoleRole{console.SuperAdministrator}})
		if err == nil {
			root, err = tx.Person(id)
		}
		return err
	})
	c := r.console(s)
	caller := govern.Caller{Person: root, Session: console.Session{Person: root.ID, Proved: time.Now()}}
	due := time.Now().Add(24 * time.Hour) // rescheduled when everything exists
	var reasons []console.ID
	var connectors []console.Connector
	tenant := tallyTenant(r.Groups, r.Users)
	for n := range apps {
		name := fmt.Sprintf("tally %d", n)
		up.held[name] = map[[2]string]bool{}
		id, err := c.AddConnector(t.Context(), caller, govern.NewConnector{Name: name, Product: "tally", NewApp: name, Hosted: true})
		if err == nil {
			err = c.ConfigureHosted(t.Context(), caller, id, map[string]string{"name": name}, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		tenant.Apply(t, s, id, time.Now())
		update(func(tx *store.Tx) error {
			con, err := tx.Connector(id)
			if err != nil {
				return err
			}
			connectors = append(connectors, con)
			if err := tx.RemoveDue(console.DueSync, string(id)); err != nil {
				return err
			}
			m, err := tx.Moment(con.App, time.Time{})
			if err != nil {
				return err
			}
			var accounts []console.ResourceKey
			for _, a := range tenant.Accounts {
				r, err := tx.ResourceByID(m, "user", a.ID.ID)
				if err != nil {
					return err
				}
				accounts = append(accounts, r.Key)
			}
			for n, g := range tenant.Groups {
				for _, member := range g.Members {
					up.held[name][[2]string{g.ID, member}] = true
				}
				if n >= r.Groups {
					continue
				}
				e, err := tx.EntitlementByID(m, ingesttest.Member(g.ID))
				if err != nil {
					return err
				}
				for _, account := range accounts {
					r, err := tx.AddReason(console.Reason{App: con.App, Account: account, Entitlement: e.Key, Kind: console.ReasonRequest, Until: due})
					if err != nil {
						return err
					}
					reasons = append(reasons, r)
				}
			}
			return nil
		})
	}
	count := func(states ...console.OperationState) (n int) {
		t.Helper()
		err := s.View(t.Context(), func(tx *store.Tx) error {
			for _, con := range connectors {
				for _, state := range states {
					some, err := tx.CountOperations(con.App, state)
					if err != nil {
						return err
					}
					n += some
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	moving := time.Now()
	began := moving.Add(*lead)
	if total >= 1000 {
		began = moving.Add(*lead + time.Duration(total)*2*time.Millisecond) // moving them takes a while
	}
	update(func(tx *store.Tx) error {
		for _, id := range reasons {
			if err := tx.SetReasonUntil(id, began); err != nil {
				return err
			}
		}
		return nil
	})
	first := r
	first.Name = "first"
	var used [2]time.Duration // processor time of the two processes
	ended := func(i int, cmd *exec.Cmd) {
		if cmd.ProcessState != nil {
			used[i] = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
	}
	firstProcess := first.start(t)
	second := r
	second.Name, second.Profile = "second", *profile
	var secondProcess *exec.Cmd
	if r.URL != "" {
		secondProcess = second.start(t)
	}
	waitFor(t, "half of it", func() bool { return up.changes() >= total/2 })
	firstProcess.Process.Kill()
	firstProcess.Wait()
	ended(0, firstProcess)
	if secondProcess == nil {
		secondProcess = second.start(t)
	}
	// No more answers arrive. The remaining tasks belong to the killed process.
	lost, quiet := -1, time.Now()
	waitFor(t, "the last answer", func() bool {
		open := count(console.Dispatched, console.Unknown)
		if open != lost || count(console.Applied)+open < total {
			lost, quiet = open, time.Now()
		}
		return time.Since(quiet) > 2*time.Second
	})
	up.mu.Lock()
	upstream, changed := up.last.Sub(began), len(up.times)
	up.mu.Unlock()
	var created, handed, answered []time.Duration
	for _, con := range connectors {
		err := s.View(t.Context(), func(tx *store.Tx) error {
			before := store.OperationBefore{}
			for {
				page, err := tx.OperationsOf(store.OperationFilter{App: con.App}, before, store.PageSize)
				if err != nil || len(page) == 0 {
					return err
				}
				for _, o := range page {
					created, handed = append(created, o.Created.Sub(began)), append(handed, o.Dispatched.Sub(began))
					if !o.Finished.IsZero() {
						answered = append(answered, o.Finished.Sub(began))
					}
					before = store.OperationBefore{Created: o.Created, ID: o.ID}
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(created) != total {
		t.Errorf("%d operations for %d expiries", len(created), total)
	}
	if lost > 6*apps { // a connector holds six tasks at most
		t.Errorf("%d operations are without an answer", lost)
	}
	if n := up.changes(); n != changed || n > total || n < total-lost {
		t.Errorf("%d changes upstream, of %d accesses, for %d expiries", n, changed, total)
	}

	// The leases expire, and syncs work again.
	up.mu.Lock()
	up.shows = true
	up.mu.Unlock()
	verifying := time.Now()
	storetest.Age(t, s, console.WriteLease+time.Minute)
	for _, con := range connectors {
		update(func(tx *store.Tx) error {
			task, err := rpc.NewTask(string(con.ID), rpc.Work{Sync: &rpc.SyncWork{}}, time.Now())
			if err != nil {
				return err
			}
			task.Ref = "sync"
			return rpcstore.AddTask(tx, task)
		})
	}
	waitFor(t, "the last proof", func() bool { return count(console.Verified) == total })
	verified := time.Since(verifying)
	secondProcess.Process.Signal(syscall.SIGTERM)
	secondProcess.Wait()
	ended(1, secondProcess)
	up.mu.Lock()
	defer up.mu.Unlock()
	for key, n := range up.times {
		if n != 1 {
			t.Errorf("%s was removed %d times", strings.Join(key[:], " "), n)
		}
	}
	if len(up.times) != total {
		t.Errorf("%d accesses were removed upstream, of %d", len(up.times), total)
	}
	last := func(all []time.Duration) time.Duration {
		if len(all) == 0 {
			return 0
		}
		return slices.Max(all).Round(10 * time.Millisecond)
	}
	p99 := func(all []time.Duration) time.Duration {
		slices.Sort(all)
		return all[len(all)*99/100].Round(10 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "%s, %d applications: %d expiries: the last operation after %s, handed out after %s (99 %% within %s), upstream after %s, answered after %s; %d of the killed process were without an answer; everything verified %s after syncs worked again; %s of processor time of the two processes\n",
		s.Database(), apps, total, last(created), last(handed), p99(handed), upstream.Round(10*time.Millisecond), last(answered), lost, verified.Round(100*time.Millisecond), (used[0] + used[1]).Round(100*time.Millisecond))
	if total >= 10_000 && last(handed) > time.Minute {
		t.Errorf("the last of them was handed out after %s", last(handed))
	}
}

// waitFor waits for a condition.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come about", what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
