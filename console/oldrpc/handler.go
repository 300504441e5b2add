package rpc

import (
	"context"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"baton"
)

// Handler serves the protocol: gRPC, which needs HTTP/2, and the token endpoint. Other
// paths are not found, so that more can be mounted beside it.
func (s *Server) Handler() http.Handler {
	token := http.NewServeMux()
	token.HandleFunc(tokenPath, s.tokenFaults(s.serveToken))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			s.serveCall(w, r)
			return
		}
		token.ServeHTTP(w, r)
	})
}

// serveCall hands a call to gRPC, behind the faults that only a connection can have.
func (s *Server) serveCall(w http.ResponseWriter, r *http.Request) {
	name := faultName(r.URL.Path)
	if name == "upload-asset" {
		if n, ok := s.faults.happens("upload-broken-off"); ok {
			r.Body = &breaking{ReadCloser: r.Body, request: r, left: n}
		}
	}
	if _, lost := s.faults.happens(name + "-lost"); lost {
		s.grpc.ServeHTTP(unheard{}, r)
		hangUp(r)
	}
	s.grpc.ServeHTTP(w, r)
}

func (s *Server) tokenFaults(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := pause(r.Context(), s.faults.duration("token-delay", 0)); err != nil {
			return // the client is gone
		}
		if code, ok := s.faults.happens("token-error"); ok {
			http.Error(w, http.StatusText(code), code)
			return
		}
		if _, lost := s.faults.happens("token-lost"); lost {
			next(unheard{}, r)
			hangUp(r)
		}
		next(w, r)
	}
}

// faultName is what faults call the method at a path; empty if they do not know it.
func faultName(fullMethod string) string {
	for _, rpc := range rpcs {
		if rpc.method == path.Base(fullMethod) {
			return rpc.name
		}
	}
	return ""
}

// pause waits, but not longer than the context lasts.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return baton.Errorf(baton.KindOf(ctx.Err()), "while waiting: %w", ctx.Err())
	}
}

// connKey finds the connection of a request in its context.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// hangUp closes the connection of a request, or where that is out of reach ends the
// request alone. It does not return.
func hangUp(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		_ = c.Close()
	}
	panic(http.ErrAbortHandler)
}

// unheard takes an answer that nobody is to get.
type unheard struct{}

func (unheard) Header() http.Header         { return http.Header{} }
func (unheard) Write(b []byte) (int, error) { return len(b), nil }
func (unheard) WriteHeader(int)             {}
func (unheard) Flush()                      {}

// breaking is a body whose connection breaks when it has been read so far.
type breaking struct {
	io.ReadCloser
	request *http.Request
	left    int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if c, ok := b.request.Context().Value(connKey{}).(net.Conn); ok {
			_ = c.Close()
		}
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
