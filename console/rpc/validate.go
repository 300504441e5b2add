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

// Limits of the protocol, from the validation rules of its messages.
const (
	maxHost        = 256  // characters
	maxInfo        = 256  // characters of each build and OS field
	maxID          = 1024 // bytes
	maxText        = 4096 // bytes of a long description
	maxAnnotations = 16   // of a request
	maxTasks       = 100  // in a page or a batch
	checksumSize   = 32   // bytes
	taskIDSize     = 27
)

// validation keeps the first problem of a message.
type validation struct{ err error }

// must records a problem unless ok.
func (v *validation) must(ok bool, format string, args ...any) {
	if !ok && v.err == nil {
		v.err = baton.Errorf(baton.Invalid, format, args...)
	}
}

func (v *validation) host(id string) {
	n := utf8.RuneCountInString(id)
	v.must(n >= 1 && n <= maxHost, "host_id: %d characters, want 1 to %d", n, maxHost)
}

func (v *validation) taskID(field, id string) {
	v.must(isTaskID(id), "%s: %q is not %d letters and digits", field, id, taskIDSize)
}

func (v *validation) annotations(n int) {
	v.must(n <= maxAnnotations, "annotations: %d, want at most %d", n, maxAnnotations)
}

func (v *validation) chars(field, s string, most int) {
	n := utf8.RuneCountInString(s)
	v.must(n <= most, "%s: %d characters, want at most %d", field, n, most)
}

// size checks that s has between least and most bytes. With least 0 the field is optional.
func (v *validation) size(field, s string, least, most int) {
	v.must(len(s) >= least && len(s) <= most, "%s: %d bytes, want %d to %d", field, len(s), least, most)
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

// validate checks a request against the rules of the protocol. The error is Invalid.
func validate(msg any) error {
	var v validation
	switch m := msg.(type) {
	case *batonv1.BatonServiceHelloRequest:
		v.hello(m)
	case *batonv1.BatonServiceGetTaskRequest:
		v.host(m.GetHostId())
	case *batonv1.BatonServiceGetTasksRequest:
		v.host(m.GetHostId())
		v.must(m.GetPageSize() >= 1 && m.GetPageSize() <= maxTasks, "page_size: %d, want 1 to %d", m.GetPageSize(), maxTasks)
		for i, id := range m.GetKnownTaskIds() {
			v.taskID(fmt.Sprintf("known_task_ids[%d]", i), id)
		}
		v.annotations(len(m.GetAnnotations()))
	case *batonv1.BatonServiceHeartbeatRequest:
		v.host(m.GetHostId())
		v.taskID("task_id", m.GetTaskId())
		v.annotations(len(m.GetAnnotations()))
		v.must(len(m.GetTaskIds()) <= maxTasks, "task_ids: %d, want at most %d", len(m.GetTaskIds()), maxTasks)
		for i, id := range m.GetTaskIds() {
			v.taskID(fmt.Sprintf("task_ids[%d]", i), id)
		}
	case *batonv1.BatonServiceFinishTaskRequest:
		v.host(m.GetHostId())
		v.taskID("task_id", m.GetTaskId())
		v.must(m.GetFinalState() != nil, "final_state: neither error nor success is set")
		v.annotations(max(len(m.GetError().GetAnnotations()), len(m.GetSuccess().GetAnnotations())))
	case *batonv1.BatonServiceUploadAssetRequest:
		v.upload(m)
	}
	return v.err
}

func (v *validation) upload(m *batonv1.BatonServiceUploadAssetRequest) {
	switch part := m.GetMsg().(type) {
	case *batonv1.BatonServiceUploadAssetRequest_Metadata:
		v.host(part.Metadata.GetHostId())
		v.taskID("task_id", part.Metadata.GetTaskId())
		v.annotations(len(part.Metadata.GetAnnotations()))
	case *batonv1.BatonServiceUploadAssetRequest_Data:
		n := len(part.Data.GetData())
		v.must(n >= 1 && n <= MaxChunk, "data: %d bytes, want 1 to %d", n, MaxChunk)
	case *batonv1.BatonServiceUploadAssetRequest_Eof:
		n := len(part.Eof.GetSha256Checksum())
		v.must(n == checksumSize, "sha256_checksum: %d bytes, want %d", n, checksumSize)
		v.annotations(len(part.Eof.GetAnnotations()))
	default:
		v.must(false, "msg: neither metadata, data nor eof is set")
	}
}

// hello does not check task_id: the protocol's pattern for it matches every text.
func (v *validation) hello(m *batonv1.BatonServiceHelloRequest) {
	v.host(m.GetHostId())
	v.annotations(len(m.GetAnnotations()))
	build, system := m.GetBuildInfo(), m.GetOsInfo()
	for field, s := range map[string]string{
		"lang_version": build.GetLangVersion(), "package": build.GetPackage(), "package_version": build.GetPackageVersion(),
		"hostname": system.GetHostname(), "os": system.GetOs(),
		"platform": system.GetPlatform(), "platform_version": system.GetPlatformVersion(), "platform_family": system.GetPlatformFamily(),
		"kernel_version": system.GetKernelVersion(), "kernel_arch": system.GetKernelArch(),
		"virtualization_system": system.GetVirtualizationSystem(),
	} {
		v.chars(field, s, maxInfo)
	}
	metadata := m.GetConnectorMetadata()
	v.must(metadata != nil, "connector_metadata: it is missing")
	v.size("display_name", metadata.GetDisplayName(), 1, maxID)
	v.size("description", metadata.GetDescription(), 0, maxText)
	if help := metadata.GetHelpUrl(); help != "" {
		v.size("help_url", help, 1, maxID)
		u, err := url.Parse(help)
		v.must(strings.HasPrefix(help, "https://") && err == nil && u.IsAbs(), "help_url: %q is not an https address", help)
	}
	for _, c := range metadata.GetCapabilities().GetResourceTypeCapabilities() {
		if c.GetResourceType() != nil {
			v.resourceType(c.GetResourceType())
		}
	}
}

func (v *validation) resourceType(t *connectorv2.ResourceType) {
	v.size("resource_type.id", t.GetId(), 1, maxID)
	v.size("resource_type.display_name", t.GetDisplayName(), 0, maxID)
	v.size("resource_type.description", t.GetDescription(), 0, maxText)
	// Newer connectors have traits that this project does not know.
	seen := map[connectorv2.ResourceType_Trait]bool{}
	for _, trait := range t.GetTraits() {
		v.must(!seen[trait], "resource_type.traits: %v is there twice", trait)
		seen[trait] = true
	}
}
