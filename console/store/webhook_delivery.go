package store

import (
	"bytes"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

func scanDelivery(r engine.Row) console.WebhookDelivery {
	return console.WebhookDelivery{ID: console.ID(r.Text(0)), Webhook: console.ID(r.Text(1)), Event: r.Int(2), Kind: r.Text(3), State: console.DeliveryState(r.Text(4)),
		Created: at(r, 5), Next: at(r, 6), Ended: at(r, 7), Attempts: int(r.Int(8)), Last: at(r, 9), Status: int(r.Int(10)), Answer: str(r, 11), Detail: str(r, 12)}
}

// Deliver queues an event for a webhook. It does nothing if it was queued before.
func (t *Tx) Deliver(webhook console.ID, e Event) error {
	_, err := t.e.Exec(`INSERT INTO webhook_delivery (id, webhook, event, kind, state, created, next, attempts, status, answer, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $6, 0, 0, $7, $7) ON CONFLICT (webhook, event) DO NOTHING`,
		console.NewID(t.by.At), webhook, e.Number, e.Kind, console.DeliveryWaiting, t.by.At, []byte{})
	if err != nil {
		return err
	}
	return t.DueBy(console.DueWebhook, string(webhook), t.by.At)
}

// replay queues an event for a webhook, also if it was queued or delivered before.
func (t *Tx) replay(webhook console.ID, e Event, missed bool) error {
	again := ""
	if missed {
		again = " AND webhook_delivery.state <> '" + string(console.DeliveryDone) + "'"
	}
	_, err := t.e.Exec(`INSERT INTO webhook_delivery (id, webhook, event, kind, state, created, next, attempts, status, answer, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $6, 0, 0, $7, $7)
		ON CONFLICT (webhook, event) DO UPDATE SET state = excluded.state, created = excluded.created, next = excluded.next, ended = NULL, attempts = 0
		WHERE webhook_delivery.next IS NULL`+again,
		console.NewID(t.by.At), webhook, e.Number, e.Kind, console.DeliveryWaiting, t.by.At, []byte{})
	return err
}

// Delivery returns a delivery.
func (t *Tx) Delivery(id console.ID) (console.WebhookDelivery, error) {
	return get(t, scanDelivery, "delivery", deliveryColumns+"WHERE id = $1", id)
}

// NextDelivery returns the delivery of a webhook that is tried next; nil if none waits.
func (t *Tx) NextDelivery(webhook console.ID) (*console.WebhookDelivery, error) {
	return find(t, scanDelivery, deliveryColumns+"WHERE webhook = $1 AND next IS NOT NULL ORDER BY next, event LIMIT 1", webhook)
}

// ChangeDelivery records an attempt, before or after it.
func (t *Tx) ChangeDelivery(d console.WebhookDelivery) error {
	return t.change("delivery", `UPDATE webhook_delivery SET state = $2, next = $3, ended = $4, attempts = $5, last = $6, status = $7, answer = $8, detail = $9 WHERE id = $1`,
		d.ID, d.State, d.Next, d.Ended, d.Attempts, d.Last, d.Status, []byte(d.Answer), []byte(d.Detail))
}

// Deliveries returns up to n deliveries of a webhook in a state, or in all states, the newest events
// first. before is the event of the last row of the previous page; 0 for the first page.
func (t *Tx) Deliveries(webhook console.ID, state console.DeliveryState, before int64, n int) ([]console.WebhookDelivery, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = 1<<63 - 1
	}
	where, args := "", []any{webhook, before, n}
	if state != "" {
		where, args = " AND state = $4", append(args, state)
	}
	return list(t, scanDelivery, deliveryColumns+"WHERE webhook = $1 AND event < $2"+where+" ORDER BY event DESC LIMIT $3", args...)
}

// CountDeliveries returns the number of deliveries of a webhook in each state.
func (t *Tx) CountDeliveries(webhook console.ID) (map[console.DeliveryState]int, error) {
	counts := map[console.DeliveryState]int{}
	err := t.e.Query(func(r engine.Row) error {
		counts[console.DeliveryState(r.Text(0))] = int(r.Int(1))
		return nil
	}, "SELECT state, count(*) FROM webhook_delivery WHERE webhook = $1 GROUP BY state", webhook)
	return counts, err
}

// ReplayDelivery queues a delivery that has ended again.
func (t *Tx) ReplayDelivery(webhook, id console.ID) error {
	if err := t.mayReplay(webhook); err != nil {
		return err
	}
	d, err := t.Delivery(id)
	if err == nil && d.Webhook != webhook {
		err = baton.Errorf(baton.NotFound, "no delivery")
	}
	if err != nil {
		return err
	}
	if d.State == console.DeliveryWaiting {
		return baton.Errorf(baton.Refused, "the delivery still waits").WithFix("It is tried at its next time.")
	}
	if err := t.replay(webhook, Event{Link: console.Link{Number: d.Event}, Event: console.Event{Kind: d.Kind}}, false); err != nil {
		return err
	}
	if err := t.DueBy(console.DueWebhook, string(webhook), t.by.At); err != nil {
		return err
	}
	return t.webhookEvent(webhook, "webhook.replayed", map[string]any{"event": d.Event})
}

