package store

import (
	"baton/console"
	"baton/console/store/internal/engine"
)

// SetSetting sets a value by name. The value is stored in plain text; for secrets see
// [Tx.SetSecret].
func (t *Tx) SetSetting(name string, value []byte) error {
	if err := t.writeSetting(name, value); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "setting.changed", Object: name}, nil)
}

// AddSetting sets a value that nobody has set. AlreadyExists if somebody has, also at the same time.
func (t *Tx) AddSetting(name string, value []byte) error {
	err := engine.Insert(t.e, "setting "+name, "INSERT INTO setting (name, value, changed) VALUES ($1, $2, $3)", name, bytesOf(value), t.by.At)
	if err != nil {
		return err
	}
	return t.event(console.Event{Kind: "setting.changed", Object: name}, nil)
}

func (t *Tx) writeSetting(name string, value []byte) error {
	_, err := t.e.Exec(`INSERT INTO setting (name, value, changed) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed = excluded.changed`, name, bytesOf(value), t.by.At)
	return err
}

// Setting returns a value by name. NotFound if it was never set.
func (t *Tx) Setting(name string) ([]byte, error) {
	return get(t, func(r engine.Row) []byte { return r.Bytes(0) }, "setting "+name, "SELECT value FROM setting WHERE name = $1", name)
}
