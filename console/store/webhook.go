package store

import (
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// webhookOwner is the owner of the sealed URL and secrets of a webhook.
func webhookOwner(id console.ID) string { return "webhook/" + string(id) }

const (
	webhookURL      = "url"
	currentSecret   = "secret"
	previousSecret  = "previous"
	webhookColumns  = "SELECT id, kind, address, description, events, state, changed, why, since, created, creator, version, previous_until, delivered, failing, failures, ready FROM webhook "
	deliveryColumns = "SELECT id, webhook, event, kind, state, created, next, ended, attempts, last, status, answer, detail FROM webhook_delivery "
)

func scanWebhook(r engine.Row) console.Webhook {
	w := console.Webhook{ID: console.ID(r.Text(0)), Kind: console.WebhookKind(r.Text(1)), Address: str(r, 2), Description: str(r, 3), State: console.WebhookState(r.Text(5)),
		Changed: at(r, 6), Why: str(r, 7), Since: r.Int(8), Created: at(r, 9), Version: r.Int(11), PreviousUntil: at(r, 12), Delivered: at(r, 13), Failing: at(r, 14),
		Failures: int(r.Int(15)), Ready: at(r, 16)}
	w.Events = strings.Fields(r.Text(4))
	if !r.Null(10) {
		w.Creator = console.ID(r.Text(10))
	}
	return w
}

// AddWebhook adds a webhook that gets the events from now on. It sets an empty ID. The zero secret
// is for webhooks that are not signed.
func (t *Tx) AddWebhook(w console.Webhook, url, secret baton.Secret) (console.ID, error) {
	if w.ID == "" {
		w.ID = console.NewID(t.by.At)
	}
	have, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "webhooks", "SELECT count(*) FROM webhook")
	if err != nil {
		return "", err
	}
	if have >= console.MaxWebhooks {
		return "", baton.Errorf(baton.Refused, "there are %d webhooks already", have).WithFix("Remove one that is not used.")
	}
	head, err := t.ChainHead()
	if err != nil {
		return "", err
	}
	err = t.insert("webhook", `INSERT INTO webhook (id, kind, address, description, events, state, changed, why, since, created, creator, version, failures)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $7, $10, 1, 0)`,
		w.ID, w.Kind, []byte(w.Address), []byte(w.Description), strings.Join(w.Events, " "), console.WebhookOn, t.by.At, []byte{}, head.Number, null(w.Creator))
	if err == nil {
		err = t.writeSecret(webhookOwner(w.ID), webhookURL, []byte(url.Reveal()))
	}
	if err == nil && !secret.IsZero() {
		err = t.writeSecret(webhookOwner(w.ID), currentSecret, []byte(secret.Reveal()))
	}
	if err != nil {
		return "", err
	}
	return w.ID, t.webhookEvent(w.ID, "webhook.added", webhookData(w))
}

// webhookData returns the parts of a webhook that events record.
func webhookData(w console.Webhook) map[string]any {
	return map[string]any{"kind": w.Kind, "address": w.Address, "description": w.Description, "events": append([]string{}, w.Events...)}
}

func (t *Tx) webhookEvent(id console.ID, kind string, data any) error {
	return t.event(console.Event{Kind: kind, Object: string(id)}, data)
}

// Webhook returns a webhook.
func (t *Tx) Webhook(id console.ID) (console.Webhook, error) {
	return get(t, scanWebhook, "webhook", webhookColumns+"WHERE id = $1", id)
}

// lockWebhook returns a webhook, and locks it until the transaction ends.
func (t *Tx) lockWebhook(id console.ID) (console.Webhook, error) {
	return get(t, scanWebhook, "webhook", webhookColumns+"WHERE id = $1 FOR UPDATE", id)
}

// Webhooks returns all webhooks, the oldest first.
func (t *Tx) Webhooks() ([]console.Webhook, error) {
	return list(t, scanWebhook, webhookColumns+"ORDER BY id")
}

