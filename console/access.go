package console

import "time"

// Access joins what is known about one account and entitlement.
type Access struct {
	Held       bool       // the head shows it; for [AccountItself], [HasAccount]
	From       SyncNumber // the sync that first showed it; meaningless unless Held
	Direct     bool       // it can be revoked by itself; meaningless unless Held
	LastHeld   bool       // it was held at some time after the oldest open reason was added
	Reasons    []Reason
	Bar        *Bar
	Operation  *Operation // the operation that is alive; nil if there is none
	Overdue    *Overdue   // set if its time is over and it could not be removed
	Removal    *Operation // the newest verified removal; nil if there is none
	FirstShown SyncNumber // the first sync that showed the connector, type or course
}

// State names how the facts and the reasons of an access relate.
type State string

// The states of an access.
const (
	StateNone        State = "none"         // not held, and no reason for it
	StateExplained   State = "explained"    // held, with a reason
	StateUnexplained State = "unexplained"  // held without a reason; appeared after the baseline
	StateBaseline    State = "baseline"     // held without a reason since the first sync that could show it
	StateCameBack    State = "came-back"    // held again after the console had removed it
	StateHeldThrough State = "held-through" // removed directly, still held through another entitlement
	StateEnding      State = "ending"       // held; a removal is under way
	StateOverdue     State = "overdue"      // held although its last reason ran out
	StatePending     State = "pending"      // a reason, and not held yet
	StateUndone      State = "was-undone"   // a reason; it was held, and somebody else removed it
)

// State returns how facts and reasons relate at a time.
func (a Access) State(at time.Time) State {
	explained := len(OpenReasons(a.Reasons, a.Bar, at)) > 0
	switch {
	case !a.Held && !explained:
		return StateNone
	case !a.Held && a.LastHeld:
		return StateUndone
	case !a.Held:
		return StatePending
	case explained:
		return StateExplained
	}
	expired, removed := ExpiredAt(a.Reasons, a.Bar, at), a.removed()
	switch {
	case !expired.IsZero() && !removed && (a.Overdue != nil || a.Operation == nil || a.Operation.Verb != Revoke):
		return StateOverdue
	case a.Operation != nil && a.Operation.Verb == Revoke && a.Operation.State.Alive():
		return StateEnding
	case removed && !a.Direct:
		return StateHeldThrough
	case removed && a.From > a.Removal.Verified:
		return StateCameBack
	case IsBaseline(a.From, a.FirstShown):
		return StateBaseline
	}
	return StateUnexplained
}

// removed reports whether a removal was verified, and no reason was added or ran out after it was
// decided.
func (a Access) removed() bool {
	if a.Removal == nil {
		return false
	}
	for _, r := range a.Reasons {
		if r.Created.After(a.Removal.Created) || !r.Until.IsZero() && r.Ended.IsZero() && r.Until.After(a.Removal.Created) {
			return false
		}
	}
	return true
}
