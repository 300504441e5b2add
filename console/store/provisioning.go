package store

import (
	"encoding/json"

	"baton"
	"baton/console"
)

// provisioningSetting is the name of the setting that holds the [console.Provisioning] of an
// app.
func provisioningSetting(app console.ID) string { return "provisioning/" + string(app) }

// Provisioning returns how accounts of an app are made, and where it is decided who holds
// what; the zero value if nobody said so.
func (t *Tx) Provisioning(app console.ID) (p console.Provisioning, err error) {
	b, err := t.Setting(provisioningSetting(app))
	if baton.KindOf(err) == baton.NotFound {
		return p, nil
	}
	if err == nil && json.Unmarshal(b, &p) != nil {
		err = baton.Errorf(baton.Corrupt, "how accounts of the application are made cannot be read").WithFix("Enter it again.")
	}
	return p, err
}

// SetProvisioning sets how accounts of an app are made, and where it is decided who holds
// what. p.Version must be the version that was read.
func (t *Tx) SetProvisioning(app console.ID, p console.Provisioning) error {
	if _, err := t.LockApp(app); err != nil {
		return err
	}
	before, err := t.Provisioning(app)
	if err != nil && baton.KindOf(err) != baton.Corrupt {
		return err
	}
	if err := checkVersion("how accounts are made", before.Version, p.Version); err != nil {
		return err
	}
	p.Version++
	if err := t.writeSetting(provisioningSetting(app), encode(p)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "app.provisioning-changed", App: app, Object: string(app)}, map[string]any{"before": before, "after": p})
}
