package service_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"baton"
	"baton/agent/service"
	"baton/connector/perplexity"
	"baton/connector/rest"
	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
	sandboxed "baton/sandbox/perplexity"
)

// world is a control plane over TLS, an organisation, and a connector's credential.
type world struct {
	t        *testing.T
	c1       *rpctest.Server
	org      *sandboxed.Server
	upstream *httptest.Server
	state    string // directory
	clientID string
	secret   baton.Secret

	mu   sync.Mutex
	hold func(*http.Request) bool
	held chan struct{} // one element for each request that is held
	free chan struct{} // closed to let them go
}

func newWorld(t *testing.T, faults ...string) *world {
	t.Helper()
	return newWorldOf(t, 30*time.Second, faults...)
}

// newWorldOf returns a world whose task leases last that long without a heartbeat.
func newWorldOf(t *testing.T, lease time.Duration, faults ...string) *world {
	t.Helper()
	w := &world{t: t, state: t.TempDir(), held: make(chan struct{}, 100), free: make(chan struct{}),
		org: sandboxed.New(sandboxed.Options{Faults: faults, Token: "sk-scim-0123456789"})}
	w.upstream = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.upstream.Close)
	var err error
	w.c1, err = rpctest.Listen(t.Context(), rpctest.Config{Dir: t.TempDir(),
		Poll: 20 * time.Millisecond, Heartbeat: time.Second, Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.c1.Close() })
	if w.clientID, w.secret, err = w.c1.Issue(t.Context(), "perplexity"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	hold, free := w.hold != nil && w.hold(r), w.free
	w.mu.Unlock()
	if hold {
		w.held <- struct{}{}
		select {
		case <-free:
		case <-r.Context().Done():
			return
		}
	}
	w.org.ServeHTTP(rw, r)
}

// holds makes matching requests to the upstream wait until release is called.
func (w *world) holds(which func(*http.Request) bool) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = which
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.hold = nil
		close(w.free)
		w.free = make(chan struct{})
	})
}

// waitHeld waits until a request is held.
func (w *world) waitHeld() {
	w.t.Helper()
	select {
	case <-w.held:
	case <-time.After(20 * time.Second):
		w.t.Fatal("no request came to be held")
	}
}

func (w *world) open(_ context.Context, observe func(rest.Attempt)) (*baton.Connector, error) {
	cfg, err := perplexity.Configure(baton.Values{})
	client, restErr := rest.New(rest.Config{BaseURL: w.upstream.URL + w.org.URLPath(), Token: baton.NewSecret(w.org.Token()), Observe: observe, RetryFor: time.Second})
	if err := errors.Join(err, restErr); err != nil {
		return nil, err
	}
	cfg.REST = client
	return perplexity.New(cfg), nil
}

func (w *world) config() service.Config {
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("SERVICE_LOG") != "" {
		log = slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return service.Config{Open: w.open, ClientID: w.clientID, ClientSecret: w.secret, CAFile: w.c1.CAFile, Version: "1.2.3",
		HostID: "host-1", Provisioning: true, StateDir: w.state, Grace: 5 * time.Second, Log: log}
}

// running is a running service.
type running struct {
	w    *world
	kill context.CancelFunc
	done chan error
}

func (w *world) start(edits ...func(*service.Config)) *running {
	w.t.Helper()
	cfg := w.config()
	for _, edit := range edits {
		edit(&cfg)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	r := &running{w: w, kill: cancel, done: make(chan error, 1)}
	go func() { r.done <- service.Run(ctx, cfg) }()
	w.t.Cleanup(func() {
		cancel()
		select {
		case err := <-r.done:
			r.done <- err
		case <-time.After(30 * time.Second):
			w.t.Error("the service does not stop")
		}
	})
	return r
}

// end waits for the service to end.
func (r *running) end() error {
	r.w.t.Helper()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(30 * time.Second):
		r.w.t.Fatal("the service does not end")
		return nil
	}
}

// stop ends the service as a signal would.
func (r *running) stop() error {
	r.w.t.Helper()
	r.kill()
	return r.end()
}

// enqueue adds a task for the connector.
func (w *world) enqueue(task *batonv1.Task) string {
	w.t.Helper()
	id, err := w.c1.Enqueue(w.t.Context(), "perplexity", task)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// result waits for the result of a task.
func (w *world) result(id string) rpctest.Result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 40*time.Second)
	defer cancel()
	r, err := w.c1.Wait(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// lostBy returns the ids of the tasks that are lost at a time. A write whose lease ended without a result is lost,
// and is not handed out again by itself.
func (w *world) lostBy(now time.Time) (ids []string) {
	if _, err := w.c1.Store.Expire(w.t.Context(), now, 1000); err != nil {
		w.t.Error(err)
	}
	for _, task := range w.c1.Tasks() {
		if task.State == rpc.Lost {
			ids = append(ids, task.ID)
		}
	}
	return ids
}

// putBack puts a lost task back into the queue.
func (w *world) putBack(id string) {
	if err := w.c1.Store.RequeueTask(w.t.Context(), time.Now(), "perplexity", id); err != nil && baton.KindOf(err) != baton.Refused {
		w.t.Error(err) // it is refused if the host has reported the result meanwhile
	}
}

// putsBack puts every lost task back until the test ends.
func (w *world) putsBack() {
	done := make(chan struct{})
	w.t.Cleanup(func() { <-done })
	ctx := w.t.Context()
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for _, id := range w.lostBy(time.Now()) {
				w.putBack(id)
			}
		}
	}()
}

