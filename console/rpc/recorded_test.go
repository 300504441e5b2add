package rpc_test

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"baton"
	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
)

// recorded returns the lines of a file that was recorded from official programs, or skips
// the test.
func recorded(t *testing.T, name string) [][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "recorded", name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s, which was recorded from official connectors, is not on this machine", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines [][]byte
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, slices.Clone(scanner.Bytes()))
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// call is one recorded call of a connector.
type call struct {
	RPC, Source string
	Fault       string         // the fault that the recording server injected
	Result      string         // of a token request
	ClientID    string         `json:"client_id"`
	JWTHeader   map[string]any `json:"jwt_header"`
	JWTClaims   map[string]any `json:"jwt_claims"`
	FormKeys    []string       `json:"form_keys"`
	Req         json.RawMessage
	Cancelled   bool
	HostID      string `json:"host_id"` // of an upload, as the following
	TaskID      string `json:"task_id"`
	ChunkSizes  []int  `json:"chunk_sizes"`
	Upload      struct {
		Bytes int64
		Magic string // as %q
	}
}

// message decodes the request.
func (c call) message(t *testing.T, m proto.Message) {
	t.Helper()
	if err := protojson.Unmarshal(c.Req, m); err != nil {
		t.Fatalf("%s: %v", c.Req, err)
	}
}

// task returns the id of the task that the call is about, or "".
func (c call) task() string {
	var req struct {
		TaskID string `json:"task_id"`
	}
	if c.TaskID == "" && c.Req != nil {
		_ = json.Unmarshal(c.Req, &req) // no object has no task
		return req.TaskID
	}
	return c.TaskID
}

// workOf returns work of the type that the calls of a task show.
func workOf(calls []call) (work rpc.Work, debug bool) {
	uploads := 0
	for _, c := range calls {
		answer := string(c.Req)
		switch {
		case c.RPC == "UploadAsset":
			work = rpc.Work{Sync: &rpc.SyncWork{}}
			if c.Fault == "" {
				uploads++
			}
		case c.RPC == "Heartbeat":
			work = rpc.Work{Sync: &rpc.SyncWork{}}
		case c.RPC == "Hello":
			work = rpc.Work{Hello: &rpc.HelloWork{}}
		case strings.Contains(answer, "GrantResponse"), strings.Contains(answer, "RevokeResponse"), strings.Contains(answer, "grant failed"):
			work = rpc.Work{RunAction: &rpc.RunActionWork{Name: "a write"}}
		case strings.Contains(answer, "CreateAccountResponse"), strings.Contains(answer, "create account"):
			work = rpc.Work{RunAction: &rpc.RunActionWork{Name: "a write"}}
		case work.Type() == "":
			work = rpc.Work{ListActions: &rpc.ListActionsWork{}}
		}
	}
	return work, uploads > 1
}

