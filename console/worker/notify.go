package worker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/notify"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// notifyReader is the name of the event reader for notices.
const notifyReader = "notify"

// eventsAtOnce is the number of events that are read in one transaction.
const eventsAtOnce = 100

// gather is how long events are collected after the first one. With many commands, a transaction for
// each would take as long as the command.
const gather = 100 * time.Millisecond

// reader is a reader of events. read handles events in the transaction that marks them as read.
type reader struct {
	name string
	read func(ctx context.Context, t *store.Tx, events []store.Event) error
}

func (w *Worker) readers() []reader {
	return []reader{{notifyReader, w.tell}, {webhookReader, w.deliver}, {findingsReader, w.noticeCauses}, {automationReader, w.fire}}
}

// follow reads events until claiming ends.
func (w *Worker) follow(claiming, working context.Context, r reader, found <-chan struct{}) {
	woken, done := w.Store.Watch(store.EventTopic)
	defer done()
	for {
		for claiming.Err() == nil {
			more, err := w.readEvents(working, r)
			if err != nil && claiming.Err() == nil {
				w.Log.ErrorContext(claiming, "events could not be read; trying again", "reader", r.name, "error", err)
			}
			if !more || err != nil {
				break
			}
		}
		select {
		case <-claiming.Done():
			return
		case <-woken:
			select {
			case <-claiming.Done():
				return
			case <-time.After(gather):
			}
		case <-found:
		}
	}
}

// readEvents handles the next events, and reports whether there may be more.
func (w *Worker) readEvents(ctx context.Context, r reader) (more bool, err error) {
	behind := false
	err = w.Store.View(ctx, func(t *store.Tx) (err error) {
		behind, err = t.Behind(r.name)
		return err
	})
	if err != nil || !behind {
		return false, err
	}
	err = w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		events, err := t.Follow(r.name, eventsAtOnce)
		more = len(events) == eventsAtOnce
		if err != nil || len(events) == 0 {
			return err
		}
		return r.read(ctx, t, events)
	})
	return more, err
}

