package rest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"baton"
)

const (
	backoffBase = 500 * time.Millisecond
	backoffMax  = 30 * time.Second
)

// Do sends the request, with retries as the package's table allows, and returns the first 2xx response. Any
// other outcome is a *baton.Error that names method and path; for a status other than 2xx, its chain holds a
// *StatusError. If ctx ended, the kind is Canceled or DeadlineExceeded.
func (c *Client) Do(ctx context.Context, req Request) (*Response, error) {
	return persist(ctx, c, req, c.attempt, func(r *Response) int { return r.Status })
}

// ErrEarlierAttempt is in the chain of an error that describes the last of several attempts: the upstream may
// have carried out an earlier one.
var ErrEarlierAttempt = errors.New("an earlier attempt may have been carried out all the same")

// persist makes attempts until one succeeds or the table allows no further one.
func persist[T any](ctx context.Context, c *Client, req Request, attempt func(context.Context, Request) (T, *failure), status func(T) int) (none T, _ error) {
	req.Method = cmp.Or(req.Method, http.MethodGet)
	var last deadline
	doubt := false
	for n := 1; ; n++ {
		begun := time.Now()
		answer, f := attempt(ctx, req)
		done := Attempt{Method: req.Method, Path: req.Path, Took: time.Since(begun)}
		if f == nil {
			done.Status = status(answer)
			c.report(done)
			return answer, nil
		}
		if n == 1 {
			last = c.patience(f)
		}
		wait, verdict := c.next(ctx, req, f, n, last)
		err := c.failed(req, f, verdict)
		if doubt {
			err.Err = fmt.Errorf("%w; %w", err.Err, ErrEarlierAttempt)
		}
		doubt = doubt || f.retry == retryIfSafe && req.Method != http.MethodGet
		done.Status, done.Err, done.Wait = f.status, err, wait
		c.report(done)
		if wait == 0 {
			return none, err
		}
		c.log.Debug("retry", "method", req.Method, "path", req.Path, "wait", wait, "attempt", n, "reason", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return none, c.ended(ctx, req, f)
		}
	}
}

// deadline is the end of retries, and its distance from the first failure.
type deadline struct {
	at    time.Time
	after time.Duration
}

// patience is shorter for an upstream that never answered: the address is probably wrong, and the user should
// learn that soon.
func (c *Client) patience(f *failure) deadline {
	after := c.retryFor
	if f.status == 0 && !c.answered.Load() {
		after = min(after, firstContact)
	}
	return deadline{time.Now().Add(after), after}
}

// next decides whether and when another attempt follows the n-th: it returns the wait, or 0 and a reason for
// the error.
func (c *Client) next(ctx context.Context, req Request, f *failure, n int, last deadline) (time.Duration, string) {
	if f.slow && req.CanShrink {
		return 0, ""
	}
	if f.retry == retryNo || f.retry == retryIfSafe && !req.safe() {
		if f.retry == retryIfSafe && f.status == 0 {
			return 0, "; it may have been carried out all the same"
		}
		return 0, ""
	}
	wait := backoff(n)
	if f.ask.wait > 0 {
		// The quota is often shared, so clients should not all return at once.
		wait = f.ask.wait + rand.N(min(f.ask.wait/10, 5*time.Second)+time.Millisecond)
	}
	again := time.Now().Add(wait)
	requested := ""
	if f.ask.wait > 0 {
		requested = fmt.Sprintf(": the upstream asks to wait %s", f.ask.wait.Round(time.Second/10))
	}
	if deadline, ok := ctx.Deadline(); ok && again.After(deadline) {
		return 0, fmt.Sprintf("; gave up after %s%s, and the deadline comes first", attempts(n), requested)
	}
	if c.retryFor < 0 {
		return 0, requested
	}
	if again.After(last.at) {
		return 0, fmt.Sprintf("; gave up after %s%s, and retries end after %s", attempts(n), requested, last.after)
	}
	return wait, ""
}

func attempts(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", n)
}

// backoff is exponential with full jitter, and never 0.
func backoff(n int) time.Duration {
	ceiling := backoffMax
	if n < 8 {
		ceiling = min(backoffBase<<(n-1), backoffMax)
	}
	return rand.N(ceiling) + time.Millisecond
}

func (c *Client) failed(req Request, f *failure, verdict string) *baton.Error {
	err := c.sanitised(f.err)
	if f.slow {
		err = &slowError{err}
	}
	return &baton.Error{Kind: f.kind, Err: fmt.Errorf("%s %s: %w%s", req.Method, req.Path, err, verdict), Fix: f.fix}
}

