package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/govern"
	"baton/console/store"
	"baton/console/telemetry"
	"baton/wire"
)

// Config configures the interface. Console is required.
type Config struct {
	Console *govern.Console
	Log     *slog.Logger // nil: none
}

// Prefix is the path under which everything is served.
const Prefix = "/api/"

// New returns a handler of all calls under [Prefix].
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.pattern, c.handle(r))
	}
	// Not 404: a client that removes an object would take that for success.
	mux.HandleFunc("/", c.handle(route{endpoint: responds(func(c *call) (*empty, error) {
		return nil, baton.Errorf(baton.Unsupported, "the console has no call %s %s", c.r.Method, c.r.URL.EscapedPath())
	})}))
	return mux
}

// call is one call of a client.
type call struct {
	Config
	w      http.ResponseWriter
	r      *http.Request
	caller govern.Caller
	body   []byte
	id     string
}

func (c *call) ctx() context.Context { return c.r.Context() }

// path returns an ID in the path.
func (c *call) path(name string) console.ID { return console.ID(c.r.PathValue(name)) }

// maxBody limits the body of a request, in bytes.
const maxBody = 1 << 20

func (c Config) handle(route route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		one := &call{Config: c, w: w, r: r, id: telemetry.Begin(r, route.pattern)}
		h := w.Header()
		h.Set("X-Request-Id", one.id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				c.Log.ErrorContext(r.Context(), "a call panicked", "request", one.id, "path", r.URL.Path, "panic", p)
				one.fail(baton.Errorf(baton.Internal, "this call has a defect"))
			} else if p != nil {
				panic(p)
			}
		}()
		answer, err := one.serve(route)
		if err != nil {
			one.fail(err)
			return
		}
		if route.response != nil {
			one.write(http.StatusOK, answer)
		}
	}
}

func (c *call) serve(route route) (any, error) {
	if route.pattern != ownToken {
		if err := c.authenticate(); err != nil {
			return nil, err
		}
	}
	c.caller.Route, c.caller.Object, c.caller.Source = route.pattern, c.r.URL.EscapedPath(), source(c.r.Header.Get(sourceHeader))
	if c.r.Body != nil {
		var err error
		if c.body, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody)); err != nil {
			var large *http.MaxBytesError
			if errors.As(err, &large) {
				return nil, baton.Errorf(baton.Invalid, "the body of the request is larger than %d bytes", maxBody).WithFix("Send less at once. Larger configuration files are applied with baton-console apply.")
			}
			return nil, baton.Errorf(baton.Canceled, "the request ended early")
		}
	}
	return route.serve(c)
}

var errToken = baton.Errorf(baton.Unauthenticated, "the call has no bearer token").
	WithFix("Exchange a client id and secret for one at /auth/v1/token.")

// authenticate identifies the caller by the bearer token.
func (c *call) authenticate() error {
	token, err := c.bearer()
	if err == nil {
		c.caller, err = c.Console.AuthenticateClient(c.ctx(), token, c.id, addressOf(c.r))
	}
	return err
}

// bearer returns the bearer token of the call.
func (c *call) bearer() (baton.Secret, error) {
	kind, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(kind, "Bearer") || token == "" {
		return baton.Secret{}, errToken
	}
	return baton.NewSecret(token), nil
}

// addressOf returns the network address of a request's sender.
func addressOf(r *http.Request) string {
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return address
}

// source returns the program that a client says it is, for the events, as one line of limited
// length.
func source(header string) string {
	header = strings.TrimSpace(header)
	if len(header) > maxSource || !utf8.ValidString(header) || strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return header
}

const maxSource = 100

// sourceHeader is the header with the program of a client.
const sourceHeader = "C1-Request-Source"

// statuses are the HTTP statuses of error kinds, as for google.rpc.Code.
var statuses = map[baton.Kind]int{
	baton.Invalid:          http.StatusBadRequest,
	baton.Unauthenticated:  http.StatusUnauthorized,
	baton.PermissionDenied: http.StatusForbidden,
	baton.NotFound:         http.StatusNotFound,
	baton.AlreadyExists:    http.StatusConflict,
	baton.Refused:          http.StatusBadRequest,
	baton.Unsupported:      http.StatusNotImplemented,
	baton.RateLimited:      http.StatusTooManyRequests,
	baton.Unavailable:      http.StatusServiceUnavailable,
	baton.Storage:          http.StatusServiceUnavailable,
	baton.DeadlineExceeded: http.StatusGatewayTimeout,
	baton.Canceled:         499, // the client closed the request
}

// status is a google.rpc.Status.
type status struct {
	Code    uint32    `json:"code"`
	Message string    `json:"message"`
	Details list[any] `json:"details"`
}

// fail responds with an error: what is wrong, and what to do.
func (c *call) fail(err error) {
	kind := baton.KindOf(err)
	code, ok := statuses[kind]
	if !ok {
		code = http.StatusInternalServerError
	}
	s := status{Code: wire.Code(kind), Message: sentence(err.Error())}
	if fix := baton.FixOf(err); fix != "" {
		s.Message += " " + fix
	}
	if text, fix, ok := store.Away(err); ok { // without the address of the database
		s.Message = text + " " + fix
	}
	s.Message = harmless(s.Message)
	if same := (*approve.Duplicate)(nil); errors.As(err, &same) {
		s.Message = duplicateText + ": " + s.Message
		s.Details = list[any]{packed{"c1.api.task.v1.TaskRef", taskRef{string(same.Request)}}}
	}
	if code >= 500 && code != http.StatusNotImplemented {
		c.Log.ErrorContext(c.ctx(), "a call failed", "request", c.id, "path", c.r.URL.Path, "error", err)
	}
	if code == http.StatusInternalServerError {
		s = status{Code: 13, Message: "Something went wrong in the console. Its log has more about request " + c.id + "."}
	}
	if kind == baton.Unauthenticated {
		c.w.Header().Set("WWW-Authenticate", "Bearer")
	}
	c.write(code, s)
}

// duplicateText tells a client that the details contain the id of the open task.
const duplicateText = "duplicate ticket found"

// durationText tells a client the limit, which follows up to the next parenthesis.
const durationText = "grant duration must be less than or equal to max provision time"

// harmless removes the texts that clients parse from names in a message: clients fail if the
// expected rest does not follow.
func harmless(message string) string {
	message = strings.ReplaceAll(message, duplicateText, strings.ReplaceAll(duplicateText, " ", "\u00a0"))
	if i := strings.LastIndex(message, durationText); i >= 0 && !strings.Contains(message[i:], ")") {
		message = strings.ReplaceAll(message, durationText, strings.ReplaceAll(durationText, " ", "\u00a0"))
	}
	return message
}

// taskRef is a reference to a task.
type taskRef struct {
	ID string `json:"id"`
}

// sentence returns text with a capital letter and a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	if strings.HasPrefix(text, durationText) {
		return strings.TrimSuffix(text, ".") + "." // the form that clients look for
	}
	if name, _, ok := strings.Cut(text, ": "); ok && strings.Contains(name, ".") && !strings.Contains(name, " ") {
		return strings.TrimSuffix(text, ".") + "." // it begins with the name of a file
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}

func (c *call) write(code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		c.Log.ErrorContext(c.ctx(), "an answer cannot be encoded", "request", c.id, "error", err)
		code, b = http.StatusInternalServerError, []byte(`{"code":13,"message":"Something went wrong in the console.","details":[]}`)
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(code)
	c.w.Write(b) // an error means that the client is gone
}
