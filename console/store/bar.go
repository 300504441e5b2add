package store

import (
	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// AddBar adds a bar. It sets an empty ID. AlreadyExists if one is active.
func (t *Tx) AddBar(b console.Bar) (console.ID, error) {
	if b.ID == "" {
		b.ID = console.NewID(t.by.At)
	}
	if b.Account == 0 {
		return "", baton.Errorf(baton.Invalid, "a bar needs an account")
	}
	err := t.insert("an active bar", "INSERT INTO bar (id, app, account, entitlement, created, created_by, why) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		b.ID, b.App, b.Account, b.Entitlement, t.by.At, encodeActor(t.by.Actor), []byte(b.Why))
	if err != nil {
		return "", err
	}
	return b.ID, t.event(console.Event{Kind: "bar.added", App: b.App, Account: b.Account, Entitlement: b.Entitlement, Object: string(b.ID)}, map[string]any{"why": b.Why})
}

// LiftBar lifts a bar. Only a person may do that.
func (t *Tx) LiftBar(id console.ID, why string) error {
	if t.by.Actor.Person() == "" {
		return baton.Errorf(baton.Refused, "only a person lifts a bar")
	}
	b, err := get(t, scanBar, "bar", "SELECT "+barColumns+" FROM bar WHERE id = $1 FOR UPDATE", id)
	if err != nil || !b.Lifted.IsZero() {
		return err
	}
	if err := t.change("bar", "UPDATE bar SET lifted = $2, lifted_by = $3, lifted_why = $4 WHERE id = $1", id, t.by.At, encodeActor(t.by.Actor), []byte(why)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "bar.lifted", App: b.App, Account: b.Account, Entitlement: b.Entitlement, Object: string(id)}, map[string]any{"why": why})
}

const barColumns = "id, app, account, entitlement, created, created_by, why, lifted, lifted_by, lifted_why"

func scanBar(r engine.Row) console.Bar {
	return console.Bar{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Account: console.ResourceKey(r.Int(2)), Entitlement: console.EntitlementKey(r.Int(3)),
		Created: at(r, 4), CreatedBy: decodeActor(r.Bytes(5)), Why: str(r, 6), Lifted: at(r, 7), LiftedBy: decodeActor(r.Bytes(8)), LiftedWhy: str(r, 9)}
}

// Bar returns the active bar of an access, or nil.
func (t *Tx) Bar(account console.ResourceKey, e console.EntitlementKey) (*console.Bar, error) {
	return find(t, scanBar, "SELECT "+barColumns+" FROM bar WHERE account = $1 AND entitlement = $2 AND lifted IS NULL", account, e)
}

// Bars returns all bars of an access, including lifted ones, oldest first.
func (t *Tx) Bars(account console.ResourceKey, e console.EntitlementKey) ([]console.Bar, error) {
	return list(t, scanBar, "SELECT "+barColumns+" FROM bar WHERE account = $1 AND entitlement = $2 ORDER BY created, id", account, e)
}
