package connectortest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
)

// Serve serves h over pipes and returns a transport that connects to it. Unlike sockets, both ends of a pipe
// can be in a bubble of testing/synctest.
func Serve(t testing.TB, h http.Handler) *http.Transport {
	t.Helper()
	ctx, close := context.WithCancel(context.Background())
	l := &pipes{conns: make(chan net.Conn), open: ctx, close: close}
	server := &http.Server{Handler: h}
	go server.Serve(l)
	transport := &http.Transport{DialContext: l.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return transport
}

// pipes is a listener whose connections are pipes.
type pipes struct {
	conns chan net.Conn
	open  context.Context // until the listener is closed
	close context.CancelFunc
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.open.Done():
		return nil, errors.New("the server is closed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept returns the other end of the next connection.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.open.Done():
		return nil, net.ErrClosed
	}
}

// Close refuses further connections.
func (p *pipes) Close() error {
	p.close()
	return nil
}

// Addr returns an address to which nothing can connect.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
