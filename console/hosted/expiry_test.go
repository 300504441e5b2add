package hosted_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"sync/atomic"
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
	"baton/console/worker"
)

func TestMain(m *testing.M) { flag.Parse(); pgtest.Main(m) }

var expiries = flag.Int("expiries", 200, "how much access runs out at once in TestManyExpiries")

// tally is the upstream of TestManyExpiries, which counts every change.
type tally struct {
	mu    sync.Mutex
	times map[string]int
	last  time.Time
	total atomic.Int64
}

func (u *tally) revoke(name string, r baton.GrantRequest) (baton.Outcome, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.times[name+" "+r.Entitlement.String()+" "+r.Principal.String()]++
	u.last = time.Now()
	u.total.Add(1)
	return baton.Outcome{Done: []string{"removed"}}, nil
}

// connector returns a connector whose changes succeed and whose syncs fail, because the test does
// not need syncs.
func (u *tally) connector(name string) *baton.Connector {
	revoke := func(_ context.Context, r baton.GrantRequest) (baton.Outcome, error) { return u.revoke(name, r) }
	down := func(context.Context, baton.Cursor, baton.Page) (baton.Step, error) {
		return baton.Step{}, baton.Errorf(baton.PermissionDenied, "not now")
	}
	return &baton.Connector{Name: "baton-tally", DisplayName: "Tally",
		ResourceTypes: []baton.ResourceType{{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true}, {ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}, Provision: true}},
		Feeds:         []baton.Feed{{Name: "all", Types: []string{"user", "group"}, Next: down}},
		Validate:      func(context.Context) error { return nil },
		Grant:         revoke, Revoke: revoke}
}

// TestManyExpiries lets many accesses expire at the same time, in many applications and in one; the
// full size has at least 100 groups in each. Each access is removed upstream exactly once, over
// sockets, although one of two replicas stops in the middle.
func TestManyExpiries(t *testing.T) {
	databases := map[string]func(*testing.T, *store.Keyring) *store.Store{
		"sqlite": func(t *testing.T, keys *store.Keyring) *store.Store {
			s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: time.Now()}, keys)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		"postgres": func(t *testing.T, keys *store.Keyring) *store.Store {
			s, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.New(t), Now: time.Now()}, keys)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	}
	for _, name := range []string{"sqlite", "postgres"} {
		for _, apps := range []int{10, 1} {
			t.Run(fmt.Sprintf("%s, %d applications", name, apps), func(t *testing.T) {
				keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
				if err != nil {
					t.Fatal(err)
				}
				s := databases[name](t, keys)
				defer s.Close()
				manyExpiries(t, s, apps, *expiries)
			})
		}
	}
}

