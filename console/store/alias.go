package store

import (
	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// SetAlias sets what programs call an entitlement of an app by; "" takes the name away.
// AlreadyExists if another entitlement has it.
func (t *Tx) SetAlias(app console.ID, e console.EntitlementKey, alias string) error {
	if err := console.CheckAlias(alias); alias != "" && err != nil {
		return err
	}
	if _, err := t.LockApp(app); err != nil {
		return err
	}
	before, err := t.Alias(app, e)
	if err != nil || before == alias {
		return err
	}
	if _, err := t.e.Exec("DELETE FROM entitlement_alias WHERE app = $1 AND entitlement = $2", app, e); err != nil {
		return err
	}
	if alias != "" {
		if err := t.insert("alias "+quote(alias), "INSERT INTO entitlement_alias (alias, app, entitlement) VALUES ($1, $2, $3)", alias, app, e); err != nil {
			return err
		}
	}
	return t.event(console.Event{Kind: "entitlement.alias-changed", App: app, Entitlement: e, Object: string(app)}, map[string]any{"before": before, "after": alias})
}

// Alias returns what programs call an entitlement of an app by; "" if it has no such name.
func (t *Tx) Alias(app console.ID, e console.EntitlementKey) (string, error) {
	alias, err := find(t, func(r engine.Row) string { return r.Text(0) }, "SELECT alias FROM entitlement_alias WHERE app = $1 AND entitlement = $2", app, e)
	if err != nil || alias == nil {
		return "", err
	}
	return *alias, nil
}

// Aliased is an entitlement of an app.
type Aliased struct {
	App         console.ID
	Entitlement console.EntitlementKey
}

// ByAlias returns the entitlement with an alias. NotFound if there is none.
func (t *Tx) ByAlias(alias string) (a Aliased, err error) {
	found, err := find(t, func(r engine.Row) Aliased {
		return Aliased{console.ID(r.Text(0)), console.EntitlementKey(r.Int(1))}
	}, "SELECT app, entitlement FROM entitlement_alias WHERE alias = $1", alias)
	if err == nil && found == nil {
		err = baton.Errorf(baton.NotFound, "no entitlement")
	}
	if err != nil {
		return a, err
	}
	return *found, nil
}
