package rpc_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/anypb"

	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

// official calls as connectors on the official SDK were recorded to call (docs/peers.md): each call over a
// TLS connection of its own, with the name of the client and the version as user agent.
type official struct {
	f     *fixture
	token string
	agent string
}

// do makes one call.
func (o official) do(call func(h *host)) {
	o.f.t.Helper()
	conn, err := grpc.NewClient(o.f.Address(), grpc.WithTransportCredentials(credentials.NewTLS(o.f.tls.Clone())), grpc.WithUserAgent(o.agent))
	if err != nil {
		o.f.t.Fatal(err)
	}
	defer conn.Close()
	h := o.f.host("vm", o.token)
	h.BatonServiceClient = batonv1.NewBatonServiceClient(conn)
	call(h)
}

// poll asks for a task. The answer to a connector without work says when to ask again.
func (o official) poll() (task *batonv1.Task) {
	o.f.t.Helper()
	o.do(func(h *host) {
		answer, err := h.GetTask(h.ctx, &batonv1.BatonServiceGetTaskRequest{HostId: "vm"})
		if err != nil {
			o.f.t.Fatal(err)
		}
		if task = answer.GetTask(); task.GetId() == "" && answer.GetNextPoll().AsDuration() <= 0 {
			o.f.t.Error("it would ask again at once")
		}
	})
	return task
}

// hello describes the connector; taskID is empty at the start.
func (o official) hello(taskID string) {
	o.f.t.Helper()
	sync := []connectorv2.Capability{connectorv2.Capability_CAPABILITY_SYNC}
	o.do(func(h *host) {
		_, err := h.Hello(h.ctx, &batonv1.BatonServiceHelloRequest{HostId: "vm", TaskId: taskID,
			BuildInfo: &batonv1.BatonServiceHelloRequest_BuildInfo{LangVersion: "go1.26.8", Package: "github.com/conductorone/baton-percipio", PackageVersion: "(devel)"},
			OsInfo: &batonv1.BatonServiceHelloRequest_OSInfo{Hostname: "vm", Os: "linux", Platform: "debian", PlatformVersion: "12.11", PlatformFamily: "debian",
				KernelVersion: "6.18.44", KernelArch: "x86_64", VirtualizationSystem: "docker"},
			ConnectorMetadata: &connectorv2.ConnectorMetadata{DisplayName: "Percipio Connector", Description: "Connector syncing users from Percipio",
				Capabilities: &connectorv2.ConnectorCapabilities{ConnectorCapabilities: sync, ResourceTypeCapabilities: []*connectorv2.ResourceTypeCapability{
					{ResourceType: &connectorv2.ResourceType{Id: "course", DisplayName: "course"}, Capabilities: sync},
					{ResourceType: &connectorv2.ResourceType{Id: "user", DisplayName: "User", Traits: []connectorv2.ResourceType_Trait{connectorv2.ResourceType_TRAIT_USER}}, Capabilities: sync}}}}})
		wantCode(o.f.t, err, codes.OK)
	})
}

// finish ends a task, with a deadline of 30 seconds. A nil failure is the success of a task without a response.
func (o official) finish(id string, response *anypb.Any, failure *status.Status, final bool) {
	o.f.t.Helper()
	r := &batonv1.BatonServiceFinishTaskRequest{HostId: "vm", TaskId: id, Status: failure}
	if failure == nil {
		r.FinalState = &batonv1.BatonServiceFinishTaskRequest_Success_{Success: &batonv1.BatonServiceFinishTaskRequest_Success{Response: response}}
	} else {
		r.FinalState = &batonv1.BatonServiceFinishTaskRequest_Error_{Error: &batonv1.BatonServiceFinishTaskRequest_Error{NonRetryable: final}}
	}
	o.do(func(h *host) {
		ctx, cancel := context.WithTimeout(h.ctx, 30*time.Second)
		defer cancel()
		_, err := h.FinishTask(ctx, r)
		wantCode(o.f.t, err, codes.OK)
	})
}

