package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const seatColumns = "app, version, purchased, renewal, block, otherwise, by_actor, at"

func scanSeats(r engine.Row) console.Seats {
	s := console.Seats{App: console.ID(r.Text(0)), Version: r.Int(1), Purchased: int(r.Int(2)), Renewal: at(r, 3), Block: r.Bool(4), By: decodeActor(r.Bytes(6)), At: at(r, 7)}
	decode(r.Bytes(5), &s.Otherwise)
	return s
}

// Seats returns the newest version of the purchased seats of an app; the zero value, with the app, if
// there is none.
func (t *Tx) Seats(app console.ID) (console.Seats, error) {
	s, err := find(t, scanSeats, "SELECT "+seatColumns+" FROM seats WHERE app = $1 ORDER BY version DESC LIMIT 1", app)
	if err != nil || s == nil {
		return console.Seats{App: app}, err
	}
	return *s, nil
}

// SeatsVersions returns up to n versions of the purchased seats of an app, the newest first.
func (t *Tx) SeatsVersions(app console.ID, n int) ([]console.Seats, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanSeats, "SELECT "+seatColumns+" FROM seats WHERE app = $1 ORDER BY version DESC LIMIT $2", app, n)
}

// SetSeats adds the next version of the purchased seats of an app. s.Version must be the version that
// was read. It does nothing if the new version says the same.
func (t *Tx) SetSeats(s console.Seats) error {
	a, err := t.LockApp(s.App)
	if err == nil && !a.Removed.IsZero() {
		err = baton.Errorf(baton.NotFound, "no app")
	}
	if err != nil {
		return err
	}
	before, err := t.Seats(s.App)
	if err != nil {
		return err
	}
	if err := checkVersion("the seats", before.Version, s.Version); err != nil {
		return err
	}
	if err := s.Check(); err != nil || s.Same(before) {
		return err
	}
	s.Version++
	if err := t.insert("version", "INSERT INTO seats ("+seatColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		s.App, s.Version, s.Purchased, s.Renewal, s.Block, encode(s.Otherwise), encodeActor(t.by.Actor), t.by.At); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "app.seats-changed", App: s.App, Object: string(s.App)}, map[string]any{"version": s.Version,
		"purchased_before": before.Purchased, "purchased": s.Purchased, "renewal_before": before.RenewalDay(), "renewal": s.RenewalDay(), "block": s.Block, "otherwise": s.Otherwise})
}

// SeatUse counts the seats of an app that are used or reserved.
func (t *Tx) SeatUse(app console.ID) (u console.SeatUse, err error) {
	m, err := t.Moment(app, time.Time{})
	if err != nil {
		return u, err
	}
	for _, s := range m.Streams {
		n, err := t.enabledAccounts(s)
		if err != nil {
			return u, err
		}
		u.Shown += n
	}
	type part struct {
		state console.OperationState
		n     int
	}
	parts, err := list(t, func(r engine.Row) part { return part{console.OperationState(r.Text(0)), int(r.Int(1))} },
		`SELECT o.state, count(*) FROM operation o WHERE o.app = $1 AND o.state IN ('waiting', 'queued', 'manual', 'dispatched', 'unknown', 'applied') AND o.entitlement = $2 AND o.verb = $3
		AND (o.account = 0 OR NOT EXISTS (SELECT 1 FROM resource r JOIN head h ON h.stream = r.stream JOIN resource_version v ON v.resource = r.key
			WHERE r.key = o.account AND v.opened <= h.head AND v.closed > h.head AND v.status NOT IN ($4, $5)))
		GROUP BY o.state ORDER BY o.state`, app, console.AccountItself, console.Grant, console.StatusDisabled, console.StatusDeleted)
	for _, p := range parts {
		switch p.state {
		case console.Applied:
			u.Made += p.n
		case console.Dispatched, console.Unknown:
			u.Underway += p.n
		default:
			u.Waiting += p.n
		}
	}
	return u, err
}

// enabledAccounts counts the enabled accounts of a stream.
func (t *Tx) enabledAccounts(s StreamAt) (int, error) {
	counts, err := t.CountsAt(s.Stream, s.Sync)
	if err != nil {
		return 0, err
	}
	disabled, err := get(t, func(r engine.Row) int { return int(r.Int(0)) }, "disabled accounts",
		`SELECT count(*) FROM lookup c CROSS JOIN resource_version v WHERE c.stream = $1 AND c.list = $2 AND c.opened <= $3
		AND v.resource = c.key AND v.opened = c.opened AND v.closed > $3`, s.Stream, listDisabled, s.Sync)
	return max(0, int(counts.Accounts)-disabled), err
}