// tell creates the notices for events.
func (w *Worker) tell(ctx context.Context, t *store.Tx, events []store.Event) error {
	settings, err := t.MailSettings()
	if err != nil || !settings.Configured() { // nobody needs notices of events before mail was configured
		return err
	}
	for _, e := range events {
		if err := w.tellOne(ctx, t, e); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) tellOne(ctx context.Context, t *store.Tx, e store.Event) error {
	notices, err := notify.Notices(e.Number, e.Event, t)
	if k := baton.KindOf(err); err != nil && (k == baton.Corrupt || k == baton.Internal) {
		w.Log.ErrorContext(ctx, "nobody is told of an event", "event", e.Number, "kind", e.Kind, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, n := range notices {
		choice, err := t.MailChoice(n.Person)
		if err != nil {
			return err
		}
		ready, ok := choice.Ready(n)
		if !ok {
			continue
		}
		if err := t.AddNotice(n); err != nil {
			return err
		}
		last, err := t.LastMail(n.Person)
		if err != nil {
			return err
		}
		if next := last.Add(console.MailGap); !last.IsZero() && next.After(ready) {
			ready = next
		}
		if err := t.EarlierDue(console.DueMail, string(n.Person), ready); err != nil {
			return err
		}
	}
	return nil
}

// How often the states of connectors are checked, and the gap after which the console counts as
// having been away.
const (
	statesEvery = 30 * time.Second
	statesAway  = 5 * time.Minute
)

// watching records since when the states of connectors are checked without a gap.
type watching struct {
	Since time.Time `json:"since"`
	Last  time.Time `json:"last"`
}

// states checks whether connectors have problems, or no longer have them, and records states that
// people must be notified of. Once an hour it checks for credentials that expire soon.
func (w *Worker) states(ctx context.Context, d store.Due) error {
	now := w.Now()
	var watched watching
	json.Unmarshal(d.Payload, &watched) // empty at first
	if watched.Last.IsZero() || now.Sub(watched.Last) > statesAway {
		watched.Since = now
	}
	credentials := now.Truncate(time.Hour).After(watched.Last)
	watched.Last = now
	type news struct {
		connector console.ID
		state     console.ConnectionState
		sentence  string
	}
	look := func(t *store.Tx, c console.Connector) (n news, ok bool, err error) {
		connection, err := rpcstore.ConnectionOf(t, c, now)
		if err != nil {
			return n, false, err
		}
		told, err := t.ToldState(c.ID)
		if err != nil {
			return n, false, err
		}
		n.connector = c.ID
		n.state, n.sentence, ok = connection.News(told, watched.Since, now)
		return n, ok, nil
	}
	var changed []console.ID
	err := w.Store.View(ctx, func(t *store.Tx) error {
		changed = nil
		connectors, err := t.Connectors("")
		for _, c := range connectors {
			if err != nil {
				return err
			}
			var ok bool
			if _, ok, err = look(t, c); ok {
				changed = append(changed, c.ID)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	payload, err := json.Marshal(watched)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode: %w", err)
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		if err := t.ExtendDue(d, w.Lease); err != nil {
			return err
		}
		for _, id := range changed {
			c, err := t.Connector(id)
			if err != nil {
				return err
			}
			n, ok, err := look(t, c)
			if err == nil && ok {
				err = t.TellState(n.connector, n.state, n.sentence)
			}
			if err != nil {
				return err
			}
		}
		if credentials {
			if err := errors.Join(w.endingCredentials(t), w.endingClients(t)); err != nil {
				return err
			}
		}
		return t.SetDue(console.DueStates, "console", now.Add(statesEvery), payload) // this ends the claim
	})
}

// credentialWarning is how long before the expiry of credentials people are notified.
const credentialWarning = 14 * 24 * time.Hour

// credentialEnding is the kind of the event for that.
const credentialEnding = "credential.ending"

// endingCredentials appends an event for each connector's credential that ends soon, once,
// unless the connector has one that works for longer.
func (w *Worker) endingCredentials(t *store.Tx) error {
	connectors, err := t.Connectors("")
	if err != nil {
		return err
	}
	now := w.Now()
	soon := now.Add(credentialWarning)
	for _, c := range connectors {
		all, err := rpcstore.Credentials(t, string(c.ID))
		if err != nil {
			return err
		}
		var ending *rpc.Credential // the last one that works
		for _, cr := range all {
			if cr.Good(now) && (ending == nil || !ending.Expires.IsZero() && (cr.Expires.IsZero() || cr.Expires.After(ending.Expires))) {
				ending = &cr
			}
		}
		if ending == nil || ending.Expires.IsZero() || ending.Expires.After(soon) {
			continue
		}
		err = appendOnce(t, console.Event{Kind: credentialEnding, App: c.App, Connector: c.ID, Object: ending.ClientID},
			map[string]any{"client_id": ending.ClientID, "expires": ending.Expires.UTC()})
		if err != nil {
			return err
		}
	}
	return nil
}

// clientEnding is the kind of the event for a client that ends soon.
const clientEnding = "client.ending"

// endingClients appends an event, once, for each client that ends within the warning, or
// within the last quarter of its life if that is shorter.
func (w *Worker) endingClients(t *store.Tx) error {
	now := w.Now()
	ending, err := t.EndingClients(now, now.Add(credentialWarning))
	if err != nil {
		return err
	}
	for _, c := range ending {
		if c.Expires.Sub(now) > c.Expires.Sub(c.Created)/4 {
			continue
		}
		err := appendOnce(t, console.Event{Kind: clientEnding, Person: c.Person, Object: string(c.ID)},
			map[string]any{"name": c.Name, "client_id": c.ClientID, "expires": c.Expires.UTC(), "service": c.Service, "creator": c.Creator})
		if err != nil {
			return err
		}
	}
	return nil
}

// appendOnce appends an event unless its object has one of its kind.
func appendOnce(t *store.Tx, e console.Event, data map[string]any) error {
	told, err := t.Events(store.EventFilter{Object: e.Object}, 0, store.PageSize)
	if err != nil || slices.ContainsFunc(told, func(o store.Event) bool { return o.Kind == e.Kind }) {
		return err
	}
	if e.Data, err = json.Marshal(data); err != nil {
		return baton.Errorf(baton.Internal, "encode event %s: %w", e.Kind, err)
	}
	t.Append(e)
	return nil
}
