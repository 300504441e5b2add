package findings

import (
	"baton/console"
	"baton/console/store"
)

// automations finds automations that do not run, because the circuit breaker or the console stopped
// them. One that a person paused is none.
func automations(l *look) (causes []store.FindingCause, err error) {
	all, err := l.tx.Automations(l.app.ID)
	for _, a := range all {
		if a.State == console.AutomationTripped || a.State == console.AutomationStopped {
			causes = append(causes, store.FindingCause{Subject: string(a.ID), FindingAbout: console.FindingAbout{Object: string(a.ID), Detail: map[string]string{"name": a.Name, "why": a.Why}}})
		}
	}
	return causes, err
}
