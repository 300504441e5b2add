package store

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// EventTopic is woken after every command that appended events.
const EventTopic = "event"

// Event is an event with its position in the chain.
type Event struct {
	console.Link
	console.Event
	Hash    console.Hash
	Payload []byte // the stored bytes, which the hash covers
}

// Append adds an event to those of the command, with its time and actor.
func (t *Tx) Append(e console.Event) {
	e.At, e.Actor, e.OnBehalfOf = t.by.At.UTC().Truncate(time.Microsecond), t.by.Actor, t.by.OnBehalfOf
	e.Client, e.Login, e.Request, e.Address, e.Source = t.by.Client, t.by.Login, t.by.Request, t.by.Address, t.by.Source
	e.Salt = rand.Text()
	t.events = append(t.events, e)
	t.Wake(EventTopic)
}

// event appends an event with data, which is encoded as JSON.
func (t *Tx) event(e console.Event, data any) error {
	if data != nil {
		b, err := json.Marshal(data)
		if err != nil {
			return baton.Errorf(baton.Internal, "encode event %s: %w", e.Kind, err)
		}
		e.Data = b
	}
	t.Append(e)
	return nil
}

// appendEvents writes the events of a command. It runs last before the commit, because all other
// commands wait for the chain's head from here on.
func (t *Tx) appendEvents() error {
	if len(t.events) == 0 {
		return nil
	}
	payloads := make([][]byte, len(t.events))
	for i, e := range t.events {
		b, err := json.Marshal(e)
		if err != nil {
			return baton.Errorf(baton.Internal, "encode event %s: %w", e.Kind, err)
		}
		payloads[i] = b
	}
	head, err := t.lockChain()
	if err != nil {
		return err
	}
	err = t.e.Each(insertEvent, func(w engine.Writer) error {
		for i, e := range t.events {
			link := console.Link{Epoch: head.Epoch, Number: head.Number + 1, Previous: head.Hash}
			head.Number, head.Hash, head.At = link.Number, console.HashEvent(link, payloads[i]), e.At
			writeEvent(w, link, e, payloads[i], head.Hash)
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.setChain(head)
}

const insertEvent = `INSERT INTO event (number, epoch, at, kind, actor, app, connector, person, account, entitlement, object, payload, previous, hash)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

func writeEvent(w engine.Writer, l console.Link, e console.Event, payload []byte, hash console.Hash) {
	w.Int(l.Number)
	w.Int(l.Epoch)
	w.Int(engine.Micros(e.At))
	w.Text(e.Kind)
	w.Text(actorText(e.Actor))
	for _, id := range []string{string(e.App), string(e.Connector), string(e.Person)} {
		textOrNull(w, id)
	}
	if e.Account == 0 {
		w.Null()
		w.Null()
	} else {
		w.Int(int64(e.Account))
		w.Int(int64(e.Entitlement))
	}
	textOrNull(w, e.Object)
	w.Bytes(payload)
	w.Bytes(l.Previous[:])
	w.Bytes(hash[:])
}

func textOrNull(w engine.Writer, s string) {
	if s == "" {
		w.Null()
	} else {
		w.Text(s)
	}
}

func actorText(a console.Actor) string { return string(a.Kind) + ":" + a.ID }

// lockChain locks the chain's head and returns it.
func (t *Tx) lockChain() (console.ChainHead, error) {
	return get(t, scanHead, "chain", "SELECT epoch, number, hash, at FROM chain WHERE id = 1 FOR UPDATE")
}

func (t *Tx) setChain(h console.ChainHead) error {
	return t.change("chain", "UPDATE chain SET epoch = $1, number = $2, hash = $3, at = $4 WHERE id = 1", h.Epoch, h.Number, h.Hash, h.At)
}

// ChainHead returns the position of the last event, to be exported and kept elsewhere.
func (t *Tx) ChainHead() (console.ChainHead, error) {
	return get(t, scanHead, "chain", "SELECT epoch, number, hash, at FROM chain WHERE id = 1")
}

func scanHead(r engine.Row) console.ChainHead {
	return console.ChainHead{Epoch: r.Int(0), Number: r.Int(1), Hash: hashOf(r.Bytes(2)), At: at(r, 3)}
}

func hashOf(b []byte) (h console.Hash) {
	copy(h[:], b)
	return h
}

// BeginEpoch starts a new epoch of the chain, after a restore or in a copy. Its event says why, and
// all later hashes differ from those of the original.
func (t *Tx) BeginEpoch(why string) error {
	head, err := t.lockChain()
	if err != nil {
		return err
	}
	before := head
	head.Epoch++
	if err := t.setChain(head); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "epoch.began"}, map[string]any{"why": why, "previous_epoch": before.Epoch, "previous_number": before.Number, "previous_hash": before.Hash.String()})
}

// EventFilter selects events. Empty fields select all.
type EventFilter struct {
	App         console.ID
	Connector   console.ID
	Person      console.ID    // the person they are about
	Actor       console.Actor // who caused them
	Own         console.ID    // a person who caused them, or whom they are about
	Object      string
	Account     console.ResourceKey // with Entitlement
	Entitlement console.EntitlementKey
	// Whole selects the events of the account with any entitlement, or of the entitlement with any
	// account, depending on which is set.
	Whole bool
}

// where returns the condition of the filter's most selective field. Its arguments begin at $3.
func (f EventFilter) where() (string, []any) {
	switch {
	case f.Whole && f.Account != 0:
		return "account = $3", []any{f.Account}
	case f.Whole:
		return "entitlement > 0 AND entitlement = $3", []any{f.Entitlement}
	case f.Account != 0:
		return "account = $3 AND entitlement = $4", []any{f.Account, f.Entitlement}
	case f.Object != "":
		return "object = $3", []any{f.Object}
	case f.Own != "":
		return "(person = $3 OR actor = $4)", []any{f.Own, actorText(console.ByPerson(f.Own))}
	case f.Person != "":
		return "person = $3", []any{f.Person}
	case f.Actor != (console.Actor{}):
		return "actor = $3", []any{actorText(f.Actor)}
	case f.Connector != "":
		return "connector = $3", []any{f.Connector}
	case f.App != "":
		return "app = $3", []any{f.App}
	}
	return "number > 0", nil
}

// Events returns up to n events after a number, oldest first. Only the most selective field of the
// filter is used.
func (t *Tx) Events(f EventFilter, after int64, n int) ([]Event, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	where, args := f.where()
	return t.queryEvents("SELECT number, epoch, payload, previous, hash FROM event WHERE number > $1 AND "+where+" ORDER BY number LIMIT $2",
		append([]any{after, n}, args...))
}

// EventsBefore returns up to n events before a number, newest first; 0 starts with the newest.
func (t *Tx) EventsBefore(f EventFilter, before int64, n int) ([]Event, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = 1<<63 - 1
	}
	where, args := f.where()
	return t.queryEvents("SELECT number, epoch, payload, previous, hash FROM event WHERE number < $1 AND "+where+" ORDER BY number DESC LIMIT $2",
		append([]any{before, n}, args...))
}

func (t *Tx) queryEvents(sql string, args []any) ([]Event, error) {
	var all []Event
	err := t.e.Query(func(r engine.Row) error {
		e := Event{Link: console.Link{Number: r.Int(0), Epoch: r.Int(1), Previous: hashOf(r.Bytes(3))}, Hash: hashOf(r.Bytes(4)), Payload: slices.Clone(r.Bytes(2))}
		if err := json.Unmarshal(e.Payload, &e.Event); err != nil {
			return baton.Errorf(baton.Corrupt, "event %d: %w", e.Number, err)
		}
		all = append(all, e)
		return nil
	}, sql, args...)
	return all, err
}

// EventAt returns the number of the last event at or before a time; 0 if there is none. The clocks
// of replicas differ, so neighbouring events may not be in the order of their times.
func (t *Tx) EventAt(when time.Time) (int64, error) {
	head, err := t.ChainHead()
	if err != nil {
		return 0, err
	}
	low, high := int64(0), head.Number // invariant: event low is at or before the time, event high+1 is after it
	for low < high {
		middle := low + (high-low+1)/2
		found, err := find(t, func(r engine.Row) time.Time { return at(r, 0) }, "SELECT at FROM event WHERE number = $1", middle)
		if err != nil {
			return 0, err
		}
		if found == nil {
			return 0, baton.Errorf(baton.Corrupt, "event %d is missing", middle)
		}
		if found.After(when) {
			high = middle - 1
		} else {
			low = middle
		}
	}
	return low, nil
}
