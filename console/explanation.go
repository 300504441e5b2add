package console

import "time"

// Explanation says why something changed from one sync to a later one.
type Explanation struct {
	Kind      ExplanationKind
	Operation ID // of ByOperation
	Reason    ID // of ByReason
}

// ExplanationKind is the kind of an explanation.
type ExplanationKind string

// The explanations.
const (
	ByOperation ExplanationKind = "operation"   // the console made the change
	ByReason    ExplanationKind = "reason"      // a reason began that needs the gained access, or one ended that kept the lost access
	ByBaseline  ExplanationKind = "baseline"    // it was there when its connector, type or course was first shown
	Unexplained ExplanationKind = "unexplained" // somebody made the change outside of the console
)

// AccessChange is a line of the difference of two syncs: an account gained or lost an
// entitlement, or [AccountItself].
type AccessChange struct {
	Verb       Verb      // Grant: gained; Revoke: lost; "" for a change that is neither
	After      time.Time // when the earlier sync began
	Before     time.Time // when the sync that shows the change was received
	Baseline   bool      // [IsBaseline]
	Operations []Operation
	Reasons    []Reason
	Bar        *Bar
}

// Explain returns what explains a change. An operation does if its task was handed out
// before the later sync was received, and had not ended before the earlier one began.
func (c AccessChange) Explain() Explanation {
	for _, o := range c.Operations {
		switch o.State {
		case Dispatched, Applied, Unknown, Verified:
			if (o.Verb == c.Verb || c.Verb == "") && !o.Dispatched.IsZero() && o.Dispatched.Before(c.Before) && (o.Finished.IsZero() || o.Finished.After(c.After)) {
				return Explanation{Kind: ByOperation, Operation: o.ID}
			}
		}
	}
	open := OpenReasons(c.Reasons, c.Bar, c.Before)
	switch {
	case c.Verb == Grant && len(open) > 0:
		return Explanation{Kind: ByReason, Reason: open[0].ID}
	case c.Verb == Revoke && len(open) == 0:
		for _, r := range c.Reasons {
			end := r.Ended
			if end.IsZero() {
				end = r.Until
			}
			if end.After(c.After) && !end.After(c.Before) {
				return Explanation{Kind: ByReason, Reason: r.ID}
			}
		}
	}
	if c.Baseline && c.Verb != Revoke {
		return Explanation{Kind: ByBaseline}
	}
	return Explanation{Kind: Unexplained}
}
