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

// maxPage is how many bytes of a web page are looked at.
const maxPage = 4096

// maxSilence is how long a stream may stay without a byte.
const maxSilence = 2 * time.Minute

// Stream is an answer with a 2xx status whose body is read as it arrives: of any
// size, for as long as it takes. It ends with an error if nothing comes for two
// minutes, or Config.Timeout if that is shorter, while somebody is reading. Not safe
// for concurrent use.
type Stream struct {
	Status int
	Header http.Header

	client *Client
	req    Request
	parent context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	clock  *time.Timer // of the whole exchange, or of its beginning
	watch  *time.Timer // of one read; nil before the first
	body   io.ReadCloser
	text   io.Reader     // the body in UTF-8
	head   *bufio.Reader // of text; nil once the beginning was looked at and read
	broke  *failure      // behind err, where the upstream is the reason
	err    error
}

// Stream is Do for answers of unlimited size. It returns when the first bytes of the
// body are there, and until then fails and retries as Do does; a failure after that
// comes out of Read, as a *baton.Error, and is the caller's to deal with. The stream
// ends with ctx. Any content is taken but a web page.
func (c *Client) Stream(ctx context.Context, req Request) (*Stream, error) {
	return persist(ctx, c, req, c.open, func(s *Stream) int { return s.Status })
}

// open makes one attempt, up to the beginning of the body; from there on it has time.
func (c *Client) open(parent context.Context, req Request) (*Stream, *failure) {
	s, f := c.begin(parent, req)
	if f == nil {
		s.clock.Stop()
	}
	return s, f
}

// begin makes one attempt, up to the beginning of the body, and leaves the clock running.
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
		start, _ = s.head.Peek(maxPage) // whatever it is, it is not JSON
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

// Read reads the body. The error at its end is io.EOF; any other is of the kinds
// that Do gives, Unavailable when the body breaks off.
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
	// The clock runs only while somebody waits: how long the reader takes to digest
	// what came is its own business.
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

// Close ends the stream, and the exchange with it if it is not over. A Read after it
// is an error of kind Canceled.
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
