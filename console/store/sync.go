package store

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// ReceiveSync adds a sync whose file is stored and not read yet. It sets an empty ID, Received,
// State and Stream.
func (t *Tx) ReceiveSync(s console.Sync) (console.ID, error) {
	c, err := t.Connector(s.Connector)
	if err != nil {
		return "", err
	}
	if s.ID == "" {
		s.ID = console.NewID(t.by.At)
	}
	err = t.insert("sync", `INSERT INTO sync (id, connector, stream, task, kind, state, dispatched, began, received, file, sha256, size, counts, holds, why)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		s.ID, s.Connector, c.Stream, null(s.Task), s.Kind, console.SyncReceived, s.Dispatched, engine.Micros(s.Began), t.by.At, null(s.File), bytesOf(s.SHA256), s.Size,
		encode(s.Counts), encode(s.Holds), []byte{})
	if err != nil {
		return "", err
	}
	return s.ID, t.event(console.Event{Kind: "sync.received", App: c.App, Connector: c.ID, Object: string(s.ID)},
		map[string]any{"kind": s.Kind, "began": s.Began.UTC(), "size": s.Size, "sha256": hexOf(s.SHA256)})
}

// EndSync ends a sync that is not applied: refused, discarded, superseded or stored. why is
// displayed.
func (t *Tx) EndSync(id console.ID, state console.SyncState, why string) error {
	s, err := t.lockSync(id)
	if err != nil {
		return err
	}
	switch state {
	case console.SyncRefused, console.SyncDiscarded, console.SyncSuperseded, console.SyncStored:
	default:
		return baton.Errorf(baton.Invalid, "a sync cannot end as %s", state)
	}
	if s.State != console.SyncReceived && s.State != console.SyncHeld {
		return baton.Errorf(baton.Refused, "the sync is %s already", s.State)
	}
	return t.setSyncState(s, state, why)
}

// holdSync holds a received sync until a person confirms or discards it.
func (t *Tx) holdSync(s console.Sync, holds []console.Hold) error {
	if err := t.change("sync", "UPDATE sync SET state = $2, holds = $3 WHERE id = $1", s.ID, console.SyncHeld, encode(holds)); err != nil {
		return err
	}
	return t.syncEvent(s, "sync.held", map[string]any{"holds": holds})
}

// ConfirmSync records that a person confirmed a held sync. It can then be staged.
func (t *Tx) ConfirmSync(id console.ID, why string) error {
	s, err := t.lockSync(id)
	if err != nil {
		return err
	}
	if t.by.Actor.Person() == "" {
		return baton.Errorf(baton.Refused, "only a person confirms a held sync")
	}
	if s.State != console.SyncHeld {
		return baton.Errorf(baton.Refused, "the sync is %s and not held", s.State)
	}
	received, err := t.Events(EventFilter{Object: string(id)}, 0, 1)
	if err != nil {
		return err
	}
	var uploader console.ID
	if len(received) > 0 {
		uploader = received[0].Actor.Person()
	}
	var failed error
	canonical := func(p console.ID) console.ID {
		c, err := t.Canonical(p)
		failed = errors.Join(failed, err)
		return c
	}
	if err := errors.Join(console.CheckConfirm(s, uploader, t.by.Actor.Person(), canonical), failed); err != nil {
		return err
	}
	if err := t.change("sync", "UPDATE sync SET state = $2, why = $3 WHERE id = $1", id, console.SyncConfirmed, []byte(why)); err != nil {
		return err
	}
	return t.syncEvent(s, "sync.confirmed", map[string]any{"why": why, "holds": s.Holds})
}

func (t *Tx) setSyncState(s console.Sync, state console.SyncState, why string) error {
	if err := t.change("sync", "UPDATE sync SET state = $2, why = $3 WHERE id = $1", s.ID, state, []byte(why)); err != nil {
		return err
	}
	return t.syncEvent(s, "sync."+string(state), map[string]any{"why": why})
}

func (t *Tx) syncEvent(s console.Sync, kind string, data any) error {
	c, err := t.Connector(s.Connector)
	if err != nil {
		return err
	}
	return t.event(console.Event{Kind: kind, App: c.App, Connector: c.ID, Object: string(s.ID)}, data)
}

const syncColumns = "id, number, connector, stream, task, kind, state, dispatched, began, received, applied, file, sha256, size, counts, holds, why, scope"

func scanSync(r engine.Row) console.Sync {
	s := console.Sync{ID: console.ID(r.Text(0)), Connector: console.ID(r.Text(2)), Stream: console.Stream(r.Int(3)), Task: console.ID(r.Text(4)),
		Kind: console.SyncKind(r.Text(5)), State: console.SyncState(r.Text(6)), Dispatched: at(r, 7), Began: at(r, 8), Received: at(r, 9), Applied: at(r, 10),
		File: console.ID(r.Text(11)), SHA256: r.Bytes(12), Size: r.Int(13), Why: str(r, 16)}
	if !r.Null(1) {
		s.Number = console.SyncNumber(r.Int(1))
	}
	decode(r.Bytes(14), &s.Counts)
	decode(r.Bytes(15), &s.Holds)
	if b := r.Bytes(17); b != nil {
		decode(b, &s.Scope)
	}
	return s
}

// Sync returns a sync.
func (t *Tx) Sync(id console.ID) (console.Sync, error) {
	return get(t, scanSync, "sync", "SELECT "+syncColumns+" FROM sync WHERE id = $1", id)
}

func (t *Tx) lockSync(id console.ID) (console.Sync, error) {
	return get(t, scanSync, "sync", "SELECT "+syncColumns+" FROM sync WHERE id = $1 FOR UPDATE", id)
}

// SyncByNumber returns the sync with a number.
func (t *Tx) SyncByNumber(n console.SyncNumber) (console.Sync, error) {
	return get(t, scanSync, "sync", "SELECT "+syncColumns+" FROM sync WHERE number = $1", n)
}

// SyncsByNumber is [Tx.SyncByNumber] for many syncs; those that do not exist are missing.
func (t *Tx) SyncsByNumber(numbers []console.SyncNumber) (map[console.SyncNumber]console.Sync, error) {
	syncs, err := listOf(t, scanSync, distinct(numbers), "SELECT "+syncColumns+" FROM sync WHERE number IN (keys)")
	all := make(map[console.SyncNumber]console.Sync, len(syncs))
	for _, s := range syncs {
		all[s.Number] = s
	}
	return all, err
}

// SyncBefore is a place in a list of syncs, newest first. The zero value is the beginning.
type SyncBefore struct {
	Received time.Time
	ID       console.ID
}

// Syncs returns up to n syncs of a connector, the newest first.
func (t *Tx) Syncs(connector console.ID, before SyncBefore, n int) ([]console.Sync, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	last := int64(1<<63 - 1)
	if !before.Received.IsZero() {
		last = engine.Micros(before.Received)
	}
	return list(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE connector = $1 AND (received, id) < ($2, $3) ORDER BY received DESC, id DESC LIMIT $4",
		connector, last, before.ID, n)
}

// HeadSync returns the newest applied sync of a stream, or nil if there is none.
func (t *Tx) HeadSync(stream console.Stream) (*console.Sync, error) {
	return find(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE number = (SELECT head FROM head WHERE stream = $1)", stream)
}

// CountsAt returns how many rows a stream shows with a sync and those before it; none for number 0. A
// targeted sync has counted its own rows only and changes nothing but facts, so these are the counts of
// the newest other sync, with the facts that targeted ones have opened and closed since.
func (t *Tx) CountsAt(stream console.Stream, number console.SyncNumber) (shown console.Counts, err error) {
	type row struct {
		kind   console.SyncKind
		counts console.Counts
	}
	rows, err := list(t, func(r engine.Row) (s row) {
		s.kind = console.SyncKind(r.Text(0))
		decode(r.Bytes(1), &s.counts)
		return s
	}, `SELECT kind, counts FROM sync WHERE stream = $1 AND state = 'applied' AND number <= $2
		AND number >= (SELECT COALESCE(max(number), 0) FROM sync WHERE stream = $1 AND state = 'applied' AND number <= $2 AND kind <> $3) ORDER BY number`,
		stream, number, console.SyncTargeted)
	for _, s := range rows {
		if s.kind != console.SyncTargeted {
			shown = s.counts
			continue
		}
		shown.Facts += s.counts.Opened - s.counts.Closed
	}
	return shown, err
}

// AppliedBefore returns the last applied sync of a stream before a number; nil if there is none.
func (t *Tx) AppliedBefore(stream console.Stream, number console.SyncNumber) (*console.Sync, error) {
	return find(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE stream = $1 AND state = 'applied' AND number < $2 ORDER BY number DESC LIMIT 1", stream, number)
}

// Covered reports whether a full sync proves whether anybody holds an entitlement: it shows the
// entitlement, or neither it nor the previous full sync does.
func (t *Tx) Covered(e console.EntitlementKey, s console.Sync) (bool, error) {
	closed, err := find(t, func(r engine.Row) console.SyncNumber { return console.SyncNumber(r.Int(0)) },
		"SELECT closed FROM entitlement_version WHERE entitlement = $1 AND opened <= $2 ORDER BY opened DESC LIMIT 1", e, s.Number)
	if err != nil || closed == nil {
		return false, err
	}
	if *closed > s.Number {
		return true, nil
	}
	missed, err := get(t, func(r engine.Row) int { return int(r.Int(0)) }, "sync",
		"SELECT count(*) FROM sync WHERE stream = $1 AND state = 'applied' AND kind <> $2 AND number >= $3 AND number <= $4", s.Stream, console.SyncTargeted, *closed, s.Number)
	return console.Gone(missed), err
}

// FirstSync returns the number of the first applied sync of a stream; 0 if there is none.
func (t *Tx) FirstSync(stream console.Stream) (console.SyncNumber, error) {
	return get(t, func(r engine.Row) console.SyncNumber { return console.SyncNumber(r.Int(0)) }, "stream",
		"SELECT COALESCE(min(number), 0) FROM sync WHERE stream = $1 AND state = 'applied'", stream)
}

// liveSync returns the newest applied sync of a stream that is not an import, or nil.
func (t *Tx) liveSync(stream console.Stream) (*console.Sync, error) {
	return find(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE stream = $1 AND state = $2 AND kind <> $3 ORDER BY number DESC LIMIT 1",
		stream, console.SyncApplied, console.SyncImport)
}

// HasLiveSync reports whether a stream has an applied sync that a connector made by itself.
func (t *Tx) HasLiveSync(stream console.Stream) (bool, error) {
	s, err := find(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE stream = $1 AND state = $2 AND kind IN ($3, $4) ORDER BY number DESC LIMIT 1",
		stream, console.SyncApplied, console.SyncFull, console.SyncTargeted)
	return s != nil, err
}

// HeldSync returns the newest held sync of a connector, or nil.
func (t *Tx) HeldSync(connector console.ID) (*console.Sync, error) {
	return find(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE connector = $1 AND state = $2 ORDER BY received DESC LIMIT 1", connector, console.SyncHeld)
}

type head struct {
	stream  console.Stream
	head    console.SyncNumber
	staging console.SyncNumber
}

func scanStream(r engine.Row) head {
	return head{console.Stream(r.Int(0)), console.SyncNumber(r.Int(1)), console.SyncNumber(r.Int(2))}
}

func (t *Tx) lockHead(stream console.Stream) (head, error) {
	return get(t, scanStream, "stream", "SELECT stream, head, staging FROM head WHERE stream = $1 FOR UPDATE", stream)
}

// Moment selects the newest syncs of an app at a time, one for each stream.
type Moment struct {
	At      time.Time // zero for now
	Streams []StreamAt
}

// StreamAt is one stream at a moment. Sync is 0 if it has shown nothing.
type StreamAt struct {
	Stream    console.Stream
	Connector console.ID
	Sync      console.SyncNumber
	Began     time.Time // of the sync
}

// Moment returns the current moment of an app for the zero time; otherwise that of the newest
// applied syncs that began before a time.
func (t *Tx) Moment(app console.ID, when time.Time) (Moment, error) {
	connectors, err := t.ConnectorsAt(app, when)
	if err != nil {
		return Moment{}, err
	}
	m := Moment{At: when}
	for _, c := range connectors {
		s, err := t.StreamAt(c.Stream, when)
		if err != nil {
			return Moment{}, err
		}
		s.Connector = c.ID
		m.Streams = append(m.Streams, s)
	}
	return m, nil
}

// StreamAt returns a stream at a time; zero means now. It does not set Connector. NotFound if what
// the stream showed then is not kept any more.
func (t *Tx) StreamAt(stream console.Stream, when time.Time) (StreamAt, error) {
	sql, args := "SELECT number, began FROM sync WHERE number = (SELECT head FROM head WHERE stream = $1)", []any{stream}
	if !when.IsZero() {
		sql = "SELECT number, began FROM sync WHERE stream = $1 AND state = 'applied' AND began < $2 ORDER BY began DESC, number DESC LIMIT 1"
		args = append(args, when)
	}
	s, err := find(t, func(r engine.Row) StreamAt {
		return StreamAt{Stream: stream, Sync: console.SyncNumber(r.Int(0)), Began: at(r, 1)}
	}, sql, args...)
	if err != nil || s == nil {
		return StreamAt{Stream: stream}, err
	}
	if !when.IsZero() {
		err = t.checkKept(stream, s.Sync)
	}
	return *s, err
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // cannot happen: plain structs always encode
	}
	return b
}

func decode(b []byte, v any) { json.Unmarshal(b, v) } // written by encode

func hexOf(b []byte) string { return hex.EncodeToString(b) }
