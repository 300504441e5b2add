package console

import "time"

// Bar says that somebody decided to remove access. While it is active, reasons that rules
// write do not count. Only a person lifts it.
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

// Active reports whether the bar holds at a time. No bar is not active.
func (b *Bar) Active(at time.Time) bool {
	return b != nil && !at.Before(b.Created) && (b.Lifted.IsZero() || at.Before(b.Lifted))
}
