//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/agent/service"
	"baton/connector/perplexity"
	"baton/connector/rest"
	"baton/console"
	"baton/console/ingest/ingesttest"
	"baton/console/installation"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
	sandbox "baton/sandbox/perplexity"
)

var (
	costCases      = flag.String("costs", "1/3/0/0", "what TestCosts measures: replicas/connectors/people/grants, separated by commas")
	costOperations = flag.Int("cost-operations", 6, "operations that TestCosts carries out")
	costRest       = flag.Duration("cost-rest", 2*time.Second, "how long TestCosts measures without operations")
)

// costly is a size of an installation.
type costly struct {
	replicas, connectors, people, grants int

	t        *testing.T
	desk     desk
	database *pgtest.Server
	store    *store.Store
	running  []*process
	apps     []costlyApp
}

type costlyApp struct {
	connector console.Connector
	org       *sandbox.Server
}

// TestCosts measures the processor time that operations, and a minute without any, take in the replicas
// and in the database, for several sizes of an installation. An operation is a membership that a
// connector changes in its application, and that a later sync verifies. The connectors and the
// applications run in the process of the test, whose time is not counted.
func TestCosts(t *testing.T) {
	for size := range strings.SplitSeq(*costCases, ",") {
		t.Run(size, func(t *testing.T) {
			x := costly{t: t}
			if _, err := fmt.Sscanf(size, "%d/%d/%d/%d", &x.replicas, &x.connectors, &x.people, &x.grants); err != nil {
				t.Fatalf("-costs %s: %v", size, err)
			}
			x.open()
			x.settle(*costRest / 4)
			before := x.spent()
			time.Sleep(*costRest)
			rest := x.spent().minus(before)
			_, last := x.syncs(0)
			before, began := x.spent(), time.Now()
			for from := 0; from < *costOperations; from += len(x.apps) {
				x.change(min(len(x.apps), *costOperations-from))
			}
			busy := x.spent().minus(before)
			syncs, _ := x.syncs(last)
			took := time.Since(began)
			// What an operation takes beyond what the same time takes without one.
			each := func(busy, rest time.Duration) float64 {
				return (busy.Seconds() - rest.Seconds()*took.Seconds()/costRest.Seconds()) * 1000 / float64(*costOperations)
			}
			minute := time.Minute.Seconds() / costRest.Seconds()
			fmt.Printf("costs: | %d | %d | %d | %d | %.1f | %.1f | %.2f | %.2f | %.1f | %d |\n", x.replicas, x.connectors, x.people, x.grants, each(busy.replicas, rest.replicas), each(busy.database, rest.database),
				rest.replicas.Seconds()*minute, rest.database.Seconds()*minute, float64(syncs)/float64(*costOperations), x.memory()>>20)
		})
	}
}

