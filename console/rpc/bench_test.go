package rpc_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
)

// BenchmarkPoll measures one GetTask without a task, client and server together, over a kept
// connection, and over a new TLS connection for each call, like official connectors.
func BenchmarkPoll(b *testing.B) {
	store := rpctest.NewMemory()
	server, err := rpc.New(rpc.Config{Store: store, Hosts: []string{"c1.example"}})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	certificate, authority, err := rpc.NewCertificate(time.Now(), "127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}})
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	dial := func() *grpc.ClientConn {
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})))
		if err != nil {
			b.Fatal(err)
		}
		return conn
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+newToken(b, store, "acme"))
	poll := func(conn *grpc.ClientConn) {
		if _, err := batonv1.NewBatonServiceClient(conn).GetTask(ctx, &batonv1.BatonServiceGetTaskRequest{HostId: "a"}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("connection kept", func(b *testing.B) {
		conn := dial()
		defer conn.Close()
		for b.Loop() {
			poll(conn)
		}
	})
	b.Run("new connection", func(b *testing.B) {
		for b.Loop() {
			conn := dial()
			poll(conn)
			_ = conn.Close()
		}
	})
}
