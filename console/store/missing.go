package store

import (
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// Missing reports whether the newest sync does not show an account that syncs before it
// showed, and no second full one confirms it: deletions count after two.
func (t *Tx) Missing(account console.ResourceKey) (bool, error) {
	type last struct {
		closed, head console.SyncNumber
		stream       console.Stream
	}
	v, err := find(t, func(r engine.Row) last {
		return last{console.SyncNumber(r.Int(0)), console.SyncNumber(r.Int(1)), console.Stream(r.Int(2))}
	}, `SELECT v.closed, h.head, r.stream FROM resource_version v JOIN resource r ON r.key = v.resource JOIN head h ON h.stream = r.stream
		WHERE v.resource = $1 AND v.opened <= h.head ORDER BY v.opened DESC LIMIT 1`, account)
	if err != nil || v == nil || v.closed > v.head {
		return false, err
	}
	syncs, err := get(t, func(r engine.Row) int { return int(r.Int(0)) }, "syncs",
		"SELECT count(*) FROM sync WHERE stream = $1 AND state = 'applied' AND number >= $2 AND number <= $3 AND kind IN ($4, $5, $6)",
		v.stream, v.closed, v.head, console.SyncFull, console.SyncUpload, console.SyncImport)
	return syncs < 2, err
}

// LastConnector returns the connector whose syncs show, or showed, an account.
func (t *Tx) LastConnector(account console.ResourceKey) (console.ID, error) {
	return get(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "connector of the account",
		"SELECT c.id FROM resource r JOIN connector c ON c.stream = r.stream WHERE r.key = $1 ORDER BY c.id LIMIT 1", account)
}

// PostponeOperation lets a queued operation wait until a time.
func (t *Tx) PostponeOperation(id console.ID, until time.Time) error {
	return t.change("operation", "UPDATE operation SET not_before = $2 WHERE id = $1 AND state = 'queued'", id, until)
}

// LastResource returns the key of the resource that had an upstream id last; 0 if none had.
func (t *Tx) LastResource(stream console.Stream, typ, id string) (console.ResourceKey, error) {
	key, err := find(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
		"SELECT key FROM resource WHERE stream = $1 AND type = $2 AND id = $3 ORDER BY incarnation DESC LIMIT 1", stream, []byte(typ), []byte(id))
	if err != nil || key == nil {
		return 0, err
	}
	return *key, nil
}