// open starts everything, and waits until each connector has synced.
func (x *costly) open() {
	x.t.Helper()
	x.database = pgtest.Start(x.t)
	apps, connectors := "apps:\n  - {name: Large}\n", "connectors:\n  - {name: large, app: Large, interval: 24h}\n"
	for i := range x.connectors {
		apps += fmt.Sprintf("  - {name: App %d}\n", i)
		connectors += fmt.Sprintf("  - {name: app%d, app: App %d, interval: 24h}\n", i, i)
	}
	x.desk = newDesk(x.t, people+apps+connectors)
	url := x.database.URL("public")
	x.desk.write("database", url.Reveal()+"\n")
	authority := x.certificate()
	keys := filepath.Join(x.desk.dir, "shared.keys")
	var env map[string]string
	var addresses []string
	for i := range x.replicas {
		args := []string{"--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem", "--database-file", "database", "--keys", keys}
		if i == 0 {
			p, address, values := x.desk.serve(args...)
			x.running, addresses, env = append(x.running, p), append(addresses, address), values
			continue
		}
		p := start(x.t, x.desk.dir, nil, "baton-console", append([]string{"serve", "--data", fmt.Sprint("data", i)}, args...)...)
		x.running, addresses = append(x.running, p), append(addresses, p.line("console: "))
	}
	in, err := installation.Open(x.t.Context(), installation.Config{Data: filepath.Join(x.desk.dir, "test"), Database: url, Keys: keys})
	x.check(err)
	x.t.Cleanup(func() { in.Close() })
	x.store = in.Store
	x.fill()
	ctx, cancel := context.WithCancel(x.t.Context())
	var services sync.WaitGroup
	x.t.Cleanup(services.Wait)
	x.t.Cleanup(cancel)
	for i := range x.connectors {
		app := costlyApp{x.connector(fmt.Sprint("app", i)), sandbox.New(sandbox.Options{Users: 60, Groups: 3, MembersMin: 5, MembersMax: 10, Seed: uint64(i)})}
		x.apps = append(x.apps, app)
		name := fmt.Sprintf("APP%d", i)
		config := x.service(app.org, authority)
		config.ClientID, config.ClientSecret = env[name+"_CLIENT_ID"], baton.NewSecret(env[name+"_CLIENT_SECRET"])
		config.APIHost, config.HostID = strings.TrimPrefix(addresses[i%len(addresses)], "https://"), strings.ToLower(name)
		services.Go(func() {
			if err := service.Run(ctx, config); err != nil && ctx.Err() == nil {
				x.t.Errorf("%s: %v", name, err)
			}
		})
	}
	for limit := time.Now().Add(15 * time.Minute); ; time.Sleep(time.Second) {
		if !slices.ContainsFunc(x.apps, x.neverSynced) {
			return
		}
		if time.Now().After(limit) {
			x.t.Fatal("the first syncs take too long")
		}
	}
}

func (x *costly) neverSynced(a costlyApp) bool {
	var head *console.Sync
	x.view(func(tx *store.Tx) (err error) {
		head, err = tx.HeadSync(a.connector.Stream)
		return err
	})
	return head == nil
}

// settle waits until what follows the first syncs and new rows is done, as statistics of tables: until a
// period costs about as much as the one before.
func (x *costly) settle(period time.Duration) {
	var last time.Duration
	for range 40 {
		before := x.spent()
		time.Sleep(period)
		spent := x.spent().minus(before)
		now := spent.replicas + spent.database
		x.t.Logf("before: %v in the replicas, %v in the database", spent.replicas, spent.database)
		if last > 0 && now < last*5/4 && last < now*5/4 {
			return
		}
		last = now
	}
	x.t.Log("the installation does not come to rest")
}

// certificate writes the certificate of all replicas, and returns the file of its authority.
func (x *costly) certificate() (authority string) {
	cert, ca, err := rpc.NewCertificate(time.Now(), "127.0.0.1")
	x.check(err)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	x.check(err)
	x.desk.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})))
	x.desk.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	x.desk.write("authority.pem", string(ca))
	return filepath.Join(x.desk.dir, "authority.pem")
}