func manyExpiries(t *testing.T, s *store.Store, apps, total int) {
	up := &tally{times: map[string]int{}}
	product := govern.Product{Name: "tally", DisplayName: "Tally", Settings: []baton.Setting{{Name: "name", Kind: baton.StringSetting, Required: true}},
		Open: func(v baton.Values, _ rest.Options) (*baton.Connector, error) {
			return up.connector(v.String("name")), nil
		}}
	c := govern.New(govern.Config{Store: s, Products: []govern.Product{product}})
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
	caller := govern.Caller{Person: root, Session: console.Session{Person: root.ID, Proved: time.Now()}}

	each := total / apps
	groups := 100
	if each < 1000 {
		groups = min(10, each)
	}
	users := each / groups
	tenant := ingesttest.Tenant{}
	for u := range users {
		tenant.Accounts = append(tenant.Accounts, ingesttest.Account(fmt.Sprintf("u%05d", u), fmt.Sprintf("User %d", u), fmt.Sprintf("u%d@example.test", u)))
	}
	for g := range groups {
		group := ingesttest.Group{ID: fmt.Sprintf("g%03d", g), Name: fmt.Sprintf("Group %d", g)}
		for _, a := range tenant.Accounts {
			group.Members = append(group.Members, a.ID.ID)
		}
		tenant.Groups = append(tenant.Groups, group)
	}
	total = apps * groups * users
	due := time.Now().Add(time.Hour) // rescheduled when everything exists
	var reasons []console.ID
	for n := range apps {
		name := fmt.Sprintf("tally %d", n)
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
			for _, g := range tenant.Groups {
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

	// Two replicas, of which one stops in the middle.
	quiet := slog.New(slog.DiscardHandler)
	replica := func(name string) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		w := worker.New(worker.Config{Store: s, Owner: name, Poll: 100 * time.Millisecond, Lease: 5 * time.Second, Grace: time.Millisecond, Log: quiet, Ingester: &ingest.Ingester{Store: s, Now: time.Now, Scratch: t.TempDir()}})
		wg.Go(func() { w.Run(ctx) })
		scratch := t.TempDir()
		wg.Go(func() {
			if err := hosted.Run(ctx, hosted.Config{Store: s, Console: c, Host: name, Version: "test", Scratch: scratch, Log: quiet,
				RPC: rpc.Config{Store: rpcstore.New(s), Now: time.Now, Poll: 200 * time.Millisecond}}); err != nil {
				t.Error(err)
			}
		})
		return func() { cancel(); wg.Wait() }
	}
	stopFirst := replica("first")
	defer replica("second")()
	waitFor(t, "the hosts", func() bool {
		seen := 0
		for n := range apps {
			err := s.View(t.Context(), func(tx *store.Tx) error {
				con, err := tx.ConnectorByName(fmt.Sprintf("tally %d", n))
				if err != nil {
					return err
				}
				hosts, err := rpcstore.Hosts(tx, string(con.ID))
				seen += len(hosts)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return seen == 2*apps
	})
	began := time.Now().Add(time.Second)
	update(func(tx *store.Tx) error {
		for _, id := range reasons {
			if err := tx.SetReasonUntil(id, began); err != nil {
				return err
			}
		}
		return nil
	})
	if late := time.Since(began); late > 0 { // everything was due before the transaction ended
		began = time.Now()
	}
	waitFor(t, "half of it", func() bool { return up.total.Load() >= int64(total/2) })
	stopFirst()
	// Tasks that the stopped replica had and could not report remain unanswered: their result is
	// unknown until a sync shows it.
	lost := func() (n int) {
		err := s.View(t.Context(), func(tx *store.Tx) error {
			connectors, err := tx.Connectors("")
			for _, con := range connectors {
				var tasks []rpc.Task
				if tasks, _, err = rpcstore.TasksBefore(tx, string(con.ID), 0, total+1000); err != nil {
					return err
				}
				for _, task := range tasks {
					if task.Work.Revoke != nil && task.State == rpc.Leased && task.Lease.Host == "first" {
						n++
					}
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	finished := func() (n int) {
		err := s.View(t.Context(), func(tx *store.Tx) (err error) {
			connectors, err := tx.Connectors("")
			for _, con := range connectors {
				if err == nil {
					var open int
					open, err = tx.CountOperations(con.App, console.Applied)
					n += open
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	unanswered := 0
	waitFor(t, "the last answer", func() bool {
		unanswered = lost()
		return finished() >= total-unanswered
	})
	answered := time.Since(began)
	upstream := up.last.Sub(began)

	var created, waited []time.Duration
	for n := range apps {
		err := s.View(t.Context(), func(tx *store.Tx) error {
			con, err := tx.ConnectorByName(fmt.Sprintf("tally %d", n))
			if err != nil {
				return err
			}
			before := store.OperationBefore{}
			for {
				page, err := tx.OperationsOf(store.OperationFilter{App: con.App}, before, store.PageSize)
				if err != nil || len(page) == 0 {
					return err
				}
				for _, o := range page {
					created, waited = append(created, o.Created.Sub(began)), append(waited, o.Dispatched.Sub(began))
					before = store.OperationBefore{Created: o.Created, ID: o.ID}
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	if unanswered > 6*apps {
		t.Errorf("%d operations are without an answer", unanswered)
	}
	if len(created) != total {
		t.Errorf("%d operations for %d expiries", len(created), total)
	}
	if n := int(up.total.Load()); n != len(up.times) || n > total || n < total-unanswered {
		t.Errorf("%d changes upstream, of %d accesses, for %d expiries", up.total.Load(), len(up.times), total)
	}
	last := func(all []time.Duration) time.Duration {
		sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
		return all[len(all)-1].Round(10 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "%s, %d applications: %d expiries: the last operation after %s, handed out after %s, upstream after %s, answered after %s; %d without an answer, lost with a replica\n",
		s.Database(), apps, total, last(created), last(waited), upstream.Round(10*time.Millisecond), answered.Round(10*time.Millisecond), unanswered)
	if total >= 10_000 && last(waited) > time.Minute {
		t.Errorf("the last of them was handed out after %s", last(waited))
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come about", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