// TestOfficialConnectors runs a connector of each generation of the official SDK that was seen.
func TestOfficialConnectors(t *testing.T) {
	for _, tt := range []struct{ sdk, agent, magic string }{
		{"v0.3.15", "baton-sdk/v0.3.14", "C1ZF\x00"},
		{"v0.20.2", "baton-sdk/v0.20.1", "C1ZF\x00"},
		{"v0.20.2 with pebble", "baton-sdk/v0.20.1", "C1Z3\x00"},
		{"v0.25.0", "baton-sdk/v0.25.0", "C1Z3\x00"},
	} {
		t.Run(tt.sdk, func(t *testing.T) {
			f := newFixture(t)
			c := f.issue("acme")
			name, _, _ := strings.Cut(c.id, "@")
			o := official{f, f.token(c), name + " " + tt.agent}
			next := func(id string) *batonv1.Task {
				t.Helper()
				task := o.poll()
				if task.GetId() != id {
					t.Fatalf("the task is %q, want %q", task.GetId(), id)
				}
				return task
			}
			o.hello("")
			if task := o.poll(); task.GetId() != "" {
				t.Fatalf("there is a task: %v", task)
			}

			// The Hello with the id of the task ends it; FinishTask is not called.
			id := f.enqueue("acme", &batonv1.Task{TaskType: &batonv1.Task_Hello{Hello: &batonv1.Task_HelloTask{}}})
			next(id)
			o.hello(id)
			if r, err := f.Wait(t.Context(), id); err != nil || !r.OK() {
				t.Errorf("hello: %+v, %v", r, err)
			}

			// A heartbeat comes before the work of a full sync, and of no other task.
			id = f.enqueue("acme", syncTask())
			next(id)
			o.do(func(h *host) {
				if cancelled, err := h.beat(id); cancelled || err != nil {
					t.Errorf("the first heartbeat: %v, %v", cancelled, err)
				}
			})
			content := append([]byte(tt.magic), pattern(600<<10)...)
			o.do(func(h *host) { wantCode(t, h.uploadFile(id, content), codes.OK) })
			o.finish(id, nil, nil, false)
			if r, err := f.Wait(t.Context(), id); err != nil || !r.OK() || len(r.Assets) != 1 || r.Assets[0].Size != int64(len(content)) {
				t.Errorf("sync: %+v, %v", r, err)
			}

			// Without --provisioning.
			id = f.enqueue("acme", grantTask())
			next(id)
			o.finish(id, nil, &status.Status{Code: 9, Message: "rpc error: code = FailedPrecondition desc = provisioning is not enabled\ntask failed and is non-retryable"}, true)
			if r, err := f.Wait(t.Context(), id); err != nil || r.OK() || !r.NonRetryable || r.Status.GetCode() != 9 {
				t.Errorf("grant: %+v, %v", r, err)
			}

			// An action that is not there.
			id = f.enqueue("acme", &batonv1.Task{TaskType: &batonv1.Task_ActionInvoke{ActionInvoke: &batonv1.Task_ActionInvokeTask{Name: "x"}}})
			next(id)
			o.finish(id, nil, &status.Status{Code: 5, Message: "error: invoking action failed: rpc error: code = NotFound desc = handler for action x not found"}, false)
			if r, err := f.Wait(t.Context(), id); err != nil || r.OK() || r.NonRetryable || r.Status.GetCode() != 5 {
				t.Errorf("action: %+v, %v", r, err)
			}

			// Feeds: an empty list is a result. A task that the SDK does not finish, which is its way with unknown feeds,
			// is handed out again after its lease.
			id = f.enqueue("acme", listTask())
			next(id)
			if task := o.poll(); task.GetId() != "" {
				t.Errorf("there is another task: %v", task)
			}
			f.clock.advance(2 * time.Minute)
			next(id)
			response, err := anypb.New(&connectorv2.ListEventFeedsResponse{})
			if err != nil {
				t.Fatal(err)
			}
			o.finish(id, response, nil, false)
			if r, err := f.Wait(t.Context(), id); err != nil || !r.OK() || r.Response.GetTypeUrl() != "type.googleapis.com/c1.connector.v2.ListEventFeedsResponse" {
				t.Errorf("feeds: %+v, %v", r, err)
			}
			if hosts := f.Hellos(); len(hosts) != 1 || hosts[0].Count != 2 || hosts[0].Request.GetOsInfo().GetVirtualizationSystem() != "docker" {
				t.Errorf("%+v", hosts)
			}
		})
	}
}
