package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/ingest"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
	"baton/console/store/sqlite"
	"baton/sandbox/perplexity"
)

// TestRecoveryCard takes the card of an organisation from the console, closes the console, and runs
// the commands of the card in a shell: the last administrator, who is removed and disabled past
// everything, is enabled and administrator again. The card is that of the newest sync.
func TestRecoveryCard(t *testing.T) {
	server := perplexity.New(perplexity.Options{})
	web := httptest.NewServer(server)
	defer web.Close()
	dir := t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	shell := func(command string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+binaries+":/usr/bin:/bin", "HOME="+dir, "TMPDIR="+dir, "BATON_SCIM_URL="+web.URL+server.URLPath(), "BATON_SCIM_TOKEN="+server.Token(), "BATON_FILE="+filepath.Join(dir, "sync.c1z"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	var admins string
	for _, g := range server.State().Groups {
		if g.Role == perplexity.Admin {
			admins = g.ID
		}
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "console.db"), Now: time.Now(), NoFlush: true}, nil)
	check(err)
	var app, connector console.ID
	update := func(fn func(*store.Tx) error) {
		t.Helper()
		check(s.Update(t.Context(), console.By{At: time.Now(), Actor: console.Console}, fn))
	}
	update(func(tx *store.Tx) error {
		owner, err := tx.AddPerson(console.Person{Name: "Olga", Emails: []string{"olga@example.test"}})
		if err != nil {
			return err
		}
		if app, err = tx.AddApp(console.App{Name: "Perplexity", Owners: []console.ID{owner}}); err != nil {
			return err
		}
		connector, err = tx.AddConnector(console.Connector{App: app, Name: "perplexity", Product: "baton-perplexity"})
		return err
	})
	syncs := func() console.Sync {
		t.Helper()
		shell("baton-perplexity")
		file, err := os.Open(filepath.Join(dir, "sync.c1z"))
		check(err)
		defer file.Close()
		sync := ingesttest.Receive(t, s, ingest.Origin{Connector: connector, Kind: console.SyncFull, Dispatched: time.Now()}, time.Now(), file)
		if sync.State != console.SyncApplied {
			t.Fatalf("%s %s %+v", sync.State, sync.Why, sync.Holds)
		}
		return sync
	}
	syncs()
	update(func(tx *store.Tx) error {
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:"+admins+":member")
		if err != nil {
			return err
		}
		return tx.SetRoleMap(app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{e.Key}}}}, 1)
	})
	c := govern.New(govern.Config{Store: s, Products: products})
	card := func() govern.RecoveryCard {
		t.Helper()
		token, err := c.DemoSignIn(t.Context(), "olga@example.test", "127.0.0.1")
		check(err)
		caller, err := c.Authenticate(t.Context(), token, "r", "127.0.0.1")
		check(err)
		card, err := c.RecoveryCard(t.Context(), caller, app, true)
		check(err)
		return card
	}
	before := card()
	if len(before.Admins) == 0 || len(before.Groups) != 1 || before.Sources[0].Program() != "baton-perplexity" || before.Sources[0].Product.Support == "" {
		t.Fatalf("%+v", before)
	}

	// Somebody becomes administrator past the console: the card has them after one sync.
	known := func(card govern.RecoveryCard, id string) bool {
		return slices.ContainsFunc(card.Admins, func(a govern.RecoveryAdmin) bool { return a.ID == id })
	}
	var member string
	for _, u := range server.State().Users {
		if u.Active && u.Role == perplexity.Member && u.Managed && len(u.Groups) == 1 && !known(before, u.ID) {
			member = u.ID
		}
	}
	if member == "" || !server.AddMember(admins, member) {
		t.Fatal("nobody to add")
	}
	sync := syncs()
	fresh := card()
	if !known(fresh, member) || fresh.Sources[0].Sync.Number != sync.Number {
		t.Fatalf("the card is not that of the newest sync: %+v", fresh.Admins)
	}
	check(s.Close()) // the console is down

	i := slices.IndexFunc(fresh.Admins, func(a govern.RecoveryAdmin) bool { return a.ID == member })
	lost := fresh.Admins[i]
	server.RemoveMember(admins, member)
	server.SetActive(member, false)
	shell(fresh.Groups[0].Grant(&lost) + " --dry-run")
	if u, _ := server.State().User(member); u.Active || slices.Contains(u.Groups, admins) {
		t.Fatal("the dry run changed something")
	}
	shell(lost.Enable())
	shell(fresh.Groups[0].Grant(&lost))
	if u, _ := server.State().User(member); !u.Active || !slices.Contains(u.Groups, admins) {
		t.Errorf("the commands of the card did not give administrator back: %+v", u)
	}
}