// ended returns the error for a context that ended during the wait for a retry.
func (c *Client) ended(ctx context.Context, req Request, last *failure) *baton.Error {
	kind := baton.KindOf(ctx.Err())
	return baton.Errorf(kind, "%s %s: %w while waiting to retry after: %s", req.Method, req.Path, ctx.Err(), c.sanitised(last.err))
}

func (c *Client) report(a Attempt) {
	if c.observe != nil {
		c.observe(a)
	}
}

// attempt makes one HTTP exchange.
func (c *Client) attempt(parent context.Context, req Request) (*Response, *failure) {
	ctx, cancel := context.WithTimeout(parent, c.timeout)
	defer cancel()
	in, f := c.send(parent, ctx, req)
	if f != nil {
		return nil, f
	}
	defer in.Body.Close()
	body, f := c.readBody(in)
	if f != nil {
		f = c.broken(parent, ctx, f)
	} else {
		f = checkContent(req.Method, in.Header, body)
	}
	if f != nil {
		f.status = in.StatusCode
		return nil, f
	}
	return &Response{Status: in.StatusCode, Header: in.Header, Body: body}, nil
}

// send returns the header of a 2xx response, with its body unread. ctx is parent with the timeout of the
// attempt.
func (c *Client) send(parent, ctx context.Context, req Request) (*http.Response, *failure) {
	if err := parent.Err(); err != nil {
		return nil, &failure{kind: baton.KindOf(err), err: err}
	}
	path := req.Path
	req.Path = c.slashes.path(path)
	out, err := c.build(ctx, req)
	if err != nil {
		return nil, &failure{kind: baton.KindOf(err), err: err}
	}
	in, err := c.transport.RoundTrip(out)
	if err == nil && req.mayTurn(out, in) {
		_, _ = io.CopyN(io.Discard, in.Body, 4096) // lets the connection be reused
		in.Body.Close()
		req.Path = otherEnding(req.Path)
		c.slashes.remember(path, req.Path)
		if out, err = c.build(ctx, req); err != nil {
			return nil, &failure{kind: baton.KindOf(err), err: err}
		}
		in, err = c.transport.RoundTrip(out)
	}
	if err != nil {
		return nil, c.broken(parent, ctx, c.networkFailure(err))
	}
	c.answered.Store(true)
	if in.StatusCode/100 == 2 {
		return in, nil
	}
	defer in.Body.Close()
	if in.StatusCode/100 == 3 {
		return nil, c.redirectFailure(out, in)
	}
	return nil, c.statusFailure(in, errorBody(in))
}

// errorBody reads the beginning of an error response's body, decoded to text if possible.
func errorBody(in *http.Response) []byte {
	text, err := textReader(in)
	if err != nil {
		return nil
	}
	// Read more than is kept, so that no secret is cut in two and missed.
	body, _ := io.ReadAll(io.LimitReader(text, 2*maxErrorBody))
	return body
}

// broken replaces the error of an interrupted exchange if a timeout or the caller ended it, and closes idle
// connections so that the next attempt opens a new one: after a suspended machine wakes up, all idle
// connections are dead.
func (c *Client) broken(parent, ctx context.Context, f *failure) *failure {
	if err := parent.Err(); err != nil {
		return &failure{kind: baton.KindOf(err), err: err}
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		f.kind, f.fix, f.retry, f.slow = baton.Unavailable, "", retryIfSafe, true
		f.err = fmt.Errorf("no complete answer within %s", c.timeout)
	}
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return f
}

func (c *Client) build(ctx context.Context, req Request) (*http.Request, error) {
	u, err := target(c.base, req)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if req.Body != nil {
		body = bytes.NewReader(req.Body)
	}
	out, err := http.NewRequestWithContext(ctx, req.Method, u.String(), body)
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "method %q cannot be sent", req.Method)
	}
	if req.Header != nil {
		out.Header = req.Header.Clone()
	}
	if out.Header.Get("Accept") == "" {
		out.Header.Set("Accept", "application/json")
	}
	if req.Body != nil && out.Header.Get("Content-Type") == "" {
		out.Header.Set("Content-Type", "application/json")
	}
	if req.NoCache {
		out.Header.Set("Cache-Control", "no-cache")
	}
	out.Header.Set("User-Agent", c.userAgent)
	if !c.token.IsZero() {
		out.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	return out, nil
}
