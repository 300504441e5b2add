package rpctest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"baton"
	"baton/console/rpc"
	"baton/internal/pause"
	"baton/internal/pb/batonv1"
)

// Fault is a named failure. It is switched on by its name; if Value is not empty, "name=value"
// replaces the default.
type Fault struct {
	Name        string
	Value       string // form of the value; [:N] ends the fault after N times
	Default     string // the value if none is given
	Description string
}

// Forms of values.
const (
	valueCount    = "N"
	valueDuration = "DURATION"
	valueBytes    = "BYTES[:N]"
	valueCode     = "CODE[:N]"
	valueStatus   = "STATUS[:N]"
)

// calls are the calls of the protocol, by their method and by their name in faults.
var calls = []struct{ method, name string }{
	{"Hello", "hello"}, {"GetTask", "get-task"}, {"GetTasks", "get-tasks"},
	{"Heartbeat", "heartbeat"}, {"FinishTask", "finish-task"}, {"UploadAsset", "upload-asset"},
}

// Faults returns all faults.
func Faults() []Fault {
	table := []Fault{
		{"token-error", valueStatus, "503:3", "the token endpoint answers with an HTTP status"},
		{"token-delay", valueDuration, "2s", "the token endpoint waits before it works"},
		{"token-lost", valueCount, "1", "the next N tokens are issued, and the connection is closed instead of a response"},
		{"token-lifetime", valueDuration, "15s", "new tokens expire sooner"},
		{"tokens-revoked-after", valueCount, "3", "the Nth call from now finds every token revoked"},
		{"heartbeat-cancelled", valueCount, "1", "the next N heartbeats are told that the task was cancelled, although it was not"},
		{"redeliver", valueCount, "1", "the next N tasks that are leased, or were lost, are put back into the queue when a host asks for tasks"},
		{"none-task", "", "", "a host for which there is no task gets a none task instead of no task"},
		{"upload-broken-off", valueBytes, "65536:1", "the connection is closed after so many bytes of an upload"},
		{"upload-checksum", valueCount, "1", "the next N uploads arrive damaged"},
	}
	for _, c := range calls {
		table = append(table,
			Fault{c.name + "-error", valueCode, "UNAVAILABLE:3", c.method + " fails with a gRPC code and does nothing"},
			Fault{c.name + "-delay", valueDuration, "2s", c.method + " waits before it works"},
			Fault{c.name + "-lost", valueCount, "1", "the next N " + c.method + " calls are done, and the connection is closed instead of a response"},
		)
	}
	return table
}

// SetFault switches a fault on: "name" or "name=value". It replaces an earlier value of
// the fault.
func (s *Server) SetFault(spec string) error {
	name, value, given := strings.Cut(spec, "=")
	table := Faults()
	i := slices.IndexFunc(table, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return baton.Errorf(baton.Invalid, "rpctest: there is no fault %q", name)
	}
	f := table[i]
	if !given {
		value = f.Default
	} else if f.Value == "" {
		return baton.Errorf(baton.Invalid, "rpctest: fault %s takes no value", name)
	}
	on, err := parseFault(f.Value, value)
	if err != nil {
		return baton.Errorf(baton.Invalid, "rpctest: fault %s: %w", name, err)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.on[name] = on
	return nil
}

// ClearFaults switches every fault off.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	clear(s.faults.on)
}

// faults are the faults that are on, by name.
type faults struct {
	mu sync.Mutex
	on map[string]*fault
}

// fault is a fault that is switched on.
type fault struct {
	number   int           // a code, a status, bytes; or the number of calls to let through
	duration time.Duration // of a fault with a duration
	left     int           // remaining occurrences; below 0: unlimited
}

func parseFault(form, value string) (*fault, error) {
	f := &fault{left: -1}
	var err error
	switch form {
	case "":
	case valueDuration:
		f.duration, err = time.ParseDuration(value)
		if err == nil && f.duration <= 0 {
			err = fmt.Errorf("%q is not above 0", value)
		}
	case valueCount:
		f.left, err = positive(value)
		f.number = f.left
	default:
		first, times, counted := strings.Cut(value, ":")
		if counted {
			if f.left, err = positive(times); err != nil {
				return nil, err
			}
		}
		f.number, err = parseNumber(form, first)
	}
	return f, err
}

func parseNumber(form, s string) (int, error) {
	switch form {
	case valueCode:
		var code codes.Code
		if err := code.UnmarshalJSON([]byte(strconv.Quote(s))); err != nil || code == codes.OK {
			return 0, fmt.Errorf("%q is not an error code", s)
		}
		return int(code), nil
	case valueStatus:
		n, err := positive(s)
		if err == nil && http.StatusText(n) == "" {
			err = fmt.Errorf("%q is not an HTTP status", s)
		}
		return n, err
	}
	return positive(s)
}

func positive(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a number above 0", s)
	}
	return n, nil
}

// happens reports whether a fault happens now, and counts it.
func (f *faults) happens(name string) (number int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	on := f.on[name]
	if on == nil || on.left == 0 {
		return 0, false
	}
	if on.left > 0 {
		on.left--
	}
	return on.number, true
}

// reached counts a call and reports whether the fault happens on it.
func (f *faults) reached(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	on := f.on[name]
	if on == nil || on.left == 0 {
		return false
	}
	on.left--
	return on.left == 0
}

// isOn reports whether a fault without a count is on.
func (f *faults) isOn(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.on[name] != nil
}

// duration returns the value of a fault, or 0 if it is off.
func (f *faults) duration(name string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on := f.on[name]; on != nil {
		return on.duration
	}
	return 0
}

