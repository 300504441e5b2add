package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// sniffTime limits the wait for the first byte of a connection.
const sniffTime = 10 * time.Second

// eitherListener accepts TLS and unencrypted connections on one port, and distinguishes them by
// their first byte: TLS begins with a handshake record. Baton connectors always use TLS; a browser
// on the same machine need not.
type eitherListener struct {
	net.Listener
	tls    *tls.Config
	plain  bool // unencrypted connections are accepted
	ready  chan net.Conn
	failed chan error
	ctx    context.Context
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

func newEitherListener(l net.Listener, config *tls.Config, plain bool) *eitherListener {
	e := &eitherListener{Listener: l, tls: config, plain: plain, ready: make(chan net.Conn), failed: make(chan error, 1)}
	e.ctx, e.stop = context.WithCancel(context.Background())
	e.wg.Go(e.accept)
	return e
}

// accept accepts connections. Each waits for its first byte in its own goroutine.
func (e *eitherListener) accept() {
	for {
		c, err := e.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || e.ctx.Err() != nil {
				e.failed <- err
				return
			}
			select { // probably out of file descriptors
			case <-time.After(50 * time.Millisecond):
			case <-e.ctx.Done():
			}
			continue
		}
		e.wg.Go(func() { e.sniff(c) })
	}
}

const handshakeRecord = 0x16 // RFC 8446, section 5.1

func (e *eitherListener) sniff(c net.Conn) {
	stop := context.AfterFunc(e.ctx, func() { c.Close() })
	defer stop()
	c.SetReadDeadline(time.Now().Add(sniffTime))
	r := bufio.NewReaderSize(c, 1024)
	first, err := r.Peek(1)
	if err != nil {
		c.Close()
		return
	}
	c.SetReadDeadline(time.Time{})
	var conn net.Conn = &peeked{c, r}
	switch {
	case first[0] == handshakeRecord:
		conn = tls.Server(conn, e.tls)
	case !e.plain:
		c.SetWriteDeadline(time.Now().Add(time.Second))
		c.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nThis port speaks TLS: use https.\n"))
		c.Close()
		return
	}
	select {
	case e.ready <- conn:
	case <-e.ctx.Done():
		c.Close()
	}
}

// Accept returns the next connection that has sent a byte.
func (e *eitherListener) Accept() (net.Conn, error) {
	select {
	case c := <-e.ready:
		return c, nil
	case err := <-e.failed:
		e.failed <- err
		return nil, err
	case <-e.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close closes the listener and the connections that have sent nothing.
func (e *eitherListener) Close() error {
	e.stop()
	err := e.Listener.Close()
	e.wg.Wait()
	return err
}

// peeked is a connection whose first bytes were read.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) {
	if p.r.Buffered() > 0 {
		return p.r.Read(b)
	}
	return p.Conn.Read(b)
}

// isLoopback reports whether an address is only reachable from this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
