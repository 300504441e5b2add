package console

// Pauses says what a console does not do until somebody resumes it. A restored or copied
// console begins with all of it paused: the original may still be running.
type Pauses struct {
	Writes   bool   `json:"writes"`   // no operation is dispatched
	Mail     bool   `json:"mail"`     // no mail is sent
	Webhooks bool   `json:"webhooks"` // no webhook is called
	Why      string `json:"why,omitempty"`
}

// Any reports whether something is paused.
func (p Pauses) Any() bool { return p.Writes || p.Mail || p.Webhooks }
