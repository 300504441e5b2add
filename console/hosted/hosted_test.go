package hosted_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
	"baton/connector/perplexity"
	"baton/console"
	"baton/console/govern"
	"baton/console/hosted"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
	sandbox "baton/sandbox/perplexity"
)

// world is a console with one hosted connector of the Perplexity sandbox.
type world struct {
	t         *testing.T
	store     *store.Store
	tasks     rpcstore.Store
	calls     func(rpc.Store) rpc.Store // another store for the connectors' server; nil: the usual one
	console   *govern.Console
	caller    govern.Caller
	connector console.ID
	url       string
	token     string
	org       *sandbox.Server
	product   govern.Product
}

func newWorld(t *testing.T, allowed govern.Networks) *world {
	t.Helper()
	keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: time.Now(), NoFlush: true}, keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	org := sandbox.New(sandbox.Options{})
	server := httptest.NewServer(org)
	t.Cleanup(server.Close)
	w := &world{t: t, store: s, tasks: rpcstore.New(s), url: server.URL + org.URLPath(), token: org.Token(), org: org}
	w.product = govern.Product{Name: "perplexity", DisplayName: "Perplexity", Settings: perplexity.Settings(), Open: perplexity.Open,
		Roles: govern.ProductRoles{Type: "group", MasteredIn: "the identity provider"}}
	w.console = govern.New(govern.Config{Store: s, Products: []govern.Product{w.product}, Hosts: []string{"console.example.com"}, Allow: allowed.Allow})
	var person console.Person
	err = s.Update(t.Context(), console.By{At: time.Now(), Actor: console.Console}, func(tx *store.Tx) error {
		id, err := tx.AddPerson(console.Person{Name: "Root", Roles: []console.ConsoleRole{console.SuperAdministrator}})
		if err == nil {
			person, err = tx.Person(id)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.caller = govern.Caller{Person: person, Session: console.Session{Person: person.ID, Proved: time.Now()}}
	w.connector, err = w.console.AddConnector(t.Context(), w.caller, govern.NewConnector{Name: "Perplexity", Product: "perplexity", NewApp: "Perplexity", Hosted: true})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// run runs the hosted connectors until the test ends.
func (w *world) run() { w.runAs("replica-1") }

// runAs runs the hosted connectors as a replica with a name.
func (w *world) runAs(host string) {
	tasks := rpc.Store(w.tasks)
	if w.calls != nil {
		tasks = w.calls(tasks)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- hosted.Run(ctx, hosted.Config{Store: w.store, Console: w.console, Host: host, Version: "test", Scratch: w.t.TempDir(), Log: slog.New(slog.DiscardHandler),
			RPC: rpc.Config{Store: tasks, Now: time.Now, Poll: 20 * time.Millisecond}})
	}()
	w.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) configure(url, token string) error {
	return w.console.ConfigureHosted(w.t.Context(), w.caller, w.connector, map[string]string{"scim-url": url}, map[string]baton.Secret{"scim-token": baton.NewSecret(token)})
}

// sync queues a sync and returns its result.
func (w *world) sync() rpc.Task {
	w.t.Helper()
	task, err := rpc.NewTask(string(w.connector), rpc.Work{Sync: &rpc.SyncWork{}}, time.Now())
	if err == nil {
		err = w.tasks.AddTask(w.t.Context(), time.Now(), task)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		task, err = w.tasks.Task(w.t.Context(), string(w.connector), task.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		if task.State == rpc.Finished && task.Result.Code == uint32(codes.Canceled) {
			return w.sync() // the connector with the task was stopping, because its settings changed
		}
		if task.State == rpc.Finished {
			return task
		}
		select {
		case <-w.t.Context().Done():
			w.t.Fatal("the sync does not end")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func loopback() govern.Networks { return govern.Networks{netip.MustParsePrefix("127.0.0.0/8")} }

func TestHosted(t *testing.T) {
	w := newWorld(t, loopback())
	w.run()
	if err := w.configure(w.url, w.token); err != nil {
		t.Fatal(err)
	}
	task := w.sync()
	if !task.Result.OK() || task.Lease.Host != "replica-1" {
		t.Fatalf("%+v", task)
	}
	uploads, err := w.tasks.Uploads(t.Context(), string(w.connector), task.ID)
	if err != nil || len(uploads) != 1 || uploads[0].Kind != rpc.SyncFile {
		t.Fatalf("uploads %+v, %v", uploads, err)
	}
	findings, err := w.console.TestHosted(t.Context(), w.caller, w.connector)
	if err != nil || len(findings) == 0 {
		t.Fatalf("findings %+v, %v", findings, err)
	}
	for _, f := range findings {
		if f.Level == baton.Failure {
			t.Errorf("%+v", f)
		}
	}

	// Changed settings are used at once.
	if err := w.configure(w.url, "another-token"); err != nil {
		t.Fatal(err)
	}
	if task := w.sync(); task.Result.OK() || !strings.Contains(task.Result.Message, "401") {
		t.Errorf("with a wrong token: %+v", task.Result)
	}
	if err := w.configure(w.url, w.token); err != nil {
		t.Fatal(err)
	}
	if task := w.sync(); !task.Result.OK() {
		t.Errorf("with the right token again: %+v", task.Result)
	}
}

// TestPrivateAddress checks that a hosted connector cannot reach a network that the operator did not
// allow.
func TestPrivateAddress(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	if err := w.configure(w.url, w.token); err != nil {
		t.Fatal(err)
	}
	task := w.sync()
	if task.Result.OK() || !strings.Contains(task.Result.Message, "private network") || !strings.Contains(task.Result.Message, "--allow-network") || strings.Contains(task.Result.Message, "token") {
		t.Errorf("%+v", task.Result)
	}
	findings, err := w.console.TestHosted(t.Context(), w.caller, w.connector)
	if err != nil {
		t.Fatal(err)
	}
	refused := false
	for _, f := range findings {
		refused = refused || f.Level == baton.Failure && f.Check == "endpoint" && strings.Contains(f.Detail, "private network")
	}
	if !refused {
		t.Errorf("findings %+v", findings)
	}
}

// TestSettings checks which settings are refused.
func TestSettings(t *testing.T) {
	w := newWorld(t, loopback())
	for what, err := range map[string]error{
		"no settings":    w.configure("", ""),
		"no token":       w.configure(w.url, ""),
		"plain http":     w.configure("http://up.example/scim", w.token),
		"no address":     w.configure("up example", w.token),
		"an unknown one": w.console.ConfigureHosted(t.Context(), w.caller, "nothing", nil, nil),
	} {
		if k := baton.KindOf(err); k != baton.Invalid && k != baton.NotFound {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), w.token) {
			t.Errorf("%s: %v shows the token", what, err)
		}
	}
	if err := w.configure(w.url, w.token); err != nil {
		t.Fatal(err)
	}
	if err := w.configure(w.url, ""); err != nil {
		t.Errorf("the same address, without the secret: %v", err)
	}
	if err := w.configure(w.url+"/other", ""); baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), "SCIM Token was not given again") {
		t.Errorf("another address, without the secret: %v", err)
	}
	s, err := w.console.HostedSettings(t.Context(), w.caller, w.connector)
	if err != nil || s.Values["scim-url"] != w.url || len(s.Secrets) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}
