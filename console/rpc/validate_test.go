package rpc_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

// TestRules checks both sides of the limit of each rule, and that the error names the field.
func TestRules(t *testing.T) {
	f := newFixture(t)
	h, _ := f.pair()
	held := f.enqueue("acme", grantTask())
	h.poll()
	of := func(n int) string { return strings.Repeat("é", n) } // two bytes each
	many := func(n int) []*anypb.Any { return make([]*anypb.Any, n) }
	hello := func(edit func(*batonv1.BatonServiceHelloRequest)) func() error {
		return func() error {
			r := helloRequest("a", "")
			edit(r)
			_, err := h.Hello(h.ctx, r)
			return err
		}
	}
	metadata := func(edit func(*connectorv2.ConnectorMetadata)) func() error {
		return hello(func(r *batonv1.BatonServiceHelloRequest) { edit(r.ConnectorMetadata) })
	}
	resourceType := func(rt *connectorv2.ResourceType) func() error {
		return metadata(func(m *connectorv2.ConnectorMetadata) {
			m.Capabilities = &connectorv2.ConnectorCapabilities{ResourceTypeCapabilities: []*connectorv2.ResourceTypeCapability{{ResourceType: rt}}}
		})
	}
	poll := func(host string) func() error {
		return func() error {
			_, err := h.GetTask(h.ctx, &batonv1.BatonServiceGetTaskRequest{HostId: host})
			return err
		}
	}
	tasks := func(r *batonv1.BatonServiceGetTasksRequest) func() error {
		return func() error { r.HostId = "a"; _, err := h.GetTasks(h.ctx, r); return err }
	}
	beat := func(r *batonv1.BatonServiceHeartbeatRequest) func() error {
		return func() error { r.HostId = "a"; _, err := h.Heartbeat(h.ctx, r); return err }
	}
	finish := func(r *batonv1.BatonServiceFinishTaskRequest) func() error {
		return func() error { r.HostId = "a"; _, err := h.FinishTask(h.ctx, r); return err }
	}
	success := func(n int) *batonv1.BatonServiceFinishTaskRequest_Success_ {
		return &batonv1.BatonServiceFinishTaskRequest_Success_{Success: &batonv1.BatonServiceFinishTaskRequest_Success{Annotations: many(n)}}
	}
	batch := make([]string, 101)
	for i := range batch {
		batch[i] = unknownTask
	}
	type trait = connectorv2.ResourceType_Trait
	tests := []struct {
		name, field string // without a field, the value is valid
		call        func() error
	}{
		{"hello/longest host", "", hello(func(r *batonv1.BatonServiceHelloRequest) { r.HostId = of(256) })},
		{"hello/host too long", "host_id", hello(func(r *batonv1.BatonServiceHelloRequest) { r.HostId = of(257) })},
		{"hello/no host", "host_id", hello(func(r *batonv1.BatonServiceHelloRequest) { r.HostId = "" })},
		{"hello/no metadata", "connector_metadata", hello(func(r *batonv1.BatonServiceHelloRequest) { r.ConnectorMetadata = nil })},
		{"hello/16 annotations", "", hello(func(r *batonv1.BatonServiceHelloRequest) { r.Annotations = many(16) })},
		{"hello/17 annotations", "annotations", hello(func(r *batonv1.BatonServiceHelloRequest) { r.Annotations = many(17) })},
		{"hello/longest package", "", hello(func(r *batonv1.BatonServiceHelloRequest) {
			r.BuildInfo = &batonv1.BatonServiceHelloRequest_BuildInfo{Package: of(256)}
		})},
		{"hello/package too long", "package", hello(func(r *batonv1.BatonServiceHelloRequest) {
			r.BuildInfo = &batonv1.BatonServiceHelloRequest_BuildInfo{Package: of(257)}
		})},
		{"hello/kernel too long", "kernel_version", hello(func(r *batonv1.BatonServiceHelloRequest) {
			r.OsInfo = &batonv1.BatonServiceHelloRequest_OSInfo{KernelVersion: of(257)}
		})},
		{"hello/no name", "display_name", metadata(func(m *connectorv2.ConnectorMetadata) { m.DisplayName = "" })},
		{"hello/longest name", "", metadata(func(m *connectorv2.ConnectorMetadata) { m.DisplayName = of(512) })},
		{"hello/name too long", "display_name", metadata(func(m *connectorv2.ConnectorMetadata) { m.DisplayName = of(513) })},
		{"hello/description too long", "description", metadata(func(m *connectorv2.ConnectorMetadata) { m.Description = of(2049) })},
		{"hello/help", "", metadata(func(m *connectorv2.ConnectorMetadata) { m.HelpUrl = "https://help.example/x" })},
		{"hello/help over http", "help_url", metadata(func(m *connectorv2.ConnectorMetadata) { m.HelpUrl = "http://help.example/x" })},
		{"hello/help is no address", "help_url", metadata(func(m *connectorv2.ConnectorMetadata) { m.HelpUrl = "https://%zz" })},
		{"hello/type", "", resourceType(&connectorv2.ResourceType{Id: "u", Traits: []trait{1, 12}})},
		{"hello/type without id", "resource_type.id", resourceType(&connectorv2.ResourceType{})},
		{"hello/trait twice", "resource_type.traits", resourceType(&connectorv2.ResourceType{Id: "u", Traits: []trait{1, 1}})},
		{"hello/trait of a newer connector", "", resourceType(&connectorv2.ResourceType{Id: "u", Traits: []trait{99}})},
		{"get task/no host", "host_id", poll("")},
		{"get tasks/no page size", "page_size", tasks(&batonv1.BatonServiceGetTasksRequest{})},
		{"get tasks/largest page", "", tasks(&batonv1.BatonServiceGetTasksRequest{PageSize: 100})},
		{"get tasks/page too large", "page_size", tasks(&batonv1.BatonServiceGetTasksRequest{PageSize: 101})},
		{"get tasks/known id", "known_task_ids[1]", tasks(&batonv1.BatonServiceGetTasksRequest{PageSize: 1, KnownTaskIds: []string{unknownTask, "x"}})},
		{"heartbeat/no task", "task_id", beat(&batonv1.BatonServiceHeartbeatRequest{})},
		{"heartbeat/task with a dash", "task_id", beat(&batonv1.BatonServiceHeartbeatRequest{TaskId: unknownTask[:26] + "-"})},
		{"heartbeat/100 tasks", "", beat(&batonv1.BatonServiceHeartbeatRequest{TaskId: held, TaskIds: batch[:100]})},
		{"heartbeat/101 tasks", "task_ids", beat(&batonv1.BatonServiceHeartbeatRequest{TaskId: held, TaskIds: batch})},
		{"heartbeat/bad task in batch", "task_ids[0]", beat(&batonv1.BatonServiceHeartbeatRequest{TaskId: held, TaskIds: []string{""}})},
		{"finish/28 characters", "task_id", finish(&batonv1.BatonServiceFinishTaskRequest{TaskId: held + "x", FinalState: success(0)})},
		{"finish/no state", "final_state", finish(&batonv1.BatonServiceFinishTaskRequest{TaskId: held})},
		{"finish/17 annotations", "annotations", finish(&batonv1.BatonServiceFinishTaskRequest{TaskId: held, FinalState: success(17)})},
		{"finish/17 annotations of an error", "annotations", finish(&batonv1.BatonServiceFinishTaskRequest{TaskId: held,
			FinalState: &batonv1.BatonServiceFinishTaskRequest_Error_{Error: &batonv1.BatonServiceFinishTaskRequest_Error{Annotations: many(17)}}})},
		{"upload/no host", "host_id", func() error { return h.upload(metadataPart("", held)) }},
		{"upload/bad task", "task_id", func() error { return h.upload(metadataPart("a", "x")) }},
		{"upload/nothing", "msg", func() error { return h.upload(&part{}) }},
		{"upload/empty piece", "data", func() error { return h.upload(metadataPart("a", held), dataPart(nil)) }},
		{"upload/piece too large", "data", func() error { return h.upload(metadataPart("a", held), dataPart(pattern(1<<20+1))) }},
		{"upload/short checksum", "sha256_checksum", func() error { return h.upload(metadataPart("a", held), eofPart(pattern(31))) }},
		{"upload/long checksum", "sha256_checksum", func() error { return h.upload(metadataPart("a", held), eofPart(pattern(33))) }},
		{"finish/16 annotations", "", finish(&batonv1.BatonServiceFinishTaskRequest{TaskId: held, FinalState: success(16)})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call()
			if tt.field == "" {
				wantCode(t, err, codes.OK)
				return
			}
			wantCode(t, err, codes.InvalidArgument)
			if text := status.Convert(err).Message(); !strings.HasPrefix(text, tt.field+":") {
				t.Errorf("%q does not name %s", text, tt.field)
			}
		})
	}
}
