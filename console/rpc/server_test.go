package rpc_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"baton"
	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
)

// direct returns host "a" of connector "acme" of a server on the store, with a token. The
// connection is not encrypted.
func direct(t *testing.T, store rpc.Store, edit ...func(*rpc.Config)) *host {
	t.Helper()
	config := rpc.Config{Store: store, Hosts: []string{"c1.example"},
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, e := range edit {
		e(&config)
	}
	server, err := rpc.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return newHost(t, store, listen(t, server), insecure.NewCredentials())
}

// listen serves a server on a loopback port, without encryption, and returns its address.
func listen(t *testing.T, server *rpc.Server) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// newHost returns host "a" of connector "acme" that calls a server at the address.
func newHost(t *testing.T, store rpc.Store, address string, transport credentials.TransportCredentials) *host {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return &host{BatonServiceClient: batonv1.NewBatonServiceClient(conn), t: t, id: "a",
		ctx: metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+newToken(t, store, "acme"))}
}

// newToken returns a token of a new credential of the connector.
func newToken(t testing.TB, store rpc.Store, connector string) string {
	t.Helper()
	now := time.Now()
	c, _, err := rpc.NewCredential(connector, connector, "c1.example", now)
	if err != nil {
		t.Fatal(err)
	}
	token := "token of " + c.ClientID
	token = strings.ReplaceAll(token, " ", "-")
	err = errors.Join(store.AddCredential(t.Context(), now, c), store.AddToken(t.Context(), now, rpc.Token{
		Hash: sha256.Sum256([]byte(token)), ClientID: c.ClientID, Expires: now.Add(time.Hour), Assertion: "n", AssertionExpires: now.Add(time.Hour)}))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// add queues a task.
func add(t *testing.T, store rpc.Store, connector string, work rpc.Work) rpc.Task {
	t.Helper()
	task, err := rpc.NewTask(connector, work, time.Now())
	if err == nil {
		err = store.AddTask(t.Context(), time.Now(), task)
	}
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// TestReplicas runs many tasks of two connectors of one application through two servers
// that share a store. Each task is done once, by a host of its connector.
func TestReplicas(t *testing.T) {
	store := rpctest.NewMemory()
	connectors := []string{"acme", "acme-second"}
	const each = 60
	owner := map[string]string{}
	for _, connector := range connectors {
		for i := range each {
			work := rpc.Work{ListActions: &rpc.ListActionsWork{}}
			if i%10 == 0 {
				work = rpc.Work{Sync: &rpc.SyncWork{}}
			}
			owner[add(t, store, connector, work).ID] = connector
		}
	}
	replicas := []*host{direct(t, store), direct(t, store)}
	var mu sync.Mutex
	done := map[string]int{}
	var group sync.WaitGroup
	for n := range 8 {
		connector := connectors[n%2]
		h := &host{BatonServiceClient: replicas[n/2%2].BatonServiceClient, t: t, id: fmt.Sprint("h", n)}
		h.ctx = metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+newToken(t, store, connector))
		// The same token works on the other replica.
		elsewhere := replicas[(n/2+1)%2].BatonServiceClient
		group.Go(func() {
			for range 10 * each {
				answer, err := h.GetTask(h.ctx, &batonv1.BatonServiceGetTaskRequest{HostId: h.id})
				if err != nil {
					t.Error(err)
					return
				}
				id := answer.GetTask().GetId()
				if id == "" {
					mu.Lock()
					finished := len(done) == len(owner)
					mu.Unlock()
					if finished {
						return
					}
					continue
				}
				if owner[id] != connector {
					t.Errorf("connector %s got a task of %s", connector, owner[id])
				}
				finish := &batonv1.BatonServiceFinishTaskRequest{HostId: h.id, TaskId: id,
					FinalState: &batonv1.BatonServiceFinishTaskRequest_Success_{Success: &batonv1.BatonServiceFinishTaskRequest_Success{}}}
				if _, err := elsewhere.FinishTask(h.ctx, finish); err != nil {
					t.Error(err)
				}
				mu.Lock()
				done[id]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for id := range owner {
		task, err := store.Task(t.Context(), owner[id], id)
		if err != nil || done[id] != 1 || task.State != rpc.Finished || task.Lease.Number != 1 {
			t.Errorf("task %s: done %d times, %s after %d leases, %v", id, done[id], task.State, task.Lease.Number, err)
		}
	}
}

// TestServerReplaced continues a task on another server of the same store.
func TestServerReplaced(t *testing.T) {
	store := rpctest.NewMemory()
	first := direct(t, store)
	task := add(t, store, "acme", rpc.Work{Sync: &rpc.SyncWork{}})
	if got := first.pollID(); got != task.ID {
		t.Fatalf("got task %q", got)
	}
	next := direct(t, store)
	next.ctx = first.ctx // with the token of the first
	if _, err := next.beat(task.ID); err != nil {
		t.Error(err)
	}
	wantCode(t, next.uploadFile(task.ID, syncFile(100)), codes.OK)
	wantCode(t, next.succeed(task.ID), codes.OK)
}

// failing is a store whose methods fail while the switch is on.
type failing struct {
	rpc.Store
	err error
}

func (f *failing) Lease(ctx context.Context, now time.Time, r rpc.LeaseRequest) (rpc.Leases, error) {
	if f.err != nil {
		return rpc.Leases{}, f.err
	}
	return f.Store.Lease(ctx, now, r)
}

func (f *failing) AppendUpload(ctx context.Context, now time.Time, id string, index int, chunk []byte) error {
	if f.err != nil && index == 1 {
		return f.err
	}
	return f.Store.AppendUpload(ctx, now, id, index, chunk)
}

func (f *failing) Credential(ctx context.Context, id string) (rpc.Credential, error) {
	if f.err != nil {
		return rpc.Credential{}, f.err
	}
	return f.Store.Credential(ctx, id)
}

// TestStoreFails checks that the connector gets a code and no details, and gets its task
// once the store works again.
func TestStoreFails(t *testing.T) {
	memory := rpctest.NewMemory()
	store := &failing{Store: memory}
	h := direct(t, store)
	task := add(t, memory, "acme", rpc.Work{Sync: &rpc.SyncWork{}})
	for kind, want := range map[baton.Kind]codes.Code{baton.Storage: codes.ResourceExhausted, baton.Unavailable: codes.Unavailable, baton.Internal: codes.Internal} {
		store.err = baton.Errorf(kind, "disk /var/lib/secret is full")
		_, err := h.GetTask(h.ctx, &batonv1.BatonServiceGetTaskRequest{HostId: "a"})
		wantCode(t, err, want)
		if kind != baton.Unavailable && strings.Contains(err.Error(), "/var/lib") {
			t.Errorf("the connector is told %v", err)
		}
	}
	store.err = nil
	if got := h.pollID(); got != task.ID {
		t.Fatalf("got task %q", got)
	}
	store.err = baton.Errorf(baton.Storage, "full")
	wantCode(t, h.uploadFile(task.ID, syncFile(3<<20)), codes.ResourceExhausted)
	store.err = nil
	if uploads, err := memory.Uploads(t.Context(), "acme", task.ID); err != nil || len(uploads) != 0 {
		t.Errorf("%+v, %v", uploads, err)
	}
	wantCode(t, h.uploadFile(task.ID, syncFile(3<<20)), codes.OK)
}

// TestUnsendableTask: a task that cannot be encoded fails, and the host gets the next one.
func TestUnsendableTask(t *testing.T) {
	store := rpctest.NewMemory()
	h := direct(t, store)
	bad := rpc.Task{ID: unknownTask, Connector: "acme", Work: rpc.Work{Grant: &rpc.GrantWork{}}, LeaseTime: time.Hour, State: rpc.Queued}
	if err := store.AddTask(t.Context(), time.Now(), bad); err != nil {
		t.Fatal(err)
	}
	good := add(t, store, "acme", rpc.Work{Sync: &rpc.SyncWork{}})
	answer, err := h.GetTasks(h.ctx, &batonv1.BatonServiceGetTasksRequest{HostId: "a", PageSize: 10})
	if err != nil || len(answer.GetTasks()) != 1 || answer.GetTasks()[0].GetId() != good.ID {
		t.Errorf("%v, %v", answer, err)
	}
	got, err := store.Task(t.Context(), "acme", bad.ID)
	if err != nil || got.Outcome() != rpc.Failed || !strings.Contains(got.Result.Message, "cannot send the task: grant") {
		t.Errorf("%+v, %v", got.Result, err)
	}
}

// TestTokenStoreFails: a connector stops permanently when the token endpoint answers 401, so an
// unavailable database must not have that effect.
func TestTokenStoreFails(t *testing.T) {
	store := &failing{Store: rpctest.NewMemory(), err: baton.Errorf(baton.Unavailable, "the database is away")}
	server, err := rpc.New(rpc.Config{Store: store, Hosts: []string{"c1.example"}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	w := newRecorder(server.Handler(), form("acme-00001@c1.example/baton", "a.b.c"))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
}

// TestServeTLS serves connections of a listener with TLS.
func TestServeTLS(t *testing.T) {
	store := rpctest.NewMemory()
	server, err := rpc.New(rpc.Config{Store: store, Hosts: []string{"c1.example"}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, authority, err := rpc.NewCertificate(time.Now(), "127.0.0.1", "c1.example")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	h := newHost(t, store, l.Addr().String(), credentials.NewTLS(&tls.Config{RootCAs: roots}))
	wantCode(t, h.hello(""), codes.OK)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	resp, err := client.PostForm("https://"+l.Addr().String()+rpc.TokenPath, form("x", "y"))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the token endpoint over HTTP/1.1: %v, %v", resp, err)
	}
	if err := errors.Join(server.Close(), <-done); err != nil {
		t.Error(err)
	}
	if leaf, err := x509.ParseCertificate(certificate.Certificate[0]); err != nil || leaf.PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("the certificate's key is %v, %v", leaf.PublicKeyAlgorithm, err)
	}
}

// TestRun expires leases in the background.
func TestRun(t *testing.T) {
	store := rpctest.NewMemory()
	now := time.Now()
	server, err := rpc.New(rpc.Config{Store: store, Hosts: []string{"c1.example"}, Sweep: time.Millisecond, Now: func() time.Time { return now.Add(rpc.WriteLease) }})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	task := add(t, store, "acme", rpc.Work{RunAction: &rpc.RunActionWork{Name: "x"}})
	if leases, err := store.Lease(t.Context(), now.Add(-time.Minute), rpc.LeaseRequest{Connector: "acme", Host: "a", Max: 1}); err != nil || len(leases.Tasks) != 0 {
		t.Fatalf("%+v, %v: it is not due", leases, err)
	}
	now = time.Now()
	if leases, err := store.Lease(t.Context(), now, rpc.LeaseRequest{Connector: "acme", Host: "a", Max: 1}); err != nil || len(leases.Tasks) != 1 {
		t.Fatalf("%+v, %v", leases, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { server.Run(ctx); close(done) }()
	for {
		got, err := store.Task(t.Context(), "acme", task.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.State == rpc.Lost {
			break
		}
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("the task is %s", got.State)
		}
	}
	cancel()
	<-done
}

func TestConfig(t *testing.T) {
	good := rpc.Config{Store: rpctest.NewMemory(), Hosts: []string{"c1.example:8443", "console.example"}}
	if _, err := rpc.New(good); err != nil {
		t.Error(err)
	}
	for name, edit := range map[string]func(*rpc.Config){
		"no store":                  func(c *rpc.Config) { c.Store = nil },
		"no host":                   func(c *rpc.Config) { c.Hosts = nil },
		"empty host":                func(c *rpc.Config) { c.Hosts = []string{"c1.example", ""} },
		"host with colons":          func(c *rpc.Config) { c.Hosts = []string{"[::1]:443"} },
		"host with a slash":         func(c *rpc.Config) { c.Hosts = []string{"c1.example/x"} },
		"heartbeats beyond a lease": func(c *rpc.Config) { c.Heartbeat = rpc.SyncLease },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			c.Hosts = slices.Clone(good.Hosts)
			edit(&c)
			if _, err := rpc.New(c); baton.KindOf(err) != baton.Invalid {
				t.Error(err)
			}
		})
	}
}
