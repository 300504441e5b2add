package store

import (
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// AuditReader is somebody who reads the stream of events.
type AuditReader struct {
	Reader string // id of the credential
	Began  time.Time
	Seen   time.Time
	Number int64 // of the last event that the reader said it has
}

// ReadsAudit records that a reader of the stream has every event up to a number. Once a day, and the
// first time, that is an event.
func (t *Tx) ReadsAudit(reader string, number int64) error {
	before, err := find(t, scanAuditReader, "SELECT reader, began, seen, number FROM audit_reader WHERE reader = $1 FOR UPDATE", reader)
	if err != nil {
		return err
	}
	if _, err := t.e.Exec(`INSERT INTO audit_reader (reader, began, seen, number) VALUES ($1, $2, $2, $3)
		ON CONFLICT (reader) DO UPDATE SET seen = excluded.seen, number = excluded.number`, reader, t.by.At, number); err != nil {
		return err
	}
	if before != nil && before.Seen.UTC().Format(time.DateOnly) == t.by.At.UTC().Format(time.DateOnly) {
		return nil
	}
	return t.event(console.Event{Kind: "audit.streamed", Object: reader}, map[string]any{"after": number})
}

// AuditReaders returns who reads the stream of events, by id.
func (t *Tx) AuditReaders() ([]AuditReader, error) {
	return list(t, scanAuditReader, "SELECT reader, began, seen, number FROM audit_reader ORDER BY reader LIMIT $1", PageSize)
}

func scanAuditReader(r engine.Row) AuditReader {
	return AuditReader{Reader: r.Text(0), Began: at(r, 1), Seen: at(r, 2), Number: r.Int(3)}
}

// EventHash returns the place and the hash of an event. NotFound if there is none.
func (t *Tx) EventHash(number int64) (Event, error) {
	return get(t, func(r engine.Row) Event {
		return Event{Link: console.Link{Number: r.Int(0), Epoch: r.Int(1)}, Hash: hashOf(r.Bytes(2))}
	}, "event", "SELECT number, epoch, hash FROM event WHERE number = $1", number)
}
