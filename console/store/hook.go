package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// hookOwner is the owner of the sealed secrets of a hook.
func hookOwner(id console.ID) string { return "hook/" + string(id) }

const hookColumns = "SELECT id, name, enabled, created, creator, previous_until, received, messages, refused, why, version FROM hook "

func scanHook(r engine.Row) console.Hook {
	h := console.Hook{ID: console.ID(r.Text(0)), Name: str(r, 1), On: r.Bool(2), Created: at(r, 3), PreviousUntil: at(r, 5), Received: at(r, 6), Messages: r.Int(7),
		Refused: at(r, 8), Why: str(r, 9), Version: r.Int(10)}
	if !r.Null(4) {
		h.Creator = console.ID(r.Text(4))
	}
	return h
}

// AddHook adds a hook. It sets an empty ID.
func (t *Tx) AddHook(h console.Hook, secret baton.Secret) (console.ID, error) {
	if h.ID == "" {
		h.ID = console.NewID(t.by.At)
	}
	if err := need("the name", h.Name); err != nil {
		return "", err
	}
	have, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "hooks", "SELECT count(*) FROM hook")
	if err != nil {
		return "", err
	}
	if have >= console.MaxHooks {
		return "", baton.Errorf(baton.Refused, "there are %d incoming webhooks already", have).WithFix("Remove one that is not used.")
	}
	err = t.insert("incoming webhook", "INSERT INTO hook (id, name, enabled, created, creator, messages, why, version) VALUES ($1, $2, $3, $4, $5, 0, $6, 1)",
		h.ID, []byte(h.Name), true, t.by.At, null(h.Creator), []byte{})
	if err == nil {
		err = t.writeSecret(hookOwner(h.ID), currentSecret, []byte(secret.Reveal()))
	}
	if err != nil {
		return "", err
	}
	return h.ID, t.event(console.Event{Kind: "hook.added", Object: string(h.ID)}, map[string]any{"name": h.Name})
}

// Hook returns a hook.
func (t *Tx) Hook(id console.ID) (console.Hook, error) {
	return get(t, scanHook, "incoming webhook", hookColumns+"WHERE id = $1", id)
}

func (t *Tx) lockHook(id console.ID) (console.Hook, error) {
	return get(t, scanHook, "incoming webhook", hookColumns+"WHERE id = $1 FOR UPDATE", id)
}

// Hooks returns all hooks, the oldest first.
func (t *Tx) Hooks() ([]console.Hook, error) { return list(t, scanHook, hookColumns+"ORDER BY id") }

// ChangeHook changes the name of a hook, and whether it accepts messages.
func (t *Tx) ChangeHook(h console.Hook) error {
	if err := need("the name", h.Name); err != nil {
		return err
	}
	before, err := t.lockHook(h.ID)
	if err != nil {
		return err
	}
	if err := checkVersion("the incoming webhook", before.Version, h.Version); err != nil {
		return err
	}
	if before.Name == h.Name && before.On == h.On {
		return nil
	}
	if err := t.change("incoming webhook", "UPDATE hook SET name = $2, enabled = $3, version = version + 1 WHERE id = $1", h.ID, []byte(h.Name), h.On); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "hook.changed", Object: string(h.ID)}, map[string]any{"name_before": before.Name, "name": h.Name, "on_before": before.On, "on": h.On})
}

// RotateHook sets another secret. The previous one is accepted too for a while.
func (t *Tx) RotateHook(id console.ID, secret baton.Secret) (until time.Time, err error) {
	if _, err = t.lockHook(id); err != nil {
		return until, err
	}
	if until, err = t.rotate(hookOwner(id), "hook", id, secret); err != nil {
		return until, err
	}
	return until, t.event(console.Event{Kind: "hook.rotated", Object: string(id)}, map[string]any{"previous_until": until.UTC()})
}

// HookSecrets returns the secrets that a hook accepts at a time, the newest first.
func (t *Tx) HookSecrets(h console.Hook, now time.Time) ([]baton.Secret, error) {
	return t.secretsOf(hookOwner(h.ID), h.PreviousUntil, now)
}

