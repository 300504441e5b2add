package rpc

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

// The limits of the protocol.
const (
	maxHost        = 256     // characters
	maxInfo        = 256     // characters of each build and OS field
	maxID          = 1024    // bytes
	maxText        = 4096    // bytes of a long description
	maxAnnotations = 16      // of a request
	maxTasks       = 100     // in a page or a batch
	maxChunk       = 1 << 20 // bytes
	checksumSize   = 32      // bytes
	taskIDSize     = 27
)

// rules collects what is wrong with a message; only the first finding is reported.
type rules struct{ err error }

// must records a finding unless the rule holds.
func (r *rules) must(ok bool, format string, args ...any) {
	if !ok && r.err == nil {
		r.err = baton.Errorf(baton.Invalid, format, args...)
	}
}

func (r *rules) host(id string) {
	n := utf8.RuneCountInString(id)
	r.must(n >= 1 && n <= maxHost, "host_id: %d characters, want 1 to %d", n, maxHost)
}

func (r *rules) taskID(field, id string) {
	r.must(isTaskID(id), "%s: %q is not %d letters and digits", field, id, taskIDSize)
}

func (r *rules) annotations(n int) {
	r.must(n <= maxAnnotations, "annotations: %d, want at most %d", n, maxAnnotations)
}

func (r *rules) chars(field, s string, most int) {
	n := utf8.RuneCountInString(s)
	r.must(n <= most, "%s: %d characters, want at most %d", field, n, most)
}

// size wants between least and most bytes; least 0 leaves the field optional.
func (r *rules) size(field, s string, least, most int) {
	r.must(len(s) >= least && len(s) <= most, "%s: %d bytes, want %d to %d", field, len(s), least, most)
}

func isTaskID(id string) bool {
	if len(id) != taskIDSize {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// validate holds a request against the rules of the protocol.
func validate(msg any) error {
	var r rules
	switch m := msg.(type) {
	case *batonv1.BatonServiceHelloRequest:
		r.hello(m)
	case *batonv1.BatonServiceGetTaskRequest:
		r.host(m.GetHostId())
	case *batonv1.BatonServiceGetTasksRequest:
		r.host(m.GetHostId())
		r.must(m.GetPageSize() >= 1 && m.GetPageSize() <= maxTasks, "page_size: %d, want 1 to %d", m.GetPageSize(), maxTasks)
		for i, id := range m.GetKnownTaskIds() {
			r.taskID(fmt.Sprintf("known_task_ids[%d]", i), id)
		}
		r.annotations(len(m.GetAnnotations()))
	case *batonv1.BatonServiceHeartbeatRequest:
		r.host(m.GetHostId())
		r.taskID("task_id", m.GetTaskId())
		r.annotations(len(m.GetAnnotations()))
		r.must(len(m.GetTaskIds()) <= maxTasks, "task_ids: %d, want at most %d", len(m.GetTaskIds()), maxTasks)
		for i, id := range m.GetTaskIds() {
			r.taskID(fmt.Sprintf("task_ids[%d]", i), id)
		}
	case *batonv1.BatonServiceFinishTaskRequest:
		r.host(m.GetHostId())
		r.taskID("task_id", m.GetTaskId())
		r.must(m.GetFinalState() != nil, "final_state: neither error nor success")
		r.annotations(max(len(m.GetError().GetAnnotations()), len(m.GetSuccess().GetAnnotations())))
	case *batonv1.BatonServiceUploadAssetRequest:
		r.upload(m)
	}
	return r.err
}

func (r *rules) upload(m *batonv1.BatonServiceUploadAssetRequest) {
	switch part := m.GetMsg().(type) {
	case *batonv1.BatonServiceUploadAssetRequest_Metadata:
		r.host(part.Metadata.GetHostId())
		r.taskID("task_id", part.Metadata.GetTaskId())
		r.annotations(len(part.Metadata.GetAnnotations()))
	case *batonv1.BatonServiceUploadAssetRequest_Data:
		n := len(part.Data.GetData())
		r.must(n >= 1 && n <= maxChunk, "data: %d bytes, want 1 to %d", n, maxChunk)
	case *batonv1.BatonServiceUploadAssetRequest_Eof:
		n := len(part.Eof.GetSha256Checksum())
		r.must(n == checksumSize, "sha256_checksum: %d bytes, want %d", n, checksumSize)
		r.annotations(len(part.Eof.GetAnnotations()))
	default:
		r.must(false, "msg: neither metadata, data nor eof")
	}
}

// hello leaves task_id to the queue: the protocol's rule for it lets everything pass.
func (r *rules) hello(m *batonv1.BatonServiceHelloRequest) {
	r.host(m.GetHostId())
	r.annotations(len(m.GetAnnotations()))
	build, system := m.GetBuildInfo(), m.GetOsInfo()
	for field, s := range map[string]string{
		"lang_version": build.GetLangVersion(), "package": build.GetPackage(), "package_version": build.GetPackageVersion(),
		"hostname": system.GetHostname(), "os": system.GetOs(),
		"platform": system.GetPlatform(), "platform_version": system.GetPlatformVersion(), "platform_family": system.GetPlatformFamily(),
		"kernel_version": system.GetKernelVersion(), "kernel_arch": system.GetKernelArch(),
		"virtualization_system": system.GetVirtualizationSystem(),
	} {
		r.chars(field, s, maxInfo)
	}
	metadata := m.GetConnectorMetadata()
	r.must(metadata != nil, "connector_metadata: missing")
	r.size("display_name", metadata.GetDisplayName(), 1, maxID)
	r.size("description", metadata.GetDescription(), 0, maxText)
	if help := metadata.GetHelpUrl(); help != "" {
		r.size("help_url", help, 1, maxID)
		u, err := url.Parse(help)
		r.must(strings.HasPrefix(help, "https://") && err == nil && u.IsAbs(), "help_url: %q is not an https address", help)
	}
	for _, c := range metadata.GetCapabilities().GetResourceTypeCapabilities() {
		if c.GetResourceType() != nil {
			r.resourceType(c.GetResourceType())
		}
	}
}

func (r *rules) resourceType(t *connectorv2.ResourceType) {
	r.size("resource_type.id", t.GetId(), 1, maxID)
	r.size("resource_type.display_name", t.GetDisplayName(), 0, maxID)
	r.size("resource_type.description", t.GetDescription(), 0, maxText)
	seen := map[connectorv2.ResourceType_Trait]bool{}
	for _, trait := range t.GetTraits() {
		r.must(connectorv2.ResourceType_Trait_name[int32(trait)] != "" && !seen[trait], "resource_type.traits: %v is unknown or there twice", trait)
		seen[trait] = true
	}
}
