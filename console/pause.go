package console

import "time"

// Pauses says what a console does not do until somebody resumes it. A restored or copied
// console begins with all of it paused: the original may still be running.
type Pauses struct {
	Writes   bool   `json:"writes"`   // no operation is dispatched
	Mail     bool   `json:"mail"`     // no mail is sent
	Webhooks bool   `json:"webhooks"` // no webhook is called
	Why      string `json:"why,omitempty"`
	// Since is when a restored or copied console began. While writes are paused, the first
	// full sync of each connector after it is held: it shows how the world differs from the
	// backup, and a person decides.
	Since time.Time `json:"since,omitzero"`
}

// BeforeCopy reports whether a sync was applied before a console that is still paused was
// restored or copied.
func (p Pauses) BeforeCopy(s *Sync) bool {
	return p.Writes && s != nil && !p.Since.IsZero() && s.Applied.Before(p.Since)
}

// Any reports whether something is paused.
func (p Pauses) Any() bool { return p.Writes || p.Mail || p.Webhooks }
