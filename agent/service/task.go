package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"baton"
	"baton/internal/pause"
	"baton/wire"
)

// Causes for which a task's context ends.
var (
	errStopping  = errors.New("the connector is shutting down; what was done so far is kept, and the task can be handed out again")
	errCancelled = errors.New("the task was cancelled")
	errLease     = errors.New("the task was taken away: ConductorOne does not know it any more, or could not be reached for too long")
)

// longTask is how long a task runs before it sends heartbeats. A sync sends them
// from its start.
const longTask = 10 * time.Second

// take enters a task that was delivered and reports whether it is to be run.
func (s *service) take(t wire.Task) bool {
	what, answer := s.ledger.take(t)
	switch what {
	case toIgnore:
		s.log.Debug("a task that is here already was delivered again", "task_id", t.ID)
	case toRepeat:
		s.log.Info("a task that is done was delivered again; repeating the answer", "task_id", t.ID, "task", t.Type)
		s.work.Go(func() {
			defer s.ledger.done(t.ID)
			s.finish(t.ID, answer, s.log.With("task_id", t.ID), func() {})
		})
	}
	return what == toRun
}

// handBack answers a task that was taken and will not be begun.
func (s *service) handBack(t wire.Task) {
	s.work.Go(func() {
		defer s.ledger.done(t.ID)
		s.interrupted.Add(1)
		if _, hello := t.Work.(wire.HelloTask); hello {
			return // a Hello is all that it can be answered with
		}
		s.finish(t.ID, interruption(errStopping), s.log.With("task_id", t.ID, "task", t.Type), func() {})
	})
}

// start runs a task in the slot that the caller holds.
func (s *service) start(t wire.Task) {
	release := sync.OnceFunc(func() { <-s.slots })
	s.work.Go(func() {
		defer release()
		defer s.ledger.done(t.ID)
		s.run(s.ledger.get(t.ID), release)
	})
}

// run carries a task out and answers it, whatever happens.
func (s *service) run(t *entry, release func()) {
	log := s.log.With("task_id", t.ID, "task", t.Type)
	if t.Debug && s.cfg.RaiseLog != nil {
		defer s.cfg.RaiseLog()()
	}
	began := time.Now()
	log.Info("task begins")
	ctx, cancel := context.WithCancelCause(s.hard)
	defer cancel(nil)
	if _, hello := t.Work.(wire.HelloTask); hello {
		s.helloTask(ctx, t, log)
		return
	}
	stop := s.heartbeats(ctx, cancel, t, log)
	defer stop()
	response, err := s.do(ctx, t, log)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, errStopping) {
		s.interrupted.Add(1)
	}
	answer := answerTo(t, response, err)
	s.metrics.count("baton_tasks_total", 1, "task", t.Type, "code", codeName(answer.Code))
	if s.cfg.Ended != nil {
		s.cfg.Ended(TaskRun{t.ID, t.Type, codeName(answer.Code), answer.Message, began, time.Now()})
	}
	log = log.With("took", time.Since(began).Round(time.Millisecond))
	if err == nil {
		log.Info("task done")
	} else {
		log.Warn("task failed", "code", codeName(answer.Code), "error", err, "fix", baton.FixOf(err), "retryable", !answer.NonRetryable)
	}
	s.ledger.keep(t.ID, answer)
	if over := s.finish(t.ID, answer, log, release); over && t.after != nil {
		t.after()
	}
}

// do carries the work out. A panic is the task's failure and nobody else's.
func (s *service) do(ctx context.Context, t *entry, log *slog.Logger) (response wire.Response, err error) {
	defer recovered(log, &err)
	if ctx.Err() != nil {
		return response, context.Cause(ctx)
	}
	switch work := t.Work.(type) {
	case wire.SyncTask:
		return response, s.syncTask(ctx, t, work, log)
	case wire.GrantTask:
		return s.grant(ctx, work, log)
	case wire.RevokeTask:
		return s.revoke(ctx, work, log)
	case wire.AccountTask:
		return s.createAccount(ctx, work, log)
	case wire.ActionSchemasTask:
		return s.actionSchemas(work)
	case wire.ActionSchemaTask:
		return s.actionSchema(work)
	case wire.ActionTask:
		return s.invoke(ctx, work, log)
	case wire.ActionStatusTask:
		return s.actionStatus(work)
	case wire.EventFeedsTask:
		return wire.EventFeedsResponse(), nil
	case wire.EventsTask:
		return response, baton.Errorf(baton.NotFound, "there is no event feed %q", work.Feed)
	}
	return response, s.cannot(t)
}

