package service

import (
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"baton/internal/pause"
	"baton/wire"
)

// finishFor bounds how long an answer is sent to C1. Leases last a few minutes, so
// afterwards there is none.
const finishFor = time.Hour

// ending says how sending the answer of a task ended.
type ending int

const (
	accepted    ending = iota
	closed             // C1 refused it: it does not know the task any more, or put it back into the queue
	undelivered        // C1 could not be reached
)

// answer sends the answer of a task and removes it from the ledger. Before that, it calls after
// if C1 needs nothing more for the task. A task that C1 put back into the queue may have been delivered
// again while it still ran here. That delivery was ignored, so it gets the answer, too.
func (s *service) answer(taskID string, a wire.Answer, log *slog.Logger, release, after func()) {
	for {
		end := s.finish(taskID, a, log, release)
		if after != nil && end != undelivered {
			after()
			after = nil
		}
		if s.ledger.done(taskID, end == closed) {
			return
		}
		log.Info("the task was delivered again before its answer was refused; sending the answer again")
	}
}

// finish sends the answer of a task until C1 accepts it or no longer knows the task. It
// continues after the end of the context of the task, and for a moment when the service stops.
// After a failure it calls release to free the slot, so that a server that refuses answers
// does not block further tasks.
func (s *service) finish(taskID string, a wire.Answer, log *slog.Logger, release func()) ending {
	b, err := wire.MarshalFinish(s.host.ID, taskID, a)
	bare := err != nil
	if bare {
		log.Error("the answer of a task cannot be encoded; leaving out its details", "error", err)
		b = s.plain(taskID, a)
	}
	began := time.Now()
	for n := 1; ; n++ {
		_, err := s.link.call(s.last, "FinishTask", b)
		s.contact(err)
		s.metrics.count("baton_finishes_total", 1, "result", outcome(err))
		switch refused := code(err); {
		case err == nil:
			return accepted
		case refused == codes.NotFound, refused == codes.FailedPrecondition, refused == codes.AlreadyExists:
			log.Info("ConductorOne has closed the task already", "answer", err)
			return closed
		case refused == codes.InvalidArgument && !bare:
			log.Error("the answer of a task was refused; leaving out its details", "error", err)
			b, bare = s.plain(taskID, a), true
			continue
		case s.last.Err() != nil, errors.Is(err, errRefused), refused == codes.InvalidArgument, time.Since(began) > finishFor:
			s.interrupted.Add(1)
			log.Error("the answer of a task could not be delivered", "error", err)
			return undelivered
		}
		release()
		wait := doubling(n, maxBackoff)
		log.Warn("the answer of a task was not delivered; trying again", "error", err, "wait", wait)
		_ = pause.For(s.last, wait) // if s.last has ended, the next attempt fails
	}
}

// plain returns the answer without details.
func (s *service) plain(taskID string, a wire.Answer) []byte {
	bare := wire.Answer{Code: a.Code, NonRetryable: a.NonRetryable}
	if a.Code != 0 {
		bare.Message = "the task failed; the connector's log says why"
	}
	b, _ := wire.MarshalFinish(s.host.ID, taskID, bare) // cannot fail for plain text
	return b
}

// codeName returns the name of a gRPC code.
func codeName(code uint32) string { return codes.Code(code).String() }

// contact records the result of the last call to C1.
func (s *service) contact(err error) {
	s.status.contact(err)
	if err == nil {
		s.metrics.set("baton_last_contact_timestamp_seconds", float64(time.Now().Unix()))
	}
}