// NeedsSeat reports whether an operation makes or enables an account that uses no seat yet, and
// whether that is among the reserved ones already.
func (t *Tx) NeedsSeat(o console.Operation) (needs, reserved bool, err error) {
	if o.Verb != console.Grant {
		return false, false, nil
	}
	if o.Account == 0 {
		alive, err := find(t, func(engine.Row) bool { return true },
			"SELECT 1 FROM operation WHERE app = $1 AND person = $2 AND account = 0 AND entitlement = $3 AND alive LIMIT 1", o.App, null(o.Person), console.AccountItself)
		return true, alive != nil, err
	}
	if o.Entitlement != console.AccountItself {
		return false, false, nil
	}
	enabled, err := find(t, func(engine.Row) bool { return true }, `SELECT 1 FROM resource r JOIN head h ON h.stream = r.stream JOIN resource_version v ON v.resource = r.key
		WHERE r.key = $1 AND v.opened <= h.head AND v.closed > h.head AND v.status NOT IN ($2, $3)`, o.Account, console.StatusDisabled, console.StatusDeleted)
	if err != nil || enabled != nil {
		return false, false, err
	}
	alive, err := find(t, func(r engine.Row) bool { return console.Verb(r.Text(0)) == console.Grant }, "SELECT verb FROM operation WHERE account = $1 AND entitlement = $2 AND alive", o.Account, console.AccountItself)
	return true, alive != nil && *alive, err
}

// checkSeats returns the refusal of an operation that needs a seat which was not purchased. What is
// handed out comes before what waits.
func (t *Tx) checkSeats(o console.Operation) (refusal, err error) {
	if o.Verb != console.Grant || o.Account != 0 && o.Entitlement != console.AccountItself {
		return nil, nil
	}
	s, err := t.Seats(o.App)
	if err != nil || !s.Known() || !s.Block {
		return nil, err
	}
	needs, reserved, err := t.NeedsSeat(o)
	if err != nil || !needs {
		return nil, err
	}
	u, err := t.SeatUse(o.App)
	if err != nil {
		return nil, err
	}
	ahead := u.Committed()
	switch {
	case o.State == console.Queued || o.State == console.Manual || o.State == console.Waiting:
		ahead = u.Used() + u.Underway
	case reserved:
		ahead--
	}
	return s.CheckSeats(ahead), nil
}

// ShownForLong returns those of some accounts that at least [console.GoneAfter] full syncs showed, or
// whose first of these is that old.
func (t *Tx) ShownForLong(m Moment, accounts []console.ResourceKey) (old []console.ResourceKey, err error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	since := map[console.Stream]console.SyncNumber{}
	for _, s := range m.Streams {
		n, err := find(t, func(r engine.Row) console.SyncNumber { return console.SyncNumber(r.Int(0)) },
			"SELECT number FROM sync WHERE stream = $1 AND number <= $2 AND state = 'applied' AND kind IN ($3, $4, $5) ORDER BY number DESC LIMIT 1 OFFSET $6",
			s.Stream, s.Sync, console.SyncFull, console.SyncUpload, console.SyncImport, console.GoneAfter-1)
		if err != nil {
			return nil, err
		}
		if n != nil {
			since[s.Stream] = *n
		}
	}
	type first struct {
		account console.ResourceKey
		stream  console.Stream
		opened  console.SyncNumber
	}
	firsts, err := listOf(t, func(r engine.Row) first {
		return first{console.ResourceKey(r.Int(0)), console.Stream(r.Int(1)), console.SyncNumber(r.Int(2))}
	}, accounts, "SELECT v.resource, r.stream, min(v.opened) FROM resource_version v JOIN resource r ON r.key = v.resource WHERE v.resource IN (keys) GROUP BY v.resource, r.stream ORDER BY v.resource")
	for _, f := range firsts {
		if n, enough := since[f.stream]; enough && f.opened <= n {
			old = append(old, f.account)
		}
	}
	return old, err
}
