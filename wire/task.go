package wire

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"baton"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

// Task is a task that C1 gives to a connector.
type Task struct {
	ID    string
	Type  string // name in the protocol, such as "sync_full"; "" if it is unknown
	Debug bool   // log details
	// Work is one of the …Task types below, or nil for a type that no connector of this
	// project supports.
	Work any
	// Malformed describes why the task cannot be decoded; Work is then nil.
	Malformed error
}

// The kinds of work.
type (
	// HelloTask asks for a Hello that carries the task's id.
	HelloTask struct{}
	// SyncTask asks for a sync and its upload.
	SyncTask struct {
		Types                     []string
		Resources                 []baton.ResourceID // a targeted sync if not empty
		SkipGrants                bool
		SkipEntitlementsAndGrants bool
		StorageEngine             string
	}
	// GrantTask asks to give an entitlement.
	GrantTask struct {
		baton.GrantID
		ResourceName string // display name of the resource of the entitlement
	}
	// RevokeTask asks to take an entitlement away.
	RevokeTask struct{ baton.GrantID }
	// AccountTask asks to create an account.
	AccountTask struct {
		Request      baton.AccountRequest
		ResourceType string // "" if only one type has accounts
		Credential   string // the credential option, such as "no_password"; "" if C1 does not choose
	}
	// ActionSchemasTask asks for the schemas of all actions, or of those that belong
	// to a resource type.
	ActionSchemasTask struct{ ResourceType string }
	// ActionSchemaTask asks for the schema of one action.
	ActionSchemaTask struct{ Name string }
	// ActionTask asks to run an action.
	ActionTask struct {
		Name         string
		Arguments    map[string]any // as encoding/json decodes them
		ResourceType string
	}
	// ActionStatusTask asks for the state of an action.
	ActionStatusTask struct{ Name, ID string }
	// EventFeedsTask asks for the event feeds.
	EventFeedsTask struct{}
	// EventsTask asks for the events of a feed.
	EventsTask struct{ Feed string }
)

// Poll is the answer to a request for tasks.
type Poll struct {
	Tasks []Task
	Next  time.Duration // wait before the next request, not bounded; 0 if C1 does not set it
}

// UnmarshalGetTask decodes a BatonServiceGetTaskResponse. It ignores a task of type none.
func UnmarshalGetTask(b []byte) (Poll, error) {
	var m batonv1.BatonServiceGetTaskResponse
	if err := unmarshal(b, &m, "answer to GetTask"); err != nil {
		return Poll{}, err
	}
	var list []*batonv1.Task
	if m.Task != nil {
		list = append(list, m.Task)
	}
	return Poll{Tasks: tasks(list), Next: duration(m.NextPoll)}, nil
}

// UnmarshalGetTasks decodes a BatonServiceGetTasksResponse.
func UnmarshalGetTasks(b []byte) (Poll, error) {
	var m batonv1.BatonServiceGetTasksResponse
	if err := unmarshal(b, &m, "answer to GetTasks"); err != nil {
		return Poll{}, err
	}
	return Poll{Tasks: tasks(m.Tasks), Next: duration(m.NextPoll)}, nil
}

func duration(d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.AsDuration()
}

func tasks(list []*batonv1.Task) []Task {
	var out []Task
	for _, m := range list {
		if _, none := m.GetTaskType().(*batonv1.Task_None); none || m.GetId() == "" {
			continue
		}
		t := Task{ID: m.Id, Type: taskType(m), Debug: m.Debug}
		if t.Work, t.Malformed = work(m); t.Malformed != nil {
			t.Work = nil
		}
		out = append(out, t)
	}
	return out
}

// taskType returns the name of the field that is set. A type that this program does not know
// is among the unknown fields.
func taskType(m *batonv1.Task) string {
	r := m.ProtoReflect()
	field := r.WhichOneof(r.Descriptor().Oneofs().ByName("task_type"))
	if field == nil {
		return ""
	}
	return string(field.Name())
}

