package rpc

import (
	"context"
	"path"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"baton"
	"baton/internal/pb/batonv1"
	"baton/wire"
)

// service is the protocol's face of a Server.
type service struct {
	batonv1.UnimplementedBatonServiceServer
	*Server
}

// aroundCall admits a call, holds its request against the rules, and puts its error
// into gRPC's terms.
func (s *Server) aroundCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, err := s.admit(ctx, info.FullMethod)
	if err == nil {
		err = validate(req)
	}
	var answer any
	if err == nil {
		answer, err = handle(ctx, req)
	}
	return answer, s.leave(ctx, info.FullMethod, err)
}

func (s *Server) aroundStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, err := s.admit(stream.Context(), info.FullMethod)
	if err == nil {
		err = handle(srv, &admitted{ServerStream: stream, ctx: ctx})
	}
	return s.leave(ctx, info.FullMethod, err)
}

// admitted is a stream whose context knows the caller, and whose messages meet the rules.
type admitted struct {
	grpc.ServerStream
	ctx context.Context
}

func (a *admitted) Context() context.Context { return a.ctx }

func (a *admitted) RecvMsg(m any) error {
	if err := a.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return validate(m)
}

// connectorKey finds the connector that calls in the context of a call.
type connectorKey struct{}

func caller(ctx context.Context) string {
	connector, _ := ctx.Value(connectorKey{}).(string)
	return connector
}

// admit finds out who calls, after the faults that keep a call from being looked at.
func (s *Server) admit(ctx context.Context, method string) (context.Context, error) {
	name := faultName(method)
	if err := pause(ctx, s.faults.duration(name+"-delay", 0)); err != nil {
		return ctx, err
	}
	if code, ok := s.faults.happens(name + "-error"); ok {
		return ctx, status.Errorf(codes.Code(code), "%s fails, by the fault that is switched on", path.Base(method))
	}
	if s.faults.reached("tokens-revoked-after") {
		s.RevokeTokens()
	}
	refused := status.Error(codes.Unauthenticated, "the token is unknown, expired or revoked")
	fields := strings.Fields(strings.Join(metadata.ValueFromIncomingContext(ctx, "authorization"), " "))
	if len(fields) != 2 || !strings.EqualFold(fields[0], "Bearer") {
		return ctx, refused
	}
	clientID, ok := s.mint.client(fields[1], s.config.Now())
	if !ok {
		return ctx, refused
	}
	credential, ok := s.wallet.good(clientID)
	if !ok {
		return ctx, refused
	}
	return context.WithValue(ctx, connectorKey{}, credential.Connector), nil
}

// leave is the error of a call in gRPC's terms. What an internal one says is for the
// log alone.
func (s *Server) leave(ctx context.Context, method string, err error) error {
	if _, ours := status.FromError(err); !ours {
		kind := baton.KindOf(err)
		text := err.Error()
		if kind == baton.Internal || kind == baton.Storage {
			s.log.ErrorContext(ctx, "call failed", "rpc", path.Base(method), "connector", caller(ctx), "error", err)
			text = "the server failed: " + kind.String()
		}
		err = status.Error(codes.Code(wire.Code(kind)), text)
	}
	s.log.DebugContext(ctx, "call", "rpc", path.Base(method), "connector", caller(ctx), "code", status.Code(err).String())
	return err
}

func (s service) Hello(ctx context.Context, r *batonv1.BatonServiceHelloRequest) (*batonv1.BatonServiceHelloResponse, error) {
	// A hello task is finished by the hello that names it, so that comes first: a host
	// that does not hold the task has not said hello either.
	if id := r.GetTaskId(); id != "" {
		if err := s.queue.finish(ctx, caller(ctx), id, Result{Host: r.GetHostId()}); err != nil {
			return nil, err
		}
	}
	if err := s.queue.hello(ctx, caller(ctx), r); err != nil {
		return nil, err
	}
	return &batonv1.BatonServiceHelloResponse{}, nil
}

