package rpc

import (
	"context"
	"crypto/sha256"
	"path"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"baton"
	"baton/wire"
)

// unary is an interceptor: it authenticates the caller, validates the request and turns
// the error into a gRPC status.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, err := s.authenticate(ctx)
	if err == nil {
		err = validate(req)
	}
	var response any
	if err == nil {
		response, err = handle(ctx, req)
	}
	return response, s.status(ctx, info.FullMethod, err)
}

// stream does for streams what unary does for calls.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, err := s.authenticate(stream.Context())
	if err == nil {
		err = handle(srv, &validatedStream{ServerStream: stream, ctx: ctx})
	}
	return s.status(ctx, info.FullMethod, err)
}

// validatedStream validates the messages of a stream and carries the caller in its context.
type validatedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (v *validatedStream) Context() context.Context { return v.ctx }

func (v *validatedStream) RecvMsg(m any) error {
	if err := v.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return validate(m)
}

// connectorKey is the key of the calling connector in the context of a call.
type connectorKey struct{}

// caller returns the id of the connector whose host calls.
func caller(ctx context.Context) string {
	connector, _ := ctx.Value(connectorKey{}).(string)
	return connector
}

// authenticate returns the context with the connector that the bearer token belongs to.
func (s *Server) authenticate(ctx context.Context) (context.Context, error) {
	fields := strings.Fields(strings.Join(metadata.ValueFromIncomingContext(ctx, "authorization"), " "))
	if len(fields) != 2 || !strings.EqualFold(fields[0], "Bearer") {
		return ctx, baton.Errorf(baton.Unauthenticated, "the call has no bearer token")
	}
	credential, err := s.config.Store.TokenCredential(ctx, s.config.Now(), sha256.Sum256([]byte(fields[1])))
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, connectorKey{}, credential.Connector), nil
}

// status logs the result of a call and returns its error as a gRPC status. The text of internal and
// storage errors is only logged; the connector gets the kind.
func (s *Server) status(ctx context.Context, method string, err error) error {
	if _, isStatus := status.FromError(err); !isStatus {
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
