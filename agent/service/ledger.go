package service

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"baton/wire"
)

// remembered is how many answers are kept for tasks that C1 hands out again.
const remembered = 1000

// ledger knows which tasks are here and how the last ones ended, so that a task
// that is delivered twice is done once.
type ledger struct {
	mu      sync.Mutex
	running map[string]*entry
	answers map[string]wire.Answer
	order   []string // of answers, oldest first
}

// entry is a task that was taken and not finished yet.
type entry struct {
	wire.Task
	progress atomic.Int64 // when it last got anywhere, in Unix nanoseconds
	after    func()       // what is left to do when the answer is accepted; may be nil
}

func (e *entry) touch() { e.progress.Store(time.Now().UnixNano()) }

func newLedger() *ledger {
	return &ledger{running: map[string]*entry{}, answers: map[string]wire.Answer{}}
}

// verdict is what to do with a task that was delivered.
type verdict int

const (
	toRun    verdict = iota
	toIgnore         // it is here already
	toRepeat         // it was done; only the answer is missing
)

// take enters a task.
func (l *ledger) take(t wire.Task) (verdict, wire.Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running[t.ID] != nil {
		return toIgnore, wire.Answer{}
	}
	e := &entry{Task: t}
	e.touch()
	l.running[t.ID] = e
	if a, ok := l.answers[t.ID]; ok {
		return toRepeat, a
	}
	return toRun, wire.Answer{}
}

// get is a task that was taken.
func (l *ledger) get(id string) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running[id]
}

// keep remembers the answer of a task. One that asks for another try is not kept: a
// second delivery is that try.
func (l *ledger) keep(id string, a wire.Answer) {
	if a.Code != 0 && !a.NonRetryable {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.answers[id]; !ok {
		l.order = append(l.order, id)
	}
	l.answers[id] = a
	if len(l.order) > remembered {
		delete(l.answers, l.order[0])
		l.order = l.order[1:]
	}
}

// done strikes a task out.
func (l *ledger) done(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, id)
}

// known are the ids of the tasks that are here.
func (l *ledger) known() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.running))
}

// touch notes that the upstream answered something, which may be any task's.
func (l *ledger) touch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.running {
		e.touch()
	}
}

// stuck is a task that has not got anywhere for that long, or "".
func (l *ledger) stuck(now time.Time, patience time.Duration) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, e := range l.running {
		if now.Sub(time.Unix(0, e.progress.Load())) > patience {
			return id
		}
	}
	return ""
}
