package store

import (
	"encoding/json"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// ExpiryKind is the kind of the due rows at which reasons expire. Their ref is the reason's ID.
const ExpiryKind = "reason.expiry"

// AddReason adds a reason and, if it has an end, the due row of its expiry. It sets an empty ID, and
// takes Created and CreatedBy from the command.
func (t *Tx) AddReason(r console.Reason) (console.ID, error) {
	if r.ID == "" {
		r.ID = console.NewID(t.by.At)
	}
	if r.Account == 0 && r.Person == "" || r.Kind == "" {
		return "", baton.Errorf(baton.Invalid, "a reason needs an account, or a person who is to get one, and a kind")
	}
	if r.Lasts < 0 || r.Lasts > 0 && !r.Until.IsZero() {
		return "", baton.Errorf(baton.Invalid, "a reason has a time when it ends, or lasts for a while from when the access takes effect")
	}
	if !r.Until.IsZero() && !r.Until.After(t.by.At) {
		return "", baton.Errorf(baton.Invalid, "a reason cannot end at %s, which has passed", r.Until.UTC().Format(time.RFC3339))
	}
	err := t.insert("reason", "INSERT INTO reason (id, app, account, entitlement, kind, ref, created, created_by, until, person, lasts_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		r.ID, r.App, r.Account, r.Entitlement, r.Kind, r.Ref, t.by.At, encodeActor(t.by.Actor), r.Until, null(r.Person), lastsOrNil(r.Lasts))
	if err != nil {
		return "", err
	}
	if err := t.setExpiry(r.ID, r.Until); err != nil {
		return "", err
	}
	data := map[string]any{"kind": r.Kind, "ref": r.Ref, "until": timeOrNil(r.Until)}
	if r.Lasts > 0 {
		data["lasts"] = r.Lasts.String()
	}
	return r.ID, t.event(console.Event{Kind: "reason.added", App: r.App, Person: r.Person, Account: r.Account, Entitlement: r.Entitlement, Object: string(r.ID)}, data)
}

func lastsOrNil(d time.Duration) any {
	if d == 0 {
		return nil
	}
	return d
}

// EndReason ends a reason early. It does nothing if the reason has ended.
func (t *Tx) EndReason(id console.ID, why string) error {
	r, err := t.lockReason(id)
	if err != nil || !r.Ended.IsZero() {
		return err
	}
	err = t.change("reason", "UPDATE reason SET ended = $2, ended_by = $3, ended_why = $4 WHERE id = $1", id, t.by.At, encodeActor(t.by.Actor), []byte(why))
	if err != nil {
		return err
	}
	if err := t.RemoveDue(ExpiryKind, string(id)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "reason.ended", App: r.App, Account: r.Account, Entitlement: r.Entitlement, Object: string(id)}, map[string]any{"why": why})
}

// SetReasonUntil moves the end of an open reason; the zero time removes it. It allows both shorter
// and longer: the caller applies the rules.
func (t *Tx) SetReasonUntil(id console.ID, until time.Time) error {
	r, err := t.lockReason(id)
	if err != nil {
		return err
	}
	if !r.Open(t.by.At) {
		return baton.Errorf(baton.Refused, "the reason has ended")
	}
	if err := t.change("reason", "UPDATE reason SET until = $2 WHERE id = $1", id, until); err != nil {
		return err
	}
	if err := t.setExpiry(id, until); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "reason.until-changed", App: r.App, Account: r.Account, Entitlement: r.Entitlement, Object: string(id)},
		map[string]any{"before": timeOrNil(r.Until), "until": timeOrNil(until)})
}

func (t *Tx) setExpiry(id console.ID, until time.Time) error {
	if until.IsZero() {
		return t.RemoveDue(ExpiryKind, string(id))
	}
	return t.SetDue(ExpiryKind, string(id), until, nil)
}

const reasonColumns = "id, app, account, entitlement, kind, ref, created, created_by, until, ended, ended_by, ended_why, person, lasts_us"

func scanReason(r engine.Row) console.Reason {
	return console.Reason{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Account: console.ResourceKey(r.Int(2)), Entitlement: console.EntitlementKey(r.Int(3)),
		Kind: console.ReasonKind(r.Text(4)), Ref: r.Text(5), Created: at(r, 6), CreatedBy: decodeActor(r.Bytes(7)), Until: at(r, 8),
		Ended: at(r, 9), EndedBy: decodeActor(r.Bytes(10)), EndedWhy: str(r, 11), Person: console.ID(r.Text(12)), Lasts: time.Duration(r.Int(13)) * time.Microsecond}
}

// Reason returns a reason.
func (t *Tx) Reason(id console.ID) (console.Reason, error) {
	return get(t, scanReason, "reason", "SELECT "+reasonColumns+" FROM reason WHERE id = $1", id)
}

func (t *Tx) lockReason(id console.ID) (console.Reason, error) {
	return get(t, scanReason, "reason", "SELECT "+reasonColumns+" FROM reason WHERE id = $1 FOR UPDATE", id)
}

// Reasons returns all reasons of an access, including ended ones, oldest first.
func (t *Tx) Reasons(app console.ID, account console.ResourceKey, e console.EntitlementKey) ([]console.Reason, error) {
	return list(t, scanReason, "SELECT "+reasonColumns+" FROM reason WHERE account = $1 AND entitlement = $2 AND app = $3 ORDER BY created, id", account, e, app)
}

// ReasonsOf returns all reasons of an account, ordered by entitlement and age.
func (t *Tx) ReasonsOf(account console.ResourceKey) ([]console.Reason, error) {
	return list(t, scanReason, "SELECT "+reasonColumns+" FROM reason WHERE account = $1 ORDER BY entitlement, created, id", account)
}

// ReasonsOfPerson returns the reasons of a person without an account in an app, oldest first.
func (t *Tx) ReasonsOfPerson(app, person console.ID) ([]console.Reason, error) {
	return list(t, scanReason, "SELECT "+reasonColumns+" FROM reason WHERE app = $1 AND person = $2 AND account = 0 ORDER BY created, id", app, person)
}

func encodeActor(a console.Actor) []byte {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // cannot happen: strings always encode
	}
	return b
}

func decodeActor(b []byte) (a console.Actor) {
	json.Unmarshal(b, &a) // written by encodeActor, or nil
	return a
}

// timeOrNil returns a time as event data.
func timeOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}
