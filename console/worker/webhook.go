package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
	"unicode"

	"baton"
	"baton/console"
	"baton/console/notify"
	"baton/console/store"
	"baton/console/webhook"
)

// webhookReader is the name of the event reader for webhooks.
const webhookReader = "webhook"

const (
	// webhookPause is how long nothing is delivered after the console was found to be paused.
	webhookPause = time.Minute
	// webhookTurn is how long one worker delivers to a webhook, before others may.
	webhookTurn = 30 * time.Second
	// replayAtOnce is the number of past events that are looked at in one transaction.
	replayAtOnce = 500
)

// deliver queues events for the webhooks that subscribe to them.
func (w *Worker) deliver(_ context.Context, t *store.Tx, events []store.Event) error {
	all, err := t.Webhooks()
	if err != nil {
		return err
	}
	for _, e := range events {
		for _, hook := range all {
			if hook.State == console.WebhookStopped || e.Number <= hook.Since || !hook.Wants(e.Event) {
				continue
			}
			if err := t.Deliver(hook.ID, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// replay queues past events for a webhook.
func (w *Worker) replay(ctx context.Context, d store.Due) error {
	for {
		more := false
		err := w.Store.Update(ctx, w.by(), func(t *store.Tx) (err error) {
			if err := t.ExtendDue(d, w.Lease); err != nil {
				return err
			}
			more, err = t.ContinueReplay(d, replayAtOnce)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}

// attempt is one attempt to deliver.
type attempt struct {
	hook     console.Webhook
	delivery console.WebhookDelivery
	url      baton.Secret
	header   http.Header
	body     []byte
}

// webhook delivers what waits for a webhook, one by one. Each attempt is recorded before and after
// it: if the process dies in between, the event is sent again with the same id.
func (w *Worker) webhook(ctx context.Context, d store.Due) error {
	var line *webhook.Line
	var url baton.Secret
	defer func() {
		if line != nil {
			line.Close()
		}
	}()
	for end := time.Now().Add(webhookTurn); ; {
		a, err := w.nextAttempt(ctx, d)
		if err != nil || a == nil {
			return err
		}
		if line == nil || a.url.Reveal() != url.Reveal() {
			if line != nil {
				line.Close()
			}
			if line, err = w.Webhooks.Open(a.url); err != nil {
				return err
			}
			url = a.url
		}
		answer, failed := line.Post(ctx, a.header, a.body)
		if failed != nil && ctx.Err() != nil {
			return ctx.Err() // stopped: the next process sends it
		}
		more, err := w.attempted(context.WithoutCancel(ctx), d, *a, answer, failed, time.Now().After(end))
		if err != nil || !more {
			return err
		}
	}
}

// nextAttempt returns the attempt to make now, and records it. nil if there is none; the row is then
// released or finished.
func (w *Worker) nextAttempt(ctx context.Context, d store.Due) (a *attempt, err error) {
	err = w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		a = nil
		now := w.Now()
		if err := t.ExtendDue(d, w.Lease); err != nil {
			return err
		}
		hook, err := t.Webhook(console.ID(d.Ref))
		if baton.KindOf(err) == baton.NotFound {
			return t.FinishDue(d)
		}
		if err != nil {
			return err
		}
		pauses, err := t.Pauses()
		if err != nil {
			return err
		}
		next, err := t.NextDelivery(hook.ID)
		switch {
		case err != nil:
			return err
		case next == nil || hook.State != console.WebhookOn: // resuming makes the row due again
			return t.FinishDue(d)
		case pauses.Webhooks: // a copy: the original sends
			return t.RetryDue(d, now.Add(webhookPause))
		}
		if when := later(next.Next, hook.Ready); when.After(now) {
			return t.RetryDue(d, when)
		}
		a, err = w.prepare(t, hook, *next)
		if k := baton.KindOf(err); k == baton.NotFound || k == baton.Corrupt || k == baton.Refused { // no secret, or no key for it
			if err := t.StopWebhook(hook.ID, sentence(err), false); err != nil {
				return err
			}
			return t.FinishDue(d)
		}
		if err != nil {
			return err
		}
		a.delivery.Attempts++ // counted before the attempt, in case it kills the process
		a.delivery.Last = now
		return t.ChangeDelivery(a.delivery)
	})
	return a, err
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// sentence returns an error, and its fix, as sentences.
func sentence(err error) string {
	text := []rune(problem(err))
	text[0] = unicode.ToUpper(text[0])
	return string(text)
}

// prepare writes the message of a delivery.
func (w *Worker) prepare(t *store.Tx, hook console.Webhook, d console.WebhookDelivery) (*attempt, error) {
	a := &attempt{hook: hook, delivery: d, header: http.Header{}}
	url, secrets, err := t.WebhookSecrets(hook, w.Now())
	if err != nil {
		return nil, err
	}
	a.url = url
	e, err := t.EventNumber(d.Event)
	if err != nil {
		return nil, err
	}
	if hook.Kind == console.WebhookChat {
		subject, text, path, err := notify.Post(e.Event, t)
		if err != nil {
			return nil, err
		}
		if path == "" {
			path = webhook.Page(e.Event)
		}
		link := ""
		if path != "" {
			link = w.URL.String() + path
		}
		a.body, err = webhook.ChatBody(subject, text, link)
		return a, err
	}
	if a.body, err = webhook.Body(w.URL, e.Number, e.Hash, e.Event); err != nil {
		return nil, err
	}
	return a, webhook.Sign(a.header, webhook.ID(e.Hash), w.Now(), a.body, secrets)
}

// attempted records the result of an attempt, and reports whether the worker may make another one.
// Otherwise, it has released or finished the row.
func (w *Worker) attempted(ctx context.Context, d store.Due, a attempt, answer webhook.Answer, failed error, last bool) (more bool, err error) {
	now := w.Now()
	log := w.Log.With("webhook", a.hook.ID, "event", a.delivery.Event, "attempt", a.delivery.Attempts, "status", answer.Status)
	if answer.OK() {
		log.InfoContext(ctx, "an event was delivered")
	} else {
		log.WarnContext(ctx, "an event was not delivered", "error", failed)
	}
	err = w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		more = false
		// The row is locked first. If the lease was lost, the result still counts, and the other
		// worker continues.
		err := t.ExtendDue(d, w.Lease)
		lost := baton.KindOf(err) == baton.Refused
		if err != nil && !lost {
			return err
		}
		hook, err := t.Webhook(a.hook.ID)
		if baton.KindOf(err) == baton.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		x, err := t.Delivery(a.delivery.ID)
		if err != nil || x.State == console.DeliveryDone {
			return err
		}
		x.Status, x.Answer, x.Detail = answer.Status, answer.Excerpt, ""
		gone := answer.Status == http.StatusGone
		switch {
		case answer.OK():
			x.State, x.Next, x.Ended = console.DeliveryDone, time.Time{}, now
			hook.Delivered, hook.Failing, hook.Failures, hook.Ready = now, time.Time{}, 0, time.Time{}
		default:
			x.Detail = undelivered(answer, failed)
			if x.State == console.DeliveryWaiting {
				next, ok := x.Retry(now, rand.Float64(), answer.After)
				if x.Next = next; !ok || gone {
					x.State, x.Next, x.Ended = console.DeliveryFailed, time.Time{}, now
				}
			}
			if hook.Failures++; hook.Failing.IsZero() {
				hook.Failing = now
			}
			hook.Ready = now.Add(max(hook.Pause(), min(answer.After, maxAfter)))
		}
		if err := t.ChangeDelivery(x); err != nil {
			return err
		}
		if err := t.SetWebhookHealth(hook); err != nil {
			return err
		}
		switch {
		case gone:
			err = t.StopWebhook(hook.ID, "Its receiver answered 410 Gone: it wants no messages any more.", true)
		case hook.Broken(now):
			err = t.StopWebhook(hook.ID, fmt.Sprintf("Nothing was delivered since %s; the last problem: %s", hook.Failing.UTC().Format("2 Jan 2006 15:04 UTC"), x.Detail), false)
		}
		if err != nil || lost {
			return err
		}
		if more = answer.OK() && !last; more {
			return nil
		}
		return t.RetryDue(d, later(now, hook.Ready)) // the next round looks at what waits
	})
	return more, err
}

// maxAfter limits how long a receiver may keep the console from trying the next delivery.
const maxAfter = time.Hour

// undelivered says why an attempt failed.
func undelivered(answer webhook.Answer, failed error) string {
	switch {
	case failed != nil:
		return sentence(failed)
	case answer.Status/100 == 3:
		return fmt.Sprintf("The receiver answered %d, a redirect, which is not followed. Enter the address that it names.", answer.Status)
	}
	return fmt.Sprintf("The receiver answered %d %s.", answer.Status, http.StatusText(answer.Status))
}

// sweepWebhooks removes old deliveries, messages and secrets.
func (w *Worker) sweepWebhooks(ctx context.Context, by console.By) error {
	for _, forget := range []func(*store.Tx) (int, error){
		func(t *store.Tx) (int, error) {
			return t.ExpireDeliveries(by.At.Add(-console.WebhookLife), store.PageSize)
		},
		func(t *store.Tx) (int, error) {
			return t.ForgetDeliveries(by.At.Add(-console.WebhookKept), store.PageSize)
		},
		func(t *store.Tx) (int, error) {
			return t.ForgetHookMessages(by.At.Add(-console.HookMessageKept), store.PageSize)
		},
		func(t *store.Tx) (int, error) { return 0, t.ForgetPreviousSecrets(by.At) },
	} {
		for n := 1; n > 0; {
			err := w.Store.Update(ctx, by, func(t *store.Tx) (err error) {
				n, err = forget(t)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
