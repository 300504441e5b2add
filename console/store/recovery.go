package store

import (
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

type cardRow struct {
	version    int64
	body, told console.CardContent
	toldAt     time.Time
}

func (t *Tx) cardRow(app console.ID) (*cardRow, error) {
	return find(t, func(r engine.Row) cardRow {
		row := cardRow{version: r.Int(0), toldAt: at(r, 3)}
		decode(r.Bytes(1), &row.body)
		decode(r.Bytes(2), &row.told)
		return row
	}, "SELECT version, body, told_body, told FROM recovery_card WHERE app = $1", app)
}

// RecoveryCard returns what the recovery card of an app says now, and the number of that version.
func (t *Tx) RecoveryCard(app console.ID) (c console.CardContent, version int64, err error) {
	a, err := t.App(app)
	if err != nil {
		return c, 0, err
	}
	m, err := t.Moment(app, time.Time{})
	if err != nil {
		return c, 0, err
	}
	admins, err := t.AdminsAt(app, m)
	if err != nil {
		return c, 0, err
	}
	c = console.CardOf(a, admins)
	row, err := t.cardRow(app)
	switch {
	case err != nil:
		return c, 0, err
	case row == nil:
		return c, 1, nil
	case !row.body.Equal(c):
		return c, row.version + 1, nil
	}
	return c, row.version, nil
}

// NumberRecoveryCard stores the version that the recovery card of an app has now. An app without
// administrator entitlements has no card.
func (t *Tx) NumberRecoveryCard(app console.ID) (version int64, err error) {
	if _, err := t.LockApp(app); err != nil {
		return 0, err
	}
	c, version, err := t.RecoveryCard(app)
	if err != nil {
		return 0, err
	}
	row, err := t.cardRow(app)
	switch {
	case err != nil:
		return 0, err
	case row == nil && len(c.Groups) == 0:
		return 0, nil
	case row == nil: // nobody has an earlier one
		return version, t.insert("recovery card", "INSERT INTO recovery_card (app, version, body, changed, told_body, told) VALUES ($1, $2, $3, $4, $3, NULL)", app, version, encode(c), t.by.At)
	case row.version == version:
		return version, nil
	}
	return version, t.change("recovery card", "UPDATE recovery_card SET version = $2, body = $3, changed = $4 WHERE app = $1", app, version, encode(c), t.by.At)
}

// TellRecoveryCard appends the event that the recovery card of an app is not the one of which people
// were told last. next is when it must be called again, because they were told less than
// [console.TellAgain] ago.
func (t *Tx) TellRecoveryCard(app console.ID) (next time.Time, err error) {
	row, err := t.cardRow(app)
	if err != nil || row == nil || row.body.Equal(row.told) {
		return time.Time{}, err
	}
	if next := row.toldAt.Add(console.TellAgain); !row.toldAt.IsZero() && next.After(t.by.At) {
		return next, nil
	}
	a, err := t.App(app)
	if err != nil || !a.Removed.IsZero() {
		return time.Time{}, err
	}
	copies, err := t.RecoveryCopies(app)
	if err != nil {
		return time.Time{}, err
	}
	var copyHolders []console.ID // who may still read the card
	for _, c := range copies {
		p, err := t.Person(c.Person)
		if err == nil && p.MergedInto != "" {
			p, err = t.Person(p.MergedInto)
		}
		if err != nil {
			return time.Time{}, err
		}
		if !c.Content.Equal(row.body) && console.SeeRawFiles.Of(p, console.Object{App: &a}) {
			copyHolders = append(copyHolders, p.ID)
		}
	}
	if err := t.change("recovery card", "UPDATE recovery_card SET told_body = body, told = $2 WHERE app = $1", app, t.by.At); err != nil {
		return time.Time{}, err
	}
	return time.Time{}, t.event(console.Event{Kind: "recovery.changed", App: app, Object: string(app)},
		map[string]any{"version": row.version, "what": row.body.Since(row.told), "copies": copyHolders})
}

// RecoveryCopies returns who keeps a copy of the recovery card of an app.
func (t *Tx) RecoveryCopies(app console.ID) ([]console.CardCopy, error) {
	return list(t, func(r engine.Row) console.CardCopy {
		c := console.CardCopy{Person: console.ID(r.Text(0)), Version: r.Int(1), Printed: at(r, 2)}
		decode(r.Bytes(3), &c.Content)
		return c
	}, "SELECT person, version, printed, body FROM recovery_copy WHERE app = $1 ORDER BY printed, person", app)
}

// KeepRecoveryCopy records that a person keeps a copy of a version of the recovery card of an app; of
// version 0, that the person keeps none. Refused if the card has another version by now.
func (t *Tx) KeepRecoveryCopy(app, person console.ID, version int64) error {
	now, err := t.NumberRecoveryCard(app)
	if err != nil {
		return err
	}
	copies, err := t.RecoveryCopies(app)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(copies, func(c console.CardCopy) bool { return c.Person == person })
	switch {
	case version == 0 && i < 0, i >= 0 && copies[i].Version == version:
		return nil
	case version == 0:
		_, err = t.e.Exec("DELETE FROM recovery_copy WHERE app = $1 AND person = $2", app, person)
	case version != now:
		return baton.Errorf(baton.Refused, "the recovery card is version %d by now", now).WithFix("Print it again, then say so.")
	default:
		_, err = t.e.Exec(`INSERT INTO recovery_copy (app, person, version, body, printed) SELECT $1, $2, version, body, $3 FROM recovery_card WHERE app = $1
			ON CONFLICT (app, person) DO UPDATE SET version = excluded.version, body = excluded.body, printed = excluded.printed`, app, person, t.by.At)
	}
	if err != nil {
		return err
	}
	return t.event(console.Event{Kind: "recovery.printed", App: app, Person: person, Object: string(app)}, map[string]any{"version": version})
}
