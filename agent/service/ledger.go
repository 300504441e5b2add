package service

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"baton/wire"
)

// remembered is how many answers are kept for tasks that C1 delivers again.
const remembered = 1000

// ledger records the running tasks and the answers of the last ones, so that a task that
// is delivered twice runs once.
type ledger struct {
	mu      sync.Mutex
	running map[string]*entry
	answers map[string]wire.Answer
	order   []string // of answers, oldest first
}

// entry is a running task.
type entry struct {
	wire.Task
	progress atomic.Int64 // time of the last progress, in Unix nanoseconds
	after    func()       // called when the answer is accepted; may be nil
	again    bool         // it was delivered again while it ran; guarded by the ledger
}

func (e *entry) touch() { e.progress.Store(time.Now().UnixNano()) }

func newLedger() *ledger {
	return &ledger{running: map[string]*entry{}, answers: map[string]wire.Answer{}}
}

// verdict says how to handle a delivered task.
type verdict int

const (
	toRun    verdict = iota
	toIgnore         // it is running
	toRepeat         // it is done; send the answer again
)

// take adds a task.
func (l *ledger) take(t wire.Task) (verdict, wire.Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.running[t.ID]; e != nil {
		e.again = true
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

// get returns a running task.
func (l *ledger) get(id string) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running[id]
}

// keep stores the answer of a task. An answer that asks for another attempt is not stored,
// because the second delivery is that attempt.
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

// done removes a task, unless its answer was refused and it was delivered again: it reports false,
// once for all deliveries so far, and the answer is to be sent again.
func (l *ledger) done(id string, refused bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.running[id]; refused && e != nil && e.again {
		e.again = false
		return false
	}
	delete(l.running, id)
	return true
}

// known returns the ids of the running tasks.
func (l *ledger) known() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.running))
}

// touch records progress of all tasks: the upstream answered, for any of them.
func (l *ledger) touch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.running {
		e.touch()
	}
}

// stuck returns a task without progress for that long, or "".
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
