package console

import "time"

// ActionRun is one run of an action of a connector, by hand.
type ActionRun struct {
	ID           ID
	App          ID
	Connector    ID
	Name         string
	ResourceType string // of an action of one resource type
	Arguments    []byte // JSON, without what is secret
	Why          string
	Created      time.Time
	CreatedBy    Actor
	State        OperationState // Queued, Dispatched, Applied, Failed, Unknown
	Task         ID
	Finished     time.Time
	Answer       string
	Returned     []byte // JSON
}