func (s service) GetTask(ctx context.Context, r *batonv1.BatonServiceGetTaskRequest) (*batonv1.BatonServiceGetTaskResponse, error) {
	work, more, err := s.queue.next(ctx, request{
		connector: caller(ctx), host: r.GetHostId(), limit: 1, again: s.redeliver,
	})
	if err != nil {
		return nil, err
	}
	answer := &batonv1.BatonServiceGetTaskResponse{
		NextPoll:      s.nextPoll(more),
		NextHeartbeat: durationpb.New(s.config.Heartbeat),
	}
	switch {
	case len(work) > 0:
		answer.Task = work[0]
	case s.faults.is("none-task"):
		answer.Task = &batonv1.Task{TaskType: &batonv1.Task_None{None: &batonv1.Task_NoneTask{}}}
	}
	return answer, nil
}

func (s service) GetTasks(ctx context.Context, r *batonv1.BatonServiceGetTasksRequest) (*batonv1.BatonServiceGetTasksResponse, error) {
	work, more, err := s.queue.next(ctx, request{
		connector: caller(ctx), host: r.GetHostId(), limit: int(r.GetPageSize()), known: r.GetKnownTaskIds(), again: s.redeliver,
	})
	if err != nil {
		return nil, err
	}
	return &batonv1.BatonServiceGetTasksResponse{
		Tasks:         work,
		NextPoll:      s.nextPoll(more),
		NextHeartbeat: durationpb.New(s.config.Heartbeat),
	}, nil
}

// nextPoll is at once while more is waiting.
func (s *Server) nextPoll(more bool) *durationpb.Duration {
	if more {
		return durationpb.New(0)
	}
	return durationpb.New(s.config.Poll)
}

func (s *Server) redeliver() bool {
	_, ok := s.faults.happens("redeliver")
	return ok
}

func (s service) Heartbeat(ctx context.Context, r *batonv1.BatonServiceHeartbeatRequest) (*batonv1.BatonServiceHeartbeatResponse, error) {
	cancelled, err := s.queue.heartbeat(ctx, caller(ctx), r.GetHostId(), r.GetTaskId())
	if err != nil {
		return nil, err
	}
	if _, ok := s.faults.happens("heartbeat-cancelled"); ok {
		cancelled = true
	}
	answer := &batonv1.BatonServiceHeartbeatResponse{NextHeartbeat: durationpb.New(s.config.Heartbeat), Cancelled: cancelled}
	for _, id := range r.GetTaskIds() {
		gone, err := s.queue.heartbeat(ctx, caller(ctx), r.GetHostId(), id)
		switch kind := baton.KindOf(err); {
		case err == nil && !gone:
		case err == nil || kind == baton.NotFound || kind == baton.Refused: // no longer this host's to work on
			answer.CancelledTaskIds = append(answer.CancelledTaskIds, id)
		default:
			return nil, err
		}
	}
	return answer, nil
}

func (s service) FinishTask(ctx context.Context, r *batonv1.BatonServiceFinishTaskRequest) (*batonv1.BatonServiceFinishTaskResponse, error) {
	result := Result{Host: r.GetHostId()}
	switch end := r.GetFinalState().(type) {
	case *batonv1.BatonServiceFinishTaskRequest_Success_:
		result.Annotations, result.Response = end.Success.GetAnnotations(), end.Success.GetResponse()
	case *batonv1.BatonServiceFinishTaskRequest_Error_:
		result.Annotations, result.Response = end.Error.GetAnnotations(), end.Error.GetResponse()
		result.NonRetryable = end.Error.GetNonRetryable()
		result.Status = proto.CloneOf(r.GetStatus())
		if result.Status.GetCode() == int32(codes.OK) { // an error is an error, even if it does not say which
			result.Status = status.New(codes.Unknown, result.Status.GetMessage()).Proto()
		}
	}
	if err := s.queue.finish(ctx, caller(ctx), r.GetTaskId(), result); err != nil {
		return nil, err
	}
	return &batonv1.BatonServiceFinishTaskResponse{}, nil
}
