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

// Causes of the end of the context of a task.
var (
	errStopping  = errors.New("the connector is shutting down; the progress is kept, and the task can be handed out again")
	errCancelled = errors.New("the task was cancelled")
	errLease     = errors.New("the lease of the task is lost: ConductorOne does not know it any more, or could not be reached for too long")
)

// longTask is how long a task runs before heartbeats begin. Those of a sync begin at once.
const longTask = 10 * time.Second

// take records a delivered task and reports whether to run it.
func (s *service) take(t wire.Task) bool {
	next, answer := s.ledger.take(t)
	switch next {
	case toIgnore:
		s.log.Debug("a running task was delivered again", "task_id", t.ID)
	case toRepeat:
		s.log.Info("a finished task was delivered again; sending the answer again", "task_id", t.ID, "task", t.Type)
		s.work.Go(func() { s.answer(t.ID, answer, s.log.With("task_id", t.ID), func() {}, nil) })
	}
	return next == toRun
}

// handBack answers a task that was taken and cannot be started.
func (s *service) handBack(t wire.Task) {
	s.work.Go(func() {
		s.interrupted.Add(1)
		if _, hello := t.Work.(wire.HelloTask); hello {
			s.ledger.done(t.ID, false) // only a Hello answers it
			return
		}
		s.answer(t.ID, interruption(errStopping), s.log.With("task_id", t.ID, "task", t.Type), func() {}, nil)
	})
}

// start runs a task in the slot that the caller holds.
func (s *service) start(t wire.Task) {
	release := sync.OnceFunc(func() { <-s.slots })
	s.work.Go(func() {
		defer release()
		s.run(s.ledger.get(t.ID), release)
	})
}

// run carries out a task and sends its answer in every case.
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
		s.ledger.done(t.ID, false)
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
	s.answer(t.ID, answer, log, release, t.after)
}

// do carries out a task. A panic becomes the error of the task.
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

// recovered turns a panic into an error. The value of the panic may be anything, so it is
// logged and not sent.
func recovered(log *slog.Logger, err *error) {
	if p := recover(); p != nil {
		log.Error("the connector panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = baton.Errorf(baton.Internal, "the connector has a defect: it panicked; its log has the stack")
	}
}

// cannot returns the error for a task that no connector of this project supports.
func (s *service) cannot(t *entry) error {
	switch {
	case t.Malformed != nil:
		return &unknownError{text: fmt.Sprintf("malformed %s task: %v", t.Type, t.Malformed), nonRetryable: true}
	case foreignChange(t.Type):
		if err := s.mayProvision(); err != nil {
			return err
		}
		return baton.Errorf(baton.Unsupported, "%s does not support tasks of type %s", s.connector.Name, t.Type)
	case strings.Contains(t.Type, "ticket"):
		return &unknownError{text: "ticketing is not enabled"}
	}
	return &unknownError{text: "unsupported task type"}
}

// unknownError is an error with code 2, which C1 expects in this case.
type unknownError struct {
	text         string
	nonRetryable bool
}

func (e *unknownError) Error() string { return e.text }

// foreignChange reports whether the type is a change that only other connectors support.
func foreignChange(taskType string) bool {
	switch taskType {
	case "create_resource", "delete_resource", "rotate_credentials", "issue_credential":
		return true
	}
	return false
}

// answerTo returns the answer for the result of a task. A change that failed must not be
// repeated automatically; an interrupted task may.
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

// maxMessage bounds the length of an error message for C1.
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
