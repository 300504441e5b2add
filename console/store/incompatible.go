package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// IncompatiblePair is a pair of incompatible entitlements with their names.
type IncompatiblePair struct {
	console.Incompatible
	Name, OtherName string
}

const incompatibleColumns = "id, app, entitlement, other_app, other_entitlement, why, created, author, ended, ended_by"

func scanIncompatible(r engine.Row) console.Incompatible {
	return console.Incompatible{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Entitlement: console.EntitlementKey(r.Int(2)), OtherApp: console.ID(r.Text(3)), OtherEntitlement: console.EntitlementKey(r.Int(4)),
		Why: str(r, 5), Created: at(r, 6), Author: console.ID(r.Text(7)), Ended: at(r, 8), EndedBy: console.ID(r.Text(9))}
}

// AddIncompatible declares two entitlements incompatible. It sets the ID. AlreadyExists if they are.
func (t *Tx) AddIncompatible(x console.Incompatible) (console.Incompatible, error) {
	if err := x.Check(); err != nil {
		return x, err
	}
	pairs, err := t.incompatible()
	if err != nil {
		return x, err
	}
	for _, p := range pairs {
		if p.Same(x) {
			return x, baton.Errorf(baton.AlreadyExists, "these two are incompatible already")
		}
	}
	x.ID, x.Created, x.Author, x.Ended, x.EndedBy = console.NewID(t.by.At), t.by.At, t.by.Actor.Person(), time.Time{}, ""
	if err := t.insert("pair", "INSERT INTO incompatible ("+incompatibleColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, NULL)",
		x.ID, x.App, x.Entitlement, x.OtherApp, x.OtherEntitlement, []byte(x.Why), x.Created, string(x.Author)); err != nil {
		return x, err
	}
	return x, t.incompatibleEvent(x, "incompatible.added", map[string]any{"other_app": x.OtherApp, "other_entitlement": x.OtherEntitlement, "why": x.Why})
}

func (t *Tx) incompatibleEvent(x console.Incompatible, kind string, data any) error {
	for _, app := range []console.ID{x.App, x.OtherApp} {
		if err := t.DueBy(console.DueFindings, console.FindingsRef(app, console.IncompatibleAccess), t.by.At); err != nil {
			return err
		}
	}
	return t.event(console.Event{Kind: kind, App: x.App, Entitlement: x.Entitlement, Object: string(x.ID)}, data)
}

// EndIncompatible ends the declaration that two entitlements are incompatible.
func (t *Tx) EndIncompatible(id console.ID, why string) error {
	x, err := get(t, scanIncompatible, "pair of incompatible entitlements", "SELECT "+incompatibleColumns+" FROM incompatible WHERE id = $1 FOR UPDATE", id)
	if err != nil {
		return err
	}
	if !x.Ended.IsZero() {
		return baton.Errorf(baton.Refused, "they are not incompatible any more")
	}
	if err := t.change("pair", "UPDATE incompatible SET ended = $2, ended_by = $3 WHERE id = $1", id, t.by.At, null(t.by.Actor.Person())); err != nil {
		return err
	}
	return t.incompatibleEvent(x, "incompatible.ended", map[string]any{"why": why})
}

func (t *Tx) incompatible() ([]console.Incompatible, error) {
	return list(t, scanIncompatible, "SELECT "+incompatibleColumns+" FROM incompatible WHERE ended IS NULL ORDER BY created, id")
}

// IncompatiblePairs returns the entitlements that are declared incompatible, the oldest first.
func (t *Tx) IncompatiblePairs() (all []IncompatiblePair, err error) {
	pairs, err := t.incompatible()
	for _, x := range pairs {
		p := IncompatiblePair{Incompatible: x}
		if p.Name, err = t.entitlementLabel(x.App, x.Entitlement); err != nil {
			return nil, err
		}
		if p.OtherName, err = t.entitlementLabel(x.OtherApp, x.OtherEntitlement); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, err
}

// entitlementLabel returns the names of an app and one of its entitlements.
func (t *Tx) entitlementLabel(app console.ID, e console.EntitlementKey) (string, error) {
	a, err := t.App(app)
	if err != nil {
		return "", err
	}
	versions, err := t.EntitlementVersions(e)
	if err != nil || len(versions) == 0 {
		return a.Name, err
	}
	return a.Name + ": " + versions[len(versions)-1].Name, nil
}

// IncompatibleHolders returns the canonical people who hold both entitlements of a pair, with any of
// their accounts.
func (t *Tx) IncompatibleHolders(p IncompatiblePair) (map[console.ID]bool, error) {
	first, err := t.HoldersOwned(p.Entitlement)
	if err != nil {
		return nil, err
	}
	second, err := t.HoldersOwned(p.OtherEntitlement)
	holds, both := map[console.ID]bool{}, map[console.ID]bool{}
	for _, id := range first {
		holds[id] = true
	}
	for _, id := range second {
		if holds[id] {
			both[id] = true
		}
	}
	return both, err
}

// HoldersOwned returns the accounts through which people hold an entitlement, with their
// canonical owners.
func (t *Tx) HoldersOwned(e console.EntitlementKey) (map[console.ResourceKey]console.ID, error) {
	accounts := map[console.ResourceKey]console.ID{}
	err := t.e.Query(func(r engine.Row) error {
		accounts[console.ResourceKey(r.Int(0))] = console.ID(r.Text(1))
		return nil
	}, "SELECT f.principal, COALESCE(q.merged_into, q.id)"+ownedFacts, e)
	return accounts, err
}

// ownedFacts selects the facts of an entitlement in the newest sync, with their owners.
const ownedFacts = ` FROM entitlement x JOIN head h ON h.stream = x.stream JOIN fact f ON f.stream = x.stream AND f.entitlement = x.key AND f.opened <= h.head AND f.closed > h.head
	JOIN account_owner o ON o.account = f.principal AND o.until_at IS NULL JOIN person q ON q.id = o.person WHERE x.key = $1`
