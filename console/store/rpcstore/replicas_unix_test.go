//go:build unix

package rpcstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/internal/longtest"
	"baton/internal/pb/batonv1"
)

// replicaVariable holds the configuration of a process that TestReplicas starts, as JSON.
const replicaVariable = "BATON_TEST_RPC_REPLICA"

func init() {
	text := os.Getenv(replicaVariable)
	if text == "" {
		return
	}
	var r replica
	err := json.Unmarshal([]byte(text), &r)
	if err == nil {
		err = r.run(ctx)
	}
	fmt.Println(err)
	os.Exit(1)
}

// replica is a process that serves connectors and does due work: it queues a task for each
// operation, and reacts to its end.
type replica struct {
	Name     string
	URL      string // of the database
	Address  string // to listen on
	Upstream string // address for asking whether an operation was done, instead of a sync
}

// Kinds of due rows and events, and the lease of a due row.
const (
	wanted    = "test.wanted"
	queuedOp  = "test.queued"
	againOp   = "test.queued-again"
	doneOp    = "test.done"
	dueLease  = time.Second
	taskLease = 3 * time.Second
)

func (r replica) run(ctx context.Context) error {
	s, err := openReplicated(ctx, r.URL)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", r.Address)
	if err != nil {
		return err
	}
	server, err := rpc.New(rpc.Config{Store: rpcstore.New(s), Hosts: []string{r.Address}, Poll: 100 * time.Millisecond, Heartbeat: time.Second, Sweep: 500 * time.Millisecond})
	if err != nil {
		return err
	}
	go server.Run(ctx)
	go r.react(ctx, s, wanted, r.queue)
	go r.react(ctx, s, rpcstore.EndedKind, r.ended)
	return server.Serve(listener)
}

func openReplicated(ctx context.Context, url string) (*store.Store, error) {
	for {
		s, err := postgres.Open(ctx, postgres.Config{URL: baton.NewSecret(url), Now: time.Now(), Connections: 8}, nil)
		if err == nil || baton.KindOf(err) != baton.Unavailable || ctx.Err() != nil {
			return s, err
		}
		time.Sleep(50 * time.Millisecond) // the database is starting
	}
}

