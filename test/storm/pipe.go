package storm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime/metrics"
	"sync"
	"time"
)

// wire connects clients to one real server by pipes, so that both ends can be in a synctest bubble. It
// records requests to other hosts.
type wire struct {
	http.Transport
	server http.Server
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	hangUp context.CancelFunc // ends the server's handlers

	mu       sync.Mutex
	requests int
	limit    int
	endless  func()
	stray    []string
	lag      *rand.Rand // waits before and after each request; nil for none
	before   uint64     // bytes of the heap at the beginning
	most     uint64

	maxBody int64 // limit of an answer that the client reads
}

// maxHeld limits the growth of the heap in bytes while answers are read. Garbage counts until it is
// collected.
const maxHeld = 96 << 20

// heap returns the bytes of the heap's objects.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// held returns the largest growth of the heap since the beginning.
func (w *wire) held() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most - min(w.most, w.before)
}

// gauge is a connection that measures the heap regularly.
type gauge struct {
	net.Conn
	w    *wire
	left int // bytes until the next measurement
}

func (g *gauge) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.left -= n; g.left <= 0 {
		g.left = 256 << 10
		now := heap()
		g.w.mu.Lock()
		g.w.most = max(g.w.most, now)
		g.w.mu.Unlock()
	}
	return n, err
}

// host is the only host that exists.
const host = "localhost"

func newWire(h http.Handler) *wire {
	ctx, cancel := context.WithCancel(context.Background())
	w := &wire{before: heap(), maxBody: 1 << 20, conns: make(chan net.Conn), closed: make(chan struct{}), hangUp: cancel}
	w.server = http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		pause(w.wait())
		h.ServeHTTP(rw, r)
		pause(w.wait())
	}), ErrorLog: log.New(io.Discard, "", 0), BaseContext: func(net.Listener) context.Context { return ctx }}
	w.Transport.DialContext = w.dial
	go w.server.Serve(w)
	return w
}

// wait returns a random delay of the network.
func (w *wire) wait() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lag == nil {
		return 0
	}
	return time.Duration(w.lag.Int64N(int64(20 * time.Millisecond)))
}

func pause(d time.Duration) {
	if d > 0 {
		time.Sleep(d) // on the bubble's clock
	}
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.requests++
	if r.URL.Host != host {
		w.stray = append(w.stray, fmt.Sprintf("%s %s", r.Method, r.URL.Host))
	}
	if w.limit > 0 && w.requests > w.limit {
		w.endless()
	}
	w.mu.Unlock()
	return w.Transport.RoundTrip(r)
}

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case w.conns <- far:
		return &gauge{Conn: near, w: w}, nil
	case <-w.closed:
		return nil, errors.New("the server is gone")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the server and all connections.
func (w *wire) Close() error {
	w.once.Do(func() {
		close(w.closed)
		w.CloseIdleConnections()
	})
	return nil
}

func (w *wire) end() {
	w.Close()
	w.CloseIdleConnections()
	w.server.Close()
	w.hangUp()
	time.Sleep(time.Minute) // net/http lets a client read its last answer before it hangs up
}

func (w *wire) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
