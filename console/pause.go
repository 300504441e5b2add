package console

import "time"

// Pauses are the activities that are paused until somebody resumes them. A restored or copied
// console starts with all of them paused, because the original may still be running.
type Pauses struct {
	Writes   bool `json:"writes"`   // no operation is dispatched
	Mail     bool `json:"mail"`     // no mail is sent
	Webhooks bool `json:"webhooks"` // no webhook is called
	// Automations means that no automation begins or goes on.
	Automations bool   `json:"automations,omitempty"`
	Why         string `json:"why,omitempty"`
	// Since is when a restored or copied console started. While writes are paused, the first full
	// sync of each connector after it is held, because it shows how reality differs from the backup;
	// a person decides.
	Since time.Time `json:"since,omitzero"`
}

// BeforeCopy reports whether a sync was applied before the console was restored or copied, and the
// console is still paused.
func (p Pauses) BeforeCopy(s *Sync) bool {
	return p.Writes && s != nil && !p.Since.IsZero() && s.Applied.Before(p.Since)
}

// Any reports whether something is paused.
func (p Pauses) Any() bool { return p.Writes || p.Mail || p.Webhooks || p.Automations }
