package server

import (
	"context"
	"path"

	"google.golang.org/grpc"

	"baton/console/telemetry"
)

// observeCall names the route of a call of a connector.
func observeCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	name(ctx, info.FullMethod)
	return handle(ctx, req)
}

func observeStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	name(stream.Context(), info.FullMethod)
	return handle(srv, stream)
}

func name(ctx context.Context, method string) {
	if c := telemetry.CallOf(ctx); c != nil {
		c.Route = "rpc " + path.Base(method)
	}
}
