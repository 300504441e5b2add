package engine

import "sync"

// Watchers are the watchers in this process. The zero value is ready to use.
type Watchers struct {
	mu     sync.Mutex
	topics map[string]map[chan struct{}]bool
}

// Wake wakes the watchers of topics.
func (w *Watchers) Wake(topics ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, topic := range topics {
		for c := range w.topics[topic] {
			select {
			case c <- struct{}{}:
			default: // a wake-up is unread already
			}
		}
	}
}

// WakeAll wakes all watchers, for example after wake-ups may have been lost.
func (w *Watchers) WakeAll() {
	w.mu.Lock()
	topics := make([]string, 0, len(w.topics))
	for t := range w.topics {
		topics = append(topics, t)
	}
	w.mu.Unlock()
	w.Wake(topics...)
}

// Watch implements [DB.Watch].
func (w *Watchers) Watch(topic string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.topics == nil {
		w.topics = map[string]map[chan struct{}]bool{}
	}
	if w.topics[topic] == nil {
		w.topics[topic] = map[chan struct{}]bool{}
	}
	w.topics[topic][c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.topics[topic], c)
		if len(w.topics[topic]) == 0 {
			delete(w.topics, topic)
		}
	}
}
