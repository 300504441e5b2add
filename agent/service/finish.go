package service

import (
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"baton/internal/pause"
	"baton/wire"
)

// finishFor bounds how long an answer is offered to C1. Leases are said to last a
// few minutes, so after this one there is surely none.
const finishFor = time.Hour

// finish tells C1 how a task ended, until C1 accepts it or does not know the task
// any more. It goes on when the task's own context has ended, and for a moment when
// the service stops. After a failure the slot is released: a server that refuses
// answers must not keep tasks from being taken. It reports whether the task is over.
func (s *service) finish(taskID string, a wire.Answer, log *slog.Logger, release func()) (over bool) {
	b, err := wire.MarshalFinish(s.host.ID, taskID, a)
	bare := err != nil
	if bare {
		log.Error("the answer of a task cannot be written; leaving out its details", "error", err)
		b = s.plain(taskID, a)
	}
	began := time.Now()
	for n := 1; ; n++ {
		_, err := s.link.call(s.last, "FinishTask", b)
		s.contact(err)
		s.metrics.count("baton_finishes_total", 1, "result", outcome(err))
		switch refused := code(err); {
		case err == nil:
			return true
		case refused == codes.NotFound, refused == codes.FailedPrecondition, refused == codes.AlreadyExists:
			log.Info("ConductorOne has closed the task already", "answer", err)
			return true
		case refused == codes.InvalidArgument && !bare:
			log.Error("the answer of a task was refused; leaving out its details", "error", err)
			b, bare = s.plain(taskID, a), true
			continue
		case s.last.Err() != nil, errors.Is(err, errRefused), refused == codes.InvalidArgument, time.Since(began) > finishFor:
			s.interrupted.Add(1)
			log.Error("the answer of a task could not be delivered", "error", err)
			return false
		}
		release()
		wait := doubling(n, maxBackoff)
		log.Warn("the answer of a task was not delivered; trying again", "error", err, "wait", wait)
		_ = pause.For(s.last, wait) // once that has ended, so does the next try
	}
}

// plain is the answer without anything that a reader could object to.
func (s *service) plain(taskID string, a wire.Answer) []byte {
	bare := wire.Answer{Code: a.Code, NonRetryable: a.NonRetryable}
	if a.Code != 0 {
		bare.Message = "the task failed; the connector's log says why"
	}
	b, _ := wire.MarshalFinish(s.host.ID, taskID, bare) // of plain text it cannot fail
	return b
}

// codeName is a gRPC code in a word.
func codeName(code uint32) string { return codes.Code(code).String() }

// contact notes how the last call to C1 went.
func (s *service) contact(err error) {
	s.status.contact(err)
	if err == nil {
		s.metrics.set("baton_last_contact_timestamp_seconds", float64(time.Now().Unix()))
	}
}
