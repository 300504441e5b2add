package rest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"baton"
)

// maxPage limits the part of a web page that is examined, in bytes.
const maxPage = 4096

// maxSilence limits how long a stream may deliver no byte.
const maxSilence = 2 * time.Minute

// Stream is a 2xx response of any size and duration whose body is read as it arrives. A Read fails if no byte
// arrives for two minutes, or for Config.Timeout if that is shorter. It is not safe for concurrent use.
type Stream struct {
	Status int
	Header http.Header

	client *Client
	req    Request
	parent context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	clock  *time.Timer // limits the whole exchange, or its beginning
	watch  *time.Timer // limits one read; nil before the first
	body   io.ReadCloser
	text   io.Reader     // the body in UTF-8
	head   *bufio.Reader // buffers the beginning of text; nil once it was checked and read
	broke  *failure      // the cause of err if it is the upstream
	err    error
}

// Stream is like Do, for responses of unlimited size. It returns after the first bytes of the body have
// arrived, and until then fails and retries as Do does. Later failures are returned by Read as a *baton.Error
// and are not retried. The stream ends with ctx. Any content but a web page is accepted.
func (c *Client) Stream(ctx context.Context, req Request) (*Stream, error) {
	return persist(ctx, c, req, c.open, func(s *Stream) int { return s.Status })
}

// open makes one attempt up to the beginning of the body. No timeout limits the rest.
func (c *Client) open(parent context.Context, req Request) (*Stream, *failure) {
	s, f := c.begin(parent, req)
	if f == nil {
		s.clock.Stop()
	}
	return s, f
}

// begin makes one attempt up to the beginning of the body and leaves the timer running.
func (c *Client) begin(parent context.Context, req Request) (*Stream, *failure) {
	ctx, cancel := context.WithCancelCause(parent)
	clock := time.AfterFunc(c.timeout, func() { cancel(context.DeadlineExceeded) })
	in, f := c.send(parent, ctx, req)
	if f != nil {
		clock.Stop()
		cancel(nil)
		return nil, f
	}
	s := &Stream{Status: in.StatusCode, Header: in.Header, client: c, req: req, parent: parent, ctx: ctx, cancel: cancel, clock: clock, body: in.Body}
	var err error
	if s.text, err = textReader(in); err == nil {
		s.head = bufio.NewReaderSize(s.text, maxPage)
		_, err = s.head.Peek(1)
	}
	if err != nil && err != io.EOF {
		f = c.broken(parent, ctx, c.networkFailure(err))
	} else if start, _ := s.head.Peek(s.head.Buffered()); isMarkup(start) {
		start, _ = s.head.Peek(maxPage) // it is not JSON in any case
		if isHTML(s.Header, start) {
			f = checkContent(req.Method, s.Header, start)
		}
	}
	if f != nil {
		f.status = s.Status
		s.Close()
		return nil, f
	}
	return s, nil
}

// Read reads the body. At its end the error is io.EOF. Other errors have the kinds that Do returns, and
// Unavailable if the body breaks off.
func (s *Stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.read(p)
	if err == io.EOF {
		s.err = err
	} else if err != nil {
		s.broke = s.client.broken(s.parent, s.ctx, s.failure(err))
		s.err = s.client.failed(s.req, s.broke, "")
	}
	if s.err != nil {
		s.close()
	}
	return n, s.err
}

func (s *Stream) read(p []byte) (int, error) {
	if s.head != nil {
		if s.head.Buffered() > 0 {
			return s.head.Read(p)
		}
		s.head = nil
	}
	// The timer runs only during a Read: the time between reads belongs to the caller.
	if s.watch == nil {
		s.watch = time.AfterFunc(s.silence(), func() { s.cancel(errSilent) })
	} else {
		s.watch.Reset(s.silence())
	}
	defer s.watch.Stop()
	return s.text.Read(p)
}

var errSilent = errors.New("the upstream fell silent")

func (s *Stream) silence() time.Duration { return min(maxSilence, s.client.timeout) }

func (s *Stream) failure(err error) *failure {
	f := s.client.networkFailure(err)
	switch {
	case errors.Is(context.Cause(s.ctx), errSilent):
		f.err, f.slow = fmt.Errorf("no further byte of the answer within %s", s.silence()), true
	case errors.Is(err, io.ErrUnexpectedEOF):
		f.err = errors.New("the answer breaks off in the middle")
	}
	return f
}

// Close ends the stream and its HTTP exchange. Later Reads return an error of kind Canceled.
func (s *Stream) Close() error {
	if s.err == nil {
		s.err = baton.Errorf(baton.Canceled, "%s %s: the stream was closed", s.req.Method, s.req.Path)
	}
	s.close()
	return nil
}

func (s *Stream) close() {
	s.clock.Stop()
	s.cancel(nil)
	s.body.Close()
}
