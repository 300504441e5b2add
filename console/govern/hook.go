package govern

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/webhook"
)

// Hooks returns all incoming webhooks.
func (c *Console) Hooks(ctx context.Context, caller Caller) (all []console.Hook, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		all, err = tx.Hooks()
		return err
	})
	return all, err
}

// HookView is an incoming webhook with its last messages.
type HookView struct {
	console.Hook
	Last      []console.HookMessage
	MayChange bool
}

// shownMessages is the number of messages of an incoming webhook that are displayed.
const shownMessages = 20

// Hook returns an incoming webhook.
func (c *Console) Hook(ctx context.Context, caller Caller, id console.ID) (v HookView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		v.MayChange = console.ManageWebhooks.Of(me, console.Object{})
		var err error
		if v.Hook, err = tx.Hook(id); err == nil {
			v.Last, err = tx.HookMessages(id, shownMessages)
		}
		return err
	})
	return v, err
}

// MadeHook is an incoming webhook with its new secret, which is shown once.
type MadeHook struct {
	console.Hook
	Secret baton.Secret
}

// AddHook adds an incoming webhook.
func (c *Console) AddHook(ctx context.Context, caller Caller, name string) (m MadeHook, err error) {
	err = c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := c.mayManageWebhooks(caller, me); err != nil {
			return err
		}
		name := strings.TrimSpace(name)
		if err := checkName(name); err != nil {
			return err
		}
		m.Secret = webhook.NewSecret()
		id, err := tx.AddHook(console.Hook{Name: name, Creator: me.Canonical()}, m.Secret)
		if err == nil {
			m.Hook, err = tx.Hook(id)
		}
		return err
	})
	return m, err
}

// ChangeHook changes the name of an incoming webhook, and whether it accepts messages. version is
// the one that was read; 0 for any.
func (c *Console) ChangeHook(ctx context.Context, caller Caller, id console.ID, version int64, name string, on bool) error {
	return c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := c.mayManageWebhooks(caller, me); err != nil {
			return err
		}
		h, err := tx.Hook(id)
		if err != nil {
			return err
		}
		if name = strings.TrimSpace(name); name != h.Name {
			if err := checkName(name); err != nil {
				return err
			}
			h.Name = name
		}
		if h.On = on; version != 0 {
			h.Version = version
		}
		return tx.ChangeHook(h)
	})
}

// RotateHook gives an incoming webhook another secret. The previous one is accepted too for a day.
func (c *Console) RotateHook(ctx context.Context, caller Caller, id console.ID) (m MadeHook, err error) {
	err = c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := c.mayManageWebhooks(caller, me); err != nil {
			return err
		}
		m.Secret = webhook.NewSecret()
		_, err := tx.RotateHook(id, m.Secret)
		if err == nil {
			m.Hook, err = tx.Hook(id)
		}
		return err
	})
	return m, err
}

// RemoveHook removes an incoming webhook.
func (c *Console) RemoveHook(ctx context.Context, caller Caller, id console.ID) error {
	return c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := c.mayManageWebhooks(caller, me); err != nil {
			return err
		}
		return tx.RemoveHook(id)
	})
}

// ReceiveHook receives a message of another system, which is authenticated by its signature. again
// means that the message was received before: its sender has not got the answer. NotFound if there
// is no such hook, or it is off; Unauthenticated if the signature is not right; AlreadyExists if
// somebody sends a message that was seen before once more, as it was.
func (c *Console) ReceiveHook(ctx context.Context, id console.ID, h http.Header, body []byte, request, address string) (again bool, err error) {
	var hook console.Hook
	var secrets []baton.Secret
	err = c.store.View(ctx, func(tx *store.Tx) (err error) {
		if hook, err = tx.Hook(id); err == nil && !hook.On {
			err = baton.Errorf(baton.NotFound, "no incoming webhook")
		}
		if err != nil {
			return err
		}
		if secrets, err = tx.HookSecrets(hook, c.now()); err != nil { // lost in a restore
			err = baton.Errorf(baton.Unavailable, "the secret of the incoming webhook cannot be read: %w", err)
		}
		return err
	})
	if err != nil {
		return false, err
	}
	by := console.By{At: c.now(), Actor: console.Console, Request: request, Address: address, Source: "webhook"}
	refuse := func(err error) error {
		if by.At.Sub(hook.Refused) < time.Minute {
			return err // everybody can send messages that are refused: no write for each
		}
		if e := c.store.Update(ctx, by, func(tx *store.Tx) error { return tx.RefuseHookMessage(id, err.Error()) }); e != nil {
			return e
		}
		return err
	}
	signed, err := webhook.Verify(h, body, secrets, c.now())
	if baton.KindOf(err) == baton.Unauthenticated {
		return false, refuse(err)
	}
	if err != nil {
		return false, err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return false, refuse(baton.Errorf(baton.Invalid, "the body is no JSON object"))
	}
	var kind string
	json.Unmarshal(object["type"], &kind) // not every sender has one
	m := console.HookMessage{Hook: id, Sender: signed.ID, Sent: signed.Sent, Body: body}
	if r := []rune(kind); len(r) <= console.MaxHookType {
		m.Type = kind
	} else {
		m.Type = string(r[:console.MaxHookType])
	}
	var known *console.HookMessage
	err = c.store.Update(ctx, by, func(tx *store.Tx) (err error) {
		known, err = tx.ReceiveHookMessage(m)
		return err
	})
	switch {
	case err != nil || known == nil:
		return false, err
	case !known.Sent.Equal(signed.Sent):
		return true, nil // signed anew
	}
	return false, refuse(baton.Errorf(baton.AlreadyExists, "the message was received before"))
}
