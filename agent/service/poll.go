package service

import (
	"context"
	"errors"
	"time"

	"baton/internal/pause"
	"baton/wire"
)

const (
	maxNextPoll = 5 * time.Minute
	maxBackoff  = time.Minute
	// idlePoll is the wait after an answer that has neither a task nor the time of the
	// next poll.
	idlePoll = time.Second
	// lastPoll is how long a poll in progress may continue when the service stops. It is
	// not cancelled at once, because the answer may contain a task.
	lastPoll = 3 * time.Second
)

// poll takes tasks and starts them until ctx ends or the credential is refused. It waits for a
// slot before it asks for a task, so that the task can start at once.
func (s *service) poll(ctx context.Context) error {
	var (
		queue    []wire.Task
		due      time.Time
		failures int
	)
	defer func() {
		for _, t := range queue {
			s.handBack(t)
		}
	}()
	for {
		if !s.slot(ctx) {
			return nil
		}
		if len(queue) == 0 {
			if s.pause(ctx, time.Until(due)) != nil {
				return nil
			}
			tasks, next, err := s.ask(ctx)
			switch {
			case errors.Is(err, errRefused):
				return err
			case err != nil && ctx.Err() == nil:
				failures++
				next = jittered(min(time.Duration(failures*failures)*time.Second, maxBackoff))
				s.log.Warn("the request for tasks failed", "error", err, "again_in", next)
			case err == nil:
				failures = 0
			}
			queue, due = tasks, time.Now().Add(next)
		}
		if len(queue) == 0 || ctx.Err() != nil {
			<-s.slots
			continue
		}
		s.start(queue[0])
		queue = queue[1:]
	}
}

// slot waits until a task may start. It reports false if ctx ends first.
func (s *service) slot(ctx context.Context) bool {
	s.watch.rest() // the tasks that hold the slots are watched themselves
	select {
	case s.slots <- struct{}{}:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// ask requests tasks once. It returns those that are new, and the wait before the next
// request.
func (s *service) ask(ctx context.Context) ([]wire.Task, time.Duration, error) {
	call, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if pause.For(call, lastPoll) == nil {
			cancel()
		}
	})()
	s.watch.back(pollTimeout)
	p, err := s.request(call)
	s.contact(err)
	s.metrics.count("baton_polls_total", 1, "result", outcome(err))
	if err != nil {
		return nil, 0, err
	}
	next := min(max(p.Next, 0), maxNextPoll)
	var fresh []wire.Task
	for _, t := range p.Tasks {
		if s.take(t) {
			fresh = append(fresh, t)
		}
	}
	if len(fresh) == 0 && next == 0 {
		next = idlePoll
	}
	return fresh, next, nil
}

// request returns the request for tasks: GetTask, or GetTasks for twice the number of slots.
func (s *service) request(ctx context.Context) (wire.Poll, error) {
	if !s.cfg.BatchTasks {
		b, err := wire.MarshalGetTask(s.host.ID)
		if err != nil {
			return wire.Poll{}, err
		}
		if b, err = s.link.call(ctx, "GetTask", b); err != nil {
			return wire.Poll{}, err
		}
		return wire.UnmarshalGetTask(b)
	}
	known := s.ledger.known()
	size := min(2*s.cfg.TaskConcurrency-len(known), 100)
	b, err := wire.MarshalGetTasks(s.host.ID, max(size, 1), known)
	if err != nil {
		return wire.Poll{}, err
	}
	if b, err = s.link.call(ctx, "GetTasks", b); err != nil {
		return wire.Poll{}, err
	}
	return wire.UnmarshalGetTasks(b)
}

func outcome(err error) string {
	if err != nil {
		return "failed"
	}
	return "ok"
}
