package wire

import (
	"fmt"
	"time"

	"baton"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

// Host describes the process that runs a connector, and its machine. C1 requires all
// fields.
type Host struct {
	ID             string // distinguishes instances with the same credential
	GoVersion      string
	Package        string
	PackageVersion string

	Hostname        string
	OS              string // "linux"
	Platform        string // "debian"
	PlatformVersion string
	PlatformFamily  string
	KernelVersion   string
	KernelArch      string // "x86_64"
	Virtualization  string // "docker", "none"
}

// MarshalHello encodes a BatonServiceHelloRequest. taskID is the task that asked for it, ""
// at the start.
func MarshalHello(h Host, taskID string, c *baton.Connector) ([]byte, error) {
	const what = "hello"
	metadata, err := connectorMetadata(c)
	if err != nil {
		return nil, invalid(what, err)
	}
	return marshal(&batonv1.BatonServiceHelloRequest{
		HostId: h.ID,
		TaskId: taskID,
		BuildInfo: &batonv1.BatonServiceHelloRequest_BuildInfo{
			LangVersion: h.GoVersion, Package: h.Package, PackageVersion: h.PackageVersion},
		OsInfo: &batonv1.BatonServiceHelloRequest_OSInfo{
			Hostname: h.Hostname, Os: h.OS, Platform: h.Platform, PlatformVersion: h.PlatformVersion,
			PlatformFamily: h.PlatformFamily, KernelVersion: h.KernelVersion, KernelArch: h.KernelArch,
			VirtualizationSystem: h.Virtualization},
		ConnectorMetadata: metadata,
	}, what)
}

func connectorMetadata(c *baton.Connector) (*connectorv2.ConnectorMetadata, error) {
	m := &connectorv2.ConnectorMetadata{DisplayName: c.DisplayName, HelpUrl: c.HelpURL, Description: c.Description}
	var err error
	if m.Capabilities, err = capabilities(c); err != nil {
		return nil, err
	}
	if c.RoleHints != nil {
		roles, err := roleHints(c.RoleHints)
		if err != nil {
			return nil, err
		}
		m.Annotations = append(m.Annotations, roles)
	}
	if c.Account != nil {
		m.AccountCreationSchema, err = accountSchema(c.Account.Fields)
	}
	return m, err
}

// accountSchema numbers the fields in the order of the connector.
func accountSchema(list []baton.Field) (*connectorv2.ConnectorAccountCreationSchema, error) {
	m := &connectorv2.ConnectorAccountCreationSchema{FieldMap: map[string]*connectorv2.ConnectorAccountCreationSchema_Field{}}
	for i, f := range list {
		field := &connectorv2.ConnectorAccountCreationSchema_Field{
			DisplayName: f.DisplayName,
			Required:    f.Required,
			Description: f.Description,
			Placeholder: f.Placeholder,
			Order:       int32(i + 1),
		}
		switch f.Kind {
		case baton.StringField:
			field.Field = &connectorv2.ConnectorAccountCreationSchema_Field_StringField{StringField: &connectorv2.ConnectorAccountCreationSchema_StringField{}}
		case baton.BoolField:
			field.Field = &connectorv2.ConnectorAccountCreationSchema_Field_BoolField{BoolField: &connectorv2.ConnectorAccountCreationSchema_BoolField{}}
		case baton.IntField:
			field.Field = &connectorv2.ConnectorAccountCreationSchema_Field_IntField{IntField: &connectorv2.ConnectorAccountCreationSchema_IntField{}}
		case baton.StringsField:
			field.Field = &connectorv2.ConnectorAccountCreationSchema_Field_StringListField{StringListField: &connectorv2.ConnectorAccountCreationSchema_StringListField{}}
		default:
			return nil, fmt.Errorf("account field %s: kind %d is unknown", f.Name, f.Kind)
		}
		m.FieldMap[f.Name] = field
	}
	return m, nil
}

// MarshalGetTask encodes a BatonServiceGetTaskRequest.
func MarshalGetTask(hostID string) ([]byte, error) {
	return marshal(&batonv1.BatonServiceGetTaskRequest{HostId: hostID}, "request for a task")
}

// MarshalGetTasks encodes a BatonServiceGetTasksRequest for up to size tasks
// (1 to 100) in addition to those that are known.
func MarshalGetTasks(hostID string, size int, known []string) ([]byte, error) {
	return marshal(&batonv1.BatonServiceGetTasksRequest{HostId: hostID, PageSize: uint32(size), KnownTaskIds: known}, "request for tasks")
}

// MarshalHeartbeat encodes a BatonServiceHeartbeatRequest.
func MarshalHeartbeat(hostID, taskID string) ([]byte, error) {
	return marshal(&batonv1.BatonServiceHeartbeatRequest{HostId: hostID, TaskId: taskID}, "heartbeat")
}

// UnmarshalHeartbeat decodes a BatonServiceHeartbeatResponse: the wait before the next
// heartbeat, 0 if it has none, and whether the task was cancelled.
func UnmarshalHeartbeat(b []byte) (next time.Duration, cancelled bool, err error) {
	var m batonv1.BatonServiceHeartbeatResponse
	if err := unmarshal(b, &m, "answer to a heartbeat"); err != nil {
		return 0, false, err
	}
	return duration(m.NextHeartbeat), m.Cancelled, nil
}

// MarshalUploadStart encodes the first BatonServiceUploadAssetRequest of an upload.
func MarshalUploadStart(hostID, taskID string) ([]byte, error) {
	return marshal(&batonv1.BatonServiceUploadAssetRequest{Msg: &batonv1.BatonServiceUploadAssetRequest_Metadata{
		Metadata: &batonv1.BatonServiceUploadAssetRequest_UploadMetadata{HostId: hostID, TaskId: taskID},
	}}, "start of an upload")
}

// MarshalUploadData encodes a BatonServiceUploadAssetRequest with a part of the
// file, 1 byte to 1 MiB.
func MarshalUploadData(part []byte) ([]byte, error) {
	return marshal(&batonv1.BatonServiceUploadAssetRequest{Msg: &batonv1.BatonServiceUploadAssetRequest_Data{
		Data: &batonv1.BatonServiceUploadAssetRequest_UploadData{Data: part},
	}}, "part of an upload")
}

// MarshalUploadEnd encodes the last BatonServiceUploadAssetRequest of an upload,
// with the SHA-256 of the whole file.
func MarshalUploadEnd(sum [32]byte) ([]byte, error) {
	return marshal(&batonv1.BatonServiceUploadAssetRequest{Msg: &batonv1.BatonServiceUploadAssetRequest_Eof{
		Eof: &batonv1.BatonServiceUploadAssetRequest_UploadEOF{Sha256Checksum: sum[:]},
	}}, "end of an upload")
}

// Answer is the result of a task.
type Answer struct {
	Code         uint32 // gRPC status code; 0 is success
	Message      string // for a person, if Code is not 0
	NonRetryable bool   // C1 should not try the task again
	Deliberate   bool   // the connector refused a grant on purpose; Message says why
	Response     Response
}

// MarshalFinish encodes a BatonServiceFinishTaskRequest.
func MarshalFinish(hostID, taskID string, a Answer) ([]byte, error) {
	const what = "answer of a task"
	m := &batonv1.BatonServiceFinishTaskRequest{HostId: hostID, TaskId: taskID}
	if a.Code == 0 {
		success := &batonv1.BatonServiceFinishTaskRequest_Success{Annotations: a.Response.annotations}
		if a.Response.message != nil {
			response, err := pack(a.Response.message)
			if err != nil {
				return nil, invalid(what, err)
			}
			success.Response = response
		}
		m.FinalState = &batonv1.BatonServiceFinishTaskRequest_Success_{Success: success}
		return marshal(m, what)
	}
	var err error
	if m.Status, err = status(a); err != nil {
		return nil, invalid(what, err)
	}
	m.FinalState = &batonv1.BatonServiceFinishTaskRequest_Error_{
		Error: &batonv1.BatonServiceFinishTaskRequest_Error{NonRetryable: a.NonRetryable}}
	return marshal(m, what)
}
