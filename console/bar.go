package console

import "time"

// Bar records the decision to remove an access. While it is active, reasons from rules do not count.
// Only a person lifts it.
type Bar struct {
	ID          ID
	App         ID
	Account     ResourceKey
	Entitlement EntitlementKey
	Created     time.Time
	CreatedBy   Actor
	Why         string
	Lifted      time.Time // zero while it is active
	LiftedBy    Actor
	LiftedWhy   string
}

// Active reports whether the bar is in force at a time. A nil bar is not.
func (b *Bar) Active(at time.Time) bool {
	return b != nil && !at.Before(b.Created) && (b.Lifted.IsZero() || at.Before(b.Lifted))
}
