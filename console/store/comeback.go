package store

import (
	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// comeBacks counts the removals of an access since its newest reason and since the console
// last granted it: each one came back, or nobody would propose to remove it again. Where the
// sync after a removal shows the opposite, it came back before that.
func (t *Tx) comeBacks(account console.ResourceKey, e console.EntitlementKey) (int, error) {
	counts, err := t.comeBacksOf([]console.ResourceKey{account}, e)
	return counts[account], err
}

// comeBacksOf is [Tx.comeBacks] for many accounts.
func (t *Tx) comeBacksOf(accounts []console.ResourceKey, e console.EntitlementKey) (map[console.ResourceKey]int, error) {
	type count struct {
		account console.ResourceKey
		n       int
	}
	rows, err := listOf(t, func(r engine.Row) count { return count{console.ResourceKey(r.Int(0)), int(r.Int(1))} }, accounts, `SELECT o.account, count(*) FROM operation o
		WHERE o.account IN (keys) AND o.entitlement = $1 AND o.verb = $2 AND o.state IN ($3, $6)
		AND o.created > COALESCE((SELECT max(r.created) FROM reason r WHERE r.account = o.account AND r.entitlement = $1), 0)
		AND o.created > COALESCE((SELECT max(g.created) FROM operation g WHERE g.account = o.account AND g.entitlement = $1 AND g.verb = $4 AND g.state IN ($5, $3)), 0)
		GROUP BY o.account`,
		e, console.Revoke, console.Verified, console.Grant, console.Applied, console.Contradicted)
	counts := make(map[console.ResourceKey]int, len(rows))
	for _, c := range rows {
		counts[c.account] = c.n
	}
	return counts, err
}

// CameBack is access that the console had removed, and that a sync shows again.
type CameBack struct {
	Operation console.Operation // the removal that a sync had verified
	Times     int               // how often it came back
	Stop      error             // the refusal of a further removal; nil if it may be removed again
}

// cameBack is the kind of the event of access that came back.
const cameBack = "access.came-back"

// FindCameBack returns the accesses of a connector that an applied sync is the first to show
// again after a removal. Access that there is a reason for is none of them.
func (t *Tx) FindCameBack(c console.Connector, s console.Sync) ([]CameBack, error) {
	// A disabled account whose version ends where the next begins was enabled; anything else
	// that changes about an account is none.
	removals, err := list(t, scanOperation, "SELECT "+operationColumns+` FROM operation o WHERE o.connector = $1 AND o.verb = $2 AND o.state = $3 AND o.account <> 0 AND o.verified < $5
		AND (o.entitlement <> 0 AND EXISTS (SELECT 1 FROM fact f WHERE f.stream = $4 AND f.entitlement = o.entitlement AND f.principal = o.account AND f.opened = $5)
			OR o.entitlement = 0 AND EXISTS (SELECT 1 FROM resource_version v WHERE v.resource = o.account AND v.opened = $5 AND v.status NOT IN ($6, $7))
				AND NOT EXISTS (SELECT 1 FROM resource_version v WHERE v.resource = o.account AND v.closed = $5 AND v.status NOT IN ($6, $7)))
		AND NOT EXISTS (SELECT 1 FROM operation n WHERE n.account = o.account AND n.entitlement = o.entitlement AND n.created > o.created)
		ORDER BY o.created, o.id`, c.ID, console.Revoke, console.Verified, s.Stream, s.Number, int(console.StatusDisabled), int(console.StatusDeleted))
	if err != nil {
		return nil, err
	}
	var back []CameBack
	for _, o := range removals {
		reasons, err := t.Reasons(o.App, o.Account, o.Entitlement)
		if err != nil {
			return nil, err
		}
		bar, err := t.Bar(o.Account, o.Entitlement)
		if err != nil {
			return nil, err
		}
		if len(console.OpenReasons(reasons, bar, t.by.At)) > 0 {
			continue
		}
		told, err := t.EventsBefore(EventFilter{Object: string(o.ID)}, 0, 1)
		if err != nil {
			return nil, err
		}
		if len(told) == 1 && told[0].Kind == cameBack { // the sync is judged once more
			continue
		}
		b := CameBack{Operation: o}
		if b.Times, err = t.comeBacks(o.Account, o.Entitlement); err != nil {
			return nil, err
		}
		p, err := t.Foresee(o, Circumstances{})
		if err != nil {
			return nil, err
		}
		b.Stop = p.Check()
		back = append(back, b)
	}
	return back, nil
}

// TellCameBack appends the event of access that came back.
func (t *Tx) TellCameBack(b CameBack) error {
	what, err := t.accessName(b.Operation.Entitlement)
	if err != nil {
		return err
	}
	data := map[string]any{"what": what, "times": b.Times, "cause": b.Operation.Cause.Kind}
	if b.Stop != nil {
		data["stop"], data["fix"] = b.Stop.Error(), baton.FixOf(b.Stop)
	}
	o := b.Operation
	if err := t.markCameBack(o); err != nil {
		return err
	}
	return t.event(console.Event{Kind: cameBack, App: o.App, Connector: o.Connector, Person: o.Person, Account: o.Account, Entitlement: o.Entitlement, Object: string(o.ID)}, data)
}

// Masters tells where who holds entitlements of a type of resources is decided, for products
// where that is not the application itself; "" for others.
type Masters func(product, resourceType string) string

// SetMasters tells guards where entitlements are mastered. It must be called before the
// store is used.
func (s *Store) SetMasters(m Masters) { s.masters = m }

// masteredBy returns where who holds an entitlement is decided; "" if it is in the
// application, or not known.
func (t *Tx) masteredBy(c console.Connector, e console.EntitlementKey) (string, error) {
	if t.s.masters == nil || e == console.AccountItself {
		return "", nil
	}
	on, err := find(t, func(r engine.Row) string { return str(r, 0) },
		"SELECT r.type FROM entitlement_version v JOIN resource r ON r.key = v.resource WHERE v.entitlement = $1 ORDER BY v.opened DESC LIMIT 1", e)
	if err != nil || on == nil {
		return "", err
	}
	return t.s.masters(c.Product, *on), nil
}
