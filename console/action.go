package console

import "time"

// ActionRun is one manual run of a connector's action.
type ActionRun struct {
	ID           ID
	App          ID
	Connector    ID
	Name         string
	ResourceType string // set for an action of one resource type
	Arguments    []byte // JSON without secrets
	Why          string
	Created      time.Time
	CreatedBy    Actor
	State        OperationState // Queued, Dispatched, Applied, Failed, Unknown
	Task         ID
	Finished     time.Time
	Answer       string
	Returned     []byte // JSON
}
