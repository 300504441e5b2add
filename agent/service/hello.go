package service

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
	"baton/internal/pause"
	"baton/wire"
)

// hello sends a Hello. taskID is the task that asked for it, "" at the start.
func (s *service) hello(ctx context.Context, taskID string) error {
	b, err := wire.MarshalHello(s.host, taskID, s.connector)
	if err != nil {
		return err
	}
	_, err = s.link.call(ctx, "Hello", b)
	s.contact(err)
	return err
}

// introduce sends a Hello until C1 accepts it. It returns an error only if another attempt
// would fail in the same way.
func (s *service) introduce(ctx context.Context) error {
	for n := 1; ; n++ {
		err := s.hello(ctx, "")
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if final(err) {
			return err
		}
		wait := doubling(n, 5*time.Minute)
		s.log.Warn("the server cannot be reached yet; trying again", "error", err, "fix", baton.FixOf(err), "wait", wait)
		if err := s.pause(ctx, wait); err != nil {
			return err
		}
	}
}

// final reports whether another Hello would fail with the same error.
func final(err error) bool {
	if errors.Is(err, errRefused) || baton.KindOf(err) == baton.Invalid {
		return true
	}
	switch code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.Unimplemented, codes.FailedPrecondition, codes.NotFound:
		return true
	}
	return false
}

// doubling returns the wait after the n-th failure in a row: about 1, 2, 4 s and so on up
// to a limit, with jitter.
func doubling(n int, limit time.Duration) time.Duration {
	wait := limit
	if n < 20 {
		wait = min(time.Second<<(n-1), limit)
	}
	return jittered(wait)
}

// jittered returns 80 to 120 % of d.
func jittered(d time.Duration) time.Duration { return d*4/5 + rand.N(d*2/5+1) }

// pause waits and tells the watchdog how long.
func (s *service) pause(ctx context.Context, d time.Duration) error {
	s.watch.back(d)
	return pause.For(ctx, d)
}
