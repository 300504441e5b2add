package console

import "time"

// Explanation is the cause of a change between two syncs.
type Explanation struct {
	Kind      ExplanationKind
	Operation ID // set for ByOperation
	Reason    ID // set for ByReason
}

// ExplanationKind is the kind of an explanation.
type ExplanationKind string

const (
	ByOperation ExplanationKind = "operation" // the console made the change
	ByReason    ExplanationKind = "reason"    // a reason for the gained access began, or a reason for the lost access ended
	ByBaseline  ExplanationKind = "baseline"  // it was there when its connector, type or course was first shown
	// ByNature explains changes that affect nobody's access: names, and how access is held.
	ByNature ExplanationKind = "no-access"
	// ByPersonLater means that a person explained the change afterwards.
	ByPersonLater ExplanationKind = "explained"
	Unexplained   ExplanationKind = "unexplained" // somebody made the change outside the console
)

// AccessChange is a difference between two syncs: an account gained or lost an entitlement, or
// [AccountItself].
type AccessChange struct {
	Verb       Verb      // Grant: gained; Revoke: lost; "": neither
	After      time.Time // when the earlier sync began
	Before     time.Time // when the sync that shows the change was received
	Baseline   bool      // see [IsBaseline]
	Operations []Operation
	Reasons    []Reason
	Bar        *Bar
}

// Explain returns the cause of a change. An operation is the cause if its task was dispatched before
// the later sync was received and had not ended before the earlier sync began.
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