// callName returns the name in faults of the call with the path, or "".
func callName(method string) string {
	for _, c := range calls {
		if c.method == path.Base(method) {
			return c.name
		}
	}
	return ""
}

// before applies the faults that prevent a call.
func (s *Server) before(ctx context.Context, method string) error {
	name := callName(method)
	if err := pause.For(ctx, s.faults.duration(name+"-delay")); err != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	if code, ok := s.faults.happens(name + "-error"); ok {
		return status.Errorf(codes.Code(code), "%s fails by the fault %s-error", path.Base(method), name)
	}
	if s.faults.reached("tokens-revoked-after") {
		s.RevokeTokens()
	}
	return nil
}

// failCall is an interceptor with the faults of calls.
func (s *Server) failCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := s.before(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	response, err := handle(ctx, req)
	switch m := response.(type) {
	case *batonv1.BatonServiceHeartbeatResponse:
		if _, ok := s.faults.happens("heartbeat-cancelled"); ok && err == nil {
			m.Cancelled = true
		}
	case *batonv1.BatonServiceGetTaskResponse:
		if m.GetTask() == nil && err == nil && s.faults.isOn("none-task") {
			m.Task = &batonv1.Task{TaskType: &batonv1.Task_None{None: &batonv1.Task_NoneTask{}}}
		}
	}
	return response, err
}

// failStream is an interceptor with the faults of uploads.
func (s *Server) failStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := s.before(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handle(srv, &damagedStream{ServerStream: stream, faults: s.faults})
}

// damagedStream changes the checksum of an upload if the fault is on.
type damagedStream struct {
	grpc.ServerStream
	faults *faults
}

func (d *damagedStream) RecvMsg(m any) error {
	if err := d.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if part, ok := m.(*batonv1.BatonServiceUploadAssetRequest); ok && len(part.GetEof().GetSha256Checksum()) > 0 {
		if _, damaged := d.faults.happens("upload-checksum"); damaged {
			part.GetEof().GetSha256Checksum()[0] ^= 1
		}
	}
	return nil
}

// faultyStore is a store with the faults of leases and tokens.
type faultyStore struct {
	*Memory
	faults *faults
}

// Lease first puts a leased task back if the fault is on.
func (f *faultyStore) Lease(ctx context.Context, now time.Time, r rpc.LeaseRequest) (rpc.Leases, error) {
	if !f.faults.isOn("redeliver") {
		return f.Memory.Lease(ctx, now, r)
	}
	for _, t := range f.Memory.Tasks() {
		known := t.Lease.Host == r.Host && slices.Contains(r.Known, t.ID)
		if t.Connector != r.Connector || t.State != rpc.Leased && t.State != rpc.Lost || t.Cancelled || known {
			continue
		}
		if _, ok := f.faults.happens("redeliver"); !ok {
			break
		}
		if err := f.Memory.RequeueTask(ctx, now, t.Connector, t.ID); err != nil && baton.KindOf(err) != baton.Refused {
			return rpc.Leases{}, err
		}
	}
	return f.Memory.Lease(ctx, now, r)
}

// AddToken shortens the life of the token if the fault is on.
func (f *faultyStore) AddToken(ctx context.Context, now time.Time, t rpc.Token) error {
	if life := f.faults.duration("token-lifetime"); life > 0 {
		t.Expires = now.Add(life)
	}
	return f.Memory.AddToken(ctx, now, t)
}

// handler applies the faults of connections and tokens.
func (f *faults) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := callName(r.URL.Path)
		if r.URL.Path == rpc.TokenPath {
			name = "token"
			if err := pause.For(r.Context(), f.duration("token-delay")); err != nil {
				return // the client is gone
			}
			if code, ok := f.happens("token-error"); ok {
				http.Error(w, http.StatusText(code), code)
				return
			}
		}
		if name == "upload-asset" {
			if n, ok := f.happens("upload-broken-off"); ok {
				r.Body = &breaking{ReadCloser: r.Body, request: r, left: n}
			}
		}
		switch _, lost := f.happens(name + "-lost"); {
		case lost:
			next.ServeHTTP(nowhere{}, r)
			hangUp(r)
		case name == "token":
			f.shortLived(w, r, next)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// shortLived serves a token request with the lifetime of the fault.
func (f *faults) shortLived(w http.ResponseWriter, r *http.Request, next http.Handler) {
	life := f.duration("token-lifetime")
	if life == 0 {
		next.ServeHTTP(w, r)
		return
	}
	recorded := httptest.NewRecorder()
	next.ServeHTTP(recorded, r)
	var body map[string]any
	if err := json.Unmarshal(recorded.Body.Bytes(), &body); err == nil && body["expires_in"] != nil {
		body["expires_in"] = int(life / time.Second)
		b, err := json.Marshal(body)
		if err == nil {
			recorded.Body = bytes.NewBuffer(b)
		}
	}
	for key, values := range recorded.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(recorded.Code)
	_, _ = w.Write(recorded.Body.Bytes())
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// hangUp closes the connection of a request, or aborts the request if it does not know the
// connection. It does not return.
func hangUp(r *http.Request) {
	closeConn(r)
	panic(http.ErrAbortHandler)
}

func closeConn(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		_ = c.Close()
	}
}

// nowhere discards a response.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Flush()                      {}

// breaking is a body whose connection is closed after some bytes.
type breaking struct {
	io.ReadCloser
	request *http.Request
	left    int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left <= 0 {
		closeConn(b.request)
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