// RemoveHook removes a hook with its messages.
func (t *Tx) RemoveHook(id console.ID) error {
	h, err := t.lockHook(id)
	if err != nil {
		return err
	}
	for _, sql := range []string{"DELETE FROM hook_message WHERE hook = $1", "DELETE FROM hook WHERE id = $1"} {
		if _, err := t.e.Exec(sql, id); err != nil {
			return err
		}
	}
	if _, err := t.e.Exec("DELETE FROM secret WHERE owner = $1", hookOwner(id)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "hook.removed", Object: string(id)}, map[string]any{"name": h.Name})
}

const hookMessageColumns = "SELECT id, hook, sender, sent, received, type, body, sha256, size FROM hook_message "

func scanHookMessage(r engine.Row) console.HookMessage {
	return console.HookMessage{ID: console.ID(r.Text(0)), Hook: console.ID(r.Text(1)), Sender: str(r, 2), Sent: at(r, 3), Received: at(r, 4), Type: str(r, 5),
		Body: bytes.Clone(r.Bytes(6)), SHA256: bytes.Clone(r.Bytes(7)), Size: r.Int(8)}
}

// ReceiveHookMessage stores a message of a hook, with its event. If the hook has a message with the
// sender's id, it returns that one and stores nothing.
func (t *Tx) ReceiveHookMessage(m console.HookMessage) (known *console.HookMessage, err error) {
	if m.ID == "" {
		m.ID = console.NewID(t.by.At)
	}
	sender, body := sha256.Sum256([]byte(m.Sender)), sha256.Sum256(m.Body)
	n, err := t.e.Exec(`INSERT INTO hook_message (id, hook, sender_hash, sender, sent, received, type, body, sha256, size) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (hook, sender_hash) DO NOTHING`, m.ID, m.Hook, sender[:], []byte(m.Sender), m.Sent, t.by.At, []byte(m.Type), m.Body, body[:], len(m.Body))
	if err != nil {
		return nil, err
	}
	if n == 0 {
		have, err := get(t, scanHookMessage, "message", hookMessageColumns+"WHERE hook = $1 AND sender_hash = $2", m.Hook, sender[:])
		return &have, err
	}
	if err := t.change("incoming webhook", "UPDATE hook SET received = $2, messages = messages + 1 WHERE id = $1", m.Hook, t.by.At); err != nil {
		return nil, err
	}
	return nil, t.event(console.Event{Kind: console.HookReceived, Object: string(m.Hook)},
		map[string]any{"message": m.ID, "sender_id": m.Sender, "sent": m.Sent.UTC(), "type": m.Type, "sha256": hex.EncodeToString(body[:]), "size": len(m.Body)})
}

// HookMessages returns up to n messages of a hook, the newest first.
func (t *Tx) HookMessages(hook console.ID, n int) ([]console.HookMessage, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanHookMessage, hookMessageColumns+"WHERE hook = $1 ORDER BY received DESC, id DESC LIMIT $2", hook, n)
}

// HookMessage returns a message of a hook.
func (t *Tx) HookMessage(id console.ID) (console.HookMessage, error) {
	return get(t, scanHookMessage, "message", hookMessageColumns+"WHERE id = $1", id)
}

// RefuseHookMessage records why a message of a hook was refused, at most once a minute: everybody
// can send messages that are refused.
func (t *Tx) RefuseHookMessage(hook console.ID, why string) error {
	_, err := t.e.Exec("UPDATE hook SET refused = $2, why = $3 WHERE id = $1 AND (refused IS NULL OR refused < $4)", hook, t.by.At, []byte(why), t.by.At.Add(-time.Minute))
	return err
}

// ForgetHookMessages removes up to n messages that were received before a time, and returns how
// many there were.
func (t *Tx) ForgetHookMessages(before time.Time, n int) (int, error) {
	removed, err := t.e.Exec("DELETE FROM hook_message WHERE id IN (SELECT id FROM hook_message WHERE received < $1 ORDER BY received LIMIT $2)", before, n)
	return int(removed), err
}
