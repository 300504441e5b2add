package store

import (
	"encoding/json"
	"strings"
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// asOf returns the rows of an access at a past time. Reasons and bars have their own times; later
// changes of ends and of operation states are reverted with the events.
func (r accessRows) asOf(t *Tx, when time.Time) (then accessRows, err error) {
	then.intervals = r.intervals
	for _, reason := range r.reasons {
		if reason.Created.After(when) {
			continue
		}
		if reason.Ended.After(when) {
			reason.Ended, reason.EndedBy, reason.EndedWhy = time.Time{}, console.Actor{}, ""
		}
		if reason.Until, err = t.untilAt(reason, when); err != nil {
			return then, err
		}
		then.reasons = append(then.reasons, reason)
	}
	for _, bar := range r.bars {
		if bar.Active(when) {
			bar.Lifted, bar.LiftedBy, bar.LiftedWhy = time.Time{}, console.Actor{}, ""
			then.bar = &bar
		}
	}
	for _, o := range r.operations {
		if o.Created.After(when) {
			continue
		}
		if o.State, err = t.operationStateAt(o, when); err != nil {
			return then, err
		}
		if o.Dispatched.After(when) {
			o.Dispatched, o.LeaseUntil, o.Task = time.Time{}, time.Time{}, ""
		}
		if o.Finished.After(when) {
			o.Finished, o.Answer = time.Time{}, ""
		}
		if o.State != console.Verified && o.State != console.Contradicted {
			o.Verified = 0
		}
		then.operations = append(then.operations, o)
	}
	return then, nil // computed from the reasons and operations
}

// untilAt returns the end of a reason at a time. The next event that moved the end contains it.
func (t *Tx) untilAt(r console.Reason, when time.Time) (time.Time, error) {
	until := r.Until
	for before := int64(0); ; {
		events, err := t.EventsBefore(EventFilter{Object: string(r.ID)}, before, PageSize)
		if err != nil {
			return until, err
		}
		for _, e := range events {
			if before = e.Number; !e.At.After(when) {
				return until, nil
			}
			if e.Kind != "reason.until-changed" {
				continue
			}
			var moved struct {
				Before *time.Time `json:"before"`
			}
			if err := json.Unmarshal(e.Data, &moved); err != nil {
				return until, err
			}
			until = time.Time{}
			if moved.Before != nil {
				until = *moved.Before
			}
		}
		if len(events) < PageSize {
			return until, nil
		}
	}
}

// operationStateAt returns the state of an operation at a time, from its last event before.
func (t *Tx) operationStateAt(o console.Operation, when time.Time) (console.OperationState, error) {
	for before := int64(0); ; {
		events, err := t.EventsBefore(EventFilter{Object: string(o.ID)}, before, PageSize)
		if err != nil {
			return o.State, err
		}
		for _, e := range events {
			before = e.Number
			state := console.OperationState(strings.TrimPrefix(e.Kind, "operation."))
			if !e.At.After(when) && state.Valid() {
				return state, nil
			}
		}
		if len(events) < PageSize {
			return console.Queued, nil // created by an event from before a restore
		}
	}
}

// RemovedAccess is an access that the console removed.
type RemovedAccess struct {
	Account     console.ResourceKey
	Entitlement console.EntitlementKey
}

// maxRemoved limits the accesses of [Tx.RemovedAndHeld].
const maxRemoved = 1000

// RemovedAndHeld returns accesses of an app that the console verifiably removed and that are held at
// a moment.
func (t *Tx) RemovedAndHeld(m Moment, app console.ID) (all []RemovedAccess, err error) {
	for _, s := range m.Streams {
		part, err := list(t, func(r engine.Row) RemovedAccess {
			return RemovedAccess{console.ResourceKey(r.Int(0)), console.EntitlementKey(r.Int(1))}
		}, `SELECT DISTINCT o.account, o.entitlement FROM operation o WHERE o.app = $1 AND o.verb = 'revoke' AND o.state = 'verified' AND o.verified <= $3
			AND (SELECT count(*) FROM fact f WHERE f.stream = $2 AND f.entitlement = o.entitlement AND f.principal = o.account AND f.opened <= $3 AND f.closed > $3) > 0
			ORDER BY o.account, o.entitlement LIMIT $4`, app, s.Stream, s.Sync, maxRemoved)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}