func work(m *batonv1.Task) (any, error) {
	switch {
	case m.GetHello() != nil:
		return HelloTask{}, nil
	case m.GetSyncFull() != nil:
		return syncTask(m.GetSyncFull())
	case m.GetGrant() != nil:
		id, err := grantID(m.GetGrant().Entitlement, m.GetGrant().Principal)
		return GrantTask{GrantID: id, ResourceName: m.GetGrant().Entitlement.GetResource().GetDisplayName()}, err
	case m.GetRevoke() != nil:
		g := m.GetRevoke().Grant
		id, err := grantID(g.GetEntitlement(), g.GetPrincipal())
		return RevokeTask{id}, err
	case m.GetCreateAccount() != nil:
		return accountTask(m.GetCreateAccount())
	case m.GetActionListSchemas() != nil:
		return ActionSchemasTask{ResourceType: m.GetActionListSchemas().ResourceTypeId}, nil
	case m.GetActionGetSchema() != nil:
		name := m.GetActionGetSchema().Name
		return ActionSchemaTask{Name: name}, required("name", name)
	case m.GetActionInvoke() != nil:
		a := m.GetActionInvoke()
		return ActionTask{Name: a.Name, Arguments: values(a.Args), ResourceType: a.ResourceTypeId}, required("name", a.Name)
	case m.GetActionStatus() != nil:
		a := m.GetActionStatus()
		return ActionStatusTask{Name: a.Name, ID: a.Id}, required("id", a.Id)
	case m.GetListEventFeeds() != nil:
		return EventFeedsTask{}, nil
	case m.GetListEvents() != nil:
		return EventsTask{Feed: m.GetListEvents().EventFeedId}, nil
	}
	return nil, nil
}

func syncTask(m *batonv1.Task_SyncFullTask) (SyncTask, error) {
	t := SyncTask{
		Types:                     m.SyncResourceTypeIds,
		SkipGrants:                m.SkipGrants,
		SkipEntitlementsAndGrants: m.SkipEntitlementsAndGrants,
		StorageEngine:             m.StorageEngine,
	}
	for _, r := range m.TargetedSyncResources {
		of := id(r.GetId())
		if of.Type == "" || of.ID == "" {
			return t, fmt.Errorf("a targeted resource: %w", errNoID)
		}
		if !slices.Contains(t.Resources, of) {
			t.Resources = append(t.Resources, of)
		}
	}
	return t, nil
}

func grantID(e *connectorv2.Entitlement, principal *connectorv2.Resource) (baton.GrantID, error) {
	switch {
	case e == nil:
		return baton.GrantID{}, errors.New("there is no entitlement")
	case principal == nil:
		return baton.GrantID{}, errors.New("there is no principal")
	}
	ent, err := entitlementID(e)
	if err != nil {
		return baton.GrantID{}, fmt.Errorf("entitlement: %w", err)
	}
	g := baton.GrantID{Entitlement: ent, Principal: id(principal.Id)}
	if g.Principal.Type == "" || g.Principal.ID == "" {
		return g, fmt.Errorf("principal: %w", errNoID)
	}
	return g, nil
}

// accountTask uses the primary address or, without one, the first.
func accountTask(m *batonv1.Task_CreateAccountTask) (AccountTask, error) {
	info := m.AccountInfo
	if info == nil {
		return AccountTask{}, errors.New("there is no account_info")
	}
	t := AccountTask{ResourceType: m.ResourceTypeId}
	t.Request = baton.AccountRequest{Login: info.Login, Profile: values(info.Profile)}
	for _, e := range info.Emails {
		if t.Request.Email == "" || e.IsPrimary {
			t.Request.Email = e.Address
		}
		if e.IsPrimary {
			break
		}
	}
	if o := m.CredentialOptions; o != nil {
		r := o.ProtoReflect()
		if field := r.WhichOneof(r.Descriptor().Oneofs().ByName("options")); field != nil {
			t.Credential = string(field.Name())
		} else if len(r.GetUnknown()) > 0 {
			t.Credential = "unknown"
		}
	}
	return t, nil
}

// values returns a Struct in the form of encoding/json, without nulls.
func values(s *structpb.Struct) map[string]any {
	m := s.AsMap()
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

func required(name, value string) error {
	if value == "" {
		return fmt.Errorf("there is no %s", name)
	}
	return nil
}