// recovered turns a panic into an error. What it says may be anything, so it is for
// the log alone.
func recovered(log *slog.Logger, err *error) {
	if p := recover(); p != nil {
		log.Error("the connector panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = baton.Errorf(baton.Internal, "the connector has a defect: it panicked, and its log says where")
	}
}

// cannot is why a task is not done that no connector of this project does.
func (s *service) cannot(t *entry) error {
	switch {
	case t.Malformed != nil:
		return &unknownError{text: fmt.Sprintf("malformed %s task: %v", t.Type, t.Malformed), nonRetryable: true}
	case foreignChange(t.Type):
		if err := s.mayProvision(); err != nil {
			return err
		}
		return baton.Errorf(baton.Unsupported, "%s has no way to do %s", s.connector.Name, t.Type)
	case strings.Contains(t.Type, "ticket"):
		return &unknownError{text: "ticketing is not enabled"}
	}
	return &unknownError{text: "unsupported task type"}
}

// unknownError is answered with code 2, which C1 knows for it.
type unknownError struct {
	text         string
	nonRetryable bool
}

func (e *unknownError) Error() string { return e.text }

// foreignChange reports whether the type is one of the changes that only other
// connectors make.
func foreignChange(taskType string) bool {
	switch taskType {
	case "create_resource", "delete_resource", "rotate_credentials", "issue_credential":
		return true
	}
	return false
}

// answerTo is what C1 is told. A change that failed is not to be repeated blindly;
// what was interrupted is.
func answerTo(t *entry, response wire.Response, err error) wire.Answer {
	if err == nil {
		return wire.Answer{Response: response}
	}
	a := wire.Answer{Code: wire.Code(baton.KindOf(err)), Message: message(err)}
	var unknown *unknownError
	switch {
	case errors.Is(err, errStopping), errors.Is(err, errCancelled), errors.Is(err, errLease):
		return interruption(err)
	case errors.As(err, &unknown):
		a.Code, a.NonRetryable = 2, unknown.nonRetryable
		return a
	}
	switch t.Work.(type) {
	case wire.GrantTask:
		a.NonRetryable, a.Deliberate = true, baton.KindOf(err) == baton.Refused
	case wire.RevokeTask, wire.AccountTask:
		a.NonRetryable = true
	case wire.ActionTask:
		a.NonRetryable = errors.Is(err, errReadOnly)
	case nil:
		a.NonRetryable = foreignChange(t.Type)
	}
	return a
}

// helloTask answers a hello task with the Hello itself.
func (s *service) helloTask(ctx context.Context, t *entry, log *slog.Logger) {
	for n := 1; ; n++ {
		err := s.hello(ctx, t.ID)
		if err == nil || final(err) || n == 10 {
			s.metrics.count("baton_tasks_total", 1, "task", t.Type, "code", codeName(uint32(code(err))))
			if err != nil {
				log.Warn("hello was not accepted", "error", err)
			}
			return
		}
		if pause.For(ctx, doubling(n, maxBackoff)) != nil {
			s.interrupted.Add(1)
			return
		}
	}
}

func interruption(cause error) wire.Answer {
	return wire.Answer{Code: wire.Code(baton.Canceled), Message: cause.Error()}
}

// maxMessage bounds what C1 is told about an error.
const maxMessage = 4 << 10

func message(err error) string {
	text := err.Error()
	if fix := baton.FixOf(err); fix != "" {
		text = strings.TrimSuffix(text, ".") + ". " + strings.ToUpper(fix[:1]) + fix[1:]
	}
	if len(text) > maxMessage {
		text = text[:maxMessage]
	}
	return strings.ToValidUTF8(text, "?")
}