// TestRecordedSession sends the recorded calls of official connectors to the server, in order. Their
// private keys and uploads were not recorded, so assertions are signed with another key, and files
// of the same size are generated.
func TestRecordedSession(t *testing.T) {
	var calls []call
	ofTask := map[string][]call{}
	var latest string // task of the latest heartbeat, because uploads with a fault do not name theirs
	for _, line := range recorded(t, "service-mode.jsonl") {
		var c call
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.RPC == "Heartbeat" {
			latest = c.task()
		}
		if c.RPC == "UploadAsset" && c.TaskID == "" {
			c.TaskID = latest
		}
		calls = append(calls, c)
		if id := c.task(); id != "" {
			ofTask[id] = append(ofTask[id], c)
		}
	}
	var now time.Time
	store := rpctest.NewMemory()
	server, err := rpc.New(rpc.Config{Store: store, Hosts: []string{"127.0.0.1"}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, id: "vm"}
	h.BatonServiceClient = batonv1.NewBatonServiceClient(serve(t, server))
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	leased := map[string]bool{}
	done := map[string]int{}
	for i, c := range calls {
		where := c.RPC + " of " + c.Source + " (line " + strconv.Itoa(i+1) + ")"
		if c.Fault != "" || c.Result == "fault" {
			done["faults"]++
			continue
		}
		done[c.RPC]++
		if c.RPC == "Token" {
			issued, _ := c.JWTClaims["iat"].(float64)
			now = time.Unix(int64(issued), 0)
			err := store.AddCredential(t.Context(), now, rpc.Credential{ClientID: c.ClientID, Connector: c.ClientID, PublicKey: key.Public().(ed25519.PublicKey)})
			if err != nil && baton.KindOf(err) != baton.AlreadyExists {
				t.Fatal(err)
			}
			values := form(c.ClientID, jws(key, c.JWTHeader, c.JWTClaims))
			for name := range values {
				if !slices.Contains(c.FormKeys, name) {
					t.Errorf("%s: the form has no %s", where, name)
				}
			}
			w := newRecorder(server.Handler(), values)
			var answer tokenAnswer
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", where, w.Code, w.Body)
			}
			h.ctx = metadata.AppendToOutgoingContext(t.Context(), "authorization", answer.TokenType+" "+answer.AccessToken)
			latest = c.ClientID
			continue
		}
		if id := c.task(); id != "" && !leased[id] {
			work, debug := workOf(ofTask[id])
			task := rpc.Task{ID: id, Connector: latest, Work: work, Debug: debug, Due: now, LeaseTime: time.Hour, State: rpc.Queued}
			if err := store.AddTask(t.Context(), now, task); err != nil {
				t.Fatal(err)
			}
			if got := h.pollID(); got != id {
				t.Fatalf("%s: leased %q, want %s", where, got, id)
			}
			leased[id] = true
		}
		switch c.RPC {
		case "Hello":
			var m batonv1.BatonServiceHelloRequest
			c.message(t, &m)
			if _, err := h.Hello(h.ctx, &m); err != nil {
				t.Errorf("%s: %v", where, err)
			}
			hosts, err := store.Hosts(t.Context(), latest)
			if err != nil || len(hosts) != 1 || hosts[0].Hello.Connector.DisplayName != m.GetConnectorMetadata().GetDisplayName() ||
				!slices.Contains(hosts[0].Hello.Connector.Capabilities, rpc.CanSync) || len(hosts[0].Hello.Connector.ResourceTypes) != 2 {
				t.Errorf("%s: %+v, %v", where, hosts, err)
			}
		case "GetTask":
			h.poll()
		case "Heartbeat":
			if c.Cancelled {
				if err := store.CancelTask(t.Context(), now, latest, c.task()); err != nil {
					t.Error(err)
				}
			}
			if cancelled, err := h.beat(c.task()); err != nil || cancelled != c.Cancelled {
				t.Errorf("%s: cancelled %v, %v", where, cancelled, err)
			}
		case "UploadAsset":
			head, err := strconv.Unquote(c.Upload.Magic)
			if err != nil {
				t.Fatal(err)
			}
			content := append([]byte(head), pattern(int(c.Upload.Bytes)-len(head))...)
			sum := sha256.Sum256(content)
			parts, rest := []*part{metadataPart(c.HostID, c.TaskID)}, content
			for _, n := range c.ChunkSizes {
				parts, rest = append(parts, dataPart(rest[:n])), rest[n:]
			}
			if err := h.upload(append(parts, eofPart(sum[:]))...); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		case "FinishTask":
			var m batonv1.BatonServiceFinishTaskRequest
			c.message(t, &m)
			if _, err := h.FinishTask(h.ctx, &m); err != nil {
				t.Errorf("%s: %v", where, err)
			}
			task, err := store.Task(t.Context(), latest, m.GetTaskId())
			if err != nil || task.State != rpc.Finished {
				t.Fatalf("%s: %+v, %v", where, task, err)
			}
			checkRecorded(t, where, task, &m)
		default:
			t.Errorf("%s is unknown", where)
		}
	}
	t.Logf("replayed: %v", done)
	if done["FinishTask"] < 46 || done["UploadAsset"] < 8 || done["Token"] < 2 || done["Hello"] < 2 || done["Heartbeat"] < 8 {
		t.Errorf("only %v were replayed", done)
	}
}

