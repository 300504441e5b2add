package store

import "baton/console/store/internal/engine"

// Follow returns up to n events that a reader of the chain has not read yet, oldest first,
// and records in the same transaction that it has read them: whatever the caller writes
// about them is written exactly once. Readers of the same name take turns. A new one begins
// after the last event that there is.
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

// BeginFollowing lets a reader of the chain begin after the last event that there is, if it
// is new.
func (t *Tx) BeginFollowing(name string) error {
	head, err := t.ChainHead()
	if err == nil {
		_, err = t.e.Exec("INSERT INTO follower (name, number) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, head.Number)
	}
	return err
}

// Behind reports whether there are events that a reader of the chain has not read.
func (t *Tx) Behind(name string) (bool, error) {
	at, err := find(t, func(r engine.Row) int64 { return r.Int(0) }, "SELECT number FROM follower WHERE name = $1", name)
	if err != nil || at == nil {
		return true, err
	}
	head, err := t.ChainHead()
	return head.Number > *at, err
}
