package rpc

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"baton"
	"baton/internal/pb/batonv1"
)

// service implements the calls of the protocol. Interceptors have validated the request, and the
// context has the connector.
type service struct {
	batonv1.UnimplementedBatonServiceServer
	*Server
}

func (s service) Hello(ctx context.Context, m *batonv1.BatonServiceHelloRequest) (*batonv1.BatonServiceHelloResponse, error) {
	if err := s.config.Store.Hello(ctx, s.config.Now(), caller(ctx), helloOf(m)); err != nil {
		return nil, err
	}
	return &batonv1.BatonServiceHelloResponse{}, nil
}

func (s service) GetTask(ctx context.Context, m *batonv1.BatonServiceGetTaskRequest) (*batonv1.BatonServiceGetTaskResponse, error) {
	tasks, next, err := s.lease(ctx, LeaseRequest{Connector: caller(ctx), Host: m.GetHostId(), Max: 1})
	if err != nil {
		return nil, err
	}
	response := &batonv1.BatonServiceGetTaskResponse{NextPoll: next, NextHeartbeat: durationpb.New(s.config.Heartbeat)}
	if len(tasks) > 0 {
		response.Task = tasks[0]
	}
	return response, nil
}

func (s service) GetTasks(ctx context.Context, m *batonv1.BatonServiceGetTasksRequest) (*batonv1.BatonServiceGetTasksResponse, error) {
	tasks, next, err := s.lease(ctx, LeaseRequest{Connector: caller(ctx), Host: m.GetHostId(),
		Max: int(m.GetPageSize()), Known: m.GetKnownTaskIds()})
	if err != nil {
		return nil, err
	}
	return &batonv1.BatonServiceGetTasksResponse{Tasks: tasks, NextPoll: next, NextHeartbeat: durationpb.New(s.config.Heartbeat)}, nil
}

// lease returns the tasks for a host, and how long it must wait before it asks again: not at all if
// there are more.
func (s service) lease(ctx context.Context, r LeaseRequest) ([]*batonv1.Task, *durationpb.Duration, error) {
	leases, err := s.config.Store.Lease(ctx, s.config.Now(), r)
	if err != nil {
		return nil, nil, err
	}
	var tasks []*batonv1.Task
	for _, t := range leases.Tasks {
		m, err := taskMessage(t)
		if err != nil {
			// NewTask refuses such a task. If one is queued anyway, it must not block the others.
			s.log.ErrorContext(ctx, "a task cannot be sent", "connector", t.Connector, "task", t.ID, "error", err)
			h := Holder{Connector: t.Connector, Host: r.Host, Task: t.ID, Number: t.Lease.Number}
			failure := Result{Code: uint32(codes.InvalidArgument), NonRetryable: true, Message: "the console cannot send the task: " + err.Error()}
			if _, err := s.config.Store.Finish(ctx, s.config.Now(), h, failure); err != nil {
				return nil, nil, err
			}
			continue
		}
		tasks = append(tasks, m)
	}
	if leases.More {
		return tasks, durationpb.New(0), nil
	}
	return tasks, durationpb.New(s.config.Poll), nil
}

func (s service) Heartbeat(ctx context.Context, m *batonv1.BatonServiceHeartbeatRequest) (*batonv1.BatonServiceHeartbeatResponse, error) {
	h := Holder{Connector: caller(ctx), Host: m.GetHostId(), Task: m.GetTaskId()}
	t, err := s.config.Store.Extend(ctx, s.config.Now(), h)
	if err != nil {
		return nil, err
	}
	response := &batonv1.BatonServiceHeartbeatResponse{NextHeartbeat: durationpb.New(s.config.Heartbeat), Cancelled: t.Cancelled}
	for _, h.Task = range m.GetTaskIds() {
		t, err := s.config.Store.Extend(ctx, s.config.Now(), h)
		switch kind := baton.KindOf(err); {
		case err == nil && !t.Cancelled:
		case err == nil || kind == baton.NotFound || kind == baton.Refused: // the host must not continue
			response.CancelledTaskIds = append(response.CancelledTaskIds, h.Task)
		default:
			return nil, err
		}
	}
	return response, nil
}

func (s service) FinishTask(ctx context.Context, m *batonv1.BatonServiceFinishTaskRequest) (*batonv1.BatonServiceFinishTaskResponse, error) {
	result := resultOf(m)
	h := Holder{Connector: caller(ctx), Host: m.GetHostId(), Task: m.GetTaskId()}
	if _, err := s.config.Store.Finish(ctx, s.config.Now(), h, result); err != nil {
		if baton.KindOf(err) == baton.Refused {
			s.log.WarnContext(ctx, "a result was refused", "connector", h.Connector, "host", h.Host, "task", h.Task,
				"reason", err, "code", result.Code, "message", result.Message)
		}
		return nil, err
	}
	return &batonv1.BatonServiceFinishTaskResponse{}, nil
}
