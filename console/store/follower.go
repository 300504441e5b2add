package store

import "baton/console/store/internal/engine"

// Follow returns up to n events that the named reader of the chain has not read yet, oldest first.
// It records in the same transaction that they are read, so the caller's writes about them happen
// exactly once. Readers of the same name take turns. A new reader starts after the last event.
func (t *Tx) Follow(name string, n int) ([]Event, error) {
	number := func(r engine.Row) int64 { return r.Int(0) }
	at, err := find(t, number, "SELECT number FROM follower WHERE name = $1 FOR UPDATE", name)
	if err != nil {
		return nil, err
	}
	if at == nil {
		return nil, t.BeginFollowing(name)
	}
	events, err := t.Events(EventFilter{}, *at, n)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	return events, t.change("follower", "UPDATE follower SET number = $2 WHERE name = $1", name, events[len(events)-1].Number)
}

// BeginFollowing makes a new reader of the chain start after the last event. It does nothing for a
// known one.
func (t *Tx) BeginFollowing(name string) error {
	head, err := t.ChainHead()
	if err == nil {
		_, err = t.e.Exec("INSERT INTO follower (name, number) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, head.Number)
	}
	return err
}

// Behind reports whether there are events that a reader has not read.
func (t *Tx) Behind(name string) (bool, error) {
	at, err := find(t, func(r engine.Row) int64 { return r.Int(0) }, "SELECT number FROM follower WHERE name = $1", name)
	if err != nil || at == nil {
		return true, err
	}
	head, err := t.ChainHead()
	return head.Number > *at, err
}