// ChangeWebhook changes the description, the address and the events of a webhook. A zero URL keeps
// the one that is stored.
func (t *Tx) ChangeWebhook(w console.Webhook, url baton.Secret) error {
	before, err := t.lockWebhook(w.ID)
	if err != nil {
		return err
	}
	if err := checkVersion("the webhook", before.Version, w.Version); err != nil {
		return err
	}
	if url.IsZero() {
		w.Address = before.Address
	} else if err := t.writeSecret(webhookOwner(w.ID), webhookURL, []byte(url.Reveal())); err != nil {
		return err
	}
	err = t.change("webhook", "UPDATE webhook SET address = $2, description = $3, events = $4, version = version + 1 WHERE id = $1",
		w.ID, []byte(w.Address), []byte(w.Description), strings.Join(w.Events, " "))
	if err != nil {
		return err
	}
	w.Kind = before.Kind
	return t.webhookEvent(w.ID, "webhook.changed", map[string]any{"before": webhookData(before), "after": webhookData(w), "url_changed": !url.IsZero()})
}

// PauseWebhook makes deliveries wait. It does nothing if the webhook is paused.
func (t *Tx) PauseWebhook(id console.ID) error {
	w, err := t.lockWebhook(id)
	switch {
	case err != nil || w.State == console.WebhookPaused:
		return err
	case w.State == console.WebhookStopped:
		return baton.Errorf(baton.Refused, "the webhook is stopped").WithFix("Nothing is delivered to it until somebody resumes it.")
	}
	if err := t.setWebhookState(id, console.WebhookPaused, ""); err != nil {
		return err
	}
	return t.webhookEvent(id, "webhook.paused", nil)
}

// ResumeWebhook ends a pause, or what stopped the webhook. Deliveries that wait are tried at once.
func (t *Tx) ResumeWebhook(id console.ID) error {
	w, err := t.lockWebhook(id)
	if err != nil || w.State == console.WebhookOn {
		return err
	}
	if err := t.setWebhookState(id, console.WebhookOn, ""); err != nil {
		return err
	}
	if err := t.change("webhook", "UPDATE webhook SET failing = NULL, failures = 0, ready = NULL WHERE id = $1", id); err != nil {
		return err
	}
	if err := t.DueBy(console.DueWebhook, string(id), t.by.At); err != nil {
		return err
	}
	return t.webhookEvent(id, "webhook.resumed", map[string]any{"from": w.State})
}

// StopWebhook gives up what waits, until a person resumes the webhook. gone means that the receiver
// asked for it.
func (t *Tx) StopWebhook(id console.ID, why string, gone bool) error {
	w, err := t.lockWebhook(id)
	if err != nil || w.State == console.WebhookStopped {
		return err
	}
	if err := t.setWebhookState(id, console.WebhookStopped, why); err != nil {
		return err
	}
	n, err := t.e.Exec("UPDATE webhook_delivery SET state = $2, next = NULL, ended = $3, detail = $4 WHERE webhook = $1 AND next IS NOT NULL",
		id, console.DeliveryFailed, t.by.At, []byte("The webhook was stopped."))
	if err != nil {
		return err
	}
	return t.webhookEvent(id, "webhook.stopped", map[string]any{"why": why, "gone": gone, "address": w.Address, "description": w.Description, "given_up": n})
}

func (t *Tx) setWebhookState(id console.ID, state console.WebhookState, why string) error {
	return t.change("webhook", "UPDATE webhook SET state = $2, changed = $3, why = $4, version = version + 1 WHERE id = $1", id, state, t.by.At, []byte(why))
}

// RotateWebhook sets another secret. The previous one signs too for a while.
func (t *Tx) RotateWebhook(id console.ID, secret baton.Secret) (until time.Time, err error) {
	w, err := t.lockWebhook(id)
	if err != nil {
		return until, err
	}
	if w.Kind != console.WebhookSigned {
		return until, baton.Errorf(baton.Refused, "a chat checks no signatures, so the webhook has no secret").WithFix("Its URL is the secret: make another one in the chat, and enter it here.")
	}
	if until, err = t.rotate(webhookOwner(id), "webhook", id, secret); err != nil {
		return until, err
	}
	return until, t.webhookEvent(id, "webhook.rotated", map[string]any{"previous_until": until.UTC()})
}