// mayReplay returns an error if nothing can be delivered to a webhook.
func (t *Tx) mayReplay(webhook console.ID) error {
	w, err := t.Webhook(webhook)
	if err == nil && w.State == console.WebhookStopped {
		err = baton.Errorf(baton.Refused, "the webhook is stopped").WithFix("Resume it first.")
	}
	return err
}

// Replay is the payload of the due row of a replay: which events are to be queued.
type Replay struct {
	After  int64 `json:"after"` // number of the last event that was looked at
	Until  int64 `json:"until"` // number of the last event to look at
	Missed bool  `json:"missed"`
}

// ReplayWebhook queues the past events since a time that a webhook subscribes to; missed leaves out
// those that were delivered. It returns the number of events that are looked at.
func (t *Tx) ReplayWebhook(webhook console.ID, since time.Time, missed bool) (int64, error) {
	if err := t.mayReplay(webhook); err != nil {
		return 0, err
	}
	after, err := t.EventAt(since.Add(-time.Microsecond))
	if err != nil {
		return 0, err
	}
	head, err := t.ChainHead()
	if err != nil {
		return 0, err
	}
	if err := t.SetDue(console.DueReplay, string(webhook), t.by.At, encode(Replay{After: after, Until: head.Number, Missed: missed})); err != nil {
		return 0, err
	}
	return head.Number - after, t.webhookEvent(webhook, "webhook.replayed", map[string]any{"since": since.UTC(), "missed": missed, "looked_at": head.Number - after})
}

// ContinueReplay looks at up to n further events of a replay, and reports whether there are more. It
// finishes d after the last.
func (t *Tx) ContinueReplay(d Due, n int) (more bool, err error) {
	var r Replay
	payload, err := get(t, func(r engine.Row) []byte { return bytes.Clone(r.Bytes(0)) }, "replay", "SELECT payload FROM due WHERE id = $1", d.ID)
	if err != nil {
		return false, err
	}
	decode(payload, &r)
	w, err := t.Webhook(console.ID(d.Ref))
	if baton.KindOf(err) == baton.NotFound || err == nil && w.State == console.WebhookStopped {
		return false, t.FinishDue(d)
	}
	if err != nil {
		return false, err
	}
	events, err := t.Events(EventFilter{}, r.After, n)
	if err != nil {
		return false, err
	}
	more = len(events) == n
	for _, e := range events {
		if e.Number > r.Until {
			more = false
			break
		}
		if r.After = e.Number; !w.Wants(e.Event) {
			continue
		}
		if err := t.replay(w.ID, e, r.Missed); err != nil {
			return false, err
		}
	}
	if err := t.DueBy(console.DueWebhook, string(w.ID), t.by.At); err != nil {
		return false, err
	}
	if !more || r.After >= r.Until {
		return false, t.FinishDue(d)
	}
	return true, t.heldDue(d, "UPDATE due SET payload = $3 WHERE id = $1 AND lease = $2", d.ID, d.Lease, encode(r))
}

// EventNumber returns the event with a number. NotFound if there is none.
func (t *Tx) EventNumber(number int64) (Event, error) {
	events, err := t.Events(EventFilter{}, number-1, 1)
	if err == nil && (len(events) == 0 || events[0].Number != number) {
		err = baton.Errorf(baton.NotFound, "no event %d", number)
	}
	if err != nil {
		return Event{}, err
	}
	return events[0], nil
}

// ExpireDeliveries gives up to n deliveries up that were queued before a time and still wait, and
// returns how many there were.
func (t *Tx) ExpireDeliveries(before time.Time, n int) (int, error) {
	expired, err := list(t, scanDelivery, deliveryColumns+"WHERE next IS NOT NULL AND created < $1 ORDER BY webhook, next, event LIMIT $2", before, n)
	for _, d := range expired {
		if err == nil {
			d.State, d.Next, d.Ended, d.Detail = console.DeliveryFailed, time.Time{}, t.by.At, "It waited for too long."
			err = t.ChangeDelivery(d)
		}
	}
	return len(expired), err
}

// ForgetDeliveries removes up to n deliveries that ended before a time, and returns how many there
// were.
func (t *Tx) ForgetDeliveries(before time.Time, n int) (int, error) {
	removed, err := t.e.Exec("DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery WHERE ended < $1 ORDER BY ended LIMIT $2)", before, n)
	return int(removed), err
}
