package govern

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/webhook"
)

// WebhookView is a webhook with its deliveries.
type WebhookView struct {
	console.Webhook
	Counts    map[console.DeliveryState]int
	Paused    bool // nothing leaves this console until webhooks are resumed
	MayChange bool
}

// Waiting returns the number of deliveries that wait.
func (v WebhookView) Waiting() int { return v.Counts[console.DeliveryWaiting] }

// WebhooksView is the list of webhooks.
type WebhooksView struct {
	Webhooks  []WebhookView
	Paused    bool
	MayChange bool
}

// Webhooks returns all webhooks.
func (c *Console) Webhooks(ctx context.Context, caller Caller) (v WebhooksView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		pauses, err := tx.Pauses()
		if err != nil {
			return err
		}
		v = WebhooksView{Paused: pauses.Webhooks, MayChange: console.ManageWebhooks.Of(me, console.Object{})}
		all, err := tx.Webhooks()
		for _, w := range all {
			if err != nil {
				return err
			}
			var one WebhookView
			one, err = webhookView(tx, me, w)
			v.Webhooks = append(v.Webhooks, one)
		}
		return err
	})
	return v, err
}

func webhookView(tx *store.Tx, me console.Person, w console.Webhook) (v WebhookView, err error) {
	v = WebhookView{Webhook: w, MayChange: console.ManageWebhooks.Of(me, console.Object{})}
	pauses, err := tx.Pauses()
	if err == nil {
		v.Paused = pauses.Webhooks
		v.Counts, err = tx.CountDeliveries(w.ID)
	}
	return v, err
}

// Webhook returns a webhook.
func (c *Console) Webhook(ctx context.Context, caller Caller, id console.ID) (v WebhookView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		w, err := tx.Webhook(id)
		if err == nil {
			v, err = webhookView(tx, me, w)
		}
		return err
	})
	return v, err
}

// Deliveries returns up to n deliveries of a webhook in a state, or in all of them, the newest
// events first, and whether there are more.
func (c *Console) Deliveries(ctx context.Context, caller Caller, id console.ID, state console.DeliveryState, before int64, n int) (all []console.WebhookDelivery, more bool, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		if state != "" && !slices.Contains(console.DeliveryStates(), state) {
			return baton.Errorf(baton.Invalid, "there is no state %q of deliveries", state)
		}
		if _, err := tx.Webhook(id); err != nil {
			return err
		}
		var err error
		if all, err = tx.Deliveries(id, state, before, n+1); err != nil {
			return err
		}
		if more = len(all) > n; more {
			all = all[:n]
		}
		return nil
	})
	return all, more, err
}

// WebhookInput holds the settings of a webhook.
type WebhookInput struct {
	Kind        console.WebhookKind // of a new one
	URL         baton.Secret        // zero keeps the one that is stored
	Description string
	Events      []string // kinds, or noun.* for all of a noun; none for all
}

// MadeWebhook is a webhook with its new secret, which is shown once.
type MadeWebhook struct {
	console.Webhook
	Secret baton.Secret // zero for a chat
	// PreviousUntil is how long the previous secret signs too.
	PreviousUntil time.Time
}

// mayManageWebhooks returns an error if the caller may not change webhooks.
func (c *Console) mayManageWebhooks(caller Caller, me console.Person) error {
	if err := console.ManageWebhooks.Check(me, console.Object{}); err != nil {
		return err
	}
	return c.recentOrClient(caller)
}

// webhookOf checks the settings of a webhook.
func (c *Console) webhookOf(kind console.WebhookKind, in WebhookInput) (w console.Webhook, address baton.Secret, err error) {
	w = console.Webhook{Kind: kind, Description: strings.TrimSpace(in.Description)}
	if w.Description != "" {
		if err := checkName(w.Description); err != nil {
			return w, address, err
		}
	}
	if w.Events, err = console.CheckEventKinds(in.Events); err != nil {
		return w, address, err
	}
	if in.URL.IsZero() {
		return w, address, nil
	}
	text := strings.TrimSpace(in.URL.Reveal())
	if w.Address, err = webhook.CheckURL(kind, text); err != nil {
		return w, address, err
	}
	if u, err := url.Parse(text); err == nil && slices.Contains(c.hosts, u.Host) {
		return w, address, baton.Errorf(baton.Invalid, "the URL of the webhook is this console, so that each event would cause another one").WithFix("Enter the address of another system.")
	}
	return w, baton.NewSecret(text), nil
}

