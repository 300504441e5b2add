package rest

import (
	"context"
	"errors"
	"io"
	"net/http"

	"baton/internal/jsonscan"
)

// Decode is like Do, for responses that are decoded as they arrive, so that no body is held in memory as a
// whole. It has the same retries and limits. A response that breaks off, in its JSON or in its transfer, is
// requested again: decode is then called anew, and must discard the results of its previous call.
//
// Decode reads one value. If the value is not the expected one, decode returns an error, which ends the
// request. decode need not check the scanner's errors, or that nothing follows the value. A body may be
// empty.
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

// bounded is a reader that fails beyond a limit.
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
