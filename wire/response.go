package wire

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"baton"
	"baton/internal/pb/connectorv2"
)

// Response is the result of a successful task. The zero value has no content.
type Response struct {
	message     proto.Message
	annotations []*anypb.Any // of the message, repeated in the response
}

// GrantResponse answers a grant: with the grant, or with the fact that it existed already.
func GrantResponse(g baton.Grant, already bool) (Response, error) {
	m := &connectorv2.GrantManagerServiceGrantResponse{}
	if already {
		return annotated(m, &m.Annotations, &connectorv2.GrantAlreadyExists{})
	}
	held, err := grant(g)
	if err != nil {
		return Response{}, invalid("grant "+g.ID.String(), err)
	}
	m.Grants = []*connectorv2.Grant{held}
	return Response{message: m}, nil
}

// RevokeResponse answers a revoke.
func RevokeResponse(already bool) (Response, error) {
	m := &connectorv2.GrantManagerServiceRevokeResponse{}
	if already {
		return annotated(m, &m.Annotations, &connectorv2.GrantAlreadyRevoked{})
	}
	return Response{message: m}, nil
}

// annotated adds an annotation to the message and to the response.
func annotated(m proto.Message, to *[]*anypb.Any, annotation proto.Message) (Response, error) {
	a, err := pack(annotation)
	if err != nil {
		return Response{}, invalid("annotation", err)
	}
	*to = []*anypb.Any{a}
	return Response{message: m, annotations: *to}, nil
}

// AccountResponse answers the creation of an account, which may have existed already.
func AccountResponse(account baton.Resource, already bool) (Response, error) {
	r, err := resource(account)
	if err != nil {
		return Response{}, invalid("account "+account.ID.String(), err)
	}
	m := &connectorv2.CreateAccountResponse{}
	if already {
		m.Result = &connectorv2.CreateAccountResponse_AlreadyExists{
			AlreadyExists: &connectorv2.CreateAccountResponse_AlreadyExistsResult{Resource: r, IsCreateAccountResult: true}}
	} else {
		m.Result = &connectorv2.CreateAccountResponse_Success{
			Success: &connectorv2.CreateAccountResponse_SuccessResult{Resource: r, IsCreateAccountResult: true}}
	}
	return Response{message: m}, nil
}

// ActionSchemasResponse answers with the schemas of the actions.
func ActionSchemasResponse(actions []baton.Action) (Response, error) {
	m, err := actionSchemas(actions)
	return Response{message: m}, err
}

// ActionSchemaResponse answers with the schema of one action.
func ActionSchemaResponse(a baton.Action) (Response, error) {
	schema, err := actionSchema(a)
	if err != nil {
		return Response{}, invalid("action "+a.Name, err)
	}
	return Response{message: &connectorv2.GetActionSchemaResponse{Schema: schema}}, nil
}

// ActionState is the state of an action, with the numbers of the protocol.
type ActionState int

// The states of an action that was started.
const (
	ActionRunning  ActionState = 3
	ActionComplete ActionState = 4
	ActionFailed   ActionState = 5
)

// ActionRun is one run of an action.
type ActionRun struct {
	ID     string
	Name   string
	State  ActionState
	Values map[string]any // result of the action; of a failed one, "error"
}

// ActionResponse answers the start of an action.
func ActionResponse(a ActionRun) (Response, error) {
	values, err := profileStruct(a.Values)
	if err != nil {
		return Response{}, invalid("action "+a.Name, err)
	}
	return Response{message: &connectorv2.InvokeActionResponse{
		Id: a.ID, Name: a.Name, Status: connectorv2.BatonActionStatus(a.State), Response: values}}, nil
}

// ActionStatusResponse answers a request for the state of an action.
func ActionStatusResponse(a ActionRun) (Response, error) {
	values, err := profileStruct(a.Values)
	if err != nil {
		return Response{}, invalid("action "+a.Name, err)
	}
	return Response{message: &connectorv2.GetActionStatusResponse{
		Id: a.ID, Name: a.Name, Status: connectorv2.BatonActionStatus(a.State), Response: values}}, nil
}

// EventFeedsResponse answers with an empty list of event feeds.
func EventFeedsResponse() Response {
	return Response{message: &connectorv2.ListEventFeedsResponse{}}
}

// refusalDomain is the domain of the reason "grant_cancelled" of the protocol.
const refusalDomain = "github.com/conductorone/baton-sdk"

func status(a Answer) (*rpcstatus.Status, error) {
	s := &rpcstatus.Status{Code: int32(a.Code), Message: a.Message}
	if !a.Deliberate {
		return s, nil
	}
	detail, err := pack(&errdetails.ErrorInfo{
		Reason: "grant_cancelled", Domain: refusalDomain, Metadata: map[string]string{"reason": a.Message}})
	s.Details = []*anypb.Any{detail}
	return s, err
}
