package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/installation"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/internal/longtest"
)

// TestLastTwoAdmins makes the two administrators of an application give their access back at the
// same time, in many rounds: in each, exactly one is refused, because one must remain. On PostgreSQL
// the calls go to two processes on one database. On SQLite both calls go to the only process that
// may serve: a second one is refused at its start.
func TestLastTwoAdmins(t *testing.T) {
	rounds := longtest.Pick(20, 1000)
	bootstrap := people + `
apps: [{name: Perplexity, owners: [ana@example.test]}]
connectors: [{name: perplexity, app: Perplexity}]
`
	t.Run("sqlite", func(t *testing.T) {
		d := newDesk(t, bootstrap)
		_, address, _ := d.serve("--listen", "127.0.0.1:0")
		d.refused(9, "another process", "serve", "--listen", "127.0.0.1:0", "--log-format", "console")
		in, err := installation.Open(t.Context(), installation.Config{Data: filepath.Join(d.dir, "data")})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		newRivals(t, in.Store, address).compete(rounds, address, address)
	})
	t.Run("postgres", func(t *testing.T) {
		database := pgtest.New(t)
		d := newDesk(t, bootstrap)
		d.write("database", database.Reveal()+"\n")
		keys := filepath.Join(d.dir, "shared.keys")
		_, first, _ := d.serve("--listen", "127.0.0.1:0", "--database-file", "database", "--keys", keys)
		second := start(t, d.dir, nil, "baton-console", "serve", "--data", "other", "--listen", "127.0.0.1:0", "--database-file", "database", "--keys", keys).line("console: ")
		in, err := installation.Open(t.Context(), installation.Config{Data: filepath.Join(d.dir, "third"), Database: database, Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		newRivals(t, in.Store, first).compete(rounds, first, second)
	})
}

// rivals are the two administrators of an application with a minimum of one.
type rivals struct {
	t       *testing.T
	store   *store.Store
	app     console.ID
	admin   console.EntitlementKey
	account [2]console.ResourceKey
	token   [2]string
}

func newRivals(t *testing.T, s *store.Store, address string) *rivals {
	t.Helper()
	r := &rivals{t: t, store: s}
	var connector console.ID
	var persons [2]console.ID
	r.update(func(tx *store.Tx) error {
		c, err := tx.ConnectorByName("perplexity")
		if err != nil {
			return err
		}
		r.app, connector = c.App, c.ID
		for i, email := range []string{"ben@example.test", "cem@example.test"} {
			p, err := tx.PersonByEmail(email)
			if err != nil {
				return err
			}
			persons[i] = p.ID
		}
		return nil
	})
	// The capabilities of the connector come from its hello. It takes no tasks in this test.
	err := rpcstore.New(s).Hello(t.Context(), time.Now(), string(connector), rpc.Hello{Host: "test", Connector: rpc.Description{Capabilities: []rpc.Capability{rpc.CanProvision}}})
	if err != nil {
		t.Fatal(err)
	}
	tenant := ingesttest.Tenant{Accounts: []baton.Resource{ingesttest.Account("ben", "Ben", "ben@example.test"), ingesttest.Account("cem", "Cem", "cem@example.test")},
		Groups: []ingesttest.Group{{ID: "admins", Name: "Admins", Members: []string{"ben", "cem"}}}}
	tenant.Apply(t, s, connector, time.Now())
	r.update(func(tx *store.Tx) error {
		m, err := tx.Moment(r.app, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, ingesttest.Member("admins"))
		if err != nil {
			return err
		}
		r.admin = e.Key
		for i, a := range tenant.Accounts {
			found, err := tx.ResourceByID(m, "user", a.ID.ID)
			if err != nil {
				return err
			}
			r.account[i] = found.Key
			if err := tx.SetAccountOwner(found.Key, persons[i], store.OwnerMatched); err != nil {
				return err
			}
		}
		return tx.SetRoleMap(r.app, console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{r.admin}}}}, 1)
	})
	origin, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	g := govern.New(govern.Config{Store: s, Hosts: []string{origin.Host}})
	for i, person := range persons {
		made, err := g.IssueClient(t.Context(), person, govern.NewClient{Name: "rival", Scopes: []console.Scope{console.ScopeAsk}, Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.PostForm(plain(address)+"/auth/v1/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {made.ClientID}, "client_secret": {made.Secret.Reveal()}})
		if err != nil {
			t.Fatal(err)
		}
		var token struct {
			AccessToken string `json:"access_token"`
		}
		err = json.NewDecoder(resp.Body).Decode(&token)
		resp.Body.Close()
		if err != nil || token.AccessToken == "" {
			t.Fatalf("%s: %v", resp.Status, err)
		}
		r.token[i] = token.AccessToken
	}
	return r
}

// plain returns the unencrypted address, which loopback serves on the same port.
func plain(address string) string { return strings.Replace(address, "https://", "http://", 1) }

func (r *rivals) update(fn func(*store.Tx) error) {
	r.t.Helper()
	if err := r.store.Update(context.Background(), console.By{At: time.Now(), Actor: console.Console}, fn); err != nil {
		r.t.Fatal(err)
	}
}

// giveBack gives one administrator's access back, and returns the status and the message.
func (r *rivals) giveBack(i int, address string) (int, string) {
	body := fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","appUserId":"%d","description":"not mine any more"}`, r.app, r.admin, r.account[i])
	request, err := http.NewRequest(http.MethodPost, plain(address)+"/api/v1/task/revoke", strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("Authorization", "Bearer "+r.token[i])
	request.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// compete makes both give their access back at the same time, at alternating addresses, and reverts
// the result, round by round.
func (r *rivals) compete(rounds int, addresses ...string) {
	r.t.Helper()
	won := [2]int{}
	var last int64 // event
	for round := range rounds {
		var status [2]int
		var said [2]string
		var ready, wg sync.WaitGroup
		ready.Add(1)
		for i := range 2 {
			wg.Go(func() {
				ready.Wait()
				status[i], said[i] = r.giveBack(i, addresses[(i+round)%2])
			})
		}
		ready.Done()
		wg.Wait()
		winner := 0
		if status[1] == http.StatusOK {
			winner = 1
		}
		loser := 1 - winner
		if status[winner] != http.StatusOK || status[loser] == http.StatusOK || !strings.Contains(said[loser], "the minimum is 1") {
			r.t.Fatalf("round %d: %d %s\n%d %s", round, status[0], said[0], status[1], said[1])
		}
		won[winner]++
		var removals []console.ID
		denials := 0
		err := r.store.View(r.t.Context(), func(tx *store.Tx) error {
			for {
				events, err := tx.Events(store.EventFilter{App: r.app}, last, store.PageSize)
				if err != nil || len(events) == 0 {
					return err
				}
				for _, e := range events {
					last = e.Number
					switch e.Kind {
					case "operation.queued":
						removals = append(removals, console.ID(e.Object))
					case "operation.denied":
						denials++
					}
				}
			}
		})
		if err != nil {
			r.t.Fatal(err)
		}
		if len(removals) != 1 || denials != 1 {
			r.t.Fatalf("round %d: %d operations, %d denials", round, len(removals), denials)
		}
		r.update(func(tx *store.Tx) error { return tx.CancelOperation(removals[0], "the next round") })
	}
	if report, err := r.store.VerifyChain(r.t.Context()); err != nil || len(report.Faults) > 0 {
		r.t.Errorf("chain: %+v, %v", report.Faults, err)
	}
	r.t.Logf("%d rounds: one was refused in each; the first was let go %d times, the second %d times", rounds, won[0], won[1])
}