// checkRecorded compares a stored result with what the connector sent.
func checkRecorded(t *testing.T, where string, task rpc.Task, sent *batonv1.BatonServiceFinishTaskRequest) {
	t.Helper()
	r := task.Result
	if r.OK() != (sent.GetSuccess() != nil) || r.Code != uint32(sent.GetStatus().GetCode()) || r.Message != sent.GetStatus().GetMessage() ||
		r.NonRetryable != sent.GetError().GetNonRetryable() {
		t.Errorf("%s: %+v", where, r)
	}
	text := protojson.MarshalOptions{UseProtoNames: true}.Format(sent)
	has := func(s string) bool { return strings.Contains(text, s) }
	// The console does not request events; their answers are kept unchanged.
	if other := has("ListEventFeedsResponse") || has("ListEventsResponse"); (r.Other != nil) != other {
		t.Errorf("%s: other answer %+v", where, r.Other)
	}
	if r.Already != (has("GrantAlreadyExists") || has("GrantAlreadyRevoked")) {
		t.Errorf("%s: already %v", where, r.Already)
	}
	if granted := has(`"grants"`); (len(r.Grants) > 0) != granted || granted && r.Grants[0].ID != "group:g1:member:user:u0" {
		t.Errorf("%s: grants %+v", where, r.Grants)
	}
	if (r.Refusal == "policy says no") != has("grant_cancelled") {
		t.Errorf("%s: refusal %q", where, r.Refusal)
	}
	if account := has("CreateAccountResponse"); (r.Account != nil) != account || account && (r.Account.Resource == nil || r.Account.Resource.User == nil ||
		(r.Account.State == rpc.AccountActionRequired) != has("action_required") || (r.Account.State == rpc.AccountExists) != has("already_exists") ||
		(len(r.Account.Secrets) > 0) != has("encrypted_data")) {
		t.Errorf("%s: account %+v", where, r.Account)
	}
	if run := has("InvokeActionResponse") || has("GetActionStatusResponse"); (r.Action != nil) != run || run &&
		((r.Action.State == rpc.ActionComplete) != has("STATUS_COMPLETE") || (r.Action.State == rpc.ActionRunning) != has("STATUS_RUNNING") || r.Action.ID == "" || r.Action.Name == "") {
		t.Errorf("%s: action %+v", where, r.Action)
	}
	if offered := has("BatonActionSchema") || has(`"schemas"`) || has(`"schema"`); (len(r.Actions) > 0) != offered || offered &&
		(r.Actions[0].Name != "fast" || r.Actions[0].Arguments[0].Kind != rpc.StringField || r.Actions[0].Returns[0].Kind != rpc.BoolField) {
		t.Errorf("%s: actions %+v", where, r.Actions)
	}
	switch got := task.Outcome(); {
	case r.OK() && got != rpc.Done && got != rpc.AlreadyDone && got != rpc.InProgress,
		r.Code == uint32(codes.FailedPrecondition) && got != rpc.Refused,
		!r.OK() && r.Code != uint32(codes.FailedPrecondition) && r.NonRetryable && got != rpc.Failed && got != rpc.Unsupported:
		t.Errorf("%s: outcome %s", where, got)
	}
}

// TestRecordedMessages decodes every recorded message of official connectors, and checks that the
// server accepts it.
func TestRecordedMessages(t *testing.T) {
	n := 0
	for _, line := range recorded(t, "wire-vectors.jsonl") {
		var vector struct{ Message, Type, Name, Hex string }
		if err := json.Unmarshal(line, &vector); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(line), "BatonServiceFinishTaskRequest") && !strings.Contains(string(line), "BatonServiceHelloRequest") {
			continue
		}
		b, err := hex.DecodeString(vector.Hex)
		if err != nil {
			t.Fatal(err)
		}
		store := rpctest.NewMemory()
		h := direct(t, store)
		h.id = "vm"
		if strings.Contains(string(line), "BatonServiceHelloRequest") {
			var m batonv1.BatonServiceHelloRequest
			if err := proto.Unmarshal(b, &m); err != nil {
				t.Fatal(err)
			}
			m.TaskId = ""
			if _, err := h.Hello(h.ctx, &m); err != nil {
				t.Error(err)
			}
			n++
			continue
		}
		var m batonv1.BatonServiceFinishTaskRequest
		if err := proto.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		task := rpc.Task{ID: m.GetTaskId(), Connector: "acme", Work: rpc.Work{ListActions: &rpc.ListActionsWork{}}, LeaseTime: time.Hour, State: rpc.Queued}
		if err := store.AddTask(t.Context(), time.Now(), task); err != nil {
			t.Fatal(err)
		}
		h.poll()
		if _, err := h.FinishTask(h.ctx, &m); err != nil {
			t.Error(err)
		}
		got, err := store.Task(t.Context(), "acme", task.ID)
		if err != nil {
			t.Fatal(err)
		}
		checkRecorded(t, string(line[len(line)-min(len(line), 60):]), got, &m)
		n++
	}
	if n < 49 {
		t.Errorf("only %d messages were looked at", n)
	}
}

// serve serves a server on a loopback port and returns a connection to it.
func serve(t *testing.T, server *rpc.Server) *grpc.ClientConn {
	t.Helper()
	address := listen(t, server)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