// react claims rows of a kind and runs do for each in a transaction that finishes the row.
func (r replica) react(ctx context.Context, s *store.Store, kind string, do func(context.Context, *store.Store, *store.Tx, store.Due) error) {
	for {
		rows, err := s.Claim(ctx, time.Now(), kind, r.Name, dueLease, 20)
		for _, d := range rows {
			err = s.Update(ctx, console.By{At: time.Now(), Actor: console.Console}, func(tx *store.Tx) error {
				if err := do(ctx, s, tx, d); err != nil {
					return err
				}
				return tx.FinishDue(d)
			})
			if err != nil {
				fmt.Fprintln(os.Stderr, r.Name, kind, d.Ref, err) // another replica will do it
			}
		}
		if err != nil || len(rows) == 0 {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// queue creates the task of an operation, whose number is the due row's ref.
func (r replica) queue(_ context.Context, _ *store.Store, tx *store.Tx, d store.Due) error {
	group := baton.ResourceID{Type: "group", ID: "g"}
	task, err := rpc.NewTask(string(d.Payload), rpc.Work{Grant: &rpc.GrantWork{
		Entitlement: rpc.Entitlement{ID: "group:g:member", Resource: baton.Resource{ID: group}},
		Principal:   baton.Resource{ID: baton.ResourceID{Type: "user", ID: d.Ref}}}}, time.Now())
	if err != nil {
		return err
	}
	task.Ref, task.LeaseTime = d.Ref, taskLease
	tx.Append(console.Event{Kind: queuedOp, Object: d.Ref})
	return rpcstore.AddTask(tx, task)
}

// ended reacts to the end of a task. If its result is unknown, the upstream decides.
func (r replica) ended(ctx context.Context, s *store.Store, tx *store.Tx, d store.Due) error {
	connector := string(d.Payload)
	task, err := rpcstore.New(s).Task(ctx, connector, d.Ref)
	if err != nil {
		return err
	}
	if task.State == rpc.Lost {
		response, err := http.Get(r.Upstream + "?op=" + task.Ref)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode == http.StatusNotFound {
			tx.Append(console.Event{Kind: againOp, Object: task.Ref})
			return rpcstore.RequeueTask(tx, connector, task.ID)
		}
	}
	tx.Append(console.Event{Kind: doneOp, Object: task.Ref})
	return nil
}

// fleet is the set of replicas and their state.
type fleet struct {
	t        *testing.T
	url      string
	upstream string
	mu       sync.Mutex
	running  []*exec.Cmd
	address  []string
	log      strings.Builder
}

func (f *fleet) start(i int) {
	b, err := json.Marshal(replica{Name: fmt.Sprintf("replica%d", i), URL: f.url, Address: f.address[i], Upstream: f.upstream})
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), replicaVariable+"="+string(b))
	out := &logged{f: f}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.running[i] = cmd
}

// kill kills a replica.
func (f *fleet) kill(i int) {
	f.running[i].Process.Signal(syscall.SIGKILL)
	f.running[i].Wait()
}

type logged struct{ f *fleet }

func (l *logged) Write(b []byte) (int, error) {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	return l.f.log.Write(b)
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestReplicas runs three replicas on one PostgreSQL server. Operations arrive steadily, and hosts
// of several connectors do them. Every few seconds a replica is killed and restarted, and once the
// database is stopped for a second. At the end each operation was queued once, done upstream once,
// and recorded as done once.
func TestReplicas(t *testing.T) {
	operations, length, every := longtest.Pick(300, 6000), longtest.Pick(9*time.Second, 5*time.Minute), longtest.Pick(3*time.Second, 10*time.Second)
	const connectors = 4
	database := pgtest.Start(t)
	f := &fleet{t: t, url: database.URL("public").Reveal(), running: make([]*exec.Cmd, 3)}
	s, err := openReplicated(t.Context(), f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range f.running {
		f.address = append(f.address, freeAddress(t))
	}
	var upstream upstream
	web := httptest.NewServer(http.HandlerFunc(upstream.serve))
	defer web.Close()
	f.upstream = web.URL
	for i := range f.running {
		f.start(i)
		defer f.kill(i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var hosts sync.WaitGroup
	for c := range connectors {
		connector := fmt.Sprintf("connector%d", c)
		token := issue(t, s, connector)
		for h := range 2 {
			hosts.Go(func() { (&host{f.address, fmt.Sprintf("host%d", h), token, &upstream, nil, 0}).work(ctx) })
		}
	}

	kills, stopped := 0, false
	began := time.Now()
	nextKill := began.Add(every)
	for op := 0; op < operations; {
		now := time.Now()
		if now.After(nextKill) {
			victim := kills % len(f.running)
			f.kill(victim)
			f.start(victim)
			kills++
			nextKill = nextKill.Add(every)
		}
		if !stopped && now.Sub(began) > length/2 {
			stopped = true
			database.Stop()
			time.Sleep(time.Second)
			if err := database.Run(); err != nil {
				t.Fatal(err)
			}
		}
		// Operations arrive evenly. A failed call may have succeeded, so the same row is set again.
		for want := int(float64(operations) * float64(now.Sub(began)) / float64(length)); op < min(want, operations); {
			ref := fmt.Sprintf("op%05d", op)
			err := s.Update(ctx, console.By{At: time.Now(), Actor: console.Console}, func(tx *store.Tx) error {
				tx.Append(console.Event{Kind: "test.asked", Object: ref})
				return tx.SetDue(wanted, ref, time.Now(), fmt.Appendf(nil, "connector%d", op%connectors))
			})
			if err != nil {
				t.Fatalf("%s: %v", ref, err)
			}
			op++
		}
		time.Sleep(5 * time.Millisecond)
	}
	// The rest ends within the leases.
	deadline := time.Now().Add(60 * time.Second)
	events := eventsByKind(t, s)
	for ; len(events[doneOp]) < operations && time.Now().Before(deadline); events = eventsByKind(t, s) {
		time.Sleep(200 * time.Millisecond)
	}
	time.Sleep(2 * dueLease) // would show work that is done twice
	events = eventsByKind(t, s)
	cancel()
	hosts.Wait()

	var slowest time.Duration
	for op := range operations {
		ref := fmt.Sprintf("op%05d", op)
		if q, d, u := len(events[queuedOp][ref]), len(events[doneOp][ref]), upstream.count(ref); q != 1 || d != 1 || u != 1 {
			t.Errorf("%s: queued %d times, done upstream %d times, noted as done %d times", ref, q, u, d)
			continue
		}
		slowest = max(slowest, events[queuedOp][ref][0].Sub(events["test.asked"][ref][0]))
	}
	again := 0
	for _, times := range events[againOp] {
		again += len(times)
	}
	if r, err := s.VerifyChain(t.Context()); err != nil || len(r.Faults) > 0 {
		t.Errorf("chain: %+v, %v", r.Faults, err)
	}
	if kills < 2 || !stopped {
		t.Errorf("%d kills, database stopped: %v", kills, stopped)
	}
	t.Logf("%d operations, %d kills, %d tasks queued again because their lease was lost, %d calls failed and were repeated; slowest from asked to queued: %v",
		operations, kills, again, upstream.failed.Load(), slowest)
	if t.Failed() {
		f.mu.Lock()
		defer f.mu.Unlock()
		t.Log(f.log.String())
	}
}

// eventsByKind returns the times of events, by kind and object.
func eventsByKind(t *testing.T, s *store.Store) map[string]map[string][]time.Time {
	t.Helper()
	all := map[string]map[string][]time.Time{}
	for after := int64(0); ; {
		var page []store.Event
		err := s.View(t.Context(), func(tx *store.Tx) (err error) {
			page, err = tx.Events(store.EventFilter{}, after, store.PageSize)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			after = e.Number
			if all[e.Kind] == nil {
				all[e.Kind] = map[string][]time.Time{}
			}
			all[e.Kind][e.Object] = append(all[e.Kind][e.Object], e.At)
		}
		if len(page) < store.PageSize {
			return all
		}
	}
}

// upstream is the application that the connectors change.
type upstream struct {
	mu     sync.Mutex
	done   map[string]int
	failed atomic.Int64 // calls of hosts that had to be repeated
}

func (u *upstream) do(op string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done == nil {
		u.done = map[string]int{}
	}
	u.done[op]++
}

func (u *upstream) count(op string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.done[op]
}

func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	if u.count(r.FormValue("op")) == 0 {
		http.NotFound(w, r)
	}
}

// issue makes a credential and a token of a connector.
func issue(t *testing.T, s *store.Store, connector string) string {
	t.Helper()
	now := time.Now()
	c, _, err := rpc.NewCredential(connector, connector, "replicas.example", now)
	if err != nil {
		t.Fatal(err)
	}
	token := "token-of-" + strings.ReplaceAll(connector, " ", "-")
	err = errors.Join(rpcstore.New(s).AddCredential(t.Context(), now, c), rpcstore.New(s).AddToken(t.Context(), now, rpc.Token{
		Hash: sha256.Sum256([]byte(token)), ClientID: c.ClientID, Expires: now.Add(time.Hour), Assertion: connector, AssertionExpires: now.Add(time.Hour)}))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// host does the tasks of a connector, and switches to the next replica if one does not answer.
type host struct {
	addresses []string
	id        string
	token     string
	upstream  *upstream
	conn      *grpc.ClientConn
	next      int
}

func (h *host) work(ctx context.Context) {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+h.token)
	defer func() {
		if h.conn != nil {
			h.conn.Close()
		}
	}()
	for ctx.Err() == nil {
		var response *batonv1.BatonServiceGetTaskResponse
		err := h.call(ctx, func(ctx context.Context, c batonv1.BatonServiceClient) (err error) {
			response, err = c.GetTask(ctx, &batonv1.BatonServiceGetTaskRequest{HostId: h.id})
			return err
		})
		if err != nil {
			continue
		}
		task := response.GetTask()
		if task == nil {
			time.Sleep(response.GetNextPoll().AsDuration())
			continue
		}
		h.upstream.do(task.GetGrant().GetPrincipal().GetId().GetResource())
		for ctx.Err() == nil {
			err := h.call(ctx, func(ctx context.Context, c batonv1.BatonServiceClient) error {
				_, err := c.FinishTask(ctx, &batonv1.BatonServiceFinishTaskRequest{HostId: h.id, TaskId: task.GetId(),
					FinalState: &batonv1.BatonServiceFinishTaskRequest_Success_{Success: &batonv1.BatonServiceFinishTaskRequest_Success{}}})
				return err
			})
			if err == nil || slices.Contains([]codes.Code{codes.FailedPrecondition, codes.NotFound, codes.InvalidArgument}, status.Code(err)) {
				break
			}
		}
	}
}

// call calls one replica; after a failure the next call goes to another one.
func (h *host) call(ctx context.Context, fn func(context.Context, batonv1.BatonServiceClient) error) (err error) {
	if h.conn == nil {
		if h.conn, err = grpc.NewClient(h.addresses[h.next%len(h.addresses)], grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err = fn(limited, batonv1.NewBatonServiceClient(h.conn)); err != nil {
		if ctx.Err() == nil {
			h.upstream.failed.Add(1)
		}
		h.conn.Close()
		h.conn, h.next = nil, h.next+1
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return err
}
