package store

import (
	"baton"
	"baton/console"
)

// pauseSetting names the setting with the pauses.
const pauseSetting = "paused"

// Pauses returns what is paused.
func (t *Tx) Pauses() (p console.Pauses, err error) {
	b, err := t.Setting(pauseSetting)
	if baton.KindOf(err) == baton.NotFound {
		return p, nil
	}
	decode(b, &p)
	return p, err
}

// SetPauses sets what is paused.
func (t *Tx) SetPauses(p console.Pauses) error {
	if err := t.SetSetting(pauseSetting, encode(p)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "console.paused"}, p)
}