func (w *world) do(task *batonv1.Task) rpctest.Result {
	w.t.Helper()
	return w.result(w.enqueue(task))
}

// succeed runs a task and decodes its response.
func (w *world) succeed(task *batonv1.Task, response proto.Message) rpctest.Result {
	w.t.Helper()
	r := w.do(task)
	if !r.OK() {
		w.t.Fatalf("%v: %v", task, r.Status)
	}
	if response == nil {
		if r.Response != nil {
			w.t.Fatalf("there is a response: %v", r.Response)
		}
		return r
	}
	if err := r.Response.UnmarshalTo(response); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// fail runs a task and checks its failure.
func (w *world) fail(task *batonv1.Task, code int32, nonRetryable bool, text string) rpctest.Result {
	w.t.Helper()
	r := w.do(task)
	if r.Status.GetCode() != code || r.NonRetryable != nonRetryable || !strings.Contains(r.Status.GetMessage(), text) {
		w.t.Errorf("%v: %v, non-retryable %v; want code %d, %v, %q", task, r.Status, r.NonRetryable, code, nonRetryable, text)
	}
	return r
}

func (w *world) group(name string) sandboxed.GroupState {
	w.t.Helper()
	g, ok := w.org.State().Group(name)
	if !ok {
		w.t.Fatalf("there is no group %s", name)
	}
	return g
}

// outsider returns an active user who is not in the group.
func (w *world) outsider(group string) string {
	w.t.Helper()
	members := map[string]bool{}
	for _, m := range w.group(group).Members {
		members[m] = true
	}
	for _, u := range w.org.State().Users {
		if u.Active && u.Managed && !members[u.ID] {
			return u.ID
		}
	}
	w.t.Fatalf("everybody is in %s", group)
	return ""
}

func (w *world) isMember(group, user string) bool {
	for _, m := range w.group(group).Members {
		if m == user {
			return true
		}
	}
	return false
}

func entitlementOf(g sandboxed.GroupState) *connectorv2.Entitlement {
	return &connectorv2.Entitlement{Id: "group:" + g.ID + ":member", Slug: "member",
		Resource: &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "group", Resource: g.ID}, DisplayName: g.DisplayName}}
}

func principal(id string) *connectorv2.Resource {
	return &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "user", Resource: id}}
}

func grantTask(g sandboxed.GroupState, user string) *batonv1.Task {
	return &batonv1.Task{TaskType: &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{Entitlement: entitlementOf(g), Principal: principal(user)}}}
}

func revokeTask(g sandboxed.GroupState, user string) *batonv1.Task {
	return &batonv1.Task{TaskType: &batonv1.Task_Revoke{Revoke: &batonv1.Task_RevokeTask{Grant: &connectorv2.Grant{
		Id: "group:" + g.ID + ":member:user:" + user, Entitlement: entitlementOf(g), Principal: principal(user)}}}}
}

func syncTask(edit func(*batonv1.Task_SyncFullTask)) *batonv1.Task {
	work := &batonv1.Task_SyncFullTask{}
	if edit != nil {
		edit(work)
	}
	return &batonv1.Task{TaskType: &batonv1.Task_SyncFull{SyncFull: work}}
}

func accountTask(email, name string) *batonv1.Task {
	profile, _ := structpb.NewStruct(map[string]any{"display_name": name})
	return &batonv1.Task{TaskType: &batonv1.Task_CreateAccount{CreateAccount: &batonv1.Task_CreateAccountTask{
		AccountInfo: &connectorv2.AccountInfo{Emails: []*connectorv2.AccountInfo_Email{{Address: email, IsPrimary: true}}, Login: email, Profile: profile},
		CredentialOptions: &connectorv2.CredentialOptions{Options: &connectorv2.CredentialOptions_NoPassword_{
			NoPassword: &connectorv2.CredentialOptions_NoPassword{}}},
		ResourceTypeId: "user"}}}
}

func actionTask(name string, arguments map[string]any) *batonv1.Task {
	args, _ := structpb.NewStruct(arguments)
	return &batonv1.Task{TaskType: &batonv1.Task_ActionInvoke{ActionInvoke: &batonv1.Task_ActionInvokeTask{Name: name, Args: args}}}
}
