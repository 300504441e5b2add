package rest

import (
	"context"
	"errors"
	"io"
	"net/http"

	"baton/internal/jsonscan"
)

// Decode is Do for answers that are decoded as they arrive, so that no body is ever
// held as a whole. The same is retried, the same limits hold, and an answer that breaks
// off, in the middle of its JSON or of its transfer, is asked for again: decode is then
// called anew, and what it made of the answer before is void.
//
// Decode reads one value and returns an error of its own if it is not what was asked
// for, which ends the request. The scanner's errors, and that nothing follows the value,
// are not its business. A body may be empty.
func (c *Client) Decode(ctx context.Context, req Request, decode func(http.Header, *jsonscan.Scanner) error) error {
	var own error
	_, err := persist(ctx, c, req, func(ctx context.Context, req Request) (status int, f *failure) {
		status, f, own = c.decode(ctx, req, decode)
		return status, f
	}, func(status int) int { return status })
	if err != nil {
		return err
	}
	return own
}

// decode makes one attempt.
func (c *Client) decode(parent context.Context, req Request, decode func(http.Header, *jsonscan.Scanner) error) (status int, f *failure, own error) {
	in, f := c.begin(parent, req)
	if f != nil {
		return 0, f, nil
	}
	defer in.Close()
	body := &bounded{src: in, left: c.maxBody}
	s := jsonscan.New(body)
	defer s.Free()
	own = decode(in.Header, s)
	if own == nil {
		own = s.End()
	}
	var encoding *jsonscan.EncodingError
	switch err := s.Err(); {
	case err == nil:
		return in.Status, nil, own
	case errors.As(err, &encoding):
		f = notUnicode(encoding, in.Header)
	case in.broke != nil:
		f = in.broke
	case errors.Is(err, ErrTooLarge):
		f = c.tooLarge()
	case err == io.ErrUnexpectedEOF:
		f = breaksOff()
	default:
		f = notJSON()
	}
	f.status = in.Status
	return in.Status, f, nil
}

// bounded is a reader that fails where there is more than a limit.
type bounded struct {
	src  io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}