// rotate replaces the secret of a webhook or a hook, and keeps the previous one for a while.
func (t *Tx) rotate(owner, table string, id console.ID, secret baton.Secret) (until time.Time, err error) {
	until = t.by.At.Add(console.WebhookOverlap)
	current, err := t.Secret(owner, currentSecret)
	switch {
	case baton.KindOf(err) == baton.NotFound: // its key was lost in a restore
		until = time.Time{}
	case err != nil:
		return until, err
	default:
		if err := t.writeSecret(owner, previousSecret, []byte(current.Reveal())); err != nil {
			return until, err
		}
	}
	if err := t.writeSecret(owner, currentSecret, []byte(secret.Reveal())); err != nil {
		return until, err
	}
	return until, t.change(table, "UPDATE "+table+" SET previous_until = $2, version = version + 1 WHERE id = $1", id, until)
}

// ForgetPreviousSecrets removes the secrets of webhooks and hooks that do not sign any more.
func (t *Tx) ForgetPreviousSecrets(now time.Time) error {
	for table, owner := range map[string]func(console.ID) string{"webhook": webhookOwner, "hook": hookOwner} {
		ids, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT id FROM "+table+" WHERE previous_until <= $1 ORDER BY id", now)
		for _, id := range ids {
			if err == nil {
				_, err = t.e.Exec("DELETE FROM secret WHERE owner = $1 AND name = $2", owner(id), previousSecret)
			}
			if err == nil {
				err = t.change(table, "UPDATE "+table+" SET previous_until = NULL WHERE id = $1", id)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// WebhookSecrets returns the URL of a webhook, and the secrets that sign at a time, the newest
// first. NotFound if one is not stored.
func (t *Tx) WebhookSecrets(w console.Webhook, now time.Time) (url baton.Secret, secrets []baton.Secret, err error) {
	if url, err = t.Secret(webhookOwner(w.ID), webhookURL); err != nil || w.Kind != console.WebhookSigned {
		return url, nil, err
	}
	secrets, err = t.secretsOf(webhookOwner(w.ID), w.PreviousUntil, now)
	return url, secrets, err
}

func (t *Tx) secretsOf(owner string, previousUntil, now time.Time) (all []baton.Secret, err error) {
	current, err := t.Secret(owner, currentSecret)
	if err != nil {
		return nil, err
	}
	all = []baton.Secret{current}
	if now.Before(previousUntil) {
		previous, err := t.Secret(owner, previousSecret)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return nil, err
		}
		if err == nil {
			all = append(all, previous)
		}
	}
	return all, nil
}

// RemoveWebhook removes a webhook with its deliveries.
func (t *Tx) RemoveWebhook(id console.ID) error {
	w, err := t.lockWebhook(id)
	if err != nil {
		return err
	}
	for _, kind := range []string{console.DueWebhook, console.DueReplay} {
		if err := t.RemoveDue(kind, string(id)); err != nil {
			return err
		}
	}
	for _, sql := range []string{"DELETE FROM webhook_delivery WHERE webhook = $1", "DELETE FROM webhook WHERE id = $1"} {
		if _, err := t.e.Exec(sql, id); err != nil {
			return err
		}
	}
	if _, err := t.e.Exec("DELETE FROM secret WHERE owner = $1", webhookOwner(id)); err != nil {
		return err
	}
	return t.webhookEvent(id, "webhook.removed", webhookData(w))
}

// SetWebhookHealth records the result of an attempt: the last delivery, failures, and when the next
// attempt may be made.
func (t *Tx) SetWebhookHealth(w console.Webhook) error {
	return t.change("webhook", "UPDATE webhook SET delivered = $2, failing = $3, failures = $4, ready = $5 WHERE id = $1", w.ID, w.Delivered, w.Failing, w.Failures, w.Ready)
}

// TestWebhook appends an event that is delivered to one webhook only.
func (t *Tx) TestWebhook(id console.ID) error {
	w, err := t.Webhook(id)
	if err != nil {
		return err
	}
	if w.State != console.WebhookOn {
		return baton.Errorf(baton.Refused, "the webhook is %s", w.State).WithFix("Resume it first.")
	}
	return t.webhookEvent(id, console.WebhookTested, nil)
}