// fill adds the people, and the accounts and grants of the large application: one account for four grants.
func (x *costly) fill() {
	for from := 0; from < x.people; from += 1000 {
		x.update(func(tx *store.Tx) error {
			for i := from; i < min(from+1000, x.people); i++ {
				if _, err := tx.AddPerson(console.Person{Name: fmt.Sprint("Person ", i), Emails: []string{fmt.Sprintf("person%d@example.test", i)}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if x.grants == 0 {
		return
	}
	tenant := ingesttest.Tenant{Groups: make([]ingesttest.Group, 4)}
	for g := range tenant.Groups {
		tenant.Groups[g].ID, tenant.Groups[g].Name = fmt.Sprint("g", g), fmt.Sprint("Group ", g)
	}
	for i := range x.grants / len(tenant.Groups) {
		id := fmt.Sprint("u", i)
		tenant.Accounts = append(tenant.Accounts, ingesttest.Account(id, id, id+"@example.test"))
		for g := range tenant.Groups {
			tenant.Groups[g].Members = append(tenant.Groups[g].Members, id)
		}
	}
	tenant.Apply(x.t, x.store, x.connector("large").ID, time.Now())
}

func (x *costly) service(org *sandbox.Server, authority string) service.Config {
	upstream := httptest.NewServer(org)
	x.t.Cleanup(upstream.Close)
	return service.Config{CAFile: authority, Version: "1.0.0", Provisioning: true, StateDir: x.t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Open: func(_ context.Context, observe func(rest.Attempt)) (*baton.Connector, error) {
			cfg, err := perplexity.Configure(baton.Values{})
			client, restErr := rest.New(rest.Config{BaseURL: upstream.URL + org.URLPath(), Token: baton.NewSecret(org.Token()), Observe: observe})
			cfg.REST = client
			return perplexity.New(cfg), errors.Join(err, restErr)
		}}
}

// change changes a membership in each of the first n applications, and waits until a sync verified all.
func (x *costly) change(n int) {
	x.t.Helper()
	var asked []console.ID
	for _, a := range x.apps[:n] {
		state := a.org.State()
		group := state.Groups[2]
		user := state.Users[slices.IndexFunc(state.Users, func(u sandbox.UserState) bool {
			return u.Active && u.Managed && !slices.Contains(group.Members, u.ID)
		})].ID
		x.update(func(tx *store.Tx) error {
			m, err := tx.Moment(a.connector.App, time.Time{})
			if err != nil {
				return err
			}
			e, entitlementErr := tx.EntitlementByID(m, "group:"+group.ID+":member")
			account, err := tx.ResourceByID(m, "user", user)
			if err := errors.Join(entitlementErr, err); err != nil {
				return err
			}
			o, err := tx.CreateOperation(console.Operation{App: a.connector.App, Connector: a.connector.ID, Account: account.Key, Entitlement: e.Key, Verb: console.Grant,
				Cause: console.Cause{Kind: console.CauseApproval, Ref: "request", Evidence: console.EvidenceDecision}}, store.Circumstances{})
			asked = append(asked, o.ID)
			return err
		})
	}
	waitUntil(x.t, func() bool {
		alive := false
		x.view(func(tx *store.Tx) error {
			for _, id := range asked {
				o, err := tx.Operation(id)
				if err != nil {
					return err
				}
				alive = alive || o.State.Alive()
				if !o.State.Alive() && o.State != console.Verified {
					return fmt.Errorf("operation %s is %s: %s", id, o.State, o.Answer)
				}
			}
			return nil
		})
		return !alive
	})
}

// spent is processor time.
type spent struct{ replicas, database time.Duration }

func (s spent) minus(o spent) spent { return spent{s.replicas - o.replicas, s.database - o.database} }

func (x *costly) spent() (s spent) {
	for _, p := range x.running {
		s.replicas += pgtest.ProcessorTime(p.cmd.Process.Pid)
	}
	s.database = x.database.ProcessorTime()
	return s
}

// memory returns the resident memory of the largest replica, in bytes.
func (x *costly) memory() (most int64) {
	for _, p := range x.running {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
		x.check(err)
		var size, resident int64
		_, err = fmt.Sscan(string(text), &size, &resident)
		x.check(err)
		most = max(most, resident*int64(os.Getpagesize()))
	}
	return most
}

// syncs returns how many syncs were applied after an event, and the last event.
func (x *costly) syncs(after int64) (n int, last int64) {
	x.view(func(tx *store.Tx) error {
		for last = after; ; {
			events, err := tx.Events(store.EventFilter{}, last, store.PageSize)
			if err != nil || len(events) == 0 {
				return err
			}
			for _, e := range events {
				if last = e.Number; e.Kind == "sync.applied" {
					n++
				}
			}
		}
	})
	return n, last
}

func (x *costly) connector(name string) (c console.Connector) {
	x.view(func(tx *store.Tx) (err error) {
		c, err = tx.ConnectorByName(name)
		return err
	})
	return c
}

func (x *costly) check(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *costly) view(fn func(*store.Tx) error) {
	x.t.Helper()
	x.check(x.store.View(x.t.Context(), fn))
}

func (x *costly) update(fn func(*store.Tx) error) {
	x.t.Helper()
	x.check(x.store.Update(x.t.Context(), console.By{At: time.Now(), Actor: console.Console}, fn))
}
