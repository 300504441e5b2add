package service

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"baton/internal/pause"
	"baton/wire"
)

const (
	heartbeatEvery = 30 * time.Second // unless C1 sets it
	heartbeatMin   = time.Second
	heartbeatMax   = 5 * time.Minute
	// A lease counts as lost after this many failed heartbeats, but not before this
	// time.
	leaseBeats = 9
	leaseLife  = 5 * time.Minute
)

// heartbeats sends heartbeats until the returned function is called: from the start for a
// sync, otherwise once the task turns out to be long. It cancels the task if C1 says so or if
// the lease is lost.
func (s *service) heartbeats(ctx context.Context, cancel context.CancelCauseFunc, t *entry, log *slog.Logger) (stop func()) {
	ctx, end := context.WithCancel(ctx)
	var first time.Duration
	if _, sync := t.Work.(wire.SyncTask); !sync {
		first = longTask
	} else {
		// The first one comes before any work, in case the task was cancelled meanwhile.
		first = s.beat(ctx, cancel, t, log, new(lease))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		held := &lease{since: time.Now()}
		for next := first; next > 0 && pause.For(ctx, next) == nil; {
			next = s.beat(ctx, cancel, t, log, held)
		}
	}()
	return func() {
		end()
		<-done
	}
}

// lease records how the heartbeats of a task went.
type lease struct {
	since    time.Time // last heartbeat that was accepted
	failures int
	every    time.Duration
}

// beat sends one heartbeat and returns the wait before the next one; 0 is never.
func (s *service) beat(ctx context.Context, cancel context.CancelCauseFunc, t *entry, log *slog.Logger, held *lease) time.Duration {
	if held.every == 0 {
		held.every = heartbeatEvery
	}
	next, cancelled, err := s.heartbeat(ctx, t.ID)
	switch {
	case ctx.Err() != nil:
		return 0
	case err == nil && cancelled:
		cancel(errCancelled)
		return 0
	case err == nil:
		if next > 0 {
			held.every = min(max(next, heartbeatMin), heartbeatMax)
		} else {
			held.every = heartbeatEvery
		}
		held.since, held.failures = time.Now(), 0
		return held.every
	case code(err) == codes.NotFound, code(err) == codes.FailedPrecondition:
		cancel(errLease)
		return 0
	}
	held.failures++
	log.Warn("a heartbeat failed", "error", err, "in_a_row", held.failures)
	if held.failures >= leaseBeats && time.Since(held.since) >= leaseLife {
		cancel(errLease)
		return 0
	}
	return held.every
}

func (s *service) heartbeat(ctx context.Context, taskID string) (next time.Duration, cancelled bool, err error) {
	b, err := wire.MarshalHeartbeat(s.host.ID, taskID)
	if err != nil {
		return 0, false, err
	}
	b, err = s.link.call(ctx, "Heartbeat", b)
	s.contact(err)
	if err != nil {
		return 0, false, err
	}
	return wire.UnmarshalHeartbeat(b)
}