// AddWebhook adds a webhook that gets the events from now on.
func (c *Console) AddWebhook(ctx context.Context, caller Caller, in WebhookInput) (m MadeWebhook, err error) {
	err = c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := c.mayManageWebhooks(caller, me); err != nil {
			return err
		}
		m = MadeWebhook{}
		switch {
		case !slices.Contains(console.WebhookKinds(), in.Kind):
			return baton.Errorf(baton.Invalid, "a webhook is of the kind standard or chat")
		case in.URL.IsZero():
			return baton.Errorf(baton.Invalid, "the URL of the webhook is missing")
		}
		w, address, err := c.webhookOf(in.Kind, in)
		if err != nil {
			return err
		}
		if w.Kind == console.WebhookSigned {
			m.Secret = webhook.NewSecret()
		}
		w.Creator = me.Canonical()
		id, err := tx.AddWebhook(w, address, m.Secret)
		if err == nil {
			m.Webhook, err = tx.Webhook(id)
		}
		return err
	})
	return m, err
}

// ChangeWebhook changes a webhook. version is the one that was read; 0 for any.
func (c *Console) ChangeWebhook(ctx context.Context, caller Caller, id console.ID, version int64, in WebhookInput) error {
	return c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := c.mayManageWebhooks(caller, me); err != nil {
			return err
		}
		before, err := tx.Webhook(id)
		if err != nil {
			return err
		}
		w, address, err := c.webhookOf(before.Kind, in)
		if err != nil {
			return err
		}
		if w.ID, w.Version = id, version; version == 0 {
			w.Version = before.Version
		}
		return tx.ChangeWebhook(w, address)
	})
}

// RotateWebhook gives a webhook another secret. The previous one signs too for a day.
func (c *Console) RotateWebhook(ctx context.Context, caller Caller, id console.ID) (m MadeWebhook, err error) {
	err = c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := c.mayManageWebhooks(caller, me); err != nil {
			return err
		}
		m = MadeWebhook{Secret: webhook.NewSecret()}
		var err error
		if m.PreviousUntil, err = tx.RotateWebhook(id, m.Secret); err == nil {
			m.Webhook, err = tx.Webhook(id)
		}
		return err
	})
	return m, err
}

// manageWebhook runs a command on a webhook.
func (c *Console) manageWebhook(ctx context.Context, caller Caller, fn func(*store.Tx) error) error {
	return c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := console.ManageWebhooks.Check(me, console.Object{}); err != nil {
			return err
		}
		return fn(tx)
	})
}

// PauseWebhook makes the deliveries of a webhook wait, or ends that.
func (c *Console) PauseWebhook(ctx context.Context, caller Caller, id console.ID, pause bool) error {
	return c.manageWebhook(ctx, caller, func(tx *store.Tx) error {
		if pause {
			return tx.PauseWebhook(id)
		}
		return tx.ResumeWebhook(id)
	})
}

// TestWebhook sends an event to one webhook.
func (c *Console) TestWebhook(ctx context.Context, caller Caller, id console.ID) error {
	return c.manageWebhook(ctx, caller, func(tx *store.Tx) error { return tx.TestWebhook(id) })
}

// RemoveWebhook removes a webhook.
func (c *Console) RemoveWebhook(ctx context.Context, caller Caller, id console.ID) error {
	return c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := c.mayManageWebhooks(caller, me); err != nil {
			return err
		}
		return tx.RemoveWebhook(id)
	})
}

// ReplayDelivery sends an event to a webhook again.
func (c *Console) ReplayDelivery(ctx context.Context, caller Caller, id, delivery console.ID) error {
	return c.manageWebhook(ctx, caller, func(tx *store.Tx) error { return tx.ReplayDelivery(id, delivery) })
}

// ReplayWebhook sends the past events since a time to a webhook again; missed leaves out those that
// it took. It returns the number of events that are looked at.
func (c *Console) ReplayWebhook(ctx context.Context, caller Caller, id console.ID, since time.Time, missed bool) (looked int64, err error) {
	err = c.manageWebhook(ctx, caller, func(tx *store.Tx) (err error) {
		switch {
		case since.IsZero():
			return baton.Errorf(baton.Invalid, "the time since which events are sent again is missing")
		case since.After(c.now()):
			return baton.Errorf(baton.Invalid, "the time since which events are sent again is in the future")
		}
		looked, err = tx.ReplayWebhook(id, since, missed)
		return err
	})
	return looked, err
}
