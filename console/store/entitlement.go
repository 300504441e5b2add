package store

import (
	"cmp"
	"slices"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// Entitlement is a version of an entitlement: unchanged from one sync until another.
type Entitlement struct {
	console.Entitlement
	Stream      console.Stream
	From, Until console.SyncNumber // of this version; [console.Never] while it is current
}

// EntitlementAfter is a place in a list of entitlements: after the last row of the previous page.
// The zero value is the beginning.
type EntitlementAfter struct {
	Sort []byte // [console.SortKey] of the name
	Key  console.EntitlementKey
}

// After returns the place after an entitlement.
func (e Entitlement) After() EntitlementAfter {
	return EntitlementAfter{Sort: nameKey(e.Name, e.ID), Key: e.Key}
}

const entitlementColumns = `e.key, e.stream, e.id, v.opened, v.closed, v.resource, v.slug, v.name, v.description, v.purpose, v.immutable`

func scanEntitlement(r engine.Row) Entitlement {
	return Entitlement{
		Entitlement: console.Entitlement{Key: console.EntitlementKey(r.Int(0)), ID: str(r, 2), Resource: console.ResourceKey(r.Int(5)), Slug: str(r, 6),
			Name: str(r, 7), Description: str(r, 8), Purpose: int(r.Int(9)), Immutable: r.Bool(10)},
		Stream: console.Stream(r.Int(1)), From: console.SyncNumber(r.Int(3)), Until: console.SyncNumber(r.Int(4)),
	}
}

// Entitlement returns an entitlement at a moment. NotFound if the moment does not show it.
func (t *Tx) Entitlement(m Moment, key console.EntitlementKey) (Entitlement, error) {
	for _, s := range m.Streams {
		e, err := find(t, scanEntitlement, "SELECT "+entitlementColumns+` FROM entitlement_version v JOIN entitlement e ON e.key = v.entitlement
			WHERE v.entitlement = $1 AND e.stream = $2 AND v.opened <= $3 AND v.closed > $3`, key, s.Stream, s.Sync)
		if err != nil {
			return Entitlement{}, err
		}
		if e != nil {
			return *e, nil
		}
	}
	return Entitlement{}, baton.Errorf(baton.NotFound, "no entitlement")
}

// EntitlementByID returns the entitlement with an upstream id at a moment. NotFound if the
// moment does not show it.
func (t *Tx) EntitlementByID(m Moment, id string) (Entitlement, error) {
	for _, s := range m.Streams {
		e, err := find(t, scanEntitlement, "SELECT "+entitlementColumns+` FROM entitlement_version v JOIN entitlement e ON e.key = v.entitlement
			WHERE e.stream = $1 AND e.id = $2 AND v.opened <= $3 AND v.closed > $3`, s.Stream, []byte(id), s.Sync)
		if err != nil {
			return Entitlement{}, err
		}
		if e != nil {
			return *e, nil
		}
	}
	return Entitlement{}, baton.Errorf(baton.NotFound, "no entitlement")
}

// Entitlements returns up to n entitlements at a moment, in the order of their names.
func (t *Tx) Entitlements(m Moment, after EntitlementAfter, n int) ([]Entitlement, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	var all []Entitlement
	for _, s := range m.Streams {
		part, err := list(t, scanEntitlement, "SELECT "+entitlementColumns+` FROM lookup l
			JOIN entitlement_version v ON v.entitlement = l.key AND v.opened = l.opened JOIN entitlement e ON e.key = v.entitlement
			WHERE l.stream = $1 AND l.list = $2 AND (l.value, l.key) > ($3, $4) AND l.opened <= $5 AND v.closed > $5 ORDER BY l.value, l.key LIMIT $6`,
			s.Stream, listEntitlements, bytesOf(after.Sort), after.Key, s.Sync, n)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	slices.SortStableFunc(all, func(a, b Entitlement) int {
		return cmp.Or(slices.Compare(nameKey(a.Name, a.ID), nameKey(b.Name, b.ID)), cmp.Compare(a.Key, b.Key))
	})
	return all[:min(n, len(all))], nil
}

// FirstShown returns the first sync that showed an entitlement; 0 if none did.
func (t *Tx) FirstShown(key console.EntitlementKey) (console.SyncNumber, error) {
	return get(t, func(r engine.Row) console.SyncNumber { return console.SyncNumber(r.Int(0)) }, "entitlement",
		"SELECT COALESCE(min(opened), 0) FROM entitlement_version WHERE entitlement = $1", key)
}

// EntitlementVersions returns all versions of an entitlement in applied syncs, oldest first.
func (t *Tx) EntitlementVersions(key console.EntitlementKey) ([]Entitlement, error) {
	return list(t, scanEntitlement, "SELECT "+entitlementColumns+` FROM entitlement_version v JOIN entitlement e ON e.key = v.entitlement JOIN head h ON h.stream = e.stream
		WHERE v.entitlement = $1 AND v.opened <= h.head ORDER BY v.opened`, key)
}
